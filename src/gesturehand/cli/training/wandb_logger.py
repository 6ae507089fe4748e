"""W&B as a guest of a training: a logger whose failures are no one else's."""

from collections.abc import Callable
from typing import Any, Final

from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only, rank_zero_warn

#: Seconds that the server has to take up a run.
_INIT_S: Final = 30.0
#: Seconds that a finished run waits for what is left to upload; `wandb sync` uploads the rest.
_FINISH_S: Final = 300.0


class TolerantWandbLogger(WandbLogger):
    """Lightning's, without ever ending a training: what W&B refuses online is logged offline, else not at all.

    Args:
        settings: As :class:`~pytorch_lightning.loggers.WandbLogger` takes them.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(settings={"init_timeout": _INIT_S, "finish_timeout": _FINISH_S}, **settings)
        # Lightning hands on a setting that W&B no longer has, and W&B warns about it.
        self._wandb_init.pop("anonymous", None)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """W&B's run; begun when it is first asked for."""
        if self._experiment is not None:
            return self._experiment
        for offline in (False, True) if not self._offline else (True,):
            self._offline = offline
            if offline:
                self._wandb_init["mode"] = "offline"  # W&B has read the environment, which Lightning sets, before
            try:
                return super().experiment
            except Exception as error:  # W&B has many kinds of its own, and passes on those of its libraries
                where = "it logs nothing" if offline else "it logs offline"
                rank_zero_warn(f"W&B does not take up the run ({_brief(error)}), so {where}.")
        return self._give_up()

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """As Lightning's."""
        self._tolerate(super().log_hyperparams, params)

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """As Lightning's."""
        self._tolerate(super().log_metrics, metrics, step)

    @rank_zero_only
    def log_image(self, key: str, images: list[Any], step: int | None = None, **more: Any) -> None:
        """As Lightning's."""
        self._tolerate(super().log_image, key, images, step, **more)

    @rank_zero_only
    def log_table(self, key: str, *values: Any, **more: Any) -> None:
        """As Lightning's."""
        self._tolerate(super().log_table, key, *values, **more)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """As Lightning's."""
        self._tolerate(super().finalize, status)

    def _tolerate(self, log: Callable[..., Any], *values: Any, **more: Any) -> None:
        try:
            log(*values, **more)
        except Exception as error:  # as above
            rank_zero_warn(f"W&B has failed ({_brief(error)}), so it logs nothing more of this run.")
            self._give_up()

    def _give_up(self) -> Any:
        import wandb

        self._experiment = wandb.init(mode="disabled", reinit="create_new")
        return self._experiment


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:120]}" if text else type(error).__name__
