"""The geometry of targets: joints, meshes and masks, against independent computations on the synthetic set's files."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from faults import fault
from scipy.spatial.transform import Rotation

from gesturehand.batch import Batch, HandPrediction
from gesturehand.camera import px_to_normalised, weak_perspective
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.files import annotation_path
from gesturehand.draw.hands import draw_mesh
from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.losses import TERMS, layered_objective
from gesturehand.metrics.hand_metrics import HandMetrics
from gesturehand.skeleton import JOINT_PARENTS
from gesturehand.synthetic.set_writer import mask_path
from gesturehand.targets import build_targets, with_training_targets

SIZE = 128
MIRROR = np.diag([-1.0, 1.0, 1.0])


def batch_of(root: Path, stage="val", **settings) -> Batch:
    """All samples of a stage in one batch."""
    settings = {"image_size": SIZE, "batch_size": 1000, "num_workers": 0, "augment": False, **settings}
    (batch,) = InterHandDataModule(str(root), **settings).evaluation_dataloader(stage)
    return batch


#: Plain crops, crops that are turned and scaled, and left hands shown as they are.
CROPS = {
    "plain": {},
    "augmented": {"augment": True, "rotation_probability": 1.0, "shift_jitter": 0.1},
    "left as left": {"mirror_left": False},
    "flipped": {"mirror_left": False, "augment": True, "flip_probability": 1.0},
}


@pytest.fixture(params=list(CROPS))
def batch(request, synthetic_root) -> Batch:
    # Only training samples are augmented.
    return batch_of(synthetic_root, "train", **CROPS[request.param])


def crop_frame(affine: np.ndarray) -> np.ndarray:
    """The crop's effect on the camera's axes, from the angle and the mirroring of its map."""
    linear = affine[:, :2] / np.linalg.norm(affine[:, 0])
    frame = np.eye(3)
    frame[:2, :2] = linear
    return frame


def posed_in_the_world(batch: Batch, number: int, slot: int, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and 16 joints of a fit as in the file, float64: pose plus mean pose, skinned in the world."""
    data = open_hand(side)
    pose = batch["mano_pose"][number, slot].double().numpy()
    vectors = np.concatenate([pose[:3], pose[3:] + data.hands_mean]).reshape(16, 3)
    rotations = Rotation.from_rotvec(vectors).as_matrix()[None]
    betas = batch["mano_betas"][number, slot].double().numpy()[None]
    vertices, joints = skin(data, rotations, betas, batch["mano_trans"][number, slot].double().numpy()[None])
    return vertices[0], joints[0]


def to_crop_frame(points: np.ndarray, batch: Batch, number: int) -> np.ndarray:
    rotation, translation = (batch[f"camera_{name}"][number].double().numpy() for name in ("rotation", "translation"))
    frame = crop_frame(batch["crop_affine"][number].double().numpy())
    return np.array([frame @ (rotation @ point + translation) for point in points])


def source_side(batch: Batch, number: int, slot: int = 0) -> str:
    mirrored = np.linalg.det(batch["crop_affine"][number, :, :2].numpy()) < 0
    return "right" if bool(batch["is_right"][number, slot]) != mirrored else "left"


def test_rest_root_is_off_the_origin(synthetic_root, rest_joints):
    """The conversions below prove nothing with a model that rotates about the origin."""
    betas = batch_of(synthetic_root)["mano_betas"][:, 0].double().numpy()
    assert np.linalg.norm(rest_joints(open_hand("right"), betas)[:, 0], axis=-1).min() > 0.05


