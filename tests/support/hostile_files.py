"""The content of files that are made to harm those who read them."""

import zlib
from collections.abc import Callable
from typing import Any


class Runs:
    """An object whose pickle calls any function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def claims(png: bytes, width: int, height: int) -> bytes:
    """A PNG whose header claims another size, with a correct checksum."""
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + png[24:29]
    return png[:12] + header + zlib.crc32(header).to_bytes(4, "big") + png[33:]
