"""Findings about this installation and this machine, and their report."""

import importlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import filelock
import pytest
import torch
from packaging.requirements import Requirement

import gesturehand
from gesturehand.doctor import devices
from gesturehand.doctor import storage as module
from gesturehand.doctor.cores import core_quota, cores, memory_limit
from gesturehand.doctor.devices import TOLERANCES, computed, error_of, precisions
from gesturehand.doctor.finding import Finding, examined_apart, guarded
from gesturehand.doctor.hands import hands
from gesturehand.doctor.network import address_of, network
from gesturehand.doctor.report import private_words_hidden, report_json, report_lines, summary_line, worst
from gesturehand.doctor.storage import data_folder, file_system, shared_memory, small_files, storage, written_folder
from gesturehand.doctor.versions import compared, extras, pairs, providers_of_cv2
from gesturehand.errors import UserError
from gesturehand.extras import EXTRAS
from gesturehand.hand.load import open_hand
from gesturehand.hand.mano_file import write_npz


def by_name(found):
    """Findings by their names, without the text in between."""
    return {row.name: row for row in found if not isinstance(row, str)}


# The report: aligned, complete, and without private words.

FOUND = {
    "storage": [
        Finding("data", "'~/hands'"),
        Finding("data, random reads", "20 files/s " * 12, "warning", "copy the set to a disk of this machine " * 4),
    ],
    "extras": [Finding("glb", "not installed", "problem", "pip install trimesh")],
}


@pytest.mark.parametrize("width", [70, 110])
def test_lines_are_aligned_and_hold_every_word(width):
    lines = [line for _, line in report_lines(FOUND, width)]
    assert all(len(line) <= width and line == line.rstrip() for line in lines)
    starts = {
        line[37:].lstrip() and 37 + len(line[37:]) - len(line[37:].lstrip()) for line in lines if line[37:].strip()
    }
    assert starts <= {37, 39}
    text = " ".join(" ".join(lines).split())
    for rows in FOUND.values():
        for row in rows:
            assert f"{row.state} {row.name} " in text
            assert " ".join(row.value.split()) in text
            assert " ".join(row.remedy.split()) in text
    assert [state for state, _ in report_lines(FOUND) if state] == ["ok", "warning", "problem"]


def test_worst_state_and_summary():
    assert worst(FOUND) == "problem"
    assert summary_line(FOUND) == "1 problem and 1 warning."
    assert worst({"a": [Finding("b", "c")]}) == worst({}) == "ok"
    assert summary_line({"a": [Finding("b", "c")]}) == "No problems."
    assert summary_line({"a": [Finding("b", "c", "warning")] * 2}) == "2 warnings."


def test_json_holds_all():
    content = report_json(FOUND)
    assert content["state"] == "problem"
    assert content["findings"][2] == {
        "subject": "extras",
        "name": "glb",
        "value": "not installed",
        "state": "problem",
        "remedy": "pip install trimesh",
    }


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("'HOME/hands/a.jpg' is gone", "'~/hands/a.jpg' is gone"),
        ("HOME", "~"),
        ("HOMEless", "HOMEless"),
        ("/data/ada-l/set and ada-l", "/data/USER/set and ada-l"),
        ("/data/ada-lovelace/set", "/data/ada-lovelace/set"),
        ("/home/somebody/set, C:\\Users\\Some", "/home/USER/set, C:\\Users\\USER"),
        ("https://me:word@host.example/x", "https://host.example/x"),
        ("node17.cluster.example: node17, node170", "HOST: HOST, node170"),
        ("the key is 0123456789abcdef", "the key is ***"),
        ("torch 2.15.0 on Linux", "torch 2.15.0 on Linux"),
    ],
)
def test_private_words(monkeypatch, tmp_path, text, hidden):
    home = tmp_path / "home-of-ada"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("USER", "LOGNAME"):
        monkeypatch.setenv(name, "ada-l")
    monkeypatch.setenv("MY_API_KEY", "0123456789abcdef")
    monkeypatch.setattr(socket, "gethostname", lambda: "node17.cluster.example")
    assert Path.home() == home
    assert private_words_hidden()(text.replace("HOME", str(home))) == hidden.replace("HOME", str(home))


