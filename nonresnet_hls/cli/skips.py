"""List the skips of any Keras functional model; with --remove, --shorten or --merge write a new model without them.

Merged skips go through the convolutions that they bypass: the function stays as it is. Exit status 1 where none of them
can be changed so: then nothing is written.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonresnet_hls.cli import common
from nonresnet_hls.errors import ModelError

if TYPE_CHECKING:
    from nonresnet_hls.skips import Skip

NAME = "skips"
HELP = "list, remove, shorten or merge the skips of a .keras or .h5 model"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    which = "all (that can be), numbers as 1,3 or a resolution group as group:2"
    parser.add_argument("model", type=Path, metavar="MODEL", help="functional Keras model, .keras or .h5")
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--remove", metavar="WHICH", help=f"take skips out: {which}")
    change.add_argument("--shorten", metavar="WHICH", help="let skips go over their first convolution only")
    change.add_argument("--merge", metavar="WHICH", help="let skips go through the convolutions that they bypass")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.keras", help="the new model")
    parser.add_argument("--allow", action="append", default=[], metavar="NAME", help="Lambda layer or class to accept")
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the skips, and write the changed model."""
    from nonresnet_hls import api
    from nonresnet_hls.skips import find

    change = args.remove or args.shorten or args.merge
    if bool(change) != (args.output is not None):
        raise ModelError("--remove, --shorten or --merge goes together with -o OUT.keras")
    result = api.skips(args.model, args.remove, args.shorten, args.output, args.allow, args.merge)
    found, stay, after = result.found, result.stay, result.changed_model
    if args.json:
        figures: dict[str, Any] = {"model": str(args.model), "skips": result.rows}
        figures["models_inside"] = list(result.models_inside)
        if change:
            figures |= {
                "changed": list(result.changed),
                "unchanged": {str(number): why for number, why in stay.items()},
            }
        if after is not None:
            figures |= {"written": str(args.output), "skips_left": len(find(after))}
        common.print_json(figures)
        return 1 if change and after is None else 0
    for skip in found:
        print(_line(skip))
    for name in result.models_inside:
        print(f"{name} is a model used as a layer: the skips inside it are not among these")
    print(f"{args.model}: {len(found)} skips, {sum(skip.removable for skip in found)} of them removable")
    if not change:
        return 0
    verb = "removed" if args.remove else "shortened" if args.shorten else "merged"
    if after is None or len(result.changed) < len(result.asked):
        none = "" if result.asked else ": the model has none"
        print(f"{len(result.changed)} of {len(result.asked)} skips {verb}{none}")
        for skip in found:
            if skip.number in result.asked and skip.number not in result.changed:
                print(f"  {skip.number} into {skip.joins} stays: {stay[skip.number]}")
    if after is None:
        print(f"{args.output}: not written, since nothing would be changed")
        return 1
    counts = f"{after.count_params()} of {result.model.count_params()} parameters"
    print(f"{args.output}: {len(find(after))} skips, {counts}")
    return 0


def _line(skip: "Skip") -> str:
    buffered = "x".join("?" if size is None else str(size) for size in skip.buffer_shape)
    if skip.buffer_elements is not None:
        buffered += f" = {skip.buffer_elements} elements"
    over = f", projected by {skip.projection[0]}" if skip.projection else ""
    why = f"; stays: {skip.refusal}" if skip.refusal else ""
    return (
        f"{skip.number:4} group {skip.group}: {skip.leaves} -> {skip.joins}, around {len(skip.bypasses)} layers{over}, "
        f"buffers {buffered}{why}"
    )
