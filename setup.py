"""Copies two folders beside the package into the wheel, which setup.cfg cannot do; an editable one uses them there."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

#: Each becomes a folder of ``gesturehand.assets``.
TRAVELLING = ("experiments", "notebooks")


class BuildWithExperiments(build_py):
    """Copies the folders into the wheel."""

    def run(self) -> None:
        """Copies them after the package."""
        super().run()
        if self.editable_mode:
            return
        for path in (path for name in TRAVELLING for path in sorted(Path(name).rglob("*"))):
            if path.is_file() and not any(part.startswith(".") for part in path.parts):
                target = Path(self.build_lib, "gesturehand", "assets", path)
                self.mkpath(str(target.parent))
                self.copy_file(str(path), str(target))


setup(cmdclass={"build_py": BuildWithExperiments})
