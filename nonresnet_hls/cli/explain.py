"""Why a design's hardware gives other numbers than Keras, layer by layer, and the hls4ml configuration that cures it.

The design is a Keras or QKeras model file (with --config: as hls4ml converts it with that configuration, else with its
own choice), a project directory that hls4ml wrote (with --model), or a recipe. Exit status 1 where what is proposed
does not keep what it promises on the samples.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonresnet_hls.cli import common

if TYPE_CHECKING:
    from nonresnet_hls.explain.explaining import Agreement, Cure, Explanation

NAME = "explain"
HELP = "why hardware and Keras differ, layer by layer, and the types that cure it"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("design", metavar="DESIGN", help="a .keras or .h5 file, a project directory, or a recipe")
    parser.add_argument("--config", type=Path, metavar="YAML", help="hls4ml's configuration of a model file")
    parser.add_argument("--model", type=Path, metavar="FILE", help="the Keras model that a project was made of")
    samples = ".npz of x and y (or x_test and y_test), or .npy"
    parser.add_argument("--data", type=Path, metavar="FILE", help=f"samples: {samples}")
    parser.add_argument("--samples", type=int, metavar="N", help="the first N (default: 1000; with --max-loss: all)")
    lost = "seek the fewest bits that cost no more than so many points of accuracy"
    parser.add_argument("--max-loss", type=float, metavar="PERCENT", help=lost)
    parser.add_argument("--bits", type=int, default=16, metavar="N", help="that weights and results may have (16)")
    parser.add_argument("--io", choices=("stream", "parallel"), default="stream", help="of a model file")
    parser.add_argument("--backend", choices=("vivado", "vitis"), default="vivado", help="of a model file")
    parser.add_argument("-o", "--output", type=Path, metavar="YAML", help="write the configuration that cures")
    parser.add_argument("--worst", action="store_true", help="the worst values of each layer, with their bits")
    common.add_workspace(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Explain, and print what was found."""
    from nonresnet_hls import api

    result = api.explain(
        args.design,
        args.workspace,
        config=args.config,
        model=args.model,
        data=args.data,
        samples=args.samples,
        max_loss=args.max_loss,
        bits=args.bits,
        io=args.io,
        backend=args.backend,
        output=args.output,
    )
    if args.json:
        common.print_json(result.figures)
    else:
        _show(result.found, args.worst)
        for path in result.written:
            print(f"written: {path}")
    return 0 if result.found.holds else 1


def _show(found: "Explanation", worst: bool) -> None:
    from nonresnet_hls.explain import telling

    print(f"{found.name}: {found.agreement.samples} samples looked at layer by layer ({found.data_told})")
    print(f"  {_agreement(found.agreement, found.is_quantized)}")
    for note in found.notes:
        print(f"  hls4ml: {note}")
    if found.keras_rounding is not None:
        one = found.keras_rounding
        print(
            f"  Keras' own float32 rounds from layer {one.layer} on ({one.different} of {one.values} values, by up to"
            f" {one.largest:.3g}): no fault of the hardware, which is compared with the same model in float64"
        )
    if found.first is not None:
        print(f"  first layer that makes a difference: {found.first.layer}")
        for cause in found.first.causes[:3]:
            print(f"    {telling.sentence(cause)}; what helps: {telling.advice(cause.reason)}")
        print(f"    {telling.difference(found.first.worst[0])}")
    if found.worst is not None and found.worst is not found.first:
        print(f"  layer that loses most: {found.worst.layer} ({found.worst.loss:.2g} of its energy)")
        for cause in found.worst.causes[:3]:
            print(f"    {telling.sentence(cause)}; what helps: {telling.advice(cause.reason)}")
        print(f"    {telling.difference(found.worst.worst[0])}")
    _table(found)
    if worst:
        for layer in found.layers:
            for value in layer.worst:
                print(f"{layer.layer}: {telling.difference(value)}")
    if found.cure is None:
        print("nothing to cure: every layer makes of its inputs what Keras makes of them")
    else:
        _cure(found.cure)


def _agreement(one: "Agreement", is_quantized: bool) -> str:
    text = f"{one.different} of {one.values} outputs differ, by up to {one.largest_error:.4g}"
    if not is_quantized and one.different:
        text += f" ({one.mean_error:.3g} on average)"
    if one.predictions_different is not None:
        text += f"; {one.predictions_different} of {one.samples} predictions differ"
    if one.top1_keras is not None and one.top1_hardware is not None:
        text += f"; top-1 {one.top1_keras:.2%} in Keras, {one.top1_hardware:.2%} in hardware"
    return text


def _table(found: "Explanation") -> None:
    from nonresnet_hls.explain import telling
    from nonresnet_hls.reports.render import Format, Table, render

    rows = []
    for row, layer in zip(telling.rows(found), found.layers, strict=True):
        bar = "" if layer.histogram is None else layer.histogram.bar()
        loss = f"{layer.loss:.0e}" if layer.made_here else ""
        rows.append(
            (
                layer.layer,
                row["type"],
                str(layer.different),
                str(layer.made_here),
                loss,
                row["reason"],
                bar,
                row["proposed"],
            )
        )
    headings = ("layer", "type", "differ", "made here", "loss", "reason", "bits used in Keras |type|", "proposed")
    flags = (False, False, True, True, True, False, False, False)
    print(render(Table(headings, tuple(rows), flags), (), Format.TABLE), end="")


def _cure(cure: "Cure") -> None:
    for line in cure.rewritten:
        print(f"  in the model: {line}")
    before, after = cure.cost_before, cure.cost_after
    print(f"proposed, converted by hls4ml and emulated on {cure.after.samples} samples:")
    print(f"  before: {_agreement(cure.before, False)}")
    print(f"  after:  {_agreement(cure.after, False)}")
    if cure.bound is not None:
        told = "equal to" if cure.bound == 0 else f"within {cure.bound:.3g} of"
        verdict = "holds" if not cure.beyond_bound else f"FAILS for {cure.beyond_bound} values"
        print(f"  proved {told} its quantized twin (the model with these weights and types of results): {verdict}")
    print(
        f"  bits: weights {before.weight_bits:,} -> {after.weight_bits:,}, words of streams {before.result_bits:,} ->"
        f" {after.result_bits:,}, accumulators {before.accumulator_bits:,} -> {after.accumulator_bits:,}"
    )
    for note in cure.notes:
        print(f"  {note}")
    if cure.search is not None:
        _search(cure.search)


def _search(one: Any) -> None:
    from nonresnet_hls.reports.render import Format, Table, render

    verdict = "kept" if one.kept else "MISSED"
    shares = f"{one.metric} {one.keras:.2%} -> {one.hardware:.2%}"
    print(
        f"  fewest bits for a loss of {one.max_loss:g} points: {shares} on {one.samples} samples ({verdict});"
        f" {one.tried} candidates in {one.seconds:.0f} s, each judged on {one.judged}"
    )
    rows = tuple((row.layer, _bits(row.weight_bits), _bits(row.result_bits)) for row in one.bits)
    print(render(Table(("layer", "weight bits", "result bits"), rows, (False, True, True)), (), Format.TABLE), end="")


def _bits(value: int | None) -> str:
    return "" if value is None else str(value)