def test_fits_follow_their_mesh_into_the_crop(batch, hand_model):
    """Parameters and mesh agree after world → camera → crop, to 1e-5 m over all vertices, for both hands."""
    targets = build_targets(batch, hand_model)
    fitted = batch["mano_valid"].nonzero().tolist()
    assert len(fitted) > 50
    for number, slot in fitted[::4]:
        side = source_side(batch, number)
        vertices, joints = posed_in_the_world(batch, number, slot, side)
        expected = to_crop_frame(vertices, batch, number)
        np.testing.assert_allclose(targets["vertices"][number, slot], expected, atol=1e-5)
        wrist = to_crop_frame(joints[:1], batch, number)[0]
        np.testing.assert_allclose(targets["joints_mano"][number, slot, 0], wrist, atol=1e-5)
        # The parameters give that mesh when they pose and place the model of the visible side.
        shown = "right" if batch["is_right"][number, slot] else "left"
        again, _ = skin(
            open_hand(shown),
            *(targets[name][number, slot].double().numpy()[None] for name in ("rotations", "betas", "transl")),
        )
        np.testing.assert_allclose(again[0], expected, atol=1e-5)


def test_sides_before_and_after_the_crop(batch, hand_model):
    targets = build_targets(batch, hand_model)
    for number in range(len(batch["is_right"])):
        assert targets["source_is_right"][number, 0] == (source_side(batch, number) == "right")


def test_annotated_joints_in_the_crop(batch, hand_model):
    """3D joints in the crop's frame, their places in the crop and their depths, one joint at a time."""
    targets = build_targets(batch, hand_model)
    for number in range(0, len(batch["image"]), 5):
        joints = to_crop_frame(batch["joints_world"][number, 0].double().numpy(), batch, number)
        np.testing.assert_allclose(targets["joints"][number, 0], joints, atol=2e-6)
        rotation, translation = (
            batch[f"camera_{name}"][number].double().numpy() for name in ("rotation", "translation")
        )
        for j in range(21):
            if not batch["joint_valid_frame"][number, 0, j]:
                continue
            seen = rotation @ batch["joints_world"][number, 0, j].double().numpy() + translation
            u, v, w = batch["intrinsics"][number].double().numpy() @ seen
            px = batch["crop_affine"][number].double().numpy() @ [u / w, v / w, 1]
            expected = (px + 0.5) / SIZE * 2 - 1
            np.testing.assert_allclose(targets["joints_2d"][number, 0, j], expected, atol=1e-4)
            np.testing.assert_allclose(targets["joints_25d"][number, 0, j, :2], expected, atol=1e-4)
            depth = (joints[j, 2] - joints[0, 2]) / 0.15
            np.testing.assert_allclose(targets["joints_25d"][number, 0, j, 2], depth, atol=1e-4)


def test_crops_intrinsics_project_every_target_over_the_image(batch, hand_model):
    targets = build_targets(batch, hand_model)
    image = targets["joints"] @ targets["crop_intrinsics"][:, None].mT
    px = image[..., :2] / image[..., 2:]
    valid = targets["joint_valid_2d"]
    torch.testing.assert_close(px_to_normalised(px, SIZE)[valid], targets["joints_2d"][valid], atol=1e-3, rtol=0)


def test_crops_frame_has_the_images_axes(batch, hand_model):
    """Points to the right in the crop's frame lie to the right in the crop, and points below lie below."""
    targets = build_targets(batch, hand_model)
    relative = targets["joints"] - targets["joints"][..., :1, :]
    camera = torch.tensor([[[1.0, 0, 0]]]).expand(len(relative), 1, 3)
    flat = weak_perspective(relative, camera)
    shown = targets["joints_2d"] - targets["joints_2d"][..., :1, :]
    valid = targets["joint_valid_3d"].all(-1)[:, 0]
    for one, other in zip(flat[valid, 0], shown[valid, 0], strict=True):
        for axis in range(2):
            assert np.corrcoef(one[:, axis], other[:, axis])[0, 1] > 0.95


