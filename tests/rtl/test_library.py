"""Every module of the library in a design of its own, against a plain evaluation in Python integers.

One design holds them all side by side, so that one simulator is built.
"""

import itertools
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nonresnet_hls.fixed.arithmetic import Affine, Cast, Positive, Wire, cast, evaluate
from nonresnet_hls.fixed.network import (
    Clone,
    Elementwise,
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
from nonresnet_hls.fixed.types import FixedPointType, Rounding
from nonresnet_hls.rtl import Multipliers, RtlDesign, RtlOptions, Stalls, simulation
from nonresnet_hls.rtl.design import assemble
from nonresnet_hls.rtl.simulation import Simulation, Simulator, compile_simulator, verilator_command
from nonresnet_hls.rtl.units import build
from nonresnet_hls.rtl.yosys import run_yosys
from tests.rtl import nets

IMAGES = 3


@dataclass
class Bench:
    """Layers without a connection between them, and what each must give."""

    streams: dict[str, Stream]
    layers: list[Layer]
    inputs: dict[str, np.ndarray]
    expected: dict[str, np.ndarray]
    rng: np.random.Generator

    def feed(self, name: str, channels: int, words: int, kind: FixedPointType) -> np.ndarray:
        """An input stream of random numbers, the extremes among them; mantissas, images x words x channels."""
        shape = (IMAGES, words, channels)
        data = self.rng.integers(kind.min_mantissa, kind.max_mantissa, shape, endpoint=True)
        data[0, 0], data[-1, -1] = kind.max_mantissa, kind.min_mantissa
        self.streams[name] = Stream(name, channels, words, kind, 1)
        self.inputs[name] = data.astype(object)
        return self.inputs[name]

    def expect(self, name: str, kind: FixedPointType, data: np.ndarray) -> None:
        """An output stream; mantissas, images x words x channels."""
        self.streams[name] = Stream(name, data.shape[2], data.shape[1], kind, 1)
        self.expected[name] = data


def chained(chain, data: np.ndarray, kind: FixedPointType) -> np.ndarray:
    """A chain on every channel."""
    out = np.empty_like(data)
    for channel in range(data.shape[2]):
        out[:, :, channel] = evaluate(chain, data[:, :, channel], Wire.of(kind), channel)
    return out


def fixed(text: str) -> FixedPointType:
    return FixedPointType.parse(text)


def add_casts(bench: Bench) -> None:
    """Casts between many types, with every rounding and overflow; a few of them as scale, bias and relu too."""
    kinds = [fixed(text) for text in ("fixed<7,3>", "ufixed<6,2>", "fixed<9,12>", "fixed<4,-1>", "ufixed<1,1>")]
    modes = itertools.cycle(itertools.product(nets.ROUNDINGS, nets.OVERFLOWS))
    shapes = [(3, 2, True), (4, 4, False), (12, 6, True), (2, -3, True), (5, 9, False), (1, 1, False), (8, 1, True)]
    for i, (kind, (width, integer, signed)) in enumerate(itertools.product(kinds, shapes)):
        for j in range(2):
            rounding, overflow = next(modes)
            result = FixedPointType(width, integer, signed=signed, rounding=rounding, overflow=overflow)
            scale = tuple(int(v) for v in bench.rng.integers(-20, 20, 5))
            bias = tuple(int(v) for v in bench.rng.integers(-40, 40, 5))
            chain = ((Cast(result),), (Affine(scale, 3, bias, 4), Positive(), Cast(result)))[j]
            data = bench.feed(f"cast{i}_{j}", 5, 40, kind)
            bench.layers.append(Elementwise(f"cast{i}_{j}", (f"cast{i}_{j}",), (f"cast{i}_{j}_out",), chain))
            bench.expect(f"cast{i}_{j}_out", result, chained(chain, data, kind))


def windows(data: np.ndarray, window: Window) -> np.ndarray:
    """Images x positions x (pixels of the window, then channels)."""
    images = data.reshape(len(data), window.height, window.width, -1)
    found = []
    for top in range(0, window.height - window.kernel_height + 1, window.stride_height):
        for left in range(0, window.width - window.kernel_width + 1, window.stride_width):
            part = images[:, top : top + window.kernel_height, left : left + window.kernel_width]
            found.append(part.reshape(len(data), -1))
    return np.stack(found, axis=1)


def add_matrices(bench: Bench) -> None:
    """Convolutions and dense layers as adder graph and folded, with odd folds, signs, one-bit weights, cut products."""
    cases = [
        # window, channels, outputs, input, weight bits (0: +-1), reuse factor, cut bits
        (Window(5, 6, 3, 3, 1, 1), 2, 3, "ufixed<3,3>", 4, 1, 0),
        (Window(6, 5, 3, 3, 2, 2), 2, 3, "fixed<4,2>", 0, 1, 0),
        (Window(5, 5, 2, 3, 2, 1), 2, 4, "fixed<5,2>", 5, 4, 0),
        (Window(5, 5, 3, 3, 1, 1), 1, 5, "ufixed<4,2>", 6, 27, 0),
        (Window(4, 4, 1, 1, 2, 2), 3, 4, "fixed<6,3>", 3, 2, 2),
        (Window(1, 9, 1, 4, 1, 3), 2, 2, "ufixed<2,1>", 0, 3, 0),
        (Window(1, 4, 1, 1, 1, 1), 3, 7, "fixed<4,4>", 4, 6, 3),
        (None, 4, 3, "fixed<6,3>", 5, 8, 0),
        (None, 4, 3, "ufixed<2,2>", 2, 1, 0),
        (None, 3, 2, "ufixed<4,2>", 7, 1, 4),
        (Window(70, 3, 2, 2, 1, 1), 1, 1, "ufixed<3,3>", 3, 2, 0),
    ]
    for i, (window, channels, outputs, text, bits, reuse, cut) in enumerate(cases):
        kind = fixed(text)
        words = 2 if window is None else window.height * window.width
        data = bench.feed(f"matrix{i}", channels, words, kind)
        vectors = data.reshape(IMAGES, 1, -1) if window is None else windows(data, window)
        inputs = vectors.shape[2]
        if bits:
            kernel = bench.rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), (inputs, outputs))
            kernel[0, :], kernel[:, 0] = 0, 0
        else:
            kernel = bench.rng.choice([-1, 1], (inputs, outputs))
        fraction = kind.fraction_bits + (bits and 2)
        products = vectors[:, :, :, None] * kernel.astype(object)[None, None] >> cut
        sums = products.sum(axis=2)
        result = FixedPointType(12, 12 - fraction + cut)
        name = f"matrix{i}"
        layer = Matrix(
            name,
            (name,),
            (f"{name}_out",),
            window,
            kernel,
            bits or 1,
            bits and 2,
            bits == 0,
            (Cast(result),),
            cut,
            reuse,
        )
        bench.layers.append(layer)
        bench.expect(f"{name}_out", result, cast(sums, fraction - cut, result))


