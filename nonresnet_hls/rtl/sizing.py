"""FIFO depths: the least that keep the throughput, by prediction, and the least that run at all, by simulation."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nonresnet_hls.fixed.network import Pad
from nonresnet_hls.rtl.design import LEAST_DEPTH, RtlDesign
from nonresnet_hls.rtl.prediction import Prediction, predict, predict_least_depths
from nonresnet_hls.rtl.simulation import Simulation, Simulator

_FEW = 16
"""Words; of deeper FIFOs it is not worth while to ask whether two words would do."""


@dataclass(frozen=True)
class Sizing:
    """A design with FIFOs as deep as they need to be."""

    design: RtlDesign
    tensor_interval_cycles: int | float
    """Cycles an image in the steady state, with these depths as with FIFOs that hold a whole tensor each and more;
    predicted."""


def size_fifos(design: RtlDesign) -> Sizing:
    """Depths that cost no throughput, as small as they come.

    Two words, where that is enough; before padding a row, if two words let the next convolution starve between two
    images. Where branches join: what is predicted to wait there.

    Args:
        design: of `generate`; its depths are those of hls4ml, a whole tensor each.
    """
    ample = _ample(design)
    # No design is faster than its slowest unit.
    bound = max(unit.interval_cycles for unit in design.units)
    least = {fifo.stream.name: LEAST_DEPTH for fifo in design.fifos if not fifo.joins}
    rows = {name: words for name, words in _rows(design).items() if name in least}
    tried: list[tuple[dict[str, int], Prediction]] = []
    for trial in (ample | least, ample | least | rows, ample):
        tried.append((trial, predict(design.with_depths(trial))))
        if tried[-1][1].finished and tried[-1][1].interval_cycles <= bound:
            break
    best = min(run.interval_cycles for _, run in tried if run.finished)

    def keeps(depths: Mapping[str, int]) -> bool:
        run = predict(design.with_depths(depths))
        return run.finished and run.interval_cycles <= best

    depths, run = next((trial, run) for trial, run in tried if run.finished and run.interval_cycles <= best)
    for name in least:
        if depths[name] > LEAST_DEPTH and keeps(depths | {name: LEAST_DEPTH}):
            depths = depths | {name: LEAST_DEPTH}
            run = predict(design.with_depths(depths))
    high = run.high_water
    waiting = {fifo.stream.name: max(LEAST_DEPTH, high[fifo.stream.name]) for fifo in design.fifos if fifo.joins}
    while not keeps(depths | waiting):
        # A FIFO takes no word in the cycle in which it is full and gives one away.
        deeper = {name: min(ample[name], depth + 1) for name, depth in waiting.items()}
        # With as much as could be at the joins these depths were seen to be enough.
        waiting = deeper if deeper != waiting else {name: ample[name] for name in waiting}
    for name, depth in waiting.items():
        # Of two FIFOs at a join, words may wait in either; two words make for the smallest there is.
        if LEAST_DEPTH < depth <= _FEW and keeps(depths | waiting | {name: LEAST_DEPTH}):
            waiting[name] = LEAST_DEPTH
    return Sizing(design.with_depths(depths | waiting), best)


def _ample(design: RtlDesign) -> dict[str, int]:
    """As many words as could ever be of use: a tensor, and what the registers of all other units hold meanwhile."""
    inside = sum(unit.stages + unit.tail_stages + 8 * (unit.folds > 0) + 2 for unit in design.units) + 2 * len(
        design.fifos
    )
    return {fifo.stream.name: fifo.stream.words + (inside if fifo.joins else LEAST_DEPTH) for fifo in design.fifos}


def _rows(design: RtlDesign) -> dict[str, int]:
    """For the streams into padding layers: words of a padded row."""
    pads = {layer.name: layer for layer in design.network.layers if isinstance(layer, Pad)}
    found = [(unit, pads[unit.layers[0]]) for unit in design.units if unit.layers[0] in pads]
    return {unit.inputs[0]: pad.left + pad.width + pad.right for unit, pad in found}


def idle_run(simulator: Simulator, limits: Mapping[str, int] | None = None, images: int = 3) -> Simulation:
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
    """Of which the simulation finishes; with one word less it does not."""
    predicted: int
    deadlock: str | None
    """What happens with one word less; None where the depth is 1."""


def least_depths(simulator: Simulator) -> tuple[LeastDepth, ...]:
    """For every FIFO where branches join: the least depth without deadlock, the others as they are.

    The simulation has the last word; the prediction says where to look first.

    Args:
        simulator: of a design with depths that do not deadlock.
    """
    result = []
    for name, predicted in predict_least_depths(simulator.design).items():
        (fifo,) = (fifo for fifo in simulator.design.fifos if fifo.stream.name == name)
        low, high, trial, deadlock = 0, fifo.depth, predicted, None
        while high - low > 1:
            trial = min(max(trial, low + 1), high - 1)
            run = idle_run(simulator, {name: trial}, images=2)
            if run.finished:
                high, trial = trial, trial - 1
            else:
                low, trial, deadlock = trial, trial + 1, str(run.deadlock)
        result.append(LeastDepth(name, high, predicted, deadlock))
    return tuple(result)
