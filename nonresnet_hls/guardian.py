"""What must not outlive this process, however it ends: the programs that it started, and temporary files.

A small process of its own (`watch`) is told of every program that is started. When the pipe to it closes, because this
process has ended or was killed, it kills those that still run, and what they started in turn. Temporary files lie in
one folder, which is locked as long as its process lives; what a killed one left is removed at the next start.
"""

import atexit
import contextlib
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_FOLDER = "nonresnet-hls-"
_LOCK = "lock"
# A folder that is not locked yet may be a moment old.
_YOUNG_SECONDS = 60

_starting = threading.Lock()
_watcher: "subprocess.Popen[bytes] | None" = None


@contextlib.contextmanager
def started(command: Sequence[str], **options: Any) -> "Iterator[subprocess.Popen[Any]]":
    """Start a program, which is killed with all that it started when the block or this process ends before it.

    Args:
        command: what to run.
        options: of `subprocess.Popen`.

    Raises:
        OSError: it cannot be run.
    """
    _tell(b"")  # that there is somebody to be told
    with subprocess.Popen(command, **options) as process:
        line = f"{process.pid} {_started(process.pid)}\n".encode()
        _tell(b"+" + line)
        try:
            yield process
        except BaseException:
            kill_tree(process.pid)
            raise
        finally:
            process.wait()
            _tell(b"-" + line)


def _tell(line: bytes) -> None:
    global _watcher
    with _starting:
        if _watcher is None or _watcher.poll() is not None:
            if _watcher is None:
                atexit.register(_dismiss)
            # In a session of its own, so that what ends this process in a terminal leaves it.
            _watcher = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        if _watcher.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # then programs may outlive us, as they would without it
                _watcher.stdin.write(line)
                _watcher.stdin.flush()


def _dismiss() -> None:
    """Close the pipe: nothing runs any more that would have to be killed."""
    if _watcher is not None and _watcher.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            _watcher.stdin.close()
        _watcher.wait()


def watch(lines: Any) -> None:
    """The other process: remembers what runs, and kills it when there is nobody left to say that it has ended."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    running: dict[str, None] = {}
    for line in lines:
        if line[:1] == "+":
            running[line[1:]] = None
        else:
            running.pop(line[1:], None)
    for entry in running:
        process, started = entry.split()
        if _started(int(process)) == started:  # and not another of the same number
            kill_tree(int(process))


def kill_tree(process: int) -> None:
    """Kill a process and all that it started; each is stopped first, so that it starts no more."""
    found, waiting = [], [process]
    while waiting:
        number = waiting.pop()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(number, signal.SIGSTOP)
        found.append(number)
        waiting += _children(number)
    for number in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(number, signal.SIGKILL)


def _children(process: int) -> list[int]:
    numbers: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            numbers += [int(number) for number in (thread / "children").read_text().split()]
    return numbers


def _started(process: int) -> str:
    """When a process was started, in ticks since the machine was; "" where there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "0"


@contextlib.contextmanager
def temporary_files() -> Iterator[Path]:
    """Within, temporary files of this process and of the programs that it starts lie in one folder."""
    remove_leftovers()
    before, named = tempfile.tempdir, os.environ.get("TMPDIR")
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER))
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
        try:
            yield folder
        finally:
            tempfile.tempdir = before
            if named is None:
                os.environ.pop("TMPDIR", None)
            else:
                os.environ["TMPDIR"] = named
            shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers() -> None:
    """Remove the temporary files of processes of ours that were killed."""
    with contextlib.suppress(OSError):
        for folder in Path(tempfile.gettempdir()).iterdir():
            if folder.name.startswith(_FOLDER):
                _remove_if_left(folder)


def _remove_if_left(folder: Path) -> None:
    with contextlib.suppress(OSError):
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            return
        handle = None
        try:
            handle = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            if time.time() - status.st_mtime < _YOUNG_SECONDS:
                return
        finally:
            if handle is not None:
                os.close(handle)
        shutil.rmtree(folder)


if __name__ == "__main__":
    watch(sys.stdin)