# A separate process in which the command runs, with other packages in front of the installed ones.


SOURCE = Path(gesturehand.__file__).parents[1]
_PROGRAM = """
import sys
from gesturehand.cli.main import main
try:
    code = main(sys.argv[1:])
finally:
    heavy = {"torch", "pytorch_lightning", "wandb"} & sys.modules.keys()
    assert not heavy, heavy
sys.exit(code)
"""


@pytest.fixture
def doctor(tmp_path):
    """Runs the command; returns its exit code and its findings by name."""

    def run(*words: str, before: Path | None = None, **variables: str) -> tuple[int, dict[str, Finding]]:
        path = os.pathsep.join([*([str(before)] if before else []), str(SOURCE)])
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **variables}
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, "doctor", "--json", "--network=false", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.stdout.startswith("{"), done.stderr[-2000:]
        content = json.loads(done.stdout)
        rows = {f"{row.pop('subject')}: {row['name']}": Finding(**row) for row in content["findings"]}
        worst = max((row.state for row in rows.values()), key=("ok", "warning", "problem").index)
        assert content["state"] == worst
        return done.returncode, rows

    return run


# Made-up distributions: their metadata is in a folder that comes first on the path.


def make_distribution(folder: Path, name: str, version: str, *files: str, requires: tuple[str, ...] = ()) -> None:
    """Installs a made-up distribution in a folder: its metadata, and its files, which are empty."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    lines += [f"Requires-Dist: {line}\n" for line in requires]
    (info / "METADATA").write_text("".join(lines))
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in (*files, f"{info.name}/METADATA")))
    # A folder that changes twice within a tick of the clock would look unchanged.
    importlib.invalidate_caches()


# Limits of control groups, with a made-up root, and thread variables.


GIB = 2**30


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


GROUP, ROOT = "proc/self/cgroup", "sys/fs/cgroup"
CONTAINER = {GROUP: "0::/\n", f"{ROOT}/cpu.max": "150000 100000\n", f"{ROOT}/memory.max": f"{GIB}"}
STRICTER_ABOVE = {
    GROUP: "0::/job/step\n", f"{ROOT}/job/cpu.max": "200000 100000", f"{ROOT}/job/step/cpu.max": "max 100000",
    f"{ROOT}/job/step/memory.max": "max",
}  # fmt: skip
VERSION_1 = {
    GROUP: "5:memory:/job\n4:cpu,cpuacct:/job\n", f"{ROOT}/cpu,cpuacct/job/cpu.cfs_quota_us": "300000",
    f"{ROOT}/cpu,cpuacct/job/cpu.cfs_period_us": "100000", f"{ROOT}/cpu,cpuacct/cpu.cfs_quota_us": "-1",
    f"{ROOT}/memory/job/memory.limit_in_bytes": f"{2 * GIB}",
    f"{ROOT}/memory/memory.limit_in_bytes": "9223372036854771712",
}  # fmt: skip


@pytest.mark.parametrize(
    ("files", "quota", "memory"),
    [
        ({}, None, None),
        ({GROUP: "0::/\n"}, None, None),
        (CONTAINER, 1.5, GIB),
        (STRICTER_ABOVE, 2.0, None),
        (VERSION_1, 3.0, 2 * GIB),
    ],
)
def test_limits(tmp_path, files, quota, memory):
    write(tmp_path, files)
    assert core_quota(tmp_path) == quota
    assert memory_limit(tmp_path) == memory


@pytest.mark.parametrize(("said", "state"), [("1", "ok"), ("100000", "warning"), ("many", "warning"), ("0", "warning")])
def test_thread_variable(monkeypatch, said, state):
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert by_name(cores())["OMP_NUM_THREADS"].state == state


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to cores")
def test_cores_of_this_process(monkeypatch):
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        found = by_name(cores())["cores"]
    finally:
        os.sched_setaffinity(0, before)
    assert found.value == f"1 for this process, {os.cpu_count()} in the machine"


# Precisions: errors are those of the formats, and a format in which a device cannot compute is a finding.


CPU = torch.device("cpu")


@pytest.mark.parametrize(("name", "bits"), [("fp32", 24), ("bf16-mixed", 8), ("fp16-mixed", 11)])
def test_error_is_that_of_the_format(name, bits):
    """For sums of a few hundred products, rounded to this many bits; with 3 more bits the error would be smaller."""
    step = 2.0**-bits
    assert step / 4 < error_of(CPU, name) < 50 * step
    assert error_of(CPU, name) < TOLERANCES[name]


def test_settings_are_as_before():
    torch.set_float32_matmul_precision("medium")
    try:
        error_of(CPU, "tf32")
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_precision_that_fails_is_a_warning_and_float32_a_problem(monkeypatch):
    def error(device, name):
        if name == "fp16-mixed":
            raise RuntimeError("no kernel image is available for execution on the device")
        return 0.3

    monkeypatch.setattr(devices, "error_of", error)
    found = by_name(precisions(CPU))
    assert found["cpu fp32"].state == "problem"
    assert "wrong by 3.0e-01" in found["cpu fp32"].value
    assert found["cpu bf16-mixed"].state == "warning"
    assert "no kernel image" in found["cpu fp16-mixed"].value
    assert "tf32" not in " ".join(found)


def test_gpu_without_a_build_for_it_is_a_problem(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(devices, "precisions", lambda device: iter(()))
    found = by_name(computed("570.10"))["CUDA"]
    assert (found.state, found.value) == ("problem", "there is a GPU, and PyTorch is built without CUDA")
    assert by_name(computed(""))["CUDA"].state == "ok"


# Examinations that fail, crash or hang are findings.


def test_failing_examination_is_a_finding():
    def examine():
        yield Finding("a", "1")
        raise OSError("the disk\nis gone")

    found = guarded("disks", examine)
    assert found[0] == Finding("a", "1")
    assert (found[1].name, found[1].state) == ("disks", "problem")
    assert "OSError: the disk is gone" in found[1].value


FRAGILE = """
import os, signal, sys, time

