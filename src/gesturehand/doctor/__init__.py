"""Examines the installation and the machine, and finds problems: ``gesturehand doctor``.

Each module examines one subject. None imports PyTorch in this process, because PyTorch may be what is broken.
"""
