"""The way in which a user's mistake must end."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gesturehand.errors import UserError


@contextmanager
def refused(*named: object, match: str | None = None) -> Iterator[pytest.ExceptionInfo[UserError]]:
    """A context that must end in a :class:`UserError`: one sentence that names all of these and matches a pattern."""
    with pytest.raises(UserError, match=match) as caught:
        yield caught
    sentence = str(caught.value)
    assert [name for name in named if str(name) not in sentence] == [], sentence
    assert "\n" not in sentence
