"""``gesturehand fit|validate|test``: LightningCLI with interpolation, run folders and the hand-over."""

import os
import pydoc
import signal
import sys
from pathlib import Path
from typing import Any, Final

import jsonargparse
import pytorch_lightning as pl
import torch
from omegaconf.errors import InterpolationKeyError, UnsupportedInterpolationType
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.plugins.environments import SLURMEnvironment
from pytorch_lightning.utilities import rank_zero_info, rank_zero_warn
from pytorch_lightning.utilities.exceptions import MisconfigurationException, SIGTERMException

from gesturehand.callbacks.checkpoint_artifact import CheckpointArtifact
from gesturehand.callbacks.evaluation_report import TestReport
from gesturehand.callbacks.throughput import Throughput
from gesturehand.callbacks.training_guard import TrainingGuard
from gesturehand.callbacks.trial_report import TRIAL_FOLDER_VARIABLE, TrialReport, check_sweep_goes_on
from gesturehand.callbacks.validation_pictures import EmbeddingMap, GestureConfusion, PredictionPictures
from gesturehand.checkpoints.checkpoint_io import DurableCheckpointIO
from gesturehand.checkpoints.resume_points import (
    REQUEUE_SIGNAL,
    ResumePoints,
    Stopped,
    newest_point,
    remove_points,
    step_of_point,
)
from gesturehand.checkpoints.trained_weights import SHIPPED
from gesturehand.cli.experiments import expand_configs
from gesturehand.cli.keys.known import model_classes
from gesturehand.cli.parser import guard_yaml
from gesturehand.cli.submission import check_submission, write_and_score
from gesturehand.cli.training.config_trust import distrust_configs, take_trust
from gesturehand.cli.training.loggers import RunConfig, make_loggers, wandb_run_finished
from gesturehand.cli.training.parser import TrainingParser, add_run_keys
from gesturehand.cli.training.preflight import check_root_exists, check_seed, expand_run
from gesturehand.cli.training.process import (
    Choice,
    is_first_process,
    keep_freed_memory,
    leave_others,
    requeue,
    share_cores,
    silence_what_is_meant,
    tell_others,
    told_by_first,
)
from gesturehand.cli.training.resume import (
    POINTS,
    RunPlace,
    place_of_run,
    release_locks,
    remember,
)
from gesturehand.cli.training.trainer_limits import check_machine, check_monitors, impossible_trainer, known_failure
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.mixture import AddedSet
from gesturehand.errors import UserError, first_line, one_line
from gesturehand.evaluation.report import code_version
from gesturehand.gestures import OwnLabels
from gesturehand.inference.checkpoint import find_checkpoint
from gesturehand.runs import CONFIG_FILE, encoder_settings, find_pretraining, mark_finished, mirrors_left, new_run
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.hand_regressor import HandRegressor

#: Exit code of a run that was told to stop, as a shell gives it for SIGTERM.
_STOPPED: Final = 143


