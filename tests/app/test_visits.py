"""Folders of visitors: one each, and none that is left over."""

import threading

import pytest

from gesturehand.app.visits import VisitEndedError, Visits


def test_a_question_removes_what_the_last_one_left(tmp_path):
    visits = Visits(tmp_path)
    first, other = visits.ask("a"), visits.ask("b")
    (first.folder / "x.json").write_text("1")
    second = visits.ask("a")
    assert not first.folder.exists()
    assert visits.last("a") is second
    visits.check("a", second)
    (first.folder).mkdir()  # what a writer that was under way does
    with pytest.raises(VisitEndedError):
        visits.check("a", first)
    assert not first.folder.exists()
    visits.end("a")
    assert visits.last("a") is None
    assert list(tmp_path.iterdir()) == [other.folder]
    visits.end("a")
    visits.end("b")
    assert list(tmp_path.iterdir()) == []


def test_many_at_once(tmp_path):
    visits = Visits(tmp_path)

    def come_and_go(name):
        for _ in range(20):
            visit = visits.ask(name)
            (visit.folder / "x").write_text(name)
            visits.check(name, visit)
        visits.end(name)

    threads = [threading.Thread(target=come_and_go, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(tmp_path.iterdir()) == []
