"""The command line of training, in this process, on a tiny set."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from faults import fault, faults
from trainings import REPOSITORY, SHORT, exit_code, experiment

from gesturehand.cli.main import main
from gesturehand.inference.checkpoint import find_checkpoint
from gesturehand.runs import finished_runs


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Runs are kept in a folder of each test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")


@pytest.fixture
def command(synthetic_root):
    """Runs a training command on the tiny set and returns its exit code."""

    def run(*words: str) -> int:
        subcommand, *rest = words
        return main([subcommand, *rest, f"--data.root={synthetic_root}"])

    return run


def init_args(run: Path) -> dict:
    return yaml.safe_load((run / "config.yaml").read_text())["model"]["init_args"]


def scored_again_and_summarised(report_file: Path, *words: str) -> dict:
    """The run's summary; the predictions that a test saved must have the errors that it reported."""
    report, saved = json.loads(report_file.read_text()), report_file.with_name("predictions.npz")
    assert main(["evaluate", f"--predictions={saved}", f"--data={report['data']['root']}", *words, "--out=scored"]) == 0
    for name, value in json.loads(Path("scored/report.json").read_text())["metrics"].items():
        assert value == (None if report["metrics"][name] is None else pytest.approx(report["metrics"][name], abs=1e-3))
    assert main(["run", "summary", "--out=table"]) == 0
    summary = json.loads(Path("table/summary.json").read_text())
    assert summary["model"]["mpjpe_mm"] == report["metrics"]["mpjpe_mm"]
    return summary


def test_both_stages_then_a_test_and_a_summary(command, caplog):
    assert command("fit", experiment("demo/pretrain"), *SHORT) == 0
    assert command("fit", experiment("demo/finetune"), *SHORT) == 0
    (finetuned, description), (pretrained, _) = finished_runs("runs")
    assert description["model"] == "TokenFusionRegressor"
    assert init_args(finetuned)["pretrained"] == str(pretrained / "checkpoints" / "best.ckpt")
    assert str(pretrained / "checkpoints" / "best.ckpt") in caplog.text

    assert command("test", "--run=latest", "--test_pictures=2", "--save_predictions=true") == 0
    (metrics_file,) = finetuned.glob("test-*/report.json")
    report = json.loads(metrics_file.read_text())
    assert report["metrics"]["mpjpe_mm"] > 0
    assert len(report["data"]["ids_sha256"]) == 64
    assert report["checkpoint"]["path"] == str(finetuned / "checkpoints" / "best.ckpt")
    for picture in ("predictions", "confusion_fine", "confusion_coarse", "worst", "pck", "per_joint", "per_gesture"):
        assert (metrics_file.parent / f"{picture}.png").stat().st_size > 1000

    summary = scored_again_and_summarised(metrics_file)
    assert set(summary) == {"model", "mean_joints", "mean_pose"}
    assert summary["mean_joints"]["mpvpe_mm"] is None
    assert summary["mean_pose"]["mpvpe_mm"] > 0


def test_real_frames_are_tested_with_a_checkpoint_of_the_open_set(command, real_sample):
    assert command("fit", experiment("demo/finetune"), *SHORT, "--model.init_args.pretrained=none") == 0
    ((folder, _),) = finished_runs("runs")
    words = ["--data.mano_fits=false", "--data.hands=all", "--test_pictures=6"]
    assert main(["test", f"--run={folder}", f"--data.root={real_sample}", *words]) == 0
    (metrics_file,) = folder.glob("test-*/report.json")
    report = json.loads(metrics_file.read_text())
    assert report["data"]["samples"] == 6  # two single hands and two pairs
    assert report["metrics"]["mpjpe_mm"] > 0
    assert report["metrics"]["mpvpe_mm"] is None  # no fits, so no mesh to compare with
    assert (metrics_file.parent / "predictions.png").is_file()

    # The baselines' means are those of the run's training set: the real sample has none.
    assert main(["run", "summary", f"--run={folder}"]) == 0
    summary = json.loads((metrics_file.parent / "summary.json").read_text())
    assert summary["mean_pose"]["mpjpe_mm"] > 0
    assert summary["mean_pose"]["mpvpe_mm"] is None


def test_second_run_leaves_the_first_alone(command):
    for _ in range(2):
        assert command("fit", experiment("demo/pretrain"), *SHORT) == 0
    first, second = (folder for folder, _ in finished_runs("runs"))
    assert first != second
    assert all((folder / "checkpoints" / "best.ckpt").is_file() for folder in (first, second))