def add_padded(bench: Bench) -> None:
    """Windows that take zeros over: shared by rows and images, with strides, uneven sides and images of a pixel."""
    cases = [
        # rows, columns, top, bottom, left, right, kernel, strides, reuse factor
        ((4, 5), (1, 1, 1, 1), (3, 3), (1, 1), 1),
        ((4, 4), (0, 1, 0, 1), (3, 3), (2, 2), 3),
        ((3, 4), (1, 2, 2, 1), (4, 4), (1, 1), 1),
        ((5, 3), (2, 2, 2, 2), (5, 5), (2, 1), 1),
        ((1, 1), (1, 1, 1, 1), (3, 3), (1, 1), 2),
        ((1, 6), (0, 0, 2, 0), (1, 3), (1, 1), 1),
        ((6, 2), (1, 0, 0, 0), (2, 1), (1, 1), 1),
        ((1, 3), (2, 2, 2, 2), (5, 5), (1, 1), 1),
        ((6, 5), (2, 2, 2, 2), (5, 5), (2, 1), 1),
        ((4, 4), (0, 0, 3, 0), (1, 4), (1, 2), 1),
    ]
    kind = fixed("fixed<4,2>")
    for i, ((height, width), sides, kernel_size, strides, reuse) in enumerate(cases):
        top, bottom, left, right = sides
        window = Window(height + top + bottom, width + left + right, *kernel_size, *strides)
        data = bench.feed(f"padded{i}", 2, height * width, kind)
        images = np.pad(data.reshape(IMAGES, height, width, 2), ((0, 0), (top, bottom), (left, right), (0, 0)))
        vectors = windows(images.reshape(IMAGES, -1, 2), window)
        kernel = bench.rng.integers(-4, 4, (vectors.shape[2], 3))
        result = FixedPointType(12, 10)
        name = f"padded{i}"
        bench.streams[f"{name}_zeros"] = Stream(f"{name}_zeros", 2, window.height * window.width, kind, 1)
        bench.layers.append(Pad(f"{name}_pad", (name,), (f"{name}_zeros",), height, width, *sides))
        inputs, outputs = (f"{name}_zeros",), (f"{name}_out",)
        bench.layers.append(Matrix(name, inputs, outputs, window, kernel, 3, 0, False, (Cast(result),), 0, reuse))
        sums = (vectors[:, :, :, None] * kernel.astype(object)[None, None]).sum(axis=2)
        bench.expect(f"{name}_out", result, cast(sums, 2, result))


