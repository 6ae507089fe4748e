"""The page in a real browser, without a window: Debian's Chromium or any other, driven by Playwright."""

import json
import re
import shutil
import time
from collections import Counter

import cv2
import numpy as np
import pytest
import trimesh

from gesturehand.app.serve import served
from gesturehand.inference.joint_angles import articulation_of_model, joint_angles

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser is driven by Playwright")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine: apt-get install chromium"),
]
#: Generous, for a loaded machine that renders in software.
WAIT_MS = 240_000
SOFTWARE_GL = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
ANSWERED = ".said.found, .said.none, .said.wrong"


@pytest.fixture(scope="module")
def address(predictor):
    with served(predictor, host="127.0.0.1", port=0, max_upload_mb=2, max_seconds=5) as address:
        yield address


@pytest.fixture(scope="module")
def camera_film(given, tmp_path_factory):
    """The film that the browser's camera sees: a hand that keeps still, as motion JPEG."""
    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    path.write_bytes(given["hand.jpg"].read_bytes())
    return path


@pytest.fixture(scope="module")
def browser(camera_film):
    camera = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_film}",
    )
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=[*SOFTWARE_GL, *camera])
        yield browser
        browser.close()


@pytest.fixture
def visitor(browser, address):
    """Opens the page as another visitor; closes it afterwards."""
    opened = []

    def visit(**settings):
        context = browser.new_context(accept_downloads=True, permissions=["camera"], **settings)
        context.set_default_timeout(WAIT_MS)
        opened.append(context)
        page = context.new_page()
        page.requested, page.wrong = [], []
        page.on("request", lambda request: page.requested.append(request.url))
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.goto(address)
        page.wait_for_selector("#upload input[type=file]", state="attached")
        return page

    yield visit
    for context in opened:
        context.close()


def give(page, path):
    page.set_input_files("#upload input[type=file]", path)


def said(page):
    """The answer's kind and sentence, once it has arrived."""
    page.wait_for_selector(ANSWERED)
    status = page.locator("#status .said")
    return status.get_attribute("class").split()[1], status.inner_text().split("\n")[0]


def downloaded(page, button):
    with page.expect_download() as download:
        page.click(f"#{button}")
    return download.value.suggested_filename, download.value.path()


def table(page):
    return [row.split() for row in page.locator("#angles [role=row][data-index]").all_inner_texts()]


def drawn(page, tmp_path):
    """Share of the viewer's pixels that differ from its background, once something is drawn."""
    viewer = page.locator("#viewer canvas")
    viewer.wait_for()
    viewer.scroll_into_view_if_needed()
    share, until = 0.0, time.monotonic() + WAIT_MS / 1000
    while share < 0.02 and time.monotonic() < until:
        page.wait_for_timeout(1000)
        picture = cv2.imread(str(_shot(viewer, tmp_path / "viewer.png"))).astype(int)
        share = float((np.abs(picture - picture[-3, -3]).sum(-1) > 30).mean())
    return share


def _shot(locator, path):
    locator.screenshot(path=path)
    return path


def test_a_photo_gives_overlay_mesh_and_numbers(visitor, predictor, given, tmp_path, address):
    page = visitor()
    give(page, given["hand.jpg"])
    assert said(page) == ("found", "One hand: 1 right.")
    (hand,) = predictor(given["hand.jpg"])
    for name in ("mesh", "joints"):
        page.wait_for_function(f"(document.querySelector('#{name} img') || {{}}).naturalWidth > 300")
    assert drawn(page, tmp_path) > 0.02
    bars = re.sub(r"\s+", " ", page.locator("#gestures").inner_text())
    for name, probability in hand.gesture_fine.top(2):
        assert f"{name.replace('_', ' ')} {100 * probability:.0f}%" in bars
    angles = joint_angles(hand.hand_pose, hand.side, articulation_of_model(predictor.model.hand_model))
    expected = [[a.finger, a.joint, str(round(a.flexion_deg)), str(round(a.abduction_deg))] for a in angles]
    assert table(page) == expected
    name, path = downloaded(page, "numbers")
    assert name == "hand.json"
    (written,) = json.loads(path.read_text())["hands"]
    np.testing.assert_allclose(written["joints"], hand.joints, atol=1e-5)
    for button in ("obj", "glb"):
        name, path = downloaded(page, button)
        assert name == f"hand.{button}"
        with path.open("rb") as file:
            mesh = trimesh.load(file, file_type=button, force="mesh", process=False)
        assert len(mesh.faces) == len(hand.faces)
    others = [url for url in page.requested if not url.startswith((address, "blob:", "data:"))]
    assert others == [], "nothing is fetched from anywhere else"
    assert page.wrong == []


