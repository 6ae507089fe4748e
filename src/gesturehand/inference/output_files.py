"""What is written of predictions beside the numbers: pictures, videos, and meshes as Wavefront OBJ,
binary PLY and GLB (glTF 2.0), metres.
"""

import json
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal, get_args

import av
import cv2
import numpy as np

from gesturehand.draw.hands import SIDE_TONES, DrawnHand, fitted
from gesturehand.errors import UserError
from gesturehand.extras import install
from gesturehand.file_writing import new_file
from gesturehand.inference.result import HandResult, object_name

#: Added to the results' names, so that no given picture can have the name of one that is written.
OVERLAY_SUFFIX: Final = "_overlay"
#: Encoders of videos with their options, the best first.
_CODECS: Final = {"libx264": {"preset": "veryfast", "crf": "20"}, "mpeg4": {"qscale": "3"}}
MeshFormat = Literal["obj", "ply", "glb"]
MESH_FORMATS: Final[tuple[MeshFormat, ...]] = get_args(MeshFormat)
#: The default formats; GLB takes an additional library.
DEFAULT_FORMATS: Final[tuple[MeshFormat, ...]] = ("obj", "ply")

#: From the camera's frame to one with y up: 180° about x.
_Y_UP: Final = np.array([1, -1, -1], np.float32)
#: The frames, by whether y is up.
_FRAMES: Final = (
    "camera frame: x right, y down, z forward",
    "camera frame turned by 180 degrees about x: x right, y up, z backward",
)


