"""What the user sees while work goes on, on stderr (stdout holds results alone): lines, and how long it will take.

On a terminal what takes long has a bar; in a log it says a line now and then. A notebook has lines and bars of its own.

Names and descriptions come from files of others; what a terminal would obey is shown, not sent.
"""

import contextlib
import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from nonresnet_hls import notebook
from nonresnet_hls.printable import printable

__all__ = ["duration", "printable", "printable_stdout", "say", "watched"]

_started = time.monotonic()


class _Printable(io.TextIOBase):
    """Passes text on to a stream, line breaks and tabulators as they are, all other control characters spelled out."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(printable(text, "\n\t"))
        return len(text)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream."""
        return str(self._stream.encoding or "utf-8")

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        number: int = self._stream.fileno()
        return number

    def isatty(self) -> bool:
        return bool(self._stream.isatty())


@contextlib.contextmanager
def printable_stdout() -> Iterator[None]:
    """What is printed within goes to stdout through `printable`."""
    with contextlib.redirect_stdout(_Printable(sys.stdout)):
        yield


def say(line: str) -> None:
    """Print one line of progress, with the seconds since the start."""
    text = f"[{time.monotonic() - _started:6.1f} s] {printable(line)}"
    if notebook.is_shown():
        _cell.say(text)
    elif _bars:  # written above the bars
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)
    else:
        print(text, file=sys.stderr, flush=True)


_bars: list[object] = []
"""Those on the screen."""

_cell = notebook.Lines()

_LOOK_EVERY_S = 0.5
_SAY_AFTER_S = 5.0
_SAY_EVERY_S = 60.0
_WORTH_SAYING_S = 10.0


@contextlib.contextmanager
def watched(what: str, total: float, done: Callable[[], float], unit: str) -> Iterator[None]:
    """Show how far the work within is, and how long it still takes.

    Args:
        what: goes on.
        total: of the steps.
        done: how many of them are done; asked twice a second from another thread.
        unit: what a step is, in the plural.
    """
    over = threading.Event()
    kind: Callable[[str, float, str], Any] = _Bar if sys.stderr.isatty() else _Lines
    show = (notebook.Bar if notebook.is_shown() else kind)(printable(what), total, unit)

    def look() -> None:
        while not over.wait(_LOOK_EVERY_S):
            show.look(min(done(), total))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        show.close()


class _Bar:
    def __init__(self, what: str, total: float, unit: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, desc=what, unit=f" {unit}", leave=False, file=sys.stderr, bar_format=_FORMAT)
        _bars.append(self)

    def look(self, done: float) -> None:
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        _bars.remove(self)
        self._bar.close()


_FORMAT = "{desc}: {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left"


class _Lines:
    def __init__(self, what: str, total: float, unit: str) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._began = time.monotonic()
        self._next = self._began + _SAY_AFTER_S

    def look(self, done: float) -> None:
        now = time.monotonic()
        if now < self._next or done <= 0:
            return
        left_s = (now - self._began) * (self._total - done) / done
        if left_s >= _WORTH_SAYING_S:
            self._next = now + _SAY_EVERY_S
            say(f"{self._what}: {done:.0f} of {self._total:.0f} {self._unit}; {duration(left_s)} left")

    def close(self) -> None:
        pass


def duration(seconds: float) -> str:
    """Seconds as a user reads them.

    >>> duration(41.2), duration(3700)
    ('41 s', '1 h 02 min')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
