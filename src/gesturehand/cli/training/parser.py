"""The parser of the training commands, which imports Lightning, and the keys of a run in addition to Lightning's."""

from typing import NoReturn

from jsonargparse.typing import NonNegativeInt, PositiveInt
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser

from gesturehand.cli.parser import refuse


class TrainingParser(LightningArgumentParser):
    """Lightning's parser, with short messages."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Prints the mistake and ends the process with status 2."""
        refuse(message)


def add_run_keys(parser: LightningArgumentParser) -> None:
    """Adds the run's keys and a checkpoint callback that keeps the best and the last state."""
    parser.add_argument("--name", type=str, default="experiment", help="A run is kept in <runs>/<name>/<time>.")
    parser.add_argument("--runs", type=str, default="runs", help="Folder of all runs.")
    parser.add_argument(
        "--wandb",
        type=bool,
        default=True,
        help="Log to W&B: offline, unless you are logged in. CSV is always kept.",
    )
    parser.add_argument("--wandb_project", type=str, default="gesturehand", help="W&B project.")
    parser.add_argument(
        "--wandb_checkpoints", type=bool, default=False, help="Hand the best checkpoint to W&B as an artifact."
    )
    parser.add_argument("--tensorboard", type=bool, default=False, help="Log to TensorBoard, into the run's folder.")
    parser.add_argument(
        "--pictures_every_n_epochs",
        type=NonNegativeInt,
        default=2,
        help="Epochs between pictures of the validation (predictions, gesture confusion, embedding); 0: none.",
    )
    parser.add_argument(
        "--val_pictures",
        type=NonNegativeInt,
        default=8,
        help="Validation samples that are drawn with prediction and truth.",
    )
    parser.add_argument(
        "--test_pictures", type=int, default=16, help="Test samples that are drawn with prediction and truth."
    )
    parser.add_argument(
        "--save_predictions",
        type=bool,
        default=False,
        help="Write a test's predictions as predictions.npz, for `gesturehand evaluate`.",
    )
    parser.add_argument(
        "--submission",
        type=bool,
        default=False,
        help="Write a test's predictions as pred.zip, which FreiHAND's and HO-3D's servers take, and score it as they "
        "do, if the annotations exist.",
    )
    parser.add_argument(
        "--resume",
        type=str,
        default="auto",
        help="fit: continue the newest unfinished run of the same settings (auto), start a new one (never), or "
        "continue the run in this folder.",
    )
    parser.add_argument(
        "--resume_every_n_steps",
        type=PositiveInt,
        default=500,
        help="Steps between checkpoints that an interrupted run continues from; there is one every 10 minutes too.",
    )
    parser.add_argument(
        "--check_loss_every_n_batches",
        type=PositiveInt,
        default=1,
        help="Batches between checks that the loss is finite; each waits for the GPU once.",
    )
    parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
    parser.set_defaults(
        {"checkpoint.filename": "best", "checkpoint.save_last": True, "checkpoint.enable_version_counter": False}
    )
