"""Limits what a configuration from other people may name and read, unless it is trusted."""

from collections.abc import Sequence
from typing import Final

import jsonargparse
from omegaconf import OmegaConf

from gesturehand.errors import UserError

#: The option of the command line; a configuration cannot set it.
TRUST_SWITCH: Final = "trust_config"
#: Packages whose classes a ``class_path`` may name. Naming one imports it and calls it with the configuration's values.
TRUSTED_PACKAGES: Final = ("gesturehand", "pytorch_lightning", "lightning_fabric", "torchmetrics", "timm", "torch")
#: Parts of these packages that load files, fetch from the network or compile code, and are refused.
_NOT_TRUSTED: Final = (
    "*",
    "torch.hub",
    "torch.load",
    "torch.jit",
    "torch.package",
    "torch.classes",
    "torch.ops",
    "torch.multiprocessing",
    "torch.distributed",
    "torch.utils.cpp_extension",
    "timm.models.load_checkpoint",
)


def take_trust(words: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether a command line trusts its configurations, and its other words.

    Args:
        words: The command line: ``--trust_config``, ``--trust_config true`` and ``--trust_config=true`` say so.

    Raises:
        UserError: The value is neither true nor false.
    """
    trusted, rest = False, []
    remaining = list(words)
    while remaining:
        word = remaining.pop(0)
        name, has_value, value = word.partition("=")
        if name != f"--{TRUST_SWITCH}":
            rest.append(word)
            continue
        if not has_value:
            value = "true" if not remaining or remaining[0].startswith("-") else remaining.pop(0)
        if value.lower() not in ("true", "false"):
            raise UserError(f"--{TRUST_SWITCH} is '{value}': give true or false.")
        trusted = value.lower() == "true"
    return trusted, rest


def distrust_configs() -> None:
    """Lets configurations name only classes of :data:`TRUSTED_PACKAGES`, and read no environment variables.

    It holds for the rest of the process.
    """
    jsonargparse.set_parsing_settings(
        import_path_denylist=list(_NOT_TRUSTED), import_path_allowlist=list(TRUSTED_PACKAGES)
    )
    # Values that a file reads from the environment, such as a password, would be stored and logged with the run.
    OmegaConf.clear_resolver("oc.env")
