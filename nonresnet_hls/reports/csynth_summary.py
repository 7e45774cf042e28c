"""`csynth.rpt` and `hls_compile.rpt` of Vitis HLS (all modules in one table), and `csynth_design_size.rpt`.

    == Synthesis Summary Report of 'kernel_wrapper'
    + General Information:
        * Version:        2022.2 (Build 3670227 on Oct 13 2022)
        * Target device:  xcu55c-fsvh2892-2L-e
    + Performance & Resource Estimates:                              ("* Performance ..." since 2025.2)
    |                    Modules        |  Issue |       | Latency |  ...
    |                    & Loops        |  Type  | Slack | (cycles)|  ...
    |+ kernel_wrapper*                  |  Timing|  -0.00|    73905|  ...
    | + read_input                      |  Timing|  -0.00|     8266|  ...
    |   o VITIS_LOOP_5_1                |       -|   2.43|     8193|  ...

It prints one latency and one interval per module, the worst; so the minima stay open. "-" stands for a
resource that is not used as well as for an unknown figure, so it stays open too. The columns and their order
change with the version (2025.2 tells the violation's type): each is found by its label, and what is not known is
kept under its label.
"""

import re
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.csynth_text import read_header
from nonresnet_hls.reports.grid import Grid, Row, end_of_table, read_grid
from nonresnet_hls.reports.loops import count_cell, others, pipelined_of, range_cell
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Kind, Loop, Module, Report, Stage

TITLE = re.compile(r"==\sSynthesis Summary Report of '([^']*)'\s*$")

_COLUMNS = {
    "latency_max_cycles": ("latency (cycles)", "latency"),
    "interval_max_cycles": ("interval", "interval (cycles)"),
    "bram_18k": ("bram", "bram_18k", "bram18k", "bram18"),
    "dsp": ("dsp", "dsp48e", "dsp48", "dsp58"),
    "ff": ("ff", "register", "reg"),
    "lut": ("lut",),
    "uram": ("uram",),
}
_BESIDE = {
    "names": ("modules & loops", "modules", "module"),
    "pipelined": ("pipelined", "pipeline", "pipeline type"),
    "slack": ("slack", "slack (ns)"),
    "issue": ("issue type",),
    "violation": ("violation type",),
    "iteration": ("iteration latency", "iteration latency (cycles)"),
    "trip": ("trip count",),
    "ns": ("latency (ns)",),  # the same in another unit
}
# A dataflow region is "+ name*", or by the words of 2025.2 "* name".
_ENTRY = re.compile(r"([+o*])\s+(\S.*)")


def read_csynth_summary(source: Source) -> Report:
    """The whole report.

    Raises:
        ReportError: truncated, mixed up or corrupted.
    """
    top: str | None = None
    header: dict[str, tuple[int, str]] = {}
    grid: Grid | None = None
    part = ""
    number = 0
    while number < len(source.lines):
        text = source.lines[number].strip()
        match = TITLE.match(text)
        if match:
            if top is not None:
                raise source.error(number, "a second report starts here; one file holds one report")
            top = match[1]
        elif text.startswith("== "):
            part = text
        elif text.startswith("+ "):
            part = text[2:].rstrip(": ").lower()
        elif text.startswith("* ") and part == "general information":
            key, _, value = text[2:].partition(":")
            if not value:
                part = key.lower()
            else:
                header.setdefault(key.strip().lower(), (number, value.strip()))
        elif text.startswith("+-"):
            end = end_of_table(source, number)
            if _is_of_modules(source.lines[number + 1 : end]):
                if grid is not None:
                    raise source.error(number, "a second table of the modules; mixed up")
                grid = read_grid(source, number)
            number = end
            continue
        elif text.startswith("|"):
            raise source.error(number, "a table's line without the rule above it; corrupted")
        number += 1
    if top is None:
        raise source.error(0, "no heading '== Synthesis Summary Report of ...'")
    version, device, family = read_header(source, header)
    if grid is None:
        raise source.truncated("the table of the modules")
    modules, loops, others_of_top = _entries(source, grid)
    if not modules:
        raise source.error(grid.end - 1, "no module listed")
    whole = modules[0]
    depths = [len(text) - len(text.lstrip(" |")) for text in (source.lines[row.line] for row in grid.rows)]
    if whole.name != top or depths.count(depths[0]) > 1:
        raise source.error(grid.rows[0].line, f"wanted one row {q.quote(top)} with the others below it; mixed up")
    absent = [labels[0] for labels in _COLUMNS.values() if grid.column(*labels) is None]
    return Report(
        path=source.name,
        kind=Kind.CSYNTH_SUMMARY,
        stage=Stage.CSYNTH,
        tool="Vitis HLS",  # no other tool writes it
        tool_version=version,
        part=device,
        product_family=family,
        top=top or None,
        latency_max_cycles=whole.latency_max_cycles,
        interval_max_cycles=whole.interval_max_cycles,
        pipeline_type=whole.pipeline_type,
        bram_18k=whole.bram_18k,
        dsp=whole.dsp,
        ff=whole.ff,
        lut=whole.lut,
        uram=whole.uram,
        note=f"{source.name}: no column {', '.join(map(q.quote, absent))}" if absent else None,
        other_columns=others_of_top,
        modules=modules[1:],
        loops=loops,
    )


