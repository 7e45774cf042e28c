"""Table I: top-1 of networks with and without skips, 32-bit and quantized; printed and saved under tables/."""

import argparse
from typing import TYPE_CHECKING, Any

from nonresnet_hls.cli import common

if TYPE_CHECKING:
    from nonresnet_hls.reports.render import Table

NAME = "table1"
HELP = "accuracy of the networks (Table I)"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    text = "recipe of a whole network, brought up to date if it trains on demand (default: all that are trained)"
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=text)
    common.add_workspace(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print and save the table."""
    from nonresnet_hls import api

    place = common.workspace(args)
    frame = api.table1(args.recipes, args.workspace)
    text = _text(frame)
    if args.json:
        common.print_rows(frame)
    else:
        print(common.table_text(text), end="")
    # Last: where nothing can be saved, the figures are there all the same.
    common.save_table(frame, text, place.tables / "table1")
    return 0


def _text(frame: Any) -> "Table":
    from nonresnet_hls.reports.render import Table

    names = ("32-bit %", "16-bit %", "8-bit %", "hardware 16 %", "hardware 8 %", "paper 32-bit %", "epochs", "hours")
    headings = ("dataset", "network", "skips", *names)
    rows = []
    row: Any
    for row in frame.itertuples():
        percents = (
            *(row.top1_percent_32_bit, row.top1_percent_16_bit, row.top1_percent_8_bit),
            *(row.hardware_top1_percent_16_bit, row.hardware_top1_percent_8_bit, row.paper_top1_percent),
        )
        figures = [
            *(common.fixed(value, 2) for value in percents),
            str(row.epochs),
            common.fixed(row.training_hours, 2),
        ]
        rows.append((row.dataset, row.network, row.skips, *figures))
    return Table(headings, tuple(rows), (False,) * 3 + (True,) * 8)
