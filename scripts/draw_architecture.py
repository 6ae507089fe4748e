"""Draws both stages of the method from the networks themselves.

    python scripts/draw_architecture.py docs/images/architecture.svg docs/images/architecture.png

Both networks are built with the paper's settings and run once. Names, classes, shapes and arrows are recorded during
the run: a module has its attribute's name, and an arrow is a tensor that one module returned and another received. Only
the places in the picture are written here, so a module that is added, renamed or no longer used ends the script with an
error.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from torch import Tensor, nn

from gesturehand.draw.style import BLUE, GREEN, GREY, INK, LIGHT, ORANGE, PURPLE, SKY, VERMILION, chart
from gesturehand.errors import UserError
from gesturehand.gestures import class_names
from gesturehand.hand.layer import HandModel
from gesturehand.losses import LAYERS
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

BATCH = 2
#: Middles of the boxes, by stage and module; the first stage is above the second.
PLACES = {
    "stage 1": {"encoder": (2.6, 6.3), "gesture_head": (5.6, 6.3)},
    "stage 2": {
        "encoder": (2.6, 2.6),
        "gesture_head": (5.6, 3.7),
        "joint_volume": (5.6, 1.5),
        "gesture_tokens": (8.6, 3.7),
        "joint_tokens": (8.6, 1.5),
        "token_fusion": (11.4, 2.6),
        "mano_head": (14.2, 2.6),
        "hand_model": (17.0, 2.6),
    },
}
#: Corners of the arrows that do not go straight from one box to the next.
CORNERS = {
    ("encoder", "joint_tokens"): ((2.9, 0.62), (8.6, 0.62)),
    ("encoder", "mano_head"): ((2.3, 0.2), (14.2, 0.2)),
}
COLOURS = {
    "encoder": SKY,
    "gesture_head": GREEN,
    "gesture_tokens": GREEN,
    "joint_volume": ORANGE,
    "joint_tokens": ORANGE,
    "token_fusion": BLUE,
    "mano_head": PURPLE,
    "hand_model": VERMILION,
}
WIDTH, HEIGHT = 2.3, 1.25
IMAGE_WIDTH = 0.95


class Called(NamedTuple):
    """A module that a network called.

    Attributes:
        kind: Name of its class.
        outputs: Shape of every tensor that it returned, by the field's name; "" for a lone tensor.
        sources: Modules and fields from which its input tensors come.
    """

    kind: str
    outputs: dict[str, tuple[int, ...]]
    sources: list[tuple[str, str]]


def trace(network: nn.Module, *inputs: Tensor) -> dict[str, Called]:
    """Runs a network and records its direct children's calls, with their inputs and outputs."""
    called: dict[str, Called] = {}
    makers: dict[int, tuple[str, str]] = {}
    kept: list[Any] = []  # memory that was freed could be used again, and be mistaken for the previous tensor

    def note(name: str, module: nn.Module) -> Any:
        def hook(given: tuple[Any, ...], returned: Any) -> None:
            kept.append((given, returned))
            found = [makers[_storage(tensor)] for _, tensor in _tensors(given) if _storage(tensor) in makers]
            outputs = dict(_tensors(returned))
            called[name] = Called(
                type(module).__name__,
                {field: tuple(tensor.shape) for field, tensor in outputs.items()},
                list(dict.fromkeys(found)),
            )
            makers.update({_storage(tensor): (name, field) for field, tensor in outputs.items()})

        return hook

    # Networks pose a hand model by a method that is not its forward.
    methods = {
        name: (child, "about_wrist" if isinstance(child, HandModel) else "forward")
        for name, child in network.named_children()
    }
    for name, (child, method) in methods.items():
        setattr(child, method, _noted(getattr(child, method), note(name, child)))
    try:
        with torch.no_grad():
            network.eval()(*inputs)
    finally:
        for child, method in methods.values():
            delattr(child, method)
    return called


