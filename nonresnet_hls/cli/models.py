"""List the recipes, those in models/ and the built-in ones."""

import argparse

from nonresnet_hls.cli import common

NAME = "models"
HELP = "list the recipes"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    common.add_workspace(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print a line per recipe."""
    from nonresnet_hls import api, progress

    found = api.models(args.workspace)
    if args.json:
        common.print_json(found.rows)
        return 0
    width = max(len(row["name"]) for row in found.rows)
    for row in found.rows:
        bits = f"W{row['weight_bits']}A{row['activation_bits']}"
        print(f"{row['name']:<{width}}  {row['dataset']:<8}  {bits:<7} {progress.printable(row['description'])}")
    return 0
