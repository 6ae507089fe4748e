"""InterHand2.6M's files, in which the open sets and imported data are written too."""

from pathlib import Path

from gesturehand.data.files import KINDS, annotation_path, check_root, file_state
from gesturehand.data.formats.set_format import SetFormat, Sources
from gesturehand.data.index_build import Columns, build_columns
from gesturehand.splits import in_usual_order


class InterHandFormat(SetFormat):
    """``annotations/{split}/InterHand2.6M_{split}_*.json`` and ``images/{split}/``; splits may have any name."""

    name = "interhand"
    title = "InterHand2.6M"
    sign = "annotations/ and images/"

    def recognises(self, root: Path) -> bool:
        return any(root.glob("annotations/*/InterHand2.6M_*_data.json"))

    def check_root(self, root: Path) -> None:
        check_root(root)

    def splits(self, root: Path) -> list[str]:
        check_root(root)
        folders = [path.name for path in (root / "annotations").iterdir() if path.is_dir()]
        there = [name for name in folders if annotation_path(root, name, "data").is_file()]
        return in_usual_order(there)

    def has_split(self, root: Path, split: str) -> bool:
        return annotation_path(root, split, "data").parent.is_dir()

    def sources(self, root: Path, split: str, *, mano_fits: bool) -> Sources:
        check_root(root)
        kinds = [kind for kind in KINDS if mano_fits or kind != "MANO_NeuralAnnot"]
        return {kind: list(file_state(annotation_path(root, split, kind), kind)) for kind in kinds}

    def build(self, root: Path, split: str, *, mano_fits: bool = True, progress: bool = True) -> Columns:
        return build_columns(root, split, mano_fits=mano_fits, progress=progress)

    def image_folder(self, root: Path, split: str) -> Path:
        return root / "images" / split

    def index_path(self, root: Path, split: str) -> Path:
        return annotation_path(root, split, "data").with_name(f"InterHand2.6M_{split}_index.safetensors")
