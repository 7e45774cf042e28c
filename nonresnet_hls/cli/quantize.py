"""Quantize the network of a recipe with QKeras and fine-tune it, its training before it where that is missing."""

import argparse
from typing import Any

from nonresnet_hls.cli import common

NAME = "quantize"
HELP = "quantize a recipe's network with QKeras"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    common.add_recipes(parser, every=True, models=True)


def run(args: argparse.Namespace) -> int:
    """Quantize, and print top-1 before and after."""
    from nonresnet_hls import api
    from nonresnet_hls.pipeline import runner

    results = []
    for recipe in common.recipes(args):
        artefact = api.quantize(recipe, args.workspace)
        figures = artefact.figures
        results.append({"name": recipe.name, "artefact": str(artefact.directory), **figures})
        if not args.json:
            with runner.reading(artefact):
                bits = f"W{recipe.quantization.weight_bits}A{recipe.quantization.activation_bits}"
                _show(f"{recipe.name}: {bits}", figures)
    if args.json:
        common.print_json(results)
    return 0


def _show(head: str, figures: Any) -> None:
    accuracy = f"weights: {figures['weights']}"
    if "top1_float" in figures:
        accuracy = f"top-1 {figures['top1_float']:.2%} float, {figures['top1_quantized']:.2%} quantized"
    print(f"{head}, {accuracy}, widest sum {figures['widest_sum_bits']} bits")
    if figures["fine_tuning"] is not None:
        print(f"  {figures['fine_tuning']['said']}")
