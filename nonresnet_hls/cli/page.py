"""A page to look at, as one file that opens offline: networks with their skips, FIFOs over time, resources, studies.

It shows what the stages have found; figures that are not there yet it does not make up, but says how to get them.
Recipes are brought up to date as `fifos` does.
"""

import argparse
from pathlib import Path

from nonresnet_hls.cli import common

NAME = "page"
HELP = "write a page to look at designs and studies"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    designs = "a recipe, a .keras, .h5, .onnx or .pt2 file, or a project directory that hls4ml wrote"
    parser.add_argument("designs", nargs="*", metavar="NAME", help=designs)
    parser.add_argument("--study", type=Path, metavar="STUDY", help="the file of a study that was run, or its folder")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the page, a .html file")
    parser.add_argument("--title", default="", help="of the page (default: of the designs)")
    common.add_workspace(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write the page and name it."""
    from nonresnet_hls import api

    found = api.page(*args.designs, workspace=args.workspace, study=args.study, title=args.title, output=args.output)
    if args.json:
        common.print_json(found.figures)
    else:
        size = len(found.html.encode()) / 1e6
        print(f"written: {args.output} ({size:.1f} MB; opens in any browser, offline)")
    return 0
