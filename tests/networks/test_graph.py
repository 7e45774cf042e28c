"""Rebuilding models: what stays keeps its meaning, whoever wrote its layers."""

import numpy as np
import pytest
import tensorflow as tf
from qkeras import QActivation
from tensorflow import keras

from nonresnet_hls.networks import graph


def _halved(values):
    if tf.reduce_sum(values) > 0:
        return values / 2
    return values


class Halved(keras.layers.Layer):
    """A user's layer, with the control flow that Keras translates."""

    def call(self, inputs):
        """Half of the values where their sum is positive, else they themselves."""
        return _halved(inputs)


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(Halved, id="layer"),
        pytest.param(lambda: keras.layers.TimeDistributed(Halved()), id="layer in a layer"),
        pytest.param(lambda: QActivation(_halved), id="quantizer"),
    ],
)
def test_control_flow_that_asks_a_tensor_is_kept(layer):
    """A copied model decides by the values as the model does."""
    x = keras.Input((4, 3))
    model = keras.Model(x, keras.layers.ReLU()(layer()(x)))
    with keras.utils.custom_object_scope({"Halved": Halved}):
        copy = graph.rebuild(model, graph.copied)
    graph.carry_weights(model, copy)
    for sign in (1, -1):
        values = sign * np.random.default_rng(0).uniform(0.25, 1, (2, 4, 3)).astype(np.float32)
        assert np.array_equal(copy(values), model(values))
        assert np.array_equal(copy.predict(values, verbose=0), model.predict(values, verbose=0))
