"""Imports inside the package point down: from what is used by few to what is used by many."""

import ast
from pathlib import Path

import pytest

import gesturehand

ROOT = Path(gesturehand.__file__).parent
#: Layers from the ground up; modules of one layer may import each other.
LAYERS = (
    {"skeleton", "gestures", "camera", "batch", "errors", "settings", "yaml_text"},
    {"hand"},
    {"data"},
    {"checkpoints"},
    {"synthetic", "own_data"},
    {"models"},
    {"targets", "losses"},
    {"metrics"},
    {"trainers"},
    {"draw"},
    {"runs", "evaluation", "callbacks", "sweeps"},
    {"inference"},
    {"ablation"},
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
    forbidden = ("smplx", "torch", "gesturehand.models", "gesturehand.trainers", "gesturehand.hand.layer")
    for name in imported(path):
        assert not name.startswith(forbidden), f"{path} imports {name}"


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
