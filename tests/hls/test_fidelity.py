"""What hls4ml's parser drops of a Keras model is found before anything is converted."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.hls import fidelity
from nonresnet_hls.hls.plain import to_graph, write_plain
from nonresnet_hls.networks import saved
from nonresnet_hls.recipe import Hls

SHARED = Path(__file__).parents[2] / ".." / "shared" / "models"
IMAGE = (8, 8, 4)


def sequential(*layers: Any, shape: tuple[int | None, ...] = IMAGE) -> Any:
    from tensorflow import keras

    return keras.Sequential([keras.Input(shape, name="image"), *layers])


def options() -> list[tuple[Any, tuple[int | None, ...], str]]:
    """A layer, the shape of its input, and what is said of it."""
    from qkeras import QActivation, QConv2D, quantized_relu
    from tensorflow import keras

    layers = keras.layers
    line = (12, 3)
    return [
        (layers.Conv1D(4, 3, dilation_rate=2, name="x"), line, "dilation_rate 1 wanted, not (2,)"),
        (layers.Conv2D(4, 3, dilation_rate=(1, 2), name="x"), IMAGE, "dilation_rate 1 wanted, not (1, 2)"),
        (QConv2D(4, 3, dilation_rate=2, name="x"), IMAGE, "dilation_rate 1 wanted, not (2, 2)"),
        (layers.DepthwiseConv2D(3, dilation_rate=2, name="x"), IMAGE, "dilation_rate 1 wanted, not (2, 2)"),
        (layers.SeparableConv1D(4, 3, dilation_rate=3, name="x"), line, "dilation_rate 1 wanted, not (3,)"),
        (layers.Conv2D(4, 3, groups=2, name="x"), IMAGE, "groups 1 wanted, not 2"),
        (layers.DepthwiseConv2D(3, depth_multiplier=2, name="x"), IMAGE, "depth_multiplier 1 wanted, not 2"),
        (layers.Conv1D(4, 3, strides=2, padding="causal", name="x"), line, "strides 1 wanted with causal padding"),
        (layers.ZeroPadding2D(1, data_format="channels_first", name="x"), IMAGE, "data_format 'channels_last' wanted"),
        (layers.Flatten(data_format="channels_first", name="x"), IMAGE, "data_format 'channels_last' wanted"),
        (layers.ReLU(6.0, name="x"), IMAGE, "max_value None wanted, not 6.0"),
        (layers.ReLU(negative_slope=0.125, name="x"), IMAGE, "negative_slope 0 wanted, not 0.125"),
        (layers.ReLU(threshold=0.5, name="x"), IMAGE, "threshold 0 wanted, not 0.5"),
        (layers.Conv2D(4, 3, activation=layers.ReLU(), name="x"), IMAGE, "not an object of ReLU"),
        (layers.Dense(4, activation=layers.LeakyReLU(0.1), name="x"), IMAGE, "not an object of LeakyReLU"),
        (layers.BatchNormalization(axis=1, name="x"), IMAGE, "axis 3, the channels, wanted, not 1"),
        (layers.LayerNormalization(epsilon=2e-3, name="x"), line, "epsilon as a power of ten, 0.001, wanted"),
        (layers.Softmax(axis=1, name="x"), IMAGE, "axis -1 wanted, not 1"),
        (layers.MaxPooling2D(3, 2, name="x"), IMAGE, "strides (3, 3) as the size of the pool wanted, not (2, 2)"),
        (layers.AveragePooling1D(2, 1, name="x"), line, "strides (2,) as the size of the pool wanted, not (1,)"),
        (layers.MaxPooling2D(3, padding="same", name="x"), IMAGE, "no padding wanted"),
        (layers.UpSampling2D(2, interpolation="bilinear", name="x"), IMAGE, "interpolation 'nearest' wanted"),
        (layers.LSTM(4, go_backwards=True, name="x"), line, "go_backwards False wanted, not True"),
        (layers.Bidirectional(layers.GRU(4, stateful=False), name="y"), line, ""),
        (layers.TimeDistributed(layers.Conv1D(4, 3, dilation_rate=2, name="x")), (2, 12, 3), "dilation_rate 1 wanted"),
        (QActivation(quantized_relu(4, 2, relu_upper_bound=3), name="x"), IMAGE, "relu_upper_bound None wanted, not 3"),
        (layers.Conv2D(4, 3, activation="relu"), IMAGE, ""),
        (layers.Conv1D(4, 3, padding="causal"), line, ""),
        (layers.MaxPooling2D(2, padding="same"), IMAGE, ""),
        (layers.BatchNormalization(axis=3), IMAGE, ""),
        (layers.Conv2D(4, 3, padding="same", strides=2), IMAGE, ""),
        (QActivation(quantized_relu(4, 2)), IMAGE, ""),
    ]


def test_every_option_that_is_dropped_is_named() -> None:
    for layer, shape, wanted in options():
        found = [str(loss) for loss in fidelity.losses(sequential(layer, shape=shape))]
        assert len(found) == bool(wanted), (layer.get_config(), found)
        if wanted:
            assert found[0].startswith("layer 'x': "), found
            assert wanted in found[0]
            assert "\n" not in found[0]


def inner(name: str, first: str, second: str) -> Any:
    from tensorflow import keras

    image = keras.Input(IMAGE)
    x = keras.layers.Conv2D(4, 3, padding="same", name=first)(image)
    return keras.Model(image, keras.layers.ReLU(name=second)(x), name=name)


def calls() -> dict[str, tuple[Any, str]]:
    """Models whose calls are not those that hls4ml converts."""
    from tensorflow import keras

    layers = keras.layers
    image = keras.Input(IMAGE, name="image")
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    twice = inner("twice", "a", "b")
    left, right = inner("left", "a", "b"), inner("right", "c", "b")
    random = layers.Dropout(0.5, name="random")
    pair = layers.LSTM(4, return_state=True, name="pair")
    line = keras.Input((12, 3), name="line")
    return {
        "shared": (
            keras.Model(image, shared(shared(image))),
            "layer 'shared': one call wanted, not 2; hls4ml converts",
        ),
        "twice": (keras.Model(image, twice(twice(image))), "layer 'twice': one call wanted, not 2"),
        "names": (keras.Model(image, right(left(image))), "layer 'b': a name of its own wanted"),
        "training": (keras.Model(image, random(image, training=True)), "layer 'random': inference wanted"),
        "second output": (
            keras.Model(line, layers.Dense(2, name="last")(pair(line)[1])),
            "layer 'last': the only output of 'pair' wanted as input",
        ),
        "open": (
            sequential(layers.Conv2D(4, 3), shape=(None, None, 4)),
            "layer 'image': input of a fixed size wanted, not (None, None, 4)",
        ),
    }


def test_every_call_that_is_dropped_is_named() -> None:
    for name, (model, wanted) in calls().items():
        found = [str(loss) for loss in fidelity.losses(model)]
        assert found, name
        assert found[0].startswith(wanted), (name, found)


def test_a_layer_of_another_model_called_once_is_itself() -> None:
    from tensorflow import keras

    image = keras.Input(IMAGE)
    shared = keras.layers.Conv2D(4, 3, padding="same")
    shared(image)
    assert fidelity.losses(keras.Model(image, shared(image))) == []
    assert fidelity.losses(keras.Model(image, inner("one", "a", "b")(image))) == []


@pytest.mark.parametrize(("name", "found"), [("debias", False), ("beta1", False), ("kernel", True), ("plain", True)])
def test_weights_that_the_parser_takes_from_elsewhere(name: str, found: bool) -> None:
    from tensorflow import keras

    layer = keras.layers.BatchNormalization(name=name) if name == "beta1" else keras.layers.Conv2D(4, 1, name=name)
    model = sequential(layer)
    rng = np.random.default_rng(0)
    layer.set_weights([rng.random(weights.shape) for weights in layer.get_weights()])
    if found:
        fidelity.check_weights(model)
        return
    with pytest.raises(ConversionError, match=rf"layer '{name}': weights {name}/\w+:0 wanted, hls4ml reads others"):
        fidelity.check_weights(model)


def test_another_network_is_not_written(tmp_path: Path) -> None:
    model, wanted = calls()["shared"]
    with pytest.raises(ConversionError, match=wanted.split(";")[0]):
        write_plain(model, Hls(), tmp_path / "project")
    assert not (tmp_path / "project").exists()


def test_what_changes_values_alone_is_told(tmp_path: Path) -> None:
    from tensorflow import keras

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hls4ml, QKeras and Keras warn of each other
        (note,) = write_plain(sequential(keras.layers.ReLU(6.0, name="clip")), Hls(), tmp_path / "project")
    assert note == "layer 'clip': max_value None wanted, not 6.0; hls4ml drops it without a word"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the models of others are no part of the repository: ../shared/models")
@pytest.mark.parametrize("file", ["mlperf_resnet8.h5", "vww_96.h5", "qresnet_eembc.h5", "resnet1d.keras", "unet.keras"])
def test_models_of_others_lose_nothing(file: str) -> None:
    model = saved.load(SHARED / file)
    assert fidelity.losses(model) == []
    fidelity.check_weights(model)


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "inside a model"])
def test_a_reshape_that_leaves_a_size_open_gets_the_one_that_keras_found(inside: bool, tmp_path: Path) -> None:
    from tensorflow import keras

    layers = keras.layers
    image = keras.Input((4, 4, 3))
    turned = layers.Reshape((-1, 2, 6), name="turned")
    x = sequential(turned, shape=(4, 4, 3))(image) if inside else turned(image)
    graph, _ = to_graph(keras.Model(image, layers.Conv2D(3, 1, name="conv")(x)), Hls(), tmp_path / "project")
    assert list(graph.get_output_variables()[0].shape) == [4, 2, 3]