def _is_of_modules(table: list[str]) -> bool:
    """Whether the heading of a table (the lines up to its second rule) speaks of modules and loops."""
    heading = []
    for line in table:
        if line.strip().startswith("+-"):
            break
        heading.append(line.lower())
    text = " ".join(heading)
    return "modules" in text and "loops" in text


def _entries(source: Source, grid: Grid) -> tuple[tuple[Module, ...], tuple[Loop, ...], tuple[str, ...]]:
    """The modules with the top first, the loops, and what the top's row says in other columns."""
    columns = {field: grid.column(*labels) for field, labels in {**_COLUMNS, **_BESIDE}.items()}
    names = columns["names"]
    if names is None:
        raise source.error(grid.line + 1, "wanted the column 'Modules & Loops'")
    known = {column for column in columns.values() if column is not None}
    if not any(columns[field] is not None for field in _COLUMNS):
        raise source.error(grid.line + 1, f"none of the columns {', '.join(labels[0] for labels in _COLUMNS.values())}")
    modules: list[Module] = []
    loops: list[Loop] = []
    around: list[tuple[int, str, str]] = []  # indentation, mark and name of the entries that hold the next one
    for row in grid.rows:
        cell = row.cells[names]
        match = _ENTRY.fullmatch(cell.strip())
        if not match:
            raise source.error(row.line, f"wanted '+ module' or 'o loop', got {q.quote(cell.strip())}")
        indent, name = len(cell) - len(cell.lstrip()), match[2].strip()
        while around and around[-1][0] >= indent:
            around.pop()
        beside: dict[str, Any] = {
            "slack_ns": _cell(source, row, columns["slack"], "slack", q.decimal),
            "issue": _issue(row, columns["issue"], columns["violation"]),
            "other_columns": others(grid, row, known),
        }
        kind = row.cells[columns["pipelined"]].strip() if columns["pipelined"] is not None else ""
        if match[1] == "o":
            holder = next((other for _, mark, other in reversed(around) if mark != "o"), None)
            trips = range_cell(source, row, columns["trip"], "trip count")
            lasting = range_cell(source, row, columns["iteration"], "iteration latency")
            loops.append(
                Loop(
                    name=name.rstrip("*"),
                    module=holder,
                    depth=sum(mark == "o" for _, mark, _ in around),
                    trip_count_min=trips[0],
                    trip_count_max=trips[1],
                    latency_max_cycles=count_cell(source, row, columns["latency_max_cycles"], "latency"),
                    iteration_latency_min_cycles=lasting[0],
                    iteration_latency_max_cycles=lasting[1],
                    ii_achieved_cycles=count_cell(source, row, columns["interval_max_cycles"], "interval"),
                    pipelined=pipelined_of(kind),
                    **beside,
                )
            )
        else:
            figures: dict[str, Any] = {
                field: _cell(source, row, columns[field], field, q.count_with_share) for field in _COLUMNS
            }
            modules.append(Module(name=name.rstrip("*"), pipeline_type=kind or None, **figures, **beside))
        around.append((indent, match[1], name.rstrip("*")))
    return tuple(modules), tuple(loops), modules[0].other_columns if modules else ()


def _cell(source: Source, row: Row, column: int | None, label: str, read: Any) -> Any:
    return None if column is None else source.figure(row.line, label, read, row.cells[column])


def _issue(row: Row, kind: int | None, violation: int | None) -> str | None:
    """Say "II: Resource Limitation"; 2025.2 tells the violation's type beside the issue's."""
    texts = [row.cells[column].strip() for column in (kind, violation) if column is not None]
    said = ["".join(c if c.isprintable() else "?" for c in text) for text in texts if not q.says_nothing(text)]
    return ": ".join(said) or None


def read_design_size(source: Source) -> Report:
    """`csynth_design_size.rpt`: how many instructions each compilation phase left; no hardware figures.

    Raises:
        ReportError: truncated or corrupted.
    """
    number, tables, top = 0, 0, None
    while number < len(source.lines):
        if not source.lines[number].strip().startswith("+-"):
            number += 1
            continue
        end = end_of_table(source, number)
        tables += 1
        if source.lines[number + 1].strip().strip("|").strip().lower().startswith("function"):
            grid = read_grid(source, number)
            if top is None and grid.rows:
                # "+" marks what calls others; a design with one function has no such row.
                top = grid.rows[0].cells[0].strip().removeprefix("+").strip()
        number = end
    if tables < 2 or not top:
        raise source.truncated("the table 'Instructions per Function'")
    return Report(path=source.name, kind=Kind.DESIGN_SIZE, stage=Stage.CSYNTH, tool="Vitis HLS", top=top)
