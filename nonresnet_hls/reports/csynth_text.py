"""`<module>_csynth.rpt` of Vivado HLS and Vitis HLS, for the top and for every module.

== Vivado HLS Report for 'myproject'
* Version:        2019.2 (Build 2704478 on Wed Nov 06 22:10:23 MST 2019)
* Target device:  xcu50-fsvh2104-2L-e
== Performance Estimates
+ Timing (ns):   * Summary:   |ap_clk  |   5.00|      4.33|        0.62|
+ Latency (clock cycles):   * Summary:   |   12|   12|    1|    1| function |
== Utilization Estimates
* Summary:   |Total            |        1|    163|    4769|    4047|
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.cosim import read_cosim_table
from nonresnet_hls.reports.grid import Grid, Row, end_of_table, read_grid
from nonresnet_hls.reports.loops import read_loops
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import RESOURCES, Fifo, Kind, Loop, Module, Report, Stage

TITLE = re.compile(r"==\s((?:Vivado|Vitis)(?: Unified)? HLS) Report for '([^']*)'\s*$")

# Columns of the utilization tables, as the versions call them.
RESOURCE_LABELS = {
    "bram_18k": ("bram_18k", "bram"),
    "dsp": ("dsp48e", "dsp", "dsp48", "dsp48e1", "dsp48e2", "dsp58"),
    "ff": ("ff",),
    "lut": ("lut",),
    "uram": ("uram",),
}
_ALWAYS = ("bram_18k", "dsp", "ff", "lut")

# (section, part without its unit, whether within "Detail", heading), for example
# ("performance estimates", "latency", False, "summary").
TableKey = tuple[str, str, bool, str]


@dataclass(frozen=True)
class _Outline:
    tool: str
    top: str
    header: dict[str, tuple[int, str]]  # key -> (line, value)
    tables: dict[TableKey, int]  # -> line of the first rule
    printed: bool  # by `hls4ml report`, which leaves the rest out
    cosim_line: int | None  # what it appends after the synthesis report


def read_csynth_text(source: Source) -> Report:
    """The whole report.

    Raises:
        ReportError: truncated, mixed up or corrupted.
    """
    outline = _outline(source)
    header, tables = outline.header, outline.tables
    tool_version, part, family = read_header(source, header)
    latency = _table(source, tables, ("performance estimates", "latency", False, "summary"))
    if len(latency.rows) != 1:
        raise source.error(latency.line, f"latency: wanted one row, got {len(latency.rows)}")
    figures = {
        **_timing(source, _table(source, tables, ("performance estimates", "timing", False, "summary"))),
        **_latency(source, latency, latency.rows[0]),
        **_utilization(source, tables),
    }
    if not outline.printed and not any(section == "interface" for section, *_ in tables):
        raise source.truncated("the section 'Interface'")
    if outline.printed and outline.cosim_line is None:
        raise source.truncated("the outcome of the co-simulation")
    if outline.cosim_line is not None and source.lines[outline.cosim_line].strip().endswith("RESULT:"):
        cosim = read_cosim_table(source, outline.cosim_line + 1)
        figures |= {"cosim_status": cosim.status, "note": f"co-simulated: {cosim.describe()}"}
    return Report(
        path=source.name,
        kind=Kind.CSYNTH_TEXT,
        stage=Stage.CSYNTH,
        tool=outline.tool,
        tool_version=tool_version,
        part=part,
        product_family=family,
        top=outline.top or None,
        modules=_modules(source, tables),
        loops=_loops(source, tables, outline.top),
        fifos=_fifos(source, tables),
        **figures,
    )


def read_header(source: Source, header: Mapping[str, tuple[int, str]]) -> tuple[str, str, str]:
    """The tool's version, the device and its family, of the lines `* Key: value` by key in lower case.

    Raises:
        ReportError: one of them is missing.
    """
    line, version_text = header.get("version", (0, ""))
    version = q.version(version_text)
    if version is None:
        raise source.error(line, "no line '* Version:' with the tool's version")
    part, family = (header.get(key, (0, ""))[1] for key in ("target device", "product family"))
    for key, value in (("Target device", part), ("Product family", family)):
        if not value:
            raise source.error(line, f"no line '* {key}:'")
    return version, part, family


def _outline(source: Source) -> _Outline:
    """The title, the header and where each table starts.

    What precedes the title is not looked at: `hls4ml report` prints the C simulation's output before it.
    """
    lines = source.lines
    titled = [
        (number, title)
        for number, line in enumerate(lines)
        if line.startswith("==") and (title := TITLE.match(line)) is not None
    ]
    if not titled:
        raise source.error(0, "no heading '== ... HLS Report for ...'")
    if len(titled) > 1:
        raise source.error(titled[1][0], "a second report starts here; one file holds one report")
    start, title = titled[0]
    printed = any(line.strip() == "SYNTHESIS REPORT:" for line in lines[max(0, start - 5) : start])
    header: dict[str, tuple[int, str]] = {}
    tables: dict[TableKey, int] = {}
    section, part, heading, detail, in_header = "", "", "", False, True
    cosim_line = None
    number = start + 1
    while number < len(lines):
        text = lines[number].strip()
        if text.startswith("== "):
            section, part, heading, detail, in_header = text[3:].strip().lower(), "", "", False, False
        elif text.startswith(("+-", "+=")):
            if (section, part, detail, heading) in tables:
                raise source.error(number, f"a second table under {q.quote(heading or section)}; mixed up")
            tables[section, part, detail, heading] = number
            number = end_of_table(source, number)
            continue
        elif text.startswith("+ "):
            name = text[2:].strip().rstrip(":").strip().lower()
            detail = name == "detail"
            part = part if detail else name.split("(")[0].strip()
            heading = ""
        elif text.startswith("* "):
            key, _, value = text[2:].partition(":")
            if in_header:
                header.setdefault(key.strip().lower(), (number, value.strip()))
            heading = key.strip().lower()
        elif text.startswith("|"):
            raise source.error(number, "a table's line without the rule above it; corrupted")
        elif printed and text in {"CO-SIMULATION RESULT:", "Co-simulation report not found."}:
            cosim_line = number
            break
        number += 1
    return _Outline(title[1], title[2], header, tables, printed, cosim_line)


def _table(source: Source, tables: dict[TableKey, int], key: TableKey) -> Grid:
    if key not in tables:
        raise source.truncated(f"the table {' / '.join(k for k in key if isinstance(k, str) and k)}")
    return read_grid(source, tables[key])


def _timing(source: Source, grid: Grid) -> dict[str, Any]:
    clock, target = grid.column("clock"), grid.column("target")
    estimated, uncertainty = grid.column("estimated"), grid.column("uncertainty")
    if clock is None or target is None or estimated is None:
        raise source.error(grid.line + 1, "timing: wanted the columns Clock, Target, Estimated")
    if not grid.rows:
        raise source.error(grid.end - 1, "timing: no clock listed")
    row = grid.rows[0]  # several clocks only in SystemC designs; the first is the design's own
    return {
        "clock_target_ns": source.figure(row.line, "clock target", q.period_ns, row.cells[target]),
        "clock_estimate_ns": source.figure(row.line, "clock estimate", q.period_ns, row.cells[estimated]),
        "clock_uncertainty_ns": None
        if uncertainty is None
        else source.figure(row.line, "clock uncertainty", q.period_ns, row.cells[uncertainty]),
    }


def _latency(source: Source, grid: Grid, row: Row) -> dict[str, Any]:
    """Latency, interval and pipeline type of a row of a latency table."""
    found: dict[str, Any] = {}
    for field, labels in {
        "latency_min_cycles": ("latency (cycles) min", "latency min"),
        "latency_max_cycles": ("latency (cycles) max", "latency max"),
        "interval_min_cycles": ("interval min", "interval (cycles) min"),
        "interval_max_cycles": ("interval max", "interval (cycles) max"),
    }.items():
        column = grid.column(*labels)
        if column is None:
            raise source.error(grid.line + 1, f"no column {q.quote(labels[0])}")
        found[field] = source.figure(row.line, labels[0], q.count, row.cells[column])
    source.check_order(row.line, found)
    column = grid.column("pipeline type")
    found["pipeline_type"] = row.cells[column].strip() or None if column is not None else None
    return found


def resources_of(source: Source, grid: Grid, row: Row, always: tuple[str, ...] = _ALWAYS) -> dict[str, Any]:
    """The resources in a row of a utilization table; a column that this version lacks gives None."""
    found: dict[str, Any] = {}
    for field in RESOURCES:
        column = grid.column(*RESOURCE_LABELS[field])
        if column is None:
            if field in always:
                raise source.error(grid.line + 1, f"no column {RESOURCE_LABELS[field][0].upper()}")
            found[field] = None
        else:
            found[field] = source.figure(row.line, field, q.count, row.cells[column])
    return found


def _utilization(source: Source, tables: dict[TableKey, int]) -> dict[str, Any]:
    grid = _table(source, tables, ("utilization estimates", "", False, "summary"))
    rows: dict[str, Row] = {}
    for row in grid.rows:
        name = " ".join(row.cells[0].split()).lower()
        if name in rows:
            raise source.error(row.line, f"a second row {q.quote(name)}; mixed up")
        rows[name] = row
    for name in ("total", "available"):
        if name not in rows:
            raise source.error(grid.line, f"utilization: no row {name.capitalize()!r}")
    total = resources_of(source, grid, rows["total"])
    available = resources_of(source, grid, rows["available"])
    for field in _ALWAYS:
        for name, values in (("Total", total), ("Available", available)):
            if values[field] is None:
                raise source.error(rows[name.lower()].line, f"{name} {field}: no figure")
    _check_sums(source, grid, rows["total"], _ALWAYS)
    check_device(source, rows["available"].line, available)
    for name in ("instance", "fifo"):
        start = tables.get(("utilization estimates", "", True, name))
        if start is not None and name in rows:
            # Of the FIFOs' LUTs the tools print 0 in detail.
            _check_part(
                source,
                grid,
                rows[name],
                read_grid(source, start),
                without={"lut"} if name == "fifo" else set(),
            )
    _check_shares(source, grid, total, available, rows.get("utilization (%)"))
    found: dict[str, Any] = dict(total)
    found |= {f"available_{field}": available[field] for field in RESOURCES}
    if "available slr" in rows:
        slr = resources_of(source, grid, rows["available slr"])
        _check_shares(source, grid, total, slr, rows.get("utilization slr (%)"))
        found |= {f"slr_available_{field}": slr[field] for field in RESOURCES}
    return found


def check_device(source: Source, line: int, available: dict[str, Any]) -> None:
    """Every device of these families has at least as many registers as LUTs, most have twice as many."""
    ff, lut = available["ff"], available["lut"]
    if ff is not None and lut is not None and ff < lut:
        raise source.error(line, f"a device with {ff} FF and {lut} LUT; columns are mixed up")


def _check_part(source: Source, grid: Grid, row: Row, detail: Grid, without: set[str]) -> None:
    """A row of the summary is the "Total" of the table that details it."""
    total = next((r for r in detail.rows if r.cells[0].strip() == "Total"), None)
    if total is None:
        raise source.error(detail.end - 1, "the table has no row 'Total'; truncated or mixed up")
    in_detail = resources_of(source, detail, total, ())
    for field, value in resources_of(source, grid, row).items():
        if field not in without and in_detail[field] is not None and (value or 0) != in_detail[field]:
            raise source.error(row.line, f"{field}: {value}, yet the detailed table says {in_detail[field]}")


def _check_sums(source: Source, grid: Grid, total: Row, always: tuple[str, ...]) -> None:
    """The rows above "Total" add up to it; where they do not, lines or columns are mixed up."""
    sums = dict.fromkeys(RESOURCES, 0)
    for row in grid.rows:
        if row.line < total.line:
            for field, value in resources_of(source, grid, row, always).items():
                sums[field] += value or 0
    for field, value in resources_of(source, grid, total, always).items():
        if value is not None and value != sums[field]:
            raise source.error(total.line, f"Total {field} is {value}, its parts add up to {sums[field]}")


def _named_rows(source: Source, grid: Grid, column: int, always: tuple[str, ...]) -> dict[str, Row]:
    """The rows of a detailed utilization table by name, without its "Total", which they add up to."""
    rows: dict[str, Row] = {}
    for row in grid.rows:
        name = row.cells[column].strip()
        if name in rows:
            raise source.error(row.line, f"a second row {q.quote(name)}; mixed up")
        rows[name] = row
    total = rows.pop("Total", None)
    if total is None:
        raise source.error(grid.end - 1, "the table has no row 'Total'; truncated or mixed up")
    _check_sums(source, grid, total, always)
    return rows


def _check_shares(
    source: Source,
    grid: Grid,
    used: dict[str, int | None],
    available: dict[str, int | None],
    shares: Row | None,
) -> None:
    """The printed percentages belong to the printed counts; where they do not, columns are mixed up."""
    if shares is None:
        raise source.error(grid.line, "utilization: no row of percentages")
    for field in RESOURCES:
        column = grid.column(*RESOURCE_LABELS[field])
        have, limit = used[field], available[field]
        if column is None or not have or not limit:
            continue
        text = shares.cells[column].strip()
        exact = 100 * have / limit
        share = 0 if text == "~0" else source.figure(shares.line, f"{field} %", q.count, text)
        if share is not None and not share - 1 < exact < share + 1:
            raise source.error(shares.line, f"{field}: {have} of {limit} is not {text} %")


def _modules(source: Source, tables: dict[TableKey, int]) -> tuple[Module, ...]:
    """The instances in the module, with their resources and, where listed, their latency."""
    start = tables.get(("utilization estimates", "", True, "instance"))
    timed = tables.get(("performance estimates", "latency", True, "instance"))
    found: dict[str, dict[str, Any]] = {}
    if start is not None:
        grid = read_grid(source, start)
        instance, module = _instance_columns(source, grid)
        for name, row in _named_rows(source, grid, instance, _ALWAYS).items():
            found[name] = {
                "name": row.cells[module].strip(),
                "instance": name,
                **resources_of(source, grid, row),
            }
    if timed is not None:
        grid = read_grid(source, timed)
        instance, _ = _instance_columns(source, grid)
        for row in grid.rows:
            name = row.cells[instance].strip()
            if name not in found:
                raise source.error(row.line, f"{q.quote(name)} has no utilization; truncated or mixed up")
            found[name] |= _latency(source, grid, row)
    return tuple(Module(**entry) for entry in found.values())


def _loops(source: Source, tables: dict[TableKey, int], module: str) -> tuple[Loop, ...]:
    start = tables.get(("performance estimates", "latency", True, "loop"))
    return read_loops(source, read_grid(source, start), module or None) if start is not None else ()


def _instance_columns(source: Source, grid: Grid) -> tuple[int, int]:
    instance, module = grid.column("instance"), grid.column("module")
    if instance is None or module is None:
        raise source.error(grid.line + 1, "wanted the columns Instance and Module")
    return instance, module


def _fifos(source: Source, tables: dict[TableKey, int]) -> tuple[Fifo, ...]:
    """The table of FIFOs.

    |      Name      | BRAM_18K|  FF | LUT| URAM| Depth| Bits | Size:D*B|
    |layer10_out_U   |       23|  163|   0|    -|  1024|   400|   409600|
    """
    start = tables.get(("utilization estimates", "", True, "fifo"))
    if start is None:
        return ()
    grid = read_grid(source, start)
    name, depth, bits = grid.column("name"), grid.column("depth"), grid.column("bits")
    size = grid.column("size:d*b")
    if name is None or depth is None or bits is None:
        raise source.error(start + 1, "FIFO: wanted the columns Name, Depth, Bits")
    fifos = []
    for text, row in _named_rows(source, grid, name, ()).items():
        deep = source.required(row.line, "FIFO depth", q.count, row.cells[depth])
        wide = source.required(row.line, "FIFO bits", q.count, row.cells[bits])
        product = None if size is None else source.figure(row.line, "FIFO size", q.count, row.cells[size])
        if product is not None and product != deep * wide:
            raise source.error(row.line, f"FIFO size {product} is not depth {deep} times bits {wide}")
        found = resources_of(source, grid, row, always=())
        del found["dsp"]
        fifos.append(Fifo(name=text, depth=deep, bits=wide, **found))
    return tuple(fifos)
