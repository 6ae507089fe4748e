"""The page, with the question on the left and the answer on the right."""

import html
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from gesturehand.app.answers import Answer, Answerer, VisitEndedError, Visits, remove_empty
from gesturehand.errors import UserError
from gesturehand.inference.joint_angles import joint_angles
from gesturehand.inference.result import HandResult
from gesturehand.skeleton import WRIST

_LOGGER: Final = logging.getLogger(__name__)
#: Number of questions that are answered at once; further visitors wait for their turn.
_AT_ONCE: Final = 2
#: Number of gesture bars.
_BARS: Final = 5
#: Interval between checks of the files, and the age at which they are removed, s.
_CLEAN_EVERY_S: Final = 300
_KEEP_S: Final = 1800
#: The viewer looks from where the photo's camera stood, a little higher: angles of Babylon.js's camera.
_VIEW_DEG: Final = (90, 80)
#: Its field of view, rad, and its narrowest shape on a page, width over height.
_VIEW_FIELD: Final = 0.8
_VIEW_SHAPE: Final = 0.8
_TABLE_HEAD: Final = ("Finger", "Joint", "Flexion °", "Abduction °")

TITLE: Final = "GestureHand"
CSS: Final = """
.gradio-container { width: 100%; max-width: 1240px !important; margin: auto; }
#head h1 { margin: 0; font-size: 1.7rem; }
#head p { margin: .2rem 0 0; color: var(--body-text-color-subdued); }
#status { min-height: 3rem; }
#examples > .gallery { display: grid; grid-template-columns: repeat(4, 1fr); gap: 6px; }
#examples span, #examples .container { display: block; width: 100%; height: auto; }
#examples img { width: 100%; max-width: none; height: auto; max-height: none; aspect-ratio: 1; object-fit: cover; }
.said { border-left: 4px solid var(--border-color-primary); background: var(--background-fill-secondary);
  padding: .6rem .9rem; border-radius: 6px; line-height: 1.4; overflow-wrap: anywhere; }
.said.found { border-left-color: #1a7f4b; }
.said.none { border-left-color: #b7791f; }
.said.wrong { border-left-color: #c0392b; }
.said small { display: block; color: var(--body-text-color-subdued); margin-top: .2rem; }
footer { display: none !important; }
"""
_HEAD: Final = (
    "# GestureHand\n\nHands in 3D from a photo, a camera or a short video: the mesh, the gesture and the angles of the "
    "joints."
)
_START: Final = "Choose a photo or a video, take a picture, or try an example."
_NO_HAND: Final = (
    "No hand was found. Show the whole hand, larger and in better light, or lower the least certainty under “Settings”."
)
_ASSUMED: Final = "The camera's focal length is not known, so how far away the hands are is a guess."
_FAILED: Final = "Something went wrong with this file. The server's log says what; please report it."
_ANGLES: Final = (
    "Flexion is 0 where two bones are in line and positive towards the palm. Abduction is positive towards the "
    "thumb's side. Of the thumb's CMC joint they are palmar and radial abduction."
)


@dataclass(frozen=True)
class _Parts:
    """The components that change: Gradio's, whatever their kind."""

    upload: Any
    camera: Any
    examples: Any
    min_score: Any
    status: Any
    pictures: Any
    mesh: Any
    joints: Any
    film: Any
    results: Any
    frame: Any
    hand: Any
    gestures: Any
    viewer: Any
    angles: Any
    numbers: Any
    obj: Any
    glb: Any


def build_page(
    answerer: Answerer, visits: Visits, uploads: Path, examples: Sequence[Path], max_upload_mb: float
) -> Any:
    """The page, not yet served.

    Args:
        answerer: Answers the questions.
        visits: Keeps the answers.
        uploads: Gradio's folder of uploads.
        examples: Pictures to try.
        max_upload_mb: Largest file, which the page states.

    Returns:
        Gradio's ``Blocks``.
    """
    import gradio as gr

    with gr.Blocks(
        title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(_CLEAN_EVERY_S, _KEEP_S)
    ) as page:
        parts = _layout(examples, f"Up to {max_upload_mb:g} MB; a video up to {answerer.max_seconds:g} seconds.")
        _connect(parts, answerer, visits, uploads, examples)

        def leave(request: gr.Request) -> None:
            visits.end(str(request.session_hash))

        page.unload(leave)
    page.queue(max_size=64, default_concurrency_limit=_AT_ONCE, api_open=False)
    return page


