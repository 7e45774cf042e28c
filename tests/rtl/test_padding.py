"""Windows that mask the zeros around an image: beside a plain evaluation, and beside the prediction."""

from pathlib import Path

import numpy as np
import pytest

from nonresnet_hls.fixed.arithmetic import Cast
from nonresnet_hls.fixed.network import Matrix, Network, Pad, Stream, Window
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.rtl import Multipliers, Padding, RtlDesign, RtlOptions, Stalls, stored
from nonresnet_hls.rtl.contracts import Kind
from nonresnet_hls.rtl.design import assemble
from nonresnet_hls.rtl.flow import check_predicted
from nonresnet_hls.rtl.prediction import predict
from nonresnet_hls.rtl.simulation import Simulator, compile_simulator
from nonresnet_hls.rtl.units import build
from tests.rtl.test_library import IMAGES, Bench, add_padded, check, given


@pytest.fixture(scope="module")
def bench() -> Bench:
    bench = Bench({}, [], {}, {}, np.random.default_rng(3))
    add_padded(bench)
    return bench


@pytest.fixture(scope="module")
def simulator(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Simulator:
    network = Network("padded", bench.streams, tuple(bench.layers), tuple(bench.inputs), tuple(bench.expected))
    options = RtlOptions(multipliers=Multipliers.LUT, padding=Padding.MASKED)
    folder = tmp_path_factory.mktemp("padded")
    design = assemble(network, build(network, options)).write(folder / "rtl")
    masked = [unit.name for unit in design.units if unit.contract.kind is Kind.MASK]
    assert masked == [f"unit_padded{index}" for index in (0, 1, 5, 6, 8, 9)]
    return compile_simulator(design, folder / "build")


# (What masks is there in the tapped skips of every day, too.)
@pytest.mark.nightly
@pytest.mark.parametrize("stalls", [None, Stalls(40, 3), Stalls(80, 4), Stalls(90, 5)])
def test_masked_windows_are_those_of_an_image_with_zeros_around_it(
    bench: Bench, simulator: Simulator, stalls: Stalls | None
) -> None:
    run = simulator.run(given(bench), stalls)
    check(bench, run)
    assert [use.level for use in run.fifos] == [0] * len(run.fifos)


@pytest.mark.nightly
def test_masked_windows_run_as_predicted(bench: Bench, simulator: Simulator, tmp_path: Path) -> None:
    check_predicted(simulator.run(given(bench)), predict(simulator.design, IMAGES), "padded")
    stored.save(simulator.design, tmp_path / "rtl")
    assert predict(stored.load(tmp_path / "rtl"), IMAGES) == predict(simulator.design, IMAGES)


def convolution(size: int, padding: Padding) -> RtlDesign:
    """Of 3x3 pixels over an image of size x size."""
    kind, result = FixedPointType(2, 2, signed=False), FixedPointType(6, 6)
    streams = [Stream("x", 1, size**2, kind, 2), Stream("p", 1, (size + 2) ** 2, kind, 2)]
    streams.append(Stream("y", 1, size**2, result, 2))
    window = Window(size + 2, size + 2, 3, 3, 1, 1)
    layers = (
        Pad("pad", ("x",), ("p",), size, size, 1, 1, 1, 1),
        Matrix("conv", ("p",), ("y",), window, np.ones((9, 1), int), 1, 0, True, (Cast(result),), 0, 1),
    )
    network = Network("conv", {stream.name: stream for stream in streams}, layers, ("x",), ("y",))
    return assemble(network, build(network, RtlOptions(padding=padding)))


@pytest.mark.parametrize("size", [8, 16, 32])
def test_padding_costs_a_row_and_a_column_or_nothing(size: int) -> None:
    shared, masked = (predict(convolution(size, padding)) for padding in Padding)
    assert (shared.settled, shared.interval_cycles) == (True, (size + 1) ** 2)
    assert (masked.settled, masked.interval_cycles) == (True, size**2)
    # Windows of the image's end wait for no other image.
    assert predict(convolution(size, Padding.MASKED), 1).finished
