"""A graph of ``assets`` on ONNX Runtime."""

from collections.abc import Callable, Mapping
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
    """A network whose runs have few threads each and do not spin, so that none waits for a core that is busy.

    Args:
        name: Name of the asset, without ``.onnx``.
        threads: Number of threads of one run.
        weights: Weights that the graph leaves open, by name.

    Attributes:
        size_px: S of a graph that takes images (N, S, S, 3).

    Raises:
        UserError: ONNX Runtime is not installed.
    """

    def __init__(self, name: str, threads: int = 1, weights: Mapping[str, np.ndarray] | None = None) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise UserError(
                f"Finding hands needs ONNX Runtime, which is not installed: {install('detect')}, or say "
                "where the hands are with --box or --boxes."
            ) from None
        # The session reads these arrays as long as it exists.
        self._weights = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in (weights or {}).items()
        }
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_external_initializers(list(self._weights), list(self._weights.values()))
        content = (files("gesturehand.assets") / f"{name}.onnx").read_bytes()
        self._session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.size_px = int(self._session.get_inputs()[0].shape[1])

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs for images (N, S, S, 3) uint8 RGB, as :meth:`run` gives them."""
        return self.run(len(images), lambda part: {"images": images[part]}, available_cores())

    def run(
        self, count: int, inputs: Callable[[slice], dict[str, np.ndarray]], runs_at_a_time: int
    ) -> dict[str, np.ndarray]:
        """Every output by its name, (N, …) float32; many images are shared among several runs at a time.

        Args:
            count: N.
            inputs: The graph's inputs of some of them, by name; called in the run's thread.
            runs_at_a_time: Largest number of runs at a time.
        """
        parts = [slice(start, start + _BATCH) for start in range(0, max(count, 1), _BATCH)]

        def run(part: slice) -> list[np.ndarray]:
            found: list[np.ndarray] = self._session.run(self._outputs, inputs(part))
            return found

        if len(parts) == 1:
            return dict(zip(self._outputs, run(parts[0]), strict=True))
        with ThreadPoolExecutor(runs_at_a_time) as pool:
            runs = list(pool.map(run, parts))
        return {
            name: np.concatenate(arrays) for name, arrays in zip(self._outputs, zip(*runs, strict=True), strict=True)
        }
