"""How a user's mistake must end."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gesturehand.errors import UserError


@contextmanager
def refused(*named: object) -> Iterator[pytest.ExceptionInfo[UserError]]:
    """What is done within ends in a :class:`UserError`, which is one sentence and names all of these."""
    with pytest.raises(UserError) as caught:
        yield caught
    sentence = str(caught.value)
    assert [name for name in named if str(name) not in sentence] == [], sentence
    assert "\n" not in sentence
