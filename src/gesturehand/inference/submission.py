"""The archive that FreiHAND's and HO-3D's servers take: written from a test's predictions, checked, and scored.

``pred.zip`` holds ``pred.json`` alone: a list of the joints (N × 21 × 3) and a list of the vertices (N × V × 3) of all
evaluation images in their order, metres. Joints are in the set's order; HO-3D's coordinates are OpenGL's. Source:
``pred.py`` and ``eval.py`` of github.com/lmb-freiburg/freihand and github.com/shreyashampali/ho3d.
"""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import numpy as np
from tqdm import tqdm

from gesturehand.camera import solve_translation
from gesturehand.data.formats.ho3d import EVALUATION_IMAGES, OPENGL, Ho3dFormat
from gesturehand.data.formats.registry import annotated_format, format_of
from gesturehand.data.formats.set_format import SetFormat, read_json_array
from gesturehand.data.index import read_index
from gesturehand.data.plausibility import better_order, bone_ratios, in_words, is_hand
from gesturehand.errors import UserError
from gesturehand.evaluation.predictions import SavedPredictions, read_predictions, rows_of_ids
from gesturehand.evaluation.published_scores import published_scores
from gesturehand.file_writing import new_file
from gesturehand.hand.conventions import NUM_MANO_VERTICES
from gesturehand.skeleton import JOINTS_FROM_MANO_AND_TIPS, MIDDLE_MCP, NUM_JOINTS, WRIST

#: The only file in the archive.
PREDICTION_FILE: Final = "pred.json"
_SPLIT: Final = "test"
#: A micrometre; predictions of hands are not known that well.
_DECIMALS: Final = 6
_NEAR_ORIGIN_M: Final = 1e-6
#: The position of a hand that could not be placed by its pixels.
_NOWHERE_M: Final = (0.0, 0.0, 0.6)


@dataclass(frozen=True)
class SubmissionForm:
    """The requirements of a set's server.

    Attributes:
        title: The set.
        count: Evaluation images.
        order: (21,) the papers' joint at each of the set's places.
        axes: (3, 3) from the camera's frame (x right, y down, z forward) to the set's.
    """

    title: str
    count: int
    order: tuple[int, ...]
    axes: np.ndarray

    def place_of(self, joint: int) -> int:
        """The set's place of one of the papers' joints."""
        return self.order.index(joint)


_MANO_ORDER: Final = tuple(np.argsort(JOINTS_FROM_MANO_AND_TIPS).tolist())
#: By name of the format.
SUBMISSIONS: Final = {
    "freihand": SubmissionForm("FreiHAND", 3960, tuple(range(NUM_JOINTS)), np.eye(3)),
    "ho3d_v2": SubmissionForm("HO-3D v2", EVALUATION_IMAGES[2], _MANO_ORDER, OPENGL),
    "ho3d_v3": SubmissionForm("HO-3D v3", EVALUATION_IMAGES[3], _MANO_ORDER, OPENGL),
}


@dataclass(frozen=True)
class Submission:
    """The content of an archive, in the set's order and frame.

    Attributes:
        joints: (N, 21, 3) float32 m.
        vertices: (N, V, 3) float32 m.
    """

    joints: np.ndarray
    vertices: np.ndarray


def submission_form(set_format: str) -> SubmissionForm:
    """The requirements of the server for a format's set.

    Raises:
        UserError: The set has no server that takes archives.
    """
    if set_format not in SUBMISSIONS:
        raise UserError(f"There is no archive to submit for {set_format}: choose one of {', '.join(SUBMISSIONS)}.")
    return SUBMISSIONS[set_format]


