"""Extras of a made-up distribution: installed, missing, of another version."""

import sys

from made_up_packages import make_distribution

from gesturehand.doctor.extras import extras
from gesturehand.extras import EXTRAS


def test_states(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    requires = (
        "numpy",
        "made-up-runtime>=1; extra == 'predict'",
        "made-up-runtime>=3; extra == 'detect'",
        "nobody-has-this>=1; extra == 'glb'",
        "made-up-runtime>=1; extra == 'open-hand'",
    )
    make_distribution(tmp_path, "made-up-hands", "1.0", requires=requires)
    make_distribution(tmp_path, "made-up-runtime", "2.0")
    found = {row.name: row for row in extras("made-up-hands")}
    assert list(found) == list(EXTRAS)
    assert found["predict"].value == found["open-hand"].value == "installed"
    assert (found["detect"].state, found["detect"].value) == ("warning", "made-up-runtime 2.0 (>=3)")
    assert (found["glb"].state, found["glb"].value) == ("ok", "not installed (nobody-has-this)")
    assert "gesturehand[glb]" in found["glb"].remedy
    assert "meshes as GLB files" in found["glb"].remedy
    assert found["heic"].state == "warning", "a release that does not know the extra"


def test_own_extras_are_known():
    assert all("not among" not in row.value for row in extras())
