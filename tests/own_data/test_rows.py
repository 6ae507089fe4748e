"""The file that a tool's name of an image refers to."""

import pytest

from gesturehand.errors import UserError
from gesturehand.own_data.rows import ImageNames


@pytest.fixture
def folder(tmp_path):
    for name in ("1.jpg", "kitchen/1.jpg", "kitchen/é 2.PNG", "both.jpg", "both.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("1.jpg", "1.jpg"),
        ("./kitchen/1.jpg", "kitchen/1.jpg"),
        ("/home/me/photos/kitchen/1.jpg", "kitchen/1.jpg"),
        ("C:\\photos\\kitchen\\1.jpg", "kitchen/1.jpg"),
        ("../../1.jpg", "1.jpg"),
        ("labeled-data/film/1.jpg", "1.jpg"),
        ("https://example.org/a/kitchen/%C3%A9%202.PNG?size=3", "kitchen/é 2.PNG"),
        ("kitchen/e\u0301 2", "kitchen/é 2.PNG"),
        ("kitchen/1", "kitchen/1.jpg"),
    ],
)
def test_longest_end_that_is_a_file_counts(name, meant, folder):
    assert ImageNames(folder).find("Entry 0", name) == meant


@pytest.mark.parametrize(
    ("name", "named"),
    [("2.jpg", "no file that"), ("kitchen", "no file that"), ("both", "may be 'both.jpg' or 'both.png'")],
)
def test_ambiguous_names_are_one_sentence(name, named, folder):
    with pytest.raises(UserError, match=named) as error:
        ImageNames(folder).find("Entry 0", name)
    assert str(error.value).startswith(f"Entry 0 names the image '{name}'")


def test_two_names_of_one_file_are_refused(folder):
    names = ImageNames(folder)
    assert names.find("Entry 0", "film_1/1.jpg") == "1.jpg"
    assert names.find("Entry 1", "film_1/1.jpg") == "1.jpg"
    with pytest.raises(UserError, match=r"another one is 'film_1/1\.jpg'"):
        names.find("Entry 2", "film_2/1.jpg")
