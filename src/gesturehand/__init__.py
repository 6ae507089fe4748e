"""Gesture-aware pretraining and token fusion for 3D hand pose estimation, on PyTorch Lightning."""

from importlib.metadata import version

__version__ = version("gesturehand")
