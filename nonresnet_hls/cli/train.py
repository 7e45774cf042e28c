"""Train the float network of a recipe; where the recipe says so, by Algorithm 1. Killed, it goes on where it was."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nonresnet_hls.cli import common

if TYPE_CHECKING:
    from nonresnet_hls.api.shown import Training
    from nonresnet_hls.recipe import Recipe

NAME = "train"
HELP = "train a recipe's network"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    common.add_recipes(parser)
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="write TensorBoard logs into DIR/NAME/phase-N")


def run(args: argparse.Namespace) -> int:
    """Train, and print top-1, epochs and time."""
    from nonresnet_hls import api

    return show(args, api.train)


def show(args: argparse.Namespace, train: "Callable[[Recipe, Path, Path | None], Training]") -> int:
    """Train recipes one by one, and print what each came to."""
    results = []
    for recipe in common.recipes(args):
        trained = train(recipe, args.workspace, args.tensorboard)
        metrics = trained.metrics
        results.append({"name": recipe.name, "artefact": str(trained.directory), **metrics})
        if not args.json:
            found = "no top-1 (no classes with labels)" if metrics["top1"] is None else f"top-1 {metrics['top1']:.2%}"
            if "metrics" in metrics:
                found = ", ".join(f"{name} {value:.4g}" for name, value in metrics["metrics"].items())
            print(
                f"{recipe.name}: {found} of {metrics['test_samples']} test samples, "
                f"{metrics['epochs']} epochs, {metrics['seconds']:.0f} s, {trained.directory}"
            )
    if args.json:
        common.print_json(results)
    return 0
