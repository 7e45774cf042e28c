"""The programs of the kernels against the reads and writes that the generated C++ really does."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import networks
from nonresnet_hls.dataflow import Dataflow, analyse_project, size_fifos
from nonresnet_hls.dataflow.execution import Executable, Trial
from nonresnet_hls.dataflow.schedule import Network, Semantics
from tests.dataflow.nets import convert, many_layers, one_dimensional, resnet


@pytest.mark.parametrize(
    ("build", "backend", "strategy", "implementation"),
    [
        pytest.param(lambda: resnet(4, 2, 1), "Vitis", "Latency", "LineBuffer", marks=pytest.mark.nightly),
        pytest.param(many_layers, "Vitis", "Latency", "LineBuffer", marks=pytest.mark.nightly),
        (one_dimensional, "Vivado", "Latency", "LineBuffer"),
        pytest.param(many_layers, "Vivado", "Resource", "LineBuffer", marks=pytest.mark.nightly),
        pytest.param(many_layers, "Vivado", "Latency", "Encoded", marks=pytest.mark.nightly),
        pytest.param(one_dimensional, "Vitis", "Resource", "LineBuffer", marks=pytest.mark.nightly),
        pytest.param(one_dimensional, "Vivado", "Latency", "Encoded", marks=pytest.mark.nightly),
        pytest.param(resnet, "Vivado", "Resource", "LineBuffer", marks=pytest.mark.nightly),
        pytest.param(lambda: networks.mobilenet(8), "Vitis", "Latency", "LineBuffer", marks=pytest.mark.nightly),
        pytest.param(lambda: networks.unet(16), "Vivado", "Latency", "LineBuffer", marks=pytest.mark.nightly),
    ],
)
def test_the_model_is_what_the_cpp_does(
    build: Callable[[], Any], backend: str, strategy: str, implementation: str, tmp_path: Path
) -> None:
    """Every read and write in order; whether random depths finish, and if not the circle in which they wait."""
    convert(build(), tmp_path / "project", backend, strategy, implementation)
    flow = analyse_project(tmp_path / "project")
    assert flow.unknown_layers == ()
    program = Executable(tmp_path / "project", flow, tmp_path, simulation=False)
    network = Network(flow, Semantics.CPP)
    least = size_fifos(flow).least
    choices = [random_depths(flow, least, seed) for seed in range(40)]
    deadlocks = [network.deadlock(choice) for choice in choices]
    assert {deadlock is None for deadlock in deadlocks} == {True, False}
    inputs = program.random_inputs(1)
    trials = [Trial({}, traced=True), Trial(least), *map(Trial, choices)]
    traced, finished, *others = program.run(trials, inputs)
    for process in flow.processes:
        kinds = ["r"] * len(process.reads) + ["w"] * len(process.writes)
        modelled = [(process.streams[port], kinds[port]) for port in process.program.ports.tolist()]
        executed = [(stream, kind) for name, stream, kind in traced.trace if name == process.name]
        assert modelled == executed, process.name
    assert finished.finished
    assert np.array_equal(finished.outputs, traced.outputs)
    for choice, deadlock, outcome in zip(choices, deadlocks, others, strict=True):
        assert outcome.finished == (deadlock is None)
        if deadlock is None:
            assert np.array_equal(outcome.outputs, traced.outputs)
            assert all(peak <= choice[name] for name, peak in outcome.peaks.items() if name in choice)
        else:
            assert set(outcome.deadlock.waits) == set(deadlock.waits)


def random_depths(flow: Dataflow, least: Mapping[str, int], seed: int) -> dict[str, int]:
    """Depths around the least: sometimes enough, sometimes not."""
    rng = np.random.default_rng(seed)
    return {s.name: max(1, least[s.name] + int(rng.integers(-1, 4) if s.name in least else 0)) for s in flow.internal}
