"""Skips that are fed from windows: beside a plain evaluation, beside the prediction, and how few words they wait in."""

from pathlib import Path

import numpy as np
import pytest

from nonresnet_hls.fixed.arithmetic import Cast
from nonresnet_hls.fixed.network import Clone, Layer, Matrix, Merge, MergeOperation, Network, Pad, Stream, Window
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.rtl import Multipliers, Padding, RtlDesign, RtlOptions, Skips, Stalls, stored
from nonresnet_hls.rtl.design import assemble
from nonresnet_hls.rtl.flow import check_predicted
from nonresnet_hls.rtl.prediction import predict, predict_least_depths
from nonresnet_hls.rtl.simulation import Simulator, compile_simulator
from nonresnet_hls.rtl.sizing import size_fifos
from nonresnet_hls.rtl.units import build
from tests.rtl.test_library import IMAGES, Bench, check, given, windows

KIND, WIDE = FixedPointType(3, 3), FixedPointType(16, 16)


class Blocks(Bench):
    """Residual blocks of one channel, side by side."""

    def convolve(self, name: str, data: np.ndarray, sides: tuple[int, int, int, int], strides: tuple[int, int]) -> str:
        """A convolution with zeros around it, of the kernel that these go with; returns its stream."""
        source = self.streams[name]
        height, width = self.sizes[name]
        top, bottom, left, right = sides
        kernel_size = (top + bottom + strides[0], left + right + strides[1]) if any(sides) else (1, 1)
        window = Window(height + top + bottom, width + left + right, *kernel_size, *strides)
        made = f"c_{name}"
        kernel = self.rng.integers(-2, 3, (kernel_size[0] * kernel_size[1], 1))
        if any(sides):
            zeros = Stream(f"{made}_zeros", 1, window.height * window.width, source.kind, 1)
            self.streams[zeros.name] = zeros
            self.layers.append(Pad(f"{made}_pad", (name,), (zeros.name,), height, width, *sides))
            name = zeros.name
        self.layers.append(Matrix(made, (name,), (made,), window, kernel, 3, 0, False, (Cast(WIDE),), 0, 1))
        images = np.pad(data.reshape(IMAGES, height, width, 1), ((0, 0), (top, bottom), (left, right), (0, 0)))
        self.values[made] = windows(images.reshape(IMAGES, -1, 1), window) @ kernel.astype(object)
        self.streams[made] = Stream(made, 1, window.positions, WIDE, 1)
        self.sizes[made] = (window.rows, window.columns)
        return made

    def block(self, name: str, size: tuple[int, int], sides: list[tuple[int, int, int, int]], stride: int) -> None:
        """Convolutions one behind the other, the first with strides, and a skip (projected, if need be) over all."""
        data = self.feed(name, 1, size[0] * size[1], KIND)
        long, skip = f"{name}_long", f"{name}_skip"
        self.layers.append(Clone(f"{name}_clone", (name,), (long, skip)))
        for copy in (long, skip):
            self.streams[copy], self.sizes[copy] = Stream(copy, 1, size[0] * size[1], KIND, 1), size
        strides = (stride, stride) if size[0] > 1 else (1, stride)
        values = data
        for index, each in enumerate(sides):
            long = self.convolve(long, values, each, strides if index == 0 else (1, 1))
            values = self.values[long]
        if stride > 1:
            skip = self.convolve(skip, data, (0, 0, 0, 0), strides)
            data = self.values[skip]
        merge = Merge(f"{name}_add", (long, skip), (f"{name}_out",), MergeOperation.ADD, FixedPointType(20, 20))
        self.layers.append(merge)
        self.expect(f"{name}_out", FixedPointType(20, 20), values + data)

    sizes: dict[str, tuple[int, int]]
    values: dict[str, np.ndarray]


SAME = (1, 1, 1, 1)
CASES = {
    "residual": ((5, 6), [SAME, SAME], 1),
    "short": ((4, 5), [SAME], 1),
    "projected": ((6, 6), [(0, 1, 0, 1), SAME], 2),
    "large": ((6, 5), [(2, 2, 2, 2), SAME], 1),
    "row": ((1, 9), [(0, 0, 1, 1), (0, 0, 1, 1)], 1),
    "causal": ((1, 7), [(0, 0, 2, 0), (0, 0, 2, 0)], 1),
    "uneven": ((5, 5), [(1, 0, 0, 1), SAME], 1),
    "short causal": ((1, 7), [(0, 0, 2, 0)], 1),
    "short large": ((5, 6), [(2, 2, 2, 2)], 1),
    "larger first": ((6, 6), [(2, 2, 2, 2), SAME], 1),
    "long": ((4, 4), [SAME, SAME, SAME], 1),
}


@pytest.fixture(scope="module")
def bench() -> Blocks:
    bench = Blocks({}, [], {}, {}, np.random.default_rng(7))
    bench.sizes, bench.values = {}, {}
    for name, case in CASES.items():
        bench.block(name, *case)
    return bench


def design_of(bench: Bench, padding: Padding, skips: Skips) -> RtlDesign:
    network = Network("blocks", bench.streams, tuple(bench.layers), tuple(bench.inputs), tuple(bench.expected))
    options = RtlOptions(multipliers=Multipliers.LUT, padding=padding, skips=skips)
    design = assemble(network, build(network, options))
    return design.with_depths({fifo.stream.name: 40 for fifo in design.fifos})


