"""`export_syn.rpt` and `export_impl.rpt`, which `export_design` of Vitis HLS writes beside the short report.

What follows the summaries depends on the level of detail asked for, and is not read.

    == Vivado Place & Route Results                     or Vivado RTL Synthesis Results
    + General Information:
        * Version:         2025.1 (Build 6135595 on May 19 2025)
        * Target device:   xcvu9p-flga2104-2-i
    == Place & Route Resource Summary
    LUT:              3317
    BRAM:             7                                 blocks of 18 Kbit
    == Place & Route Timing Summary
    | Target         | 2.500       |
    | Post-Synthesis | 1.569       |
    | Post-Route     | 2.324       |
"""

import re
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.csynth_text import read_header
from nonresnet_hls.reports.export import IMPLEMENTED, NEEDED, RESOURCES, SYNTHESIZED
from nonresnet_hls.reports.grid import Grid, end_of_table, read_grid
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Kind, Report, Stage

_TITLE = re.compile(r"==\sVivado (RTL Synthesis|Place & Route) Results\s*$")
_FIGURE = re.compile(r"([A-Z]{2,8}):\s{1,60}(\S{1,30})")


def read_export_results(source: Source) -> Report:
    """The whole report.

    Raises:
        ReportError: truncated, mixed up or corrupted.
    """
    run = ""
    section = ""
    header: dict[str, tuple[int, str]] = {}
    used: dict[str, tuple[int, str]] = {}
    grids: dict[str, Grid] = {}
    number = 0
    while number < len(source.lines):
        text = source.lines[number].strip()
        title = _TITLE.match(text)
        figure = _FIGURE.fullmatch(text) if section.endswith("resource summary") else None
        if title:
            if run:
                raise source.error(number, "a second report starts here; one file holds one report")
            run = section = title[1].lower()
        elif text.startswith("== "):
            section = text[3:].lower()
        elif text.startswith("* ") and section == run:
            key, _, value = text[2:].partition(":")
            header.setdefault(key.strip().lower(), (number, value.strip()))
        elif figure:
            if figure[1] in used:
                raise source.error(number, f"a second {figure[1]}; mixed up")
            used[figure[1]] = (number, figure[2])
        elif text.startswith("+-"):
            end = end_of_table(source, number)
            if section.endswith("timing summary"):
                grids.setdefault(section, read_grid(source, number))
            number = end
            continue
        number += 1
    version, part, family = read_header(source, header)
    timing = grids.get(f"{run} timing summary")
    if timing is None:
        raise source.truncated("the timing summary")
    figures: dict[str, Any] = {}
    for field, key in RESOURCES.items():
        if key in used:
            figures[field] = source.required(used[key][0], key, q.count, used[key][1])
        elif field in (*NEEDED, "uram"):
            raise source.error(timing.line, f"the resource summary has no {key}; truncated or mixed up")
    return Report(
        path=source.name,
        kind=Kind.EXPORT_TEXT,
        stage=Stage.EXPORT,
        tool="Vivado",
        tool_version=version,
        part=part,
        product_family=family,
        note=IMPLEMENTED if "route" in run else SYNTHESIZED,
        **_periods(source, timing, "post-route" if "route" in run else "post-synthesis"),
        **figures,
    )


def _periods(source: Source, grid: Grid, achieved: str) -> dict[str, Any]:
    period = grid.column("period (ns)")
    if period is None:
        raise source.error(grid.line + 1, "no column 'Period (ns)'")
    rows = {row.cells[0].strip().lower(): row for row in grid.rows}
    for name in ("target", achieved):
        if name not in rows:
            raise source.error(grid.line, f"no row {name!r}; truncated or mixed up")
    target, reached = rows["target"], rows[achieved]
    return {
        "clock_target_ns": source.required(target.line, "target", q.decimal, target.cells[period]),
        "clock_estimate_ns": source.figure(reached.line, achieved, q.decimal, reached.cells[period]),
    }
