"""Reading and writing MANO's files: official pickles without chumpy, no code run, errors that name the file."""

import os
import pickle
import pickletools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hostile_files import Runs
from refusals import refused

from gesturehand.errors import UserError
from gesturehand.hand.mano_file import ManoData, find_mano_file, mano_dictionary, read_mano, side_of_name, write_npz

ARRAYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "faces", "hands_mean", "hands_components")


def assert_same(hand: ManoData, expected: ManoData) -> None:
    assert hand.side == expected.side
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(hand, name), getattr(expected, name), err_msg=name)
        assert getattr(hand, name).dtype == (np.int64 if name == "faces" else np.float64)
    assert hand.fingerprint == expected.fingerprint


def test_official_pickle_names_exactly_the_official_globals(small_hand, write_official, tmp_path):
    """The file under test is like the real one, so that reading it proves something."""
    path = tmp_path / "MANO_RIGHT.pkl"
    write_official(small_hand, path)
    opcodes = list(pickletools.genops(path.read_bytes()))
    assert {argument for opcode, argument, _ in opcodes if opcode.name == "GLOBAL"} == {
        "numpy.core.multiarray _reconstruct",
        "numpy ndarray",
        "numpy dtype",
        "scipy.sparse.csc csc_matrix",
        "chumpy.ch Ch",
        "chumpy.reordering Select",
        "__builtin__ set",
    }
    assert not {"BINUNICODE", "STACK_GLOBAL", "BINBYTES"} & {opcode.name for opcode, _, _ in opcodes}


def test_official_pickle_is_read_without_chumpy(small_hand, write_official, tmp_path):
    path = tmp_path / "MANO_RIGHT.pkl"
    write_official(small_hand, path)
    hand = read_mano(path)
    assert_same(hand, small_hand)
    assert hand.source == str(path)
    assert hand.num_vertices == 30
    np.testing.assert_allclose(hand.joints, small_hand.J_regressor @ small_hand.v_template)


def test_npz_round_trip_is_exact_and_deterministic(small_hand, tmp_path):
    first, second = tmp_path / "MANO_RIGHT.npz", tmp_path / "again_right.npz"
    write_npz(small_hand, first)
    write_npz(read_mano(first), second)
    assert_same(read_mano(first), small_hand)
    assert first.read_bytes() == second.read_bytes()
    with np.load(first, allow_pickle=False) as archive:
        assert archive["kintree_table"].dtype == np.uint32
        assert archive["kintree_table"][0, 0] == 4294967295
        assert str(archive["bs_style"]) == "lbs"
        assert archive["J"].shape == (16, 3)


def test_failed_write_leaves_nothing_behind(small_hand, tmp_path, monkeypatch):
    target = tmp_path / "MANO_RIGHT.npz"
    target.write_bytes(b"old")

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(UserError, match=f"'{target}' could not be written .disk full"):
        write_npz(small_hand, target)
    assert [path.name for path in tmp_path.iterdir()] == ["MANO_RIGHT.npz"]
    assert target.read_bytes() == b"old"


def test_fingerprint_depends_on_every_array_and_the_side(small_hand):
    fingerprints = {small_hand.fingerprint, replace(small_hand, side="left").fingerprint}
    for name in ARRAYS:
        changed = getattr(small_hand, name).copy()
        changed.flat[3] += 1
        fingerprints.add(replace(small_hand, **{name: changed}).fingerprint)
    assert len(fingerprints) == len(ARRAYS) + 2
    assert replace(small_hand, source="elsewhere").fingerprint == small_hand.fingerprint


@pytest.mark.parametrize(
    ("function", "named"),
    [(os.system, "system"), (eval, "eval"), (getattr, "getattr"), (np.load, "numpy.load"), (os.mkdir, "mkdir")],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_any_other_global_is_refused_by_name_and_not_called(tmp_path, function, named, protocol):
    trace = tmp_path / "trace"
    argument = {os.system: f"touch {trace}", eval: f"open({str(trace)!r}, 'w').close()", os.mkdir: str(trace)}.get(
        function, str(trace)
    )
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps({"v_template": Runs(function, argument)}, protocol=protocol))
    with refused(path, match=named):
        read_mano(path)
    assert not trace.exists()


