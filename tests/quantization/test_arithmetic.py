"""Types inferred: bounds hold and are reached, and what cannot be exact is refused by layer."""

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import qkeras
from hypothesis import given
from hypothesis import strategies as st
from tensorflow import keras

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointError, FixedPointType
from nonresnet_hls.quantization import arithmetic, exact, ranges, reference
from nonresnet_hls.quantization.quantize import finish
from tests.quantization import nets

layers = keras.layers


@pytest.mark.parametrize("own", [FixedPointType(3, 1), FixedPointType(3, 1, signed=False)], ids=str)
def test_bounds_of_a_sum_are_reached_by_some_input(own: FixedPointType) -> None:
    model = nets.model(nets.chain(nets.conv(3, 1), nets.batch_norm()), (1, 1, 3))
    inferred = arithmetic.infer(model, own)
    grid = [m * float(own.lsb) for m in range(own.min_mantissa, own.max_mantissa + 1)]
    every = np.array(list(product(grid, repeat=3))).reshape(-1, 1, 1, 3)
    _, conv, norm = inferred.layers.values()
    for layer in (conv, norm):
        found = layer.output.mantissas(exact.evaluate(inferred, every, [layer.name])[layer.name]).reshape(-1, 3)
        assert found.min(0).tolist() == layer.low.tolist()
        assert found.max(0).tolist() == layer.high.tolist()
        narrower = FixedPointType(layer.output.width - 1, layer.output.integer_bits - 1, layer.output.signed)
        assert narrower.min > found.min() * layer.output.lsb or narrower.max < found.max() * layer.output.lsb


def test_an_average_divides_without_rounding() -> None:
    inferred = arithmetic.infer(
        nets.model(nets.chain(layers.GlobalAveragePooling2D()), (8, 8, 2)), FixedPointType(8, 2, signed=False)
    )
    pool = list(inferred.layers.values())[-1]
    # As measured with hls4ml: 6 bits behind the point more than the input, in result and accumulator.
    assert str(pool.output) == "ufixed<14,2>"
    assert str(pool.accumulator) == "ufixed<20,8>"


@pytest.mark.parametrize("values", [[0.5, -3, 0.125], [0, 0], [2.0**20, 2.0**-3], [-1.0]])
def test_a_grid_is_the_coarsest_that_holds_all(values: list[float]) -> None:
    constant = arithmetic.grid_constant(np.array(values), "norm (gamma)")
    assert constant.values.tolist() == values
    coarser = constant.type.lsb * 2
    assert not any(values) or any((Fraction(value) / coarser).denominator != 1 for value in values)


@pytest.mark.parametrize("values", [[0.1], [2.0**30, 2.0**-3], [1 / 3, 1], [2.0**-60]])
def test_what_is_on_no_grid_is_refused(values: list[float]) -> None:
    with pytest.raises(ModelError, match=r"^layer norm \(gamma\): values on a fixed-point grid of at most 24 bits"):
        arithmetic.grid_constant(np.array(values), "norm (gamma)")


def _plain(layer: Any) -> Any:
    image = keras.Input((6, 6, 2), name="x")
    return keras.Model(image, layer(image))


def _qconv(**options: Any) -> Any:
    quantizer = {"kernel_quantizer": options.pop("kernel_quantizer", nets.quantizers.signed(4, 0))}
    return qkeras.QConv2D(2, 3, use_bias=False, name="odd", **quantizer, **options)


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda: _qconv(activation="relu"), "no activation of its own wanted"),
        (lambda: qkeras.QConv2D(2, 3, use_bias=False, name="odd"), "no quantizer; a QKeras layer with one wanted"),
        (lambda: layers.Conv2D(2, 3, name="odd"), "Conv2D has no fixed-point twin; one of Activation, Add, "),
        (lambda: layers.PReLU(shared_axes=[1], name="odd"), "a slope for each number wanted, not "),
        (lambda: layers.ELU(name="odd"), "ELU has no fixed-point twin"),
        (lambda: layers.AveragePooling2D(4, padding="same", name="odd"), "pooling without padding wanted"),
        (lambda: layers.UpSampling2D(2, interpolation="bilinear", name="odd"), "interpolation nearest wanted"),
        (lambda: layers.ReLU(max_value=6, name="odd"), "a plain ReLU wanted"),
        (lambda: layers.Activation("tanh", name="odd"), "relu, linear or a QActivation wanted, not tanh"),
        (lambda: layers.BatchNormalization(name="odd"), "epsilon 0, mean 0 and variance 1 wanted"),
        (lambda: qkeras.QActivation("quantized_bits(4,1,1)", name="odd"), "symmetric=0 wanted, not"),
        (lambda: qkeras.QActivation("binary(alpha=1)", name="odd"), "quantized_relu or quantized_bits wanted"),
    ],
)
def test_what_cannot_be_exact_is_refused_by_layer(make: Any, wanted: str) -> None:
    with pytest.raises(ModelError, match=rf"^layer odd( \(kernel\))?: .*{wanted}") as error:
        arithmetic.infer(_plain(make()), nets.SIGNED)
    assert "\n" not in str(error.value)


