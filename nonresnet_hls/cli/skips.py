"""List the skips of any Keras functional model; with --remove or --shorten write a new model without them.

Exit status 1 where none of them can be removed or shortened: then nothing is written.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonresnet_hls.cli import common
from nonresnet_hls.errors import ModelError

if TYPE_CHECKING:
    from nonresnet_hls.skips import Skip

NAME = "skips"
HELP = "list, remove or shorten the skips of a .keras or .h5 model"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    which = "all (that can be), numbers as 1,3 or a resolution group as group:2"
    parser.add_argument("model", type=Path, metavar="MODEL", help="functional Keras model, .keras or .h5")
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--remove", metavar="WHICH", help=f"take skips out: {which}")
    change.add_argument("--shorten", metavar="WHICH", help="let skips go over their first convolution only")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.keras", help="the new model")
    parser.add_argument("--allow", action="append", default=[], metavar="NAME", help="Lambda layer or class to accept")
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the skips, and write the changed model."""
    from nonresnet_hls import skips
    from nonresnet_hls.networks import saved
    from nonresnet_hls.skips.graph import nested

    change = args.remove or args.shorten
    if bool(change) != (args.output is not None):
        raise ModelError("--remove or --shorten goes together with -o OUT.keras")
    if args.output is not None:
        if args.output.suffix != ".keras":
            raise ModelError(f"{args.output}: a name ending in .keras wanted")
        if os.path.lexists(args.output):
            raise ModelError(f"{args.output}: exists already; it is not overwritten")
    model = saved.load(args.model, args.allow)
    found = skips.find(model)
    inside = [layer.name for layer in model.layers if nested(layer)]
    after: Any = None
    asked: list[int] = []
    done: list[int] = []
    stay: dict[int, str] = {}
    if change:
        chosen = _chosen(change, found)
        stay = {skip.number: skip.refusal for skip in found if skip.refusal}
        if args.shorten:
            stay = skips.not_shortened(model)
        asked = [skip.number for skip in found] if chosen is None else chosen
        possible = [number for number in asked if number not in stay]
        # Of a choice by number, some that can be and some that cannot: the latter are refused.
        done = asked if possible and chosen is not None else possible
        if done:
            after = skips.remove(model, done) if args.remove else skips.shorten(model, done)
            saved.save(after, args.output)
    if args.json:
        figures: dict[str, Any] = {"model": str(args.model), "skips": [_row(skip) for skip in found]}
        figures["models_inside"] = inside
        if change:
            figures |= {"changed": done, "unchanged": {str(number): why for number, why in stay.items()}}
        if after is not None:
            figures |= {"written": str(args.output), "skips_left": len(skips.find(after))}
        common.print_json(figures)
        return 1 if change and after is None else 0
    for skip in found:
        print(_line(skip))
    for name in inside:
        print(f"{name} is a model used as a layer: the skips inside it are not among these")
    print(f"{args.model}: {len(found)} skips, {sum(skip.removable for skip in found)} of them removable")
    if not change:
        return 0
    verb = "removed" if args.remove else "shortened"
    if after is None or len(done) < len(asked):
        print(f"{len(done)} of {len(asked)} skips {verb}" + ("" if asked else ": the model has none"))
        for skip in found:
            if skip.number in asked and skip.number not in done:
                print(f"  {skip.number} into {skip.joins} stays: {stay[skip.number]}")
    if after is None:
        print(f"{args.output}: not written, since nothing would be changed")
        return 1
    counts = f"{after.count_params()} of {model.count_params()} parameters"
    print(f"{args.output}: {len(skips.find(after))} skips, {counts}")
    return 0


def _chosen(text: str, found: "Sequence[Skip]") -> list[int] | None:
    """The numbers that WHICH stands for; None for all that can be changed.

    Raises:
        ModelError: it is none of the forms, or stands for nothing.
    """
    if text == "all":
        return None
    kind, colon, numbers = text.rpartition(":")
    try:
        wanted = {int(number) for number in numbers.split(",")}
    except ValueError:
        wanted = set()
    if not wanted or kind not in ("", "group") or bool(kind) != bool(colon):
        raise ModelError(f"which skips: all, numbers as 1,3 or group:2 wanted, not {text!r}")
    if not kind:
        return sorted(wanted)
    chosen = [skip.number for skip in found if skip.group in wanted]
    if not chosen:
        groups = ", ".join(str(group) for group in sorted({skip.group for skip in found})) or "none"
        raise ModelError(f"which skips: resolution groups of the model ({groups}) wanted, not {text!r}")
    return chosen


def _row(skip: "Skip") -> dict[str, Any]:
    return {
        "number": skip.number,
        "group": skip.group,
        "join": str(skip.join),
        "leaves": skip.leaves,
        "joins": skip.joins,
        "projection": list(skip.projection),
        "bypasses": list(skip.bypasses),
        "buffer_shape": list(skip.buffer_shape),
        "buffer_elements": skip.buffer_elements,
        "removable": skip.removable,
        "refusal": skip.refusal,
    }


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
