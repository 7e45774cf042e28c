"""FIFO depths: they finish, none can be shorter, and on small graphs no cheaper choice exists."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings

from nonresnet_hls.dataflow.graph import Dataflow
from nonresnet_hls.dataflow.memory import sized_memory
from nonresnet_hls.dataflow.schedule import Network, Semantics
from nonresnet_hls.dataflow.sizing import least_depths, size_fifos, throughput_depths
from tests.dataflow.nets import assemble, graphs, naive_times, process

LAWS = settings(max_examples=100, deadline=None, derandomize=True)


@pytest.mark.parametrize("semantics", Semantics)
@LAWS
@given(flow=graphs())
def test_least_depths_finish_and_none_can_be_shorter(flow: Dataflow, semantics: Semantics) -> None:
    depths = least_depths(flow, semantics)
    assert naive_times(flow, semantics, depths) is not None
    for name, depth in depths.items():
        assert depth >= 1
        assert depth == 1 or naive_times(flow, semantics, {**depths, name: depth - 1}) is None


@LAWS
@given(flow=graphs())
def test_least_depths_cost_no_more_than_any_others(flow: Dataflow) -> None:
    depths = least_depths(flow, Semantics.CPP)
    network = Network(flow, Semantics.CPP)
    ranges = [range(1, stream.tokens + 1) for stream in flow.internal]
    if np.prod([len(one) for one in ranges], dtype=float) > 3000:
        return

    def cost(choice: dict[str, int]) -> tuple[int, int]:
        memories = [sized_memory(s, choice[s.name], flow.toolchain).bram_18k for s in flow.internal]
        return sum(memories), sum(stream.bits * choice[stream.name] for stream in flow.internal)

    names = [stream.name for stream in flow.internal]
    choices = (dict(zip(names, depths_of, strict=True)) for depths_of in product(*ranges))
    best = min((choice for choice in choices if network.finishes(choice)), key=cost)
    assert cost(depths) == cost(best)


@LAWS
@given(flow=graphs())
def test_sized_depths_finish_under_both_readings(flow: Dataflow) -> None:
    depths = size_fifos(flow)
    for choice in (depths.margin, depths.sized):
        assert naive_times(flow, Semantics.CPP, dict(choice)) is not None
        assert naive_times(flow, Semantics.HARDWARE, dict(choice)) is not None


@LAWS
@given(flow=graphs())
def test_throughput_depths_keep_the_interval_of_the_busiest_process(flow: Dataflow) -> None:
    images = 6
    depths = throughput_depths(flow)
    schedule = Network(flow, Semantics.HARDWARE, images).bounded(depths)
    assert schedule is not None
    for chain in Network(flow, Semantics.HARDWARE, images).chains:
        ends = schedule.events[chain.process.name].reshape(images, -1)[:, -1]
        # From the first image to the last, nothing is slower than the busiest process alone.
        assert ends[-1] - ends[0] <= (images - 1) * flow.interval_cycles + flow.interval_cycles


def test_tokens_wait_where_they_are_narrow() -> None:
    """Before or after a process that keeps every second token: afterwards there are half as many."""
    n = 40
    fork = process("fork", ["in"], ["a", "b"], [[0, 1, 2]] * n, 1)
    slow = process("slow", ["a"], ["c"], [[0]] * n + [[1]] * (n // 2), 1)
    half = process("half", ["b"], ["d"], [[0, 1] if i % 2 == 0 else [0] for i in range(n)], 1)
    join = process("join", ["c", "d"], ["out"], [[0, 1, 2]] * (n // 2), 1)
    tokens = {"in": n, "a": n, "b": n, "c": n // 2, "d": n // 2, "out": n // 2}
    depths = least_depths(assemble([fork, slow, half, join], tokens), Semantics.CPP)
    assert depths["d"] >= 19
    assert depths["b"] <= 2
