"""A graph of ``assets`` on ONNX Runtime."""

from importlib.resources import files
from typing import Any, Final

import numpy as np

from gesturehand.errors import UserError
from gesturehand.extras import install

#: Images at a time: more fill the caches and are no faster.
_BATCH: Final = 16


class OnnxGraph:
    """One of the two networks, which take (N, S, S, 3) uint8 RGB.

    Args:
        name: Of the asset, without ``.onnx``.
        threads: Of one call.

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
        content = (files("gesturehand.assets") / f"{name}.onnx").read_bytes()
        self._session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.size_px = int(self._session.get_inputs()[0].shape[1])

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Every output by its name, (N, …) float32."""
        parts = [
            self._session.run(self._outputs, {"images": images[start : start + _BATCH]})
            for start in range(0, max(len(images), 1), _BATCH)
        ]
        return {
            name: np.concatenate(arrays) for name, arrays in zip(self._outputs, zip(*parts, strict=True), strict=True)
        }