def _noted(method: Callable[..., Any], hook: Callable[..., None]) -> Callable[..., Any]:
    def noted(*given: Any, **named: Any) -> Any:
        returned = method(*given, **named)
        hook(given, returned)
        return returned

    return noted


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Tensors in a tuple, NamedTuple or dictionary, by the innermost field's name."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _tensors(part, key)
    elif isinstance(value, tuple | list):
        names = getattr(value, "_fields", None) or ([""] if len(value) == 1 else range(len(value)))
        for key, part in zip(names, value, strict=True):
            yield from _tensors(part, str(key))


def trace_stages(**settings: Any) -> dict[str, dict[str, Called]]:
    """Both stages, built from their defaults, which are the paper's, or from other settings."""
    size = settings.get("image_size", 256)
    image = torch.zeros(BATCH, 3, size, size, dtype=torch.uint8)
    return {
        "stage 1": trace(GesturePretrainer(**settings), image),
        "stage 2": trace(TokenFusionRegressor(**settings).network, image, torch.ones(BATCH, 1, dtype=torch.bool)),
    }


def check_places(stages: Mapping[str, Mapping[str, Called]]) -> None:
    """Compares the modules that were called with those that have a place.

    Raises:
        UserError: A module has no place, or a place no module.
    """
    for stage, called in stages.items():
        if called.keys() != PLACES[stage].keys():
            different = sorted(called.keys() ^ PLACES[stage].keys())
            raise UserError(f"{', '.join(different)} of {stage}: give PLACES in {__file__} the modules of the network.")


def draw(axis: Axes, stages: Mapping[str, Mapping[str, Called]], image_size: int) -> None:
    """Draws both stages with the tensors between their modules and their training losses."""
    check_places(stages)
    axis.set(xlim=(0.1, 20.4), ylim=(-0.05, 8.0))
    axis.set_aspect("equal")
    axis.axis("off")
    for stage, called in stages.items():
        places = PLACES[stage]
        _image(axis, (0.75, places["encoder"][1]), image_size)
        _arrow(axis, [(0.75 + IMAGE_WIDTH / 2, places["encoder"][1]), _side(places["encoder"], "left")])
        for name, module in called.items():
            _box(axis, name, module, places[name])
            for source, field in dict(module.sources).items():
                _connect(axis, source, field, name, places)
    _hand_over(axis)
    classes = f"{len(class_names('coarse'))} coarse, {len(class_names('fine'))} fine gestures"
    _heading(axis, 7.75, "Stage 1: GesturePretrainer", f"learns an embedding from {classes}")
    _heading(axis, 4.95, "Stage 2: TokenFusionRegressor", "gesture tokens guide joint tokens to MANO", 7.4)
    _losses(
        axis,
        (8.2, 6.3),
        {"gesture": ("coarse", "fine", "hierarchy")},
        _side(PLACES["stage 1"]["gesture_head"], "right"),
    )
    _losses(axis, (18.75, 2.6), LAYERS, _side(PLACES["stage 2"]["hand_model"], "right"))


def _heading(axis: Axes, height: float, title: str, text: str, left: float = 0.27) -> None:
    axis.text(left, height, title, fontsize=11, fontweight="bold", va="center")
    axis.text(left, height - 0.33, text, fontsize=8.5, color=GREY, va="center")


def _image(axis: Axes, place: tuple[float, float], size: int) -> None:
    half = IMAGE_WIDTH / 2
    axis.add_patch(
        FancyBboxPatch(
            (place[0] - half, place[1] - half),
            IMAGE_WIDTH,
            IMAGE_WIDTH,
            "round,pad=0,rounding_size=0.08",
            fc=LIGHT,
            ec=GREY,
        )
    )
    axis.text(*place, f"image\nB × 3 ×\n{size} × {size}", ha="center", va="center", fontsize=7)


