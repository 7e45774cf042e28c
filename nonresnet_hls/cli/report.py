"""Read reports of Vivado HLS, Vitis HLS, Vivado, FINN and Yosys, whichever lie below the given paths.

One row per design and tool stage; what a report does not say stays empty (JSON: null). Exit status 1: some
report below a folder is broken, the others are shown; 2: a path is no report.
"""

import argparse
import sys

from nonresnet_hls.errors import ReportError

NAME = "report"
HELP = "tabulate the tools' reports: latency, interval, resources, timing, FIFOs"
FORMATS = ("table", "csv", "json", "markdown", "latex")


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
    what.add_argument("--fifos", action="store_true", help="one row per FIFO")
    what.add_argument("--compare", action="store_true", help="designs side by side, relative to the first")
    parser.add_argument(
        "--merge", action="store_true", help="JSON: one record per design and stage instead of one per file"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--format", choices=FORMATS, default="table", help="default: %(default)s")
    form.add_argument("--json", action="store_const", const="json", dest="format", help="short for --format json")


def run(args: argparse.Namespace) -> int:
    """Print what was asked for; broken reports are listed at the end."""
    from nonresnet_hls import reports
    from nonresnet_hls.reports.render import (
        Format,
        comparison_table,
        fifo_table,
        module_table,
        render,
        report_table,
    )
    from nonresnet_hls.reports.rows import comparison_rows, fifo_rows, module_rows, report_rows

    found: list[reports.Report] = []
    broken: list[ReportError] = []
    refused: list[ReportError] = []
    for path in args.paths:
        try:
            scan = reports.scan(path)
        except ReportError as error:
            refused.append(error)
            continue
        found += scan.reports
        broken += scan.errors
    form = Format(args.format)
    merged = reports.merge(found)
    if refused and not found:
        pass
    elif args.compare:
        try:
            comparisons = reports.compare(merged)
        except ReportError as error:
            refused.append(error)
        else:
            _print(render(comparison_table(comparisons), comparison_rows(comparisons), form))
    elif args.per_module:
        rows = module_rows(merged)
        _print(render(module_table(rows), rows, form))
    elif args.fifos:
        rows = fifo_rows(merged)
        _print(render(fifo_table(rows), rows, form))
    else:
        per_file = form is Format.JSON and not args.merge
        _print(render(report_table(merged), report_rows(found if per_file else merged), form))
    for message in [*broken, *refused]:
        sys.stdout.flush()
        print(f"nonresnet-hls: {message}", file=sys.stderr)
    return 2 if refused else 1 if broken else 0


def _print(text: str) -> None:
    """Print under any locale: a name may hold characters that the terminal does not."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
