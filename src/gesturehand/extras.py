"""The optional parts of an installation, ``pip install 'gesturehand[…]'``, and the sentence that names one."""

from typing import Final

#: What each extra of setup.cfg is for. docs/install.md has them as a table.
EXTRAS: Final = {
    "predict": "`openphoto` and its like on ONNX Runtime, faster on a CPU than on PyTorch",
    "detect": "hands, their sides and their turn are found in `predict`",
    "glb": "meshes as GLB files: `predict --mesh_format glb`",
    "heic": "photos as HEIC and AVIF files",
    "app": "the app in the browser",
    "export": "ONNX files: `gesturehand export --format onnx`",
    "slurm": "workers as jobs of SLURM, PBS or LSF: `--cluster slurm.yaml`",
    "sweeps": "sweeps on this machine: `gesturehand sweep`",
    "tensorboard": "logs for TensorBoard: `fit --tensorboard=true`",
    "notebooks": "the notebooks that `gesturehand init` copies",
    "docs": "the documentation's site: `make site` (contributors)",
    "open-hand": "building the open hand anew (maintainers)",
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