def test_the_malicious_pickle_would_have_run(tmp_path):
    trace = tmp_path / "trace"
    pickle.loads(pickle.dumps(Runs(os.mkdir, str(trace))))
    assert trace.exists()


def pickled(content: object) -> bytes:
    return pickle.dumps(content, protocol=2)


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        # Attributes of globals that are allowed.
        ("MANO_RIGHT.pkl", b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.", "asks for"),
        ("MANO_RIGHT.pkl", b"c__builtin__\nset.__class__\n.", "asks for"),
        ("MANO_RIGHT.pkl", b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.", "asks for"),
        ("MANO_RIGHT.pkl", b"(ios\nsystem\n.", "asks for"),
        # Not a pickle, a pickle of something else, and not an archive.
        ("MANO_RIGHT.pkl", b'{"v_template": [1, 2]}', r"MANO_RIGHT\.pkl is not a MANO pickle"),
        ("MANO_RIGHT.pkl", b"<html></html>", r"MANO_RIGHT\.pkl is not a MANO pickle"),
        ("MANO_RIGHT.pkl", b"version https://git-lfs", r"MANO_RIGHT\.pkl is not a MANO pickle"),
        ("MANO_RIGHT.pkl", pickled([1, 2]), "not a MANO file"),
        ("MANO_RIGHT.pkl", pickled("text"), "not a MANO file"),
        ("MANO_RIGHT.pkl", pickled({1: 2}), "not a MANO file"),
        ("MANO_RIGHT.npz", b"", r"MANO_RIGHT\.npz is not an \.npz archive"),
        ("MANO_RIGHT.npz", b"PK\x03\x04 cut", r"MANO_RIGHT\.npz is not an \.npz archive"),
        ("MANO_RIGHT.npz", b"text", r"MANO_RIGHT\.npz is not an \.npz archive"),
    ],
)
def test_files_other_than_manos_are_refused(tmp_path, name, raw, says):
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(UserError, match=says):
        read_mano(tmp_path / name)


@pytest.mark.parametrize(
    "name", ["chumpy.ch\nCh", "numpy\nndarray", "scipy.sparse.csc\ncsc_matrix", "__builtin__\nset"]
)
def test_state_cannot_change_what_stands_in_for_a_class(small_hand, write_official, tmp_path, name):
    """BUILD on a class would set attributes of the class itself, for this file and all later ones."""
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(b"c" + name.encode() + b"\n(N(dS'attributes'\nI1\nstb.")
    with pytest.raises(UserError, match=r"MANO_RIGHT\.pkl"):
        read_mano(path)
    write_official(small_hand, path)
    assert_same(read_mano(path), small_hand)


@pytest.mark.parametrize("array", [np.array([{}] * 45, dtype=object), np.zeros(45, dtype=[("x", "f8"), ("y", "f8")])])
def test_arrays_of_objects_that_may_hide_pointers_are_refused(small_hand, tmp_path, array):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickled({**mano_dictionary(small_hand), "hands_mean": array}))
    with pytest.raises(UserError, match="hands_mean"):
        read_mano(path)


def test_cut_short_pickle(small_hand, write_official, tmp_path):
    path = tmp_path / "MANO_RIGHT.pkl"
    write_official(small_hand, path)
    raw = path.read_bytes()
    for size in (0, 1, 100, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:size])
        with pytest.raises(UserError, match=r"MANO_RIGHT\.pkl is not a MANO pickle, or it is cut short"):
            read_mano(path)


def _write(path: Path, contents: dict) -> None:
    if path.suffix == ".pkl":
        path.write_bytes(pickled(contents))
    else:
        np.savez(path, **contents)


