"""A trained regressor from its checkpoint: one of this library's, never whatever a file names."""

import inspect
from pathlib import Path
from typing import Any, Final, NamedTuple

from gesturehand.checkpoints.checkpoint_io import load_checkpoint, misfit
from gesturehand.errors import UserError
from gesturehand.runs import best_checkpoint, newest_run, run_config
from gesturehand.trainers.eanet_regressor import EANetRegressor
from gesturehand.trainers.hand_regressor import HandRegressor
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

#: What can be loaded, by class name.
REGRESSORS: Final[dict[str, type[HandRegressor]]] = {
    regressor.__name__: regressor for regressor in (TokenFusionRegressor, EANetRegressor)
}


class LoadedRegressor(NamedTuple):
    """A regressor ready to predict.

    Attributes:
        model: In evaluation mode, on the CPU.
        path: Of its checkpoint.
        mirror_left: Whether it was trained on left hands shown as right ones (from the run's config; True without).
    """

    model: HandRegressor
    path: Path
    mirror_left: bool


def find_checkpoint(checkpoint: str | Path, runs: str | Path = "runs") -> Path:
    """The checkpoint that a user's word stands for.

    Args:
        checkpoint: A file, the folder of a run (its best checkpoint), or "latest" (see
            :func:`~gesturehand.runs.newest_run`).
        runs: Where "latest" is searched.

    Raises:
        UserError: There is none.
    """
    if str(checkpoint) == "latest":
        return best_checkpoint(newest_run(runs))
    path = Path(checkpoint)
    if path.is_dir():
        return best_checkpoint(path)
    if not path.is_file():
        raise UserError(f"The checkpoint '{path}' does not exist: give a file, the folder of a run, or 'latest'.")
    return path


def load_regressor(checkpoint: str | Path, mano: str | None = None) -> LoadedRegressor:
    """Loads a trained regressor.

    Nothing in the file is executed, and the class is one of :data:`REGRESSORS` whatever the file says.

    Args:
        checkpoint: See :func:`find_checkpoint`.
        mano: MANO's file or folder on this machine; the one of the training if not given.

    Raises:
        UserError: No such file, no regressor's checkpoint, or another hand model than it was trained with.
    """
    path = find_checkpoint(checkpoint)
    content = load_checkpoint(path)
    settings = content.get("hyper_parameters")
    if not isinstance(settings, dict):
        raise UserError(f"'{path}' is not a checkpoint of a hand regressor: give one that `gesturehand fit` wrote.")
    regressor = _class_of(settings, path)
    known = inspect.signature(regressor.__init__).parameters
    settings = {key: value for key, value in settings.items() if not key.startswith("_")}
    unknown = sorted(settings.keys() - known.keys())
    if unknown:
        raise UserError(f"'{path}' has settings that {regressor.__name__} does not know ({', '.join(unknown)}).")
    # Neither is needed where the weights are at hand.
    settings |= {"imagenet_weights": False, "pretrained": None}
    build: Any = regressor  # the base class does not say what its subclasses take
    model: HandRegressor = build(**(settings if mano is None else {**settings, "mano": mano}))
    saved = content.get("hand_model") or {"fingerprint": model.hand_model.fingerprint}
    if saved["fingerprint"] != model.hand_model.fingerprint:
        raise UserError(
            f"'{path}' was trained with the hand model '{saved['name']}', not with '{model.hand_model.name}': give "
            "that one as --mano."
        )
    try:
        model.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise UserError(
            f"'{path}' does not fit {regressor.__name__} ({misfit(error)}): it is of another version of this library."
        ) from error
    return LoadedRegressor(model.eval(), path, _mirror_left(path))


def _class_of(settings: dict[str, Any], path: Path) -> type[HandRegressor]:
    """The command line notes the class; a checkpoint from Python is told by its settings."""
    name = str(settings.get("_class_path", "")).rpartition(".")[2]
    if name in REGRESSORS:
        return REGRESSORS[name]
    if not name:
        own = {key for key in settings if not key.startswith("_")}
        for regressor in REGRESSORS.values():
            if own == set(inspect.signature(regressor.__init__).parameters) - {"self"}:
                return regressor
    raise UserError(
        f"'{path}' holds {name or 'no model that is known here'}, not a hand regressor: give a checkpoint of "
        f"{' or '.join(REGRESSORS)}."
    )


def _mirror_left(path: Path) -> bool:
    """What the run's config says; it lies two folders above a run's checkpoint."""
    try:
        data = run_config(path.parent.parent).get("data")
    except FileNotFoundError:
        return True
    value = data.get("mirror_left") if isinstance(data, dict) else None
    return value is None or bool(value)