def _layout(examples: Sequence[Path], limits: str) -> _Parts:
    import gradio as gr

    gr.Markdown(_HEAD, elem_id="head")
    with gr.Row():
        with gr.Column(scale=4, min_width=300):
            with gr.Tab("Photo or video"):
                upload = gr.File(label="Photo or video", height=150, elem_id="upload")
                gr.Markdown(f"<small>{limits}</small>")
            with gr.Tab("Camera"):
                # A mirrored picture would show right hands as left ones.
                camera = gr.Image(
                    sources=["webcam"],
                    type="filepath",
                    image_mode=None,
                    label="Camera",
                    webcam_options=gr.WebcamOptions(mirror=False),
                    elem_id="camera",
                )
            thumbnails = gr.Dataset(
                label="Examples (rendered hands)",
                components=[gr.Image(visible=False, type="filepath")],
                samples=[[str(path)] for path in examples],
                type="index",
                elem_id="examples",
            )
            with gr.Accordion("Settings", open=False):
                min_score = gr.Slider(
                    0.1, 0.95, 0.5, step=0.05, label="Least certainty", info="Hands that are less certain are left out."
                )
        with gr.Column(scale=8, min_width=300):
            status = gr.HTML(_said("", _START), elem_id="status", padding=False)
            with gr.Row(visible=False) as pictures:
                mesh = gr.Image(label="Mesh", elem_id="mesh", interactive=False, buttons=["download", "fullscreen"])
                joints = gr.Image(
                    label="Joints", elem_id="joints", interactive=False, buttons=["download", "fullscreen"]
                )
            film = gr.Video(label="Video", elem_id="film", interactive=False, visible=False, buttons=["download"])
            with gr.Column(visible=False) as results:
                frame = gr.Slider(0, 1, 0, step=1, label="Frame", elem_id="frame", visible=False)
                with gr.Row():
                    with gr.Column(scale=5, min_width=280):
                        viewer = gr.Model3D(
                            label="3D",
                            elem_id="viewer",
                            height=400,
                            interactive=False,
                            clear_color=(0.93, 0.94, 0.95, 1.0),
                            camera_position=(*_VIEW_DEG, None),
                        )
                        gr.Markdown("<small>Drag to turn, scroll or pinch to zoom.</small>")
                    with gr.Column(scale=4, min_width=260):
                        hand = gr.Radio(label="Hand", elem_id="hand")
                        gestures = gr.Label(
                            label="Gesture", elem_id="gestures", num_top_classes=_BARS, show_heading=False
                        )
                with gr.Row():
                    numbers = gr.DownloadButton("Numbers (JSON)", elem_id="numbers")
                    obj = gr.DownloadButton("Mesh (OBJ)", elem_id="obj")
                    glb = gr.DownloadButton("Mesh (GLB)", elem_id="glb")
                angles = gr.Dataframe(
                    label="Angles of the joints",
                    headers=list(_TABLE_HEAD),
                    datatype=["str", "str", "number", "number"],
                    interactive=False,
                    elem_id="angles",
                    max_height=620,
                    buttons=["copy"],
                )
                gr.Markdown(f"<small>{_ANGLES}</small>")
    return _Parts(
        upload, camera, thumbnails, min_score, status, pictures, mesh, joints, film, results, frame, hand, gestures,
        viewer, angles, numbers, obj, glb,
    )  # fmt: skip


