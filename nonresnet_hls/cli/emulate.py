"""The exact outputs of a design's hardware, for whole test sets in seconds, without compiling its C++.

The design is a recipe, a Keras or QKeras model file (converted as hls4ml does by itself), or a project directory that
hls4ml 1.x wrote. A recipe's hardware is compared with its Keras model; exit status 1 if a value differs.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonresnet_hls.cli import common
from nonresnet_hls.errors import RecipeError

if TYPE_CHECKING:
    pass

NAME = "emulate"
HELP = "the hardware's exact outputs for a whole test set"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    named = "a recipe, a .keras, .h5, .onnx or .pt2 file, or a project directory that hls4ml wrote"
    parser.add_argument("designs", nargs="+", metavar="DESIGN", help=named)
    what = parser.add_mutually_exclusive_group()
    inputs = "a .npy file of samples x input shape; of several inputs a .npz file, with their names"
    what.add_argument("--samples", type=int, metavar="N", help="the first N test samples (a file: N random ones)")
    what.add_argument("--split", choices=("test",), help="the whole test set (default for a whole network)")
    what.add_argument("--inputs", type=Path, metavar="FILE", help=inputs)
    parser.add_argument("--outputs", type=Path, metavar="FILE", help="as .npy; of several outputs as .npz")
    parser.add_argument("--proof", action="store_true", help="for each layer, the bits it needs and what it runs in")
    common.add_workspace(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Emulate, and print what came out."""
    from nonresnet_hls import api
    from nonresnet_hls.api.shown import Stage
    from nonresnet_hls.pipeline import runner

    if args.outputs is not None and len(args.designs) > 1:
        raise RecipeError(f"--outputs: one design wanted, not {len(args.designs)}")
    results = []
    for design in args.designs:
        found = api.emulate(
            design,
            args.workspace,
            inputs=args.inputs,
            samples=args.samples,
            split=args.split,
            outputs=args.outputs,
        )
        results.append(dict(found.figures))
        if not args.json:
            with runner.reading(*([found] if isinstance(found, Stage) else [])):
                _show(design, results[-1], args.proof)
    if args.json:
        # One design is no list: so it was before there could be several.
        common.print_json(results[0] if len(results) == 1 else results)
    return 0 if not any(figures.get("different") for figures in results) else 1


def _show(design: str, figures: dict[str, Any], proof: bool) -> None:
    from nonresnet_hls.reports.render import Format, Table, render

    speed = f"{figures['seconds']:.2f} s, {figures['images_per_second']:,.0f} a second"
    what = f"{figures['samples']} samples" + (f" ({figures['inputs']})" if "inputs" in figures else "")
    prepared = f"{figures['preparation_seconds']:.1f} s to prepare"
    print(f"{design}: {what} in {speed} ({prepared}; {figures['kernels']})")
    if "top1" in figures:
        print(f"  top-1 of the hardware: {figures['top1']:.2%}")
    if "different" in figures:
        print(f"  {_verdict(figures)}; compared with: {figures['reference']}")
        for output in figures.get("outputs", ()):
            top1 = f"; top-1 of the hardware: {output['top1']:.2%}" if "top1" in output else ""
            print(f"  output {output['name']}: {_verdict(output)}{top1}")
    if proof:
        rows = tuple((row["layer"], row["kind"], str(row["bits"]), row["arithmetic"]) for row in figures["layers"])
        table = Table(("layer", "kind", "bits", "runs in"), rows, (False, False, True, False))
        print(render(table, (), Format.TABLE), end="")


def _verdict(figures: dict[str, Any]) -> str:
    """How many values are equal, of all outputs or of one."""
    verdict = "equal" if not figures["different"] else f"{figures['different']} DIFFERENT"
    predictions = figures.get("different_predictions")
    more = "" if predictions is None else f", {predictions} predictions differ"
    return f"{figures['values']} values, {verdict}{more}"
