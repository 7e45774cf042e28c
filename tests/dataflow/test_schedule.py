"""The vectorised model against a token-by-token simulator, exactly."""

from hypothesis import given, settings
from hypothesis import strategies as st

from nonresnet_hls.dataflow.graph import Dataflow
from nonresnet_hls.dataflow.schedule import Deadlock, Network, Semantics
from tests.dataflow.nets import assemble, graphs, naive_times, process

LAWS = settings(max_examples=150, deadline=None, derandomize=True)


def some_depths(flow: Dataflow, data: st.DataObject) -> dict[str, int]:
    return {stream.name: data.draw(st.integers(1, stream.tokens + 1)) for stream in flow.internal}


@LAWS
@given(graphs(), st.sampled_from(Semantics), st.data())
def test_bounded_schedule_equals_the_naive_simulator(flow: Dataflow, semantics: Semantics, data: st.DataObject) -> None:
    depths = some_depths(flow, data)
    network = Network(flow, semantics)
    expected = naive_times(flow, semantics, depths)
    assert network.finishes(depths) == (expected is not None)
    if expected is not None:
        schedule = network.bounded(depths)
        assert schedule is not None
        assert {name: times.tolist() for name, times in schedule.events.items()} == expected


@LAWS
@given(graphs(), st.sampled_from(Semantics))
def test_unbounded_schedule_equals_the_naive_simulator(flow: Dataflow, semantics: Semantics) -> None:
    endless = {stream.name: stream.tokens + 1 for stream in flow.internal}
    schedule = Network(flow, semantics).earliest()
    expected = naive_times(flow, semantics, endless)
    assert {name: times.tolist() for name, times in schedule.events.items()} == expected


@LAWS
@given(graphs(), st.data())
def test_a_deadlock_is_a_circle_of_full_and_empty_streams(flow: Dataflow, data: st.DataObject) -> None:
    depths = some_depths(flow, data)
    found = Network(flow, Semantics.CPP).deadlock(depths)
    if found is None:
        return
    ends = {name: (stream.source, stream.sink) for name, stream in flow.streams.items()}
    for (process_name, stream, state), (following, _, _) in zip(
        found.waits, found.waits[1:] + found.waits[:1], strict=True
    ):
        source, sink = ends[stream]
        assert (source, sink) == ((process_name, following) if state == "full" else (following, process_name))
    # A circle of waiting alone would be one where data never came: some stream must be full.
    assert any(state == "full" for _, _, state in found.waits)


@LAWS
@given(graphs(), st.sampled_from(Semantics), st.data())
def test_a_deeper_fifo_never_delays_anything(flow: Dataflow, semantics: Semantics, data: st.DataObject) -> None:
    depths = some_depths(flow, data)
    network = Network(flow, semantics)
    deeper = {name: depth + data.draw(st.integers(0, 3)) for name, depth in depths.items()}
    if not network.finishes(depths):
        return
    first, second = network.bounded(depths), network.bounded(deeper)
    assert first is not None
    assert second is not None
    assert all((second.events[name] <= first.events[name]).all() for name in first.events)


def test_a_fork_and_a_join_that_disagree_on_order_get_stuck() -> None:
    fork = process("fork", ["in"], ["a", "b"], [[0, 1, 2]] * 4, 1)
    late = process("late", ["a"], ["c"], [[0]] * 4 + [[1]] * 4, 1)
    join = process("join", ["c", "b"], ["out"], [[0, 1, 2]] * 4, 1)
    flow = assemble([fork, late, join], {"in": 4, "a": 4, "b": 4, "c": 4, "out": 4})
    network = Network(flow, Semantics.CPP)
    assert network.deadlock({"a": 1, "b": 3, "c": 1}) is None
    assert network.deadlock({"a": 1, "b": 2, "c": 1}) == Deadlock(
        (("fork", "b", "full"), ("join", "c", "empty"), ("late", "a", "empty"))
    )
    assert str(network.deadlock({"a": 1, "b": 2, "c": 1})) == (
        "fork waits for full b -> join waits for empty c -> late waits for empty a"
    )


def test_a_fifo_without_a_word_lets_nothing_through() -> None:
    first = process("first", ["in"], ["a"], [[0, 1]] * 2, 1)
    second = process("second", ["a"], ["out"], [[0, 1]] * 2, 1)
    network = Network(assemble([first, second], {"in": 2, "a": 2, "out": 2}), Semantics.CPP)
    assert network.deadlock({"a": 0}) == Deadlock((("first", "a", "full"), ("second", "a", "empty")))
    assert network.deadlock({"a": 1}) is None