class TrainingCLI(LightningCLI):
    """LightningCLI over the project's modules.

    In addition to Lightning's keys it has ``name`` and ``runs`` (the place of the run), and keys for logs and pictures.
    """

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the run's keys and a checkpoint callback that keeps the best and the last state."""
        add_run_keys(parser)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses the command line and its files.

        Raises:
            UserError: The parser fails on a file instead of reporting what is wrong with it.
        """
        try:
            super().parse_arguments(parser, args)
        except UserError:
            raise
        except (InterpolationKeyError, UnsupportedInterpolationType) as error:
            key = (error.full_key or "A key").partition(".")[2] or "A key"
            raise UserError(
                f"{key} refers to something that does not exist ({first_line(error)}): give a value, or ${{key}} with "
                "the name of another key."
            ) from error
        except Exception as error:  # the libraries behind the parser raise whatever they meet
            problem = one_line(error, 300)
            raise UserError(
                f"The configuration cannot be read ({type(error).__name__}: {problem}): check the files of --config."
            ) from error
        check_seed(self.config[self.config["subcommand"]]["seed_everything"])

    def _parse_ckpt_path(self) -> None:
        """Takes settings from the command line and the run's config only; Lightning would prefer the checkpoint's."""

    def before_instantiate_classes(self) -> None:
        """Chooses the run folder and the gesture pretraining, once, before anything is built."""
        settings = self._setting("trainer")
        check_machine(settings)
        if self.subcommand == "test" and self._setting("submission"):
            check_submission(self._setting("data"))
        check_root_exists(self._setting("data").root)
        parent = Path(self._setting("runs")) / self._setting("name")
        trial = os.environ.get(TRIAL_FOLDER_VARIABLE)
        self.place: RunPlace | None = None
        self.resume_point: str | None = None
        check_sweep_goes_on()
        first = is_first_process()
        if not first:
            choice = told_by_first(settings.num_nodes)
            self.run_folder, self.resume_point = Path(choice.folder), choice.point
            self._check_resume_point()
        elif self.subcommand == "fit":
            self.place = place_of_run(parent, self._dumped(), self._setting("resume"), Path(trial) if trial else None)
            self.run_folder = self.place.folder
            self.resume_point = str(self.place.point) if self.place.point else None
        else:
            self.run_folder = new_run(parent, f"{self.subcommand}-")
        if settings.accelerator == "cpu":
            share_cores(self._setting("data").num_workers)
        if settings.accelerator == "cpu" or not torch.cuda.is_available():
            keep_freed_memory()
        model, data = self._setting("model"), self._setting("data")
        if "auto" in (data.own_labels, model.init_args.get("own_labels")):
            # One list for both, which is kept in the run's config and its checkpoints.
            labels = data.own_labels if data.own_labels != "auto" else self._label_vocabulary()
            data.own_labels = labels
            if model.init_args.get("own_labels") == "auto":
                model.init_args.own_labels = labels
        model_class = pydoc.locate(model.class_path)
        if isinstance(model_class, type) and issubclass(model_class, HandRegressor):
            if not first:
                model.init_args.pretrained = choice.pretrained
            elif self.place is not None and "pretrained" in self.place.state:
                model.init_args.pretrained = self.place.state["pretrained"]
            else:
                model.init_args.pretrained = self._pretraining(model.init_args)
                if self.place is not None:
                    remember(self.place, pretrained=model.init_args.pretrained)
            start = model.init_args.get("start_from")
            if start not in (None, *SHIPPED) and self.subcommand == "fit" and self.resume_point is None:
                model.init_args.start_from = str(find_checkpoint(start, self._setting("runs")))
        if first:
            pretrained = model.init_args.get("pretrained")
            tell_others(Choice(str(self.run_folder), self.resume_point, pretrained), settings.num_nodes)

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Keeps everything in the run folder: CSV and W&B logs, checkpoints, config."""
        settings = self._setting("trainer")
        if settings.logger in (None, True):
            kwargs["logger"] = make_loggers(
                self.run_folder,
                name=f"{self._setting('name')}/{self.run_folder.name}",
                wandb=self._setting("wandb"),
                wandb_project=self._setting("wandb_project"),
                tensorboard=self._setting("tensorboard"),
                wandb_id=self.place.state["wandb_id"] if self.place else None,
                resumed_step=step_of_point(Path(self.resume_point)) if self.resume_point else None,
            )
        kwargs.setdefault("default_root_dir", str(self.run_folder))
        # Lightning extends this list in place.
        extra: list[pl.Callback] = [] if settings.logger is False else [LearningRateMonitor("step")]
        if self.subcommand == "fit":
            extra += [Throughput(settings.log_every_n_steps or 50), *self._pictures()]
        if self._setting("wandb_checkpoints"):
            extra.append(CheckpointArtifact())
        if TRIAL_FOLDER_VARIABLE in os.environ:
            extra.append(TrialReport(self.run_folder))
        if self.subcommand == "test":
            saved = self._setting("save_predictions") or self._setting("submission")
            extra = [TestReport(self.run_folder, self._setting("test_pictures"), saved)]
        if settings.enable_progress_bar is not False:
            # In a log file every update is a line.
            extra.append(ProgressBar(refresh_rate=5 if sys.stderr.isatty() else 100))
        if self.subcommand == "fit" and settings.enable_checkpointing is not False and not settings.fast_dev_run:
            extra.append(
                TrainingGuard(
                    self._setting("data").unreadable_limit, every_n_batches=self._setting("check_loss_every_n_batches")
                )
            )
            extra.append(ResumePoints(self.run_folder / POINTS, self._setting("resume_every_n_steps")))
        if settings.plugins is None:
            kwargs["plugins"] = [DurableCheckpointIO()]
            if SLURMEnvironment.detect() and any(isinstance(callback, ResumePoints) for callback in extra):
                # Lightning would save its own checkpoint in the middle of a step; a resume point is saved between two.
                kwargs["plugins"].append(SLURMEnvironment(auto_requeue=False))
        self.trainer_defaults["callbacks"] = extra
        try:
            return super().instantiate_trainer(**kwargs)
        except UserError:
            raise
        except Exception as error:  # Lightning raises many kinds of errors for words that it does not know
            raise impossible_trainer(error) from error

    def fit(self, model: pl.LightningModule, **kwargs: Any) -> None:
        """Trains, from the checkpoint of an interrupted run if there is one."""
        if self.resume_point is not None:
            kwargs["ckpt_path"] = self.resume_point
            if isinstance(model, HandRegressor):
                # The checkpoint contains their later state, and the files may be gone.
                model.pretrained = model.start_from = None
        check_monitors(self.trainer, model)
        if not self.trainer.limit_val_batches or not self.datamodule.has_validation():
            self._go_without_validation()
        try:
            self.trainer.fit(model, **kwargs)
        except SystemExit as left:
            if not isinstance(left.__context__, KeyboardInterrupt):
                raise
            # A second Ctrl-C, or the first before training began; Lightning turns it into a failure.
            point = newest_point(self.run_folder / POINTS)
            raise KeyboardInterrupt(
                f"the same command continues from {f'step {step_of_point(point)}' if point else 'the beginning'}"
            ) from None

    def after_fit(self) -> None:
        """Marks the run as finished, unless it was interrupted."""
        if self.trainer.interrupted or self._setting("trainer").fast_dev_run or not self.trainer.is_global_zero:
            return
        if TRIAL_FOLDER_VARIABLE in os.environ or "WANDB_SWEEP_ID" in os.environ:
            return  # `latest` and `auto` do not mean a sweep's trial
        checkpoint = self.trainer.checkpoint_callback
        best = getattr(checkpoint, "best_model_path", "")
        score = getattr(checkpoint, "best_model_score", None)
        mark_finished(
            self.run_folder,
            {
                "model": type(self.model).__name__,
                "kinds": [kind.__name__ for kind in type(self.model).__mro__ if issubclass(kind, HandRegressor)],
                "settings": {
                    **encoder_settings(self.model.hparams),
                    "mirror_left": mirrors_left(self.datamodule),
                },
                "checkpoint": os.path.relpath(best, self.run_folder) if best else None,
                "monitor": getattr(checkpoint, "monitor", None),
                "score": None if score is None else float(score),
                "epochs": self.trainer.current_epoch,
                "code": code_version(),
            },
        )
        remove_points(self.run_folder / POINTS)
        rank_zero_info(f"Finished: {self.run_folder}")

    def after_test(self) -> None:
        """Writes the archive for the set's server, if asked for."""
        if self._setting("submission") and self.trainer.is_global_zero:
            write_and_score(self.run_folder, self.datamodule)

    def _go_without_validation(self) -> None:
        """Keeps the last epoch's checkpoint if none can be the best."""
        self.trainer.limit_val_batches = 0
        for callback in self.trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint) and str(callback.monitor).startswith("val/"):
                callback.monitor = None
        rank_zero_warn(
            f"There is no validation (split '{self.datamodule.splits['val']}' of '{self.datamodule.root}'): the last "
            "epoch's checkpoint counts as the best."
        )

    def _check_resume_point(self) -> None:
        if self.resume_point is not None and not Path(self.resume_point).is_file():
            raise UserError(
                f"The run continues from '{self.resume_point}', which is not on this machine: keep runs in a folder "
                "that all machines share (--runs), or copy it here."
            )

    def _dumped(self) -> str:
        parser = self._parser(self.subcommand)
        return parser.dump(self.config[str(self.subcommand)], skip_none=False, skip_validation=True, format="yaml")

    def _setting(self, key: str) -> Any:
        return self.config[str(self.subcommand)][key]

    def _label_vocabulary(self) -> OwnLabels:
        data = self._setting("data")
        sets = [AddedSet(**vars(added)) for added in data.sets or ()]
        module = InterHandDataModule(
            data.root, train_split=data.train_split, mano_fits=data.mano_fits, sets=sets, own_labels="auto"
        )
        return list(module.label_vocabulary())

    def _pretraining(self, settings: Any) -> str | None:
        if self.subcommand != "fit":
            return None
        # An encoder that has seen left hands mirrored does not suit a network that sees them as they are.
        own = encoder_settings(settings) | {"mirror_left": mirrors_left(self._setting("data"))}
        return find_pretraining(settings.pretrained, self._setting("runs"), own)

    def _pictures(self) -> list[pl.Callback]:
        every = self._setting("pictures_every_n_epochs")
        drawn: list[pl.Callback] = [
            GestureConfusion(self.run_folder, every),
            EmbeddingMap(self.run_folder, every_n_epochs=every),
        ]
        if not isinstance(self.model, GesturePretrainer):
            drawn.append(PredictionPictures(self.run_folder, self._setting("val_pictures"), every))
        return drawn


