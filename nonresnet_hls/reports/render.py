"""Rows as text: an aligned table, CSV, JSON, Markdown or LaTeX."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from nonresnet_hls.reports.compare import Comparison
from nonresnet_hls.reports.values import Report


class Format(StrEnum):
    """How figures are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    MARKDOWN = "markdown"
    LATEX = "latex"


@dataclass(frozen=True)
class Table:
    """Headings and rows of short texts; the columns of figures are aligned to the right."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: tuple[bool, ...]
    footnotes: tuple[str, ...] = ()  # below the table that people read on a screen


def render(table: Table, rows: Sequence[Mapping[str, Any]], form: Format) -> str:
    """The text, with a line end.

    Args:
        table: what people read (table, Markdown, LaTeX).
        rows: what programs read, with all columns (JSON, CSV).
        form: which of them.
    """
    if form is Format.JSON:
        return json.dumps(list(rows), indent=2, allow_nan=False) + "\n"
    if form is Format.CSV:
        return _csv(rows)
    if form is Format.MARKDOWN:
        return _markdown(table)
    return _latex(table) if form is Format.LATEX else _plain(table)


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if rows:
        writer.writerow(rows[0].keys())
    for row in rows:
        writer.writerow(
            "" if value is None else "; ".join(value) if isinstance(value, tuple) else value for value in row.values()
        )
    return out.getvalue()


def _plain(table: Table) -> str:
    widths = [max(map(len, column)) for column in zip(table.headings, *table.rows, strict=True)]
    lines = [table.headings, tuple("-" * width for width in widths), *table.rows]
    return "".join(
        "  ".join(
            text.rjust(width) if figure else text.ljust(width)
            for text, width, figure in zip(line, widths, table.figures, strict=True)
        ).rstrip()
        + "\n"
        for line in lines
    ) + "".join(f"{note}\n" for note in table.footnotes)


def _markdown(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"

    rule = line(["---:" if figure else "---" for figure in table.figures])
    return line(table.headings) + rule + "".join(map(line, table.rows))


_LATEX = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
}


def _latex(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return "  " + " & ".join("".join(_LATEX.get(c, c) for c in cell) for cell in cells) + " \\\\\n"

    columns = "".join("r" if figure else "l" for figure in table.figures)
    body = "".join(map(line, table.rows))
    return (
        f"\\begin{{tabular}}{{{columns}}}\n  \\hline\n{line(table.headings)}  \\hline\n{body}"
        "  \\hline\n\\end{tabular}\n"
    )


def report_table(reports: Sequence[Report]) -> Table:
    """The figures of merged rows that people look for; the same columns whichever tool wrote the reports."""
    headings: tuple[str, ...] = (
        "design",
        "stage",
        "tool",
        "latency [cycles]",
        "interval [cycles]",
        "clock [ns]",
        "WNS [ns]",
    )
    headings += ("BRAM18", "DSP", "FF", "LUT", "URAM", "cosim", "run")
    rows = tuple(
        (
            row.design or row.path,
            row.stage.value if row.stage else "",
            " ".join(text for text in (row.tool, row.tool_version) if text),
            span(row.latency_min_cycles, row.latency_max_cycles),
            span(row.interval_min_cycles, row.interval_max_cycles),
            figure(row.clock_estimate_ns),
            figure(row.wns_ns),
            *(figure(getattr(row, name)) for name in ("bram_18k", "dsp", "ff", "lut", "uram")),
            row.cosim_status or "",
            {True: "finished", False: "not finished", None: ""}[row.finished],
        )
        for row in reports
    )
    footnotes = tuple(
        f"{row.design or row.path}, {row.stage.value if row.stage else ''}: {text}"
        for row in reports
        for text in [*([row.note] if row.note else []), *row.choices]
    )
    return Table(headings, rows, (False,) * 3 + (True,) * 9 + (False,) * 2, footnotes)


def module_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The modules with their latency, interval, resources and clock."""
    headings: tuple[str, ...] = (
        "design",
        "stage",
        "module",
        "latency [cycles]",
        "interval [cycles]",
        "clock [ns]",
    )
    headings += ("BRAM18", "DSP", "FF", "LUT", "URAM")
    body = tuple(
        (
            row["design"] or row["path"],
            row["stage"] or "",
            row["name"],
            span(row["latency_min_cycles"], row["latency_max_cycles"]),
            span(row["interval_min_cycles"], row["interval_max_cycles"]),
            figure(row["clock_estimate_ns"]),
            *(figure(row[name]) for name in ("bram_18k", "dsp", "ff", "lut", "uram")),
        )
        for row in rows
    )
    return Table(headings, body, (False,) * 3 + (True,) * 8)


def fifo_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The FIFOs with depth, width, cost and what the project says of them."""
    names = ("name", "depth", "bits", "bram_18k", "ff", "lut", "layer", "on_skip")
    headings = ("design", "FIFO", "depth", "bits", "BRAM18", "FF", "LUT", "layer", "on skip")
    body = tuple((row["design"] or row["path"], *(figure(row[name]) for name in names)) for row in rows)
    return Table(headings, body, (False, False) + (True,) * 5 + (False, False))


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """A column per design, and one per difference from the first."""
    designs = comparisons[0].designs if comparisons else ()
    headings = ["stage", "metric"]
    for number, design in enumerate(designs):
        headings += [design, "change"] if number else [design]
    rows = []
    for comparison in comparisons:
        line = [comparison.stage.value, comparison.metric]
        for number, value in enumerate(comparison.values):
            line.append(figure(value))
            if number:
                change = comparison.changes_percent[number]
                line.append("" if change is None else f"{change:+.1f} %")
        rows.append(tuple(line))
    return Table(tuple(headings), tuple(rows), (False, False) + (True,) * (len(headings) - 2))


def span(low: int | None, high: int | None) -> str:
    """Minimum and maximum, or the one figure that both are.

    >>> span(90146, 90195), span(40, 40), span(None, 7), span(None, None)
    ('90146-90195', '40', '7', '')
    """
    return figure(high if high is not None else low) if low is None or high in (None, low) else f"{low}-{high}"


def figure(value: object) -> str:
    """A figure as people read it; nothing where the report says nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
