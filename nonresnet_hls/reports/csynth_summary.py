"""`csynth.rpt` and `hls_compile.rpt` of Vitis HLS (all modules in one table), and `csynth_design_size.rpt`.

    == Synthesis Summary Report of 'kernel_wrapper'
    + General Information:
        * Version:        2022.2 (Build 3670227 on Oct 13 2022)
        * Target device:  xcu55c-fsvh2892-2L-e
    + Performance & Resource Estimates:
    |                    Modules        |  Issue |       | Latency |  ...
    |                    & Loops        |  Type  | Slack | (cycles)|  ...
    |+ kernel_wrapper*                  |  Timing|  -0.00|    73905|  ...
    | + read_input                      |  Timing|  -0.00|     8266|  ...
    |   o VITIS_LOOP_5_1                |       -|   2.43|     8193|  ...

It prints one latency and one interval per module, the worst; so the minima stay open. "-" stands for a
resource that is not used as well as for an unknown figure, so it stays open too.
"""

import re
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.csynth_text import read_header
from nonresnet_hls.reports.grid import Grid, end_of_table, read_grid
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Kind, Module, Report, Stage

TITLE = re.compile(r"==\sSynthesis Summary Report of '([^']*)'\s*$")

_COLUMNS = {
    "latency_max_cycles": ("latency (cycles)",),
    "interval_max_cycles": ("interval",),
    "bram_18k": ("bram", "bram_18k"),
    "dsp": ("dsp",),
    "ff": ("ff",),
    "lut": ("lut",),
    "uram": ("uram",),
}


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
            header.setdefault(key.strip().lower(), (number, value.strip()))
        elif text.startswith("+-"):
            if part.startswith("performance & resource estimates"):
                if grid is not None:
                    raise source.error(number, "a second table of the modules; mixed up")
                grid = read_grid(source, number)
            number = end_of_table(source, number)
            continue
        elif text.startswith("|"):
            raise source.error(number, "a table's line without the rule above it; corrupted")
        number += 1
    if top is None:
        raise source.error(0, "no heading '== Synthesis Summary Report of ...'")
    version, device, family = read_header(source, header)
    if grid is None:
        raise source.truncated("the table of the modules")
    modules = _modules(source, grid)
    if not modules:
        raise source.error(grid.end - 1, "no module listed")
    whole = modules[0]
    depths = [len(text) - len(text.lstrip(" |")) for text in (source.lines[row.line] for row in grid.rows)]
    if whole.name != top or depths.count(depths[0]) > 1:
        raise source.error(grid.rows[0].line, f"wanted one row {q.quote(top)} with the others below it; mixed up")
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
        modules=modules[1:],
    )


def _modules(source: Source, grid: Grid) -> tuple[Module, ...]:
    names = grid.column("modules & loops")
    if names is None:
        raise source.error(grid.line + 1, "wanted the column 'Modules & Loops'")
    columns: dict[str, int] = {}
    for field, labels in _COLUMNS.items():
        # "Latency" may span its two columns, cycles and ns.
        column = grid.column(*labels)
        if column is None:
            raise source.error(grid.line + 1, f"no column {labels[0]!r}")
        columns[field] = column
    pipelined = grid.column("pipelined")
    found = []
    for row in grid.rows:
        name = row.cells[names].strip()
        if name.startswith("o "):  # a loop
            continue
        if not name.startswith("+ "):
            raise source.error(row.line, f"wanted '+ module' or 'o loop', got {q.quote(name)}")
        figures: dict[str, Any] = {
            field: source.figure(row.line, field, q.count_with_share, row.cells[column])
            for field, column in columns.items()
        }
        kind = row.cells[pipelined].strip() if pipelined is not None else ""
        found.append(Module(name=name[2:].strip().rstrip("*"), pipeline_type=kind or None, **figures))
    return tuple(found)


def read_design_size(source: Source) -> Report:
    """`csynth_design_size.rpt`: how many instructions each compilation phase left; no hardware figures.

    Raises:
        ReportError: truncated or corrupted.
    """
    number, tables, top = 0, 0, None
    while number < len(source.lines):
        text = source.lines[number].strip()
        if text.startswith("+-"):
            end = end_of_table(source, number)
            first = [line for line in source.lines[number:end] if re.match(r"\s*\| \+ \S", line)]
            if first and top is None:
                top = first[0].strip().split("|")[1].strip().removeprefix("+").strip()
            tables += 1
            number = end
        else:
            number += 1
    if tables < 2 or top is None:
        raise source.truncated("the table 'Instructions per Function'")
    return Report(path=source.name, kind=Kind.DESIGN_SIZE, stage=Stage.CSYNTH, tool="Vitis HLS", top=top)
