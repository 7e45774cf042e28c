"""FIFO depths from cycle-accurate simulation: the least that keep the throughput, and the least that run at all.

Timing does not depend on the data, so any images will do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nonresnet_hls.synthesis.rtl.design import RtlDesign
from nonresnet_hls.synthesis.rtl.simulation import Deadlock, Simulation, Simulator, compile_simulator

_IMAGES = 3
"""The first fills the pipeline, the second follows it, the third is as all later ones."""


@dataclass(frozen=True)
class Sizing:
    """A design with FIFOs as deep as they need to be."""

    design: RtlDesign
    interval_cycles: int
    """Cycles an image with these depths."""
    high_water: dict[str, int]
    """By stream: most words held with whole-tensor FIFOs where branches join and single words elsewhere."""


def size_fifos(design: RtlDesign, directory: Path) -> Sizing:
    """Depths that cost no throughput: one word, but where branches join what was seen to wait there.

    Args:
        design: of `generate`; its depths are those of hls4ml, a whole tensor each.
        directory: scratch; the sized design is not written.
    """
    joins = {fifo.stream.name: fifo for fifo in design.fifos if fifo.joins}
    start = {fifo.stream.name: 1 for fifo in design.fifos}
    if not joins:
        sized = design.with_depths(start)
        return Sizing(sized, design.predicted_interval_cycles, start)
    start |= {name: max(2, fifo.stream.words) for name, fifo in joins.items()}
    probe = design.with_depths(start).write(directory / "probe")
    simulator = compile_simulator(probe, directory / "probe_simulation")
    free = idle_run(simulator)
    high = {use.stream: use.high_water for use in free.fifos}
    wanted = {name: max(1, high[name]) for name in joins}
    for _ in range(8):
        run = idle_run(simulator, wanted)
        if run.finished and run.interval_cycles <= free.interval_cycles:
            break
        wanted = {name: depth + 1 for name, depth in wanted.items()}
    return Sizing(design.with_depths(start | wanted), free.interval_cycles, high)


def idle_run(simulator: Simulator, limits: Mapping[str, int] | None = None, images: int = _IMAGES) -> Simulation:
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


def least_depths(simulator: Simulator) -> tuple[LeastDepth, ...]:
    """For every FIFO where branches join: the least depth without deadlock, the others as they are."""
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
