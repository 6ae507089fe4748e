"""Every mistake that a user can make with the data ends in one sentence that names what is wrong."""

import shutil
from pathlib import Path

import pytest
from refusals import refused

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.errors import UserError


def load_a_batch(root: Path, workers: int = 0, **settings) -> None:
    data = InterHandDataModule(str(root), image_size=64, batch_size=4, num_workers=workers, **settings)
    data.setup("validate")
    next(iter(data.val_dataloader()))


def file_of(root: Path, kind: str) -> Path:
    return root / "annotations" / "val" / f"InterHand2.6M_val_{kind}.json"


def first_image(root: Path) -> Path:
    return min((root / "images" / "val").rglob("*.jpg"))


def remove(path: Path) -> Path:
    path.unlink()
    return path


def truncate(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:1000])
    return path


def overwrite(path: Path) -> Path:
    path.write_text("this is not an image", encoding="utf-8")
    return path


@pytest.fixture
def root(tmp_path, synthetic_root):
    copy = tmp_path / "set"
    for folder in ("annotations", "images"):
        shutil.copytree(synthetic_root / folder / "val", copy / folder / "val")
    return copy


#: Mistake, and what the sentence tells to do.
MISTAKES = {
    "no data file": (lambda root: remove(file_of(root, "data")), "download"),
    "no camera file": (lambda root: remove(file_of(root, "camera")), "download"),
    "no joints file": (lambda root: remove(file_of(root, "joint_3d")), "download"),
    "no fits file": (lambda root: remove(file_of(root, "MANO_NeuralAnnot")), "--data.mano_fits=false"),
    "half a file": (lambda root: truncate(file_of(root, "joint_3d")), "download it again"),
}


def test_correct_set_loads(root):
    load_a_batch(root)


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_mistakes_in_the_annotations(root, mistake):
    make, remedy = MISTAKES[mistake]
    wrong = make(root)
    with refused(wrong, remedy):
        load_a_batch(root)


@pytest.mark.parametrize(
    ("make", "says", "workers"),
    [(remove, "is missing", 0), (overwrite, "is not a readable image", 0), (remove, "is missing", 1)],
)
def test_images_that_cannot_be_read(root, make, says, workers):
    for image in (root / "images" / "val").rglob("*.jpg"):
        make(image)
    with pytest.raises(UserError) as caught:
        load_a_batch(root, workers)
    # A worker process puts its traceback in front of the sentence.
    sentence = str(caught.value).splitlines()[-1]
    assert f"The image '{root}/images/val/" in sentence
    assert says in sentence
    assert "complete the download" in sentence
    assert workers or "\n" not in str(caught.value)


def test_wrong_folders(root, tmp_path):
    with pytest.raises(UserError, match=r"does not exist: pass InterHand2\.6M's folder"):
        load_a_batch(tmp_path / "nowhere")
    with pytest.raises(UserError, match=f"did you mean '{root}'"):
        load_a_batch(root / "annotations")
    with pytest.raises(UserError, match=f"did you mean '{root}'"):
        load_a_batch(tmp_path)


def test_wrong_split_and_empty_choice(root):
    with pytest.raises(UserError, match="choose a split that is there"):
        load_a_batch(root, val_split="test")
    with pytest.raises(UserError, match="loosen one of these settings"):
        load_a_batch(root, hands="interacting")
