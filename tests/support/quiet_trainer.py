"""A trainer for tests: on the CPU, and without logs, checkpoints, bars and summaries."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytorch_lightning as pl


def quiet_trainer(**settings: Any) -> "pl.Trainer":
    """The trainer; ``settings`` are Lightning's and override what makes it quiet."""
    import pytorch_lightning as pl

    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    return pl.Trainer(**{"accelerator": "cpu", **quiet, **settings})
