"""YAML for the command lines' parsers, which would write out whatever the aliases of a text stand for."""

import functools
from typing import Any, Final

import yaml
from jsonargparse import ArgumentParser, get_loader, set_loader

from gesturehand.yaml_text import check_aliases

#: Modes of the parsers: of the commands, and of training.
_MODES: Final = ("yaml", "omegaconf+")


@functools.cache
def guard_yaml() -> None:
    """Has every parser of this process refuse texts that grow beyond all bounds; once is enough."""
    for mode in _MODES:
        ArgumentParser(parser_mode=mode).parse_string("{}")  # a mode's loader is there when it has been used
        set_loader(mode, functools.partial(_checked, get_loader(mode)), (yaml.YAMLError,))


def _checked(load: Any, value: str) -> Any:
    check_aliases(value, "A configuration")
    return load(value)