def examine(how):
    yield "first"
    yield ["first", "works", "ok", ""]
    print("a library prints this")
    yield "second"
    if how == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "hang":
        time.sleep(600)
    if how == "raise":
        raise RuntimeError("second is broken")
    yield ["second", "works", "warning", "do this"]
"""


@pytest.fixture
def fragile(tmp_path, monkeypatch):
    """The name of a module with faulty examinations, which another process can import."""
    (tmp_path / "fragile.py").write_text(FRAGILE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "fragile"


@pytest.mark.parametrize(
    ("how", "value"),
    [
        ("crash", "the process was ended by SIGSEGV"),
        ("hang", "the process did not answer within 3 s"),
        ("raise", "the process failed with exit code 1: RuntimeError: second is broken"),
    ],
)
def test_process_that_ends_early_names_its_last_step(fragile, how, value):
    found = examined_apart(fragile, "examine", 3.0 if how == "hang" else 60.0, how)
    assert found[0] == Finding("first", "works")
    assert (found[1].name, found[1].value, found[1].state) == ("second", value, "problem")
    assert len(found) == 2


def test_process_that_ends_well(fragile):
    found = examined_apart(fragile, "examine", 60.0, "well")
    assert found == [Finding("first", "works"), Finding("second", "works", "warning", "do this")]


# Hand models that are present, broken, or missing.


def test_open_hand_alone():
    found = by_name(hands(None))
    assert "1609 vertices" in found["open hand"].value
    assert found["MANO"].state == "ok"


def test_both_hands_one_and_a_broken_one(tmp_path):
    folder = tmp_path / "mano_v1_2" / "models"
    folder.mkdir(parents=True)
    write_npz(open_hand("right"), folder / "MANO_RIGHT.npz")
    found = by_name(hands(str(tmp_path)))
    assert found["MANO right"].value.endswith(f"fingerprint {open_hand('right').fingerprint[:16]}")
    assert "one hand only" in found["MANO"].value
    assert "MANO right" in by_name(hands(str(folder / "MANO_RIGHT.npz")))
    write_npz(open_hand("left"), folder / "MANO_LEFT.npz")
    assert set(by_name(hands(str(tmp_path)))) == {"open hand", "MANO right", "MANO left"}
    (folder / "MANO_LEFT.npz").write_bytes(b"broken")
    found = by_name(hands(str(tmp_path)))
    assert found["MANO right"].state == "ok"
    assert found["MANO left"].state == "problem"


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_no_files(tmp_path, name):
    assert by_name(hands(str(tmp_path / name)))["MANO"].state == "problem"


# Addresses that can be reached, with servers on this machine.


NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def reached(logged_out, monkeypatch):
    """The addresses that can be reached: none, unless a test adds some."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", NOBODY)
    monkeypatch.setenv("HF_ENDPOINT", NOBODY)
    return lambda cluster=None: by_name(network(cluster))


