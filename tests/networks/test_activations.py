"""One reader of activations, however they are written."""

from typing import Any

import pytest
import qkeras
import tensorflow as tf
from tensorflow import keras

from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import activations

layers = keras.layers


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (None, "linear"), ("linear", "linear"), ("relu", "relu"), (tf.nn.relu, "relu"), (layers.ReLU(), "relu"),
        (layers.Activation("relu"), "relu"), (layers.ReLU(6), "relu with max_value 6"),
        (tf.nn.relu6, "relu with max_value 6"), (layers.ReLU(negative_slope=0.5), "leaky_relu"),
        (layers.ReLU(threshold=1), "ReLU with threshold 1"), (layers.LeakyReLU(), "leaky_relu"),
        (layers.ELU(), "elu"), ("tanh", "tanh"), (tf.tanh, "tanh"), ("softmax", "softmax"),
        (layers.Softmax(), "softmax"), (tf.nn.softmax, "softmax"), (layers.Softmax(axis=1), "softmax over axis 1"),
        (qkeras.quantized_relu(4), "quantized_relu"),
    ],
)  # fmt: skip
def test_what_a_layer_applies(written: Any, name: str) -> None:
    assert str(activations.of(layers.Conv2D(2, 1, activation=written))) == name
    assert str(activations.of(layers.Activation(written) if written else layers.Activation("linear"))) == name
    if isinstance(written, layers.Layer) and not isinstance(written, layers.Activation):
        assert str(activations.of(written)) == name


@pytest.mark.parametrize("unknown", [lambda x: x, layers.Dropout(0.5)])
def test_what_is_not_keras_own_is_refused_by_layer(unknown: Any) -> None:
    with pytest.raises(ModelError, match=r"^layer odd: an activation of Keras' own wanted, not "):
        activations.of(layers.Conv2D(2, 1, activation=unknown, name="odd"))


def test_a_function_that_only_bears_the_name_is_refused() -> None:
    def relu(x: Any) -> Any:
        return x + 1

    with pytest.raises(ModelError, match=r"^layer odd: .* not the function 'relu'$"):
        activations.of(layers.Dense(2, activation=relu, name="odd"))


def test_layers_without_one_are_linear() -> None:
    assert activations.of(layers.Add()).name == "linear"
