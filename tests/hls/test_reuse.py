"""Reuse factors: the nearest that fits, against hls4ml's own rule and against all that there are."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.hls import reuse
from nonresnet_hls.quantization import arithmetic
from nonresnet_hls.recipe import Hls, Strategy
from tests.quantization import nets

LAWS = settings(max_examples=200, deadline=None, derandomize=True)
sizes = st.integers(1, 40)


@LAWS
@given(n_in=sizes, n_out=sizes, factor=st.integers(1, 2000))
def test_what_fits_the_resource_strategy_is_what_hls4ml_takes(n_in: int, n_out: int, factor: int) -> None:
    if factor > n_in * n_out:
        return
    from hls4ml.backends import VivadoBackend

    takes = VivadoBackend._validate_reuse_factor(None, n_in, n_out, factor)
    assert reuse.fits(n_in, n_out, factor, Strategy.RESOURCE) == takes


@LAWS
@given(n_in=sizes, n_out=sizes, target=st.integers(1, 3000), strategy=st.sampled_from(Strategy))
def test_the_nearest_fits_and_none_is_nearer(n_in: int, n_out: int, target: int, strategy: Strategy) -> None:
    best = reuse.nearest(n_in, n_out, target, strategy)
    assert reuse.fits(n_in, n_out, best, strategy)
    for other in range(max(target - abs(best - target), 1), target + abs(best - target) + 1):
        if reuse.fits(n_in, n_out, other, strategy):
            assert (abs(other - target), other) >= (abs(best - target), best)


@LAWS
@given(n_in=sizes, n_out=sizes, strategy=st.sampled_from(Strategy))
def test_one_always_fits_and_too_many_never(n_in: int, n_out: int, strategy: Strategy) -> None:
    assert reuse.fits(n_in, n_out, 1, strategy)
    assert not reuse.fits(n_in, n_out, 0, strategy)
    assert not reuse.fits(n_in, n_out, n_in * n_out + 1, strategy)


@pytest.fixture(scope="module")
def inferred() -> Any:
    return arithmetic.infer(nets.model(nets.bodies()["depthwise multiplier 2"]), nets.SIGNED)


def test_each_layer_gets_its_nearest(inferred: Any) -> None:
    (name,) = (name for name, layer in inferred.layers.items() if layer.kernel is not None)
    (factor,) = reuse.resolve(inferred, Hls(reuse_factor=1000, strategy=Strategy.LATENCY)).values()
    kernel = inferred.layers[name].kernel.mantissas
    assert (factor.layer, factor.target, factor.used) == (name, 1000, math.prod(kernel.shape))


def test_an_explicit_factor_that_does_not_fit_is_refused_with_the_nearest() -> None:
    model = nets.model(nets.bodies()["conv 1x1"])  # 3x3 weights
    own = arithmetic.infer(model, nets.SIGNED)
    (name,) = (name for name, layer in own.layers.items() if layer.kernel is not None)
    fitting = Hls(strategy=Strategy.RESOURCE, reuse_factors={name: 3})
    assert reuse.resolve(own, fitting)[name].used == 3
    with pytest.raises(ConversionError) as error:
        reuse.resolve(own, Hls(strategy=Strategy.RESOURCE, reuse_factors={name: 4}))
    assert str(error.value) == (
        f"layer {name}: reuse factor 4 does not fit 3x3 weights with strategy resource; the nearest that does is 3"
    )


def test_a_factor_for_no_layer_is_refused(inferred: Any) -> None:
    with pytest.raises(ConversionError, match=r"^hls\.reuse_factors\.nowhere: a layer with weights wanted, one of q_"):
        reuse.resolve(inferred, Hls(reuse_factors={"nowhere": 1}))
