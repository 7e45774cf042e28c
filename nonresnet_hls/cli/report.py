"""Read reports of Vivado HLS, Vitis HLS, Vivado, FINN, Yosys, nextpnr and Quartus, whichever lie below the given paths.

One row per design and tool stage; what a report does not say stays empty (JSON: null). Exit status 1: some
report below a folder is broken, the others are shown; 2: a path is no report, or holds none.
"""

import argparse
import sys
from typing import TYPE_CHECKING

from nonresnet_hls.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nonresnet_hls.reports import Report
    from nonresnet_hls.reports.render import Table

NAME = "report"
HELP = "tabulate the tools' reports: latency, interval, resources, timing, loops, FIFOs"
FORMATS = ("table", "csv", "json", "markdown", "latex")
_MOST_NAMED = 3
_WIDE = 250


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="a report, an hls4ml project, a Vivado or Vitis solution, or any folder above",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--per-module", action="store_true", help="one row per module")
    what.add_argument("--loops", action="store_true", help="one row per loop: trip count, achieved and wanted II")
    what.add_argument("--fifos", action="store_true", help="one row per FIFO")
    what.add_argument("--compare", action="store_true", help="designs side by side, relative to the first")
    parser.add_argument(
        "--all",
        action="store_true",
        help="in tables: rows without figures and of out-of-context IPs, and columns that do not fit, too",
    )
    parser.add_argument(
        "--merge", action="store_true", help="JSON: one record per design and stage instead of one per file"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--format", choices=FORMATS, default="table", help="default: %(default)s")
    form.add_argument("--json", action="store_const", const="json", dest="format", help="short for --format json")


def run(args: argparse.Namespace) -> int:
    """Print what was asked for; broken reports are listed at the end."""
    from nonresnet_hls import api
    from nonresnet_hls.reports.render import Format, render

    gathered = api.gather(*args.paths)
    found, merged = gathered.found, gathered.merged
    refused, remarks = list(gathered.refused), gathered.remarks
    form = Format(args.format)
    if found or not refused:
        try:
            table, rows = _asked_for(args, form, found, merged)
        except ReportError as error:
            refused.append(error)
        else:
            _print(render(_with(table, remarks), rows, form) if table.rows or form in {Format.JSON, Format.CSV} else "")
            if not table.rows and form not in {Format.JSON, Format.CSV}:
                _print("".join(f"{text}\n" for text in [*_nothing(args, found), *remarks]))
    elif form is Format.JSON:
        _print("[]\n")
    for message in [*gathered.broken, *refused]:
        sys.stdout.flush()
        print(f"nonresnet-hls: {message}", file=sys.stderr)
    return 2 if refused else 1 if gathered.broken else 0


def _asked_for(
    args: argparse.Namespace, form: object, found: "Sequence[Report]", merged: "Sequence[Report]"
) -> "tuple[Table, list[dict[str, object]]]":
    """The table for people and the rows for programs.

    Raises:
        ReportError: fewer than two designs to compare.
    """
    from nonresnet_hls import reports
    from nonresnet_hls.reports import rows, views
    from nonresnet_hls.reports.render import Format

    if args.compare:
        comparisons = reports.compare(merged)
        return views.comparison_table(comparisons), rows.comparison_rows(comparisons)
    if args.per_module:
        listed = rows.module_rows(merged)
        return views.module_table(listed), listed
    if args.loops:
        listed = rows.loop_rows(merged)
        return views.loop_table(listed), listed
    if args.fifos:
        listed = rows.fifo_rows(merged)
        return views.fifo_table(listed), listed
    per_file = form is Format.JSON and not args.merge
    width = _width() if form is Format.TABLE else None
    return views.report_table(merged, args.all, width), rows.report_rows(found if per_file else merged)


def _width() -> int:
    """The longest line: the terminal's; `COLUMNS`, or a wide one, where there is no terminal."""
    import shutil

    return shutil.get_terminal_size((_WIDE, 24)).columns


def _nothing(args: argparse.Namespace, found: "Sequence[Report]") -> list[str]:
    """Why a table has no rows, although reports were read."""
    what = "modules" if args.per_module else "loops" if args.loops else "FIFOs" if args.fifos else "hardware figures"
    kinds = ", ".join(f"{report.path} ({report.kind.value})" for report in found[:_MOST_NAMED])
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return [f"no {what} in {kinds}{more}"] if found else []


def _with(table: "Table", remarks: "Sequence[str]") -> "Table":
    from dataclasses import replace

    return replace(table, footnotes=(*table.footnotes, *remarks))


def _print(text: str) -> None:
    """Print under any locale: a name may hold characters that the terminal does not."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
