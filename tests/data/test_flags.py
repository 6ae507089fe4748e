"""Packed joint flags against plain ones."""

import json

import msgspec
import numpy as np
import pytest

from gesturehand.data.flags import FlagReader, JointFlags, count_flags, pack_flags

ORDER = [20, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 19, 18, 17, 16]


@pytest.fixture
def flags():
    return np.random.default_rng(0).random((50, 2, 21)) < 0.5


def test_packed_flags_are_the_plain_ones(flags):
    packed = JointFlags(pack_flags(flags))
    assert packed.shape == flags.shape
    assert len(packed) == 50
    assert np.array_equal(packed, flags)
    rows, hands = np.array([[3], [7]]), np.array([[0, 1], [1, 0]])
    for index in (4, slice(2, 9), [1, 5], (3, 1), (rows, hands)):
        assert np.array_equal(packed[index], flags[index])
    assert np.array_equal(count_flags(packed.words), flags.sum(-1))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", [int, bool, float])
def test_json_of_every_form_is_read(flags, nested, kind):
    read = FlagReader()
    for row in (*flags, flags[0]):
        raw = np.zeros((2, 21), bool)
        raw[:, ORDER] = row
        plain = [kind(flag) for flag in raw.ravel()]
        text = json.dumps([[flag] for flag in plain] if nested else plain)
        assert np.array_equal(JointFlags(np.array([read(msgspec.Raw(text.encode()))], np.uint32))[0], row)


@pytest.mark.parametrize(
    "text", ["[]", "1", "[1,1]", json.dumps([1] * 43), json.dumps(["1"] * 42), json.dumps([[1, 1]] * 42)]
)
def test_other_json_is_refused(text):
    with pytest.raises(ValueError, match=r"Expected"):
        FlagReader()(msgspec.Raw(text.encode()))
