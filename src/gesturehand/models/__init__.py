"""The networks, as plain ``nn.Module``: encoder, gesture head, 2.5D head, token fusion, MANO head."""

import sys
from typing import Any

# timm imports W&B, if it is there, for a function of its own training script. Every command would pay for it and
# nothing here needs it: W&B is imported by the logger that uses it.
_modules: dict[str, Any] = sys.modules
if "wandb" not in _modules:
    _modules["wandb"] = None
    try:
        import timm  # noqa: F401
    finally:
        del _modules["wandb"]