def test_override_reaches_values_interpolated_from_it(command):
    assert command("fit", experiment("demo/pretrain"), *SHORT, "--data.gesture_classes=per_hand") == 0
    ((folder, _),) = finished_runs("runs")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["data"]["image_size"] == config["model"]["init_args"]["image_size"] == 64
    assert config["model"]["init_args"]["gesture_classes"] == "per_hand"


def test_unknown_key_is_refused(refusal):
    assert "learning_rat" in refusal("fit", experiment("demo/pretrain"), "--model.init_args.learning_rat=1")


def test_finetune_without_pretraining_names_the_remedy(synthetic_root, refusal):
    message = refusal("fit", experiment("demo/finetune"), *SHORT, f"--data.root={synthetic_root}")
    assert "make pretrain" in message
    assert "PRETRAINED=none" in message


def test_pretraining_of_another_encoder_is_not_taken(command, capsys):
    assert command("fit", experiment("demo/pretrain"), *SHORT) == 0
    assert command("fit", experiment("demo/finetune"), *SHORT, "--model.init_args.backbone=test_resnet.r160_in1k") == 2
    assert "backbone=test_resnet.r160_in1k" in capsys.readouterr().err


def test_both_stages_train_in_bf16(command):
    precision = "--trainer.precision=bf16-mixed"
    assert command("fit", experiment("demo/pretrain"), *SHORT, precision) == 0
    assert command("fit", experiment("demo/finetune"), *SHORT, precision) == 0
    rows = Path(finished_runs("runs")[0][0] / "metrics.csv").read_text().splitlines()
    assert "nan" not in "".join(rows).lower()


def test_validate_prints_the_metrics_of_a_run(command, capsys):
    assert command("fit", experiment("demo/finetune"), *SHORT, "--model.init_args.pretrained=none") == 0
    ((folder, _),) = finished_runs("runs")
    assert main(["validate", f"--run={folder}"]) == 0
    assert "val/mpjpe_mm" in capsys.readouterr().out
    assert list(folder.glob("validate-*/config.yaml"))


def test_finetune_from_scratch(command):
    assert command("fit", experiment("demo/finetune"), *SHORT, "--model.init_args.pretrained=none") == 0
    ((folder, _),) = finished_runs("runs")
    assert init_args(folder)["pretrained"] is None


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--data.root=nowhere"], "nowhere"),
        (["--model.init_args.backbone=resnet_of_nobody"], "resnet_of_nobody"),
        (["--data.train_subset=list.txt"], "list.txt"),
    ],
)
def test_mistake_is_one_sentence_and_exit_code_two(synthetic_root, refusal, words, named):
    assert named in refusal("fit", experiment("demo/pretrain"), *SHORT, f"--data.root={synthetic_root}", *words)


def test_missing_image_in_a_worker_is_one_sentence(tmp_path, synthetic_root, refusal):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "annotations").symlink_to(synthetic_root / "annotations")
    words = [*SHORT, f"--data.root={tmp_path / 'set'}", "--data.num_workers=1"]
    message = refusal("fit", experiment("demo/pretrain"), *words)
    assert message.startswith("gesturehand: The image '")
    assert "complete the download" in message


@pytest.mark.parametrize("path", sorted((REPOSITORY / "experiments").glob("[!s]*/*.yaml")), ids=lambda path: path.stem)
def test_experiments_parse(path, capsys):
    assert exit_code(["fit", f"--config={path}", "--print_config"]) == 0
    assert "class_path: gesturehand." in capsys.readouterr().out


def test_long_names_of_classes_still_work(tmp_path, capsys):
    short, long = "gesturehand.GesturePretrainer", "gesturehand.trainers.gesture_pretrainer.GesturePretrainer"
    text = Path(experiment("demo/pretrain").removeprefix("--config=")).read_text()
    outputs = {}
    for name in (short, long):
        (tmp_path / "config.yaml").write_text(text.replace(short, name))
        assert exit_code(["fit", f"--config={tmp_path / 'config.yaml'}", "--print_config"]) == 0
        outputs[name] = capsys.readouterr().out
    assert f"class_path: {short}\n" in outputs[short]
    assert outputs[long].replace(long, short) == outputs[short]