def add_joined(bench: Bench) -> None:
    """Sums of products that meet another stream: exact, and by thresholds that a stream of few values chooses."""
    rng = bench.rng
    cases = [
        # operation, side of the sums, type of the other stream, result, relu, reuse factor, scale
        (MergeOperation.ADD, 0, "ufixed<2,2>", "ufixed<2,3,RND_CONV,SAT>", True, 1, 3),
        (MergeOperation.ADD, 1, "fixed<2,3>", "ufixed<2,4,TRN,SAT>", True, 3, 5),
        (MergeOperation.SUBTRACT, 1, "ufixed<1,2>", "fixed<2,4,RND,SAT>", False, 1, -3),
        (MergeOperation.SUBTRACT, 0, "fixed<3,1>", "ufixed<1,4,TRN,SAT>", True, 1, 0),
        (MergeOperation.AVERAGE, 0, "ufixed<2,1>", "ufixed<2,4,RND,SAT>", True, 1, 7),
        (MergeOperation.ADD, 0, "ufixed<2,2>", "fixed<2,4>", False, 1, 1),
        (MergeOperation.ADD, 1, "fixed<6,3>", "fixed<7,4,RND,SAT>", False, 1, 11),
        (MergeOperation.MAXIMUM, 0, "fixed<10,5>", "fixed<8,5,RND,SAT>", False, 4, 1),
        (MergeOperation.MULTIPLY, 0, "fixed<3,2>", "fixed<9,6>", False, 1, 1),
    ]
    for i, (operation, side, text, to, relu, reuse, scale) in enumerate(cases):
        name, kind, other_kind, result = f"join{i}", fixed("ufixed<3,3>"), fixed(text), fixed(to)
        data = bench.feed(name, 3, 12, kind)
        other = bench.feed(f"{name}_other", 4, 12, other_kind)
        kernel = rng.integers(-2, 3, (3, 4))
        own_kind = fixed("fixed<10,5>") if operation is MergeOperation.MAXIMUM else FixedPointType(14, 12)
        bias = tuple(int(one) for one in rng.integers(-9, 9, 4))
        chain = (Affine((scale,), 1, bias, 2), Cast(own_kind))
        if operation is MergeOperation.MAXIMUM:
            other_kind = own_kind
        sums = (data[:, :, :, None] * kernel.astype(object)[None, None]).sum(axis=2)
        wide = FixedPointType(40, 38)
        own = np.empty_like(sums)
        for channel in range(4):
            own[:, :, channel] = evaluate(chain, sums[:, :, channel] << 2, Wire.of(wide), channel)
        middle = FixedPointType(30, 20)
        shift = middle.fraction_bits
        a, b = own << shift - own_kind.fraction_bits, other << shift - other_kind.fraction_bits
        first, second = (a, b) if side == 0 else (b, a)
        fraction = shift
        match operation:
            case MergeOperation.ADD:
                values = first + second
            case MergeOperation.SUBTRACT:
                values = first - second
            case MergeOperation.AVERAGE:
                values, fraction = first + second, shift + 1
            case MergeOperation.MAXIMUM:
                values = np.maximum(first, second)
            case _:
                values, fraction = first * second, 2 * shift
        merged = FixedPointType(24, 14)
        values = cast(values, fraction, merged)
        tail = (Positive(), Cast(result)) if relu else (Cast(result),)
        for stream, of in ((f"{name}_sums", own_kind), (f"{name}_merged", merged)):
            bench.streams[stream] = Stream(stream, 4, 12, of, 1)
        pair = (f"{name}_sums", f"{name}_other") if side == 0 else (f"{name}_other", f"{name}_sums")
        window = Window(3, 4, 1, 1, 1, 1)
        bench.layers += [
            Matrix(name, (name,), (f"{name}_sums",), window, kernel, 3, 0, False, chain, 0, reuse),
            Merge(f"{name}_merge", pair, (f"{name}_merged",), operation, merged),
            Elementwise(f"{name}_tail", (f"{name}_merged",), (f"{name}_out",), tail),
        ]
        bench.expect(f"{name}_out", result, chained(tail, values, merged))


