"""The exact evaluation against Keras where float32 is exact, and against Python's Fractions everywhere."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow import keras

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointError, FixedPointType
from nonresnet_hls.quantization import arithmetic, exact, reference
from tests.quantization import naive, nets

_REFUSED = ("up-sampling bilinear",)
_TAKEN = [name for name in nets.bodies() if name not in _REFUSED]


def _inputs(own: FixedPointType, shape: tuple[int, ...], samples: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    mantissas = rng.integers(own.min_mantissa, own.max_mantissa, (samples, *shape), endpoint=True)
    mantissas[0], mantissas[1] = own.min_mantissa, own.max_mantissa
    return np.ldexp(mantissas.astype(np.float64), -own.fraction_bits)


def _check(model: Any, own: FixedPointType, seed: int = 0, naively: bool = True) -> None:
    """Every layer three ways; Keras where `infer` says that it is the same."""
    inferred = arithmetic.infer(model, own)
    inputs = _inputs(own, tuple(model.inputs[0].shape[1:]), 4, seed)
    names = [name for name, layer in inferred.layers.items() if layer.node.inputs]
    found = exact.evaluate(inferred, inputs, names)
    for name in names:
        layer = inferred.layers[name]
        mantissas = layer.output.mantissas(found[name])  # refuses what does not fit
        assert (mantissas >= layer.low).all()
        assert (mantissas <= layer.high).all()
    same = [name for name in names if name not in inferred.inexact()]
    if same:
        for name, value in zip(same, reference.computed(model, inputs, same), strict=True):
            assert (value == found[name]).all(), name
    if naively:
        plain = naive.evaluate(model, inputs[2])
        for name in names:
            layer = inferred.layers[name]
            wanted = plain[name]
            if layer.cut is not None:  # of the true quotients ours have the first bits
                assert all(abs(wanted[i] - Fraction(float(found[name][2][i]))) < layer.output.lsb for i in wanted), name
                assert all(abs(wanted[i]) >= abs(Fraction(float(found[name][2][i]))) for i in wanted), name
            else:
                assert {i: Fraction(float(found[name][2][i])) for i in wanted} == wanted, name


@pytest.mark.parametrize("own", [pytest.param(nets.UNSIGNED, marks=pytest.mark.nightly), nets.SIGNED], ids=str)
@pytest.mark.parametrize("name", _TAKEN)
def test_each_layer_kind(name: str, own: FixedPointType) -> None:
    _check(nets.model(nets.bodies()[name]), own, naively=own is nets.SIGNED)


@pytest.mark.parametrize("name", _REFUSED)
def test_what_has_no_fixed_point_twin_is_refused_by_layer(name: str) -> None:
    with pytest.raises(ModelError, match=r"^layer (up_sampling|max_pooling)2d\S*: .* wanted"):
        arithmetic.infer(nets.model(nets.bodies()[name]), nets.SIGNED)


@st.composite
def random_models(draw: st.DrawFn) -> tuple[nets.Tensors, FixedPointType, int]:
    """Chains of convolutions, activations, sums and poolings with random bits."""
    seed = draw(st.integers(0, 2**16))
    own = FixedPointType(draw(st.integers(1, 8)), draw(st.integers(-2, 4)), draw(st.booleans()))
    bits = st.sampled_from([1, 3, 4, 6, 8])
    steps = draw(st.lists(st.sampled_from(["conv", "add", "depthwise", "pool", "norm"]), min_size=1, max_size=3))
    widths = [(draw(bits), draw(st.integers(1, 8)), draw(st.integers(0, 3))) for _ in steps]

    def body(x: Any) -> Any:
        for step, (weights, activation, integer) in zip(steps, widths, strict=True):
            if step == "conv":
                x = nets.conv(2, 3, weights, padding="same")(x)
            elif step == "depthwise":
                x = nets.depthwise(2, weights)(x) if x.shape[1] > 2 else x
            elif step == "add":
                x = keras.layers.Add()([nets.conv(x.shape[-1], 1, weights)(x), x])
            elif step == "norm":
                x = nets.batch_norm()(x)
            elif x.shape[1] > 1:
                x = keras.layers.AveragePooling2D(2)(x)
            x = nets.relu(activation, integer)(x)
        return nets.dense(3)(keras.layers.GlobalMaxPooling2D()(x))

    return body, own, seed


@settings(max_examples=4, deadline=None, derandomize=True)
@given(made=random_models())
def test_random_models(made: tuple[nets.Tensors, FixedPointType, int]) -> None:
    body, own, seed = made
    _check(nets.model(body, (4, 4, 2), seed), own, seed)


@pytest.mark.nightly
@settings(max_examples=300, deadline=None, derandomize=True)
@given(made=random_models())
def test_many_random_models(made: tuple[nets.Tensors, FixedPointType, int]) -> None:
    body, own, seed = made
    _check(nets.model(body, (4, 4, 2), seed), own, seed)


def _wide(x: Any) -> Any:
    for _ in range(3):
        x = nets.conv(2, 2, 16, bias=True, padding="same")(x)
    return nets.relu(16, 10)(x)


def _wide_dense(x: Any) -> Any:
    x = nets.dense(3, 16)(keras.layers.Flatten()(x))
    x = nets.batch_norm()(nets.dense(3, 16, bias=False)(x))
    return nets.linear(16, 6)(keras.layers.Add()([nets.dense(3, 12)(x), x]))


@pytest.mark.parametrize("body", [_wide, _wide_dense])
@pytest.mark.parametrize("own", [FixedPointType(12, 1), FixedPointType(11, 0, signed=False)], ids=str)
def test_sums_beyond_float64(body: nets.Tensors, own: FixedPointType) -> None:
    model = nets.model(body, (3, 3, 2))
    inferred = arithmetic.infer(model, own)
    assert max(layer.float_bits for layer in inferred.layers.values()) > 53
    last = model.layers[-1].name
    inputs = _inputs(own, (3, 3, 2), 6, 1)
    found = exact.evaluate(inferred, inputs, [last])[last]
    for sample, value in zip(inputs, found, strict=True):
        plain = naive.evaluate(model, sample)[last]
        assert {i: Fraction(float(value[i])) for i in plain} == plain


def test_values_that_float64_cannot_hold_are_refused_by_layer() -> None:
    model = nets.model(_wide, (3, 3, 2))
    inferred = arithmetic.infer(model, FixedPointType(12, 1))
    wide = next(name for name, layer in inferred.layers.items() if layer.output.width > 53)
    with pytest.raises(ModelError, match=f"^layer {wide}: .* does not fit into float64"):
        exact.evaluate(inferred, np.zeros((1, 3, 3, 2)), [wide])


def test_inputs_off_their_grid_are_refused() -> None:
    inferred = arithmetic.infer(nets.model(nets.bodies()["conv same"]), nets.UNSIGNED)
    with pytest.raises(FixedPointError, match="values do not fit"):
        exact.evaluate(inferred, np.full((1, 6, 6, 3), 0.3), ["x"])


mantissas = st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=20)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(batch=mantissas, fraction_bits=st.integers(-5, 40), width=st.integers(1, 20), integer=st.integers(-5, 20))
def test_requantization_of_floats_and_integers(batch: list[int], fraction_bits: int, width: int, integer: int) -> None:
    from nonresnet_hls.fixed.types import Overflow, Rounding

    target = FixedPointType(width, integer, True, Rounding.RND_CONV, Overflow.SAT)
    wanted = [target.quantize(m * Fraction(2) ** -fraction_bits) / target.lsb for m in batch]
    for form in (np.array(batch, np.float64), np.array(batch, object)):
        assert [Fraction(v) for v in exact.requantize(form, fraction_bits, target).tolist()] == wanted
