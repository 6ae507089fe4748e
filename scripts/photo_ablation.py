"""Measures the benefit of gesture labels of photographs without 3D poses: all trainings, the tables and the picture.

    python scripts/photo_ablation.py PHOTOS [--out runs/photo-ablation] [--document docs/photos.md]

PHOTOS holds ``labels.json`` and ``more/labels.json`` with their images. The same command continues an interrupted
comparison; ``--run false`` only writes the tables and the picture again, and ``--encoders imagenet`` trains only one
encoder's share, with all seeds. ``--document`` also writes them between the document's markers.
"""

import argparse
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import cv2

from gesturehand.ablation.job import accelerator_of
from gesturehand.ablation.photographs import (
    ENCODERS,
    PHOTO_SIZES,
    PhotoPlace,
    PhotoSize,
    collect_photo_results,
    photo_trainings,
    run_photo_training,
)
from gesturehand.ablation.photographs_report import photo_markdown, save_photo_differences
from gesturehand.ablation.schedule import check_settings, run_all
from gesturehand.cluster import Cluster, Failure
from gesturehand.file_writing import write_bytes, write_text
from gesturehand.markdown import write_between_markers
from gesturehand.own_data.convert import convert
from gesturehand.own_data.entries import read_entries, with_gestures
from gesturehand.synthetic.photo.plan import PhotoSettings
from gesturehand.synthetic.photo.writer import write_photo_set
from gesturehand.text_file import write_json

ROOT = Path(__file__).parents[1]
MARKERS = ("<!-- photo_ablation:begin -->", "<!-- photo_ablation:end -->")
#: Folders of photos by the names of their columns.
PHOTOS = {"digits": ".", "more": "more"}


def prepare(options: argparse.Namespace, place: PhotoPlace, size: PhotoSize) -> None:
    """Writes the rendered set and imports the photos, unless they exist already."""
    if not Path(place.rendered).is_dir():
        settings = PhotoSettings(
            subjects=size.subjects,
            frames=size.frames,
            image_px=max(96, max(size.crop_px(encoder) for encoder in ENCODERS) * 3 // 2),
            backgrounds=options.backgrounds,
            backgrounds_licence=options.backgrounds_licence,
        )
        write_photo_set(place.rendered, settings, cluster=options.cluster, command="scripts/photo_ablation.py")
    for (_, root), folder in zip(place.photos, PHOTOS.values(), strict=True):
        if not Path(root).is_dir():
            images = options.photos / folder
            entries = read_entries(images / "labels.json", folders_are_sets=True)
            convert(with_gestures(entries, ROOT / "experiments" / "photo" / "label_map.json"), images, Path(root))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="folder of labels.json and more/labels.json")
    parser.add_argument("--size", choices=PHOTO_SIZES, default="quick")
    parser.add_argument("--seeds", type=int, help="number of seeds")
    parser.add_argument(
        "--encoders", choices=ENCODERS, nargs="+", default=tuple(ENCODERS), help="train these only; tables have all"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/photo-ablation"))
    parser.add_argument("--processes", type=int, help="trainings at a time; by default one per GPU, or per core")
    parser.add_argument("--cluster", default="local", help="local, tcp://host:8786 or a YAML file (docs/cluster.md)")
    parser.add_argument("--run", choices=("true", "false"), default="true", help="train what is not done yet")
    parser.add_argument("--backgrounds", help="folder of photographs to put behind rendered hands")
    parser.add_argument("--backgrounds-licence", help="their terms")
    parser.add_argument("--document", type=Path, help="also write tables and picture into this document")
    options = parser.parse_args()
    size = PHOTO_SIZES[options.size]
    size = replace(size, seeds=options.seeds or size.seeds)
    out = options.out.resolve()
    encoders = {name: asdict(encoder) for name, encoder in ENCODERS.items()}
    check_settings(out, {**asdict(replace(size, seeds=0)), "encoders": encoders})
    place = PhotoPlace(
        rendered=str(out / "rendered"),
        photos=tuple((name, str(out / f"photos_{name}")) for name in PHOTOS),
        out=out,
        accelerator=accelerator_of(options.cluster),
    )
    failures: list[Failure] = []
    if options.run == "true":
        prepare(options, place, size)
        with Cluster(options.cluster, workers=options.processes, gpu=True, folder=out / "jobs") as workers:
            failures = run_all(
                photo_trainings(size, tuple(options.encoders)),
                place,
                partial(run_photo_training, size=size),
                workers,
                after_each=lambda: write_json(out / "results.json", collect_photo_results(size, place)),
            )
    results = collect_photo_results(size, place)
    write_json(out / "results.json", results)
    write_text(out / "photo_ablation.md", photo_markdown(results))
    save_photo_differences(out / "photo_ablation.png", results)
    if options.document is not None:
        picture = options.document.parent / "images" / "photo_ablation.jpg"
        drawn = cv2.imread(str(out / "photo_ablation.png"))
        write_bytes(picture, cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
        write_json(options.document.parent / "results" / "photo_ablation.json", results)
        text = "![Paired differences with their intervals](images/photo_ablation.jpg)\n\n" + photo_markdown(results)
        source = "<!-- written by `make photo-ablation ARGS='--document docs/photos.md'` -->\n"
        write_between_markers(options.document, source + text, MARKERS)
    for failure in failures:
        print(f"failed: {failure}")
    print(f"{results['done']} of {results['jobs']} trainings are done: {out / 'photo_ablation.md'}")
    if failures:
        raise SystemExit(f"{len(failures)} trainings failed, see above: the same command tries them again.")


if __name__ == "__main__":
    main()
