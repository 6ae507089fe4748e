"""What an app keeps of its visitors: for each a folder of results, until the next question or the end of the visit."""

import secrets
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class VisitEndedError(Exception):
    """The visitor has left, or has asked something else, while an answer was made."""


@dataclass
class Visit:
    """A visitor's last question.

    Attributes:
        folder: Where its results are written; nobody else writes there.
        answer: What was found, once it is known.
    """

    folder: Path
    answer: Any = field(default=None)


class Visits:
    """The visits of an app, by the names of their sessions. Its methods may be called by several threads at once.

    Args:
        root: Folder of all results, which the caller removes.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._visits: dict[str, Visit] = {}

    def ask(self, session: str) -> Visit:
        """A new question of a visitor, in an empty folder; what the last one left is removed."""
        # Nobody can guess the folder's name, and so ask for another visitor's files.
        visit = Visit(self._root / secrets.token_urlsafe(16))
        visit.folder.mkdir(parents=True)
        with self._lock:
            last = self._visits.get(session)
            self._visits[session] = visit
        _remove(last)
        return visit

    def check(self, session: str, visit: Visit) -> None:
        """Nothing, as long as the visitor waits for this answer.

        Raises:
            VisitEndedError: Nobody waits for it any more. What was written meanwhile is removed.
        """
        with self._lock:
            current = self._visits.get(session) is visit
        if not current:
            _remove(visit)
            raise VisitEndedError

    def last(self, session: str) -> Visit | None:
        """The last question of a visitor."""
        with self._lock:
            return self._visits.get(session)

    def end(self, session: str) -> None:
        """Removes what is kept of a visitor."""
        with self._lock:
            visit = self._visits.pop(session, None)
        _remove(visit)


def _remove(visit: Visit | None) -> None:
    if visit is not None:
        shutil.rmtree(visit.folder, ignore_errors=True)
