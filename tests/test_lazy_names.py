"""Short names of the package and its subpackages."""

import subprocess
import sys

import pytest

import gesturehand
from gesturehand import callbacks

PACKAGES = (gesturehand, callbacks)


@pytest.mark.parametrize(
    ("package", "name"), [(package, name) for package in PACKAGES for name in package.__all__], ids=str
)
def test_a_short_name_is_what_it_says(package, name):
    """A type checker reads the same names as those that exist."""
    found = getattr(package, name)
    assert found.__name__.rpartition(".")[2] == name
    assert name in dir(package)


def test_long_names_are_the_same_classes():
    from gesturehand.callbacks.throughput import Throughput
    from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

    assert gesturehand.TokenFusionRegressor is TokenFusionRegressor
    assert gesturehand.callbacks.Throughput is Throughput


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'gesturehand' has no attribute 'TokenFusion'"):
        gesturehand.TokenFusion  # noqa: B018
    with pytest.raises(ImportError, match="TokenFusion"):
        from gesturehand import TokenFusion  # noqa: F401


def test_importing_the_package_imports_no_library():
    program = (
        "import sys, gesturehand, gesturehand.callbacks; "
        "print(*({'torch', 'numpy', 'pytorch_lightning', 'timm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""
