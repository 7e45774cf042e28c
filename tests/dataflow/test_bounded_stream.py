"""The blocking stream of the proof: contract of a FIFO, and agreement with the model on deadlock."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nonresnet_hls.dataflow
from nonresnet_hls.dataflow.execution import blocked_circle
from nonresnet_hls.dataflow.graph import Dataflow
from nonresnet_hls.dataflow.schedule import Network, Semantics
from tests.dataflow.nets import assemble, graphs, process

LAWS = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("replay") / "replay"
    headers = Path(nonresnet_hls.dataflow.__file__).parent / "cpp"
    source = Path(__file__).with_name("replay.cpp")
    subprocess.run(
        ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-I", str(headers), str(source), "-o", str(program)],
        check=True,
    )
    return program


def play(program: Path, flow: Dataflow, depths: dict[str, int]) -> tuple[str, list[list[str]]]:
    names = list(flow.streams)
    lines = [str(len(names))]
    for stream in flow.streams.values():
        depth = depths.get(stream.name, -1)
        lines.append(f"{stream.name} {depth} {stream.tokens if stream.source is None else 0}")
    lines.append(str(len(flow.processes)))
    for one in flow.processes:
        kinds = ["r"] * len(one.reads) + ["w"] * len(one.writes)
        operations = [f"{names.index(one.streams[port])} {kinds[port]}" for port in one.program.ports.tolist()]
        lines.append(f"{one.name} {len(operations)} {' '.join(operations)}")
    done = subprocess.run([str(program)], input="\n".join(lines), capture_output=True, text=True, check=True)
    status, *words = done.stdout.split()
    return status, [word.split(":") for word in words]


@LAWS
@given(graphs(), st.data())
def test_execution_and_model_agree_on_deadlock(replay: Path, flow: Dataflow, data: st.DataObject) -> None:
    depths = {stream.name: data.draw(st.integers(1, stream.tokens + 1)) for stream in flow.internal}
    deadlock = Network(flow, Semantics.CPP).deadlock(depths)
    status, words = play(replay, flow, depths)
    if deadlock is None:
        assert status == "finished"
    else:
        assert status == "deadlock"
        waits = [(name, stream, state) for name, stream, state in words]
        assert set(blocked_circle(flow, waits).waits) == set(deadlock.waits)


@LAWS
@given(graphs())
def test_order_conservation_and_level(replay: Path, flow: Dataflow) -> None:
    depths = {stream.name: stream.tokens for stream in flow.internal}
    status, words = play(replay, flow, depths)
    assert status == "finished"  # "disordered" if any token overtook another
    for name, peak, left in words:
        stream = flow.streams[name]
        if stream.source and stream.sink:
            assert int(peak) <= depths[name]
            assert int(left) == 0
        if stream.sink is None:
            assert int(left) == stream.tokens


@pytest.mark.parametrize(("depth", "status"), [(0, "deadlock"), (1, "finished"), (2, "finished")])
def test_the_shortest_fifos(replay: Path, depth: int, status: str) -> None:
    first = process("first", ["in"], ["a"], [[0, 1]] * 3, 1)
    second = process("second", ["a"], ["out"], [[0, 1]] * 3, 1)
    flow = assemble([first, second], {"in": 3, "a": 3, "out": 3})
    got, words = play(replay, flow, {"a": depth})
    assert got == status
    if got == "finished":
        assert ["a", str(depth), "0"] in words
