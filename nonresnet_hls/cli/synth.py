"""Synthesise a recipe's project with the vendor's tool on PATH; its output goes to stderr and to synth.log."""

import argparse

from nonresnet_hls.cli import common

NAME = "synth"
HELP = "synthesise a recipe's project"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    common.add_recipes(parser)
    parser.add_argument("--cosim", action="store_true", help="C/RTL co-simulation too")
    parser.add_argument("--vsynth", action="store_true", help="logic synthesis by Vivado too")


def run(args: argparse.Namespace) -> int:
    """Run the engine and print a row per stage that it reports on."""
    from nonresnet_hls import reports
    from nonresnet_hls.reports.render import Format, render, report_table
    from nonresnet_hls.reports.rows import report_rows
    from nonresnet_hls.synthesis import stage, vendor

    place = common.workspace(args)
    rows = []
    for recipe in common.recipes(args):
        found = stage.run_vendor(recipe, place, vendor.Steps(args.cosim, args.vsynth))
        rows += reports.merge(reports.read(found.directory))
    form = Format.JSON if args.json else Format.TABLE
    print(render(report_table(rows), report_rows(rows), form), end="")
    return 0
