"""`prove`: the sized depths finish with the right values, and no FIFO alone can be shorter than the least."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nonresnet_hls.dataflow.execution import Executable, FloatArray, Outcome, Trial
from nonresnet_hls.dataflow.graph import Dataflow
from nonresnet_hls.dataflow.schedule import Deadlock
from nonresnet_hls.dataflow.sizing import FifoDepths
from nonresnet_hls.errors import ConversionError, ToolError


@dataclass(frozen=True)
class Run:
    """The run of one set of depths, beside the C simulation.

    Attributes:
        finished: every image went through and no token was left in any stream.
        equal_values: outputs that equal the C simulation, of `values`.
        deadlock: the circle in which it got stuck, if it did.
        leftovers: tokens that stayed in streams when an image ended, by stream.
    """

    finished: bool
    equal_values: int
    values: int
    deadlock: Deadlock | None = None
    leftovers: Mapping[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """True if it finished with all values equal."""
        return self.finished and self.equal_values == self.values


@dataclass(frozen=True)
class Shorter:
    """What happens when one FIFO alone is one word shorter than the least depth."""

    stream: str
    depth: int
    deadlock: Deadlock | None


@dataclass(frozen=True)
class Proof:
    """What the execution of the generated C++ showed.

    Attributes:
        least, sized: the runs of the two sets of depths.
        shorter: one entry for each FIFO whose least depth is more than one word; one word can never be less.
        not_tried: FIFOs beside layers of which there is no model: they kept their depth, and were not made shorter.
        images: how many went through.
        build_seconds, run_seconds: wall time.
    """

    least: Run
    sized: Run
    shorter: tuple[Shorter, ...]
    not_tried: tuple[str, ...]
    images: int
    build_seconds: float
    run_seconds: float

    @property
    def holds(self) -> bool:
        """True if both runs hold and every shorter FIFO gets stuck."""
        return self.least.holds and self.sized.holds and all(one.deadlock for one in self.shorter)


def prove(project: Path, flow: Dataflow, depths: FifoDepths, work: Path, images: int = 2) -> Proof:
    """Compile the project's C++ on bounded streams and run it.

    Args:
        project: directory that hls4ml wrote.
        flow: its analysis.
        depths: what to prove.
        work: an existing scratch directory.
        images: random images for the runs that should finish.

    Raises:
        ToolError: g++ is missing, or refuses the C++.
        ConversionError: a layer of which there is no model cannot be run; names it.
    """
    _refuse_unknown_ports(flow)
    start = time.monotonic()
    try:
        program = Executable(project, flow, work)
    except ToolError as error:
        if not flow.unknown_layers:
            raise
        layers = ", ".join(flow.unknown_layers)
        raise ConversionError(
            f"{flow.name}: no proof: cannot run {layers}, of which there is no model: {error}"
        ) from None
    built = time.monotonic()
    inputs = program.random_inputs(images)
    expected = program.simulate(inputs)
    names = [stream.name for stream in flow.internal if stream.sizable and depths.least[stream.name] > 1]
    trials = [Trial(depths.least, images), Trial(depths.sized, images)]
    trials += [Trial({**depths.least, name: depths.least[name] - 1}) for name in names]
    least, sized, *shorter = program.run(trials, inputs)
    return Proof(
        least=_run(least, expected),
        sized=_run(sized, expected),
        shorter=tuple(
            Shorter(name, depths.least[name] - 1, outcome.deadlock)
            for name, outcome in zip(names, shorter, strict=True)
        ),
        not_tried=tuple(stream.name for stream in flow.internal if not stream.sizable),
        images=images,
        build_seconds=built - start,
        run_seconds=time.monotonic() - built,
    )


def _refuse_unknown_ports(flow: Dataflow) -> None:
    """Only a layer's model tells how many words an image has where it reads an input, or writes an output."""
    for process in flow.processes:
        for stream in (flow.streams[name] for name in process.streams):
            if not process.known and None in (stream.source, stream.sink):
                raise ConversionError(
                    f"{flow.name}: no proof: cannot run {process.name} ({process.kernel}), of which there is no model:"
                    f" how many words an image has in {stream.name} is not known"
                )


def _run(outcome: Outcome, expected: FloatArray) -> Run:
    if outcome.outputs is None:
        return Run(False, 0, expected.size, outcome.deadlock, outcome.leftovers)
    return Run(True, int(np.count_nonzero(outcome.outputs == expected)), expected.size)
