"""The open engine's own figures: cycles, cells and placed clocks of blocks with and without skips, and of long chains.

    python -m benchmarks.rtl [--seeds N] [--no-clock] [--workspace FOLDER] [NAME ...]

NAME: recipes (default: the blocks of 32x32 pixels at 1/2 bit, plain, residual and short), or `chain-N`: N small
convolutions in a row, of 2 channels over 8x8 pixels; `chain-N-A`: with a register after every A adders, not 2.
`NAME:PART`: of a recipe's network the layers with PART in their names alone (`resnet8:g2`: a resolution group). The
clock is nextpnr's (LFE5U-85F, speed grade 6), of every seed, with the time and the memory that the run with the first
of them took.
"""

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from nonresnet_hls.fixed.arithmetic import Affine, Cast
from nonresnet_hls.fixed.network import Clone, Layer, Matrix, Network, Pad, Stream, Window
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.pipeline import quantize as quantization
from nonresnet_hls.pipeline import rtl as stage
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import RtlOptions
from nonresnet_hls.rtl import stored
from nonresnet_hls.rtl.design import RtlDesign, assemble
from nonresnet_hls.rtl.place_and_route import place_and_route
from nonresnet_hls.rtl.prediction import predict
from nonresnet_hls.rtl.sizing import size_fifos
from nonresnet_hls.rtl.units import build
from nonresnet_hls.rtl.yosys import synthesise

_BLOCKS = ("nonresblock-32x32", "resblock-32x32", "shortblock-32x32")


def chain(stages: int, size: int = 8, channels: int = 2, adders_per_stage: int = 2) -> RtlDesign:
    """Convolutions of 3x3 pixels and 1-bit weights behind each other, each with a scale and 2 bits behind it."""
    random = np.random.default_rng(0)
    pixel = FixedPointType.parse("ufixed<2,2,RND,SAT>")
    streams = [Stream("s0", channels, size * size, pixel, 2)]
    layers: list[Layer] = []
    for index in range(stages):
        padded, result = f"p{index}", f"s{index + 1}"
        streams += [Stream(padded, channels, (size + 2) ** 2, pixel, 2), Stream(result, channels, size**2, pixel, 2)]
        kernel = random.choice([-1, 1], (9 * channels, channels))
        window = Window(size + 2, size + 2, 3, 3, 1, 1)
        after = (Affine((3,), 3, (int(random.integers(4, 9)),), 3), Cast(pixel))
        layers += [
            Pad(f"pad{index}", (f"s{index}",), (padded,), size, size, 1, 1, 1, 1),
            Matrix(f"conv{index}", (padded,), (result,), window, kernel, 1, 0, True, after, 0, 1),
        ]
    network = Network(f"chain{stages}", {s.name: s for s in streams}, tuple(layers), ("s0",), (f"s{stages}",))
    return size_fifos(assemble(network, build(network, RtlOptions(adders_per_stage)))).design


def part(network: Network, name: str) -> Network:
    """The layers with `name` in theirs, and the copies that only they read."""
    named = [layer for layer in network.layers if name in layer.name and not isinstance(layer, Clone)]
    read = {stream for layer in named for stream in layer.inputs}
    copies = [layer for layer in network.layers if isinstance(layer, Clone) and read.issuperset(layer.outputs)]
    layers = tuple(layer for layer in network.layers if layer in named or layer in copies)
    taken = [stream for layer in layers for stream in layer.inputs]
    given = [stream for layer in layers for stream in layer.outputs]
    return Network(
        f"{network.name}_{name}",
        {stream: network.streams[stream] for stream in (*taken, *given)},
        layers,
        tuple(dict.fromkeys(stream for stream in taken if stream not in given)),
        tuple(stream for stream in given if stream not in taken),
    )


def design_of(name: str, place: Workspace) -> RtlDesign:
    """Of a recipe, of a part of its network, or a chain."""
    if name.startswith("chain-"):
        stages, *adders = map(int, name.removeprefix("chain-").split("-"))
        return chain(stages, adders_per_stage=adders[0] if adders else 2)
    name, _, wanted = name.partition(":")
    recipe = place.recipe(name)
    if wanted:
        with tempfile.TemporaryDirectory() as scratch:
            whole = stage.network_of(recipe, quantization.run(recipe, place), Path(scratch))
        network = part(whole, wanted)
        return size_fifos(assemble(network, build(network, recipe.rtl))).design
    return stored.load(stage.run_rtl(recipe, place, stage.RtlConfig(options=recipe.rtl)).directory)


def main() -> None:
    """Print a line for each design."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=_BLOCKS, metavar="NAME")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--no-clock", action="store_true")
    parser.add_argument("--workspace", type=Path, default=Path())
    args = parser.parse_args()
    for name in args.names:
        design = design_of(name, Workspace(args.workspace))
        told = f"{name}: {predict(design).interval_cycles} cycles an image"
        if not name.startswith("chain-"):
            cells = synthesise(design).total
            told += f", {cells.lut} LUT, {cells.ff} FF, {cells.bram_18k} BRAM18, {cells.dsp} DSP"
        print(told, flush=True)
        if args.no_clock:
            continue
        clocks = []
        for seed in range(1, args.seeds + 1):
            begin = time.monotonic()
            placed = place_and_route(design, seed)
            clocks.append(placed.clock_mhz)
            seconds = time.monotonic() - begin
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            more = f", {seconds:.0f} s, {peak:.0f} MiB at most so far" if seed == 1 else ""
            print(f"  seed {seed}: {placed.clock_mhz:.1f} MHz, {placed.resources.lut} cells{more}", flush=True)
        print(f"  median {statistics.median(clocks):.1f} MHz", flush=True)


if __name__ == "__main__":
    main()