def _connect(parts: _Parts, answerer: Answerer, visits: Visits, uploads: Path, examples: Sequence[Path]) -> None:
    import gradio as gr

    bar = gr.Progress()  # Gradio recognises it as a default, and gives each question its own
    shown_of_hand = [parts.gestures, parts.angles]
    shown_of_frame = [*shown_of_hand, parts.hand]
    meshes = [parts.viewer, parts.obj, parts.glb]
    shown = [
        *shown_of_frame, parts.viewer, parts.status, parts.pictures, parts.mesh, parts.joints, parts.film,
        parts.results, parts.frame, parts.numbers,
    ]  # fmt: skip

    def of_hand(hand: HandResult) -> dict[Any, Any]:
        bars = None if hand.gesture_fine is None else dict(hand.gesture_fine.top(_BARS))
        rows = [
            [angles.finger, angles.joint, round(angles.flexion_deg), round(angles.abduction_deg)]
            for angles in joint_angles(hand.hand_pose, hand.side, answerer.articulation)
        ]
        named = None if bars is None else {name.replace("_", " "): value for name, value in bars.items()}
        return {parts.gestures: gr.update(value=named, visible=named is not None), parts.angles: gr.update(value=rows)}

    def of_frame(answer: Answer, frame: int) -> dict[Any, Any]:
        hands = answer.hands[frame]
        tracks = range(1, len(hands) + 1) if answer.tracks is None else answer.tracks[frame]
        choices = [(_name(hand, number), place) for place, (hand, number) in enumerate(zip(hands, tracks, strict=True))]
        return {
            parts.hand: gr.update(choices=choices, value=0 if hands else None, visible=bool(hands)),
            **(
                of_hand(hands[0])
                if hands
                else {parts.gestures: gr.update(visible=False), parts.angles: gr.update(value=[])}
            ),
        }

    def of_answer(answer: Answer) -> dict[Any, Any]:
        found = any(answer.hands)
        mesh, joints = answer.pictures or (None, None)
        return {
            parts.status: _sentence(answer),
            parts.pictures: gr.update(visible=answer.pictures is not None),
            parts.mesh: gr.update(value=mesh and str(mesh), label="Mesh" if found else "Your photo"),
            parts.joints: gr.update(value=joints and str(joints), visible=found),
            parts.film: gr.update(value=answer.film and str(answer.film), visible=answer.film is not None),
            parts.results: gr.update(visible=found),
            parts.frame: gr.update(
                maximum=max(1, len(answer.hands) - 1), value=answer.first, visible=len(answer.hands) > 1
            ),
            parts.numbers: gr.update(
                value=str(answer.numbers),
                label="Numbers (JSON)" if answer.tracks is None else "Numbers (JSON lines)",
            ),
            **(of_frame(answer, answer.first) if found else {}),
        }

    def nothing(kind: str, text: str) -> dict[Any, Any]:
        """The page without results."""
        return {
            parts.status: _said(kind, text),
            parts.mesh: None,
            parts.joints: None,
            parts.viewer: None,
            parts.film: gr.update(value=None, visible=False),
            **{part: gr.update(visible=False) for part in (parts.pictures, parts.results)},
        }

    def ask(file: str | None, min_score: float, request: gr.Request, progress: Any) -> dict[Any, Any]:
        session = str(request.session_hash)
        visit = visits.ask(session)
        if file is None:
            return nothing("", _START)

        def tell(done: int, count: int) -> None:
            visits.check(session, visit)
            progress((done, count), desc="Frames", unit="frames")

        try:
            visit.answer = answerer(Path(file), visit.folder, min_score, tell)
            visits.check(session, visit)
            return of_answer(visit.answer)
        except UserError as error:
            return nothing("wrong", str(error))
        except VisitEndedError:
            return {}
        except Exception:  # a visitor sees no traceback
            _LOGGER.exception("A visitor's file could not be answered")
            return nothing("wrong", _FAILED)
        finally:
            remove_empty(uploads)

    def ask_file(file: str | None, min_score: float, request: gr.Request, progress: Any = bar) -> dict[Any, Any]:
        return ask(file, min_score, request, progress)

    def ask_example(number: int, min_score: float, request: gr.Request, progress: Any = bar) -> dict[Any, Any]:
        return ask(str(examples[number]), min_score, request, progress)

    def show_hand(number: int | None, frame: int, request: gr.Request) -> dict[Any, Any]:
        answer = _last_answer(visits, request)
        hands = answer.hands[_clipped(frame, answer.hands)] if answer else []
        return of_hand(hands[_clipped(number or 0, hands)]) if hands else {}

    def show_frame(frame: int, request: gr.Request) -> dict[Any, Any]:
        answer = _last_answer(visits, request)
        return of_frame(answer, _clipped(frame, answer.hands)) if answer else {}

    def show_meshes(frame: int, request: gr.Request) -> dict[Any, Any]:
        answer = _last_answer(visits, request)
        if answer is None or not any(answer.hands):
            return {parts.viewer: None}
        place = _clipped(frame, answer.hands)
        files, there = answerer.meshes(answer, place), bool(answer.hands[place])
        return {
            parts.viewer: gr.update(value=str(files.glb), camera_position=(*_VIEW_DEG, _distance(answer.hands[place])))
            if there
            else None,
            parts.obj: gr.update(value=str(files.obj), interactive=there),
            parts.glb: gr.update(value=str(files.glb), interactive=there),
        }

    private = {"api_visibility": "private"}
    for event, ask_with, given in (
        (parts.upload.upload, ask_file, parts.upload),
        (parts.upload.clear, ask_file, parts.upload),
        (parts.camera.input, ask_file, parts.camera),
        (parts.examples.click, ask_example, parts.examples),
    ):
        asked = event(ask_with, [given, parts.min_score], shown, show_progress_on=parts.status, **private)
        # Afterwards, because the viewer must be on the page before it gets something to show.
        asked.then(show_meshes, parts.frame, meshes, show_progress="hidden", **private)
    quiet: dict[str, Any] = {"show_progress": "hidden", **private}
    parts.hand.input(show_hand, [parts.hand, parts.frame], shown_of_hand, **quiet)
    parts.frame.release(show_frame, parts.frame, shown_of_frame, **quiet).then(
        show_meshes, parts.frame, meshes, **quiet
    )


