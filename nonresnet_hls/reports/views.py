"""The tables that people read: designs, modules, loops, FIFOs, comparisons.

Columns in which no row has a figure are left out. "!" marks what asks for attention: a clock slower than wanted, a
negative slack, more than the device has, iterations that start less often than wanted.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nonresnet_hls.reports.compare import METRICS, Comparison
from nonresnet_hls.reports.export import IMPLEMENTED, SYNTHESIZED
from nonresnet_hls.reports.names import common_prefix, elided, shortened
from nonresnet_hls.reports.render import Table, figure, span
from nonresnet_hls.reports.values import COLUMNS, PERCENT_OF, Report, percent

_MARKED = "! a clock slower than wanted, a negative slack, more than the device has, or an II that was not reached"
_RUN = {True: "finished", False: "not finished", None: ""}
_EXPORTED = {IMPLEMENTED: "impl", SYNTHESIZED: "synth"}
_CHOICE = re.compile(r"(\w+): (\S+) of (.+), not (\S+) of (.+)")
_LONGEST_REMARK = 300
_MOST_SIDE_BY_SIDE = 5
_LONGEST_MODULE = 48
_RESOURCE_HEADINGS = {
    "bram_18k": "BRAM18",
    "dsp": "DSP",
    "ff": "FF",
    "lut": "LUT",
    "uram": "URAM",
    "alm": "ALM",
    "ram_blocks": "RAM blocks",
}
# What is no figure of the hardware.
_NO_FIGURES = frozenset(
    {"path", "kind", "design", "stage", "tool", "tool_version", "part", "product_family", "top", "pipeline_type"}
    | {"clock_target_ns", "clock_uncertainty_ns", "assumed_clock_ns", "finished", "error_count", "first_error", "steps"}
    | {"out_of_context", "note", "sources", "choices", "other_columns"}
    | {name for name in COLUMNS if "available" in name}
)


@dataclass(frozen=True)
class _Column:
    heading: str
    cell: Callable[[Report], str]
    right: bool = True


def _stage(row: Report) -> str:
    stage = row.stage.value if row.stage else ""
    exported = next((word for note, word in _EXPORTED.items() if note in (row.note or "").split("; ")), None)
    return f"{stage} ({exported})" if exported else stage


def _clock(row: Report) -> str:
    slow = row.clock_estimate_ns is not None and row.clock_target_ns is not None
    slow = slow and (row.clock_estimate_ns or 0) > (row.clock_target_ns or 0)
    return figure(row.clock_estimate_ns) + (" !" if slow else "")


def _slack(row: Report) -> str:
    return figure(row.wns_ns) + (" !" if row.wns_ns is not None and row.wns_ns < 0 else "")


def _resource(name: str) -> Callable[[Report], str]:
    def cell(row: Report) -> str:
        count = getattr(row, name)
        share = percent(count, getattr(row, f"available_{name}"))
        if count is None or share is None or not count:
            return figure(count)
        told = f"{share:.0f}" if share >= 1 else "<1"
        return f"{count} {told}%{' !' if share > 100 else ''}"

    return cell


def _rounded(name: str) -> Callable[[Report], str]:
    def cell(row: Report) -> str:
        value = getattr(row, name)
        return "" if value is None else f"{value:.0f}" if value >= 1000 else f"{value:.4g}"

    return cell


def _plainly(name: str) -> Callable[[Report], str]:
    return lambda row: figure(getattr(row, name))


def _average(what: str) -> Callable[[Report], str]:
    """The average where it says more than least and largest do."""

    def cell(row: Report) -> str:
        low, mean, high = (getattr(row, f"{what}_{end}_cycles") for end in ("min", "avg", "max"))
        return "" if low == high and high is not None else figure(mean)

    return cell


def _violations(row: Report) -> str:
    return f"{row.ii_violations} !" if row.ii_violations else ""


_COLUMNS: tuple[_Column, ...] = (
    _Column("tool", lambda row: " ".join(text for text in (row.tool, row.tool_version) if text), False),
    _Column("latency [cycles]", lambda row: span(row.latency_min_cycles, row.latency_max_cycles)),
    _Column("mean latency [cycles]", _average("latency")),
    _Column("latency [us]", _rounded("latency_us")),
    _Column("interval [cycles]", lambda row: span(row.interval_min_cycles, row.interval_max_cycles)),
    _Column("mean interval [cycles]", _average("interval")),
    _Column("images [1/s]", _rounded("images_per_s")),
    _Column("target [ns]", _plainly("clock_target_ns")),
    _Column("clock [ns]", _clock),
    _Column("Fmax [MHz]", _rounded("fmax_mhz")),
    _Column("WNS [ns]", _slack),
    _Column("listed slack [ns]", _plainly("path_slack_ns")),
    *(_Column(_RESOURCE_HEADINGS[name], _resource(name)) for name in PERCENT_OF),
    _Column("LUTRAM", _plainly("lutram")),
    _Column("SRL", _plainly("srl")),
    _Column("power [W]", _plainly("power_total_w")),
    _Column("II missed", _violations),
    _Column("outcome", lambda row: ", ".join(text for text in (_RUN[row.finished], row.cosim_status) if text), False),
)


def has_figures(row: Report) -> bool:
    """Whether the row says anything of the hardware."""
    return any(getattr(row, name) is not None for name in COLUMNS if name not in _NO_FIGURES)


def shown(rows: Sequence[Report]) -> tuple[list[Report], str | None]:
    """The rows that people look for, and what of the others is left out.

    An IP that Vivado synthesized on its own is part of another row; a row without figures says nothing, unless
    a log tells that its run failed, or did not do what was asked for.
    """
    kept, of_ips, empty = [], 0, 0
    for row in rows:
        if row.out_of_context:
            of_ips += 1
        elif not has_figures(row) and row.finished is None:
            empty += 1
        else:
            kept.append(row)
    if not kept:
        return list(rows), None
    parts = [f"{of_ips} of IPs that were synthesized out of context"] if of_ips else []
    parts += [f"{empty} without figures"] if empty else []
    return kept, f"rows not shown: {', '.join(parts)} (--all shows them)" if parts else None


# Columns that are left out first where there is no room.
_FIRST_TO_GO = (
    *("SRL", "LUTRAM", "mean interval [cycles]", "mean latency [cycles]", "Fmax [MHz]", "URAM", "target [ns]"),
    *("images [1/s]", "tool", "latency [us]", "power [W]"),
)


def report_table(reports: Sequence[Report], everything: bool = True, width: int | None = None) -> Table:
    """The figures of merged rows that people look for, whichever tool wrote the reports.

    Args:
        reports: as `merge` gives them.
        everything: rows without figures and of out-of-context IPs, and all columns, too.
        width: the longest line of a plain table; None: as long as it gets.
    """
    rows, left_out = (list(reports), None) if everything else shown(reports)
    names, prefix = _names([row.design or row.path for row in rows])
    head = (
        _Column("design", lambda row: names[row.design or row.path], False),
        _Column("stage", _stage, False),
    )
    columns = [*head, *(column for column in _COLUMNS if any(column.cell(row) for row in rows))]
    columns, gone = (columns, []) if everything or width is None else _fitting(columns, rows, width)
    body = tuple(tuple(column.cell(row) for column in columns) for row in rows)
    notes = [f"designs in {prefix.rstrip('/')}"] if prefix else []
    notes += [_MARKED] if any("!" in cell for line in body for cell in line[2:]) else []
    notes += _footnotes(
        (names[row.design or row.path], row.stage.value if row.stage else "", text)
        for row in rows
        for text in _remarks(row.design, row.note, row.choices)
    )
    notes += [left_out] if left_out else []
    notes += [f"no room for: {', '.join(gone)} (--all shows them)"] if gone else []
    return Table(
        tuple(column.heading for column in columns), body, tuple(column.right for column in columns), tuple(notes)
    )


def _fitting(columns: list[_Column], rows: Sequence[Report], width: int) -> tuple[list[_Column], list[str]]:
    """The columns that fit into a line, and the headings of those that do not."""
    widths = {
        c.heading: max(*(len(part) + 2 for part in c.heading.split(" [")), *(len(c.cell(row)) + 2 for row in rows), 0)
        for c in columns
    }
    gone: list[str] = []
    for heading in _FIRST_TO_GO:
        if sum(widths.values()) - 2 <= width:
            break
        if widths.pop(heading, None) is not None:
            gone.append(heading.partition(" [")[0] if "latency" not in heading else heading)
    return [column for column in columns if column.heading in widths], gone


def _names(designs: Sequence[str]) -> tuple[dict[str, str], str]:
    """What each design is called in a table, and what was left out of all names."""
    prefix = common_prefix(designs)
    return {
        f"{prefix}{name}": text for name, text in shortened([d.removeprefix(prefix) for d in designs]).items()
    }, prefix


def _remarks(design: str | None, note: str | None, choices: Sequence[str]) -> list[str]:
    """Notes and disagreements; paths without the design's own folder, and two files that differ in one line."""
    told: dict[tuple[str, str], list[tuple[str, str, str]]] = defaultdict(list)
    texts = [text for text in (note or "").split("; ") if text and text not in _EXPORTED]
    texts = ["; ".join(texts)] if texts else []
    for choice in choices:
        match = _CHOICE.fullmatch(choice)
        if match:
            told[match[3], match[5]].append((match[1], match[2], match[4]))
        else:
            texts.append(choice)
    for (believed, other), differences in told.items():
        names, values, others = zip(*differences, strict=True)
        folder = believed.rpartition("/")[0]
        beside = other.removeprefix(f"{folder}/") if folder else other
        texts.append(f"{', '.join(names)}: {', '.join(values)} of {believed}, not {', '.join(others)} of {beside}")
    return [_cut(text.replace(f"{design}/", "") if design else text) for text in texts]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_REMARK else f"{text[: _LONGEST_REMARK - 3]}..."


