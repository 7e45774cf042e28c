"""A report's text in memory, within bounds, and errors that name its file and line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from nonresnet_hls.errors import ReportError
from nonresnet_hls.reports.quantities import NotAFigureError, quote

# The largest report known to us is 1.4 MB. With these bounds the reader stays below 500 MB.
LARGEST_FILE = 48 * 2**20
MOST_LINES = 1_500_000
LONGEST_LINE = 200_000
MOST_CELLS = 2_000_000
HEAD_BYTES = 32 * 2**10

T = TypeVar("T")

_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass
class Source:
    """The content of one file; `name` is how errors call it."""

    name: str
    data: bytes
    cells: int = 0  # of tables that were read, all together

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends; undecodable bytes become U+FFFD."""
        data = self.data
        for bom, encoding in _BOMS:
            if data.startswith(bom):
                data = data.decode(encoding, "replace").encode("utf-8", "replace")
                break
        if data.count(b"\n") > MOST_LINES or data.count(b"\r") > 2 * MOST_LINES:
            raise self.error(None, f"more than {MOST_LINES} lines; no report has so many")
        if b"\n" not in data:  # old Mac line ends
            data = data.replace(b"\r", b"\n")
        raw = data.split(b"\n")
        longest = max(range(len(raw)), key=lambda number: len(raw[number]))
        if len(raw[longest]) > LONGEST_LINE:
            raise self.error(longest, f"a line of more than {LONGEST_LINE} bytes; no report has such lines")
        return [line.rstrip(b"\r").decode("utf-8", "replace") for line in raw]

    @property
    def unended(self) -> int | None:
        """The last line where nothing ends it: a figure in it may have lost digits."""
        return None if self.data.rstrip(b"\0").endswith((b"\n", b"\r")) else len(self.lines) - 1

    def count_cells(self, line: int, number: int) -> None:
        """Account for the cells of a table's line.

        Raises:
            ReportError: there were too many.
        """
        self.cells += number
        if self.cells > MOST_CELLS:
            raise self.error(line, f"tables of more than {MOST_CELLS} cells; no report has so many")

    def error(self, line: int | None, message: str) -> ReportError:
        """The error for 0-based `line`; None: for the file as a whole, shown as line 1."""
        shown = "".join(c if c.isprintable() else "?" for c in f"{self.name}:{(line or 0) + 1}: {message}")
        return ReportError(shown)

    def truncated(self, missing: str) -> ReportError:
        """The error for a file that ends too early."""
        last = len(self.lines) - 1
        return self.error(max(last, 0), f"truncated: the file ends before {missing}")

    def check_order(self, line: int, cycles: Mapping[str, int | None]) -> None:
        """That no minimum of latency and interval is above its maximum.

        Raises:
            ReportError: one is.
        """
        for what in ("latency", "interval"):
            low, high = cycles[f"{what}_min_cycles"], cycles[f"{what}_max_cycles"]
            if low is not None and high is not None and low > high:
                raise self.error(line, f"{what}: the minimum {low} is above the maximum {high}")

    def figure(self, line: int, label: str, read: Callable[[str], T], text: str) -> T:
        """Read the figure `label` from `text`, which stands in `line`."""
        try:
            return read(text)
        except NotAFigureError as error:
            raise self.error(line, f"{label}: {error}") from None

    def required(self, line: int, label: str, read: Callable[[str], T | None], text: str) -> T:
        """Like `figure`, where the tool always prints one."""
        value = self.figure(line, label, read, text)
        if value is None:
            raise self.error(line, f"{label}: wanted a figure, got {quote(text)}")
        return value


def head_of(path: Path) -> bytes:
    """The beginning of a file, by which its kind is told; empty if it is not a regular file."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def load(path: Path, name: str) -> Source:
    """The whole file.

    Raises:
        ReportError: it is larger than any report (`LARGEST_FILE`).
    """
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ReportError(f"{name}:1: {size} bytes; reports above {LARGEST_FILE} bytes are not read")
    with path.open("rb") as file:
        # It may grow meanwhile: a log of a running tool.
        return Source(name, file.read(LARGEST_FILE))
