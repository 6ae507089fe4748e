"""Makes the pictures of docs/app.md: the app in a headless browser, with the package's examples.

    python scripts/app_pictures.py

It needs Playwright and Chromium (``apt-get install chromium``).
"""

import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from gesturehand.app.serve import served
from gesturehand.inference.output_files import new_video
from gesturehand.inference.predictor import HandPredictor

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "images"
JPEG_QUALITY = 88
WAIT_MS = 240_000
#: Software rendering, for machines without a graphics card.
ARGUMENTS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
DESK, PHONE = {"width": 1240, "height": 1500}, {"width": 390, "height": 1500}


def write_film(path: Path) -> None:
    """Writes a film of two hands that pass in front of a grey wall."""
    hands = [cv2.imread(str(files("gesturehand.assets") / f"example_{number}.jpg"))[..., ::-1] for number in (2, 4)]
    hands = [cv2.resize(np.ascontiguousarray(hand), (300, 300)) for hand in hands]
    with new_video(path, 12) as video:
        for step in range(24):
            frame = np.full((360, 640, 3), 170, np.uint8)
            frame[30:330, 10 + step : 310 + step], frame[30:330, 330 - step // 2 : 630 - step // 2] = hands
            video.add(frame)


def opened(browser: Browser, address: str, size: dict[str, int]) -> Page:
    """The page, opened as by a new visitor."""
    page = browser.new_page(viewport=size)  # type: ignore[arg-type]
    page.set_default_timeout(WAIT_MS)
    page.goto(address)
    page.wait_for_selector("#upload input[type=file]", state="attached")
    return page


def answered(page: Page, file: Path, picture: str) -> None:
    """Submits a file and saves a picture of the answer."""
    page.set_input_files("#upload input[type=file]", file)
    page.wait_for_selector(".said.found, .said.none, .said.wrong")
    if page.locator(".said.found").count():
        page.locator("#viewer canvas").wait_for()
        page.wait_for_timeout(15_000)  # nothing tells when the viewer has finished drawing
    page.wait_for_timeout(1000)
    content = np.frombuffer(page.screenshot(), np.uint8)
    shown = cv2.imdecode(content, cv2.IMREAD_COLOR)
    rows = np.flatnonzero(np.ptp(shown, axis=1).max(1) > 3)
    cv2.imwrite(str(PICTURES / picture), shown[: rows[-1] + 20], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    page.close()


def main() -> None:
    """Writes the pictures."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("There is no Chromium: install it (apt-get install chromium).")
    predictor = HandPredictor.from_checkpoint("openphoto", "cpu")
    with (
        tempfile.TemporaryDirectory() as folder,
        served(predictor, host="127.0.0.1", port=0, max_upload_mb=50, max_seconds=20) as address,
        sync_playwright() as playwright,
    ):
        film, wall, photo = Path(folder) / "clip.mp4", Path(folder) / "wall.jpg", Path(folder) / "photo.jpg"
        write_film(film)
        noise = np.random.default_rng(0).integers(60, 200, (480, 640, 3), np.uint8)
        cv2.imwrite(str(wall), cv2.GaussianBlur(noise, (31, 31), 0))
        photo.write_bytes((files("gesturehand.assets") / "example_2.jpg").read_bytes())
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        answered(opened(browser, address, DESK), photo, "app_photo.jpg")
        answered(opened(browser, address, DESK), film, "app_video.jpg")
        answered(opened(browser, address, DESK), wall, "app_no_hand.jpg")
        answered(opened(browser, address, PHONE), photo, "app_phone.jpg")
        browser.close()


if __name__ == "__main__":
    main()
