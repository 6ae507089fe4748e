"""Stages that run ahead of each other."""

import os
import signal
import threading
from itertools import count

import pytest

from gesturehand.inference.pipeline import ahead, first_interrupt


def test_items_come_in_order_from_another_thread():
    threads = set()

    def items():
        for number in range(50):
            threads.add(threading.current_thread())
            yield number

    with ahead(items(), 3) as first, ahead((2 * item for item in first), 3) as second:
        assert list(second) == list(range(0, 100, 2))
    (thread,) = threads
    assert thread is not threading.current_thread()
    assert not thread.is_alive()


def test_a_stage_is_only_so_far_ahead():
    taken = []
    enough = threading.Event()

    def items():
        for number in count():
            taken.append(number)
            if number == 4:
                enough.set()
            yield number

    with ahead(items(), 3) as stage:
        assert next(stage) == 0
        assert enough.wait(30)
        # One was asked for, three wait, and the stage works on one.
        assert taken == [0, 1, 2, 3, 4]


def test_an_error_is_raised_where_items_are_requested():
    def items():
        yield 1
        raise KeyError("broken")

    with ahead(items()) as first, ahead(map(str, first)) as second:
        assert next(second) == "1"
        with pytest.raises(KeyError, match="broken"):
            next(second)


def test_leaving_early_ends_the_threads_and_closes_the_generators():
    before = threading.active_count()
    closed = []

    def endless(name, items):
        try:
            yield from items
        finally:
            closed.append(name)

    with ahead(endless("first", count()), 2) as first, ahead(endless("second", first), 2) as second:
        assert next(second) == 0
    assert threading.active_count() == before
    assert closed == ["second", "first"]


@pytest.mark.skipif(os.name == "nt", reason="signals to oneself end the process there")
def test_the_first_interrupt_asks_and_the_second_one_interrupts():
    asked = []
    with first_interrupt(lambda: asked.append(1)):
        signal.raise_signal(signal.SIGINT)
        assert asked == [1]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
