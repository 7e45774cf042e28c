"""The predicted dataflow against Verilator, cycle for cycle and level for level, with FIFOs of any depth."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonresnet_hls.fixed_point import FixedPointType
from nonresnet_hls.synthesis.rtl import RtlOptions, stored
from nonresnet_hls.synthesis.rtl.arithmetic import Cast
from nonresnet_hls.synthesis.rtl.design import assemble
from nonresnet_hls.synthesis.rtl.layers import (
    Clone,
    Layer,
    Matrix,
    Merge,
    MergeOperation,
    Network,
    Pad,
    Pool,
    Reduction,
    Stream,
    Window,
)
from nonresnet_hls.synthesis.rtl.prediction import predict
from nonresnet_hls.synthesis.rtl.simulation import Simulator, compile_simulator
from nonresnet_hls.synthesis.rtl.sizing import idle_run
from nonresnet_hls.synthesis.rtl.units import build

CHANNELS = 9
PIXEL = FixedPointType(2, 2, signed=False)
RESULT = FixedPointType(9, 9)


def residual(reuse_factor: int) -> Network:
    """A convolution of 8x8 pixels around which a projection goes, its input kept in block RAM, and a pooling."""
    rng = np.random.default_rng(0)

    def stream(name: str, words: int, kind: FixedPointType = RESULT) -> Stream:
        return Stream(name, CHANNELS, words, kind, words)

    def convolution(name: str, source: str, size: int, window: int) -> Matrix:
        kernel = rng.choice([-1, 1], (window * window * CHANNELS, CHANNELS))
        view = Window(size, size, window, window, 2, 2)
        out = (Cast(RESULT),)
        return Matrix(name, (source,), (f"{name}_out",), view, kernel, 1, 0, True, out, 0, reuse_factor)

    layers: tuple[Layer, ...] = (
        Clone("fork", ("x",), ("main", "skip")),
        Pad("pad", ("main",), ("padded",), 8, 8, 1, 1, 1, 1),
        convolution("conv", "padded", 10, 3),
        convolution("projection", "skip", 8, 1),
        Merge("join", ("conv_out", "projection_out"), ("sum",), MergeOperation.ADD, RESULT),
        Pool("pool", ("sum",), ("y",), Window(4, 4, 2, 2, 2, 2), Reduction.MAXIMUM, 1, RESULT, RESULT),
    )
    streams = [stream(name, 64, PIXEL) for name in ("x", "main", "skip")] + [stream("padded", 100, PIXEL)]
    streams += [stream(name, 16) for name in ("conv_out", "projection_out", "sum")] + [stream("y", 4)]
    return Network("residual", {s.name: s for s in streams}, layers, ("x",), ("y",))


@pytest.fixture(scope="module", params=[1, 4], ids=["adder graph", "folded"])
def simulator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Simulator:
    network = residual(request.param)
    folder: Path = tmp_path_factory.mktemp("residual")
    design = assemble(network, build(network, RtlOptions())).write(folder / "rtl")
    assert {fifo.stream.name for fifo in design.fifos if fifo.style == 3} == {"padded"}
    return compile_simulator(design, folder / "build")


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(1, 3), st.lists(st.sampled_from([1, 2, 3, 8, 100]), min_size=6, max_size=6))
def test_every_figure_is_that_of_the_simulation(simulator: Simulator, images: int, depths: list[int]) -> None:
    fifos = zip(simulator.design.fifos, depths, strict=True)
    limits = {fifo.stream.name: min(depth, fifo.depth) for fifo, depth in fifos}
    simulated, predicted = idle_run(simulator, limits, images), predict(simulator.design, images, limits)
    assert simulated.finished == predicted.finished
    assert {use.stream: use.high_water for use in simulated.fifos} == predicted.high_water
    if simulated.finished:
        for name in ("first_output_cycles", "latency_cycles", "image_ends", "total_cycles"):
            assert getattr(simulated, name) == getattr(predicted, name), name


def test_a_design_read_back_is_predicted_the_same(simulator: Simulator, tmp_path: Path) -> None:
    stored.save(simulator.design, tmp_path / "rtl")
    assert predict(stored.load(tmp_path / "rtl")) == predict(simulator.design)


def test_too_short_a_skip_is_predicted_to_deadlock(simulator: Simulator) -> None:
    assert predict(simulator.design).finished
    short = {"skip": 1, "projection_out": 1}
    assert not predict(simulator.design, limits=short).finished
    assert not idle_run(simulator, short).finished
