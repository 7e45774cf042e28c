"""Two products in one DSP block: beside a plain evaluation, and the blocks that it takes."""

from pathlib import Path

import numpy as np
import pytest

from nonresnet_hls.fixed.arithmetic import Cast
from nonresnet_hls.fixed.network import Matrix, Network
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.rtl import Multipliers, RtlDesign, RtlOptions, Stalls, synthesise
from nonresnet_hls.rtl.design import assemble
from nonresnet_hls.rtl.flow import check_predicted
from nonresnet_hls.rtl.prediction import predict
from nonresnet_hls.rtl.simulation import Simulator, compile_simulator
from nonresnet_hls.rtl.units import build
from tests.rtl.test_library import IMAGES, Bench, check, given

CASES = (
    # input, weight bits, inputs, outputs, reuse factor, cut bits
    ("ufixed<8,8>", 8, 6, 6, 3, 0),
    ("fixed<8,8>", 8, 4, 5, 2, 0),
    ("ufixed<8,8>", 8, 5, 3, 4, 6),
    ("fixed<6,6>", 5, 4, 4, 8, 0),
    ("fixed<5,5>", 9, 3, 7, 3, 2),
    ("fixed<9,9>", 8, 4, 4, 2, 0),
)
"""All but the last fit 25 bits: 9 + 2 * 8 + 1 are 26."""


@pytest.fixture(scope="module")
def bench() -> Bench:
    bench = Bench({}, [], {}, {}, np.random.default_rng(5))
    for i, (text, bits, inputs, outputs, reuse, cut) in enumerate(CASES):
        kind, name = FixedPointType.parse(text), f"matrix{i}"
        data = bench.feed(name, inputs, 1, kind)
        data[0], data[1] = kind.max_mantissa, kind.min_mantissa
        kernel = bench.rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), (inputs, outputs))
        kernel[0], kernel[1, ::2] = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        result = FixedPointType(24, 24)
        layer = Matrix(name, (name,), (f"{name}_out",), None, kernel, bits, 0, False, (Cast(result),), cut, reuse)
        bench.layers.append(layer)
        products = data.reshape(IMAGES, inputs, 1) * kernel.astype(object)[None] >> cut
        bench.expect(f"{name}_out", result, products.sum(axis=1)[:, None] << cut)
    return bench


def design_of(bench: Bench, multipliers: Multipliers) -> RtlDesign:
    network = Network("packed", bench.streams, tuple(bench.layers), tuple(bench.inputs), tuple(bench.expected))
    return assemble(network, build(network, RtlOptions(multipliers=multipliers)))


@pytest.fixture(scope="module")
def simulator(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Simulator:
    folder = tmp_path_factory.mktemp("packed")
    return compile_simulator(design_of(bench, Multipliers.PACKED).write(folder / "rtl"), folder / "build")


@pytest.mark.parametrize("stalls", [None, Stalls(60, 3)])
def test_packed_products_are_exact(bench: Bench, simulator: Simulator, stalls: Stalls | None) -> None:
    check(bench, simulator.run(given(bench), stalls))


def test_packed_products_run_as_predicted(bench: Bench, simulator: Simulator) -> None:
    check_predicted(simulator.run(given(bench)), predict(simulator.design, IMAGES), "packed")


@pytest.mark.nightly
def test_two_products_take_one_dsp_block(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NONRESNET_CACHE", str(tmp_path))
    few = Bench(
        bench.streams,
        bench.layers[:1],
        {"matrix0": bench.inputs["matrix0"]},
        {"matrix0_out": bench.expected["matrix0_out"]},
        bench.rng,
    )
    packed, single = (synthesise(design_of(few, one)).total.dsp for one in (Multipliers.PACKED, Multipliers.AUTO))
    # 6 rows of 2 columns in each of 3 folds.
    assert (packed, single) == (6, 12)
