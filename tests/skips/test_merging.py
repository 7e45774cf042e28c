"""Merged skips: no skip is left, and the function is the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow import keras

from nonresnet_hls import cli
from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import saved
from nonresnet_hls.skips import find, merge, not_merged

layers = keras.layers


def whole(model: Any, seed: int = 0, most: int = 1) -> Any:
    """The model with small whole numbers as weights, of which float32 computes exactly."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            size = layer.get_weights()[0].shape
            factors = [rng.choice([1.0, 2.0, -1.0], size), rng.integers(-2, 3, size), rng.integers(-2, 3, size)]
            layer.set_weights([*factors, np.full(size, 1 - 2.0**-10)])
        else:
            layer.set_weights([rng.integers(-most, most + 1, one.shape) for one in layer.get_weights()])
    return model


def block(x: Any, filters: int, stride: int = 1, size: int = 3, project: bool = False, norm: bool = True) -> Any:
    def conv(x: Any, size: int, stride: int = 1) -> Any:
        x = layers.Conv2D(filters, size, stride, padding="same", use_bias=not norm)(x)
        return layers.BatchNormalization(epsilon=2.0**-10)(x) if norm else x

    y = conv(layers.ReLU()(conv(x, size, stride)), size)
    return layers.ReLU()(layers.Add()([y, conv(x, 1, stride) if project else x]))


def images(model: Any, count: int = 12) -> Any:
    return np.random.default_rng(1).integers(0, 3, (count, *model.input_shape[1:])).astype(np.float32)


def same(one: Any, other: Any) -> None:
    x = images(one)
    assert (one.predict(x, verbose=0) == other.predict(x, verbose=0)).all()


@settings(max_examples=4, deadline=None, derandomize=True)
@given(data=st.data())
def test_blocks_of_all_shapes_are_the_same_function(data: st.DataObject) -> None:
    _merged(data)


@pytest.mark.nightly
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_blocks_of_more_shapes_are_the_same_function(data: st.DataObject) -> None:
    _merged(data)


def _merged(data: st.DataObject) -> None:
    drawn = data.draw
    side = drawn(st.integers(4, 7))
    x = inputs = keras.Input((side, side, 2))
    channels = 2
    for _ in range(drawn(st.integers(1, 2))):
        stride, filters = drawn(st.integers(1, 2)), drawn(st.integers(2, 4))
        project = stride != 1 or filters != channels or drawn(st.booleans())
        x = block(x, filters, stride, drawn(st.integers(1, 4)), project, drawn(st.booleans()))
        channels = filters
    model = whole(keras.Model(inputs, x), drawn(st.integers(0, 99)))
    # The first skip leaves the images, which may be anything.
    assert not_merged(model).get(1, "").startswith("it leaves ")
    merged = merge(model)
    assert [skip.leaves for skip in find(merged)] == [inputs._keras_history.layer.name]
    same(model, merged)


def residual(**more: Any) -> Any:
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    x = block(x, 4, **more)
    x = block(x, 6, 2, project=True)
    return whole(keras.Model(inputs, layers.GlobalMaxPooling2D()(x)))


def test_a_network_loses_its_skips_and_keeps_its_function() -> None:
    model = residual()
    merged = merge(model)
    assert find(merged) == ()
    assert [layer.name for layer in merged.layers if isinstance(layer, layers.Add)] == []
    same(model, merged)
    first = merge(model, [1])
    assert [skip.joins for skip in find(first)] == [find(model)[1].joins]
    same(model, first)


def bottleneck(x: Any) -> Any:
    y = layers.Conv2D(2, 1, activation="relu")(x)
    y = layers.DepthwiseConv2D(3, padding="same", activation="relu")(y)
    y = layers.Dropout(0.1)(layers.Conv2D(4, 1)(y))
    return layers.ReLU()(layers.Add()([x, y]))


def short(x: Any) -> Any:
    y = layers.Conv2D(5, 3, 2, padding="same")(x)
    return layers.ReLU()(layers.Add()([y, layers.Conv2D(5, 1, 2)(x)]))


def large_projection(x: Any) -> Any:
    y = layers.Conv2D(4, 5, padding="same")(layers.Conv2D(4, 3, padding="same", dilation_rate=2, activation="relu")(x))
    return layers.Add()([layers.Conv2D(4, 3, padding="same")(x), y])


def linear_inside(x: Any) -> Any:
    """What is passed on may be negative where no ReLU is in the way."""
    x = layers.Conv2D(4, 1)(x)
    return layers.Add()([x, layers.Conv2D(4, 3, padding="same")(layers.Conv2D(3, 3, padding="same")(x))])