def _box(axis: Axes, name: str, module: Called, place: tuple[float, float]) -> None:
    left, bottom = place[0] - WIDTH / 2, place[1] - HEIGHT / 2
    for alpha, fill in ((0.16, True), (1.0, False)):
        axis.add_patch(
            FancyBboxPatch(
                (left, bottom),
                WIDTH,
                HEIGHT,
                "round,pad=0,rounding_size=0.12",
                facecolor=COLOURS[name] if fill else "none",
                edgecolor="none" if fill else COLOURS[name],
                alpha=alpha,
                linewidth=1.6,
            )
        )
    axis.text(
        place[0], place[1] + 0.4, name, ha="center", va="center", fontsize=8.5, fontweight="bold", family="monospace"
    )
    axis.text(place[0], place[1] + 0.16, module.kind, ha="center", va="center", fontsize=7, color=GREY)
    lines = [f"{_word(field)}{_shape(shape)}" for field, shape in module.outputs.items()]
    axis.text(place[0], place[1] - 0.27, "\n".join(lines), ha="center", va="center", fontsize=6.2, linespacing=1.15)


def _word(field: str) -> str:
    """The field's name, if it is not just a number."""
    return "" if field == "" or field.isdigit() else f"{field}: "


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(["B", *map(str, shape[1:])])


def _side(place: tuple[float, float], side: str) -> tuple[float, float]:
    x, y = place
    return {
        "left": (x - WIDTH / 2, y),
        "right": (x + WIDTH / 2, y),
        "top": (x, y + HEIGHT / 2),
        "bottom": (x, y - HEIGHT / 2),
    }[side]


def _connect(axis: Axes, source: str, field: str, target: str, places: Mapping[str, tuple[float, float]]) -> None:
    corners = CORNERS.get((source, target))
    if corners:
        start = (corners[0][0], _side(places[source], "bottom")[1])
        _arrow(axis, [start, *corners, _side(places[target], "bottom")])
        axis.text(corners[0][0] + 0.9, corners[0][1] + 0.1, field, fontsize=6.5, color=GREY, ha="left")
        return
    start, end = _side(places[source], "right"), _side(places[target], "left")
    _arrow(axis, [start, end])
    rise = (end[1] > start[1]) - (end[1] < start[1])
    if _word(field) and rise:
        axis.text(start[0] + 0.36, start[1] + 0.24 * rise, field, fontsize=6.5, color=GREY, va="center")


def _arrow(axis: Axes, points: list[tuple[float, float]], colour: str = INK, line: str = "-") -> None:
    for start, end in itertools.pairwise(points[:-1]):
        axis.plot(*zip(start, end, strict=True), line, color=colour, linewidth=1.1, solid_capstyle="round")
    axis.add_patch(
        FancyArrowPatch(
            points[-2],
            points[-1],
            arrowstyle="-|>",
            mutation_scale=9,
            color=colour,
            linewidth=1.1,
            linestyle=line,
            shrinkA=0,
            shrinkB=0,
        )
    )


def _hand_over(axis: Axes) -> None:
    """The weights that the second stage starts from."""
    first, second = PLACES["stage 1"], PLACES["stage 2"]
    for name, module in first.items():
        if name in second:
            _arrow(axis, [_side(module, "bottom"), _side(second[name], "top")], VERMILION, "--")
    x, y = first["gesture_head"]
    axis.text(x + 0.12, y - 0.95, "hand_over: weights", fontsize=7, color=VERMILION, va="center")


def _losses(
    axis: Axes, place: tuple[float, float], layers: Mapping[str, tuple[str, ...]], start: tuple[float, float]
) -> None:
    """The terms of an objective beside the arrow that leads to them, one line for each layer."""
    _arrow(axis, [start, (place[0] - 0.12, place[1])])
    height = place[1] + 0.21 * sum(1 + len(terms) for terms in layers.values()) / 2 - 0.1
    for layer, terms in layers.items():
        for number, text in enumerate((layer, *terms)):
            weight, indent = ("bold", 0.0) if number == 0 else ("normal", 0.14)
            axis.text(place[0] + indent, height, text, fontsize=7, fontweight=weight, va="center", family="monospace")
            height -= 0.21


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path, help="files to write, .svg or .png")
    arguments = parser.parse_args()
    stages = trace_stages()
    for path in arguments.pictures:
        # The same network gives the same file.
        with mpl.rc_context({"svg.hashsalt": "architecture"}), chart(path, figsize=(13.6, 5.5)) as (_, (axis,)):
            draw(axis, stages, 256)


if __name__ == "__main__":
    main()