def test_nothing_answers(reached):
    found = reached()
    assert found["W&B"].value == "the server that WANDB_BASE_URL names does not answer"
    assert found["W&B"].state == "ok", "nobody is logged in, so nobody misses it"
    assert found["W&B login"].value == "nobody is logged in: runs are logged offline"
    assert found["model hub"].state == "warning"


def test_logged_in_and_the_key_is_not_shown(reached, monkeypatch, server):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    assert reached()["W&B"].state == "warning"
    for name in ("WANDB_BASE_URL", "HF_ENDPOINT"):
        monkeypatch.setenv(name, server(200))
    found = reached()
    assert {row.state for row in found.values()} == {"ok"}
    assert found["W&B login"].value == "somebody is logged in: runs are logged online"
    assert found["model hub"].value == "the hub that HF_ENDPOINT names answers"
    assert "0123456789abcdef" not in str(found)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert reached()["W&B login"].value.endswith("runs are logged offline")


def test_online_by_force_without_a_login_is_a_problem(reached, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    assert reached()["W&B login"].state == "problem"


def test_hub_that_is_not_wanted_is_not_asked(reached, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert reached()["model hub"].state == "ok"


def test_scheduler(reached):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert reached(f"tcp://127.0.0.1:{port}")["scheduler"].state == "ok"
    closed = reached(f"tcp://127.0.0.1:{port}")["scheduler"]
    assert closed.state == "problem"
    assert "refused" in closed.value
    assert "127.0.0.1" not in closed.value


@pytest.mark.parametrize("address", ["10.0.0.1:8786", "tcp://10.0.0.1", "http://a:80", "tcp://a:port", "tcp://:1", ""])
def test_text_that_is_not_an_address(address):
    with pytest.raises(UserError, match="such as tcp://"):
        address_of(address)


# Storage: folders that are read-only or missing, files that cannot be read, locks.


def files_of(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


def test_speeds_and_locks_of_a_set_which_stays_as_it_is(synthetic_root):
    before = files_of(synthetic_root)
    found = by_name(data_folder(synthetic_root))
    assert files_of(synthetic_root) == before
    assert set(found) >= {"data, sequential write", "data, sequential read", "data, random reads", "data, free space"}
    assert found["data, locks"].value == "work between processes"
    assert f"({module._FILES_READ} files of set)" in found["data, random reads"].value


def test_read_only_folder_is_measured_by_reading(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x" * 1000)
    tmp_path.chmod(0o555)
    try:
        found = by_name(data_folder(tmp_path))
        runs = by_name(written_folder("runs", tmp_path / "runs", "elsewhere"))["runs"]
    finally:
        tmp_path.chmod(0o755)
    assert found["data, writable"].value.startswith("no (it is read-only)")
    assert "data, sequential write" not in found
    assert "1 files" in found["data, random reads"].value
    assert (runs.state, runs.remedy) == ("problem", "elsewhere")


def test_missing_folder_and_file_instead_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GESTUREHAND_CACHE", str(tmp_path / "cache"))
    (tmp_path / "file").write_text("")
    found = by_name(storage(str(tmp_path / "none"), str(tmp_path / "file")))
    assert (found["data"].state, "does not exist" in found["data"].value) == ("warning", True)
    assert found["runs"].state == "problem"
    assert "it is a file" in found["runs"].value
    assert "which will be made" in found["index cache"].value
    assert not (tmp_path / "cache").exists()
    assert "is not a folder" in by_name(storage(str(tmp_path / "file"), str(tmp_path)))["data"].value


def test_cache_that_cannot_be_written_matters_where_the_data_cannot(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("")
    monkeypatch.setenv("GESTUREHAND_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    assert by_name(storage(str(tmp_path / "data"), str(tmp_path)))["index cache"].state == "warning"
    assert by_name(storage(str(tmp_path / "none"), str(tmp_path)))["index cache"].state == "problem"


def test_lock_that_keeps_nobody_out_is_a_warning(tmp_path, monkeypatch):
    class SoftHearted(filelock.BaseFileLock):
        def _acquire(self):
            self._context.lock_file_fd = 0

        def _release(self):
            self._context.lock_file_fd = None

    monkeypatch.setattr(module, "try_lock", lambda path: SoftHearted(path))
    found = by_name(written_folder("runs", tmp_path, "elsewhere"))["runs, locks"]
    assert (found.state, found.value) == ("warning", "do not keep other processes out")
    assert list(tmp_path.iterdir()) == []


def test_file_system_is_what_df_says(tmp_path):
    df = subprocess.run(["df", "--output=fstype", str(tmp_path)], capture_output=True, text=True)
    if df.returncode:
        pytest.skip("there is no GNU df")
    assert file_system(tmp_path) == df.stdout.split()[-1]


def test_small_files_leave_out_large_and_hidden_ones(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"x")
    (tmp_path / ".hidden").write_bytes(b"x")
    with (tmp_path / "archive.tar").open("wb") as file:
        file.truncate(module._SMALL + 1)
    assert small_files(tmp_path) == [tmp_path / "images" / "a.jpg"]


def test_little_shared_memory_is_a_warning(tmp_path, monkeypatch):
    (found,) = shared_memory(tmp_path)
    assert found.state == "ok"
    monkeypatch.setattr(module, "_SHARED_NEEDED", 2**62)
    (found,) = shared_memory(tmp_path)
    assert found.state == "warning"
    assert "--shm-size" in found.remedy
    assert list(shared_memory(tmp_path / "none")) == []


# Versions against made-up distributions, and libraries that are broken.


@pytest.fixture
def first(tmp_path, monkeypatch):
    """A folder that comes first on the path."""
    folder = tmp_path / "first"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    return folder


@pytest.mark.parametrize(
    ("asked", "state", "value"),
    [
        ("made-up-hands>=1.5,<2", "ok", "1.5.2 (<2,>=1.5)"),
        ("made-up-hands>=1.6", "problem", "1.5.2 (>=1.6)"),
        ("made-up-hands", "ok", "1.5.2 (any version)"),
        ("nobody-has-this>=1", "problem", "not installed (>=1)"),
    ],
)
def test_version_against_the_required_one(first, asked, state, value):
    make_distribution(first, "made-up-hands", "1.5.2")
    finding = compared(Requirement(asked))
    assert (finding.state, finding.value) == (state, value)
    assert (finding.remedy == "") == (state == "ok")


def test_second_provider_of_cv2_is_a_warning(first):
    (alone,) = providers_of_cv2()
    assert alone.state == "ok"
    assert alone.value.startswith("opencv-python-headless ")
    make_distribution(first, "opencv-contrib-python", "4.9.0.80", "cv2/contrib.py")
    (both,) = providers_of_cv2()
    assert both.state == "warning"
    assert "opencv-contrib-python 4.9.0.80, opencv-python-headless" in both.value
    assert "pip uninstall -y opencv-contrib-python opencv-python-headless" in both.remedy


@pytest.mark.parametrize(("torch", "state"), [("2.99.1", "ok"), ("2.99.1+cu130", "ok"), ("2.98.0", "problem")])
def test_torchvision_names_the_torch_that_it_is_built_for(first, torch, state):
    make_distribution(first, "torchvision", "0.99.1", requires=("numpy", "torch==2.99.1"))
    make_distribution(first, "torch", torch)
    (found,) = pairs()
    assert found.state == state
    assert ("torch==2.99.1" in found.remedy) == (state == "problem")


def broken(folder, source):
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text(source)
    return folder


def test_broken_torch_is_a_problem_and_the_rest_is_reported(doctor, tmp_path, synthetic_root):
    before = broken(tmp_path, "raise OSError('libcudart.so.13: cannot open shared object file')")
    code, rows = doctor(f"--root={synthetic_root}", before=before)
    assert code == 1
    assert rows["versions: import torch"].state == "problem"
    assert "libcudart.so.13: cannot open shared object file" in rows["versions: import torch"].value
    assert "libcudart.so.13" in rows["devices: PyTorch"].value
    assert rows["storage: data, random reads"].state == "ok"
    assert rows["hand models: open hand"].state == "ok"


@pytest.mark.slow
def test_torch_that_crashes_is_a_problem(doctor, tmp_path):
    before = broken(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGILL)")
    code, rows = doctor(before=before)
    assert code == 1
    assert rows["versions: import torch"].value == "the process was ended by SIGILL"
    assert rows["devices: import torch"].value == "the process was ended by SIGILL"


@pytest.mark.slow
def test_other_version_than_its_distributions_comes_from_elsewhere(doctor, tmp_path):
    (tmp_path / "smplx").mkdir()
    (tmp_path / "smplx" / "__init__.py").write_text("__version__ = '0.0.7'")
    code, rows = doctor(before=tmp_path)
    assert code == 0
    assert rows["versions: import smplx"].state == "warning"
    assert "is version 0.0.7, and smplx is 0.1." in rows["versions: import smplx"].value


@pytest.mark.slow
def test_healthy_installation_has_no_problem(doctor, synthetic_root):
    code, rows = doctor(f"--root={synthetic_root}")
    assert code == 0
    assert rows["versions: imports"].state == "ok"
    assert rows["devices: cpu fp32"].value.startswith("works, to ")
    assert rows["devices: PyTorch's threads"].value == "1 for an operation"
    assert "network: W&B" not in rows


def test_states(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    requires = (
        "numpy",
        "made-up-runtime>=1; extra == 'predict'",
        "made-up-runtime>=3; extra == 'detect'",
        "nobody-has-this>=1; extra == 'glb'",
        "made-up-runtime>=1; extra == 'open-hand'",
    )
    make_distribution(tmp_path, "made-up-hands", "1.0", requires=requires)
    make_distribution(tmp_path, "made-up-runtime", "2.0")
    found = by_name(extras("made-up-hands"))
    assert list(found) == list(EXTRAS)
    assert found["predict"].value == found["open-hand"].value == "installed"
    assert (found["detect"].state, found["detect"].value) == ("warning", "made-up-runtime 2.0 (>=3)")
    assert (found["glb"].state, found["glb"].value) == ("ok", "not installed (nobody-has-this)")
    assert "gesturehand[glb]" in found["glb"].remedy
    assert "meshes as GLB files" in found["glb"].remedy
    assert found["heic"].state == "warning", "a release that does not know the extra"


def test_own_extras_are_known():
    assert all("not among" not in row.value for row in extras())
