"""Max-plus schedules of a dataflow: when every read and write happens, with FIFOs of any depth.

A process is a chain of events; event e happens at the earliest `cycle[e] - cycle[e-1]` cycles after event
e-1, one cycle after the tokens it reads were written, and one cycle after there was room for those it writes.
That is a linear system over (max, +) (Baccelli et al., "Synchronization and Linearity", 1992), solved here
one process at a time with cumulative maxima over whole token vectors.

Two readings of the same programs:

* `Semantics.CPP`: the order of the C++, one operation per event. Decides deadlock exactly, as a Kahn process
  network with bounded channels does (Parks, 1995): it does not depend on any timing.
* `Semantics.HARDWARE`: the cycles of the scheduled loops. Operations of one clock cycle happen together or
  not at all, as in a pipeline that stalls as a whole, so tokens in flight wait for the input behind them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from nonresnet_hls.dataflow.graph import Dataflow, IntArray, Process

# A token can be read in the cycle after it was written, its place reused in the cycle after it was read.
FIFO_CYCLES = 1


class Semantics(Enum):
    """How the operations of a process are ordered."""

    CPP = "cpp"
    HARDWARE = "hardware"


@dataclass(frozen=True, eq=False)
class Chain:
    """One process as events.

    Attributes:
        process: whose chain it is.
        cycle: nominal cycle of each event, strictly increasing. Shape (events,).
        reads, writes: stream name -> event of its k-th token. Shape (tokens,) each.
    """

    process: Process
    cycle: IntArray
    reads: Mapping[str, IntArray]
    writes: Mapping[str, IntArray]


@dataclass(frozen=True, eq=False)
class Schedule:
    """Times of all events; `written[s]` and `read[s]` are the times of the tokens of stream s."""

    events: Mapping[str, IntArray]
    written: Mapping[str, IntArray]
    read: Mapping[str, IntArray]

    def moved(self, chain: "Chain", times: IntArray) -> "Schedule":
        """The same schedule with other times for one process."""
        return Schedule(
            events={**self.events, chain.process.name: times},
            written={**self.written, **{name: times[at] for name, at in chain.writes.items()}},
            read={**self.read, **{name: times[at] for name, at in chain.reads.items()}},
        )

    @property
    def end_cycle(self) -> int:
        """The cycle of the last event."""
        return max(int(times[-1]) for times in self.events.values() if len(times))


@dataclass(frozen=True)
class Deadlock:
    """Processes and streams that wait for each other in a circle.

    `waits` holds, for each process on the circle, the stream it waits for and whether that is full or empty.
    """

    waits: tuple[tuple[str, str, str], ...]

    def __str__(self) -> str:
        return " -> ".join(f"{process} waits for {state} {stream}" for process, stream, state in self.waits)


class Network:
    """The chains of a dataflow over some consecutive images."""

    def __init__(self, flow: Dataflow, semantics: Semantics, images: int = 1) -> None:
        """Lay out all events; `images` are processed back to back."""
        self.flow = flow
        self.semantics = semantics
        self.images = images
        self.chains = tuple(_chain(process, semantics, images) for process in flow.processes)
        self.source = {name: chain for chain in self.chains for name in chain.writes}
        self.sink = {name: chain for chain in self.chains for name in chain.reads}
        self.total_events = sum(len(chain.cycle) for chain in self.chains)
        # What does not depend on depths: a token's write comes before its read.
        self._token_needs: _Needs = {chain.process.name: {} for chain in self.chains}
        for name, writer in self.source.items():
            if name in self.sink:
                reader = self.sink[name]
                _require(self._token_needs, reader, reader.reads[name], writer, writer.writes[name])
        self._order = self._fewest_neighbours_first()

    def _fewest_neighbours_first(self) -> tuple[str, ...]:
        """The order in which taking out processes leaves the fewest pairs to be looked at."""
        beside: dict[str, set[str]] = {chain.process.name: set() for chain in self.chains}
        for name, writer in self.source.items():
            if name in self.sink:
                ends = writer.process.name, self.sink[name].process.name
                beside[ends[0]].add(ends[1])
                beside[ends[1]].add(ends[0])
        order = []
        while beside:
            name = min(beside, key=lambda one: len(beside[one]))
            left = beside.pop(name) - {name}
            for other in left:
                beside[other] = (beside[other] | left) - {name, other}
            order.append(name)
        return tuple(order)

    def earliest(self, arrivals: Mapping[str, IntArray] | None = None) -> Schedule:
        """The schedule in which everything happens as soon as it can, FIFOs unbounded: one pass.

        Args:
            arrivals: input stream -> first cycle in which each token can be read; 0 where left out.
        """
        schedule = Schedule({}, {}, {})
        for chain in self.chains:
            bound = np.zeros(len(chain.cycle), dtype=np.int64)
            for name, cycles in (arrivals or {}).items():
                if name in chain.reads:
                    bound[chain.reads[name]] = cycles
            schedule = schedule.moved(chain, earliest_events(chain, self.after_writes(chain, schedule, bound)))
        return schedule

    def bounded(self, depths: Mapping[str, int], passes: int = 1000) -> Schedule | None:
        """The schedule in which everything happens as soon as it can, with FIFOs of these depths.

        Passes alternate along and against the stream until no time changes. None if `passes` are not enough,
        as in a deadlock (see `deadlock`), or when FIFOs of one word force all layers into lock-step.
        """
        schedule = self.earliest()
        for number in range(passes):
            changed = False
            for chain in reversed(self.chains) if number % 2 == 0 else self.chains:
                bound = self.after_writes(chain, schedule, np.zeros(len(chain.cycle), dtype=np.int64))
                bound = self.after_reads(chain, schedule, depths, bound)
                times = earliest_events(chain, bound)
                if not np.array_equal(times, schedule.events[chain.process.name]):
                    changed = True
                    schedule = schedule.moved(chain, times)
            if not changed:
                return schedule
        return None

    def latest(self, deadlines: Mapping[str, IntArray], horizon: int) -> Schedule:
        """The schedule in which everything happens as late as it can, FIFOs unbounded: one pass.

        Args:
            deadlines: process name -> latest cycle of each of its events. Shape (events,) each.
            horizon: latest cycle of all other events.
        """
        schedule = Schedule({}, {}, {})
        for chain in reversed(self.chains):
            bound = np.full(len(chain.cycle), horizon, dtype=np.int64)
            if chain.process.name in deadlines:
                bound = np.minimum(bound, deadlines[chain.process.name])
            schedule = schedule.moved(chain, latest_events(chain, self.before_reads(chain, schedule, bound)))
        return schedule

    def after_writes(self, chain: Chain, schedule: Schedule, bound: IntArray) -> IntArray:
        """`bound` raised to the cycle in which the tokens that a process reads are there. Shape (events,)."""
        bound = bound.copy()
        for name, at in chain.reads.items():
            if name in schedule.written:
                bound[at] = np.maximum(bound[at], schedule.written[name] + FIFO_CYCLES)
        return bound

    def before_reads(self, chain: Chain, schedule: Schedule, bound: IntArray) -> IntArray:
        """`bound` lowered to the cycle in which the tokens that a process writes are due. Shape (events,)."""
        bound = bound.copy()
        for name, at in chain.writes.items():
            if name in schedule.read:
                bound[at] = np.minimum(bound[at], schedule.read[name] - FIFO_CYCLES)
        return bound

    def after_reads(self, chain: Chain, schedule: Schedule, depths: Mapping[str, int], bound: IntArray) -> IntArray:
        """`bound` raised to the cycle in which there is room for what a process writes. Shape (events,)."""
        bound = bound.copy()
        for name, at in chain.writes.items():
            depth = depths.get(name)
            if depth is not None and name in schedule.read and depth < len(at):
                later = at[depth:]
                room = schedule.read[name][: len(at) - depth] + FIFO_CYCLES
                bound[later] = np.maximum(bound[later], room)
        return bound

    def finishes(self, depths: Mapping[str, int]) -> bool:
        """True if the network finishes with these depths, False if it gets stuck.

        Exact: the run finishes if and only if no event has to wait for itself. Events of one process happen in order,
        so "p can have done n events once q has done m" says it all, and grows with n; going through q to what q waits
        for is looking up one such list in another. Processes are taken out one by one, and what waited for them waits
        for what they waited for, until a process would have to be further than it is, or none is left (Gauss'
        elimination over these lists; a circle of waiting passes each process once, since a process that it passed
        twice would be a shorter one's).
        """
        needs = {name: dict(row) for name, row in self._token_needs.items()}
        for name, writer in self.source.items():
            reader = self.sink.get(name)
            if reader is None:
                continue
            writes, depth = writer.writes[name], depths[name]
            if depth < 1 and len(writes):
                return False
            _require(needs, writer, writes[depth:], reader, reader.reads[name][: max(len(writes) - depth, 0)])
        for name in self._order:
            row = needs.pop(name)
            itself = row.pop(name, None)
            if itself is not None and bool((itself[1:] >= np.arange(1, len(itself))).any()):
                return False
            for waiting in needs.values():
                through = waiting.pop(name, None)
                if through is None:
                    continue
                for other, need in row.items():
                    found = need[through]
                    waiting[other] = np.maximum(waiting[other], found) if other in waiting else found
        return True

    def deadlock(self, depths: Mapping[str, int]) -> Deadlock | None:
        """The circle in which the network gets stuck with these depths, or None if it finishes."""
        return None if self.finishes(depths) else self._circle(depths)

    def _circle(self, depths: Mapping[str, int]) -> Deadlock:
        """Run the network as far as it goes, then follow who waits for whom.

        A process advances at once to the last event that the tokens and places now there allow.
        """
        done = {chain.process.name: 0 for chain in self.chains}
        moved = True
        while moved:
            moved = False
            for chain in self.chains:
                reach = min([len(chain.cycle), *(at for at, _, _ in self._blocks(chain, done, depths))])
                if reach > done[chain.process.name]:
                    done[chain.process.name], moved = reach, True
        waits: dict[str, tuple[str, str, str]] = {}
        for chain in self.chains:
            position = done[chain.process.name]
            if position < len(chain.cycle):
                _, stream, state = min(self._blocks(chain, done, depths), key=lambda block: block[0])
                other = self.source[stream] if state == "empty" else self.sink[stream]
                waits[chain.process.name] = (other.process.name, stream, state)
        seen: list[str] = []
        name = next(iter(waits))
        while name not in seen:
            seen.append(name)
            name = waits[name][0]
        circle = seen[seen.index(name) :]
        return Deadlock(tuple((process, waits[process][1], waits[process][2]) for process in circle))

    def _blocks(self, chain: Chain, done: Mapping[str, int], depths: Mapping[str, int]) -> list[tuple[int, str, str]]:
        """(event that cannot happen yet, stream, why) for every stream of a process."""
        blocks = []
        for name, at in chain.reads.items():
            if name in self.source:
                writer = self.source[name]
                there = int(np.searchsorted(writer.writes[name], done[writer.process.name]))
                if there < len(at):
                    blocks.append((int(at[there]), name, "empty"))
        for name, at in chain.writes.items():
            if name in self.sink:
                reader = self.sink[name]
                room = int(np.searchsorted(reader.reads[name], done[reader.process.name])) + depths[name]
                if room < len(at):
                    blocks.append((int(at[room]), name, "full"))
        return blocks


_Needs = dict[str, dict[str, IntArray]]
"""Of process p and process q at n: how many events q must have done before p can have done n. Shape (events + 1,)."""


def _require(needs: _Needs, later: Chain, at: IntArray, before: Chain, events: IntArray) -> None:
    """That event at[i] of one process comes after event events[i] of another; both ascend."""
    if not len(at):
        return
    need = np.zeros(len(later.cycle) + 1, dtype=np.int64)
    need[at + 1] = events + 1  # of several tokens of one event the last
    need = np.maximum.accumulate(need)
    row = needs[later.process.name]
    name = before.process.name
    row[name] = np.maximum(row[name], need) if name in row else need


def earliest_events(chain: Chain, bound: IntArray) -> IntArray:
    """Least times of a chain whose events may not happen before `bound`."""
    times: IntArray = chain.cycle + np.maximum.accumulate(bound - chain.cycle)
    return times


def latest_events(chain: Chain, bound: IntArray) -> IntArray:
    """Greatest times of a chain whose events may not happen after `bound`."""
    times: IntArray = chain.cycle + np.minimum.accumulate((bound - chain.cycle)[::-1])[::-1]
    return times


def needed_depth(written: IntArray, read: IntArray) -> int:
    """Least depth of a FIFO that allows these times.

    Token k may be written once token k - depth has been read. Shape (tokens,) both.
    """
    if not len(written):
        return 1
    already_read = np.searchsorted(read, written - FIFO_CYCLES, side="right")
    return max(int((np.arange(1, len(written) + 1) - already_read).max()), 1)


def _chain(process: Process, semantics: Semantics, images: int) -> Chain:
    program = process.program
    count = len(program.ports)
    if semantics is Semantics.CPP:
        ports = program.ports
        event = cycle = np.arange(count, dtype=np.int64)
        period = count
    else:
        order = np.argsort(program.cycles, kind="stable")
        ports = program.ports[order]
        cycle, event = np.unique(program.cycles[order], return_inverse=True)
        event = event.astype(np.int64)
        period = max(program.interval_cycles, int(cycle[-1]) + 1) if count else 1
    length = len(cycle)
    image = np.arange(images, dtype=np.int64)[:, None]
    tokens = {name: (event[ports == port] + image * length).ravel() for port, name in enumerate(process.streams)}
    return Chain(
        process=process,
        cycle=(cycle + image * period).ravel(),
        reads={name: tokens[name] for name in process.reads},
        writes={name: tokens[name] for name in process.writes},
    )
