"""The only interface to other processes and machines: tasks are sent to workers, on this machine by default."""

from typing import TYPE_CHECKING

from gesturehand.lazy_names import lazy_names

if TYPE_CHECKING:
    from gesturehand.cluster.client import Cluster
    from gesturehand.cluster.task import Failure, Task

__all__ = ["Cluster", "Failure", "Task"]

__getattr__, __dir__ = lazy_names(__name__, {"Cluster": "client", "Failure": "task", "Task": "task"})
