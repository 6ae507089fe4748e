"""Tries a built wheel as a user would, with a new environment, an empty folder and a prediction.

    python scripts/try_wheel.py dist/gesturehand-0.1.0-py3-none-any.whl

The picture is a hand of the gallery, so that nothing but the wheel and its dependencies is needed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    wheel = parser.parse_args().wheel.resolve()
    version = wheel.name.split("-")[1]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        venv.create(place / "venv", with_pip=True)
        programs = place / "venv" / ("Scripts" if os.name == "nt" else "bin")
        python, command = programs / "python", programs / "gesturehand"
        # Nothing of the surrounding environment may be found.
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}

        def run(*words: str | Path) -> str:
            done = subprocess.run(
                list(map(str, words)), cwd=place, env=environment, check=False, stdout=subprocess.PIPE, text=True
            )
            if done.returncode:
                sys.exit(f"{' '.join(map(str, words))} ended with {done.returncode}: the wheel does not work.")
            return done.stdout

        run(python, "-m", "pip", "install", "--disable-pip-version-check", "-c", CONSTRAINTS, f"{wheel}[predict]")
        installed = run(python, "-c", "import gesturehand; print(gesturehand.__version__)").strip()
        if installed != version:
            sys.exit(f"The wheel is of version {version}, and gesturehand.__version__ says {installed}.")
        run(command, "data", "gallery", "--out", "hands.png")
        print(run(command, "predict", "hands.png", "--box", "whole", "--hand", "right", "--output", "out"), end="")
        (hand,) = json.loads((place / "out" / "hands.json").read_text(encoding="utf-8"))["hands"]
        print(f"{wheel.name} works: {len(hand['joints_2d'])} joints of a {hand['side']} hand")


if __name__ == "__main__":
    main()
