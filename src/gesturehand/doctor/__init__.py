"""What this installation and this machine are, and what is wrong with them: ``gesturehand doctor``.

Each module examines one subject. None imports PyTorch in this process, which may be what is broken.
"""
