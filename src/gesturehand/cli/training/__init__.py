"""Parts of ``gesturehand fit|validate|test``: keys, run folders, loggers, and what a machine cannot do."""
