"""Parts of ``gesturehand fit|validate|test``: keys, run folders, loggers, and the limits of a machine."""
