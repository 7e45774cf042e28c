"""Train the float network of a recipe; where the recipe says so, by Algorithm 1. Killed, it goes on where it was."""

import argparse
from pathlib import Path

NAME = "train"
HELP = "train a recipe's network"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("recipes", nargs="+", metavar="RECIPE", help="name of a recipe, or path of a .toml file")
    parser.add_argument("--workspace", type=Path, default=Path(), help="folder of models/ (default: the current one)")
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="write TensorBoard logs into DIR/NAME")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(args: argparse.Namespace) -> int:
    """Train, and print top-1, epochs and time."""
    import json

    from nonresnet_hls.training import stage
    from nonresnet_hls.workspace import Workspace

    workspace = Workspace(args.workspace)
    figures = []
    for name in args.recipes:
        recipe = workspace.recipe(name)
        artefact = stage.train(recipe, workspace, args.tensorboard)
        metrics = stage.read_metrics(artefact)
        figures.append({"recipe": recipe.name, "artefact": str(artefact.directory), **metrics})
        if not args.json:
            print(
                f"{recipe.name}: top-1 {metrics['top1']:.2%} of {metrics['test_samples']} test samples, "
                f"{metrics['epochs']} epochs, {metrics['seconds']:.0f} s, {artefact.directory}"
            )
    if args.json:
        print(json.dumps(figures, indent=2))
    return 0
