"""The optional parts of an installation, ``pip install 'gesturehand[…]'``, and the sentence that names one."""

from typing import Final

#: The purpose of each extra in setup.cfg. docs/install.md has them as a table.
EXTRAS: Final = {
    "predict": "running `openphoto` and networks like it on ONNX Runtime, which is faster than PyTorch on a CPU",
    "detect": "detecting hands, their sides and their rotation in `predict`",
    "glb": "meshes as GLB files: `predict --mesh_format glb`",
    "heic": "reading HEIC and AVIF photos",
    "app": "the app in the browser",
    "export": "ONNX files: `gesturehand export --format onnx`",
    "slurm": "workers as SLURM, PBS or LSF jobs: `--cluster slurm.yaml`",
    "sweeps": "sweeps on this machine: `gesturehand sweep`",
    "tensorboard": "logs for TensorBoard: `fit --tensorboard=true`",
    "notebooks": "the notebooks that `gesturehand init` copies",
    "docs": "the documentation site: `make site` (contributors)",
    "open-hand": "rebuilding the open hand (maintainers)",
    "benchmark": "comparing prediction with other engines (maintainers)",
    "dev": "tests, formatter, type checker (contributors)",
}


def install(extra: str) -> str:
    """The command that installs an extra, as messages name it.

    Args:
        extra: Its name.

    Example:
        >>> install("glb")
        "pip install 'gesturehand[glb]'"
    """
    if extra not in EXTRAS:
        raise KeyError(extra)
    return f"pip install 'gesturehand[{extra}]'"
