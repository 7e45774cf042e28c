"""The tables of loops in `<module>_csynth.rpt`.

|                   |  Latency (cycles) | Iteration|  Initiation Interval  | Trip |          |
|     Loop Name     |   min   |   max   |  Latency |  achieved |   target  | Count| Pipelined|
|- Loop 1           |      225|     2275|  9 ~ 91  |          -|          -|    25|    no    |
| + Loop 1.1        |       73|       73|         3|          1|          1|    72|    yes   |
"""

import re
from collections.abc import Iterable

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.grid import Grid, Row
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Loop

_NAME = re.compile(r"(-|\++) *(\S.*)")
_PIPELINED = {"yes": True, "no": False}


def read_loops(source: Source, grid: Grid, module: str | None) -> tuple[Loop, ...]:
    """The loops of a module, each below the one that holds it.

    Raises:
        ReportError: a row that is no loop, or a figure that is none.
    """
    name = grid.column("loop name")
    if name is None:
        raise source.error(grid.line + 1, "loops: wanted the column 'Loop Name'")
    known = {name}

    def column(*labels: str) -> int | None:
        found = grid.column(*labels)
        if found is not None:
            known.add(found)
        return found

    low, high = column("latency (cycles) min", "latency min"), column("latency (cycles) max", "latency max")
    iteration, trip = column("iteration latency"), column("trip count")
    achieved, target = column("initiation interval achieved"), column("initiation interval target")
    pipelined = column("pipelined")
    loops = []
    for row in grid.rows:
        match = _NAME.fullmatch(row.cells[name].strip())
        if not match:
            raise source.error(row.line, f"wanted '- loop' or '+ loop', got {q.quote(row.cells[name].strip())}")
        least, most = count_cell(source, row, low, "latency"), count_cell(source, row, high, "latency")
        trips = range_cell(source, row, trip, "trip count")
        lasting = range_cell(source, row, iteration, "iteration latency")
        source.check_order(row.line, {
            **{"latency_min_cycles": least, "latency_max_cycles": most},
            **{"interval_min_cycles": None, "interval_max_cycles": None},
        })  # fmt: skip
        loops.append(
            Loop(
                name=match[2].strip(),
                module=module,
                depth=0 if match[1] == "-" else len(match[1]),
                trip_count_min=trips[0],
                trip_count_max=trips[1],
                latency_min_cycles=least,
                latency_max_cycles=most,
                iteration_latency_min_cycles=lasting[0],
                iteration_latency_max_cycles=lasting[1],
                ii_achieved_cycles=count_cell(source, row, achieved, "achieved interval"),
                ii_target_cycles=count_cell(source, row, target, "wanted interval"),
                pipelined=None if pipelined is None else pipelined_of(row.cells[pipelined]),
                other_columns=others(grid, row, known),
            )
        )
    return tuple(loops)


def pipelined_of(text: str) -> bool | None:
    """Whether the cell says "yes"; None where it says nothing, or something else ("dataflow")."""
    return _PIPELINED.get(text.strip().lower())


def count_cell(source: Source, row: Row, column: int | None, label: str) -> int | None:
    """The count in a column, None where the table has no such column."""
    return None if column is None else source.figure(row.line, label, q.count, row.cells[column])


def range_cell(source: Source, row: Row, column: int | None, label: str) -> tuple[int | None, int | None]:
    """The range in a column, open where the table has no such column."""
    return (None, None) if column is None else source.figure(row.line, label, q.count_range, row.cells[column])


def others(grid: Grid, row: Row, known: Iterable[int]) -> tuple[str, ...]:
    """What the row says in columns that are not known: "label: text"."""
    return tuple(
        f"{grid.labels[number]}: {''.join(c if c.isprintable() else '?' for c in cell.strip())}"
        for number, cell in enumerate(row.cells)
        if number not in set(known) and not q.says_nothing(cell)
    )