@pytest.mark.parametrize("suffix", [".pkl", ".npz"])
@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("weights", None, "lacks weights"),
        ("shapedirs", lambda a: a[..., :4], r"shapedirs has shape \(30, 3, 4\) where \(V, 3, 10\)"),
        ("weights", lambda a: a[:-1], "weights has shape"),
        ("hands_mean", lambda a: a[None], "hands_mean has shape"),
        ("f", lambda a: a[:, :2], "f has shape"),
        ("f", lambda a: a + 100, "f names vertices that do not exist"),
        ("f", lambda a: a.astype(float), "f must be numbers"),
        ("posedirs", lambda a: a.astype(str), "posedirs"),
        ("v_template", lambda a: a * np.nan, "v_template has values that are not finite"),
        ("kintree_table", lambda a: a[:, ::-1].copy(), "kintree_table is not"),
    ],
)
def test_wrong_contents_are_named(small_hand, tmp_path, suffix, key, change, message):
    contents = mano_dictionary(small_hand)
    array = contents.pop(key)
    if change is not None:
        contents[key] = change(array)
    path = tmp_path / f"MANO_RIGHT{suffix}"
    _write(path, contents)
    with refused(path, match=message):
        read_mano(path)


def test_npz_with_pickled_objects_is_refused(small_hand, tmp_path):
    path = tmp_path / "MANO_RIGHT.npz"
    trace = tmp_path / "trace"
    payload = np.array([Runs(os.mkdir, str(trace))], dtype=object)
    np.savez(path, **{**mano_dictionary(small_hand), "hands_mean": payload})
    with pytest.raises(UserError, match=r"MANO_RIGHT\.npz"):
        read_mano(path)
    assert not trace.exists()


def test_npz_cut_short_or_damaged(small_hand, tmp_path):
    path = tmp_path / "MANO_RIGHT.npz"
    write_npz(small_hand, path)
    raw = bytearray(path.read_bytes())
    path.write_bytes(raw[:-50])
    with pytest.raises(UserError, match=r"MANO_RIGHT\.npz"):
        read_mano(path)
    raw[200:260] = b"\xff" * 60
    path.write_bytes(raw)
    with pytest.raises(UserError, match=r"MANO_RIGHT\.npz"):
        read_mano(path)


def test_missing_file_and_unknown_kind(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_mano(tmp_path / "MANO_RIGHT.pkl")
    (tmp_path / "MANO_RIGHT.mat").write_bytes(b"x")
    with pytest.raises(UserError, match=r"neither a \.pkl nor an \.npz"):
        read_mano(tmp_path / "MANO_RIGHT.mat")


def test_side_from_name_or_argument(small_hand, tmp_path):
    assert side_of_name(Path("left/MANO_RIGHT.pkl")) == "right"
    assert side_of_name(Path("mano_left.npz")) == "left"
    path = tmp_path / "hand.npz"
    write_npz(small_hand, path)
    with pytest.raises(UserError, match="RIGHT or LEFT"):
        read_mano(path)
    assert read_mano(path, "left").side == "left"


def test_folder(small_hand, write_official, tmp_path):
    with pytest.raises(UserError, match=r"neither MANO_LEFT\.pkl nor MANO_LEFT\.npz"):
        read_mano(tmp_path, "left")
    write_npz(small_hand, tmp_path / "MANO_RIGHT.npz")
    assert read_mano(tmp_path, "right").source.endswith("MANO_RIGHT.npz")
    write_official(small_hand, tmp_path / "MANO_RIGHT.pkl")
    assert read_mano(tmp_path, "right").source.endswith("MANO_RIGHT.pkl")
    assert find_mano_file(tmp_path, "left") is None
    with pytest.raises(UserError, match="which side"):
        read_mano(tmp_path)


def test_sizes_that_would_fill_the_memory_are_refused(small_hand, write_official, tmp_path):
    path = tmp_path / "MANO_RIGHT.pkl"
    write_official(small_hand, path)
    raw = path.read_bytes()
    shape = b"K\x10K\x1e\x86"  # the regressor's (16, 30)
    assert raw.count(shape) >= 1
    path.write_bytes(raw.replace(shape, b"J\x00\x00\x00\x40K\x1e\x86"))
    with pytest.raises(UserError, match="J_regressor cannot be read"):
        read_mano(path)

    bomb = tmp_path / "MANO_LEFT.npz"
    np.savez_compressed(bomb, v_template=np.zeros(2**27 + 1))
    assert bomb.stat().st_size < 2_000_000
    with pytest.raises(UserError, match="unpacks to more than"):
        read_mano(bomb)