def test_a_training_starts_from_the_network_of_a_run(command, caplog):
    start = "--model.init_args.start_from=latest"
    words = [experiment("demo/finetune"), *SHORT, "--model.init_args.pretrained=none"]
    assert command("fit", *words) == 0
    assert command("fit", *words, start, "--name=further") == 0
    (further, _), (run, _) = finished_runs("runs")
    assert init_args(further)["start_from"] == str(run / "checkpoints" / "best.ckpt")
    assert f"starts from the weights '{run / 'checkpoints' / 'best.ckpt'}'" in caplog.text


def test_eanet_from_its_own_pretraining_to_a_summary(two_hand_root, refusal):
    """Two-hand frames from the first stage to the table: pictures, the report, and saved predictions scored again."""
    small = [*SHORT, f"--data.root={two_hand_root}"]
    assert main(["fit", experiment("demo/pretrain"), *small]) == 0
    words = [experiment("demo/eanet"), *small, "--model.init_args.width=32", "--model.init_args.depth=1"]
    assert "mirror_left=False" in refusal("fit", *words), "a pretraining that saw left hands mirrored is not EANet's"
    assert main(["fit", experiment("demo/eanet_pretrain"), *small]) == 0
    assert main(["fit", *words]) == 0
    (finetuned, description), (pretrained, _), _ = finished_runs("runs")
    assert description["model"] == "EANetRegressor"
    assert init_args(finetuned)["pretrained"] == str(pretrained / "checkpoints" / "best.ckpt")

    assert main(["test", "--run=latest", "--test_pictures=3", "--save_predictions=true"]) == 0
    (report_file,) = finetuned.glob("test-*/report.json")
    report = json.loads(report_file.read_text())
    for name in ("mpjpe_mm", "mpjpe_eanet_single_mm", "mpjpe_eanet_interacting_mm", "mrrpe_mm"):
        assert report["metrics"][name] > 0
        assert name in report["protocols"]
    for picture in ("predictions", "worst", "pck", "per_joint", "per_gesture"):
        assert (report_file.parent / f"{picture}.png").stat().st_size > 1000
    assert not (report_file.parent / "confusion_fine.png").exists(), "EANet as published predicts no gesture"

    summary = scored_again_and_summarised(report_file, "--hands=all", "--layout=two_hand")
    assert summary["mean_pose"]["mpvpe_mm"] > 0


NO_VALIDATION = "nothing to validate on"


def without_split(root: Path, copy: Path) -> None:
    shutil.copytree(root, copy)
    shutil.rmtree(copy / "annotations" / "val")


def empty_split(root: Path, copy: Path) -> None:
    shutil.copytree(root, copy)
    for path in (copy / "annotations" / "val").glob("*.json"):
        empty = {"images": [], "annotations": []} if path.stem.endswith("_data") else {}
        path.write_text(json.dumps(empty))


@pytest.mark.parametrize(
    ("change", "word"),
    faults(
        NO_VALIDATION,
        "trains, and says that it does not validate",
        (
            ("no folder of the split", without_split, "--val_pictures=8"),
            ("a split without images", empty_split, "--val_pictures=8"),
            ("limit_val_batches=0", shutil.copytree, "--trainer.limit_val_batches=0"),
        ),
    ),
)
def test_fit_without_validation(synthetic_root, tmp_path, change, word):
    change(synthetic_root, tmp_path / "set")
    words = [experiment("demo/finetune"), *SHORT, f"--data.root={tmp_path / 'set'}"]
    with pytest.warns(UserWarning, match="There is no validation .* the last epoch's checkpoint counts as the best"):
        assert main(["fit", *words, "--model.init_args.pretrained=none", word]) == 0
    best = find_checkpoint("latest")
    content = torch.load(best, weights_only=True)
    assert content["global_step"] == 2, "the last step"


@fault(NO_VALIDATION, "another split that is not there", "refused, because it was asked for")
def test_a_chosen_split_must_exist(synthetic_root, refusal):
    words = [f"--data.root={synthetic_root}", "--model.init_args.pretrained=none", "--data.val_split=vall"]
    assert "vall" in refusal("fit", experiment("demo/finetune"), *SHORT, *words)


@fault("names of backbones", "timm/ before the name", "the same backbone, also for the hand-over")
def test_backbone_with_the_hubs_prefix(command):
    assert command("fit", experiment("demo/pretrain"), *SHORT) == 0
    assert command("fit", experiment("demo/finetune"), *SHORT, "--model.init_args.backbone=timm/test_resnet") == 0
    (_, finetuned), (_, pretrained) = finished_runs("runs")
    assert finetuned["settings"]["backbone"] == pretrained["settings"]["backbone"] == "test_resnet"