def test_examples_answer(visitor):
    page = visitor()
    page.locator("#examples button.gallery-item").nth(0).click()
    assert said(page) == ("found", "One hand: 1 left.")


def test_a_photo_without_a_hand_and_files_that_are_broken(visitor, given):
    page = visitor()
    for name, kind, words in [
        ("wall.jpg", "none", "No hand was found."),
        ("cut.jpg", "wrong", "The image 'cut.jpg' is cut short"),
        ("pixel.png", "none", "No hand was found."),
        ("text.jpg", "wrong", "The image 'text.jpg' is not a readable image"),
        ("huge.png", "wrong", "The image 'huge.png' claims 30000 x 30000 pixels"),
        ("empty.mp4", "wrong", "'empty.mp4' is not a video"),
        ("long.mp4", "wrong", "'long.mp4' lasts 6.0 seconds, more than 5"),
    ]:
        give(page, given[name])
        found, sentence = said(page)
        assert (found, sentence[: len(words)]) == (kind, words)
        assert not page.locator("#viewer").is_visible()
        assert "Traceback" not in page.content()
        page.locator("#upload button[aria-label='Clear']").first.click()
        page.wait_for_selector(ANSWERED, state="detached")
    assert page.wrong == []


def test_names_of_files_are_text(visitor, tmp_path):
    page = visitor()
    path = tmp_path / "a<img src=x onerror=alert(1)>.jpg"
    path.write_text("not an image")
    give(page, path)
    assert said(page)[0] == "wrong"
    assert page.locator("#status img").count() == 0


def test_a_file_that_is_too_large_is_refused(visitor, tmp_path):
    page = visitor()
    path = tmp_path / "large.jpg"
    path.write_bytes(bytes(3 << 20))
    give(page, path)
    page.get_by_text(re.compile("exceed the maximum allowed size of 2")).wait_for()


def test_two_visitors_at_once(visitor, given, predictor):
    pages = {name: visitor() for name in ("hand.jpg", "point.jpg")}
    for name, page in pages.items():
        give(page, given[name])
    for name, page in pages.items():
        (hand,) = predictor(given[name])
        assert said(page) == ("found", f"One hand: 1 {hand.side}.")
        file, path = downloaded(page, "numbers")
        assert file == name.replace("jpg", "json")
        assert json.loads(path.read_text())["hands"][0]["gesture"]["fine"]["name"] == hand.gesture_fine.name
    assert len({page.locator("#gestures").inner_text() for page in pages.values()}) == 2


def test_a_video_plays_and_its_frames_can_be_chosen(visitor, given):
    page = visitor()
    give(page, given["clip.mp4"])
    kind, sentence = said(page)
    assert kind == "found"
    assert re.fullmatch(r"8 frames, 2 hands followed, [23] frames without a hand\.", sentence)
    page.wait_for_function("(document.querySelector('#film video') || {}).readyState >= 2")
    page.locator("#hand label").nth(1).wait_for()
    assert Counter(text.split()[1] for text in page.locator("#hand label").all_inner_texts()) == {"right": 1, "left": 1}
    first = table(page)
    page.locator("#hand label").nth(1).click()
    until = time.monotonic() + WAIT_MS / 1000
    while table(page) == first and time.monotonic() < until:
        page.wait_for_timeout(200)
    assert table(page) != first
    name, path = downloaded(page, "numbers")
    assert (name, len(path.read_text().splitlines())) == ("clip.jsonl", 8)


def test_the_camera(visitor):
    page = visitor()
    page.get_by_role("tab", name="Camera").click()
    page.get_by_text("Click to Access Webcam").click()
    page.wait_for_function("(document.querySelector('#camera video') || {}).readyState >= 2")
    page.wait_for_timeout(1000)
    page.locator("#camera button[aria-label='capture photo']").click()
    assert said(page) == ("found", "One hand: 1 right.")


def test_a_phone_shows_it_without_scrolling_sideways(visitor, given):
    page = visitor(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    give(page, given["hand.jpg"])
    said(page)
    page.locator("#viewer canvas").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
