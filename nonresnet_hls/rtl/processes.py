"""Units, FIFOs and a network's ends as processes that take and give words, cycle by cycle, as their contracts say."""

from collections.abc import Mapping, Sequence

from nonresnet_hls.rtl.contracts import Contract, Kind
from nonresnet_hls.rtl.design import Fifo
from nonresnet_hls.rtl.unit_draft import Unit

_FOLDED_STAGES = 4
"""Of `matrix_vector`, behind its fold counter: slices, products, sums, accumulators."""
_DISTRIBUTED_RAM, _BLOCK_RAM = 2, 3
"""The `STYLE`s of `stream_fifo` whose words come out two cycles later, and three."""


def step_all(units: Sequence["Process"]) -> bool:
    """Let all units take and give words; returns whether one changed that no stream tells.

    A unit of which nothing changed, nor of the streams around it, would do as it did before: nothing.
    """
    moved = False
    for unit in units:
        if unit.awake:
            changed = unit.step()
            moved |= changed
            unit.awake = changed or unit.running
    return moved


class End:
    """What a unit reads (`valid`, `pop`) and writes (`room`, `push`): a FIFO, or an end of the network."""

    valid = False
    pop = push = False
    reader: "Process | None" = None
    writer: "Process | None" = None

    def room(self) -> bool:
        """Whether a word is accepted in this cycle."""
        return False

    def clock(self, cycle: int) -> bool:  # noqa: ARG002  # a source needs it
        """Begin `cycle`, the next one; returns whether anything moved."""
        return False

    def state(self, complete: int) -> tuple[object, ...]:  # noqa: ARG002  # the network's ends need it
        """All that decides what comes next, apart from how many images are `complete`."""
        return ()

    def wake(self) -> None:
        """Have the units around it stepped."""
        self.push = self.pop = False
        if self.reader is not None:
            self.reader.awake = True
        if self.writer is not None:
            self.writer.awake = True


