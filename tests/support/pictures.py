"""Pictures that are not what they say."""

import zlib


def claims(png: bytes, width: int, height: int) -> bytes:
    """A PNG whose header says another size, with the checksum of a correct one."""
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + png[24:29]
    return png[:12] + header + zlib.crc32(header).to_bytes(4, "big") + png[33:]