class ProgressBar(TQDMProgressBar):
    """Lightning's bar without the run's version, which is in the folder's name."""

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """The values shown beside the bar."""
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}


def train(words: list[str]) -> None:
    """Runs ``fit``, ``validate`` or ``test``.

    Args:
        words: The command line, the subcommand first. ``--run FOLDER`` (or ``--run latest``) stands for that run's
            config and best checkpoint.
    """
    silence_what_is_meant()
    trusted, words = take_trust(words)
    if not trusted:
        distrust_configs()
    try:
        run_cli(TrainingCLI, expand_configs(expand_run(words, rank_zero_info), rank_zero_info))
    except Stopped as stop:
        if stop.signal == signal.SIGINT:
            raise KeyboardInterrupt from None
        if stop.signal == REQUEUE_SIGNAL:
            requeue()
        sys.exit(_STOPPED)
    except SIGTERMException:
        sys.exit(_STOPPED)
    except SystemExit as left:
        if isinstance(left.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None  # of a test; Lightning turns it into a failure
        raise
    except (RuntimeError, ConnectionError, EOFError) as error:
        mistake = known_failure(error)
        if mistake is None:
            raise
        raise mistake from error
    except MisconfigurationException as error:
        raise impossible_trainer(error) from error
    finally:
        release_locks()
        leave_others()


def run_cli(cli: type[TrainingCLI], words: list[str]) -> TrainingCLI:
    """Runs a command line through the project's LightningCLI or a class derived from it."""
    # ${data.image_size} in a file means that file's key, wherever the parser nests the file (below "fit" or "test").
    jsonargparse.set_parsing_settings(omegaconf_absolute_to_relative_paths=True)
    guard_yaml()
    for name in model_classes().values():
        pydoc.locate(name)  # the parser knows a class by its short name once it is imported
    with wandb_run_finished():
        return cli(
            pl.LightningModule,
            InterHandDataModule,
            subclass_mode_model=True,
            save_config_callback=RunConfig,
            save_config_kwargs={"overwrite": True, "config_filename": CONFIG_FILE},
            seed_everything_default=0,
            trainer_defaults={},
            auto_configure_optimizers=False,
            parser_class=TrainingParser,
            parser_kwargs={"parser_mode": "omegaconf+", "prog": "gesturehand", "allow_abbrev": False},
            args=words,
        )
