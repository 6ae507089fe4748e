"""Imports inside the package point down, and nothing is used that only some operating systems have."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from trainings import SHORT, experiment

import gesturehand

ROOT = Path(gesturehand.__file__).parent
#: Layers from the ground up; modules of one layer may import each other.
LAYERS = (
    {
        "skeleton",
        "gestures",
        "camera",
        "batch",
        "fewer_operations",
        "precision",
        "splits",
        "errors",
        "settings",
        "cores",
        "lazy_names",
    }
    | {"moved", "suggestions", "extras", "file_writing", "markdown", "text_file", "wandb_server"},
    {"cluster"},
    {"hand"},
    {"data"},
    {"detection"},
    {"checkpoints", "runs"},
    {"synthetic", "own_data"},
    {"models"},
    {"targets", "losses"},
    {"metrics"},
    {"trainers"},
    {"draw"},
    {"evaluation", "callbacks", "sweeps"},
    {"inference"},
    {"ablation"},
    {"app"},
    {"doctor"},
    {"cli"},
)
FLOOR = {name: number for number, names in enumerate(LAYERS) for name in names}
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Dotted names of everything a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def parts_of(path: Path) -> str:
    """The layer's name that a file belongs to."""
    return path.parts[0] if len(path.parts) > 1 else path.stem


def test_every_module_has_a_layer():
    unknown = {parts_of(path) for path in MODULES} - FLOOR.keys() - {"__init__", "assets"}
    assert unknown == set(), "give the new part a place in LAYERS"
    assert len(MODULES) > 50


@pytest.mark.parametrize("path", [path for path in MODULES if parts_of(path) in FLOOR], ids=str)
def test_imports_point_down(path):
    own = FLOOR[parts_of(path)]
    for name in imported(path):
        library, *inside = name.split(".")
        if library == "gesturehand" and inside[0] in FLOOR:
            assert FLOOR[inside[0]] <= own, f"{path} imports {name}, which lies above it"


@pytest.mark.parametrize("path", [path for path in MODULES if parts_of(path) == "synthetic"], ids=str)
def test_the_synthetic_set_is_made_without_what_it_tests(path):
    """Its meshes must not come from the layer, the networks or the targets that are checked against them."""
    forbidden = ("smplx", "torch", "gesturehand.models", "gesturehand.trainers")
    forbidden += ("gesturehand.hand.layer", "gesturehand.hand.skinning_layer")
    for name in imported(path):
        assert not name.startswith(forbidden), f"{path} imports {name}"


def test_one_place_knows_of_the_pool():
    """Everything that runs in other processes or on other machines goes through the package ``cluster``."""
    pools = ("distributed", "dask", "dask_jobqueue", "concurrent.futures.ProcessPoolExecutor", "multiprocessing.Pool")
    users = {parts_of(path) for path in MODULES if any(name.startswith(pools) for name in imported(path))}
    assert users == {"cluster"}


def test_contributing_lists_the_layers_in_order():
    document = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = document.partition("| place in `src/gesturehand/` | what |\n")[2].partition("\n\n")[0]
    rows = [set(re.findall(r"`(\w+)(?:\.py|/)`", row.split("|")[1])) for row in table.splitlines()[1:]]
    assert rows == list(LAYERS)


def test_ground_floor_uses_no_training_library():
    for path in MODULES:
        if parts_of(path) in LAYERS[0] | LAYERS[1]:
            assert not any(name.split(".")[0] in {"pytorch_lightning", "timm", "wandb"} for name in imported(path)), (
                path
            )


def test_the_check_sees_imports():
    names = imported(Path("targets.py"))
    assert "gesturehand.hand.layer.HandModel" in names
    assert "torch" in names


#: Run in a separate process, in which smplx cannot be imported; its licence is non-commercial.
WITHOUT_SMPLX = """
import sys
from pathlib import Path

sys.modules["smplx"] = None
from gesturehand.cli.main import main


def run(*words):
    assert main(list(words)) == 0, words


"""


def run_without_smplx(program: str, folder: Path) -> None:
    """Runs a program after :data:`WITHOUT_SMPLX` in a folder."""
    environment = {**os.environ, "WANDB_MODE": "disabled", "PYTHONPATH": str(ROOT.parent), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SMPLX + program], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_open_hand_is_posed_without_smplx(tmp_path):
    run_without_smplx(
        """
import torch
from gesturehand.hand.layer import HandModel
import gesturehand.inference, gesturehand.trainers.eanet_regressor, gesturehand.cli.train

vertices, _ = HandModel()(torch.eye(3).expand(1, 16, 3, 3), torch.zeros(1, 10), None, torch.tensor([True]))
assert vertices.shape == (1, 1609, 3)
try:
    import smplx
except ImportError:
    sys.exit(0)
sys.exit("smplx could be imported")
""",
        tmp_path,
    )


@pytest.mark.slow
def test_every_command_works_on_the_open_hand_without_smplx(tmp_path):
    run_without_smplx(
        f"""
tiny = {[*SHORT, "--data.root=set"]!r}
run("data", "synth", "--out=set", "--subjects=[2,1,1]", "--frames=[16,8,8]", "--views=1", "--processes=1")
run("fit", "{experiment("demo/pretrain")}", *tiny)
run("fit", "{experiment("demo/finetune")}", *tiny)
run("fit", "{experiment("demo/eanet")}", *tiny, "--model.init_args.pretrained=none")
run("test", "--run=latest", "--save_predictions=true")
run("run", "summary", "--run=latest")
image = next(Path("set/images/test").rglob("*.jpg"))
run("predict", str(image), "--checkpoint=latest", "--output=out", "--box=100,60,200,200", "--hand=right")
run("export", "--checkpoint=latest", "--format=pt2", "--out=model.pt2", "--data=set")
""",
        tmp_path,
    )


# Nothing that only one system has is used without a check of the system: a type checker reads the code for each.


REPOSITORY = Path(__file__).parents[1]


def missing_on(platform: str, source: Path, cache: Path) -> list[str]:
    """Uses of the standard library that mypy finds missing on a system; its other findings are ignored."""
    options = ["--config-file=", "--follow-imports=skip", "--ignore-missing-imports", f"--cache-dir={cache}"]
    words = [sys.executable, "-m", "mypy", f"--platform={platform}", *options, str(source)]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    assert "Found" in done.stdout or "Success" in done.stdout, done.stderr
    return [line for line in done.stdout.splitlines() if "Module has no attribute" in line]


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["win32", "darwin", "linux"])
def test_the_package_uses_what_the_system_has(platform, tmp_path):
    assert missing_on(platform, REPOSITORY / "src" / "gesturehand", tmp_path) == []


@pytest.mark.slow
def test_the_check_sees_what_is_missing(tmp_path):
    (tmp_path / "a.py").write_text("import os, signal\nos.killpg(1, signal.SIGTERM)\nsignal.sigwaitinfo({1})\n")
    assert len(missing_on("win32", tmp_path / "a.py", tmp_path)) == 2
    assert len(missing_on("darwin", tmp_path / "a.py", tmp_path)) == 1