def _distance(hands: Sequence[HandResult]) -> float:
    """Distance from the middle of the hands to a viewer's camera that shows all of them, m."""
    points = np.concatenate([hand.vertices for hand in hands])
    width, height, depth = np.ptp(points, axis=0)
    half = 1.15 * max(width / _VIEW_SHAPE, height) / 2
    return float(half / math.tan(_VIEW_FIELD / 2) + depth / 2)


def _last_answer(visits: Visits, request: Any) -> Answer | None:
    visit = visits.last(str(request.session_hash))
    answer: Answer | None = None if visit is None else visit.answer
    return answer


def _clipped(number: int, items: Sequence[Any]) -> int:
    """A place, clipped to those that exist: data from a browser cannot be trusted."""
    return max(0, min(int(number), len(items) - 1))


def _name(hand: HandResult, number: int) -> str:
    certain = "" if hand.score is None else f" ({100 * hand.score:.0f} %)"
    return f"{number}: {hand.side}{certain}"


def _sentence(answer: Answer) -> str:
    """The result in a few words."""
    if not any(answer.hands):
        return _said("none", _NO_HAND)
    if answer.tracks is None:
        (hands,) = answer.hands
        sides = [hand.side for hand in hands]
        text = "One hand" if len(hands) == 1 else f"{len(hands)} hands"
        text += f": {', '.join(f'{sides.count(side)} {side}' for side in dict.fromkeys(sides))}."
        if not answer.assumed:
            distances = ", ".join(f"{np.linalg.norm(hand.joints[WRIST]):.2f} m" for hand in hands)
            text += f" {'Its wrist is' if len(hands) == 1 else 'Their wrists are'} {distances} from the camera."
    else:
        empty = sum(not hands for hands in answer.hands)
        numbers = {track for tracks in answer.tracks for track in tracks}
        text = f"{len(answer.hands)} frames, {len(numbers)} {'hand' if len(numbers) == 1 else 'hands'} followed"
        text += f", {empty} frames without a hand." if empty else "."
    return _said("found", text, _ASSUMED if answer.assumed else "")


def _said(kind: str, text: str, aside: str = "") -> str:
    """A sentence as HTML; names of files are shown as they are."""
    note = f"<small>{html.escape(aside)}</small>" if aside else ""
    return f'<div class="said {kind}" role="status">{html.escape(text)}{note}</div>'