def add_pools(bench: Bench) -> None:
    """Pooling of both kinds, over windows and whole images, with divisors that are and are not powers of two."""
    cases = [
        (Window(4, 6, 2, 2, 2, 2), "fixed<5,3>"),
        (Window(6, 6, 3, 3, 3, 3), "ufixed<4,2>"),
        (Window(1, 8, 1, 2, 1, 2), "fixed<4,4>"),
        (None, "fixed<6,2>"),
        (None, "ufixed<3,1>"),
    ]
    for i, ((window, text), reduction) in enumerate(itertools.product(cases, Reduction)):
        kind = fixed(text)
        words = (12, 16)[i % 2] if window is None else window.height * window.width
        data = bench.feed(f"pool{i}", 3, words, kind)
        accumulator = FixedPointType(kind.width + 7, kind.integer_bits + 4)
        result = FixedPointType(kind.width + 1, kind.integer_bits, rounding=Rounding.RND)
        divisor = words if window is None else window.kernel_height * window.kernel_width
        groups = data[:, None] if window is None else windows(data, window).reshape(IMAGES, -1, divisor, 3)
        shift = accumulator.fraction_bits - kind.fraction_bits
        if reduction is Reduction.MAXIMUM:
            values = groups.max(axis=2) << shift
        else:
            totals = groups.sum(axis=2) << shift
            values = np.where(totals < 0, -(-totals // divisor), totals // divisor)
        name = f"pool{i}"
        bench.layers.append(Pool(name, (name,), (f"{name}_out",), window, reduction, divisor, accumulator, result))
        bench.expect(f"{name}_out", result, cast(values, accumulator.fraction_bits, result))


def add_others(bench: Bench) -> None:
    """Padding, merges, and copies through FIFOs of every style."""
    kind = fixed("ufixed<3,3>")
    for i, (top, bottom, left, right) in enumerate([(1, 1, 1, 1), (0, 2, 1, 0), (2, 0, 0, 0), (0, 0, 0, 3)]):
        data = bench.feed(f"pad{i}", 2, 12, kind)
        bench.layers.append(Pad(f"pad{i}", (f"pad{i}",), (f"pad{i}_out",), 3, 4, top, bottom, left, right))
        images = np.pad(data.reshape(IMAGES, 3, 4, 2), ((0, 0), (top, bottom), (left, right), (0, 0)))
        bench.expect(f"pad{i}_out", kind, images.reshape(IMAGES, -1, 2))
    left_kind, right_kind = fixed("fixed<5,2>"), fixed("ufixed<6,3>")
    for operation in MergeOperation:
        same = operation in (MergeOperation.MAXIMUM, MergeOperation.MINIMUM)
        a = bench.feed(f"{operation}_a", 3, 20, left_kind)
        b = bench.feed(f"{operation}_b", 3, 20, left_kind if same else right_kind)
        fraction = 3
        match operation:
            case MergeOperation.ADD:
                values = a + b
            case MergeOperation.SUBTRACT:
                values = a - b
            case MergeOperation.MULTIPLY:
                values, fraction = a * b, 6
            case MergeOperation.MAXIMUM:
                values = np.maximum(a, b)
            case MergeOperation.MINIMUM:
                values = np.minimum(a, b)
            case MergeOperation.AVERAGE:
                values, fraction = a + b, 4
            case MergeOperation.CONCATENATE:
                values = np.concatenate([a, b], axis=2)
        result = fixed("fixed<7,3,RND,SAT>")
        name = f"merge_{operation}"
        bench.layers.append(Merge(name, (f"{operation}_a", f"{operation}_b"), (f"{name}_out",), operation, result))
        bench.expect(f"{name}_out", result, cast(values, fraction, result))


FIFO_DEPTHS = (1, 2, 3, 16, 17, 64, 65, 80)


def add_fifos(bench: Bench) -> None:
    """A copy of a wide stream through a FIFO of each depth: registers, shift registers, both kinds of memory."""
    kind = fixed("fixed<20,20>")
    same = (Cast(kind),)
    for depth in FIFO_DEPTHS:
        data = bench.feed(f"fifo{depth}", 1, 200, kind)
        bench.streams[f"fifo{depth}_a"] = Stream(f"fifo{depth}_a", 1, 200, kind, depth)
        bench.streams[f"fifo{depth}_b"] = Stream(f"fifo{depth}_b", 1, 200, kind, depth)
        bench.layers.append(Clone(f"fifo{depth}", (f"fifo{depth}",), (f"fifo{depth}_a", f"fifo{depth}_b")))
        for branch in "ab":
            source, target = f"fifo{depth}_{branch}", f"fifo{depth}_{branch}_out"
            bench.layers.append(Elementwise(source, (source,), (target,), same))
            bench.expect(target, kind, data)


def every_third(bench: Bench) -> Bench:
    """Every third of the groups of layers that are connected, which is some of each module."""
    group = {name: name for name in bench.streams}
    for layer in bench.layers:
        first, *others = (group[name] for name in (*layer.inputs, *layer.outputs))
        group = {name: first if own in others else own for name, own in group.items()}
    kept = set(list(dict.fromkeys(group[layer.inputs[0]] for layer in bench.layers))[::3])

    def some(values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if group[name] in kept}

    layers = [layer for layer in bench.layers if group[layer.inputs[0]] in kept]
    assert {type(layer) for layer in layers} == {type(layer) for layer in bench.layers}
    return Bench(some(bench.streams), layers, some(bench.inputs), some(bench.expected), bench.rng)


@pytest.fixture(scope="module", params=["some", pytest.param("all", marks=pytest.mark.nightly)])
def bench(request: pytest.FixtureRequest) -> Bench:
    bench = Bench({}, [], {}, {}, np.random.default_rng(7))
    for add in (add_casts, add_matrices, add_padded, add_joined, add_pools, add_others, add_fifos):
        add(bench)
    return bench if request.param == "all" else every_third(bench)


@pytest.fixture(scope="module")
def design(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> RtlDesign:
    network = Network("bench", bench.streams, tuple(bench.layers), tuple(bench.inputs), tuple(bench.expected))
    parts = build(network, RtlOptions(multipliers=Multipliers.LUT))
    return assemble(network, parts).write(tmp_path_factory.mktemp("bench") / "rtl")


@pytest.fixture(scope="module")
def simulator(design: RtlDesign) -> Simulator:
    assert design.directory is not None
    return compile_simulator(design, design.directory.parent / "simulation")


@pytest.mark.parametrize("other", ["program", pytest.param("library", marks=pytest.mark.nightly)])
def test_a_simulator_of_other_sources_is_built_anew(
    other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = fixed("fixed<4,4>")
    small = Bench({}, [], {}, {}, np.random.default_rng(7))
    small.expect("y", kind, small.feed("x", 1, 4, kind))
    small.layers.append(Elementwise("copy", ("x",), ("y",), (Cast(kind),)))
    network = Network("small", small.streams, tuple(small.layers), ("x",), ("y",))
    design = assemble(network, build(network, RtlOptions())).write(tmp_path / "rtl")
    folder = tmp_path / "simulation"
    check(small, compile_simulator(design, folder).run(given(small)))
    before = (folder / "harness").stat().st_mtime_ns
    compile_simulator(design, folder)
    assert (folder / "harness").stat().st_mtime_ns == before
    if other == "program":  # that somebody put there: it is not run
        (folder / "harness").write_text("#!/bin/sh\n")
    else:
        monkeypatch.setattr(simulation, "library", lambda: {"newer.sv": "// another version's"})
    compile_simulator(design, folder)
    assert (folder / "harness").stat().st_size > 1000
    assert (folder / "harness").stat().st_mtime_ns > before


def given(bench: Bench) -> dict[str, np.ndarray]:
    return {
        name: np.ldexp(data.astype(np.float64), -bench.streams[name].kind.fraction_bits)
        for name, data in bench.inputs.items()
    }


def check(bench: Bench, run: Simulation) -> None:
    assert run.finished
    for name, data in bench.expected.items():
        wanted = np.ldexp(data.astype(np.float64), -bench.streams[name].kind.fraction_bits)
        assert run.outputs[name].shape == wanted.shape, name
        different = np.argwhere(run.outputs[name] != wanted)
        assert len(different) == 0, f"{name}: {len(different)} differ, the first at {different[0]}"


@pytest.mark.parametrize("stalls", [None, Stalls(40, 3), Stalls(80, 4)], ids=["free", "stalled", "starved"])
def test_every_module_gives_what_its_contract_says(bench: Bench, simulator: Simulator, stalls: Stalls | None) -> None:
    run = simulator.run(given(bench), stalls)
    check(bench, run)
    for use in run.fifos:
        assert 1 <= use.high_water <= use.depth
        # Zeros before an image are given without waiting for it; nothing else is left.
        assert use.level == {"pad0_out": 2, "pad1_out": 1, "pad2_out": 2}.get(use.stream, 0), use.stream


@pytest.mark.nightly
def test_yosys_reads_the_design_as_verilator_does(bench: Bench, design: RtlDesign, tmp_path: Path) -> None:
    assert design.directory is not None
    work, netlist = tmp_path / "yosys", tmp_path / "netlist"
    work.mkdir()
    netlist.mkdir()
    sources = " ".join(str(path) for path in sorted(design.directory.rglob("*.sv")))
    written = f"write_verilog -noattr {netlist / 'design.sv'}"
    run_yosys([f"read_verilog -sv {sources}", f"prep -top {design.top} -flatten", "memory_map", written], work)
    run = compile_simulator(replace(design, directory=netlist), tmp_path / "simulation").run(
        given(bench), Stalls(40, 3)
    )
    check(bench, run)


def test_a_stalled_sink_fills_every_fifo_to_its_depth_and_no_further(bench: Bench, simulator: Simulator) -> None:
    # So many that units of few words are full, too.
    values = {name: np.zeros((8 * IMAGES, *data.shape[1:])) for name, data in bench.inputs.items()}
    run = simulator.run(values, Stalls(95, 5, source_percent=0))
    assert run.finished
    small = [use for use in run.fifos if use.depth <= 17]
    assert small
    assert all(use.high_water == use.depth for use in small)


def test_library_and_netlist_pass_lint_without_a_warning(design: RtlDesign) -> None:
    assert design.directory is not None
    sources = [str(path) for path in sorted(design.directory.rglob("*.sv"))]
    command = [*verilator_command(), "--lint-only", "-Wall", "--quiet", "--top-module", design.top, *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    assert "%Warning" not in done.stderr + done.stdout


def test_icarus_reads_library_and_netlist_without_a_warning(design: RtlDesign, tmp_path: Path) -> None:
    program = shutil.which("iverilog")
    if program is None:
        pytest.skip("no iverilog on PATH")
    assert design.directory is not None
    sources = [str(path) for path in sorted(design.directory.rglob("*.sv"))]
    tops = [path.stem for path in sorted((design.directory / "library").glob("*.sv"))]
    for top in (*tops, design.top):
        command = [program, "-g2012", "-Wall", "-s", top, "-o", str(tmp_path / "read.vvp"), *sources]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), top


def test_every_module_states_its_contract(design: RtlDesign) -> None:
    assert design.directory is not None
    library: list[Path] = sorted((design.directory / "library").glob("*.sv"))
    assert len(library) >= 15
    for path in library:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("// "), path.name
