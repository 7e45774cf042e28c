"""The programs of the kernels against the reads and writes that the generated C++ really does."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nonresnet_hls.dataflow import analyse_project, size_fifos
from nonresnet_hls.dataflow.execution import Executable, Trial
from tests.dataflow.nets import convert, many_layers, one_dimensional

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not on PATH")


@pytest.mark.parametrize(
    ("build", "backend", "strategy"),
    [
        (many_layers, "Vitis", "Latency"),
        (one_dimensional, "Vivado", "Latency"),
        pytest.param(many_layers, "Vivado", "Resource", marks=pytest.mark.nightly),
        pytest.param(one_dimensional, "Vitis", "Resource", marks=pytest.mark.nightly),
    ],
)
def test_every_read_and_write_of_the_cpp_is_in_the_model(
    build: Callable[[], Any], backend: str, strategy: str, tmp_path: Path
) -> None:
    convert(build(), tmp_path / "project", backend, strategy)
    flow = analyse_project(tmp_path / "project")
    assert flow.unknown_layers == ()
    program = Executable(tmp_path / "project", flow, tmp_path, simulation=False)
    inputs = program.random_inputs(1)
    depths = size_fifos(flow)
    traced, least = program.run([Trial({}, traced=True), Trial(depths.least)], inputs)
    assert least.finished
    assert np.array_equal(least.outputs, traced.outputs)
    for process in flow.processes:
        kinds = ["r"] * len(process.reads) + ["w"] * len(process.writes)
        modelled = [(process.streams[port], kinds[port]) for port in process.program.ports.tolist()]
        executed = [(stream, kind) for name, stream, kind in traced.trace if name == process.name]
        assert modelled == executed, process.name
