"""What the user sees while work goes on: lines on stderr, so that stdout holds results alone.

Names and descriptions come from files of others; what a terminal would obey is shown, not sent.
"""

import contextlib
import io
import sys
import time
import unicodedata
from collections.abc import Iterator
from typing import Any

_started = time.monotonic()


def printable(text: str, keep: str = "") -> str:
    r"""Text with what is no character to be seen (escapes, line breaks, changes of direction) spelled out.

    >>> print(printable("a\x1b[2Jb\n"))
    a\x1b[2Jb\n
    """
    if text.isprintable():
        return text
    return "".join(
        one if one in keep or not _is_control(one) else one.encode("unicode_escape").decode() for one in text
    )


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


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
    print(f"[{time.monotonic() - _started:6.1f} s] {printable(line)}", file=sys.stderr, flush=True)
