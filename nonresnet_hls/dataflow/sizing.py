"""FIFO depths: the least that cannot deadlock, and the least found that keep full throughput.

Both rest on one fact: a schedule that respects the order and the duration of all operations proves that the
depths it needs are enough, because a self-timed run is never later (monotonicity of max-plus systems). So
depths are read off schedules, and only the last step, making each FIFO as short as it goes, asks the exact
deadlock test.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np

from nonresnet_hls.dataflow.graph import Dataflow, IntArray, Stream
from nonresnet_hls.dataflow.memory import sized_memory
from nonresnet_hls.dataflow.schedule import (
    Chain,
    Network,
    Schedule,
    Semantics,
    earliest_events,
    latest_events,
    needed_depth,
)

_IMAGES = 3  # enough for the schedule of consecutive images to repeat


@dataclass(frozen=True)
class FifoDepths:
    """Depths in words by stream name, for every stream between two processes.

    Attributes:
        tensor: as hls4ml gave them.
        least: the least that finish, for the order of the C++; `prove` shows it by execution.
        margin: modelled: the least that finish when pipelines stall with tokens in flight.
        sized: modelled: the least found that also keep the throughput of the busiest layer.
    """

    tensor: Mapping[str, int]
    least: Mapping[str, int]
    margin: Mapping[str, int]
    sized: Mapping[str, int]


def size_fifos(flow: Dataflow) -> FifoDepths:
    """Size all FIFOs of a design; streams beside an unknown layer keep their depth."""
    least = least_depths(flow, Semantics.CPP)
    margin = _finishing(flow, least_depths(flow, Semantics.HARDWARE), least)
    sized = sized_depths(flow, least)
    return FifoDepths(tensor=flow.depths(), least=least, margin=margin, sized=sized)


def sized_depths(flow: Dataflow, least: Mapping[str, int] | None = None) -> dict[str, int]:
    """The depths `sized` alone; `least`, where they are known, are not sought again."""
    depths = throughput_depths(flow)
    if Network(flow, Semantics.CPP).finishes(depths):
        return depths
    return _finishing(flow, depths, least or least_depths(flow, Semantics.CPP))


def _finishing(flow: Dataflow, depths: dict[str, int], least: Mapping[str, int]) -> dict[str, int]:
    """Depths sized for pipelines, deepened where the plain order of the C++ would not finish with them."""
    if Network(flow, Semantics.CPP).finishes(depths):
        return depths
    return {name: max(depth, least[name]) for name, depth in depths.items()}


def least_depths(flow: Dataflow, semantics: Semantics) -> dict[str, int]:
    """The cheapest depths found (BRAM18, then bits) of which no single one can be shorter without deadlock.

    Only where branches part and join again can a FIFO need more than one word, so each such part (each
    biconnected component of the graph) is sized on its own: a circle of waiting processes never needs to
    leave the part through a single stream, since it would have to come back through the same one.
    """
    depths = {s.name: 1 if s.sizable else s.depth for s in flow.internal}
    for names in _blocks(flow):
        part = _restricted(flow, names)
        depths.update(_size_block(part, semantics))
    return depths


def throughput_depths(flow: Dataflow) -> dict[str, int]:
    """Depths with which images follow each other as fast as the busiest process allows.

    The schedule has the input arrive evenly at that rate and lets everything else happen as soon as it can.
    """
    network = Network(flow, Semantics.HARDWARE, _IMAGES)
    interval = flow.interval_cycles
    arrivals = {}
    for stream in flow.streams.values():
        if stream.source is None:
            token = np.arange(stream.tokens * _IMAGES, dtype=np.int64)
            arrivals[stream.name] = token * interval // stream.tokens
    schedule = network.earliest(arrivals=arrivals)
    schedule = _shift_burdens(network, schedule)
    depths = _depths_of(network, schedule)
    # The tools' own default, as cheap as one word: with one, a token can pass in every second cycle only.
    return {name: max(depth, min(2, flow.streams[name].tokens)) for name, depth in depths.items()}


def _size_block(part: Dataflow, semantics: Semantics) -> dict[str, int]:
    network = Network(part, semantics)
    late = _on_demand(network)
    candidates = [_depths_of(network, late), _depths_of(network, _shift_burdens(network, late))]
    shortest = [_shortened(network, depths) for depths in candidates]
    return min(shortest, key=lambda depths: _cost(part, part.internal, depths))


def _on_demand(network: Network) -> Schedule:
    """The schedule in which the last processes act at long intervals and all others only when needed."""
    pause = network.total_events + 1
    last = [chain for chain in network.chains if not any(name in network.sink for name in chain.writes)]
    deadlines = {chain.process.name: pause * np.arange(1, len(chain.cycle) + 1, dtype=np.int64) for chain in last}
    horizon = max(int(times[-1]) for times in deadlines.values())
    # A last process must not act before the others can have delivered; spacing by `pause` ensures it.
    return network.latest(deadlines, horizon + pause)


def _depths_of(network: Network, schedule: Schedule, streams: Sequence[Stream] = ()) -> dict[str, int]:
    return {
        stream.name: needed_depth(schedule.written[stream.name], schedule.read[stream.name])
        if stream.sizable
        else stream.depth
        for stream in streams or network.flow.internal
    }


def _shortened(network: Network, depths: dict[str, int]) -> dict[str, int]:
    """Make one FIFO after another as short as it goes, the costliest first.

    Shorter neighbours never allow a FIFO to be shorter, so one round leaves none that can be.
    """
    depths = dict(depths)
    streams = [stream for stream in network.flow.internal if stream.sizable and depths[stream.name] > 1]
    streams.sort(key=lambda stream: (_cost(network.flow, [stream], depths), stream.name), reverse=True)
    for stream in streams:
        low, high = 1, depths[stream.name]
        trial = high - 1
        while low < high:
            if network.finishes({**depths, stream.name: trial}):
                high = trial
            else:
                low = trial + 1
            trial = (low + high) // 2
        depths[stream.name] = high
    return depths


def _shift_burdens(network: Network, schedule: Schedule) -> Schedule:
    """Let tokens that must wait do so where a FIFO is cheapest.

    First each process on its own is made late where that saves memory. Then, along a chain of processes with
    one input and one output, tokens may wait before any of them: each place is tried, also with a FIFO that
    is full at a size where memory gets dearer, the rest waiting before the chain.
    """
    for chain in reversed(network.chains):
        bound = network.before_reads(chain, schedule, _highest(schedule, chain))
        trial = schedule.moved(chain, latest_events(chain, bound))
        streams = _between(network, chain.process.streams)
        if _cost(network.flow, streams, _depths_of(network, trial, streams)) < _cost(
            network.flow, streams, _depths_of(network, schedule, streams)
        ):
            schedule = trial
    for links in _linear_chains(network):
        streams = _between(network, _streams_along(links))
        depths = _depths_of(network, schedule, streams)
        if max(depths.values()) <= 2:
            continue
        best = _cost(network.flow, streams, depths)
        for trial in _placements(network, schedule, links):
            cost = _cost(network.flow, streams, _depths_of(network, trial, streams))
            if cost < best:
                best, schedule = cost, trial
    return schedule


def _placements(network: Network, schedule: Schedule, links: list[Chain]) -> Iterator[Schedule]:
    start = schedule
    # Without an input that bounds them, processes can only be late.
    fed = next(iter(links[0].reads)) in network.source
    for place in range(len(links) + 1 if fed else 1):
        trial = start
        for link in links[:place]:
            trial = trial.moved(link, earliest_events(link, network.after_writes(link, trial, _lowest(link))))
        for link in reversed(links[place:]):
            trial = trial.moved(link, latest_events(link, network.before_reads(link, trial, _highest(trial, link))))
        yield trial
        if not place:
            continue
        last = links[place - 1]
        (name,) = last.writes
        full = needed_depth(trial.written[name], trial.read[name])
        for depth in (16, 32, 64, 128, 256, 512, 1024, 2048, 4096):
            if depth >= full:
                break
            bound = network.after_reads(last, trial, {name: depth}, network.after_writes(last, trial, _lowest(last)))
            limited = trial.moved(last, earliest_events(last, bound))
            for link in reversed(links[: place - 1]):
                bound = network.before_reads(link, limited, _highest(limited, link))
                limited = limited.moved(link, latest_events(link, bound))
            if not _late(limited, last):
                yield limited


def _late(schedule: Schedule, chain: Chain) -> bool:
    """True where a process delivers a token after it is due."""
    return any(
        bool((schedule.written[name] >= schedule.read[name]).any()) for name in chain.writes if name in schedule.read
    )


def _lowest(chain: Chain) -> IntArray:
    return np.full(len(chain.cycle), np.iinfo(np.int64).min // 4, dtype=np.int64)


def _highest(schedule: Schedule, chain: Chain) -> IntArray:
    """Events after the last write may not end later than they do now."""
    bound = np.full(len(chain.cycle), np.iinfo(np.int64).max // 4, dtype=np.int64)
    bound[-1:] = np.maximum(schedule.events[chain.process.name][-1:], schedule.end_cycle)
    return bound


def _linear_chains(network: Network) -> list[list[Chain]]:
    """Longest runs of processes with one internal input and one internal output."""

    def single(chain: Chain) -> bool:
        return len(chain.reads) == len(chain.writes) == 1 and all(name in network.sink for name in chain.writes)

    runs: list[list[Chain]] = []
    taken: set[str] = set()
    for chain in network.chains:
        if not single(chain) or chain.process.name in taken:
            continue
        run = []
        link = chain
        while single(link):
            run.append(link)
            taken.add(link.process.name)
            link = network.sink[next(iter(link.writes))]
        runs.append(run)
    return runs


def _between(network: Network, names: Sequence[str]) -> list[Stream]:
    """The streams of those names that have a process at both ends."""
    streams = [network.flow.streams[name] for name in names]
    return [stream for stream in streams if stream.source and stream.sink]


def _streams_along(links: list[Chain]) -> list[str]:
    return [*links[0].reads, *(name for link in links for name in link.writes)]


def _cost(flow: Dataflow, streams: Sequence[Stream], depths: Mapping[str, int]) -> tuple[int, int]:
    """(BRAM18, bits) of some FIFOs."""
    bram = bits = 0
    for stream in streams:
        depth = depths[stream.name]
        bram += sized_memory(stream, depth, flow.toolchain).bram_18k
        bits += depth * stream.bits
    return bram, bits


def _blocks(flow: Dataflow) -> list[set[str]]:
    """Names of the processes of each part in which branches part and join again."""
    graph: nx.Graph[str] = nx.Graph()
    pairs = [(stream.source, stream.sink) for stream in flow.internal]
    graph.add_edges_from(pairs)
    blocks = [set(names) for names in nx.biconnected_components(graph) if len(names) > 2]
    # Two streams between the same two processes are a part too, which a simple graph does not show.
    blocks += [set(pair) for pair in {p for p in pairs if pairs.count(p) > 1} if not _inside(pair, blocks)]
    return blocks


def _inside(pair: tuple[str | None, str | None], blocks: list[set[str]]) -> bool:
    return any(set(pair) <= block for block in blocks)


def _restricted(flow: Dataflow, names: set[str]) -> Dataflow:
    """The part of a design between some of its processes; streams that leave it are never full or empty."""
    streams = {
        name: replace(
            stream,
            source=stream.source if stream.source in names else None,
            sink=stream.sink if stream.sink in names else None,
        )
        for name, stream in flow.streams.items()
    }
    processes = tuple(process for process in flow.processes if process.name in names)
    return replace(flow, processes=processes, streams=streams)