def write_submission(
    predictions: str | Path, root: str | Path, out: Path, set_format: str | None = None, *, progress: bool = True
) -> int:
    """Writes the archive of saved predictions of a set's evaluation images.

    HO-3D gives the wrists' places, so hands are put there; in others they are put where their joints project to the
    predicted pixels (``joints_2d``). A server's numbers after alignment do not depend on it.

    Args:
        predictions: The file (:mod:`gesturehand.evaluation.predictions`), with vertices.
        root: The set.
        out: The ``.zip`` to write.
        set_format: Name of its format; None: it is recognised.
        progress: Show a bar.

    Returns:
        The number of hands.

    Raises:
        UserError: Predictions are missing, or without vertices, or nothing says where the hands are.
    """
    known = annotated_format(format_of(root, set_format))
    form = submission_form(known.name)
    saved = read_predictions(predictions)
    if saved.vertices is None:
        raise UserError(f"'{predictions}' has no vertices, which {form.title}'s server requires: save them too.")
    index = read_index(root, _SPLIT, mano_fits=False, set_format=known.name)
    rows = rows_of_ids(saved, index.annotation_id, predictions)
    joints, vertices = saved.joints[rows, 0].astype(np.float64), saved.vertices[rows, 0].astype(np.float64)
    if not np.isfinite(joints).all() or not np.isfinite(vertices).all():
        raise UserError(f"'{predictions}' has numbers that are not finite: predict these images again.")
    place = _places(known, Path(root), saved, rows, joints, index.intrinsics[index.camera], predictions)[:, None]
    joints = (joints + place)[:, list(form.order)] @ form.axes.T
    vertices = (vertices + place) @ form.axes.T
    with (
        new_file(out) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(PREDICTION_FILE, "w", force_zip64=True) as file,
    ):
        _write_json(file, (joints, vertices), progress)
    return len(joints)


def _places(
    known: SetFormat,
    root: Path,
    saved: SavedPredictions,
    rows: np.ndarray,
    joints: np.ndarray,
    intrinsics: np.ndarray,
    path: str | Path,
) -> np.ndarray:
    """(N, 3) m, the translation of hands to their places in the camera's frame."""
    if isinstance(known, Ho3dFormat):
        return np.asarray(known.wrists(root, _SPLIT) - joints[:, WRIST])
    if saved.joints_2d is not None:
        place = solve_translation(joints, saved.joints_2d[rows, 0], intrinsics)
        return np.where(np.isnan(place), np.array(_NOWHERE_M), place)
    if (np.linalg.norm(joints[:, WRIST], axis=-1) > _NEAR_ORIGIN_M).all():
        return np.zeros((len(joints), 3))
    raise UserError(
        f"'{path}' has hands relative to their wrists and no joints_2d that say where they are: save the predictions "
        "again with `gesturehand test --save_predictions true`, or give joints in the camera's frame."
    )


def _write_json(file: IO[bytes], arrays: tuple[np.ndarray, ...], progress: bool) -> None:
    """Writes arrays as lists one hand at a time: all of them as Python's numbers would take gigabytes."""
    bar = tqdm(total=sum(map(len, arrays)), desc=PREDICTION_FILE, unit="list", disable=not progress)
    with bar:
        for number, array in enumerate(arrays):
            file.write(b"[[" if not number else b", [")
            for row, values in enumerate(array):
                file.write((", " if row else "").encode() + json.dumps(values.round(_DECIMALS).tolist()).encode())
                bar.update()
            file.write(b"]")
        file.write(b"]")


