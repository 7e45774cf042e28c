"""Vivado's `report_accelerator_utilization` (once `report_sdx_utilization`) on the kernels of a Vitis platform.

| Name                | LUT               | LUTAsMem       | REG           | BRAM          | URAM        | DSP         |
| Platform            | 184531 [ 10.69%]  |  ...                                what the shell takes of the device
| User Budget         | 1541677 [100.00%] |  ...                                what is left for kernels
|    Used Resources   |   96775 [  6.28%] |  ...                                what they take, all together
|    Unused Resources | 1444902 [ 93.72%] |  ...
| kernel              |   96775 [  6.28%] |  ...                                of its instances together
|    kernel_1         |   96775 [  6.28%] |  ...

Block RAM is counted in tiles of 36 Kbit. The device has what the platform takes and what it leaves.
"""

import re
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.csynth_text import check_device
from nonresnet_hls.reports.grid import Grid, Row, end_of_table, read_grid
from nonresnet_hls.reports.loops import others
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Kind, Module, Report
from nonresnet_hls.reports.vivado import origin, read_header, sections

_LABELS = {
    "lut": ("lut", "luts"),
    "ff": ("reg", "ff", "registers"),
    "bram_18k": ("bram",),
    "uram": ("uram",),
    "dsp": ("dsp", "dsps"),
}
_NEEDED = ("lut", "ff", "bram_18k", "dsp")
_CELL = re.compile(r"([0-9.,]{1,20})\s*(?:\[\s*([<~]?)\s*([0-9]{1,3}[.,][0-9]{1,4})\s*%\s*\])?")
_SHARE_IS_OF = 0.011  # percent; two decimals are printed


def read_accelerator(source: Source) -> Report:
    """The whole report.

    Raises:
        ReportError: truncated, mixed up or corrupted.
    """
    header = read_header(source)
    sections(source, header.end)
    grid = _table(source, header.end)
    names = grid.column("name")
    if names is None:
        raise source.error(grid.line + 1, "no column 'Name'")
    columns = {field: column for field, labels in _LABELS.items() if (column := grid.column(*labels)) is not None}
    for field in _NEEDED:
        if field not in columns:
            raise source.error(grid.line + 1, f"no column {_LABELS[field][0].upper()!r}")
    rows = {" ".join(row.cells[names].split()).lower(): row for row in grid.rows}
    found: dict[str, dict[str, Any]] = {}
    for name in ("platform", "user budget", "used resources", "unused resources"):
        if name not in rows:
            raise source.error(grid.line, f"no row {name!r}; truncated or mixed up")
        found[name] = {field: _figure(source, rows[name], field, column) for field, column in columns.items()}
    used, budget = found["used resources"], found["user budget"]
    for field in columns:
        if used[field] + found["unused resources"][field] != budget[field]:
            raise source.error(rows["user budget"].line, f"{field}: used and unused do not add up to the budget")
        _check_share(source, rows["used resources"], columns[field], used[field], budget[field])
    device: dict[str, Any] = {field: found["platform"][field] + budget[field] for field in columns}
    check_device(source, grid.line, {"ff": device["ff"], "lut": device["lut"]})
    kernels, instances = _kernels(source, grid, names, columns, rows["unused resources"].line)
    where: dict[str, Any] = origin(source, header)
    if len(kernels) == 1:
        where["top"] = kernels[0].name  # the header names the platform's wrapper
    return Report(
        kind=Kind.UTILIZATION_KERNELS,
        note="what the kernels take, without the platform",
        other_columns=(
            *(f"user budget {field}: {budget[field]}" for field in columns),
            *others(grid, rows["used resources"], {names, *columns.values()}),
        ),
        modules=(*kernels, *instances),
        **where,
        **used,
        **{f"available_{field}": count for field, count in device.items()},
    )


def _table(source: Source, start: int) -> Grid:
    number, found = start, None
    while number < len(source.lines):
        if not source.lines[number].startswith("+-"):
            if source.lines[number].startswith("|"):
                raise source.error(number, "a table's line without the rule above it; corrupted")
            number += 1
            continue
        end = end_of_table(source, number)
        if found is None and "name" in source.lines[number + 1].lower():
            found = read_grid(source, number)
        number = end
    if found is None:
        raise source.truncated("the table of the kernels")
    return found


def _figure(source: Source, row: Row, field: str, column: int) -> int:
    match = _CELL.fullmatch(row.cells[column].strip())
    if not match:
        raise source.error(row.line, f"{field}: wanted a count and its share, got {q.quote(row.cells[column].strip())}")
    return source.required(row.line, field, q.tiles_as_18k if field == "bram_18k" else q.count, match[1])


def _check_share(source: Source, row: Row, column: int, used: int, of: int) -> None:
    match = _CELL.fullmatch(row.cells[column].strip())
    if match and match[3] and not match[2] and of:
        share = float(match[3].replace(",", "."))
        if abs(100 * used / of - share) > _SHARE_IS_OF:
            raise source.error(row.line, f"{used} of {of} is not {match[3]} %; mixed up")


def _kernels(
    source: Source, grid: Grid, names: int, columns: dict[str, int], after: int
) -> tuple[list[Module], list[Module]]:
    """The kernels, and their instances (indented below them)."""
    kernels: list[Module] = []
    instances: list[Module] = []
    for row in grid.rows:
        if row.line <= after:
            continue
        cell = row.cells[names]
        name = cell.strip()
        figures: dict[str, Any] = {field: _figure(source, row, field, column) for field, column in columns.items()}
        if len(cell) - len(cell.lstrip()) <= 1:
            kernels.append(Module(name=name, **figures))
        elif kernels:
            instances.append(Module(name=kernels[-1].name, instance=name, **figures))
        else:
            raise source.error(row.line, f"{q.quote(name)} is an instance of no kernel; mixed up")
    return kernels, instances
