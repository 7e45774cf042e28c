"""What happens in the course of some images with FIFOs of given depths: who works or waits, how full each FIFO is.

The schedule is that of `schedule.Network`: everything happens as soon as it can. Where its passes do not come to an end
it is followed word by word, until all is done, or nothing can move any more, which is a deadlock.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nonresnet_hls.dataflow.graph import IntArray
from nonresnet_hls.dataflow.schedule import FIFO_CYCLES, Chain, Deadlock, Network


@dataclass(frozen=True)
class Wait:
    """One process of a deadlock: what it waits for, and how far it and that FIFO had come.

    Attributes:
        process: who waits.
        stream: for what.
        state: "full" (it would write) or "empty" (it would read).
        other: who would have to act: the reader of a full FIFO, the writer of an empty one.
        level: words that the FIFO holds.
        depth: words that it can hold.
        passed: words of this stream that the process has written or read.
        tokens: words of this stream that it writes or reads in all.
    """

    process: str
    stream: str
    state: str
    other: str
    level: int
    depth: int
    passed: int
    tokens: int


@dataclass(frozen=True, eq=False)
class Run:
    """What happened.

    Attributes:
        network: the design over some images.
        depths: of its FIFOs, in words.
        times: cycle of each event of each process that happened. Shape (events,), shorter after a deadlock.
        blocked: of each of these events 1 where, if it waited, it was for room, and not for a word.
        waits: the processes that wait for each other in a circle; none where it finished.
    """

    network: Network
    depths: Mapping[str, int]
    times: Mapping[str, IntArray]
    blocked: Mapping[str, IntArray]
    waits: tuple[Wait, ...]

    @property
    def finished(self) -> bool:
        """Whether all images went through."""
        return not self.waits

    @property
    def deadlock(self) -> Deadlock | None:
        """The circle of waiting, if there is one."""
        if self.finished:
            return None
        return Deadlock(tuple((one.process, one.stream, one.state) for one in self.waits))

    @property
    def end_cycle(self) -> int:
        """Cycles from the first that is counted (0) to the end of the last event."""
        return max((int(times[-1]) + 1 for times in self.times.values() if len(times)), default=0)

    @property
    def image_ends(self) -> tuple[int, ...]:
        """For each image that came out: the cycles until its last word was written or read by the last process."""
        last = [c for c in self.network.chains if not any(name in self.network.sink for name in c.writes)]
        ends = []
        for number in range(1, self.network.images + 1):
            at = [len(chain.cycle) * number // self.network.images - 1 for chain in last]
            if any(event >= len(self.times[c.process.name]) for event, c in zip(at, last, strict=True)):
                break
            ends.append(max(int(self.times[c.process.name][event]) + 1 for event, c in zip(at, last, strict=True)))
        return tuple(ends)

    def written(self, stream: str) -> IntArray:
        """Cycles in which the words of a stream were written."""
        return self._at(self.network.source[stream].writes[stream], self.network.source[stream])

    def read(self, stream: str) -> IntArray:
        """Cycles in which they were read."""
        return self._at(self.network.sink[stream].reads[stream], self.network.sink[stream])

    def _at(self, events: IntArray, chain: Chain) -> IntArray:
        times = self.times[chain.process.name]
        found: IntArray = times[events[: int(np.searchsorted(events, len(times)))]]
        return found

    def levels(self, stream: str, edges: IntArray) -> IntArray:
        """The most words that a FIFO held at once within each stretch of cycles, from one edge to before the next.

        A word holds its place from the cycle in which it is written to that in which it is read. Shape (edges - 1,).
        """
        written, read = self.written(stream), self.read(stream)
        starts = edges[:-1]
        found = np.searchsorted(written, starts, "right") - np.searchsorted(read, starts - FIFO_CYCLES, "right")
        at_writes = np.arange(1, len(written) + 1) - np.searchsorted(read, written - FIFO_CYCLES, "right")
        where = np.searchsorted(edges, written, "right") - 1
        inside = (where >= 0) & (where < len(found))
        np.maximum.at(found, where[inside], at_writes[inside])
        return np.asarray(found, dtype=np.int64)

    def shares(self, process: str, edges: IntArray) -> tuple[IntArray, IntArray]:
        """Per mille of each stretch of cycles in which a process waited for a word, and for room.

        In the rest it worked; what it does after its last event counts as waiting for a word. Shape (edges - 1,) each.
        """
        chain = next(one for one in self.network.chains if one.process.name == process)
        times, cause = self.times[process], self.blocked[process]
        late = times - chain.cycle[: len(times)]
        gaps = np.diff(late, prepend=-chain.cycle[:1])
        at = gaps > 0
        begins, ends, full = (times - gaps)[at], times[at], cause[at].astype(bool)
        finish = int(times[-1]) + 1 if len(times) else 0
        stuck = next((one.state == "full" for one in self.waits if one.process == process), False)
        last = max(int(edges[-1]), finish)
        begins, ends = np.append(begins, finish), np.append(ends, last)
        full = np.append(full, stuck)
        length = np.maximum(np.diff(edges), 1)
        starved, blocked = (
            np.rint(1000 * np.diff(_covered(begins[mask], ends[mask], edges)) / length).astype(np.int64)
            for mask in (~full, full)
        )
        return starved, blocked


def _covered(begins: IntArray, ends: IntArray, edges: IntArray) -> IntArray:
    """Cycles before each edge that lie within stretches which do not overlap."""
    if not len(begins):
        return np.zeros(len(edges), dtype=np.int64)
    sums = np.concatenate([[0], np.cumsum(ends - begins)])
    whole = np.searchsorted(ends, edges, "right")
    part = np.clip(edges - begins[np.minimum(whole, len(begins) - 1)], 0, None)
    part[whole >= len(begins)] = 0
    return np.asarray(sums[whole] + part, dtype=np.int64)


_PASSES = 40
"""More are slower than to follow every word."""


def run(network: Network, depths: Mapping[str, int]) -> Run:
    """Let a design run with FIFOs of these depths."""
    schedule = network.bounded(depths, _PASSES)
    if schedule is None:
        return _Course(network, depths).run()
    blocked = {}
    for chain in network.chains:
        never = np.zeros(len(chain.cycle), np.int64)
        words = network.after_writes(chain, schedule, never)
        blocked[chain.process.name] = (network.after_reads(chain, schedule, depths, never) > words).astype(np.int64)
    return Run(network, dict(depths), schedule.events, blocked, ())


class _Course:
    """A run that goes on; each process advances to the last event that the words and places now there allow."""

    def __init__(self, network: Network, depths: Mapping[str, int]) -> None:
        self.network, self.depths = network, depths
        self.done = {chain.process.name: 0 for chain in network.chains}
        self.times = {chain.process.name: np.zeros(len(chain.cycle), np.int64) for chain in network.chains}
        self.blocked = {chain.process.name: np.zeros(len(chain.cycle), np.int64) for chain in network.chains}

    def run(self) -> Run:
        network = self.network
        waiting = deque(network.chains)
        queued = {chain.process.name for chain in waiting}
        while waiting:
            chain = waiting.popleft()
            queued.discard(chain.process.name)
            if not self._advance(chain):
                continue
            beside = [network.sink[name] for name in chain.writes if name in network.sink]
            beside += [network.source[name] for name in chain.reads if name in network.source]
            for other in beside:
                if other.process.name not in queued:
                    queued.add(other.process.name)
                    waiting.append(other)
        done = self.done
        return Run(
            network,
            dict(self.depths),
            {name: times[: done[name]] for name, times in self.times.items()},
            {name: cause[: done[name]] for name, cause in self.blocked.items()},
            self._circle(),
        )

    def _advance(self, chain: Chain) -> bool:
        """Let a process do what it can; returns whether that was anything."""
        name = chain.process.name
        begin, end = self.done[name], len(chain.cycle)
        for stream, at in chain.reads.items():
            if (writer := self.network.source.get(stream)) is not None:
                there = int(np.searchsorted(writer.writes[stream], self.done[writer.process.name]))
                end = min(end, int(at[there])) if there < len(at) else end
        for stream, at in chain.writes.items():
            if (reader := self.network.sink.get(stream)) is not None:
                room = int(np.searchsorted(reader.reads[stream], self.done[reader.process.name])) + self.depths[stream]
                end = min(end, int(at[room])) if room < len(at) else end
        if end <= begin:
            return False
        words, places = np.zeros(end - begin, np.int64), np.zeros(end - begin, np.int64)
        for stream, at in chain.reads.items():
            if (writer := self.network.source.get(stream)) is not None:
                first, last = np.searchsorted(at, (begin, end))
                _raise(words, at[first:last] - begin, self._when(writer, writer.writes[stream][first:last]))
        for stream, at in chain.writes.items():
            if (reader := self.network.sink.get(stream)) is not None:
                depth = self.depths[stream]
                first, last = np.searchsorted(at, (begin, end))
                first = max(int(first), depth)
                if first < last:
                    freed = reader.reads[stream][first - depth : last - depth]
                    _raise(places, at[first:last] - begin, self._when(reader, freed))
        cycle = chain.cycle[begin:end]
        late = int(self.times[name][begin - 1] - chain.cycle[begin - 1]) if begin else -int(cycle[0])
        bound = np.maximum(words, places) - cycle
        bound[0] = max(int(bound[0]), late)
        self.times[name][begin:end] = cycle + np.maximum.accumulate(bound)
        self.blocked[name][begin:end] = places > words
        self.done[name] = end
        return True

    def _when(self, chain: Chain, events: IntArray) -> IntArray:
        times: IntArray = self.times[chain.process.name][events] + FIFO_CYCLES
        return times

    def _circle(self) -> tuple[Wait, ...]:
        """Who waits for whom, from the first that waits for one that is waited for already."""
        stuck = {c.process.name: self._wait(c) for c in self.network.chains if self.done[c.process.name] < len(c.cycle)}
        if not stuck:
            return ()
        seen: list[str] = []
        name = next(iter(stuck))
        while name not in seen:
            seen.append(name)
            name = stuck[name].other
        circle = [stuck[one] for one in seen[seen.index(name) :]]
        # From a full FIFO on, which is where the story begins.
        start = next((number for number, one in enumerate(circle) if one.state == "full"), 0)
        return tuple(circle[start:] + circle[:start])

    def _wait(self, chain: Chain) -> Wait:
        name = chain.process.name
        found = []
        for stream, at in (*chain.reads.items(), *chain.writes.items()):
            reads = stream in chain.reads
            other = (self.network.source if reads else self.network.sink).get(stream)
            if other is None:
                continue
            written = self._count(self.network.source[stream], self.network.source[stream].writes[stream])
            read = self._count(self.network.sink[stream], self.network.sink[stream].reads[stream])
            most = written if reads else read + self.depths[stream]
            if most < len(at):
                passed = read if reads else written
                wait = Wait(
                    *(name, stream, "empty" if reads else "full", other.process.name),
                    *(written - read, self.depths[stream], passed, len(at)),
                )
                found.append((int(at[most]), wait))
        return min(found, key=lambda one: one[0])[1]

    def _count(self, chain: Chain, events: IntArray) -> int:
        return int(np.searchsorted(events, self.done[chain.process.name]))


def _raise(bound: IntArray, at: IntArray, times: IntArray) -> None:
    """Raise bounds to times; several words of one event count together."""
    np.maximum.at(bound, at, times)