@pytest.mark.parametrize("body", [bottleneck, short, large_projection, linear_inside])
def test_other_branches(body: Any) -> None:
    inputs = keras.Input((6, 6, 3))
    x = layers.ReLU()(layers.Conv2D(4, 3, padding="same")(inputs))
    model = whole(keras.Model(inputs, body(layers.MaxPooling2D(2)(x))))
    merged = merge(model)
    assert find(merged) == ()
    same(model, merged)


def test_in_one_dimension() -> None:
    x = inputs = keras.Input((9, 3))
    x = layers.Conv1D(4, 3, padding="same", activation="relu")(x)
    y = layers.Conv1D(2, 3, padding="causal", dilation_rate=2, activation="relu")(x)
    y = layers.Conv1D(4, 4, padding="causal")(y)
    model = whole(keras.Model(inputs, layers.Add()([x, y])))
    merged = merge(model)
    assert find(merged) == ()
    same(model, merged)


def negative(x: Any) -> Any:
    return block(layers.Conv2D(4, 1)(x), 4)


def clipped(x: Any) -> Any:
    y = layers.Conv2D(4, 3, padding="same")(layers.ReLU(6.0)(layers.Conv2D(4, 3, padding="same")(x)))
    return layers.Add()([x, y])


def first_normed(x: Any) -> Any:
    return layers.Add()([x, layers.Conv2D(4, 3, padding="same")(layers.BatchNormalization()(x))])


def read_outside(x: Any) -> Any:
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    return layers.Add()([layers.Add()([x, layers.Conv2D(4, 3, padding="same")(y)]), layers.Conv2D(4, 1)(y)])


def grouped(x: Any) -> Any:
    return layers.Add()([x, layers.Conv2D(4, 3, padding="same", groups=2)(x)])


def pooled(x: Any) -> Any:
    y = layers.Conv2D(4, 3, padding="same")(layers.Conv2D(4, 3, 2, padding="same", activation="relu")(x))
    return layers.Add()([layers.MaxPooling2D(2)(x), y])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (negative, r"it leaves conv2d\S*, whose numbers may be negative, and a ReLU would drop these"),
        (clipped, r"re_lu\S* \(relu with max_value 6\) changes what it passes"),
        (first_normed, r"the branch begins with batch_normalization\S* \(BatchNormalization\), not with a convolution"),
        (read_outside, r"conv2d\S* is also read from outside the branch"),
        (grouped, r"conv2d\S* works on groups of channels"),
        (pooled, r"a convolution at most wanted on the skip, not max_pooling2d\S* \(MaxPooling2D\)"),
    ],
)
def test_what_cannot_be_merged_says_why(body: Any, why: str) -> None:
    inputs = keras.Input((6, 6, 3))
    model = keras.Model(inputs, body(layers.ReLU()(layers.Conv2D(4, 3, padding="same")(inputs))))
    with pytest.raises(ModelError, match=rf"^skip 1 into '\S+' cannot be merged: {why}$"):
        merge(model, [1])
    assert 1 in not_merged(model)


def test_networks_that_others_know() -> None:
    mobile = keras.applications.MobileNetV2(alpha=0.35, input_shape=(32, 32, 3), weights=None, classes=2)
    assert len(not_merged(mobile)) == len(find(mobile)) == 10


@pytest.mark.nightly
def test_all_of_resnet50() -> None:
    model = keras.applications.ResNet50(input_shape=(32, 32, 3), weights=None, classes=10)
    merged = merge(model)
    assert (len(find(model)), len(find(merged))) == (16, 0)


def test_a_real_network_decides_the_same() -> None:
    file = Path(__file__).parents[3] / "shared" / "models" / "mlperf_resnet8.h5"
    if not file.exists():
        pytest.skip("../shared/models, with models of others, is not here")
    model = saved.load(file)
    merged = merge(model)
    assert (len(find(model)), len(find(merged))) == (3, 0)
    x = np.random.default_rng(0).integers(0, 256, (200, 32, 32, 3)).astype(np.float32)
    assert (model.predict(x, verbose=0).argmax(1) == merged.predict(x, verbose=0).argmax(1)).all()


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved.save(residual(), tmp_path / "mine.keras")
    assert cli.main(["skips", str(tmp_path / "mine.keras"), "--merge", "all", "-o", str(tmp_path / "out.keras")]) == 0
    assert "out.keras: 0 skips" in capsys.readouterr().out
    same(saved.load(tmp_path / "mine.keras"), saved.load(tmp_path / "out.keras"))
