"""The predicted dataflow against Verilator, cycle for cycle and level for level, with FIFOs of any depth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonresnet_hls.fixed.arithmetic import Cast
from nonresnet_hls.fixed.network import (
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
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.hls.bits import BitSimulation
from nonresnet_hls.rtl import RtlOptions, stored
from nonresnet_hls.rtl.design import assemble
from nonresnet_hls.rtl.flow import PredictionError, check_predicted, compare
from nonresnet_hls.rtl.prediction import interval_of, predict
from nonresnet_hls.rtl.simulation import Simulator, Stalls, compile_simulator
from nonresnet_hls.rtl.sizing import idle_run, size_fifos
from nonresnet_hls.rtl.units import build

CHANNELS = 9
PIXEL = FixedPointType(2, 2, signed=False)
RESULT = FixedPointType(9, 9)


def residual(reuse_factor: int) -> Network:
    """A convolution of 8x8 pixels around which a projection goes, its input kept in block RAM, and a pooling."""
    rng = np.random.default_rng(0)

    def stream(name: str, words: int, kind: FixedPointType = RESULT, depth: int = 0) -> Stream:
        return Stream(name, CHANNELS, words, kind, depth or words)

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
    streams = [stream("x", 64, PIXEL), stream("main", 64, PIXEL, 150)]
    streams += [stream("skip", 64, PIXEL), stream("padded", 100, PIXEL)]
    streams += [stream(name, 16) for name in ("conv_out", "projection_out", "sum")] + [stream("y", 4)]
    return Network("residual", {s.name: s for s in streams}, layers, ("x",), ("y",))


@pytest.fixture(
    scope="module", params=[pytest.param(1, id="adder graph"), pytest.param(4, id="folded", marks=pytest.mark.nightly)]
)
def simulator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Simulator:
    network = residual(request.param)
    folder: Path = tmp_path_factory.mktemp("residual")
    design = assemble(network, build(network, RtlOptions())).write(folder / "rtl")
    assert {fifo.stream.name for fifo in design.fifos if fifo.style == 3} == {"main"}
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
    short = {"skip": 1}
    assert not predict(simulator.design, limits=short).finished
    assert not idle_run(simulator, short).finished


def perceptron() -> Network:
    """Dense layers with a residual join: one word an image, and many images on the way at once."""
    rng = np.random.default_rng(0)

    def dense(name: str, source: str, target: str) -> Matrix:
        kernel = rng.integers(-7, 8, (CHANNELS, CHANNELS))
        return Matrix(name, (source,), (target,), None, kernel, 4, 0, False, (Cast(RESULT),), 0, 1)

    layers: tuple[Layer, ...] = (
        dense("first", "x", "a"),
        Clone("fork", ("a",), ("main", "skip")),
        dense("second", "main", "b"),
        dense("third", "b", "c"),
        Merge("join", ("c", "skip"), ("y",), MergeOperation.ADD, RESULT),
    )
    streams = [Stream(name, CHANNELS, 1, RESULT, 1) for name in ("x", "a", "main", "skip", "b", "c", "y")]
    return Network("perceptron", {stream.name: stream for stream in streams}, layers, ("x",), ("y",))


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Simulator:
    network = perceptron()
    design = size_fifos(assemble(network, build(network, RtlOptions()))).design
    folder: Path = tmp_path_factory.mktemp("perceptron")
    return compile_simulator(design.write(folder / "rtl"), folder / "build")


def test_the_throughput_is_that_of_the_steady_state(wide: Simulator) -> None:
    sized = predict(wide.design)
    assert (sized.settled, sized.period_images, sized.interval_cycles) == (True, 1, 1)
    # As deep as before: the first images come one a cycle, and then the others wait for a full skip.
    for depth in (1, 2, 3):
        predicted = predict(wide.design, 200, {"skip": depth})
        run = idle_run(wide, {"skip": depth}, 200)
        assert run.image_ends == predicted.image_ends
        assert predicted.interval_cycles > 1
        assert predicted.interval_cycles == interval_of(run.image_ends, predicted.period_images)
        # Whatever the number of images, from the first on that repeats.
        assert predict(wide.design, limits={"skip": depth}).interval_cycles == predicted.interval_cycles
        assert predict(wide.design, 150, {"skip": depth}).interval_cycles == predicted.interval_cycles


def test_images_go_through_again_until_the_state_is_steady(wide: Simulator) -> None:
    class Same(BitSimulation):
        """The reference: a design of zeros gives zeros."""

        def __init__(self) -> None:
            pass

        def run(self, images: int, inputs: object) -> list[np.ndarray]:
            return [np.zeros(images * -(-CHANNELS * RESULT.width // 32), np.uint32)]

    zeros = {"x": np.zeros((1, 1, CHANNELS))}
    figures = compare(wide, Same(), zeros, Stalls(), "perceptron")
    assert figures.images == 1
    assert figures.predicted.images > 1
    assert figures.interval_cycles == figures.predicted.interval_cycles == 1


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"first_output_cycles": 3}, "perceptron: cycles to the first output: 3 predicted, "),
        ({"image_ends": (1, 2, 3)}, "perceptron: cycles to the end of image 0: 1 predicted, "),
        (
            {"high_water": dict.fromkeys(("x", "a", "main", "skip", "b", "y"), 9)},
            "most words in stream x: 9 predicted, ",
        ),
    ],
)
def test_a_prediction_that_is_not_simulated_is_an_error(wide: Simulator, changed: dict, wanted: str) -> None:
    run, predicted = idle_run(wide), predict(wide.design, 3)
    check_predicted(run, predicted, "perceptron")
    with pytest.raises(PredictionError, match=wanted) as error:
        check_predicted(run, replace(predicted, **changed), "perceptron")
    assert error.value.exit_status == 1


def test_a_design_that_stops_is_predicted_to_stop() -> None:
    network = residual(1)
    design = assemble(network, build(network, RtlOptions()))
    stopped = predict(design, limits={"skip": 1})
    assert (stopped.finished, stopped.interval_cycles) == (False, 0)


def test_what_leaves_before_anything_came_leaves_after_no_cycle(tmp_path: Path) -> None:
    streams = {"x": Stream("x", 1, 4, PIXEL, 2), "y": Stream("y", 1, 16, PIXEL, 2)}
    layers = (Pad("pad", ("x",), ("y",), 2, 2, 1, 1, 1, 1),)
    network = Network("margins", streams, layers, ("x",), ("y",))
    design = assemble(network, build(network, RtlOptions())).write(tmp_path / "rtl")
    simulator = compile_simulator(design, tmp_path / "build")
    image = {"x": np.ones((1, 4, 1))}
    first = [simulator.run(image, Stalls(90, seed)).first_output_cycles for seed in range(1, 6)]
    assert min(first) == 0
    assert predict(design, 1).first_output_cycles == simulator.run(image).first_output_cycles == 2
