"""FIFO depths from cycle-accurate simulation: the least that keep the throughput, and the least that run at all.

All of it is measured on the timing skeleton, whose cycles are those of the design.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nonresnet_hls.synthesis.rtl.design import RtlDesign
from nonresnet_hls.synthesis.rtl.layers import Pad
from nonresnet_hls.synthesis.rtl.prediction import PREDICTED_IMAGES
from nonresnet_hls.synthesis.rtl.simulation import Deadlock, Simulation, Simulator, compile_simulator
from nonresnet_hls.synthesis.rtl.skeleton import skeleton


@dataclass(frozen=True)
class Sizing:
    """A design with FIFOs as deep as they need to be."""

    design: RtlDesign
    interval_cycles: int
    """Cycles an image with these depths."""
    tensor_interval_cycles: int
    """Cycles an image with FIFOs that hold a whole tensor each."""


def size_fifos(design: RtlDesign, directory: Path) -> Sizing:
    """Depths that cost no throughput, as small as they come.

    One word, where that is enough. Where branches join: what was seen to wait there. Before a padding layer: up
    to a row, if a single word lets the next convolution starve between two images.

    Args:
        design: of `generate`; its depths are those of hls4ml, a whole tensor each.
        directory: scratch; the sized design is not written.
    """
    ample = {fifo.stream.name: max(2, fifo.stream.words) for fifo in design.fifos}
    probe = skeleton(design).with_depths(ample).write(directory / "skeleton")
    simulator = compile_simulator(probe, directory / "skeleton_simulation")
    best = idle_run(simulator).interval_cycles
    pads = {layer.name: layer for layer in design.network.layers if isinstance(layer, Pad)}
    row_words = {unit.name: pads[unit.layers[0]].width + 2 for unit in design.units if unit.layers[0] in pads}
    rows = {fifo.stream.name: row_words[fifo.target] for fifo in design.fifos if fifo.target in row_words}
    depths = {fifo.stream.name: ample[fifo.stream.name] if fifo.joins else 1 for fifo in design.fifos}
    run = idle_run(simulator, depths)
    if run.interval_cycles > best:
        depths |= rows
        run = idle_run(simulator, depths)
        best = max(best, run.interval_cycles)
        for name in rows:
            fewer = idle_run(simulator, depths | {name: 1})
            if fewer.interval_cycles <= best:
                depths[name], run = 1, fewer
    high = {use.stream: use.high_water for use in run.fifos}
    depths |= {fifo.stream.name: max(1, high[fifo.stream.name]) for fifo in design.fifos if fifo.joins}
    for _ in range(8):
        run = idle_run(simulator, depths)
        if run.finished and run.interval_cycles <= best:
            break
        # A FIFO of several words takes none in the cycle in which it is full and gives one away.
        waiting = {fifo.stream.name for fifo in design.fifos if fifo.joins and depths[fifo.stream.name] > 1}
        depths |= {name: depths[name] + 1 for name in waiting}
    return Sizing(design.with_depths(depths), run.interval_cycles, best)


def idle_run(
    simulator: Simulator, limits: Mapping[str, int] | None = None, images: int = PREDICTED_IMAGES
) -> Simulation:
    """Simulate images of zeros."""
    network = simulator.design.network
    zeros = {
        name: np.zeros((images, network.streams[name].words, network.streams[name].channels)) for name in network.inputs
    }
    return simulator.run(zeros, limits=limits)


@dataclass(frozen=True)
class LeastDepth:
    """The least depth with which one FIFO does not stop the design."""

    stream: str
    depth: int
    deadlock: Deadlock | None
    """What happens with one word less; None where the depth is 1."""


def least_depths(design: RtlDesign, directory: Path) -> tuple[LeastDepth, ...]:
    """For every FIFO where branches join: the least depth without deadlock, the others as they are.

    Args:
        design: with depths that do not deadlock.
        directory: scratch.
    """
    probe = skeleton(design).write(directory / "least")
    simulator = compile_simulator(probe, directory / "least_simulation")
    result = []
    for fifo in simulator.design.fifos:
        if not fifo.joins:
            continue
        name, low, high = fifo.stream.name, 0, fifo.depth
        deadlock = None
        while high - low > 1:
            middle = (low + high) // 2
            run = idle_run(simulator, {name: middle}, images=2)
            if run.finished:
                high = middle
            else:
                low, deadlock = middle, run.deadlock
        result.append(LeastDepth(name, high, deadlock))
    return tuple(result)
