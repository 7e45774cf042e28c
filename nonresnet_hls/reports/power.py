"""Vivado's `report_power`.

| Total On-Chip Power (W)  | 7.252        |
| Dynamic (W)              | 6.612        |
| Device Static (W)        | 0.640        |
"""

from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.grid import end_of_table, read_grid
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Kind, Report
from nonresnet_hls.reports.vivado import origin, read_header, sections

_ROWS = {
    "total on-chip power (w)": "power_total_w",
    "dynamic (w)": "power_dynamic_w",
    "device static (w)": "power_static_w",
    "static (w)": "power_static_w",
}


def read_power(source: Source) -> Report:
    """The whole report.

    Raises:
        ReportError: truncated, mixed up or corrupted.
    """
    header = read_header(source)
    found = sections(source, header.end)
    number = found.get("summary", header.end)
    while number < len(source.lines) and not source.lines[number].startswith("+-"):
        number += 1
    if number == len(source.lines):
        raise source.truncated("the table of the summary")
    grid = read_grid(source, number, headed=False)
    figures: dict[str, Any] = {}
    for row in grid.rows:
        field = _ROWS.get(" ".join(row.cells[0].split()).lower())
        if field is not None and len(row.cells) > 1:
            # "152.3 (Junction temp exceeded!)"
            text = row.cells[1].strip().partition(" ")[0]
            figures[field] = source.figure(row.line, row.cells[0].strip(), _power, text)
    for field in ("power_total_w", "power_dynamic_w", "power_static_w"):
        if field not in figures:
            raise source.error(grid.line, f"no row for {field}; truncated or mixed up")
    number = grid.end
    while number < len(source.lines):
        number = end_of_table(source, number) if source.lines[number].startswith("+-") else number + 1
    return Report(kind=Kind.POWER, **origin(source, header), **figures)


def _power(text: str) -> float | None:
    return None if text == "<0.001" else q.decimal(text)  # a bound, no figure
