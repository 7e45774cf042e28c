"""Folding of batch norms: `==` on grids of powers of two, where float32 rounds nothing."""

from typing import Any

import numpy as np
import pytest
from tensorflow import keras

from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks.fold import fold_batch_norms, fold_into_next, scale_and_offset

layers = keras.layers


def _on_grid(model: Any, seed: int = 0) -> Any:
    """Weights of few bits; variance + epsilon is a power of four, so that its root is exact."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            count = layer.moving_mean.shape[0]
            root = np.ldexp(1.0, rng.integers(-1, 3, count))
            values = [np.ldexp(rng.integers(-8, 9, count).astype(float), -2)] * layer.scale
            values += [np.ldexp(rng.integers(-8, 9, count).astype(float), -2)] * layer.center
            layer.set_weights([*values, rng.integers(-4, 5, count) / 2, root**2 - layer.epsilon])
        else:
            layer.set_weights([rng.integers(-8, 9, w.shape) / 4 for w in layer.get_weights()])
    return model


def _norm(**options: Any) -> Any:
    return layers.BatchNormalization(epsilon=0.125, **options)


def _check(model: Any, gone: int) -> Any:
    _on_grid(model)
    folded = fold_batch_norms(model)
    kinds = [type(layer).__name__ for layer in folded.layers]
    assert kinds.count("BatchNormalization") == sum("BatchN" in type(x).__name__ for x in model.layers) - gone
    x = np.random.default_rng(1).integers(-8, 9, (5, *model.input_shape[1:])).astype(np.float32) / 4
    assert (model(x).numpy() == folded(x).numpy()).all()
    return folded


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}], ids=str)
@pytest.mark.parametrize(
    "make",
    [
        lambda bias: layers.Conv2D(3, 3, padding="same", use_bias=bias),
        lambda bias: layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=bias),
        lambda bias: layers.Dense(3, use_bias=bias),
    ],
    ids=["conv", "depthwise", "dense"],
)
def test_what_directly_follows_is_folded(make: Any, options: dict[str, bool], bias: bool) -> None:
    image = keras.Input((4, 4, 2))
    folded = _check(keras.Model(image, layers.ReLU()(_norm(**options)(make(bias)(image)))), gone=1)
    assert folded.layers[1].use_bias


def test_what_follows_anything_else_stays() -> None:
    image = keras.Input((4, 4, 2))
    x = _norm()(layers.ReLU()(layers.Conv2D(2, 1)(image)))
    _check(keras.Model(image, x), gone=0)


def test_what_follows_an_activation_of_the_layer_stays() -> None:
    image = keras.Input((4, 4, 2))
    _check(keras.Model(image, _norm()(layers.Conv2D(2, 1, activation="relu")(image))), gone=0)


def test_a_layer_that_feeds_others_too_is_left_alone() -> None:
    image = keras.Input((4, 4, 2))
    x = layers.Conv2D(2, 1)(image)
    _check(keras.Model(image, layers.Add()([x, _norm()(x)])), gone=0)


def test_a_layer_that_is_an_output_is_left_alone() -> None:
    image = keras.Input((4, 4, 2))
    x = layers.Conv2D(2, 1)(image)
    folded = fold_batch_norms(_on_grid(keras.Model(image, [x, _norm()(x)])))
    assert [type(layer).__name__ for layer in folded.layers] == ["InputLayer", "Conv2D", "BatchNormalization"]


def test_only_the_named_are_folded_and_the_model_stays_as_it_was() -> None:
    image = keras.Input((4, 4, 2))
    x = _norm(name="first")(layers.Conv2D(2, 1)(image))
    model = _on_grid(keras.Model(image, _norm(name="second")(layers.Conv2D(2, 1)(x))))
    before = [w.copy() for w in model.get_weights()]
    folded = fold_batch_norms(model, lambda name: name == "second")
    names = [layer.name for layer in folded.layers]
    assert "first" in names
    assert "second" not in names
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_scale_and_offset_are_the_batch_norm() -> None:
    image = keras.Input((4,))
    model = _on_grid(keras.Model(image, _norm()(image)))
    scale, offset = scale_and_offset(model.layers[-1])
    x = np.arange(-8, 8, dtype=np.float32).reshape(4, 4)
    assert (model(x).numpy() == scale * x + offset).all()


def _rescaling() -> Any:
    return layers.Rescaling(0.25, -0.5)


def _normalization() -> Any:
    return layers.Normalization(mean=[0.5, -0.25], variance=[0.25, 4.0])


@pytest.mark.parametrize(
    "readers",
    [
        lambda x: layers.Conv2D(3, 3)(x),
        lambda x: layers.Conv2D(3, 1, padding="same", use_bias=False)(x),
        lambda x: layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)(x),
        lambda x: layers.Dense(3)(x),
        lambda x: layers.Add()([layers.Conv2D(3, 1)(x), layers.Dense(3, use_bias=False)(x)]),
    ],
    ids=["conv", "1x1", "depthwise", "dense", "two"],
)
@pytest.mark.parametrize(
    "befores",
    [[_rescaling], [_normalization], [_norm], [_rescaling, _normalization, _norm]],
    ids=["scale", "norm", "bn", "all"],
)
def test_what_stands_before_weights_is_folded_into_them(befores: Any, readers: Any) -> None:
    x = image = keras.Input((4, 4, 2))
    for before in befores:
        x = before()(x)
    model = keras.Model(image, readers(x))
    _on_grid(model)
    folded = fold_into_next(model)
    kinds = {type(layer).__name__ for layer in folded.layers}
    assert not kinds & {"Rescaling", "Normalization", "BatchNormalization"}
    samples = np.random.default_rng(1).integers(-8, 9, (5, 4, 4, 2)).astype(np.float32) / 4
    assert (model(samples).numpy() == folded(samples).numpy()).all()


def test_an_offset_before_zero_padding_stays_and_a_scale_is_folded(capsys: pytest.CaptureFixture[str]) -> None:
    image = keras.Input((4, 4, 2))

    def model(offset: float) -> Any:
        return keras.Model(
            image, layers.Conv2D(3, 3, padding="same", name="conv")(layers.Rescaling(0.5, offset, name="r")(image))
        )

    assert len(fold_into_next(model(0.0)).layers) == 2
    kept = fold_into_next(model(1.0))
    assert [type(layer).__name__ for layer in kept.layers] == ["InputLayer", "BatchNormalization", "Conv2D"]
    assert "layer r: stays as a scale and an offset: layer conv, which reads it, pads with" in capsys.readouterr().err
    x = np.random.default_rng(0).integers(0, 8, (4, 4, 4, 2)) / 8
    scaled = kept.get_layer("r")(x).numpy()
    assert (scaled == 0.5 * x + 1).all()


def test_a_batch_norm_over_another_axis_is_refused_though_sizes_match() -> None:
    image = keras.Input((3, 4, 2))
    model = keras.Model(image, layers.BatchNormalization(axis=1, name="odd")(layers.Conv2D(3, 1)(image)))
    with pytest.raises(
        ModelError, match=r"^layer odd: a batch norm over the channels \(axis -1\) wanted, not over axis \[1\]"
    ):
        fold_batch_norms(model)
    last = keras.Model(image, layers.BatchNormalization(axis=3)(layers.Conv2D(3, 1)(image)))
    assert len(fold_batch_norms(last).layers) == 2