def read_submission(archive: str | Path, form: SubmissionForm, count: int | None = None) -> Submission:
    """Reads an archive, and checks for everything that the server's code would stumble over or misread.

    Args:
        archive: The ``.zip``.
        form: The server's requirements.
        count: Number of hands; None: the set's.

    Raises:
        UserError: It is not an archive of ``pred.json`` alone, this is not two lists of as many hands, a hand has
            another shape, or is not finite, in another unit, order or frame.
    """
    content = _content(Path(archive))
    try:
        lists = msgspec.json.decode(content, type=list[list[msgspec.Raw]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            f"{PREDICTION_FILE} in '{archive}' is not two lists, of joints and of vertices ({error}): write it again."
        ) from None
    wanted = form.count if count is None else count
    if len(lists) != 2 or any(len(hands) != wanted for hands in lists):
        found = " and ".join(f"{len(hands):,}" for hands in lists)
        raise UserError(
            f"{PREDICTION_FILE} in '{archive}' has lists of {found or 'no'} hands, and {form.title} wants two of "
            f"{wanted:,}: predict its evaluation images, all of them and no others."
        )
    joints = _array(lists[0], "joints", NUM_JOINTS, archive)
    vertices = _array(lists[1], "vertices", None, archive)
    _check_hands(joints, vertices, form, archive)
    return Submission(joints, vertices)


def remark_on(submission: Submission) -> str | None:
    """A sentence on numbers that the server will not measure, if there are any."""
    found = submission.vertices.shape[1]
    if found == NUM_MANO_VERTICES:
        return None
    return f"Meshes have {found} vertices, MANO's {NUM_MANO_VERTICES}: mesh errors will not be measured."


def score_submission(
    archive: str | Path, root: str | Path, set_format: str | None = None, *, progress: bool = True
) -> dict[str, float]:
    """The server's numbers, which take the set's evaluation annotations.

    Args:
        archive: The ``.zip``.
        root: The set, with ``evaluation_xyz.json`` and ``evaluation_verts.json``.
        set_format: Name of its format; None: it is recognised.
        progress: Show a bar.

    Raises:
        UserError: As for :func:`read_submission`; or the annotations are missing.
    """
    known = annotated_format(format_of(root, set_format))
    form = submission_form(known.name)
    true_joints = read_json_array(Path(root) / "evaluation_xyz.json", (NUM_JOINTS, 3), known.title)
    true_vertices = read_json_array(Path(root) / "evaluation_verts.json", (-1, 3), known.title)
    submission = read_submission(archive, form, len(true_joints))
    is_ho3d = isinstance(known, Ho3dFormat)
    return published_scores(
        submission.joints,
        submission.vertices,
        true_joints,
        true_vertices,
        wrist_and_knuckle=(form.place_of(WRIST), form.place_of(MIDDLE_MCP)) if is_ho3d else None,
        progress=progress,
    )


def _content(archive: Path) -> bytes:
    try:
        with zipfile.ZipFile(archive) as file:
            names = file.namelist()
            if names != [PREDICTION_FILE]:
                raise UserError(
                    f"'{archive}' holds {', '.join(names[:5]) or 'nothing'} and should hold {PREDICTION_FILE} alone: "
                    f"make it with `zip -j pred.zip {PREDICTION_FILE}`."
                )
            return file.read(PREDICTION_FILE)
    except OSError as error:
        raise UserError(f"'{archive}' cannot be read ({error.strerror or error}): check the path.") from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError) as error:
        raise UserError(f"'{archive}' is not a complete .zip archive ({error}): write it again.") from None


def _array(hands: list[msgspec.Raw], name: str, points: int | None, archive: str | Path) -> np.ndarray:
    """(N, P, 3) float32; P is that of the first hand if not given."""
    read = msgspec.json.Decoder(list[tuple[float, float, float]]).decode
    rows: list[Any] = []
    for number, raw in enumerate(hands):
        try:
            rows.append(np.array(read(raw), np.float32))
        except (msgspec.DecodeError, OverflowError) as error:
            raise UserError(
                f"The {name} of hand {number} in '{archive}' are not points ({error}): write it again."
            ) from None
        points = points or len(rows[0])
        if len(rows[-1]) != points:
            raise UserError(
                f"Hand {number} in '{archive}' has {len(rows[-1])} {name} and should have {points}: write it again."
            )
    return np.stack(rows)


def _check_hands(joints: np.ndarray, vertices: np.ndarray, form: SubmissionForm, archive: str | Path) -> None:
    for name, array in (("joints", joints), ("vertices", vertices)):
        broken = np.flatnonzero(~np.isfinite(array).all((1, 2)))
        if len(broken):
            raise UserError(f"The {name} of hand {broken[0]} in '{archive}' are not finite: predict it again.")
    everything = np.ones(joints.shape[:2], bool)
    papers = joints[:, [form.place_of(joint) for joint in range(NUM_JOINTS)]]
    scale = float(np.nanmedian(bone_ratios(papers, everything)))
    if not is_hand(scale):
        raise UserError(f"The hands in '{archive}' are {in_words(scale)} long: give metres.")
    depth = (joints.mean(1) @ form.axes)[:, 2]
    behind = int((depth <= 0).sum())
    if behind:
        frame = (
            "OpenGL's frame (y up, hands at negative z)" if form.axes[2, 2] < 0 else "the camera's frame (z forward)"
        )
        raise UserError(
            f"{behind:,} of {len(depth):,} hands in '{archive}' lie behind the camera: {form.title} wants {frame}."
        )
    order = better_order(papers, everything)
    if order is not None:
        raise UserError(
            f"The joints in '{archive}' are not in {form.title}'s order; read in it, their bones are those of hands in "
            f"{order}: put them into its order."
        )
