"""Checkpoints: damage is noticed, code in them is refused and not run, and a full disk is reported in a sentence."""

import os
import pickle

import pytest
import torch
from faults import fault, faults
from hostile_files import Runs

from gesturehand.checkpoints.checkpoint_io import is_whole, load_checkpoint, save_checkpoint
from gesturehand.errors import UserError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.ckpt"


CONTENT = {"state_dict": {"weight": torch.arange(5000.0)}, "epoch": 3}


def test_round_trip(path):
    save_checkpoint(CONTENT, path)
    loaded = load_checkpoint(path)
    assert is_whole(path)
    assert loaded["epoch"] == 3
    torch.testing.assert_close(loaded["state_dict"]["weight"], CONTENT["state_dict"]["weight"], rtol=0, atol=0)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_cut_short(path, share):
    save_checkpoint(CONTENT, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert not is_whole(path)
    with pytest.raises(UserError, match="is damaged or not a checkpoint"):
        load_checkpoint(path)


def test_one_changed_bit_is_seen(path):
    save_checkpoint(CONTENT, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    assert not is_whole(path)


@pytest.mark.parametrize(("function", "named"), [(os.system, "posix.system"), (eval, "eval")])
def test_code_is_refused_by_name_and_not_run(path, tmp_path, monkeypatch, function, named):
    # A command that ran in this process earlier leaves its restriction behind.
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", raising=False)
    trace = tmp_path / "trace"
    argument = f"touch {trace}" if function is os.system else f"open({str(trace)!r}, 'w')"
    # As torch saved before it wrote archives, and as it does now.
    path.write_bytes(pickle.dumps(Runs(function, argument)))
    with pytest.raises(UserError, match=r"was not opened|is damaged or not a checkpoint"):
        load_checkpoint(path)
    torch.save({**CONTENT, "more": Runs(function, argument)}, path)
    with pytest.raises(UserError, match=named):
        load_checkpoint(path)
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists(), "the file would have run it"


def test_other_files(path, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        load_checkpoint(path)
    for content in ([1, 2], 3, {"weights": 1}, {"state_dict": [1, 2]}):
        torch.save(content, path)
        with pytest.raises(UserError, match="is not a checkpoint of a training run"):
            load_checkpoint(path)
    for text in (b"", b"this is text", b"PK\x03\x04 no archive"):
        path.write_bytes(text)
        with pytest.raises(UserError, match="is damaged or not a checkpoint"):
            load_checkpoint(path)
    with pytest.raises(UserError, match="cannot be read"):
        load_checkpoint(tmp_path)


def test_full_disk(path, full_disk):
    save_checkpoint(CONTENT, path)
    with full_disk(), pytest.raises(UserError, match="make room"):
        save_checkpoint(CONTENT, path)
    assert is_whole(path)


@fault("damaged checkpoint", "one byte changed, anywhere", "refused, or the weights are the same")
def test_a_changed_byte_never_changes_a_weight(path):
    """Names and padding of the archive have no checksum; if only they are damaged, the file may load."""
    save_checkpoint({"state_dict": {"weight": torch.arange(300.0)}}, path)
    content = path.read_bytes()
    refused = 0
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            state = load_checkpoint(path)["state_dict"]
        except UserError:
            refused += 1
        else:
            assert torch.equal(state["weight"], torch.arange(300.0)), place
    assert refused > 1200 / 7, "every byte of the weights is seen"


@pytest.mark.parametrize(
    "damage",
    faults(
        "damaged checkpoint",
        "refused",
        {
            "its last 100 bytes are missing": lambda content: content[:-100],
            "its first half is missing": lambda content: content[len(content) // 2 :],
            "a block of zeros in the weights": lambda content: content.replace(
                torch.arange(100.0, 164.0).numpy().tobytes(), bytes(256)
            ),
            "an empty file": lambda content: b"",
        }.items(),
    ),
)
def test_a_damaged_file_is_refused(path, damage):
    save_checkpoint({"state_dict": {"weight": torch.arange(300.0)}}, path)
    content = path.read_bytes()
    damaged = damage(content)
    assert damaged != content
    path.write_bytes(damaged)
    with pytest.raises(UserError, match=str(path)):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(value, marks=fault("weights that are not finite", repr(value), "refused by name"))
        for value in (float("nan"), float("inf"), float("-inf"))
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_weights_that_are_not_finite(path, value, dtype):
    weight = torch.zeros(4, 3, dtype=dtype)
    weight[2, 1] = value
    save_checkpoint({"state_dict": {"good": torch.zeros(2), "layer.weight": weight}}, path)
    with pytest.raises(UserError, match=r"weights that are not finite \(layer.weight\)"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "name",
    faults(
        "names of wrapped modules",
        "loads as it is",
        (
            (name, name)
            for name in ("_orig_mod.{}", "net._orig_mod.{}", "module.{}", "module._orig_mod.{}", "_orig_mod.module.{}")
        ),
    ),
)
def test_names_that_wrappers_add_are_taken_off(path, name):
    own = "net.{}" if name.startswith("net") else "{}"
    state = {key: torch.tensor([float(place)]) for place, key in enumerate(("weight", "bias"))}
    save_checkpoint({"state_dict": {name.format(key): value for key, value in state.items()}}, path)
    assert load_checkpoint(path)["state_dict"] == {own.format(key): value for key, value in state.items()}
