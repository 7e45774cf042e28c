"""Convert the quantized model of a recipe into an HLS project under hls_projects/, what it stands on before it."""

import argparse
from typing import Any

from nonresnet_hls.cli import common

NAME = "convert"
HELP = "write a recipe's HLS project"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    common.add_recipes(parser, every=True, models=True)
    parser.add_argument(
        "--fifos",
        choices=("tensor", "sized"),
        help="depth of the FIFOs: whole tensors, as hls4ml does, or sized (default: as the recipe says); the commands"
        " that follow leave it so until the recipe changes",
    )


def run(args: argparse.Namespace) -> int:
    """Convert, and print the reuse factor of each layer."""
    from nonresnet_hls import api
    from nonresnet_hls.pipeline import runner

    results = []
    for recipe in common.recipes(args):
        artefact = api.convert(recipe, args.workspace, args.fifos)
        figures = artefact.figures
        results.append({"name": recipe.name, "project": str(artefact.directory), **figures})
        if not args.json:
            print(
                f"{recipe.name}: {artefact.directory}, {recipe.hls.backend}, {recipe.hls.part}, {recipe.hls.strategy}"
            )
            with runner.reading(artefact):
                _show(figures)
    if args.json:
        common.print_json(results)
    return 0


def _show(figures: Any) -> None:
    for factor in figures["reuse_factors"]:
        changed = "" if factor["used"] == factor["target"] else f" (nearest to {factor['target']} that fits)"
        print(f"  {factor['layer']}: reuse factor {factor['used']}{changed}")
    if "fifos" in figures:
        before, after = figures["fifos"]["before"], figures["fifos"]["after"]
        print(f"  FIFOs: {before['bits']:,} bits with whole tensors, {after['bits']:,} sized")