@pytest.fixture(
    scope="module", params=[pytest.param(Padding.SHARED, marks=pytest.mark.nightly), Padding.MASKED], ids=str
)
def simulator(bench: Blocks, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Simulator:
    folder = tmp_path_factory.mktemp("tapped")
    design = design_of(bench, request.param, Skips.TAPPED).write(folder / "rtl")
    # Where a pixel is due at once; and masked windows of one row have no line memory that it could leave late.
    copied = ("causal", "short_causal", *(("row",) if request.param is Padding.MASKED else ()))
    assert {unit.name for unit in design.units if "clone" in unit.name} == {f"unit_{name}_clone" for name in copied}
    return compile_simulator(design, folder / "build")


@pytest.mark.parametrize("stalls", [None, Stalls(40, 3), Stalls(80, 4), Stalls(90, 5)])
def test_a_tapped_skip_is_the_skip(bench: Blocks, simulator: Simulator, stalls: Stalls | None) -> None:
    run = simulator.run(given(bench), stalls)
    check(bench, run)
    # The last row of what is projected with strides counts for nothing, and may be on its way when the run ends.
    left = {use.stream for use in run.fifos if use.level}
    assert left <= {"projected_skip"}


def test_tapped_skips_run_as_predicted(bench: Blocks, simulator: Simulator, tmp_path: Path) -> None:
    check_predicted(simulator.run(given(bench)), predict(simulator.design, IMAGES), "tapped")
    stored.save(simulator.design, tmp_path / "rtl")
    assert predict(stored.load(tmp_path / "rtl"), IMAGES) == predict(simulator.design, IMAGES)


def block(size: int, skips: Skips, padding: Padding = Padding.SHARED, convolutions: int = 2) -> RtlDesign:
    bench = Blocks({}, [], {}, {}, np.random.default_rng(1))
    bench.sizes, bench.values = {}, {}
    bench.block("block", (size, size), [SAME] * convolutions, 1)
    return size_fifos(design_of(bench, padding, skips)).design


@pytest.mark.parametrize("padding", Padding)
@pytest.mark.parametrize("size", [8, 16])
def test_a_tapped_skip_waits_in_a_row_or_in_registers(size: int, padding: Padding) -> None:
    copied, tapped = (block(size, skips, padding) for skips in Skips)
    (skip,) = (fifo.depth for fifo in tapped.fifos if fifo.stream.name == "block_skip")
    # What the registers of both convolutions hold meanwhile, and a row where windows must not wait for the next image.
    assert skip <= (size + 9 if padding is Padding.SHARED else 12)
    assert predict(tapped).interval_cycles == predict(copied).interval_cycles
    # The windows of the last image wait for no other one.
    assert predict(tapped, 1).finished


def test_a_tapped_skip_over_one_convolution_waits_for_nothing_but_registers() -> None:
    design = block(16, Skips.TAPPED, convolutions=1)
    (skip,) = (fifo.depth for fifo in design.fifos if fifo.stream.name == "block_skip")
    assert skip <= 8


def test_too_short_a_tapped_skip_is_a_deadlock() -> None:
    design = block(8, Skips.TAPPED)
    (least,) = predict_least_depths(design).values()
    assert predict(design, 2, {"block_skip": least}).finished
    assert not predict(design, 2, {"block_skip": least - 1}).finished


def layers_apart() -> list[tuple[str, list[Layer]]]:
    """Copies that no window feeds."""
    pad = Pad("pad", ("a",), ("p",), 2, 2, 1, 1, 1, 1)
    window = Window(4, 4, 3, 3, 1, 1)
    conv = Matrix("conv", ("p",), ("y",), window, np.ones((9, 1), int), 2, 0, False, (Cast(WIDE),), 0, 1)
    conv_b = Matrix("conv_b", ("q",), ("z",), window, np.ones((9, 1), int), 2, 0, False, (Cast(WIDE),), 0, 1)
    pad_b = Pad("pad_b", ("b",), ("q",), 2, 2, 1, 1, 1, 1)
    add = Merge("add", ("y", "z"), ("out",), MergeOperation.ADD, FixedPointType(20, 20))
    clone = Clone("clone", ("x",), ("a", "b"))
    return [("both are convolved", [clone, pad, conv, pad_b, conv_b, add]), ("they do not meet", [clone, pad, conv])]


@pytest.mark.parametrize(("why", "layers"), layers_apart())
def test_other_copies_stay(why: str, layers: list[Layer]) -> None:
    words = {"x": 4, "a": 4, "b": 4, "p": 16, "q": 16, "y": 4, "z": 4, "out": 4}
    kinds = {"y": WIDE, "z": WIDE, "out": FixedPointType(20, 20)}
    streams = {name: Stream(name, 1, count, kinds.get(name, KIND), 16) for name, count in words.items()}
    outputs = ("out",) if len(layers) > 3 else ("y", "b")
    network = Network("apart", streams, tuple(layers), ("x",), outputs)
    units = build(network, RtlOptions(skips=Skips.TAPPED))
    assert units[0].layers == ("clone",), why
