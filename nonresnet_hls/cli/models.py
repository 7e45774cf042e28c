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
    from nonresnet_hls import progress, recipe

    place = common.workspace(args)
    found = place.load_recipes(recipe.names(place.models))
    if args.json:
        common.print_json(
            [
                {
                    "name": one.name,
                    "description": one.description,
                    "dataset": str(one.dataset.name),
                    "weight_bits": one.quantization.weight_bits,
                    "activation_bits": one.quantization.activation_bits,
                    "file": str(recipe.find(one.name, place.models)),
                }
                for one in found
            ]
        )
        return 0
    width = max(len(one.name) for one in found)
    for one in found:
        bits = f"W{one.quantization.weight_bits}A{one.quantization.activation_bits}"
        print(f"{one.name:<{width}}  {one.dataset.name:<8}  {bits:<7} {progress.printable(one.description)}")
    return 0