def _footnotes(remarks: Iterable[tuple[str, str, str]]) -> list[str]:
    """One line per design and text, with all the stages that it is about."""
    stages: dict[tuple[str, str], dict[str, None]] = {}
    for design, stage, text in remarks:
        stages.setdefault((design, text), {}).setdefault(stage)
    return [f"{design}, {', '.join(of)}: {text}" for (design, text), of in stages.items()]


@dataclass(frozen=True)
class _Part:
    """A column of a table of modules, loops or FIFOs."""

    heading: str
    cell: Callable[[Mapping[str, Any]], str]
    right: bool = True


def _field(name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: figure(row[name])


def _range(low: str, high: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: span(row[low], row[high])


def _name(row: Mapping[str, Any]) -> str:
    return elided(row["name"], _LONGEST_MODULE)


def _of_parts(rows: Sequence[Mapping[str, Any]], parts: Sequence[_Part]) -> Table:
    names, prefix = _names([row["design"] or row["path"] for row in rows])
    head = (_Part("design", lambda row: names[row["design"] or row["path"]], False),)
    kept = [*head, *(part for part in parts if not rows or any(part.cell(row) for row in rows))]
    body = tuple(tuple(part.cell(row) for part in kept) for row in rows)
    notes = [f"designs in {prefix.rstrip('/')}"] if prefix else []
    notes += [_MARKED] if any(cell.endswith("!") for line in body for cell in line) else []
    remarks = _footnotes(
        (names[row["design"] or row["path"]], row["stage"] or "", text)
        for row in rows
        for text in _remarks(row["design"], row["note"], row["choices"])
    )
    return Table(
        tuple(part.heading for part in kept),
        body,
        tuple(part.right for part in kept),
        (*notes, *remarks),
    )


def _by_layer(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows in the order of designs and, where stages share names (FINN's layers), of modules."""
    stages: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        stages[row["design"], row["name"]].add(row["stage"])
    shared = {design for (design, _), of in stages.items() if len(of) > 1}
    place: dict[Any, int] = {}
    for row in rows:
        place.setdefault(row["design"], len(place))
        place.setdefault((row["design"], row["name"]), len(place))
    return sorted(
        rows,
        key=lambda row: (place[row["design"]], place[row["design"], row["name"]] if row["design"] in shared else 0),
    )


def module_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The modules with their latency, interval, resources and clock; a layer's stages follow one another."""
    return _of_parts(
        _by_layer(rows),
        (
            _Part("module", _name, False),
            _Part("stage", lambda row: row["stage"] or "", False),
            _Part("latency [cycles]", _range("latency_min_cycles", "latency_max_cycles")),
            _Part("interval [cycles]", _range("interval_min_cycles", "interval_max_cycles")),
            _Part("clock [ns]", _field("clock_estimate_ns")),
            *(_Part(_RESOURCE_HEADINGS[name], _field(name)) for name in ("bram_18k", "dsp", "ff", "lut", "uram")),
            _Part("LUTRAM", _field("lutram")),
            _Part("SRL", _field("srl")),
            _Part("slack [ns]", lambda row: figure(row["slack_ns"]) + _negative(row["slack_ns"])),
            _Part("issue", lambda row: row["issue"] or "", False),
        ),
    )


def _negative(slack: float | None) -> str:
    return " !" if slack is not None and slack < 0 else ""


def loop_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The loops with how often they run, how long they take, and how often their iterations start."""
    return _of_parts(
        rows,
        (
            _Part("module", lambda row: elided(row["module"] or "", _LONGEST_MODULE), False),
            _Part("loop", lambda row: "  " * row["depth"] + elided(row["name"], _LONGEST_MODULE), False),
            _Part("trip count", _range("trip_count_min", "trip_count_max")),
            _Part("latency [cycles]", _range("latency_min_cycles", "latency_max_cycles")),
            _Part("iteration [cycles]", _range("iteration_latency_min_cycles", "iteration_latency_max_cycles")),
            _Part("II [cycles]", lambda row: figure(row["ii_achieved_cycles"]) + (" !" if row["ii_violated"] else "")),
            _Part("II wanted [cycles]", _field("ii_target_cycles")),
            _Part("pipelined", _field("pipelined"), False),
            _Part("slack [ns]", lambda row: figure(row["slack_ns"]) + _negative(row["slack_ns"])),
            _Part("issue", lambda row: row["issue"] or "", False),
        ),
    )


def fifo_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The FIFOs with depth, width, cost and what the project says of them."""
    return _of_parts(
        rows,
        (
            _Part("FIFO", _name, False),
            *(
                _Part(heading, _field(name))
                for heading, name in (
                    *(("depth", "depth"), ("bits", "bits"), ("BRAM18", "bram_18k"), ("FF", "ff"), ("LUT", "lut")),
                    ("URAM", "uram"),
                )
            ),
            _Part("layer", _field("layer"), False),
            _Part("on skip", _field("on_skip"), False),
        ),
    )


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """A column per design and one per difference from the first; of many designs, a row per design."""
    designs = comparisons[0].designs if comparisons else ()
    names, prefix = _names(designs)
    notes = [f"designs in {prefix.rstrip('/')}"] if prefix else []
    notes += dict.fromkeys(
        _cut(f"{names[design]}, {comparison.stage.value}: {note}")
        for comparison in comparisons
        for design, note in zip(comparison.designs, comparison.notes, strict=True)
        if note and note not in _EXPORTED
    )
    wide = len(designs) > _MOST_SIDE_BY_SIDE
    table = _by_design(comparisons, names) if wide else _side_by_side(comparisons, names)
    return Table(table.headings, table.rows, table.figures, tuple(notes))


def _side_by_side(comparisons: Sequence[Comparison], names: Mapping[str, str]) -> Table:
    headings = ["stage", "metric"]
    for number, design in enumerate(comparisons[0].designs if comparisons else ()):
        headings += [names[design], "change"] if number else [names[design]]
    rows = []
    for comparison in comparisons:
        line = [comparison.stage.value, comparison.metric]
        for number, value in enumerate(comparison.values):
            line.append(figure(value))
            if number:
                line.append(_change(comparison.changes_percent[number]))
        rows.append(tuple(line))
    return Table(tuple(headings), tuple(rows), (False, False) + (True,) * (len(headings) - 2))


def _by_design(comparisons: Sequence[Comparison], names: Mapping[str, str]) -> Table:
    """A row per stage and design, a column per metric: each value, and its change from the first design."""
    there = {comparison.metric for comparison in comparisons}
    # A share of the device changes as its count does.
    metrics = [metric for metric in METRICS if metric in there and not metric.endswith("_percent")]
    found = {(comparison.stage, comparison.metric): comparison for comparison in comparisons}
    rows = []
    for stage in dict.fromkeys(comparison.stage for comparison in comparisons):
        for number, design in enumerate(comparisons[0].designs):
            line = []
            for metric in metrics:
                comparison = found.get((stage, metric))
                value = comparison.values[number] if comparison else None
                change = _change(comparison.changes_percent[number]) if comparison and number else ""
                line.append(f"{figure(value)} ({change})" if change else figure(value))
            if any(line):
                rows.append((stage.value, names[design], *line))
    return Table(("stage", "design", *metrics), tuple(rows), (False, False) + (True,) * len(metrics))


def _change(percentage: float | None) -> str:
    return "" if percentage is None else f"{percentage:+.1f} %"
