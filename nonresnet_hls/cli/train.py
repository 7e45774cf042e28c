"""Train the float network of a recipe; where the recipe says so, by Algorithm 1. Killed, it goes on where it was."""

import argparse
from pathlib import Path

from nonresnet_hls.cli import common

NAME = "train"
HELP = "train a recipe's network"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    common.add_recipes(parser)
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="write TensorBoard logs into DIR/NAME/phase-N")


def run(args: argparse.Namespace) -> int:
    """Train, and print top-1, epochs and time."""
    from nonresnet_hls.pipeline import train as stage

    place, results = common.workspace(args), []
    for recipe in common.recipes(args):
        artefact = stage.train(recipe, place, args.tensorboard)
        metrics = stage.read_metrics(artefact)
        results.append({"name": recipe.name, "artefact": str(artefact.directory), **metrics})
        if not args.json:
            found = "no top-1 (no classes with labels)" if metrics["top1"] is None else f"top-1 {metrics['top1']:.2%}"
            print(
                f"{recipe.name}: {found} of {metrics['test_samples']} test samples, "
                f"{metrics['epochs']} epochs, {metrics['seconds']:.0f} s, {artefact.directory}"
            )
    if args.json:
        common.print_json(results)
    return 0
