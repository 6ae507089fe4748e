"""``gesturehand evaluate``: scores saved predictions without a model."""

from pathlib import Path
from typing import Literal

from gesturehand.cli.console import say
from gesturehand.data.selection import Hands, Layout
from gesturehand.settings import ExistingPath
from gesturehand.skeleton import Tips


def evaluate(
    predictions: ExistingPath,
    data: ExistingPath,
    split: str = "test",
    hands: Hands = "single",
    layout: Layout = "per_hand",
    subset: ExistingPath | None = None,
    boxes: Literal["joints", "annotation"] = "joints",
    mano_fits: bool = True,
    mano: ExistingPath | None = None,
    tips: Tips = "eanet",
    out: str | None = None,
    batch_size: int = 64,
    format: str | None = None,
) -> None:
    """Scores any project's saved predictions under this library's protocols, without a model.

    Args:
        predictions: .npz with ids (N,), joints (N, H, 21, 3) m and, if there are meshes, vertices (N, H, V, 3) m, in
            the frame of the original image's camera; docs/evaluation.md has the details.
        data: The set's folder; images are not read.
        split: Split that was predicted.
        hands: Which annotations: single, right, left, interacting or all.
        layout: One hand per sample, or both.
        subset: List of annotation ids or image file names that were predicted.
        boxes: Where the crops came from, joints or annotation; only noted in the report.
        mano_fits: Read the MANO fits; without them the mesh metrics are left out.
        mano: MANO's file or folder to which fits and meshes belong; the open hand if not given.
        tips: Fingertip vertices of meshes: eanet, smplx or interhand.
        out: Folder for the report; "<predictions without .npz>-evaluation" if not given.
        batch_size: Samples at a time.
        format: The set's format; recognised by its files if not given.
    """
    # PyTorch and Lightning take seconds to load, and help should appear at once.
    from gesturehand.data.datamodule import InterHandDataModule
    from gesturehand.evaluation.report import MARKDOWN_FILE, write_report
    from gesturehand.evaluation.score import score_predictions
    from gesturehand.hand.layer import HandModel

    module = InterHandDataModule(
        data,
        image_size=8,
        batch_size=batch_size,
        num_workers=0,
        hands=hands,
        layout=layout,
        mirror_left=False,
        boxes=boxes,
        mano_fits=mano_fits,
        test_split=split,
        test_subset=subset,
        augment=False,
        read_images=False,
        format=format,
    )
    report = score_predictions(predictions, module, HandModel(mano, tips))
    folder = Path(out) if out else Path(predictions).with_name(f"{Path(predictions).stem}-evaluation")
    write_report(folder, report)
    for name, value in report["metrics"].items():
        text = "–" if value is None else f"{value:.3f}"
        protocol = report["protocols"].get(name, "")
        say(f"{name:<28} {text:>9}  {protocol}")
    if "remark" in report:
        say(report["remark"], aside=True)
    say(f"Written to {folder / MARKDOWN_FILE}")
