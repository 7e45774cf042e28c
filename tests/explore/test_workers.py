"""Workers as processes: killed, lost, on a scheduler of one's own; the table is the same."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nonresnet_hls
from nonresnet_hls.errors import ToolError
from nonresnet_hls.pipeline import cluster
from tests.explore.cluster import STUDY, explored, study

__all__ = ["explored", "study"]

pytest.importorskip("distributed", reason="the extra explore is not installed")
pytest.importorskip("pyarrow", reason="the extra explore is not installed")

_PACKAGE = str(Path(nonresnet_hls.__file__).parents[1])
_ENVIRONMENT = os.environ | {"PYTHONPATH": _PACKAGE, "CUDA_VISIBLE_DEVICES": ""}


def command(*arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "nonresnet_hls", "explore", *map(str, arguments)],
        env=_ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: "subprocess.Popen[str]", status: int = 0) -> str:
    out, err = process.communicate(timeout=1800)
    assert process.returncode == status, err
    return out


def table(study: Path) -> bytes:
    return (study.parent / study.stem / "trials.csv").read_bytes()


def elsewhere(built: Path, folder: Path) -> Path:
    """The same study in a workspace of its own, where nothing is done yet."""
    shutil.copytree(built, folder)
    (folder / "studies").mkdir()
    (folder / "studies" / "small.toml").write_text(STUDY)
    return folder / "studies" / "small.toml"


def ended(study: Path) -> int:
    return len(list((study.parent / study.stem / "trials").glob("*/stage.json")))


def wait_for(what: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    while not what():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def workers_of(pid: int) -> set[int]:
    """The processes below one, in whatever depth."""
    found, waiting = set(), [pid]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                children = [int(child) for child in task.read_text().split()]
                found.update(children)
                waiting += children
    return found


def are_running(pids: set[int]) -> set[int]:
    def is_one(pid: int) -> bool:
        with contextlib.suppress(OSError):
            return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return False

    return {pid for pid in pids if is_one(pid)}


@pytest.mark.nightly
def test_a_killed_study_leaves_no_process_and_goes_on(study: Path, built: Path, tmp_path: Path) -> None:
    other = elsewhere(built, tmp_path / "other")
    finished(command(study, "--workers", "1"))
    killed = command(other, "--workers", "2", "--workspace", other.parents[1])
    wait_for(lambda: ended(other) >= 1, killed)
    workers = workers_of(killed.pid)
    assert len(workers) >= 4  # two, each beside what looks after it
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    for _ in range(600):
        if not are_running(workers):
            break
        time.sleep(0.1)
    assert not are_running(workers)
    before = ended(other)
    assert 1 <= before <= 4
    refused = command(other, "--workspace", other.parents[1])
    assert "--resume goes on with it" in refused.communicate(timeout=600)[1]
    out = finished(command(other, "--workers", "2", "--workspace", other.parents[1], "--resume"))
    assert f"{4 - before} of them ran now, the others had ended before" in out
    assert table(other) == table(study)
    assert not list(other.parents[1].rglob(".*partial-*"))


@pytest.mark.nightly
def test_a_lost_worker_costs_what_it_was_at(study: Path, built: Path, tmp_path: Path) -> None:
    other = elsewhere(built, tmp_path / "other")
    finished(command(study, "--workers", "1"))
    with scheduler() as (address, (_, *workers)):
        process = command(other, "--scheduler", address, "--workspace", other.parents[1])
        wait_for(lambda: list((other.parent / "small" / "networks").glob(".*.partial-*")), process)
        busy = {
            int(path.name.rpartition("-")[2]) for path in (other.parent / "small" / "networks").glob(".*.partial-*")
        }
        victim = next(worker for worker in workers if worker.pid in busy)
        victim.kill()
        finished(process)
    assert table(other) == table(study)


@contextlib.contextmanager
def scheduler() -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """A scheduler of its own, and its process and those of three workers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    programs = [["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]]
    programs += [["worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"]] * 3
    started = []
    try:
        for program, *arguments in programs:
            line = [sys.executable, "-P", "-m", f"distributed.cli.dask_{program}", *arguments]
            quiet = subprocess.DEVNULL
            started.append(subprocess.Popen(line, env=_ENVIRONMENT, stdout=quiet, stderr=quiet))
        yield address, started
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.nightly
def test_24_trials_of_the_digits_network_are_the_same_wherever_they_run(tmp_path: Path) -> None:
    text = """
        network = "resnet8"
        epochs = 1
        [axes]
        skips = ["residual", "short", "plain", "merged"]
        bits = [16, 8, [4, 6]]
        board = ["pynq-z2", "zcu104"]
        [networks]
        short = "shortresnet8"
        plain = "nonresnet8"
    """
    one, other = (tmp_path / name / "digits.toml" for name in ("one", "other"))
    for path in (one, other):
        path.parent.mkdir()
        path.write_text(text)
    finished(command(one, "--workers", "2", "--workspace", one.parent))
    with scheduler() as (address, (_, *workers)):
        process = command(other, "--scheduler", address, "--workspace", other.parent)
        wait_for(lambda: ended(other) >= 8, process)
        workers[0].kill()
        finished(process)
    assert table(one) == table(other)
    assert table(one).count(b"\n") == 25
    assert "0 of them ran now" in finished(command(one, "--workers", "2", "--workspace", one.parent, "--resume"))


@pytest.mark.nightly
def test_a_scheduler_that_has_gone_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    with scheduler() as (address, processes), cluster.remote(address) as client:
        waiting = {str(number): client.submit(time.sleep, 1000, key=(f"sleep-{number}", 0)) for number in range(2)}
        threading.Timer(2, processes[0].kill).start()
        with pytest.raises(ToolError, match="the scheduler has gone; run again with --resume to go on"):
            list(cluster.ended(client, waiting))


def web_server(listening: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            there, _ = listening.accept()
            there.recv(100)
            there.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            there.close()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://127.0.0.1:1", "Timed out trying to connect"),
        ("tcp://127.0.0.1:SILENT", "nothing came"),
        ("tcp://127.0.0.1:WEB", "what answers is something else"),
        ("http://127.0.0.1:80", "unknown address scheme 'http'"),
        ("nonsense", "missing port number"),
        ("", "missing port number"),
        ("tcp://[::1:1", "invalid address"),
        ("tcp://a\nb:1", ""),
    ],
)
def test_a_scheduler_that_does_not_answer_is_named(address: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_ANSWER_S", 1)
    with socket.socket() as silent, socket.socket() as web:
        for one in (silent, web):
            one.bind(("127.0.0.1", 0))
            one.listen()
        threading.Thread(target=web_server, args=(web,), daemon=True).start()
        address = address.replace("SILENT", str(silent.getsockname()[1])).replace("WEB", str(web.getsockname()[1]))
        with pytest.raises(ToolError) as error, cluster.remote(address):
            pytest.fail("it cannot be had")
        web.shutdown(socket.SHUT_RDWR)
    text = str(error.value)
    assert text.startswith("--scheduler ")
    assert "a Dask scheduler that answers within 1 s wanted" in text
    assert said in text
    assert "\n" not in text


def test_a_scheduler_without_workers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed

    monkeypatch.setattr(cluster, "_WORKER_S", 0.5)
    options: dict[str, Any] = {"dashboard_address": "127.0.0.1:0", "silence_logs": 50}
    with (
        distributed.LocalCluster(n_workers=0, processes=False, protocol="tcp", **options) as empty,
        pytest.raises(ToolError, match="one or more workers wanted, none has joined it"),
        cluster.remote(empty.scheduler_address),
    ):
        pytest.fail("it has none")
