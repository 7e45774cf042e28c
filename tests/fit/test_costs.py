"""The cost model: its rules at their edges, and against what the vendor's tools reported."""

import statistics
from collections.abc import Sequence

import pytest

from benchmarks import costs as bench
from nonresnet_hls.dataflow import Toolchain
from nonresnet_hls.dataflow.cpp_source import Config
from nonresnet_hls.fit import costs
from nonresnet_hls.fit.costs import Kernel, Range

needs_reports = pytest.mark.skipif(not bench.REPORTS.is_dir(), reason="no real reports beside the repository")


def convolution(
    reuse: int, weight_bits: int = 8, read_bits: int = 8, strategy: str = "resource", **more: object
) -> Kernel:
    constants = {"filt_height": 3, "filt_width": 3, "n_chan": 16, "n_filt": 32, "in_width": 34, "reuse_factor": reuse}
    texts = {key: str(value) for key, value in constants.items()} | {"strategy": f"nnet::{strategy}"}
    return Kernel(
        "conv_2d_cl", Toolchain.VITIS_HLS, Config("c", texts, {}), 16, read_bits, 32, 20, weight_bits, 20, **more
    )  # type: ignore[arg-type]


def test_narrow_products_that_are_added_in_pairs_take_half_the_dsps() -> None:
    assert convolution(72).multipliers == 64
    assert costs.dsp(convolution(72)) == 32
    assert costs.dsp(convolution(144)) == 32  # one product a sum: nothing to pair
    assert costs.dsp(convolution(72, weight_bits=16, read_bits=16)) == 64
    assert costs.dsp(convolution(72, weight_bits=32, read_bits=32)) == 256
    assert costs.dsp(convolution(72, weight_bits=32, read_bits=32, spare_bits=15)) == 254
    assert costs.dsp(convolution(72, weight_bits=1)) == 0


def test_dsps_of_constants_are_called_a_bound() -> None:
    assert not costs.dsp_is_bound(convolution(72))
    assert costs.dsp_is_bound(convolution(1))
    assert costs.dsp_is_bound(convolution(72, strategy="latency"))
    assert costs.bram_18k(convolution(1)) == costs.bram_18k(convolution(72, strategy="latency")) == 0
    assert costs.bram_18k(convolution(72)) == 15


def test_more_multipliers_take_more_of_everything_but_words() -> None:
    before = costs.cost(convolution(144))
    for reuse in (72, 48, 36):
        after = costs.cost(convolution(reuse))
        assert after.dsp >= before.dsp
        assert after.lut.median > before.lut.median
        before = after


def test_ranges_hold_their_median_and_add_up() -> None:
    for kernel in (convolution(72), convolution(72, strategy="latency"), convolution(72, rounds=True)):
        cost = costs.cost(kernel)
        for figure, name in ((cost.lut, "lut"), (cost.ff, "ff")):
            after = costs.logic_synthesis(kernel.kind, name).of(figure)
            assert figure.low <= figure.median <= figure.high
            assert 0 < after.low <= after.median <= after.high
    assert Range(1, 0, 2) + Range(3, 2, 9) == Range(4, 2, 11)


def test_a_layer_of_a_kind_that_no_report_has_is_told() -> None:
    config = Config("c", {"n_in": "64"}, {})
    assert not costs.cost(Kernel("transpose", Toolchain.VIVADO_HLS, config, 4, 8, 4, 8)).calibrated
    assert costs.cost(Kernel("relu", Toolchain.VIVADO_HLS, config, 4, 8, 4, 8)).calibrated


@needs_reports
def test_dsp_and_bram_of_the_resource_strategy_are_those_of_the_reports() -> None:
    modules = list(bench.modules(bench.REPORTS))
    resource, bounded = bench.exact(modules)
    assert len(resource) >= 30
    assert len({module.repository for module in resource}) >= 4
    assert all(costs.dsp(m.kernel) == m.actual["dsp"] for m in resource)
    same = sum(costs.bram_18k(m.kernel) == m.actual["bram_18k"] for m in resource)
    assert same / len(resource) >= 0.9
    assert len(bounded) >= 40
    assert all(m.actual["dsp"] <= costs.dsp(m.kernel) for m in bounded)


def median(predictions: Sequence[bench.Prediction]) -> float:
    return statistics.median(one.error for one in predictions)


@needs_reports
@pytest.mark.nightly
def test_lut_and_ff_of_held_out_repositories() -> None:
    modules = [module for module in bench.modules(bench.REPORTS) if not module.older]
    kinds = {"convolution, resource", "convolution, latency"}
    found = bench.held_out([module for module in modules if module.kind in kinds])
    for kind in kinds:
        for figure in bench.FIGURES:
            ones = [one for one in found if one.module.kind == kind and one.figure == figure]
            assert len(ones) >= bench.FEWEST
            assert median(ones) <= 0.25, (kind, figure)
    # Nothing is predicted from its own repository.
    assert {one.module.repository for one in found} == {m.repository for m in modules if m.kind in kinds}


@needs_reports
def test_the_coefficients_are_those_that_the_reports_give() -> None:
    modules = [module for module in bench.modules(bench.REPORTS) if not module.older]
    text = costs.__file__.replace("costs.py", "coefficients.toml")
    with open(text, encoding="utf-8") as file:  # noqa: PTH123
        committed = file.read()
    (_, resource) = committed.split('[kinds."convolution, resource".Vivado.lut]\n', 1)
    chosen = [m for m in modules if m.kind == "convolution, resource" and m.kernel.toolchain is Toolchain.VIVADO_HLS]
    said = dict(line.split(" = ") for line in resource.split("\n\n", 1)[0].splitlines() if not line.startswith("#"))
    assert {k: float(v) for k, v in said.items() if k not in ("low", "high")} == bench.fit(chosen, "lut")
