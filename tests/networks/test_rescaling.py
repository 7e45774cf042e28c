"""Models whose inputs come in another unit."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from tensorflow import keras

from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import rescaling

layers = keras.layers


def _two_readers(image: Any) -> Any:
    y = layers.Conv2D(2, 3, padding="same")(layers.ZeroPadding2D(1)(image))
    z = layers.DepthwiseConv2D(3, padding="valid", use_bias=False)(
        layers.MaxPooling2D(1)(layers.ZeroPadding2D(2)(image))
    )
    return layers.Concatenate()([y, z])


@pytest.mark.parametrize(
    "body",
    [
        layers.Conv2D(2, 3, padding="same"),
        lambda image: layers.Dense(3)(layers.Flatten()(image)),
        lambda image: layers.ReLU()(layers.BatchNormalization()(image)),
        _two_readers,
    ],
)
def test_the_function_stays_where_the_factor_is_a_power_of_two(body: Any, capsys: pytest.CaptureFixture[str]) -> None:
    image = keras.Input((4, 4, 2))
    model = keras.Model(image, body(image))
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 2, w.shape) for w in model.get_weights()])
    before = model.get_weights()
    x = rng.integers(0, 256, (3, 4, 4, 2)).astype(np.float32)
    rescaled = rescaling.of_inputs(model, Fraction(1, 256))
    assert (rescaled(x).numpy() == model(x / 256).numpy()).all()
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    assert "are times 1/256" in capsys.readouterr().err


def test_what_cannot_take_it_over_is_named() -> None:
    image = keras.Input((4, 4, 2))
    model = keras.Model(image, layers.Add(name="join")([layers.Conv2D(2, 1)(image), image]))
    with pytest.raises(ModelError, match=r"^layer join: a convolution, dense layer .* wanted .* by 256/255, not Add; "):
        rescaling.of_inputs(model, Fraction(256, 255))
