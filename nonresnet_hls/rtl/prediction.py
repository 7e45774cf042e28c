"""The engine's dataflow, predicted: cycles, FIFO levels and deadlocks from what the library's modules promise.

No Verilog is read and none is run: each unit takes and gives words as the contracts on top of its modules say. What
is in a word does not matter, so images are not needed. The figures are modelled; the simulation by Verilator gives
the same, cycle for cycle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from nonresnet_hls.rtl.design import RtlDesign
from nonresnet_hls.rtl.processes import End, FifoEnd, Process, SinkEnd, SourceEnd, process_of, step_all

_MOST_CYCLES = 1 << 18
"""After so many a design that has given four images is left, whether or not it has settled."""
_LEAST_IMAGES = 4


@dataclass(frozen=True)
class Prediction:
    """How a design is predicted to run, with a source that always has a word and a sink that always takes one."""

    finished: bool
    """Or deadlocked; then there is no interval, and the latencies are 0 where no image came out."""
    first_output_cycles: int
    """From the first word taken to the first word given; 0 where that comes before."""
    latency_cycles: int
    """From the first word taken to the last word of the first image."""
    interval_cycles: int | float
    """From image to image in the steady state, the mean over a period; where it has not settled, over the last half."""
    settled: bool
    """Whether the steady state was reached: all that the design holds was as it had been some images before."""
    period_images: int
    """Images in which the steady state repeats itself."""
    images: int
    """That went through."""
    image_ends: tuple[int, ...]
    """For each image: cycles from the first word taken to its last word."""
    total_cycles: int
    high_water: Mapping[str, int]
    """By stream: the most words that its FIFO held."""


@dataclass
class Trace:
    """What happens in the course of a run, where `predict` is given one to be filled."""

    levels: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """By stream: cycles, and the words that its FIFO holds from there on."""
    works: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """By unit: stretches of cycles, the last not included, in which it takes or gives words, or counts."""
    blocked: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """By unit: those in which it does not, and a FIFO behind it is full."""

    def note(self, cycle: int, end: int, units: Mapping[str, Process]) -> None:
        """Keep what units do from one cycle to before another."""
        for name, unit in units.items():
            if unit.works:
                _go_on(self.works.setdefault(name, []), cycle, end)
            elif not all(output.room() for output in unit.outputs):
                _go_on(self.blocked.setdefault(name, []), cycle, end)


def _go_on(stretches: list[tuple[int, int]], begin: int, end: int) -> None:
    if stretches and stretches[-1][1] == begin:
        begin = stretches.pop()[0]
    stretches.append((begin, end))


def predict(
    design: RtlDesign,
    images: int | None = None,
    limits: Mapping[str, int] | None = None,
    trace: Trace | None = None,
) -> Prediction:
    """Run a design's contracts.

    Args:
        design: of `generate`.
        images: back to back; None: as many as are begun until the steady state repeats itself.
        limits: lower depths for some FIFOs, by stream.
        trace: to be filled with what happens, for so many `images`.
    """
    streams, limits = design.network.streams, limits or {}
    fifos = {fifo.stream.name: FifoEnd(fifo, limits.get(fifo.stream.name, fifo.depth)) for fifo in design.fifos}
    sources = {name: SourceEnd(streams[name].words) for name in design.network.inputs}
    sinks = {name: SinkEnd(streams[name].words) for name in design.network.outputs}
    named = {unit.name: process_of(unit, fifos) for unit in reversed(design.units)}
    units = list(named.values())
    if trace is not None:
        for name, fifo in fifos.items():
            fifo.trace = trace.levels.setdefault(name, [])
    units += [Process([source], [fifos[name]]) for name, source in sources.items()]
    units += [Process([fifos[name]], [sink]) for name, sink in sinks.items()]
    ends: list[End] = [*fifos.values(), *sources.values(), *sinks.values()]
    seen: dict[tuple[object, ...], int] = {}
    cycle = complete = period = 0
    if images is not None:
        _limit((*sources.values(), *sinks.values()), images)
    while True:
        moved = step_all(units)
        for sink in sinks.values():
            moved |= sink.count(cycle)
        if trace is not None:
            trace.note(cycle, cycle + 1, named)
        cycle += 1
        if all(sink.done for sink in sinks.values()):
            break
        for end in (*fifos.values(), *sources.values()):
            moved |= end.clock(cycle)
        ended = min(len(sink.image_ends) for sink in sinks.values())
        if ended > complete and not period:
            complete = ended
            state = (*(end.state(complete) for end in ends), *(unit.state(complete) for unit in units))
            period = complete - seen.setdefault(state, complete)
            out_of_patience = cycle > _MOST_CYCLES and complete >= _LEAST_IMAGES
            if images is None and (period or out_of_patience):
                # The images that have begun go through, as if there had never been more.
                images = max(complete + 1, *(source.begun for source in sources.values()))
                _limit((*sources.values(), *sinks.values()), images)
        if moved:
            continue
        # Nothing did but fold counters: on to the cycle in which the first of them ends.
        running = [unit for unit in units if unit.running]
        if not running:
            break
        skipped = min(unit.left for unit in running)
        for unit in running:
            unit.skip(skipped)
        if trace is not None:
            trace.note(cycle, cycle + skipped, named)
        cycle += skipped
    begin = min(source.first for source in sources.values())
    image_ends = tuple(
        max(lasts) - begin + 1 for lasts in zip(*(sink.image_ends for sink in sinks.values()), strict=False)
    )
    firsts = [sink.first for sink in sinks.values() if sink.first >= 0]
    finished = all(sink.done for sink in sinks.values())
    return Prediction(
        finished=finished,
        first_output_cycles=max(0, min(firsts) - begin + 1) if firsts else 0,
        latency_cycles=image_ends[0] if image_ends else 0,
        interval_cycles=interval_of(image_ends, period or len(image_ends) // 2) if finished else 0,
        settled=period > 0,
        period_images=period,
        images=len(image_ends),
        image_ends=image_ends,
        total_cycles=cycle,
        high_water={name: fifo.high_water for name, fifo in fifos.items()},
    )


def _limit(ends: "Sequence[SourceEnd | SinkEnd]", images: int) -> None:
    for end in ends:
        end.images = images
        if isinstance(end, SourceEnd):
            end.valid = end.taken < images * end.words


def interval_of(image_ends: Sequence[int], period_images: int) -> int | float:
    """Mean cycles from image to image over the last period; of one image, the cycles that it takes.

    >>> interval_of([21, 22, 23, 30, 31, 32], 3), interval_of([9, 10, 12], 2), interval_of([9], 1)
    (3, 1.5, 9)
    """
    if len(image_ends) <= period_images or period_images < 1:
        return image_ends[0] if image_ends else 0
    mean = Fraction(image_ends[-1] - image_ends[-1 - period_images], period_images)
    return int(mean) if mean.denominator == 1 else float(mean)


def predict_least_depths(design: RtlDesign) -> dict[str, int]:
    """For every stream into a join: the least depth of its FIFO without deadlock, the others as they are.

    Args:
        design: with depths that do not deadlock.
    """
    found = {}
    for fifo in design.fifos:
        if fifo.joins:
            low, high = 0, fifo.depth
            while high - low > 1:
                middle = (low + high) // 2
                if predict(design, 2, {fifo.stream.name: middle}).finished:
                    high = middle
                else:
                    low = middle
            found[fifo.stream.name] = high
    return found
