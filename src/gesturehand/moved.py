"""Old names of modules, so that configurations, checkpoints and programs that use them still work."""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

_PACKAGE: Final = "gesturehand."
#: By a module's old name, the modules that hold its contents now, all of them within the package.
MOVED: Final[dict[str, str]] = {
    "ablation.curve": "ablation.job",
    "ablation.plot": "ablation.report",
    "ablation.prepare": "ablation.schedule",
    "ablation.sizes": "ablation.grid",
    "ablation.table": "ablation.report ablation.results",
    "app.visits": "app.answers",
    "callbacks.embedding_map": "callbacks.validation_pictures",
    "callbacks.gesture_confusion": "callbacks.validation_pictures",
    "callbacks.media": "callbacks.validation_pictures",
    "callbacks.prediction_pictures": "callbacks.validation_pictures",
    "checkpoints.durable_file": "file_writing",
    "cli.config_trust": "cli.training.config_trust",
    "cli.expand_run": "cli.training.preflight",
    "cli.experiment_files": "cli.experiments",
    "cli.function_command": "cli.parser",
    "cli.loggers": "cli.training.loggers",
    "cli.metrics_csv": "cli.training.loggers",
    "cli.pack": "cli.data",
    "cli.pretraining": "runs",
    "cli.resume": "cli.training.resume cli.training.process",
    "cli.run_keys": "cli.training.parser",
    "cli.synth_photo": "cli.data",
    "cli.training.expand_run": "cli.training.preflight",
    "cli.training.first_process": "cli.training.process",
    "cli.training.metrics_csv": "cli.training.loggers",
    "cli.training.monitors": "cli.training.trainer_limits",
    "cli.training.pretraining": "runs",
    "cli.training.requeue": "cli.training.process",
    "cli.training.run_keys": "cli.training.parser",
    "cli.training.submission": "cli.submission",
    "cli.training.wandb_logger": "cli.training.loggers",
    "cli.yaml_guard": "cli.parser",
    "data.annotation_reader": "data.annotation_entries",
    "data.annotation_types": "data.annotation_entries",
    "data.batch_augmentation": "data.appearance",
    "data.bone_lengths": "data.plausibility",
    "data.controls": "data.selection",
    "data.file_names": "data.index",
    "data.formats.packed": "data.formats.registry",
    "data.formats.published_files": "data.formats.set_format",
    "data.formats.set_columns": "data.formats.set_format",
    "data.heif_image": "data.image_file",
    "data.index_problems": "data.check",
    "data.resumable_loader": "data.loading",
    "data.sampler": "data.loading",
    "data.upright": "data.crop",
    "data.verify_shards": "data.check",
    "data.worker": "data.loading",
    "detection.pyramid": "detection.views",
    "detection.same_hand": "detection.detector",
    "device_constants": "fewer_operations",
    "doctor.extras": "doctor.versions",
    "draw.annotated_crops": "draw.data_set",
    "draw.annotations": "draw.data_set",
    "draw.confusion": "draw.charts",
    "draw.embedding": "draw.charts",
    "draw.error_charts": "draw.charts",
    "draw.frames": "draw.data_set",
    "draw.learning_curves": "draw.charts",
    "draw.mesh": "draw.hands",
    "draw.panels": "draw.charts",
    "draw.prediction": "draw.hands",
    "draw.skeleton": "draw.hands draw.style",
    "draw.sweep": "draw.charts",
    "evaluation.baselines": "evaluation.summary",
    "evaluation.conventions": "evaluation.score",
    "evaluation.embedding": "callbacks.validation_pictures",
    "evaluation.gather": "evaluation.sample_errors",
    "evaluation.origin": "evaluation.report",
    "evaluation.prediction_writer": "evaluation.predictions",
    "evaluation.report_markdown": "evaluation.report",
    "evaluation.run_tables": "evaluation.run_comparison",
    "evaluation.set_table": "evaluation.set_statistics",
    "evaluation.test_report": "callbacks.evaluation_report",
    "file_lock": "file_writing",
    "hand.joint_definition": "hand.conventions",
    "hand.mirror": "hand.load",
    "hand.open_hand": "hand.load",
    "hand.pose_form": "hand.conventions",
    "hand.transform": "hand.layer",
    "inference.exif": "inference.query",
    "inference.export_check": "inference.export_file",
    "inference.mesh_files": "inference.output_files",
    "inference.one_euro": "inference.smoothing",
    "inference.result_json": "inference.result",
    "inference.shipped": "checkpoints.trained_weights",
    "inference.streams": "inference.sources",
    "inference.traced_hand_model": "inference.export_model",
    "inference.translation": "camera",
    "json_files": "text_file",
    "metrics.functional.alignment": "metrics.alignment",
    "metrics.functional.distance": "metrics.alignment",
    "metrics.functional.fscore": "metrics.fscore",
    "metrics.functional.hand_group": "metrics.protocol",
    "metrics.functional.joint_error": "metrics.mpjpe",
    "metrics.functional.mpjpe": "metrics.mpjpe",
    "metrics.functional.mpvpe": "metrics.mpvpe",
    "metrics.functional.mrrpe": "metrics.mrrpe",
    "metrics.functional.pck": "metrics.pck",
    "metrics.functional.precision": "metrics.checks",
    "metrics.functional.protocol": "metrics.protocol metrics.checks",
    "metrics.functional.shape": "metrics.checks",
    "metrics.functional.vertex_error": "metrics.mpvpe",
    "metrics.metric_dict": "metrics.sum_metric",
    "metrics.precision": "metrics.checks",
    "metrics.step_value": "metrics.objective",
    "models.ea_block": "models.eanet",
    "models.eanet_head": "models.eanet",
    "models.fuse_former": "models.eanet",
    "models.gesture_attention": "models.eanet",
    "models.joined_linear": "fewer_operations",
    "models.joint_cast": "fewer_operations",
    "models.joint_volume": "models.hand_prediction",
    "models.mano_head": "models.token_fusion models.hand_prediction",
    "models.token_fusion_network": "models.token_fusion",
    "models.tokens": "models.token_fusion",
    "own_data.annotations": "own_data.interhand_files",
    "own_data.card": "own_data.convert",
    "own_data.columns": "own_data.table",
    "own_data.image_names": "own_data.rows",
    "own_data.label_map": "own_data.entries",
    "own_data.row": "own_data.rows",
    "own_data.splits": "own_data.convert",
    "sweeps.command": "sweeps.sweep_file",
    "sweeps.parameters": "sweeps.sweep_file",
    "sweeps.preflight": "sweeps.trial_process",
    "synthetic.annotations": "synthetic.interhand_files",
    "synthetic.data_card": "synthetic.writer synthetic.set_writer",
    "synthetic.frame_writer": "synthetic.writer synthetic.set_writer",
    "synthetic.limb": "synthetic.arm",
    "synthetic.mano_pose": "synthetic.articulation",
    "synthetic.photo.card": "synthetic.photo.writer",
    "synthetic.photo.photographs": "synthetic.photo.plan",
    "synthetic.photo.poses": "synthetic.photo.pose_sampling",
    "synthetic.photo.settings": "synthetic.photo.plan",
    "synthetic.photo.solids": "synthetic.photo.surroundings",
    "synthetic.pool": "synthetic.set_writer",
    "synthetic.posed_hand": "synthetic.articulation",
    "synthetic.poses": "synthetic.articulation",
    "synthetic.posing": "synthetic.articulation",
    "synthetic.seeds": "synthetic.plan",
    "synthetic.settings": "synthetic.plan",
    "synthetic.splits": "splits",
    "synthetic.storage": "synthetic.set_writer",
    "synthetic.subjects": "synthetic.sequence",
    "synthetic.surface": "synthetic.render",
    "trainers.model_settings": "trainers.training_stage",
    "translation": "camera",
    "unit_vectors": "fewer_operations",
    "yaml_text": "text_file",
}


class OldModules(MetaPathFinder, Loader):
    """Finds the old modules: each is empty and looks names up in the new ones."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The old module of that name, if there is one."""
        return ModuleSpec(fullname, self) if fullname.removeprefix(_PACKAGE) in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        """Gives the module the names of the new ones, which are imported when one is asked for."""
        homes = MOVED[module.__name__.removeprefix(_PACKAGE)].split()

        def get(name: str) -> Any:
            if not name.startswith("__"):
                for home in homes:
                    found = importlib.import_module(_PACKAGE + home)
                    if hasattr(found, name):
                        return getattr(found, name)
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        module.__getattr__ = get  # type: ignore[method-assign]


def find_old_modules() -> None:
    """Lets Python find the old modules, after all existing ones."""
    if not any(isinstance(finder, OldModules) for finder in sys.meta_path):
        sys.meta_path.append(OldModules())
