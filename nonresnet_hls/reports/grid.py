"""Tables drawn with `+---+` rules and `|` between the cells.

Vivado HLS draws headings of several lines whose cells span columns:

    +---------+---------+----------+----------+
    |  Latency (cycles) |    Interval         |
    |   min   |   max   |    min   |   max    |
    +---------+---------+----------+----------+
    |       12|       12|         1|         1|
    +---------+---------+----------+----------+

Its columns are called "latency (cycles) min", "latency (cycles) max", "interval min", "interval max".
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from nonresnet_hls.reports.source import Source

_RULE = re.compile(r"\+[-=+]*\+")
_MOST_COLUMNS = 200


@dataclass(frozen=True)
class Row:
    """One line of a table: its 0-based line number and its cells (stripped on the right only)."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """A table: `labels` in lower case, one per column; `end` is the line after its last."""

    line: int
    end: int
    labels: tuple[str, ...]
    rows: tuple[Row, ...]

    def column(self, *names: str) -> int | None:
        """The column that bears one of these labels (`DSP48E`, `DSP`); None if none does."""
        for name in names:
            if name in self.labels:
                return self.labels.index(name)
        return None


def is_rule(line: str) -> bool:
    """Whether the line is a full rule."""
    return _RULE.fullmatch(line.strip()) is not None


def is_table_line(line: str) -> bool:
    """Whether the line belongs to a table."""
    text = line.lstrip()
    return text.startswith("|") or (text.startswith("+") and text[1:2] in {"-", "="}) or _is_split_rule(text)


def _is_split_rule(text: str) -> bool:
    # `+   RTL    +  Status  +------+`: a heading cell that spans lines interrupts the rule.
    return text.startswith("+ ") and text.rstrip().endswith("+")


def end_of_table(source: Source, start: int) -> int:
    """The line after the table that starts in line `start`.

    Raises:
        ReportError: the table is not closed by a rule.
    """
    lines = source.lines
    end = start
    while end < len(lines) and is_table_line(lines[end]):
        end += 1
    if end - start < 2 or not is_rule(lines[end - 1]):
        if not any(line.strip() for line in lines[end:]):
            raise source.truncated("the rule that closes the table")
        raise source.error(end, "the table is not closed by a rule; corrupted")
    return end


def read_grid(source: Source, start: int, *, headed: bool = True) -> Grid:
    """The table whose first rule is line `start`.

    Args:
        source: the report.
        start: 0-based line of the first rule.
        headed: whether the lines up to the second rule are a heading; otherwise labels are "0", "1", ...

    Raises:
        ReportError: not closed, or a line has another number of cells than the heading.
    """
    lines = source.lines
    end = end_of_table(source, start)
    body = start
    if headed:
        body += 1
        while body < end and not is_rule(lines[body]):
            body += 1
        if body == end:
            raise source.error(start, "the table's heading is not closed by a rule")
    # A rule may be coarser than the columns are: the heading's last line has all bars.
    drawn = {position for position, char in enumerate(lines[start]) if char == "+"}
    drawn |= {i for number in range(start + 1, body) for i, char in enumerate(lines[number]) if char == "|"}
    marks = sorted(drawn)
    if not is_rule(lines[start]) or not 2 <= len(marks) <= _MOST_COLUMNS:
        raise source.error(start, "not the rule of a table")
    labels = _labels(source, marks, range(start + 1, body)) if headed else tuple(str(i) for i in range(len(marks) - 1))
    rows = []
    for number in range(body, end):
        if is_rule(lines[number]):
            continue
        cells = lines[number].strip().split("|")
        if len(cells) != len(marks) + 1 or cells[0] or cells[-1]:
            raise source.error(number, f"wanted {len(marks) - 1} cells, got {max(0, len(cells) - 2)}")
        source.count_cells(number, len(cells))
        rows.append(Row(number, tuple(cell.rstrip() for cell in cells[1:-1])))
    return Grid(start, end, labels, tuple(rows))


def _labels(source: Source, marks: list[int], heading: range) -> tuple[str, ...]:
    columns = len(marks) - 1
    if len(heading) == 1:
        # By its bars alone: the heading may be wider than the rule is.
        line = source.lines[heading[0]].strip()
        cells = line.split("|")
        if len(cells) != columns + 2:
            raise source.error(heading[0], f"wanted a heading of {columns} cells, got {max(0, len(cells) - 2)}")
        return tuple(" ".join(cell.split()).lower() for cell in cells[1:-1])
    parts: list[list[str]] = [[] for _ in range(columns)]
    for number in heading:
        line = source.lines[number]
        bars = [i for i, mark in enumerate(marks) if mark < len(line) and line[mark] in "|+"]
        if len(bars) < 2 or bars[0] != 0 or bars[-1] != columns:
            raise source.error(number, "the heading does not line up with the rule above it")
        for left, right in pairwise(bars):
            text = line[marks[left] + 1 : marks[right]].strip()
            if "|" in text:
                raise source.error(number, "the heading does not line up with the rule above it")
            if text.strip("-"):
                for column in range(left, right):
                    parts[column].append(" ".join(text.split()))
    return tuple(" ".join(part).lower() for part in parts)