def overlay_png(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8 RGB as a PNG file."""
    return cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()


def drawn_hands(hands: Sequence[HandResult], tracks: Sequence[int] | None = None) -> list[DrawnHand]:
    """Hands in the form for drawing, with the numbers of their tracks if they are a video's."""
    labels = [label_of(hand) for hand in hands]
    if tracks is not None:
        labels = [f"{track} {label}" for track, label in zip(tracks, labels, strict=True)]
    return [
        DrawnHand(hand.vertices, hand.joints_2d, hand.box, hand.side, label)
        for hand, label in zip(hands, labels, strict=True)
    ]


def label_of(hand: HandResult) -> str:
    """A short label of a hand: its side, and its gesture with the probability."""
    gesture = hand.gesture_fine
    return hand.side if gesture is None else f"{hand.side}: {gesture.name} {100 * gesture.probability:.0f} %"


class VideoWriter:
    """An MP4 file that is being written; :func:`new_video` makes one.

    It is H.264 with 4:2:0 colours, which browsers and players show; MPEG-4 if FFmpeg has no encoder for that.

    Args:
        path: The file, for messages.
        part: The file to write.
        fps: Frames per second.
    """

    def __init__(self, path: Path, part: Path, fps: float) -> None:
        self.path = path
        self.part = part
        self.fps = fps
        self._container: Any = None
        self._stream: Any = None
        self._shape = (0, 0)

    def add(self, picture: np.ndarray) -> None:
        """Adds a frame (H, W, 3) uint8 RGB; the first one's size, made even, is the video's, others are fitted into it.

        Raises:
            UserError: FFmpeg cannot write MP4 here.
        """
        if self._container is None:
            self._open(*(max(2, size // 2 * 2) for size in picture.shape[:2]))
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(fitted(picture, *self._shape)), format="rgb24")
        self._container.mux(self._stream.encode(frame))

    def _open(self, height: int, width: int) -> None:
        self._shape = height, width
        # The index is in front, so that a browser can play the video before it has all of it.
        self._container = av.open(str(self.part), "w", format="mp4", options={"movflags": "faststart"})
        codec = next((name for name in _CODECS if name in av.codecs_available), None)
        if codec is None:
            raise UserError(f"FFmpeg cannot write '{self.path}' here: go without with --overlay=false.")
        self._stream = self._container.add_stream(codec, rate=Fraction(self.fps).limit_denominator(1001))
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.options = _CODECS[codec]

    def close(self) -> None:
        """Ends the video.

        Raises:
            OSError: It could not be written completely.
        """
        if self._container is not None:
            container, self._container = self._container, None
            with container:
                container.mux(self._stream.encode(None))


@contextmanager
def new_video(path: Path, fps: float) -> Iterator[VideoWriter]:
    """An MP4 file that appears as :func:`~gesturehand.file_writing.new_file` says, at the latest when the block ends.

    Args:
        path: The file.
        fps: Frames per second.

    Raises:
        UserError: It cannot be written.
    """
    with new_file(path) as part:
        writer = VideoWriter(path, part, fps)
        try:
            yield writer
        except BaseException:
            with suppress(OSError):
                writer.close()
            raise
        writer.close()


def parse_formats(text: str) -> tuple[MeshFormat, ...]:
    """Formats from their comma-separated names, each once.

    Raises:
        UserError: There is no such format, or its library is not installed.
    """
    wanted = dict.fromkeys(name.strip().lower() for name in text.split(","))
    formats = tuple(kind for kind in MESH_FORMATS if kind in wanted)
    if len(formats) < len(wanted):
        raise UserError(f"The mesh formats are '{text}': give one or more of {', '.join(MESH_FORMATS)}, with commas.")
    if "glb" in formats:
        _trimesh()
    return formats


def mesh_bytes(hands: Sequence[HandResult], kind: MeshFormat, *, y_up: bool = False) -> bytes:
    """The content of a file in a format.

    Args:
        hands: The hands in an image.
        kind: The format.
        y_up: Rotate OBJ and PLY by 180° about x. GLB always is: glTF has y up and z towards the viewer.

    Raises:
        UserError: It is GLB, and trimesh is not installed.
    """
    if kind == "glb":
        return glb_bytes(hands)
    return obj_bytes(hands, y_up) if kind == "obj" else ply_bytes(hands, y_up)


def obj_bytes(hands: Sequence[HandResult], y_up: bool = False) -> bytes:
    """One OBJ file with an object for each hand.

    Vertices have seven decimals, a tenth of a micrometre.
    """
    lines = [f"# metres, {_FRAMES[y_up]}"]
    first = 1
    for number, hand in enumerate(hands):
        lines.append(f"o {object_name(number, hand)}")
        lines.append(_rows("v %.7f %.7f %.7f", _vertices(hand, y_up)))
        lines.append(_rows("f %d %d %d", hand.faces + first))
        first += len(hand.vertices)
    return ("\n".join(lines) + "\n").encode()


def _rows(pattern: str, rows: np.ndarray) -> str:
    """A line for each row (N, 3), all formatted at once, which takes half the time."""
    return "\n".join([pattern] * len(rows)) % tuple(rows.ravel().tolist())


def ply_bytes(hands: Sequence[HandResult], y_up: bool = False) -> bytes:
    """One binary PLY file with all hands as one mesh, coloured by side."""
    vertex = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])
    face = np.dtype([("count", "u1"), ("corners", "<i4", 3)])
    vertices, faces, first = [], [], 0
    for hand in hands:
        rows = np.zeros(len(hand.vertices), vertex)
        rows["xyz"], rows["rgb"] = _vertices(hand, y_up), SIDE_TONES[hand.side].astype(np.uint8)
        triangles = np.zeros(len(hand.faces), face)
        triangles["count"], triangles["corners"] = 3, hand.faces + first
        first += len(rows)
        vertices.append(rows)
        faces.append(triangles)
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"comment metres, {_FRAMES[y_up]}",
        f"element vertex {first}",
        *(f"property float {axis}" for axis in "xyz"),
        *(f"property uchar {colour}" for colour in ("red", "green", "blue")),
        f"element face {sum(map(len, faces))}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    body = b"".join(array.tobytes() for array in (*vertices, *faces))
    return ("\n".join(header) + "\n").encode() + body


def glb_bytes(hands: Sequence[HandResult]) -> bytes:
    """One GLB file with a node and a material for each hand, coloured by side; y up, z towards the viewer.

    Raises:
        UserError: trimesh is not installed.
    """
    if not hands:  # which trimesh does not write
        return _glb_container(json.dumps({"asset": {"version": "2.0"}, "scene": 0, "scenes": [{}]}).encode())
    trimesh = _trimesh()
    scene = trimesh.Scene()
    for number, hand in enumerate(hands):
        name = object_name(number, hand)
        material = trimesh.visual.material.PBRMaterial(
            name=hand.side,
            baseColorFactor=[*_linear(SIDE_TONES[hand.side]), 1.0],
            metallicFactor=0.0,
            roughnessFactor=0.8,
            doubleSided=True,  # the wrist is open
        )
        mesh = trimesh.Trimesh(
            _vertices(hand, y_up=True),
            hand.faces,
            process=False,
            visual=trimesh.visual.TextureVisuals(material=material),
        )
        scene.add_geometry(mesh, node_name=name, geom_name=name)
    content: bytes = trimesh.exchange.gltf.export_glb(scene, include_normals=True)
    return content


def _glb_container(text: bytes) -> bytes:
    """A GLB file of a glTF without binary data (glTF 2.0, 4.4)."""
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIIII", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A) + text


def _linear(tone: np.ndarray) -> list[float]:
    """An sRGB colour (3,) 0-255 as linear light 0-1, in which glTF's factors are (IEC 61966-2-1)."""
    share = tone / 255
    linear: list[float] = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4).tolist()
    return linear


def _vertices(hand: HandResult, y_up: bool) -> np.ndarray:
    return hand.vertices * _Y_UP if y_up else hand.vertices


def _trimesh() -> ModuleType:
    try:
        import trimesh
    except ImportError:
        raise UserError(f"GLB needs trimesh: install it with {install('glb')}.") from None
    return trimesh
