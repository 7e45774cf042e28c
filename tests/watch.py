"""A watch over what a test touches: fails on any file that is written outside a folder, and on any program started."""

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.rename": 2, "os.remove": 1, "os.mkdir": 1, "os.rmdir": 1, "os.symlink": 2, "os.link": 2, "os.truncate": 1,
    "os.chmod": 1, "os.chown": 1, "os.utime": 1, "os.mkfifo": 1,
}  # fmt: skip
_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect")

_inside: Path | None = None
_seen: list[str] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _inside is None:
        return
    if event in _STARTS:
        _seen.append(f"{event} {arguments[:1]}")
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES:
        _check(event, arguments[:1])
    elif event in _CHANGES:
        _check(event, arguments[: _CHANGES[event]])


def _check(event: str, paths: tuple[Any, ...]) -> None:
    for path in paths:
        if isinstance(path, str | bytes | os.PathLike):
            place = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # links are not to be followed
            if place != os.devnull and not place.startswith(f"{_inside}{os.sep}"):
                _seen.append(f"{event} {place}")


class Hang(BaseException):
    """It took too long."""


def _ring(*_: object) -> None:
    raise Hang


_installed = False
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_PROF)


@contextlib.contextmanager
def watched(inside: Path, seconds: float = 30.0) -> Iterator[None]:
    """Within, nothing may be written outside `inside`, nothing started, and it may not take long.

    What takes long is measured as the processor's time, since other programs may want it too; what waits for something,
    as ten times as much of a clock's. Native code is watched by what is left: the current folder and the folder of
    temporary files, both made here, must be as they were.
    """
    global _inside, _installed
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True
    (inside / "here").mkdir(exist_ok=True)
    (inside / "temporary").mkdir(exist_ok=True)
    folder, temporary, bytecode = Path.cwd(), tempfile.tempdir, sys.dont_write_bytecode
    rang = [signal.signal(number, _ring) for number in (signal.SIGALRM, signal.SIGPROF)]
    os.chdir(inside / "here")
    tempfile.tempdir, sys.dont_write_bytecode, _inside = str(inside / "temporary"), True, inside
    _seen.clear()
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 10 * seconds)
    try:
        yield
    finally:
        for timer, number, before in zip(_TIMERS, (signal.SIGALRM, signal.SIGPROF), rang, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, before)
        _inside, tempfile.tempdir, sys.dont_write_bytecode = None, temporary, bytecode
        os.chdir(folder)
    assert not _seen, f"touched outside: {_seen[:3]}"
    left = [path.name for place in ("here", "temporary") for path in (inside / place).iterdir()]
    left = [name for name in left if not name.startswith("__autograph_generated")]  # TensorFlow's own, gone at exit
    assert not left, f"left behind: {left[:3]}"