def silhouette(vertices: np.ndarray, faces: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Pixels at least half covered by the projected triangles, which are filled eight times finer and averaged."""
    finer = 8
    image = vertices @ intrinsics.T
    px = image[:, :2] / image[:, 2:]
    corners = np.round(((px + 0.5) * finer - 0.5) * 16).astype(np.int32)[faces]
    canvas = np.zeros((SIZE * finer, SIZE * finer), np.uint8)
    for triangle in corners:
        cv2.fillConvexPoly(canvas, triangle, 1, cv2.LINE_8, 4)
    return canvas.reshape(SIZE, finer, SIZE, finer).mean((1, 3)) >= 0.5


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


def test_mesh_covers_the_hands_mask(batch, hand_model, synthetic_root, plain_files):
    """The fit's mesh, drawn through the crop, against the renderer's mask, which is warped like the image."""
    targets = build_targets(batch, hand_model)
    checked = []
    for number in batch["mano_valid"][:, 0].nonzero()[::6, 0].tolist():
        name = plain_files[int(batch["annotation_id"][number])]
        mask = cv2.imread(str(mask_path(synthetic_root, "train", name)), cv2.IMREAD_GRAYSCALE)
        assert mask is not None
        assert mask.any()
        affine = batch["crop_affine"][number].double().numpy()
        warped = cv2.warpAffine((mask > 0).astype(np.float32), affine, (SIZE, SIZE)) >= 0.5
        inside = cv2.warpAffine(np.ones(mask.shape, np.float32), affine, (SIZE, SIZE)) > 0.99
        vertices = targets["vertices"][number, 0].double().numpy()
        faces = hand_model.faces[0 if batch["is_right"][number, 0] else 1].numpy()
        intrinsics = targets["crop_intrinsics"][number].double().numpy()
        drawn = silhouette(vertices, faces, intrinsics)
        checked.append(iou(drawn & inside, warped & inside))
        picture = batch["image"][number].permute(1, 2, 0).numpy()
        _, by_the_drawer = draw_mesh(picture, vertices, faces, intrinsics)
        checked.append(iou(by_the_drawer & inside, warped & inside))
    assert len(checked) > 20
    assert min(checked) > 0.95


@pytest.fixture(scope="module")
def plain_files(synthetic_root) -> dict[int, str]:
    """File name of each image of the training split, by annotation id."""
    data = json.loads(annotation_path(synthetic_root, "train", "data").read_text(encoding="utf-8"))
    names = {image["id"]: image["file_name"] for image in data["images"]}
    return {entry["id"]: names[entry["image_id"]] for entry in data["annotations"]}


# A whole set in the mirror: images, cameras, joints and fits, so that every left hand becomes a right one.


def mirrored_world(content, kind):
    """Changes one annotation file into that of the mirrored world, in place; lengths are as in the file."""
    sides = {"right": "left", "left": "right", "interacting": "interacting"}
    if kind == "data":
        widths = {image["id"]: image["width"] for image in content["images"]}
        for image in content["images"]:
            image["file_name"] = str(Path(image["file_name"]).with_suffix(".png"))
        for entry in content["annotations"]:
            entry["hand_type"] = sides[entry["hand_type"]]
            entry["joint_valid"] = entry["joint_valid"][21:] + entry["joint_valid"][:21]
            x, _, width, _ = entry["bbox"]
            entry["bbox"][0] = widths[entry["image_id"]] - 1 - (x + width)
    for capture in content.values() if kind != "data" else ():
        if kind == "camera":
            for name in capture["campos"]:
                capture["campos"][name][0] *= -1
                capture["camrot"][name] = (MIRROR @ np.array(capture["camrot"][name]) @ MIRROR).tolist()
            continue
        for frame in capture.values():
            if kind == "joint_3d":
                frame["hand_type"] = sides[frame["hand_type"]]
                for field in ("world_coord", "joint_valid"):
                    frame[field] = frame[field][21:] + frame[field][:21]
                frame["world_coord"] = [[-x, y, z] for x, y, z in frame["world_coord"]]
            elif frame:
                frame["right"], frame["left"] = frame.get("left"), frame.get("right")
                for fit in frame.values():
                    if fit:
                        fit["pose"] = (np.reshape(fit["pose"], (16, 3)) * [1, -1, -1]).ravel().tolist()
                        fit["trans"][0] *= -1
    return content


@pytest.fixture(scope="module")
def mirrored_root(synthetic_root, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("mirrored")
    contents = {
        kind: json.loads(annotation_path(synthetic_root, "val", kind).read_text(encoding="utf-8"))
        for kind in ("data", "camera", "joint_3d", "MANO_NeuralAnnot")
    }
    widths = {}
    for image in contents["data"]["images"]:
        picture = cv2.imread(str(synthetic_root / "images" / "val" / image["file_name"]))
        target = (root / "images" / "val" / image["file_name"]).with_suffix(".png")
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), np.ascontiguousarray(picture[:, ::-1]))
        widths[str(image["capture"]), image["camera"]] = image["width"]
    for capture, cameras in contents["camera"].items():
        for name, principal in cameras["princpt"].items():
            if (capture, name) in widths:
                principal[0] = widths[capture, name] - 1 - principal[0]
    for kind, content in contents.items():
        path = annotation_path(root, "val", kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(mirrored_world(content, kind)), encoding="utf-8")
    return root


@pytest.mark.parametrize("boxes", ["joints", "annotation"])
def test_left_hand_and_its_mirrored_right_hand_have_the_same_targets(synthetic_root, mirrored_root, hand_model, boxes):
    left = batch_of(synthetic_root, hands="left", boxes=boxes)
    right = batch_of(mirrored_root, hands="right", boxes=boxes)
    assert left["annotation_id"].tolist() == right["annotation_id"].tolist()
    assert len(left["annotation_id"]) > 5
    assert left["mano_valid"].any()
    # The pixels of JPEG and PNG are the same; a mirrored map rounds its bilinear weights a little differently.
    assert (left["image"].int() - right["image"].int()).abs().max() <= 8
    assert torch.equal(left["is_right"], right["is_right"])
    one, other = build_targets(left, hand_model), build_targets(right, hand_model)
    assert not one.pop("source_is_right").any()
    assert other.pop("source_is_right").all()
    for name, value in one.items():
        if value.dtype == torch.bool:
            assert torch.equal(value, other[name]), name
        elif name in ("joints", "joints_2d", "joints_25d"):
            valid = one["joint_valid_2d"]
            torch.testing.assert_close(value[valid], other[name][valid], atol=1e-4, rtol=0, msg=name)
        elif name in ("crop_intrinsics", "depth_known"):
            torch.testing.assert_close(value, other[name], atol=1e-2, rtol=1e-5, msg=name)
        elif name == "relative_translation":
            assert not value.any(), "one hand has no other wrist"
        else:
            fitted = one["mano_valid"]
            torch.testing.assert_close(value[fitted], other[name][fitted], atol=5e-6, rtol=0, msg=name)


def prediction_near(targets, hand_model, is_right, seed=0) -> HandPrediction:
    """The fits plus random rotations and shapes, relative to the wrist, as a network would give them."""
    rng = np.random.default_rng(seed)
    shape = targets["rotations"].shape[:-2]
    noise = Rotation.from_rotvec(rng.normal(0, 0.2, (*shape, 3)).reshape(-1, 3)).as_matrix().reshape(*shape, 3, 3)
    rotations = targets["rotations"] @ torch.from_numpy(noise).float()
    betas = targets["betas"] + 0.3
    return hand_from(rotations, betas, hand_model, is_right)


def hand_from(rotations, betas, hand_model, is_right) -> HandPrediction:
    vertices, joints = hand_model(rotations, betas, None, is_right)
    wrist = joints[..., :1, :]
    camera = torch.ones(*is_right.shape, 3)
    return HandPrediction(
        joints_25d=torch.zeros_like(joints),
        rotations=rotations,
        betas=betas,
        camera=camera,
        vertices=vertices - wrist,
        joints=joints - wrist,
        joints_2d=weak_perspective(joints - wrist, camera),
    )


def errors(prediction, batch, hand_model) -> dict[str, float]:
    metrics = HandMetrics()
    metrics.update(prediction, build_targets(batch, hand_model), batch, hand_model)
    return {name: float(value) for name, value in metrics.compute().items()}


def test_left_hand_and_its_mirrored_right_hand_have_the_same_errors(synthetic_root, mirrored_root, hand_model):
    """The same hand shown as a left one, shown as a right one, and recorded as a right one."""
    as_left = batch_of(synthetic_root, hands="left", mirror_left=False)
    as_right = batch_of(synthetic_root, hands="left")
    recorded = batch_of(mirrored_root, hands="right")
    prediction = prediction_near(build_targets(as_right, hand_model), hand_model, as_right["is_right"])
    mirror = torch.from_numpy(MIRROR).float()
    of_left = hand_from(mirror @ prediction["rotations"] @ mirror, prediction["betas"], hand_model, as_left["is_right"])
    torch.testing.assert_close(of_left["vertices"], prediction["vertices"] @ mirror, atol=1e-6, rtol=0)
    expected = errors(prediction, as_right, hand_model)
    assert all(value > 1 for value in expected.values())
    for other in (errors(of_left, as_left, hand_model), errors(prediction, recorded, hand_model)):
        assert other == pytest.approx(expected, abs=1e-3)


# Masks.


def changed(batch: Batch, **fields) -> Batch:
    return {**{name: value.clone() for name, value in batch.items()}, **fields}


VALIDITY = ("joint_valid_2d", "joint_valid_3d", "joint_valid_25d", "joint_valid_eval", "mano_valid", "betas_valid")


def test_everything_is_valid_if_the_files_say_so(synthetic_root, hand_model):
    batch = batch_of(synthetic_root)
    targets = build_targets(batch, hand_model)
    complete = (batch["joint_valid_frame"] & batch["joint_valid_image"]).all(-1) & batch["mano_valid"]
    assert complete.any()
    for name in VALIDITY:
        assert targets[name][complete].all(), name


@pytest.mark.parametrize("reason", ["counted", "hand_present"])
def test_samples_that_do_not_count_are_masked_everywhere(synthetic_root, hand_model, reason):
    batch = batch_of(synthetic_root)
    counts = torch.arange(len(batch["counted"])) % 2 == 0
    flag = counts if reason == "counted" else counts[:, None]
    before = build_targets(batch, hand_model)
    targets = build_targets(changed(batch, **{reason: flag}), hand_model)
    for name in VALIDITY:
        assert not targets[name][~counts].any(), name
        assert torch.equal(targets[name][counts], before[name][counts]), name


def test_each_mask_comes_from_its_flag(synthetic_root, hand_model):
    """The per-frame flag decides on 2D and 3D targets; 2.5D targets and evaluation need the per-image flag too."""
    batch = batch_of(synthetic_root)
    rng = torch.Generator().manual_seed(0)
    shape = batch["joint_valid_frame"].shape
    in_frame, in_image = (torch.rand(shape, generator=rng) < 0.5 for _ in range(2))
    targets = build_targets(changed(batch, joint_valid_frame=in_frame, joint_valid_image=in_image), hand_model)
    for b in range(shape[0]):
        for j in range(21):
            frame, image = bool(in_frame[b, 0, j]), bool(in_image[b, 0, j])
            frame_root, both_root = bool(in_frame[b, 0, 0]), bool((in_frame & in_image)[b, 0, 0])
            both = frame and image
            inside = bool((targets["joints_2d"][b, 0, j].abs() <= 1).all())
            in_range = bool(targets["joints_25d"][b, 0, j, 2].abs() <= 1)
            assert targets["joint_valid_2d"][b, 0, j] == frame
            assert targets["joint_valid_3d"][b, 0, j] == (frame and frame_root)
            assert targets["joint_valid_eval"][b, 0, j] == (both and both_root)
            expected = [both and inside, both and inside, both and both_root and inside and in_range]
            assert targets["joint_valid_25d"][b, 0, j].tolist() == expected
    assert torch.equal(targets["mano_valid"], batch["mano_valid"])


@fault("validity", "training on a joint that is valid in data.json and not in joint_3d.json", "no loss term counts it")
def test_joint_without_coordinates_is_not_trained_on(synthetic_root, hand_model):
    """Its place in space may be anything: no term changes when it moves."""
    batch = batch_of(synthetic_root)
    in_frame = batch["joint_valid_frame"].clone()
    in_frame[::2, :, 7] = in_frame[1::4, :, 0] = False
    in_image = torch.ones_like(in_frame)
    near = prediction_near(build_targets(batch, hand_model), hand_model, batch["is_right"])
    totals = []
    for place in (0.0, 0.35):
        world = torch.where(in_frame[..., None], batch["joints_world"], torch.tensor(place))
        flags = {"joint_valid_frame": in_frame, "joint_valid_image": in_image, "joints_world": world}
        targets = build_targets(changed(batch, **flags), hand_model)
        totals.append({name: [float(v) for v in term] for name, term in layered_objective(near, targets).items()})
    assert totals[0] == totals[1]
    assert all(count > 0 for _, count in totals[0].values())


def test_unknown_depth_leaves_the_image_plane_only(synthetic_root, hand_model):
    """Against a loop over samples, joints and axes, including the losses' counts."""
    batch = batch_of(synthetic_root)
    known = torch.arange(len(batch["depth_known"])) % 3 > 0
    assert batch["depth_known"].all()
    before = build_targets(batch, hand_model)
    targets = build_targets(changed(batch, depth_known=known), hand_model)
    assert torch.equal(targets["depth_known"], known)
    counts = dict.fromkeys(TERMS, 0)
    for b in range(len(known)):
        for name in VALIDITY:
            kept = before[name][b].clone()
            if not known[b]:
                if name == "joint_valid_25d":
                    kept[..., 2] = False
                elif name != "joint_valid_2d":
                    kept[:] = False
            assert torch.equal(targets[name][b], kept), name
        for j in range(21):
            seen = bool(batch["joint_valid_frame"][b, 0, j])
            counts["joint_2d"] += 2 * seen
            counts["joint_25d"] += int(before["joint_valid_25d"][b, 0, j, : 3 if known[b] else 2].sum())
            parent = JOINT_PARENTS[j]
            if known[b] and parent >= 0 and seen and bool(batch["joint_valid_frame"][b, 0, parent]):
                counts["bone_length"] += 1
                counts["bone_direction"] += 3
            if known[b] and seen and bool(batch["joint_valid_frame"][b, 0, 0]):
                counts["joint_3d"] += 3
        if known[b] and bool(batch["mano_valid"][b, 0]):
            counts["pose"] += 16 * 9
            counts["joint_mano"] += 21 * 3
            counts["shape"] += 10 * bool((batch["mano_betas"][b].abs() <= 3).all())
    prediction = prediction_near(targets, hand_model, batch["is_right"])
    prediction |= {name: targets[name] for name in ("joints_25d", "joints_2d")}
    assert {name: int(term.count) for name, term in layered_objective(prediction, targets).items()} == counts
    assert counts["joint_3d"] > 0
    metrics = HandMetrics()
    nothing = changed(batch, depth_known=torch.zeros_like(known))
    metrics.update(prediction, build_targets(nothing, hand_model), nothing, hand_model)
    assert all(math.isnan(value) for value in metrics.compute().values())


def test_joints_outside_the_volume_are_not_25d_targets(synthetic_root, hand_model):
    batch = batch_of(synthetic_root)
    whole = build_targets(batch, hand_model)
    affine = batch["crop_affine"].clone()
    affine[..., 2] += SIZE  # the crop's content moves to the lower right
    moved = build_targets(changed(batch, crop_affine=affine), hand_model)
    outside = (moved["joints_2d"].abs() > 1).any(-1)
    assert outside.float().mean() > 0.5
    assert not moved["joint_valid_25d"][outside].any()
    assert torch.equal(moved["joint_valid_2d"], whole["joint_valid_2d"])
    far = batch["joints_world"].clone()
    towards = batch["camera_rotation"][:, 2]
    far[:, 0, 7] += 0.4 * towards  # deeper than the volume, on almost the same ray
    deep = build_targets(changed(batch, joints_world=far), hand_model)
    assert not deep["joint_valid_25d"][:, 0, 7, 2].any()
    assert deep["joint_valid_25d"][:, 0, 7, 0].any()


def test_joint_behind_the_camera_is_invalid_and_finite(synthetic_root, hand_model):
    batch = batch_of(synthetic_root)
    joints = batch["joints_world"].clone()
    joints[:, 0, 5] -= 3 * batch["camera_rotation"][:, 2]
    targets = build_targets(changed(batch, joints_world=joints), hand_model)
    for name in ("joint_valid_2d", "joint_valid_3d", "joint_valid_25d", "joint_valid_eval"):
        assert not targets[name][:, 0, 5].any()
        assert targets[name][:, 0, 6].any()
    assert all(torch.isfinite(value).all() for value in targets.values())


def test_hand_without_a_fit_has_the_identity_and_keeps_its_joints(synthetic_root, hand_model):
    batch = batch_of(synthetic_root)
    none = torch.zeros_like(batch["mano_valid"])
    before = build_targets(batch, hand_model)
    targets = build_targets(changed(batch, mano_valid=none), hand_model)
    assert torch.equal(targets["rotations"], torch.eye(3).expand_as(targets["rotations"]))
    assert not targets["mano_valid"].any()
    assert not targets["betas_valid"].any()
    for name in ("joints", "joints_2d", "joints_25d", "joint_valid_2d", "joint_valid_3d", "joint_valid_25d"):
        assert torch.equal(targets[name], before[name]), name
    assert all(torch.isfinite(value).all() for value in targets.values())


def test_incredible_shapes_are_no_shape_targets_but_keep_their_mesh(synthetic_root, hand_model):
    batch = batch_of(synthetic_root)
    betas = batch["mano_betas"].clone()
    betas[::2, :, 3] = -3.5
    targets = build_targets(changed(batch, mano_betas=betas), hand_model)
    assert not targets["betas_valid"][::2].any()
    usual = (betas.abs() <= 3).all(-1) & batch["mano_valid"]
    assert torch.equal(targets["betas_valid"], usual)
    assert torch.equal(targets["mano_valid"], batch["mano_valid"])
    assert torch.equal(targets["betas"], betas)


def test_two_hands_have_the_targets_of_each_alone(two_hand_root, hand_model):
    """The second hand's row is the same as that of a sample with this hand alone in the same crop."""
    both = batch_of(two_hand_root, "train", hands="interacting", layout="two_hand")
    targets = build_targets(both, hand_model)
    hands = ("is_right", "hand_present", "joints_world", "joint_valid_image", "joint_valid_frame")
    hands += ("mano_valid", "mano_pose", "mano_betas", "mano_trans")
    for slot in range(2):
        single = {name: value[:, slot : slot + 1] if name in hands else value for name, value in both.items()}
        alone = build_targets(single, hand_model)
        for name, value in alone.items():
            if name in ("crop_intrinsics", "depth_known") or name.startswith("relative_translation"):
                continue
            torch.testing.assert_close(targets[name][:, slot : slot + 1], value, atol=1e-6, rtol=0, msg=name)
    assert both["hand_present"].all()
    assert both["mano_valid"].any()


def test_targets_are_float32_and_need_no_gradient_also_under_autocast(synthetic_root, hand_model):
    batch = batch_of(synthetic_root)
    plain = build_targets(batch, hand_model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = build_targets(batch, hand_model)
    for name, value in under_autocast.items():
        assert value.dtype in (torch.float32, torch.bool), name
        assert not value.requires_grad
        assert torch.equal(value, plain[name]), name


def test_loaders_targets_give_the_losses_of_the_steps_targets(batch, hand_model):
    """The targets that the loader makes in advance are those that the step would make."""
    targets = build_targets(batch, hand_model)
    prediction = prediction_near(targets, hand_model, batch["is_right"])
    finished = with_training_targets(batch, hand_model)
    assert {name: value for name, value in finished.items() if name != "training_targets"} == dict(batch)
    ready = layered_objective(prediction, finished["training_targets"])
    for name, term in layered_objective(prediction, targets).items():
        assert torch.equal(ready[name].total, term.total)
        assert torch.equal(ready[name].count, term.count)
    assert not finished["training_targets"]["defined_joints"]
    own = changed(batch, joint_definition=torch.ones_like(batch["joint_definition"]))
    assert with_training_targets(own, hand_model)["training_targets"]["defined_joints"]
