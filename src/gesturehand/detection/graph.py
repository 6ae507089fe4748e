"""A graph of ``assets`` on ONNX Runtime."""

from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any, Final

import numpy as np

from gesturehand.cores import available_cores
from gesturehand.errors import UserError
from gesturehand.extras import install

#: Images per run: two share the weights that are read; with sixteen, each takes half as long again, because their maps
#: no longer fit the caches.
_BATCH: Final = 2


class OnnxGraph:
    """One of the two networks, which take (N, S, S, 3) uint8 RGB.

    Args:
        name: Name of the asset, without ``.onnx``.
        threads: Number of threads of one call.

    Attributes:
        size_px: S.

    Raises:
        UserError: ONNX Runtime is not installed.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise UserError(
                f"Finding hands needs ONNX Runtime, which is not installed: {install('detect')}, or say "
                "where the hands are with --box or --boxes."
            ) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        content = (files("gesturehand.assets") / f"{name}.onnx").read_bytes()
        self._session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.size_px = int(self._session.get_inputs()[0].shape[1])

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Every output by its name, (N, …) float32; many images run on all available cores."""
        parts = [images[start : start + _BATCH] for start in range(0, max(len(images), 1), _BATCH)]

        def run(part: np.ndarray) -> list[np.ndarray]:
            found: list[np.ndarray] = self._session.run(self._outputs, {"images": part})
            return found

        if len(parts) == 1:
            return dict(zip(self._outputs, run(images), strict=True))
        with ThreadPoolExecutor(available_cores()) as pool:
            runs = list(pool.map(run, parts))
        return {
            name: np.concatenate(arrays) for name, arrays in zip(self._outputs, zip(*runs, strict=True), strict=True)
        }