def test_sums_of_three_and_of_unlike_shapes_are_refused() -> None:
    image = keras.Input((6, 6, 2), name="x")
    y = nets.relu()(image)
    three = keras.Model(image, layers.Add(name="odd")([image, y, y]))
    with pytest.raises(ModelError, match=r"^layer odd: 2 inputs wanted, not 3"):
        arithmetic.infer(three, nets.SIGNED)
    spread = keras.Model(image, layers.Add(name="odd")([image, layers.GlobalMaxPooling2D(keepdims=True)(y)]))
    with pytest.raises(ModelError, match=r"^layer odd: inputs of one shape wanted"):
        arithmetic.infer(spread, nets.SIGNED)
    rows = keras.Model(image, layers.Concatenate(axis=1, name="odd")([image, y]))
    with pytest.raises(ModelError, match=r"^layer odd: concatenation of channels wanted, not of axis 1"):
        arithmetic.infer(rows, nets.SIGNED)


def test_an_input_without_a_type_is_refused() -> None:
    with pytest.raises(ModelError, match=r"^layer x: an input type wanted, none given"):
        arithmetic.infer(_plain(nets.relu()), {})


def test_the_reference_is_keras_where_float32_is_exact() -> None:
    model = nets.model(nets.bodies()["add"])
    inferred = arithmetic.infer(model, nets.SIGNED)
    x = np.zeros((2, 6, 6, 3))
    found = reference.evaluate(model, inferred, x)
    assert found.source == "Keras"
    assert found.checked_values == found.outputs.size
    assert (found.outputs == model(x.astype(np.float32)).numpy()).all()


def test_the_reference_says_where_keras_is_not_exact() -> None:
    model = nets.model(nets.bodies()["W16A16"])
    inferred = arithmetic.infer(model, nets.SIGNED)
    first = inferred.first_inexact()
    assert first is not None
    found = reference.evaluate(model, inferred, np.ones((2, 6, 6, 3)))
    assert found.source == (
        f"exact evaluation (Keras' float32 holds 24 bits, layer {first.name} needs {first.float_bits})"
    )
    assert found.checked_values > 0


def test_a_reference_that_keras_contradicts_is_an_error_of_status_1() -> None:
    model = nets.model(nets.bodies()["conv same"])
    inferred = arithmetic.infer(model, nets.SIGNED)
    (conv,) = (layer for layer in model.layers if layer.weights)
    conv.set_weights([-w for w in conv.get_weights()])
    with pytest.raises(reference.ReferenceMismatchError, match=f"^layer {conv.name}: Keras and the exact") as e:
        reference.evaluate(model, inferred, np.ones((1, 6, 6, 3)))
    assert e.value.exit_status == 1


@pytest.mark.parametrize("name", ["conv binary", "dense", "depthwise same"])
def test_finishing_twice_changes_nothing(name: str) -> None:
    once = nets.model(nets.bodies()[name])
    twice = finish(once)
    assert all((a == b).all() for a, b in zip(once.get_weights(), twice.get_weights(), strict=True))


@given(st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=4), st.integers(-(2**3000), 2**3000))
def test_products_are_exact_or_refused_whatever_the_factor(values: list[int], factor: int) -> None:
    wanted = [value * factor for value in values]
    if max(map(abs, wanted)) < 1 << 61:
        assert ranges.times(np.array(values), factor).tolist() == wanted
    else:
        with pytest.raises(FixedPointError, match="a number of more than 61 bits"):
            ranges.times(np.array(values), factor)


def test_a_factor_of_any_size_leaves_zeros() -> None:
    assert ranges.times(np.array([0, 0]), 1 << 3000).tolist() == [0, 0]


@pytest.mark.parametrize("between", [[], [layers.Flatten()], [layers.MaxPooling2D()]], ids=["", "flatten", "pool"])
def test_numbers_far_below_what_rounds_them_have_the_bit_that_decides(between: list[Any]) -> None:
    """`ap_fixed` rounds by the bit behind the last one, and asserts that there is one."""
    body = nets.chain(nets.conv(2, 1), *between, nets.linear())
    model = nets.model(body, (2, 2, 1))
    model.layers[1].set_weights([weight * 0 for weight in model.layers[1].get_weights()])
    inferred = arithmetic.infer(model, FixedPointType(8, -20, signed=False))
    rounded = list(inferred.layers.values())[-1].output
    source = list(inferred.layers.values())[-2]
    assert source.output.integer_bits >= -rounded.fraction_bits
    assert (source.low.tolist(), source.high.tolist()) == ([0] * source.low.size,) * 2
