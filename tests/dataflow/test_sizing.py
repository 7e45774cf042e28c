"""FIFO depths: they finish, none can be shorter, and on small graphs no cheaper choice exists."""

from itertools import product

import pytest
from hypothesis import assume, given, settings

from nonresnet_hls.dataflow.graph import Dataflow
from nonresnet_hls.dataflow.schedule import Network, Semantics
from nonresnet_hls.dataflow.sizing import least_depths, size_fifos, throughput_depths
from tests.dataflow.nets import assemble, graphs, naive_times, process, skips

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


@settings(LAWS, max_examples=40)
@given(flow=skips())
def test_no_cheaper_depths_finish(flow: Dataflow) -> None:
    """The first 400 choices that cost less are tried, one by one; mostly there are fewer."""
    depths = least_depths(flow, Semantics.CPP)
    assume(sum(depths.values()) > len(depths))
    network = Network(flow, Semantics.CPP)
    streams = list(flow.internal)
    total = sum(stream.bits * depths[stream.name] for stream in streams)
    cheaper = 0
    for choice in product(*(range(1, stream.tokens + 1) for stream in streams)):
        if sum(stream.bits * depth for stream, depth in zip(streams, choice, strict=True)) < total:
            cheaper += 1
            if cheaper <= 400:
                trial = dict(zip((stream.name for stream in streams), choice, strict=True))
                assert not network.finishes(trial), trial


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
        assert ends[-1] - ends[0] <= (images - 1) * flow.interval_cycles


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