class SourceEnd(End):
    """An input that always has the next word."""

    images: int | None = None
    """How many there are; None: no end of them."""

    def __init__(self, words: int) -> None:
        self.words, self.taken, self.first, self.valid = words, 0, -1, True

    @property
    def begun(self) -> int:
        """Images of which a word was taken."""
        return -(-self.taken // self.words)

    def clock(self, cycle: int) -> bool:
        """Begin `cycle`, the next one."""
        if not self.pop:
            return False
        self.taken += 1
        self.valid = self.images is None or self.taken < self.images * self.words
        self.first = cycle - 1 if self.first < 0 else self.first
        self.wake()
        return True

    def state(self, complete: int) -> tuple[object, ...]:
        """All that decides what comes next."""
        return (self.taken - complete * self.words,)


class SinkEnd(End):
    """An output that takes every word."""

    images: int | None = None
    """How many are wanted; None: all that come."""

    def __init__(self, words: int) -> None:
        self.words, self.taken, self.first = words, 0, -1
        self.image_ends: list[int] = []

    @property
    def done(self) -> bool:
        """Whether all came that are wanted."""
        return self.images is not None and len(self.image_ends) >= self.images

    def room(self) -> bool:
        """Whether a word is accepted in this cycle."""
        return not self.done

    def count(self, cycle: int) -> bool:
        """End `cycle`; returns whether a word came in it."""
        if not self.push:
            return False
        self.first = cycle if self.first < 0 else self.first
        self.taken += 1
        if self.taken % self.words == 0:
            self.image_ends.append(cycle)
        self.wake()
        return True

    def state(self, complete: int) -> tuple[object, ...]:
        """All that decides what comes next."""
        return (self.taken - complete * self.words,)


class FifoEnd(End):
    """`stream_fifo`."""

    trace: "list[tuple[int, int]] | None" = None
    """Where what happens is kept: cycles, and the level from there on."""

    def __init__(self, fifo: Fifo, depth: int) -> None:
        self.depth, self.style = depth, fifo.style
        self.level = self.high_water = self.stored = 0
        self.coming = self.fetched = False

    def room(self) -> bool:
        """Whether a word is accepted in this cycle."""
        return self.level < self.depth

    def state(self, complete: int) -> tuple[object, ...]:  # noqa: ARG002  # the network's ends need it
        """All that decides what comes next."""
        return self.level, self.coming, self.stored, self.fetched, self.valid

    def clock(self, cycle: int) -> bool:
        """Begin `cycle`, the next one."""
        room = not self.valid or self.pop
        move = self.fetched and room
        read = self.stored > 0 and (room if self.style == _DISTRIBUTED_RAM else not self.fetched or move)
        if not (self.push or self.pop or self.coming or read or move):
            return False
        self.level += self.push - self.pop
        self.high_water = max(self.high_water, self.level)
        if self.trace is not None:
            self.trace.append((cycle, self.level))
        if self.style >= _DISTRIBUTED_RAM:
            self.stored += self.coming - read
            self.coming = self.push
            if self.style == _BLOCK_RAM:
                self.fetched, read = read or (self.fetched and not move), move
            self.valid = read or (self.valid and not self.pop)
        else:
            self.valid = self.level > 0
        self.wake()
        return True


class Process:
    """A unit; this one hands every word on, as element-wise layers do."""

    def __init__(self, inputs: Sequence[End], outputs: Sequence[End]) -> None:
        self.inputs, self.outputs = inputs, outputs
        self.input, self.output = inputs[0], outputs[0]
        self.awake = True
        for end in inputs:
            end.reader = self
        for end in outputs:
            end.writer = self

    @property
    def running(self) -> bool:
        """Whether it counts, which changes it every cycle."""
        return False

    @property
    def left(self) -> int:
        """Cycles until it has counted to the end."""
        return 0

    def skip(self, cycles: int) -> None:
        """Count so many cycles at once."""

    def state(self, complete: int) -> tuple[object, ...]:  # noqa: ARG002  # the network's ends need it
        """All that decides what comes next, apart from the streams around it."""
        return ()

    @property
    def works(self) -> bool:
        """Whether it takes or gives a word in this cycle, or counts; asked after `step`."""
        return self.running or any(end.pop for end in self.inputs) or any(end.push for end in self.outputs)

    def step(self) -> bool:
        """Take and give words; returns whether anything moved that no stream tells."""
        if self.input.valid and self.output.room():
            self.input.pop = self.output.push = True
        return False


class _Fork(Process):
    """`stream_fork`."""

    def __init__(self, inputs: Sequence[End], outputs: Sequence[End]) -> None:
        super().__init__(inputs, outputs)
        self.waiting = list(outputs)

    def state(self, complete: int) -> tuple[object, ...]:  # noqa: ARG002  # the network's ends need it
        return tuple(output in self.waiting for output in self.outputs)

    def step(self) -> bool:
        if self.input.valid:
            for output in self.waiting:
                output.push = output.room()
            self.waiting = [output for output in self.waiting if not output.push]
            if not self.waiting:
                self.input.pop, self.waiting = True, list(self.outputs)
        return False


class _Pad(Process):
    """`zero_pad`, `repeat_pixels`."""

    def __init__(self, inputs: Sequence[End], outputs: Sequence[End], takes: Sequence[bool]) -> None:
        super().__init__(inputs, outputs)
        self.takes, self.at = takes, 0

    def state(self, complete: int) -> tuple[object, ...]:  # noqa: ARG002  # the network's ends need it
        return (self.at,)

    def step(self) -> bool:
        takes = self.takes[self.at]
        if (self.input.valid or not takes) and self.output.room():
            self.input.pop, self.output.push = takes, True
            self.at = (self.at + 1) % len(self.takes)
        return False


class _Steps:
    """The steps of `window_buffer`, `gather` and `global_pool`: each takes a word or none, whatever comes."""

    def __init__(self, contract: Contract) -> None:
        self.takes, self.gives, self.later_gives = contract.takes, contract.gives_first, contract.gives
        self.tapped, self.later_tapped = contract.taps_first, contract.taps
        self.at = 0

    def state(self) -> tuple[object, ...]:
        """All that decides what comes next."""
        return self.at, self.gives is self.later_gives

    def can(self, valid: bool) -> bool:
        """Whether a step can be made, with or without a word that could be taken."""
        return valid or not self.takes[self.at]

    def taps(self) -> bool:
        """Whether it would hand a pixel on."""
        return bool(self.tapped) and self.tapped[self.at]

    def make(self, valid: bool) -> tuple[bool, bool]:  # noqa: ARG002  # `_MaskedSteps` needs it
        """Make one: whether it takes a word, whether it gives one."""
        made = self.takes[self.at], self.gives[self.at]
        self.at += 1
        if self.at == len(self.takes):
            self.at, self.gives, self.tapped = 0, self.later_gives, self.later_tapped
        return made


class _MaskedSteps(_Steps):
    """Those of `masked_window`: each takes a word, but between images while windows of the first are due."""

    def __init__(self, contract: Contract) -> None:
        super().__init__(contract)
        self.down, self.until_first = contract.down, 0
        self.column = -1
        """Of what pixel the column is completed next; -1: of none."""
        self.waiting: list[bool | None] = [None] * contract.lag
        """For the columns that were completed, whether their windows count; None where there was none."""
        self.tap_delay, self.until_tap = contract.tap_delay, 0
        self.pixels_left = 0
        """That leave by the second output, of the image that does."""

    def state(self) -> tuple[object, ...]:
        return self.at, self.until_first, self.column, tuple(self.waiting), self.until_tap, self.pixels_left

    def can(self, valid: bool) -> bool:
        due = self.column >= 0 or self.pixels_left > 0 or any(one is not None for one in self.waiting)
        return valid or (self.at == 0 and due)

    def taps(self) -> bool:
        return self.pixels_left > 0 or self.until_tap == 1

    def make(self, valid: bool) -> tuple[bool, bool]:
        first = valid and self.at == 0
        if self.tap_delay:
            if self.taps():
                self.pixels_left = (self.pixels_left or len(self.gives)) - 1
            self.until_tap = self.tap_delay if first else max(0, self.until_tap - 1)
        if self.until_first == 1 or (first and not self.down):
            self.column = 0
        self.until_first = self.down if first else max(0, self.until_first - 1)
        self.waiting.append(self.gives[self.column] if self.column >= 0 else None)
        if self.column >= 0:
            self.column = self.column + 1 if self.column + 1 < len(self.gives) else -1
        if valid:
            self.at = (self.at + 1) % len(self.gives)
        return valid, bool(self.waiting.pop(0))


class _Collector(Process):
    """Words come in, or zeros, and now and then a result is due."""

    waits = False
    """Whether steps are made only while a result could be taken, whether or not there is one."""

    def __init__(self, inputs: Sequence[End], outputs: Sequence[End], contract: Contract) -> None:
        super().__init__(inputs, outputs)
        self.steps = _MaskedSteps(contract) if contract.kind is Kind.MASK else _Steps(contract)
        self.tap = outputs[-1] if contract.tapped else None
        self.full = False

    def state(self, complete: int) -> tuple[object, ...]:  # noqa: ARG002  # the network's ends need it
        return *self.steps.state(), self.full

    def step(self) -> bool:
        ready = self.output.room()
        self.output.push = self.full and ready
        return self.collect(ready)

    def collect(self, ready: bool) -> bool:
        """Make a step if there is a word for it and the result that waits, if any, goes; whether anything moved."""
        before, valid = self.full, self.input.valid
        room = ready or not (self.full or self.waits)
        if room and self.steps.can(valid) and (self.tap is None or self.tap.room()):
            if self.tap is not None and self.steps.taps():
                self.tap.push = True
            self.input.pop, self.full = self.steps.make(valid)
            return self.full != before or not self.input.pop
        if ready:
            self.full = False
        return self.full != before


class _Pipelined(_Collector):
    """A collector before `pipeline_control`."""

    def __init__(
        self, inputs: Sequence[End], outputs: Sequence[End], contract: Contract, stages: int, waits: bool
    ) -> None:
        super().__init__(inputs, outputs, contract)
        self.valid, self.last, self.waits = 0, 1 << (stages - 1), waits
        self.drains = not isinstance(self.output, FifoEnd)

    def state(self, complete: int) -> tuple[object, ...]:
        return *super().state(complete), self.valid

    def step(self) -> bool:
        enable = self.enable()
        moved = enable and self.advance(self.full)
        return self.collect(enable) or moved

    def enable(self) -> bool:
        """Whether the pipeline moves: its last stage is empty or taken, or, where it waits, could be."""
        room = self.output.room()
        self.output.push = room and self.valid & self.last != 0
        return room or (self.drains and self.valid & self.last == 0)

    def advance(self, enters: bool) -> bool:
        """Move all stages on."""
        before = self.valid
        self.valid = (self.valid << 1 | enters) & (2 * self.last - 1)
        return self.valid != before


class _Folded(_Pipelined):
    """A collector before `matrix_vector`."""

    def __init__(self, inputs: Sequence[End], outputs: Sequence[End], contract: Contract, folds: int) -> None:
        super().__init__(inputs, outputs, contract, _FOLDED_STAGES, waits=False)
        self.drains = True
        self.folds, self.count, self.counts = folds, folds - 1, False

    @property
    def running(self) -> bool:
        return self.counts

    @property
    def left(self) -> int:
        return self.count

    def skip(self, cycles: int) -> None:
        self.count -= cycles

    def state(self, complete: int) -> tuple[object, ...]:
        return *super().state(complete), self.count

    def step(self) -> bool:
        enable = self.enable()
        self.counts = enable and self.full
        last = self.counts and self.count == 0
        if self.counts:
            self.count = self.folds - 1 if last else self.count - 1
        moved = enable and self.advance(last)
        return self.collect(last) or moved


class _Meeting(End):
    """Where the results of a unit's own collector meet the words of its other input."""

    ready = False

    def room(self) -> bool:
        return self.ready


class _Tail(Process):
    """`stream_join`, before `pipeline_control` where it has registers, and behind a collector where it has one."""

    def __init__(
        self, inputs: Sequence[End], outputs: Sequence[End], stages: int, collector: _Collector | None = None
    ) -> None:
        super().__init__(inputs, outputs)
        self.collector, self.others = collector, inputs if collector is None else inputs[1:]
        self.valid, self.last = 0, 1 << (stages - 1) if stages else 0

    @property
    def running(self) -> bool:
        return self.collector is not None and self.collector.running

    @property
    def left(self) -> int:
        return self.collector.left if self.collector is not None else 0

    def skip(self, cycles: int) -> None:
        if self.collector is not None:
            self.collector.skip(cycles)

    def state(self, complete: int) -> tuple[object, ...]:
        return self.valid, *(() if self.collector is None else self.collector.state(complete))

    def step(self) -> bool:
        room = self.output.room()
        meets = room and all(end.valid for end in self.others)
        moved = False
        if self.collector is not None:
            meeting = self.collector.output
            assert isinstance(meeting, _Meeting)
            meeting.ready, meeting.push = meets, False
            moved = self.collector.step()
            meets = meeting.push
        for end in self.others:
            end.pop = meets
        if not self.last:
            self.output.push = meets
        else:
            self.output.push = room and self.valid & self.last != 0
            if room:
                before = self.valid
                self.valid = (self.valid << 1 | meets) & (2 * self.last - 1)
                moved |= self.valid != before
        return moved


def process_of(unit: Unit, fifos: Mapping[str, FifoEnd]) -> Process:
    """The process of a unit between its FIFOs."""
    inputs, outputs = [fifos[name] for name in unit.inputs], [fifos[name] for name in unit.outputs]
    match unit.contract.kind:
        case Kind.PASS:
            return Process(inputs, outputs)
        case Kind.FORK:
            return _Fork(inputs, outputs)
        case Kind.JOIN:
            return _Tail(inputs, outputs, unit.tail_stages)
        case Kind.PAD:
            return _Pad(inputs, outputs, unit.contract.takes)
        case Kind.COLLECT | Kind.MASK if len(inputs) > 1 or unit.tail_stages:
            return _Tail(inputs, outputs, unit.tail_stages, _collector(unit, inputs[:1], [_Meeting(), *outputs[1:]]))
        case Kind.COLLECT | Kind.MASK:
            return _collector(unit, inputs, outputs)


def _collector(unit: Unit, inputs: Sequence[End], outputs: Sequence[End]) -> _Collector:
    if unit.stages:
        return _Pipelined(inputs, outputs, unit.contract, unit.stages, unit.waits)
    if unit.folds:
        return _Folded(inputs, outputs, unit.contract, unit.folds)
    return _Collector(inputs, outputs, unit.contract)
