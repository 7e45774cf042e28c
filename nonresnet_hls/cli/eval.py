"""Recompute top-1 from the weights on disk, float and quantized; exit status 1 where it is not the recorded one."""

import argparse
from typing import Any

from nonresnet_hls.cli import common

NAME = "eval"
HELP = "recompute the top-1 of trained networks"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    common.add_recipes(parser)
    parser.add_argument("--dataset", metavar="NAME", help="digits, cifar10, ... (default: that of the recipe)")


def run(args: argparse.Namespace) -> int:
    """Evaluate the float network, and the quantized one where there is one."""
    from nonresnet_hls import api

    def show(row: Any) -> None:
        if not args.json:
            told = {True: ", as recorded", False: f", but {row['recorded_top1']:.2%} is recorded", None: ""}[
                row["equal"]
            ]
            counted = f"top-1 {row['top1']:.2%} of {row['test_samples']} {row['dataset']} samples"
            print(f"{row['name']}, {row['weights']}: {counted}{told}")

    found = api.evaluate(common.recipes(args), args.workspace, args.dataset, show)
    if args.json:
        common.print_json(found.rows)
    return 0 if found.equal else 1
