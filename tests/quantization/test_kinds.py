"""Float models of every kind of layer that is taken: quantized, they are exact, and nearly float with 16 bits."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tensorflow import keras

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.networks.lowering import lower
from nonresnet_hls.quantization import arithmetic, exact, reference
from nonresnet_hls.quantization.deployment import deployable
from nonresnet_hls.quantization.quantize import finish, quantize
from nonresnet_hls.recipe import Quantization

layers = keras.layers
INPUT = FixedPointType(8, 1)


def _chain(*parts: Any) -> Callable[[Any], Any]:
    def body(x: Any) -> Any:
        for part in parts:
            x = part(x)
        return x

    return body


def _conv(filters: int = 3, size: int = 3, **options: Any) -> Any:
    return layers.Conv2D(filters, size, **{"padding": "same", **options})


def _pre_activation(x: Any) -> Any:
    x = _conv(4)(x)
    y = layers.ReLU()(layers.BatchNormalization()(x))
    y = _conv(4)(layers.Activation("relu")(layers.BatchNormalization()(_conv(4)(y))))
    return layers.Activation("relu")(layers.BatchNormalization()(layers.Add()([x, y])))


def _excited(x: Any) -> Any:
    x = _conv(4, activation="relu")(x)
    z = layers.Dense(2, activation="relu")(layers.GlobalAveragePooling2D()(x))
    z = layers.Reshape((1, 1, 4))(layers.Dense(4, activation="sigmoid")(z))
    return _conv(2)(layers.Multiply()([x, z]))


def _trees(x: Any) -> Any:
    parts = [_conv(2, activation="relu")(x) for _ in range(3)]
    joined = layers.Concatenate()([*parts, layers.Average()(parts)])
    return _conv(2)(layers.Add()([joined, _conv(8)(x), _conv(8, 1)(x)]))


def _extrema(x: Any) -> Any:
    least = layers.Minimum()([x, _conv()(x)])
    return _conv(2)(layers.Maximum()([_conv()(x), least, layers.GlobalAveragePooling2D()(x)]))


def _operators(x: Any) -> Any:
    y = _conv()(x)
    z = (y + x) * 0.5 - x
    return _conv(2)(-keras.activations.relu(2.0 * z + 0.25) / 4.0)


def _inner(x: Any) -> Any:
    image = keras.Input(x.shape[1:])
    inner = keras.Model(image, layers.BatchNormalization()(_conv(activation="relu")(image)))
    return layers.Add()([inner(x), x])


def _series(x: Any) -> Any:
    x = layers.Reshape((12, 9))(x)
    y = layers.Activation("relu")(layers.BatchNormalization()(layers.Conv1D(4, 5, padding="same")(x)))
    y = layers.SeparableConv1D(4, 3, padding="causal", activation="relu")(layers.MaxPooling1D(2)(y))
    y = layers.DepthwiseConv1D(3, padding="same")(layers.UpSampling1D(2)(y))
    y = layers.Add()([y, layers.Conv1D(4, 1)(x)])
    return layers.Dense(3)(layers.GlobalAveragePooling1D()(layers.ReLU()(layers.ZeroPadding1D(1)(y))))


def _flattened_sum(x: Any) -> Any:
    """Two rows of pixels and their sum, which dense layers read."""
    rows = [layers.Flatten()(layers.Conv2D(3, 3)(x)) for _ in range(2)]
    total = layers.ReLU()(layers.Add()(rows))
    return layers.Add()([layers.Dense(3)(total), layers.Dense(3)(rows[0])])


def _rows_meet(x: Any) -> Any:
    """A flattened image beside numbers, joined and added."""
    image = layers.Flatten()(layers.Conv2D(2, 3, strides=3, activation="relu")(x))
    numbers = layers.Dense(3, activation="relu")(layers.GlobalAveragePooling2D()(x))
    joined = layers.Concatenate()([image, numbers])
    size = int(image.shape[-1])
    added = layers.Add()([image, layers.Dense(size)(numbers)])
    return layers.Add()([layers.Dense(3)(joined), layers.Dense(3)(added)])


KINDS: dict[str, Callable[[Any], Any]] = {
    "pre-activation": _pre_activation,
    "batch norm of the input": _chain(layers.BatchNormalization(), _conv(activation="relu")),
    "batch norm twice": _chain(_conv(), layers.BatchNormalization(), layers.BatchNormalization(), layers.ReLU()),
    "batch norms behind pooling and dropout": _chain(
        _conv(activation="relu"), layers.MaxPooling2D(2), layers.BatchNormalization(), layers.Dropout(0.3),
        layers.BatchNormalization(), layers.ReLU(), _conv(2),
    ),
    "normalization before padding": _chain(layers.Rescaling(0.5, 0.3), _conv(activation="relu")),
    "separable": _chain(layers.SeparableConv2D(4, 3, padding="same", activation="relu"), _conv(2)),
    "averages": _chain(_conv(activation="relu"), layers.AveragePooling2D(3), layers.Flatten(), layers.Dense(3)),
    "flattened, then an activation": _chain(_conv(), layers.Flatten(), layers.ReLU(), layers.Dense(3)),
    "flattened, and an activation last": _chain(_conv(), layers.Flatten(), layers.Activation("tanh")),
    "flattened sum": _flattened_sum,
    "rows that meet": _rows_meet,
    "flattened, then a batch norm": _chain(
        _conv(activation="relu"), layers.Flatten(), layers.BatchNormalization(), layers.Dense(3)
    ),
    "average of signed": _chain(_conv(), layers.AveragePooling2D((3, 2)), _conv(2)),
    "global average of 36": _chain(_conv(activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(3)),
    "series": _series,
    "dense of pixels": _chain(layers.Dense(4, activation="relu"), layers.Dense(2)),
    "leaky relu": _chain(_conv(), layers.LeakyReLU(0.1), _conv(2)),
    "relu with a slope": _chain(_conv(), layers.ReLU(negative_slope=0.25), _conv(2)),
    "prelu": _chain(_conv(), layers.PReLU(shared_axes=[1, 2]), _conv(2)),
    "relu6": _chain(_conv(4), layers.ReLU(0.6), _conv(2)),
    "relu6 of its own": _chain(_conv(4, activation=keras.layers.ReLU(0.75)), _conv(2)),
    "hard sigmoid": _chain(_conv(4), layers.Activation("hard_sigmoid"), _conv(2)),
    "sigmoid": _chain(_conv(4, activation="sigmoid"), _conv(2)),
    "sigmoid at the end": _chain(_conv(4, activation="relu"), _conv(1, activation="sigmoid")),
    "tanh": _chain(_conv(4), layers.Activation("tanh"), _conv(2)),
    "softplus": _chain(_conv(4, activation="softplus"), _conv(2)),
    "softsign": _chain(_conv(4, activation="softsign"), _conv(2)),
    "softmax at the end": _chain(_conv(), layers.GlobalMaxPooling2D(), layers.Dense(4, activation="softmax")),
    "squeeze and excite": _excited,
    "pixels added": _chain(_conv(4, activation="relu"), lambda x: layers.Add()([layers.GlobalMaxPooling2D()(x), x])),
    "trees": _trees,
    "operators": _operators,
    "model inside": _inner,
    "maxima of tensors": _extrema,
    "elu": _chain(_conv(), layers.ELU(0.75), _conv(2)),
    "elu of its own": _chain(_conv(activation="elu"), _conv(2)),
    "prelu of pixels": _chain(_conv(), layers.PReLU(), _conv(2)),
    "prelu of columns": _chain(_conv(), layers.PReLU(shared_axes=[1]), _conv(2)),
    "prelu of numbers": _chain(layers.Flatten(), layers.Dense(5), layers.PReLU(), layers.Dense(2)),
    "overlapping pools": _chain(_conv(2), layers.MaxPooling2D(3, 2), layers.MaxPooling2D((1, 2), 1), _conv(2)),
    "padded pools of signed": _chain(_conv(2), layers.MaxPooling2D(3, 2, "same"), _conv(2)),
    "padded pools": _chain(_conv(2, activation="relu"), layers.MaxPooling2D(4, padding="same")),
    "pools one by one": _chain(_conv(2), layers.MaxPooling2D(3, 1, "same")),
    "pools that leave pixels out": _chain(
        _conv(2), layers.MaxPooling2D(2, 3, "same"), _conv(2, activation="relu"), layers.MaxPooling2D(1, 2),
    ),
    "pools of a series": _chain(
        layers.Reshape((12, 9)), layers.Conv1D(2, 3), layers.MaxPooling1D(3, 2, "same"), layers.Conv1D(2, 2),
    ),
    "depthwise in one dimension and in two": _chain(
        layers.DepthwiseConv2D(3, activation="relu"), layers.Reshape((-1, 3)), layers.DepthwiseConv1D(2),
    ),
    "dilated": _chain(_conv(2, dilation_rate=2), layers.DepthwiseConv2D(2, dilation_rate=2, activation="relu")),
    "groups": _chain(_conv(4, activation="relu"), _conv(4, groups=2), _conv(2)),
    "several outputs a channel": _chain(
        layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu"), layers.DepthwiseConv2D(1, strides=2),
    ),
    "series with all of that": _chain(
        layers.Reshape((12, 9)), layers.Conv1D(4, 3, dilation_rate=2, padding="causal"),
        layers.DepthwiseConv1D(3, depth_multiplier=2), layers.Conv1D(6, 3, groups=2, strides=2),
    ),
    "separable with all of that": _chain(layers.SeparableConv2D(3, 2, depth_multiplier=2, dilation_rate=2), _conv(2)),
    "augmentation": _chain(layers.RandomFlip(), layers.GaussianNoise(0.1), _conv(activation="relu")),
}  # fmt: skip


def made(name: str) -> tuple[Any, Any]:
    """A float model with random weights and batch statistics, and inputs for it."""
    rng = np.random.default_rng(sum(name.encode()))
    x = keras.Input((6, 6, 3), name="x")
    body = KINDS[name]
    # Layers are made when the table is: each is used for one model.
    model = keras.models.clone_model(keras.Model(x, body(x)))
    model = lower(model)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            size = layer.moving_mean.shape[0]
            values = [rng.uniform(0.5, 1.5, size), rng.normal(0, 0.3, size)]
            layer.set_weights([*values, rng.normal(0, 0.3, size), rng.uniform(0.5, 1.5, size)])
        elif isinstance(layer, layers.PReLU):
            layer.set_weights([rng.uniform(0.05, 0.5, w.shape) for w in layer.get_weights()])
        elif layer.get_weights():
            layer.set_weights([rng.normal(0, 0.3, w.shape) for w in layer.get_weights()])
    mantissas = rng.integers(INPUT.min_mantissa, INPUT.max_mantissa, (24, 6, 6, 3), endpoint=True)
    return model, np.ldexp(mantissas.astype(np.float32), -INPUT.fraction_bits)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_exact(name: str) -> None:
    model, x = made(name)
    few = finish(quantize(model, Quantization(8, 8), x))
    inferred = arithmetic.infer(few, INPUT)
    # Raises where Keras and the exact evaluation differ though both must be exact.
    found = reference.evaluate(few, inferred, x.astype(np.float64))
    assert found.checked_values > 0
    made_otherwise = deployable(few, inferred)
    if made_otherwise is not few:
        own = arithmetic.infer(made_otherwise, INPUT)
        deployed = reference.evaluate(made_otherwise, own, x.astype(np.float64))
        assert deployed.checked_values > 0
        assert (deployed.outputs == found.outputs).all()
        assert deployable(made_otherwise, own) is made_otherwise


@pytest.mark.nightly
@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_nearly_float_with_16_bits(name: str) -> None:
    model, x = made(name)
    many = finish(quantize(model, Quantization(16, 16), x))
    output = many.outputs[0]._keras_history.layer.name
    got = exact.evaluate(arithmetic.infer(many, INPUT), x.astype(np.float64), [output])[output]
    plain = model
    if name == "softmax at the end":
        last = model.layers[-1]
        last.activation = keras.activations.linear
        plain = keras.Model(model.inputs, last(last.input))
    wanted = plain.predict(x, verbose=0)
    # Arguments of tables have 14 bits, all else 16.
    assert np.abs(got - wanted).max() <= np.abs(wanted).max() / 1024


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (layers.Activation("gelu"), r"layer activation\S*: activation relu, .* wanted, not gelu"),
        (layers.Activation("selu"), "activation relu, .* wanted, not selu"),
        (layers.ELU(-1.0), "activation relu, .* wanted, not elu"),
        (layers.ReLU(threshold=0.5), "not ReLU with threshold 0.5"),
        (
            layers.Conv2DTranspose(2, 2),
            r"layer conv2d_transpose\S*: Conv2DTranspose cannot be quantized: hls4ml has no",
        ),
        (layers.LayerNormalization(), r"layer layer_normalization\S*: LayerNormalization cannot be quantized$"),
        (layers.RandomCrop(4, 4), r"layer random_crop\S*: a model without RandomCrop wanted"),
        (layers.Dot(-1), r"layer dot\S*: Dot cannot be quantized"),
        (layers.Softmax(), r"layer softmax\S*: softmax wanted at the end only"),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "name") else "",
)
def test_what_is_not_taken_is_refused_by_its_name(layer: Any, wanted: str) -> None:
    x = keras.Input((6, 6, 3))
    y = _conv()(x)
    y = layer([y, y]) if isinstance(layer, layers.Dot) else layer(y)
    model = keras.Model(x, _conv(2)(y))
    with pytest.raises(ModelError, match=wanted) as error:
        quantize(model, Quantization(8, 8), np.zeros((2, 6, 6, 3), np.float32))
    assert "\n" not in str(error.value)
