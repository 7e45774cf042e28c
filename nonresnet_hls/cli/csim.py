"""Run the C simulation of a recipe's project and compare every output with Keras; exit status 1 if one differs."""

import argparse
from typing import Any

from nonresnet_hls.cli import common
from nonresnet_hls.errors import RecipeError

NAME = "csim"
HELP = "C-simulate a recipe's project and compare with Keras bit for bit"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    common.add_recipes(parser, every=True)
    parser.add_argument("--samples", type=int, metavar="N", help="of the test data (default: as the recipe says)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that simulate (default: 1)")


def run(args: argparse.Namespace) -> int:
    """Compare, and print how many values were equal."""
    from nonresnet_hls.pipeline import csim as stage
    from nonresnet_hls.pipeline import runner

    for option in ("samples", "jobs"):
        if (value := getattr(args, option)) is not None and value < 1:
            raise RecipeError(f"--{option}: at least 1 wanted, not {value}")
    place, results = common.workspace(args), []
    for recipe, artefact in stage.run_csim(common.recipes(args), place, args.samples, args.jobs):
        figures = artefact.figures
        results.append({"name": recipe.name, "equal": figures["equal"], **figures})
        if not args.json:
            with runner.reading(artefact):
                _show(recipe.name, figures)
    if args.json:
        common.print_json(results)
    return 0 if all(result["equal"] for result in results) else 1


def _show(name: str, figures: Any) -> None:
    samples = " + ".join(f"{part['samples']} {part['inputs']}" for part in figures["input_sets"])
    verdict = "equal" if figures["equal"] else "DIFFERENT"
    print(f"{name}: {verdict}, {figures['values']} values ({samples}); weights: {figures['weights']}")
    print(f"  compared with: {figures['reference']}; {figures['emulator']}")
    if (worth := figures["worth"]) is not None:
        names = {"float": "float_network", "quantized": "quantized", "hardware": "hardware"}
        shares = ", ".join(f"{worth[key]:.2%} {name}" for name, key in names.items())
        print(f"  {worth['metric']} on {worth['samples']} samples: {shares}")
    for warning in figures["warnings"]:
        print(f"  warning: {warning}")
    if figures["equal"]:
        return
    layer = figures["first_layer"] or "none, so the top function or the test bench is not as it was generated"
    print(f"  {figures['different']} values differ; first layer that does: {layer}")
    if figures["emulated_different"]:
        print(f"  {figures['emulated_different']} values differ between the emulator and the compiled library")
    for one in figures["mismatches"]:
        where = f"{one['inputs']} sample {one['sample']} output {one['index']}"
        print(f"  {where}: {one['expected']!r} wanted, {one['got']!r} got; input starts {one['input_values']}")
