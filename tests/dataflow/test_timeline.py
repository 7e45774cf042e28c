"""What is seen of a run, against counting word by word."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonresnet_hls.dataflow import timeline
from nonresnet_hls.dataflow.graph import Dataflow
from nonresnet_hls.dataflow.schedule import Network, Semantics
from tests.dataflow.nets import assemble, graphs, naive_times, process
from tests.dataflow.test_schedule import some_depths

LAWS = settings(max_examples=100, deadline=None, derandomize=True)


@pytest.fixture(params=["passes", "word by word"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "word by word":
        monkeypatch.setattr(timeline, "_PASSES", 0)
    return str(request.param)


@pytest.mark.parametrize("passes", [40, 0])
@LAWS
@given(graphs(), st.sampled_from(Semantics), st.data())
def test_a_run_is_the_schedule_of_the_naive_simulator(
    passes: int, flow: Dataflow, semantics: Semantics, data: st.DataObject
) -> None:
    depths = some_depths(flow, data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timeline, "_PASSES", passes)
        run = timeline.run(Network(flow, semantics), depths)
    expected = naive_times(flow, semantics, depths)
    assert run.finished == (expected is not None)
    if expected is not None:
        assert {name: times.tolist() for name, times in run.times.items()} == expected
        assert run.deadlock is None
        writers = {stream.source for stream in flow.streams.values() if stream.sink is None}
        assert run.image_ends == (max(times[-1] for name, times in expected.items() if name in writers) + 1,)


@LAWS
@given(graphs(), st.sampled_from(Semantics), st.integers(1, 7), st.data())
def test_levels_are_the_words_written_and_not_yet_read(
    flow: Dataflow, semantics: Semantics, stretch: int, data: st.DataObject
) -> None:
    depths = some_depths(flow, data)
    run = timeline.run(Network(flow, semantics, 2), depths)
    edges = np.arange(0, run.end_cycle + stretch, stretch)
    for stream in flow.internal:
        written, read = run.written(stream.name), run.read(stream.name)
        each = [int((written <= t).sum() - (read < t).sum()) for t in range(int(edges[-1]))]
        wanted = [max(each[a:b]) for a, b in pairwise(edges)]
        found = run.levels(stream.name, edges).tolist()
        assert found == wanted
        assert max(found) <= depths[stream.name]


@LAWS
@given(graphs(), st.integers(1, 7), st.data())
def test_waiting_and_working_are_all_the_time_there_is(flow: Dataflow, stretch: int, data: st.DataObject) -> None:
    run = timeline.run(Network(flow, Semantics.HARDWARE), some_depths(flow, data))
    edges = np.arange(0, run.end_cycle + stretch, stretch)
    for chain in run.network.chains:
        times, causes = run.times[chain.process.name], run.blocked[chain.process.name]
        states = ["starved"] * int(edges[-1])
        stuck = [one.state for one in run.waits if one.process == chain.process.name]
        free = 0
        for number, time in enumerate(times.tolist()):
            step = int(chain.cycle[number] - chain.cycle[number - 1]) if number else 0
            begin = (int(times[number - 1]) + step) if number else 0
            for cycle in range(free, begin):
                states[cycle] = "works"
            for cycle in range(begin, time):
                states[cycle] = "blocked" if causes[number] else "starved"
            free = time
        if len(times):
            states[free] = "works"
        for cycle in range(free + 1 if len(times) else 0, len(states)):
            states[cycle] = "blocked" if stuck == ["full"] else "starved"
        starved, blocked = run.shares(chain.process.name, edges)
        for number, (a, b) in enumerate(pairwise(edges)):
            part = states[a:b]
            assert abs(starved[number] - 1000 * part.count("starved") / len(part)) <= 0.5
            assert abs(blocked[number] - 1000 * part.count("blocked") / len(part)) <= 0.5


def test_a_deadlock_is_told_with_what_everybody_had_done(way: str) -> None:
    fork = process("fork", ["in"], ["a", "b"], [[0, 1, 2]] * 4, 1)
    late = process("late", ["a"], ["c"], [[0]] * 4 + [[1]] * 4, 1)
    join = process("join", ["c", "b"], ["out"], [[0, 1, 2]] * 4, 1)
    flow = assemble([fork, late, join], {"in": 4, "a": 4, "b": 4, "c": 4, "out": 4})
    run = timeline.run(Network(flow, Semantics.CPP), {"a": 1, "b": 2, "c": 1})
    assert run.deadlock == Network(flow, Semantics.CPP).deadlock({"a": 1, "b": 2, "c": 1})
    full, empty, _ = run.waits
    assert (full.process, full.stream, full.state, full.other) == ("fork", "b", "full", "join")
    assert (full.level, full.depth, full.passed, full.tokens) == (2, 2, 2, 4)
    assert (empty.process, empty.stream, empty.level, empty.passed) == ("join", "c", 0, 0)
    assert run.image_ends == ()
    assert timeline.run(Network(flow, Semantics.CPP), {"a": 1, "b": 3, "c": 1}).finished
