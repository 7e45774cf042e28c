"""Vivado's `report_utilization`: flat, `-hierarchical` and `-slr`, at every stage.

    | CLB LUTs*                  | 118931 |     0 |   1728000 |  6.88 |      (Slice LUTs of the 7 series)
    | CLB Registers              |  30702 |     0 |   3456000 |  0.89 |      (Slice Registers; Registers)
    | Block RAM Tile             |   34.5 |     0 |      2688 |  1.28 |      tiles of 36 Kbit
    |   RAMB36/FIFO*             |      0 |     0 |      2688 |  0.00 |
    |   RAMB18                   |     69 |     0 |      5376 |  1.28 |
    | DSPs                       |    353 |     0 |     12288 |  2.87 |      (DSP Slices of Versal)

The numbers of the sections differ between stages and devices; tables are told by their columns.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.csynth_text import check_device
from nonresnet_hls.reports.grid import Grid, Row, end_of_table, read_grid
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import RESOURCES, Kind, Module, Report
from nonresnet_hls.reports.vivado import Header, origin, read_header, sections

# Row names in lower case, without "*" and the family's prefix.
_ROWS = {
    "luts": "lut",
    "registers": "ff",
    "block ram tile": "bram_18k",
    "block ram tiles": "bram_18k",
    **dict.fromkeys(("ramb36/fifo", "ramb36", "ramb36e1", "ramb36e2", "ramb36e5", "ramb36e5/fifo"), "ramb36"),
    **dict.fromkeys(("ramb18", "ramb18e1", "ramb18e2", "ramb18e5"), "ramb18"),
    "dsps": "dsp",
    "dsp slices": "dsp",
    "dsp blocks": "dsp",
    "uram": "uram",
    "uram288": "uram",
    "lut as distributed ram": "lutram",
    "lut as shift register": "srl",
}
_NEEDED = ("lut", "ff", "bram_18k", "dsp")
_HIERARCHY = {
    "lut": ("total luts",),
    "ff": ("ffs", "registers"),
    "lutram": ("lutrams",),
    "srl": ("srls",),
    "ramb36": ("ramb36",),
    "ramb18": ("ramb18",),
    "uram": ("uram",),
    "dsp": ("dsp blocks", "dsp48 blocks", "dsp slices", "dsps"),
}


def read_utilization(source: Source) -> Report:
    """The whole report.

    Raises:
        ReportError: truncated, mixed up or corrupted.
    """
    header = read_header(source)
    found = sections(source, header.end)
    grids = _grids(source, header.end)
    if "utilization by hierarchy" in found:
        return _hierarchical(source, header, grids)
    flat = [grid for grid in grids if grid.column("site type") == 0 and grid.column("used") is not None]
    if flat:
        return _flat(source, header, flat, _black_boxes(source, found, grids))
    by_slr = [grid for grid in grids if grid.column("site type") == 0 and grid.column("slr0") is not None]
    if by_slr:
        return _per_slr(source, header, by_slr)
    raise source.truncated("a table of used sites")


def _grids(source: Source, start: int) -> list[Grid]:
    grids = []
    number = start
    while number < len(source.lines):
        text = source.lines[number]
        if text.startswith("+-"):
            end = end_of_table(source, number)
            heading = source.lines[number + 1].lower()
            # The others (clocking, primitives, connectivity) are only checked for being whole.
            if "site type" in heading or "instance" in heading or "ref name" in heading:
                grids.append(read_grid(source, number))
            number = end
            continue
        if text.startswith("|"):
            raise source.error(number, "a table's line without the rule above it; corrupted")
        number += 1
    return grids


def _row_field(name: str) -> str | None:
    text = " ".join(name.replace("*", "").split()).lower()
    for prefix in ("clb ", "slice "):
        text = text.removeprefix(prefix)
    return _ROWS.get(text)


def _reader(field: str) -> Callable[[str], int | None]:
    return q.tiles_as_18k if field == "bram_18k" else q.count


def _black_boxes(source: Source, found: Mapping[str, int], grids: list[Grid]) -> str | None:
    """What was not synthesized with the design, so that its figures are without it: a board's IPs."""
    start = found.get("black boxes")
    later = sorted(line for line in found.values() if start is not None and line > start)
    end = later[0] if later else len(source.lines)
    names = [
        row.cells[0].strip()
        for grid in grids
        if start is not None and start < grid.line < end and grid.column("ref name") == 0
        for row in grid.rows
    ]
    if not names:
        return None
    printable = ("".join(c if c.isprintable() else "?" for c in name[:60]) for name in names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"without its black boxes: {', '.join(printable)}{more}"


def _flat(source: Source, header: Header, grids: list[Grid], note: str | None) -> Report:
    used: dict[str, Any] = {}
    available: dict[str, Any] = {}
    for grid in grids:
        use, limit, share = grid.column("used"), grid.column("available"), grid.column("util%", "util %")
        if use is None or limit is None:
            continue
        for row in grid.rows:
            field = _row_field(row.cells[0])
            if field is None or field in used:  # "Slice Registers" stands in two tables
                continue
            read = _reader(field)
            used[field] = source.required(row.line, field, read, row.cells[use])
            available[field] = source.figure(row.line, f"available {field}", read, row.cells[limit])
            if share is not None:
                _check_share(source, row, field, used[field], available[field], row.cells[share])
    _check_complete(source, grids[0], used)
    check_device(source, grids[0].line, available)
    return Report(
        kind=Kind.UTILIZATION,
        note=note,
        **origin(source, header),
        **used,
        **_available(available),
    )


def _check_complete(source: Source, grid: Grid, used: dict[str, int | None]) -> None:
    for field in _NEEDED:
        if field not in used:
            raise source.error(grid.line, f"no row for {field}; truncated or mixed up")
    if ("ramb36" in used) != ("ramb18" in used):
        raise source.error(grid.line, "a row for one size of block RAM only; truncated or mixed up")


def _check_share(source: Source, row: Row, field: str, used: int | None, available: int | None, text: str) -> None:
    text = text.strip().removeprefix("<")  # "<0.01"
    share = source.figure(row.line, f"{field} Util%", q.decimal, text)
    if share is None or used is None or not available:
        return
    if abs(100 * used / available - share) > 0.011:
        raise source.error(row.line, f"{field}: {used} of {available} is not {text} %; mixed up")


def _per_slr(source: Source, header: Header, grids: list[Grid]) -> Report:
    """`-slr`: a column per SLR; the design's figure is their sum. Availability is not printed."""
    used: dict[str, Any] = {}
    for grid in grids:
        slrs = [i for i, label in enumerate(grid.labels) if re.fullmatch(r"slr[0-9]", label)]
        for row in grid.rows:
            field = _row_field(row.cells[0])
            if field is None or field in used:
                continue
            read = _reader(field)
            used[field] = sum(source.required(row.line, field, read, row.cells[slr]) for slr in slrs)
    _check_complete(source, grids[0], used)
    return Report(
        kind=Kind.UTILIZATION_SLR,
        note="the sum over the SLRs",
        **origin(source, header),
        **used,
    )


def _hierarchical(source: Source, header: Header, grids: list[Grid]) -> Report:
    """`-hierarchical`: a row per instance, indented by depth; the first is the whole design.

    | Instance           | Module | Total LUTs | ... | FFs        | RAMB36   | RAMB18   | DSP48 Blocks |
    | design_1_wrapper   |  (top) | 19879(37%) | ... | 20767(20%) | 4(2.86%) | 6(2.14%) |     9(4.09%) |
    |   design_1_i       |        |
    |     (design_1_i)   |        |            own logic, without the instances in it
    """
    grid = next((g for g in grids if g.column("instance") is not None), None)
    if grid is None or not grid.rows:
        raise source.truncated("the table of the instances")
    instance, module = grid.column("instance"), grid.column("module")
    if instance is None:
        raise source.error(grid.line + 1, "no column 'Instance'")
    columns = {}
    for field, labels in _HIERARCHY.items():
        column = grid.column(*labels)
        if column is not None:
            columns[field] = column
        elif field not in {"uram", "srl", "lutram"}:
            raise source.error(grid.line + 1, f"no column {labels[0]!r}")
    modules: list[Module] = []
    whole: dict[str, Any] = {}
    for row in grid.rows:
        figures: dict[str, Any] = {
            field: source.figure(row.line, field, q.count_with_share, row.cells[column])
            for field, column in columns.items()
        }
        name = row.cells[instance].strip()
        if not whole:
            if name != header.design and "-cells" not in header.command:
                raise source.error(row.line, f"the first instance is {q.quote(name)}, not the design")
            whole = figures
        if name.startswith("("):
            continue
        modules.append(
            Module(
                name=row.cells[module].strip() if module is not None else name,
                instance=name,
                bram_18k=_blocks(figures),
                dsp=figures["dsp"],
                ff=figures["ff"],
                lut=figures["lut"],
                uram=figures.get("uram"),
                lutram=figures.get("lutram"),
                srl=figures.get("srl"),
            )
        )
    return Report(
        kind=Kind.UTILIZATION_HIERARCHICAL,
        bram_18k=_blocks(whole),
        modules=tuple(modules),
        **origin(source, header),
        **whole,
    )


def _blocks(figures: dict[str, int | None]) -> int | None:
    large, small = figures["ramb36"], figures["ramb18"]
    return None if large is None or small is None else 2 * large + small


def _available(figures: dict[str, Any]) -> dict[str, Any]:
    return {f"available_{field}": figures.get(field) for field in RESOURCES}
