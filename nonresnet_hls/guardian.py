"""What must not outlive this process, however it ends: the programs that it started, and temporary files.

Every program is started with a token in its environment, which what it starts inherits. When the pipe to a small
process of its own (`watch`) closes, because this process has ended or was killed, that one kills whatever has the
token. Temporary files lie in one folder, which is locked as long as its process lives; what a killed one left is
removed at the next start.
"""

import atexit
import contextlib
import fcntl
import os
import secrets
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

_VARIABLE = "NONRESNET_STARTED_BY"
_token = f"{os.getpid()}-{secrets.token_hex(8)}"
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
    _have_watched()
    environment = dict(options.pop("env", os.environ)) | {_VARIABLE: _token}
    with subprocess.Popen(command, env=environment, **options) as process:
        try:
            yield process
        except BaseException:
            if process.poll() is None:  # else its number may be another's by now
                kill_tree(process.pid)
            raise


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Within, what others start (hls4ml its compiler) is killed with this process, too."""
    _have_watched()
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = _token
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = before


def _have_watched() -> None:
    """Start the other process, if it does not run."""
    global _watcher
    with _starting:
        if _watcher is not None and _watcher.poll() is None:
            return
        if _watcher is None:
            atexit.register(_dismiss)
        # In a session of its own, so that what ends this process in a terminal leaves it.
        _watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, _token],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={name: value for name, value in os.environ.items() if name != _VARIABLE},
        )


def _dismiss() -> None:
    if _watcher is not None and _watcher.stdin is not None:
        _watcher.stdin.close()
        _watcher.wait()


def watch(pipe: Any, token: str) -> None:
    """The other process: waits until nobody holds the pipe any more, and kills what was started with the token."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    pipe.read()
    mark = f"{_VARIABLE}={token}".encode()
    for _ in range(_ROUNDS):  # what was just being started is found in the next
        found = [process for process in _processes() if mark in _environment(process)]
        if not found:
            return
        for process in found:
            kill_tree(process)
        time.sleep(_ROUND_SECONDS)


_ROUNDS = 100
_ROUND_SECONDS = 0.1


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _environment(process: int) -> list[bytes]:
    try:
        return Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:  # of another user, or ended
        return []


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
    watch(sys.stdin, sys.argv[1])
