"""Configurations come from other people too: what one may name and what it may read, unless it is trusted."""

from typing import Final

import jsonargparse
from omegaconf import OmegaConf

#: The word of the command line; a configuration cannot say it of itself.
TRUST_SWITCH: Final = "trust_config"
#: Packages whose classes a ``class_path`` may name. Naming one imports it and calls it with the configuration's values.
TRUSTED_PACKAGES: Final = ("gesturehand", "pytorch_lightning", "lightning_fabric", "torchmetrics", "timm", "torch")
#: Parts of these that load files, fetch from the network or compile code.
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


def distrust_configs() -> None:
    """Lets configurations name classes of :data:`TRUSTED_PACKAGES` only, and not read environment variables.

    It holds for the rest of the process.
    """
    jsonargparse.set_parsing_settings(
        import_path_denylist=list(_NOT_TRUSTED), import_path_allowlist=list(TRUSTED_PACKAGES)
    )
    # What a file reads of the environment, a password for instance, would be kept and logged with the run.
    OmegaConf.clear_resolver("oc.env")
