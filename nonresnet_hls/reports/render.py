"""Rows as text: an aligned table, CSV, JSON, Markdown or LaTeX."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from nonresnet_hls import progress


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
    footnotes: tuple[str, ...] = ()  # below the table: notes, disagreements, what is not shown


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
    # A name that breaks the line breaks the table, and what a terminal obeys has no place in it.
    rows_shown = tuple(tuple(progress.printable(cell) for cell in row) for row in table.rows)
    table = replace(table, rows=rows_shown, footnotes=tuple(progress.printable(note, "\n") for note in table.footnotes))
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
    # "latency [cycles]" takes two lines where no figure is as wide.
    upper, lower = zip(*(heading.partition(" [")[::2] for heading in table.headings), strict=True)
    headings = [upper, tuple(f"[{unit}" if unit else "" for unit in lower)] if any(lower) else [upper]
    widths = [max(map(len, column)) for column in zip(*headings, *table.rows, strict=True)]
    lines = [*headings, tuple("-" * width for width in widths), *table.rows]
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
    notes = "".join(f"- {note}\n" for note in table.footnotes)
    return line(table.headings) + rule + "".join(map(line, table.rows)) + (f"\n{notes}" if notes else "")


_LATEX = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
}


def _latex(table: Table) -> str:
    def escaped(text: str) -> str:
        return "".join(_LATEX.get(c, c) for c in text)

    def line(cells: Sequence[str]) -> str:
        return "  " + " & ".join(map(escaped, cells)) + " \\\\\n"

    columns = "".join("r" if figure else "l" for figure in table.figures)
    body = "".join(map(line, table.rows))
    return (
        f"\\begin{{tabular}}{{{columns}}}\n  \\hline\n{line(table.headings)}  \\hline\n{body}"
        "  \\hline\n\\end{tabular}\n"
    ) + "".join(f"\\par\\noindent{{\\footnotesize {escaped(note)}\\par}}\n" for note in table.footnotes)


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
