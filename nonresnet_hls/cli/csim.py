"""Run the C simulation of a recipe's project and compare every output with Keras; exit status 1 if one differs."""

import argparse
from typing import Any

from nonresnet_hls import one_keras
from nonresnet_hls.cli import common

NAME = "csim"
HELP = "C-simulate a recipe's project and compare with Keras bit for bit"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    common.add_recipes(parser, every=True, models=True)
    parser.add_argument("--samples", type=int, metavar="N", help="of the test data (default: as the recipe says)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes that simulate (default: 1)")


def run(args: argparse.Namespace) -> int:
    """Compare, and print how many values were equal."""
    from nonresnet_hls import api
    from nonresnet_hls.api import stages
    from nonresnet_hls.pipeline import runner

    alone = len(args.recipes) == 1 and not args.all
    if alone and (one_keras.is_keras3() or stages.is_taken_as_it_is(args.recipes[0])):
        compared = api.csim(args.recipes[0], args.workspace, args.samples, args.jobs, data=args.data)
        if args.json:
            common.print_json(compared.rows)
        else:
            print(compared.caption)
        return 0 if compared.equal else 1
    results = []
    for found in api.csim(common.recipes(args), args.workspace, args.samples, args.jobs):
        results.append({"name": found.name, **found.figures})
        if not args.json:
            with runner.reading(found):
                _show(found.name, found.figures)
    if args.json:
        common.print_json(results)
    return 0 if all(result["equal"] for result in results) else 1


def _show(name: str, figures: Any) -> None:
    samples = " + ".join(f"{part['samples']} {part['inputs']}" for part in figures["input_sets"])
    verdict = "equal" if figures["equal"] else "DIFFERENT"
    print(f"{name}: {verdict}, {figures['values']} values ({samples}); weights: {figures['weights']}")
    print(f"  compared with: {figures['reference']}; {figures['emulator']}")
    if figures["worth"] is not None:
        print(f"  {_worth(figures['worth'])}")
    for output in figures["outputs"]:
        wrong = output["library_different"] + output["bench_different"]
        verdict = f"{wrong} DIFFERENT" if wrong else "equal"
        told = f"; {_worth(output['worth'])}" if output["worth"] is not None else ""
        print(f"  output {output['name']}: {verdict}, {2 * output['values']} values{told}")
    for warning in figures["warnings"]:
        print(f"  warning: {warning}")
    if figures["equal"]:
        return
    layer = figures["first_layer"] or "none, so the top function or the test bench is not as it was generated"
    print(f"  {figures['different']} values differ; first layer that does: {layer}")
    if figures["emulated_different"]:
        print(f"  {figures['emulated_different']} values differ between the emulator and the compiled library")
    for one in figures["mismatches"]:
        name = f" {one['output']}" if one["output"] else ""
        where = f"{one['inputs']} sample {one['sample']} output{name} {one['index']}"
        print(f"  {where}: {one['expected']!r} wanted, {one['got']!r} got; input starts {one['input_values']}")


def _worth(figures: Any) -> str:
    """Float network, quantized one and hardware beside each other, by one metric."""
    names = {"float": "float_network", "quantized": "quantized", "hardware": "hardware"}
    shares = ", ".join(f"{figures[key]:.2%} {name}" for name, key in names.items())
    return f"{figures['metric']} on {figures['samples']} samples: {shares}"
