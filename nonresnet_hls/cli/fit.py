"""Fit a design to a board: the reuse factor of every layer, by a cost model; no vendor tool is run.

For an interval each layer takes its cheapest reuse factor that is fast enough; the least interval that fits the budget
is found, or with --fps the least resources. Of hls4ml's designs LUT, FF, DSP and cycles are modelled, and BRAM18
follows the rule of the tools' own reports; those of the open engine (--engine rtl) are synthesised, layer by layer.
"""

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nonresnet_hls.cli import common

if TYPE_CHECKING:
    from nonresnet_hls.pipeline.fit import Fit, MeasuredFit
    from nonresnet_hls.pipeline.fit_values import Found

NAME = "fit"
HELP = "choose the reuse factors with which a design fits a board"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    design = "a recipe, a .keras, .h5, .onnx or .pt2 file, or (not with rtl) a project directory that hls4ml wrote"
    parser.add_argument("design", help=design)
    board = "a board by name, a .toml file of one (FILE.toml:NAME), or a part (default: of a recipe with a [budget])"
    parser.add_argument("--board", help=board)
    parser.add_argument("--fps", type=float, metavar="N", help="images per second that are enough: take the least")
    parser.add_argument("--use", type=float, default=0.8, metavar="X", help="share of every resource (default: 0.8)")
    parser.add_argument("--clock", type=float, metavar="NS", help="clock period (default: the board's usual)")
    engine = "hls4ml (default): by a cost model; rtl: the open engine, by Yosys"
    parser.add_argument("--engine", choices=("hls4ml", "rtl"), default="hls4ml", help=engine)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write a recipe, as models/fitted.toml")
    parser.add_argument("--backend", choices=("vivado", "vitis"), help="default: the recipe's")
    strategy = "of a model file that is converted (default: resource)"
    parser.add_argument("--strategy", choices=("latency", "resource"), default="resource", help=strategy)
    common.add_workspace(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print a row for each layer, sums, and what stands in the way of more."""
    from nonresnet_hls import api
    from nonresnet_hls.api.fittings import MeasuredFitting, ModelledFitting

    found = api.fit(
        args.design,
        args.board,
        args.workspace,
        fps=args.fps,
        use=args.use,
        engine=args.engine,
        output=args.output,
        clock_ns=args.clock,
        backend=args.backend,
        strategy=args.strategy,
    )
    if args.json:
        common.print_json(found.fit.as_dict())
    elif isinstance(found, MeasuredFitting):
        _print_measured(found.fit)
    elif isinstance(found, ModelledFitting):
        _print(found.fit)
    return 0


_RESOURCES = (("LUT", "lut"), ("FF", "ff"), ("DSP", "dsp"), ("BRAM18", "bram_18k"))


def _print(fit: "Fit") -> None:
    """A design of hls4ml's."""
    table = [
        (
            layer.name,
            "" if layer.reuse_factor is None else str(layer.reuse_factor),
            f"{layer.interval_cycles:,}",
            f"{'<= ' if layer.dsp_is_bound and layer.dsp else ''}{layer.dsp:,}",
            f"{layer.lut.median:,}",
            f"{layer.bram_18k:,}",
            f"{layer.csynth_lut:,}{'' if layer.calibrated else ' ?'}",
            "<- bottleneck" if layer.bottleneck else "",
        )
        for layer in fit.found.layers
    ]
    _print_table([("layer", "reuse", "cycles", "DSP", "LUT", "BRAM18", "LUT csynth", ""), *table], (0, 7))
    print()
    found, board = fit.found, fit.board
    fifos = f"{found.fifos.lut:,} LUT and {found.fifos.bram_18k:,} BRAM18"
    print(f"FIFOs, sized: {fifos}. All figures are modelled but BRAM18, which follows the tools' rule; LUT after")
    print("logic synthesis (LUT csynth: as C synthesis would report it; ?: no report has such a layer).")
    if any(layer.dsp_is_bound for layer in found.layers):
        print("<=: an upper bound: weights that are constants, some of which take no DSP.")
    print()
    print(f"{fit.board.part:<24}{'used':>10}{'':>12}{'budget':>11}{'has':>11}   8 of 10 layers within")
    ranges = {"lut": found.lut_range, "ff": found.ff_range}
    for label, name in _RESOURCES:
        within = f"{ranges[name].low:,} to {ranges[name].high:,}" if name in ranges else ""
        print(
            f"{label:<24}{found.used[name]:>10,}{fit.percent(name):>10.1f} %{fit.budget[name]:>11,}"
            f"{getattr(board.resources, name):>11,}   {within}".rstrip()
        )
    print()
    most = "at most " if fit.unknown_layers else ""
    print(
        f"{most}{fit.fps:,.0f} images a second: {found.interval_cycles:,} cycles at {fit.clock_ns:g} ns,"
        f" {fit.backend} HLS (modelled)"
    )
    print(f"in the way of more: {fit.limits}")
    if fit.uniform is None or fit.speedup is None:
        print("one reuse factor for all layers: none fits")
    else:
        target, design = fit.uniform
        fps = 1e9 / fit.clock_ns / design.interval_cycles
        print(f"best factor for all layers ({target}): {fps:,.0f} images a second; this is {fit.speedup:.2f} times it")
    for layer in fit.unknown_layers:
        print(f"no model of {layer}: neither its cycles nor what it takes are counted as they are")
    _print_end(fit, "convert {recipe}")


def _print_measured(fit: "MeasuredFit") -> None:
    """A design of the open engine."""
    blocks = "EBR" if str(fit.target) == "ecp5" else "BRAM18"
    resources = tuple((blocks if label == "BRAM18" else label, name) for label, name in _RESOURCES)
    table = [
        (
            layer.name,
            "" if layer.reuse_factor is None else str(layer.reuse_factor),
            f"{layer.interval_cycles:,}",
            *(f"{getattr(layer, name):,}" for _, name in resources),
            layer.kind,
            "<- bottleneck" if layer.bottleneck else "",
        )
        for layer in fit.found.layers
    ]
    _print_table([("layer", "reuse", "cycles", *(label for label, _ in resources), "built as", ""), *table], (0, 7, 8))
    print()
    found, board = fit.found, fit.board
    fifos = ", ".join(f"{found.fifos[name]:,} {label}" for label, name in resources if found.fifos[name])
    print(f"FIFOs, sized: {fifos}. Measured: each layer and FIFO synthesised by Yosys for {fit.target};")
    print(f"{fit.measured} of {fit.ways} ways to build a layer were synthesised. Cycles are predicted.")
    print()
    print(f"{board.part:<24}{'used':>10}{'':>12}{'budget':>11}{'has':>11}")
    for label, name in resources:
        print(
            f"{label:<24}{found.used[name]:>10,}{fit.percent(name):>10.1f} %{fit.budget[name]:>11,}"
            f"{getattr(board.resources, name):>11,}"
        )
    print()
    print(
        f"{fit.fps:,.0f} images a second: {found.interval_cycles:,} cycles (predicted) at {fit.clock_ns:g} ns (assumed:"
        " nothing was placed)"
    )
    print(f"in the way of more: {fit.limits}")
    _print_end(fit, f"synth {{recipe}} --engine rtl --target {fit.target}")


def _print_table(lines: Sequence[Sequence[str]], left: Collection[int]) -> None:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        cells = [x.ljust(w) if i in left else x.rjust(w) for i, (x, w) in enumerate(zip(line, widths, strict=True))]
        print("  ".join(cells).rstrip())


def _print_end(fit: "Found", then: str) -> None:
    above = fit.found.above_least
    if above:
        print(f"another choice as fast may take up to {above:.2%} of the budget less, over all resources")
    for note in fit.notes:
        print(note)
    if fit.recipe is not None:
        print(f"recipe: {fit.recipe}; next: nonresnet-hls {then.format(recipe=fit.recipe)}")
