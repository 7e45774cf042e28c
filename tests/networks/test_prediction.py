"""A 1x1 convolution from one channel to one beside a depthwise one: TensorFlow's oneDNN aborts on some processors."""

import contextlib
import io
from pathlib import Path

import hls4ml
import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from nonresnet_hls.emulation import Emulator
from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.networks.prediction import called, predicted
from nonresnet_hls.quantization import reference
from nonresnet_hls.recipe import Training
from nonresnet_hls.training import fit
from nonresnet_hls.training.data import Data
from tests.hls import random_models

X = np.random.default_rng(0).integers(-8, 9, (70, 6, 6, 1)).astype(np.float32)
LAYERS = keras.layers


def integers(shape, **_: object):
    return tf.fill(shape, 3.0)


def single(kind, **more):
    """Multiplies by 3."""
    role = "depthwise_initializer" if kind is LAYERS.DepthwiseConv2D else "kernel_initializer"
    filters = () if kind is LAYERS.DepthwiseConv2D else (1,)
    return kind(*filters, 1, **{"use_bias": False, role: integers, **more})


def chain(*kinds):
    x = y = keras.Input((6, 6, 1))
    for kind in kinds:
        y = single(kind)(y)
    return keras.Model(x, y)


@pytest.mark.parametrize("run", [predicted, called])
@pytest.mark.parametrize("kinds", [(LAYERS.Conv2D, LAYERS.DepthwiseConv2D), (LAYERS.DepthwiseConv2D, LAYERS.Conv2D)])
def test_both_convolutions_of_a_single_channel_are_computed(run, kinds) -> None:
    assert (run(chain(*kinds, *kinds), X) == 81 * X).all()


def test_several_inputs_and_outputs_are_computed() -> None:
    one, two = keras.Input((6, 6, 1)), keras.Input((6, 6, 1))
    outputs = [
        single(LAYERS.DepthwiseConv2D)(single(LAYERS.Conv2D)(one)),
        single(LAYERS.Conv2D)(single(LAYERS.DepthwiseConv2D)(two)),
    ]
    found = predicted(keras.Model([one, two], outputs), [X, -X])
    assert (found[0] == 9 * X).all()
    assert (found[1] == -9 * X).all()


def test_the_reference_of_such_a_model_is_keras_own() -> None:
    made = random_models.draw(10_097).made
    assert made is not None
    x = np.random.default_rng(0).integers(-512, 512, (40, 6, 6, 2)) / 128
    found = reference.evaluate(made.model, made.arithmetic, x)
    assert found.source == "Keras"
    assert found.checked_values == 40 * 6 * 6 * 2


def test_such_a_model_is_trained_or_refused_in_one_line(tmp_path: Path) -> None:
    image = keras.Input((6, 6, 1))
    x = single(LAYERS.DepthwiseConv2D)(single(LAYERS.Conv2D)(image))
    model = keras.Model(image, LAYERS.Dense(2)(LAYERS.Flatten()(x)))
    labels = np.arange(len(X)) % 2
    data = Data(X, labels, X, labels, FixedPointType.parse("fixed<6,6>"), 2, "squares")
    try:
        assert len(fit.fit(model, data, Training(epochs=1), tmp_path / "c.npz", label="squares").curve) == 1
    except ModelError as error:
        assert "TF_ENABLE_ONEDNN_OPTS=0" in str(error)  # noqa: PT017  # either may be: it depends on the processor
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("strides", [1, 2])
def test_such_a_model_is_emulated(strides: int, tmp_path: Path) -> None:
    image = keras.Input((6, 6, 1))
    x = image
    for kind in (LAYERS.Conv2D, LAYERS.DepthwiseConv2D, LAYERS.Conv2D):
        x = single(kind, use_bias=True, bias_initializer=integers, strides=strides if kind is LAYERS.Conv2D else 1)(x)
    model = keras.Model(image, x)
    x = np.clip(X, -1, 1) / 8
    with contextlib.redirect_stdout(io.StringIO()):
        config = hls4ml.utils.config_from_keras_model(model, "name", default_precision="fixed<12,8>")
        graph = hls4ml.converters.convert_from_keras_model(
            model, hls_config=config, output_dir=str(tmp_path), io_type="io_stream", backend="Vitis"
        )
    assert (Emulator(graph)(x).reshape(len(x), -1) == predicted(model, x).reshape(len(x), -1)).all()
