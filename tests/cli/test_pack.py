"""``gesturehand data pack`` as a user types it."""

import pytest
from trainings import exit_code

from gesturehand.cli.main import main


def test_packs_verifies_and_trains_on_what_was_packed(val_root, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["data", "pack", "--root", str(val_root), "--split", "val", "--out", str(out)]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert f"{out}/packed/val: 32 images in 1 shard\n" in printed.out
    assert "% more than the images themselves" in printed.out
    assert "val images: 100%" in printed.err
    assert main(words) == 0
    assert "32 images (32 of them were there)" in capsys.readouterr().out
    assert main([*words, "--verify", "true"]) == 0
    assert capsys.readouterr().out == f"{out}: split val is as it was packed\n"
    assert main(["data", "index", "--root", str(out)]) == 0
    assert "packed/val" in capsys.readouterr().out
    assert main(["data", "check", "--root", str(out)]) == 0
    assert "no problems" in capsys.readouterr().out
    assert main(["data", "show", "--root", str(out), "--split", "val", "--out", str(tmp_path / "show.png")]) == 0
    assert (tmp_path / "show.png").stat().st_size > 1000


def test_damage_is_listed_and_the_status_is_1(val_root, capsys):
    words = ["data", "pack", "--root", str(val_root), "--split", "val"]
    assert main(words) == 0
    path = val_root / "packed" / "val" / "images_0000.zip"
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    capsys.readouterr()
    assert exit_code([*words, "--verify", "true"]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith(f"shard damaged: {path}\nimage damaged in its shard: Capture")
    assert printed.endswith("split val has 2 problems\n")


@pytest.mark.parametrize(("words", "message"), [
    (["--split", "val", "--shard_mb", "0"], "shard_mb is 0"),
    (["--split", "val", "--verify", "true"], "Split 'val' of '{root}' is not packed"),
    (["--split", "training"], "training"),
    (["--split", "val", "--shardmb", "3"], "did you mean"),
    (["--split", "val", "--unreadable", "ignore"], "unreadable"),
])  # fmt: skip
def test_slips_are_one_sentence(val_root, refusal, words, message):
    assert message.format(root=val_root) in refusal("data", "pack", "--root", str(val_root), *words)


def test_a_url_is_not_packed_where_it_is(refusal):
    said = refusal("data", "pack", "--root", "memory://bucket/set", "--split", "val")
    assert "cannot be packed where it is: name a folder of this machine with --out" in said
