"""What the co-simulation writes: `<top>_cosim.rpt`, the transactions, and `lat.rpt`.

    +----------+----------+-----------------------------------------------+-----
    |          |          |                    Latency                    |
    +   RTL    +  Status  +-----------------------------------------------+-----
    |          |          |      min      |      avg      |      max      |
    +----------+----------+-----------------------------------------------+-----
    |      VHDL|        NA|             NA|             NA|             NA|
    |   Verilog|      Pass|            965|            965|            965|

From a single transaction no interval can be measured: the table says NA, the other files 0.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.grid import Grid, Row, is_table_line, read_grid
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Kind, Report, Stage

_LANGUAGES = {"vhdl": "VHDL", "verilog": "Verilog", "systemc": "SystemC"}
_LATENCY_VARIABLE = re.compile(r'\$([A-Z_]+)\s*=\s*"([^"]*)"\s*;?')
_TRANSACTION = re.compile(r"transaction\s+([0-9]{1,12})\s*:\s*(.*)")
TRANSACTION_HEADING = re.compile(rb"\A\s*latency\s+interval\b")


@dataclass(frozen=True)
class Cosimulation:
    """The outcome of a co-simulation; cycles are None where it was not measured."""

    status: str | None
    latency_min_cycles: int | None
    latency_max_cycles: int | None
    interval_min_cycles: int | None
    interval_max_cycles: int | None
    total_cycles: int | None
    latency_avg_cycles: float | None = None
    interval_avg_cycles: float | None = None

    def describe(self) -> str:
        """One line for a note."""
        return (
            f"latency {self.latency_min_cycles} to {self.latency_max_cycles} cycles, "
            f"interval {self.interval_min_cycles} to {self.interval_max_cycles} cycles"
        )


def read_cosim(source: Source) -> Report:
    """`<top>_cosim.rpt`.

    Raises:
        ReportError: truncated, mixed up or corrupted.
    """
    outcome = read_cosim_table(source, 0)
    return Report(
        path=source.name,
        kind=Kind.COSIM,
        stage=Stage.COSIM,
        latency_min_cycles=outcome.latency_min_cycles,
        latency_avg_cycles=outcome.latency_avg_cycles,
        latency_max_cycles=outcome.latency_max_cycles,
        interval_min_cycles=outcome.interval_min_cycles,
        interval_avg_cycles=outcome.interval_avg_cycles,
        interval_max_cycles=outcome.interval_max_cycles,
        cosim_status=outcome.status,
        total_cycles=outcome.total_cycles,
    )


def read_cosim_table(source: Source, start: int) -> Cosimulation:
    """The table of outcomes, the first one from line `start` on."""
    lines = source.lines
    number = start
    while number < len(lines) and not is_table_line(lines[number]):
        number += 1
    if number == len(lines):
        raise source.truncated("the table of the co-simulation")
    grid = read_grid(source, number)
    rtl, status = grid.column("rtl"), grid.column("status")
    if rtl is None or status is None:
        raise source.error(number, "wanted the columns RTL and Status")
    outcomes: list[tuple[Row, str]] = []
    listed: set[str] = set()
    for row in grid.rows:
        language = _LANGUAGES.get(row.cells[rtl].strip().lower())
        if language is None:
            raise source.error(row.line, f"RTL: wanted a language, got {q.quote(row.cells[rtl].strip())}")
        if language in listed:
            raise source.error(row.line, f"RTL: a second row {language}; mixed up")
        listed.add(language)
        verdict = row.cells[status].strip()
        if q.says_nothing(verdict):
            continue
        if verdict.lower() not in {"pass", "fail"}:
            raise source.error(row.line, f"Status: wanted Pass, Fail or NA, got {q.quote(verdict)}")
        outcomes.append((row, f"{language} {verdict}"))
    if "Verilog" not in listed:
        raise source.error(grid.end - 1, "RTL: no row Verilog; truncated or mixed up")
    for number in range(grid.end, len(lines)):
        if is_table_line(lines[number]):
            raise source.error(number, "a second table starts here; mixed up")
    measured = [_cycles(source, grid, row) for row, _ in outcomes]
    # Both languages simulate the same design; the last that was measured is Verilog.
    best = next((m for m in reversed(measured) if m["latency_max_cycles"] is not None), None)
    best = best or _nothing()
    return Cosimulation(status=", ".join(text for _, text in outcomes) or None, **best)


def _nothing() -> dict[str, Any]:
    names = (*(f"{what}_{end}" for what in ("latency", "interval") for end in ("min", "avg", "max")), "total")
    return {f"{name}_cycles": None for name in names}


def _cycles(source: Source, grid: Grid, row: Row) -> dict[str, Any]:
    found = _nothing()
    for column, label in enumerate(grid.labels):
        words = label.replace("(clock cycles)", "").split()
        if words[:1] in (["latency"], ["interval"]) and words[-1] in {"min", "avg", "max"}:
            field = f"{words[0]}_{words[-1]}_cycles"
        elif words[:3] == ["total", "execution", "time"]:
            field = "total_cycles"
        else:
            continue
        # An average may have a fraction.
        read: Callable[[str], Any] = q.decimal if field.endswith("avg_cycles") else q.count
        found[field] = source.figure(row.line, label, read, row.cells[column])
    for what in ("latency", "interval"):
        low, mean, high = (found[f"{what}_{end}_cycles"] for end in ("min", "avg", "max"))
        # The tool cuts or rounds the average off.
        if mean is not None and not ((low is None or low - 1 < mean) and (high is None or mean < high + 1)):
            raise source.error(row.line, f"{what}: an average of {mean:g} is not between {low} and {high}; mixed up")
    if not any("latency" in label for label in grid.labels):
        raise source.error(grid.line + 1, "wanted the columns of the latency")
    source.check_order(row.line, found)
    return found


def read_transactions(source: Source) -> Report:
    """`<top>.performance.result.transaction.xml` (which is no XML) and `result.transaction.rpt`.

                                 latency        interval
    transaction       0:              28               4
    transaction       1:              28               x

    Raises:
        ReportError: truncated, mixed up or corrupted.
    """
    lines = source.lines
    start = next(number for number, line in enumerate(lines) if line.strip())
    heading = lines[start].split()
    if heading[:2] != ["latency", "interval"] or len(set(heading)) < len(heading):
        raise source.error(start, f"wanted the heading 'latency interval', got {q.quote(lines[start].strip())}")
    if not source.data.endswith((b"\n", b"\r")) and not source.data.endswith(b"\n\0"):
        # Nothing closes the table: the last figure may have lost digits.
        raise source.truncated("the end of the line")
    latencies: list[int] = []
    intervals: list[int | None] = []
    last = 0
    for number, line in enumerate(lines[start + 1 :], start=start + 1):
        text = line.strip()
        if not text:
            continue
        match = _TRANSACTION.fullmatch(text)
        if not match or int(match[1]) != len(latencies):
            raise source.error(number, f"wanted 'transaction {len(latencies)}:', got {q.quote(text)}")
        cells = match[2].split()
        if len(cells) != len(heading):
            raise source.error(number, f"wanted {len(heading)} figures, got {len(cells)}")
        row = dict(zip(heading, cells, strict=True))
        latencies.append(source.required(number, "latency", q.count, row["latency"]))
        intervals.append(source.figure(number, "interval", q.count, row["interval"]))
        last = number
    if not latencies:
        raise source.truncated("the first transaction")
    # No transaction follows the last one: its interval is "x", or 0 where it is the only one.
    if intervals.pop() not in ({None} if intervals else {None, 0}):
        raise source.error(last, "the last transaction has an interval to the next; truncated")
    measured = [interval for interval in intervals if interval is not None]
    if len(measured) < len(latencies) - 1:
        raise source.error(last, f"{len(latencies)} transactions, {len(measured)} intervals; mixed up")
    return Report(
        path=source.name,
        kind=Kind.COSIM_TRANSACTIONS,
        stage=Stage.COSIM,
        latency_min_cycles=min(latencies),
        latency_avg_cycles=sum(latencies) / len(latencies),
        latency_max_cycles=max(latencies),
        interval_min_cycles=min(measured, default=None),
        interval_avg_cycles=sum(measured) / len(measured) if measured else None,
        interval_max_cycles=max(measured, default=None),
        transactions=len(latencies),
    )


def read_latencies(source: Source) -> Report:
    """`lat.rpt` and `<top>.result.lat.rb`: `$MAX_LATENCY = "965"`, `$MAX_THROUGHPUT = "0"` (the interval).

    Raises:
        ReportError: truncated, mixed up or corrupted.
    """
    found: dict[str, int | None] = {}
    for number, line in enumerate(source.lines):
        text = line.strip()
        if not text:
            continue
        match = _LATENCY_VARIABLE.fullmatch(text)
        if not match:
            raise source.error(number, f'wanted $NAME = "figure", got {q.quote(text)}')
        if match[1] in found:
            raise source.error(number, f"a second ${match[1]}; mixed up")
        found[match[1]] = source.figure(number, match[1], q.count, match[2])
    for name in ("MAX_LATENCY", "MIN_LATENCY", "MAX_THROUGHPUT", "MIN_THROUGHPUT"):
        if name not in found:
            raise source.truncated(f"${name}")
    cycles: dict[str, Any] = {
        "latency_min_cycles": found["MIN_LATENCY"],
        "latency_avg_cycles": _average(found.get("AVER_LATENCY")),
        "interval_avg_cycles": _average(found.get("AVER_THROUGHPUT") or None),
        "latency_max_cycles": found["MAX_LATENCY"],
        # 0 stands for: a single transaction, nothing measured.
        "interval_min_cycles": found["MIN_THROUGHPUT"] or None,
        "interval_max_cycles": found["MAX_THROUGHPUT"] or None,
    }
    source.check_order(0, cycles)
    return Report(
        path=source.name,
        kind=Kind.COSIM_LATENCY,
        stage=Stage.COSIM,
        total_cycles=found.get("TOTAL_EXECUTE_TIME"),
        **cycles,
    )


def _average(count: int | None) -> float | None:
    return None if count is None else float(count)
