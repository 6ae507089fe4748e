"""The predictor, which turns a checkpoint and images into hands."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from gesturehand.detection import HandDetector
from gesturehand.detection.detector import MIN_SCORE, SMALLEST_PX
from gesturehand.errors import UserError, first_line, one_line
from gesturehand.gestures import class_names
from gesturehand.hand.joint_offsets import moved_joints
from gesturehand.inference.assemble import assemble_hands, numpy_prediction
from gesturehand.inference.boxes import Hand, HandBox
from gesturehand.inference.checkpoint import LoadedRegressor, load_regressor
from gesturehand.inference.crop import crop_image
from gesturehand.inference.engine import Engine, find_engine
from gesturehand.inference.joint_definition import JOINTS, AnnotatedHand, Joints, PosedHand
from gesturehand.inference.query import (
    Boxes,
    CropRequest,
    Image,
    ImageCamera,
    ImageQuery,
    Intrinsics,
    Turns,
    camera_of,
    crops_of,
    hands_from,
    image_of,
)
from gesturehand.inference.result import HandResult
from gesturehand.inference.upright import Crop, FreeHand, Row, upright_looks
from gesturehand.settings import check_range
from gesturehand.skeleton import SIDES
from gesturehand.suggestions import did_you_mean

#: Number of crops at a time.
BATCH_SIZE: Final = 32


class HandPredictor:
    """A trained regressor that predicts hands in images.

    Example::

        predictor = HandPredictor.from_checkpoint("openphoto")
        for hand in predictor("photo.jpg"):
            print(hand.side, hand.gesture_fine.name, hand.joints)

    Args:
        regressor: From :func:`~gesturehand.inference.checkpoint.load_regressor`.
        device: "auto" (CUDA if available), or a device of PyTorch.
        box_scale: Side of a crop over the longer side of its box; the regressor's if not given.
        engine: The engine that runs the network; see :data:`~gesturehand.inference.engine.Engine`.
        joints: The joints that are returned; see :data:`~gesturehand.inference.joint_definition.Joints`.

    Attributes:
        model: The regressor, on the device, in evaluation mode.
        checkpoint: Its path.
        device: The device on which it runs.
        engine_name: The engine that runs it: "PyTorch" or "ONNX Runtime".
        two_hand: It sees two hands per crop.
        mirror_left: It sees left hands as right ones.
        upright: It sees upright hands; if a hand's rotation is not given, it searches for it in several passes.
        open_hand: It was trained with the open hand.
        for_photos: It is meant for photographs; other networks of the open hand know only rendered hands.
        posed_hand: Poses hands with the joints that are returned.
    """

    def __init__(
        self,
        regressor: LoadedRegressor,
        device: str = "auto",
        box_scale: float | None = None,
        engine: Engine = "auto",
        joints: Joints = "annotated",
    ) -> None:
        if box_scale is None:
            box_scale = regressor.crops.box_scale
        check_range("", 0.1, 10, box_scale=box_scale)
        if joints not in JOINTS:
            raise UserError(f"joints is '{joints}': give one of {', '.join(JOINTS)}.")
        self.device = find_device(device)
        self.model = regressor.model.to(self.device)
        self.checkpoint = regressor.path
        self.two_hand = self.model.layout == "two_hand"
        self.mirror_left = regressor.crops.mirror_left and not self.two_hand
        self.upright = regressor.crops.upright and not self.two_hand
        self.box_scale = box_scale
        settings: Any = self.model.hparams
        self.image_size = int(settings["image_size"])
        self.names = {level: class_names(level, settings["gesture_classes"]) for level in ("coarse", "fine")}
        self.open_hand = settings["mano"] is None
        self.for_photos = regressor.for_photos
        self._joints_25d_share = regressor.joints_25d_share
        self._joint_offsets_m: np.ndarray | None = None
        self.posed_hand: PosedHand = self.model.hand_model
        if joints == "annotated" and regressor.joint_offsets_m is not None:
            self._joint_offsets_m = np.array(regressor.joint_offsets_m, np.float32)
            self.posed_hand = AnnotatedHand(self.model.hand_model, regressor.joint_offsets_m)
        self._engine = find_engine(self.model, engine, self.device)
        self.engine_name = "PyTorch" if self._engine is None else "ONNX Runtime"
        self._faces = self.model.hand_model.faces.cpu().numpy()
        self._hands_mean = self.model.hand_model.hands_mean.float().cpu().numpy()

    @classmethod
    def from_checkpoint(
        cls,
        checkpoint: str | Path = "latest",
        device: str = "auto",
        *,
        mano: str | None = None,
        box_scale: float | None = None,
        engine: Engine = "auto",
        joints: Joints = "annotated",
    ) -> "HandPredictor":
        """Loads a predictor.

        Args:
            checkpoint: A checkpoint file, the ``.safetensors`` of ``make photo``, the folder of a run (its best
                checkpoint), "latest": the newest finished run under ``runs/``, or "openphoto": the weights that come
                with the package.
            device: "auto" (CUDA if available), "cpu", "cuda", "cuda:1", …
            mano: MANO's file or folder on this machine; the one of the training if not given.
            box_scale: Side of a crop over the longer side of its box; if not given, that of the weights.
            engine: "torch", "onnx" (ONNX Runtime, on a CPU and for networks with the layers of "openphoto"), or "auto":
                ONNX Runtime if possible.
            joints: "annotated": the joints as people and landmark networks mark them in photographs, if the weights
                know where these lie, as "openphoto" does; or "model": the hand model's own joints, about which it
                bends.

        Raises:
            UserError: There is no such checkpoint, device or engine, or it is another kind of checkpoint.
        """
        return cls(load_regressor(checkpoint, mano), device, box_scale, engine, joints)

    @cached_property
    def detector(self) -> HandDetector:
        """Finds hands.

        Raises:
            UserError: ONNX Runtime is not installed.
        """
        return HandDetector()

    @cached_property
    def sha256(self) -> str:
        """Digest of the network's weights, its hand model, and the way it crops hands."""
        looks: tuple[Any, ...] = (self.image_size, self.box_scale, self.mirror_left, self.upright)
        looks += (self._joints_25d_share, *(() if self._joint_offsets_m is None else self._joint_offsets_m.tolist()))
        hand_model = self.model.hand_model.fingerprint
        digest = hashlib.sha256(repr((type(self.model).__name__, hand_model, looks)).encode())
        for name, tensor in self.model.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.cpu().numpy().tobytes())
        return digest.hexdigest()

    def __call__(
        self,
        image: Image,
        boxes: Boxes | str = None,
        hands: str | Sequence[str] | None = None,
        intrinsics: Intrinsics = None,
        turns: Turns = None,
        *,
        min_score: float = MIN_SCORE,
        max_hands: int | None = None,
    ) -> list[HandResult]:
        """Predicts the hands of one image.

        Args:
            image: (H, W, 3) uint8 RGB, or a file's path.
            boxes: (N, 4) or (4,): x, y, width, height px around each hand; "whole": one hand fills the image. None:
                hands are detected, which needs ONNX Runtime.
            hands: "right" or "left", for all or one per box; if not given, the detected side, or right. A network that
                sees two hands also takes "both", which is its default if boxes are given without hands.
            intrinsics: (fx, fy, cx, cy) or (3, 3), px. None: from the focal length in the file's Exif data
                (:func:`~gesturehand.inference.query.exif_intrinsics`), or a stated guess
                (:func:`~gesturehand.camera.assumed_intrinsics`).
            turns: Degrees, clockwise, that rotate each hand upright: for all, or one per box, None if not known. A
                network that sees two hands does not rotate crops.
            min_score: Leave out detected hands with a lower score.
            max_hands: Keep at most this many detected hands, the most certain ones.

        Returns:
            One result per hand, in the order of the boxes, or the most certain first, all in one camera frame.

        Raises:
            UserError: The image, a box, a side, a turn or the intrinsics cannot be used; the message says why.
        """
        name = f"'{image}'" if isinstance(image, (str, Path)) else "the image"
        given = hands_from("whole" if boxes is None else boxes, hands, turns)
        query = ImageQuery(image, given, intrinsics, name)
        if boxes is None:
            pixels = image_of(query)
            found = self.find(pixels, given[0].side, min_score=min_score, max_hands=max_hands)
            if given[0].turn_deg is not None:
                found = tuple(replace(hand, turn_deg=given[0].turn_deg) for hand in found)
            file = image if isinstance(image, (str, Path)) else None
            camera = camera_of(intrinsics, file, pixels.shape[1], pixels.shape[0])
            query = ImageQuery(pixels, found, camera.intrinsics, name, camera.source)
        return next(self.predict_many([query]))

    def find(
        self,
        image: np.ndarray,
        hand: Hand | None = None,
        *,
        min_score: float = MIN_SCORE,
        max_hands: int | None = None,
        smallest_px: float = SMALLEST_PX,
    ) -> tuple[HandBox, ...]:
        """Detects the hands in an image.

        Args:
            image: (H, W, 3) uint8 RGB.
            hand: Their side, if that is known; "both", for networks that see two hands, leaves it open.
            min_score: Leave out hands with a lower score.
            max_hands: Keep at most this many, the most certain ones.
            smallest_px: Size of the smallest hands to detect.

        Returns:
            The hands, the most certain first, for :class:`~gesturehand.inference.query.ImageQuery`; with their turns if
            the network sees upright hands.

        Raises:
            UserError: ONNX Runtime is not installed, a number is out of its range, or the network does not see both
                hands.
        """
        if hand == "both" and not self.two_hand:
            raise UserError("This network sees one hand at a time: give right or left, or no side.")
        found = self.detector(image, min_score=min_score, max_hands=max_hands, smallest_px=smallest_px)
        side = None if hand == "both" else hand
        return tuple(HandBox.of(detection, side, upright=self.upright) for detection in found)

    def predict_many(
        self, queries: Iterable[ImageQuery | Image], batch_size: int = BATCH_SIZE
    ) -> Iterator[list[HandResult]]:
        """Predicts the hands of many images, batched over images.

        Args:
            queries: Images (arrays or paths), or :class:`~gesturehand.inference.query.ImageQuery` with their hands;
                read as they are needed, so a video may be longer than memory.
            batch_size: Crops at a time.

        Yields:
            For each query, in order, its hands.

        Raises:
            UserError: The queries are not many, or one of them cannot be used.
        """
        check_range("", 1, whole=True, batch_size=batch_size)
        is_one = isinstance(queries, str | bytes | Path | ImageQuery) or getattr(queries, "ndim", 4) == 3
        if is_one or not isinstance(queries, Iterable):
            raise UserError("predict_many takes a list of images or queries: put a single one into a list.")
        waiting: list[_Prepared] = []
        for query in queries:
            waiting.append(self._prepare(query if isinstance(query, ImageQuery) else ImageQuery(query)))
            # Images without a hand need not wait for a crop, and must not accumulate without limit.
            if max(len(waiting), sum(len(prepared.requests) for prepared in waiting)) >= batch_size:
                yield from self._predict(waiting, batch_size)
                waiting = []
        yield from self._predict(waiting, batch_size)

    def _prepare(self, query: ImageQuery) -> "_Prepared":
        """Crops a query's hands; the image itself is not kept."""
        image = image_of(query)
        height, width = image.shape[:2]
        if query.hands is None:
            query = replace(query, hands=self.find(image))
        file = query.image if isinstance(query.image, (str, Path)) else None
        camera = camera_of(query.intrinsics, file, width, height)
        if camera.source == "given":
            camera = camera._replace(source=query.intrinsics_source)
        requests = crops_of(query, image, self.two_hand, self.box_scale)
        crops: list[Crop] = []
        free: list[FreeHand | None] = []
        for request in requests:
            mirror = self.mirror_left and request.sides == ("left",)
            if self.upright and request.turn_deg is None:
                hand = FreeHand.of(image, request.square, self.image_size, mirror, request.sides[0] == "right")
                free.append(hand)
                crops.append((*hand.window.crop(request.square, self.image_size, mirror), mirror))
            else:
                turn = math.radians(request.turn_deg or 0.0)
                free.append(None)
                crops.append((*crop_image(image, request.square, self.image_size, mirror, turn), mirror))
        return _Prepared(requests, crops, free, camera)

    def _predict(self, waiting: "list[_Prepared]", batch_size: int) -> Iterator[list[HandResult]]:
        def run(crops: Sequence[Crop], is_right: Sequence[bool]) -> list[Row]:
            rows: list[Row] = []
            for start in range(0, len(crops), batch_size):
                part = slice(start, start + batch_size)
                arrays = self.run_crops(crops[part], is_right[part])
                rows += [{name: array[i] for name, array in arrays.items()} for i in range(len(crops[part]))]
            return rows

        crops = [crop for prepared in waiting for crop in prepared.crops]
        rows = run(crops, [request.sides[0] == "right" for prepared in waiting for request in prepared.requests])
        free = dict(enumerate(hand for prepared in waiting for hand in prepared.free))
        hands = {number: hand for number, hand in free.items() if hand is not None}
        first = [(crops[number], rows[number]) for number in hands]
        looks = upright_looks(run, list(hands.values()), first, self.image_size)
        for number, (crop, row) in zip(hands, looks, strict=True):
            crops[number], rows[number] = crop, row
        place = 0
        for prepared in waiting:
            own = slice(place, place + len(prepared.requests))
            place = own.stop
            found: list[tuple[float, HandResult]] = []
            for request, row, (_, affine, _) in zip(prepared.requests, rows[own], crops[own], strict=True):
                slots = [SIDES.index(side) if self.two_hand else 0 for side in request.sides]
                results = assemble_hands(
                    row,
                    slots,
                    request,
                    affine,
                    prepared.camera.intrinsics,
                    source=prepared.camera.source,
                    joints_25d_share=self._joints_25d_share,
                    image_size=self.image_size,
                    faces=self._faces,
                    hands_mean=self._hands_mean,
                    names=self.names,
                )
                found += zip(request.order, results, strict=True)
            yield [result for _, result in sorted(found, key=lambda entry: entry[0])]

    def run_crops(self, crops: Sequence[Crop], is_right: Sequence[bool]) -> dict[str, np.ndarray]:
        """The network on a batch of crops, without placing anything.

        Args:
            crops: Pixels (S, S, 3), the map (2, 3) from px of the image to px of the crop, and whether it mirrors.
            is_right: Whether each crop's hand is a right one in the image; not used by two-hand networks.

        Returns:
            See :func:`~gesturehand.inference.assemble.numpy_prediction`; the joints are moved to where they are marked
            in photographs, if the weights know where.

        Raises:
            UserError: The network gives numbers that are not finite.
        """
        pixels = np.stack([image for image, _, _ in crops])
        maps = np.stack([affine for _, affine, _ in crops])
        if self._engine is not None and all(
            mirror != right for (_, _, mirror), right in zip(crops, is_right, strict=True)
        ):
            arrays = self._engine(pixels, maps)
        else:
            arrays = self._run_torch(crops, is_right, pixels, maps)
        broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
        if broken:
            raise UserError(
                f"The network of '{self.checkpoint}' gives numbers that are not finite ({', '.join(broken)}): its "
                "weights are damaged, so use others."
            )
        if self._joint_offsets_m is not None:
            moved = moved_joints(arrays["joints"], arrays["is_right"], self._joint_offsets_m)
            arrays["joints"] = moved.astype(np.float32)
        return arrays

    @torch.inference_mode()
    def _run_torch(
        self, crops: Sequence[Crop], is_right: Sequence[bool], pixels: np.ndarray, maps: np.ndarray
    ) -> dict[str, np.ndarray]:
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        affine = torch.from_numpy(maps)
        if self.two_hand:
            shown = torch.tensor([[True, False]]).repeat(len(crops), 1)
        else:
            shown = torch.tensor([[mirror != right] for (_, _, mirror), right in zip(crops, is_right, strict=True)])
        images, affine, shown = (tensor.to(self.device) for tensor in (images, affine, shown))
        hand, gesture = self.model(images, shown)
        return numpy_prediction(hand, gesture, affine, shown, self.model.hand_model)


class _Prepared(NamedTuple):
    requests: list[CropRequest]
    crops: list[Crop]
    free: list[FreeHand | None]
    camera: ImageCamera


def find_device(device: str) -> torch.device:
    """The device with a name; "auto" is CUDA if available.

    Raises:
        UserError: PyTorch does not know or have this device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.zeros(1, device=found).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = one_line(first_line(error).partition(". ")[0].rstrip("."), 120)
        meant = did_you_mean(str(device), {"auto", "cpu", "cuda", "mps"} - {device}, "take auto.")
        raise UserError(f"The device '{device}' cannot be used ({reason}): {meant}") from None
    return found
