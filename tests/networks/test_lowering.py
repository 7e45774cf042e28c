"""What users' models hold besides layers: operators, names that C++ cannot bear, other numbers than float32."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import graph, lowering, names


def _layers() -> Any:
    from tensorflow import keras

    return keras.layers


def _model(join: Callable[[Any, Any], Any], policy: str = "float32") -> Any:
    """image -> conv -> join(conv, image) -> classes, with weights from a seed."""
    from tensorflow import keras

    keras.utils.set_random_seed(0)
    keras.mixed_precision.set_global_policy(policy)
    try:
        image = keras.Input((4, 4, 3), name="image")
        x = join(keras.layers.Conv2D(3, 3, padding="same", name="conv")(image), image)
        return keras.Model(image, keras.layers.Dense(2, name="dense")(keras.layers.Flatten()(x)), name="user")
    finally:
        keras.mixed_precision.set_global_policy("float32")


def _tf() -> Any:
    import tensorflow

    return tensorflow


OPERATORS: dict[str, tuple[Callable[[Any, Any], Any], list[str]]] = {
    "x + y": (lambda x, y: x + y, ["Add"]),
    "tf.add": (lambda x, y: _tf().add(x, y), ["Add"]),
    "tf.math.add(y=)": (lambda x, y: _tf().math.add(x, y=y), ["Add"]),
    "tf.add_n": (lambda x, y: _tf().add_n([x, y]), ["Add"]),
    "x + x": (lambda x, _: x + x, ["Add"]),
    "x + y + x": (lambda x, y: x + y + x, ["Add", "Add"]),
    "x - y": (lambda x, y: x - y, ["Subtract"]),
    "x * y": (lambda x, y: x * y, ["Multiply"]),
    "x + 1": (lambda x, _: x + 1.0, ["Rescaling"]),
    "1 + x": (lambda x, _: 1.0 + x, ["Rescaling"]),
    "x - 1/2": (lambda x, _: x - 0.5, ["Rescaling"]),
    "1 - x": (lambda x, _: 1.0 - x, ["Rescaling"]),
    "2 * x": (lambda x, _: 2.0 * x, ["Rescaling"]),
    "x / 4": (lambda x, _: x / 4.0, ["Rescaling"]),
    "-x": (lambda x, _: -x, ["Rescaling"]),
    "x - a number a channel": (lambda x, _: x - _tf().constant([1.0, 2.0, 0.5]), ["Rescaling"]),
    "tf.nn.relu6": (lambda x, _: _tf().nn.relu6(x), ["ReLU"]),
    "tf.nn.leaky_relu": (lambda x, _: _tf().nn.leaky_relu(x, 0.25), ["LeakyReLU"]),
    "tf.sigmoid": (lambda x, _: _tf().sigmoid(x), ["Activation"]),
    "tf.nn.relu": (lambda x, y: _tf().nn.relu(x) + y, ["ReLU", "Add"]),
    "tf.concat": (lambda x, y: _tf().concat([x, y], -1), ["Concatenate"]),
    "tf.concat(axis=3)": (lambda x, y: _tf().concat(values=[x, y], axis=3), ["Concatenate"]),
    "tf.reduce_mean": (lambda x, _: _tf().reduce_mean(x, [1, 2]), ["GlobalAveragePooling2D"]),
    "tf.reduce_mean(keepdims)": (
        lambda x, _: _tf().reduce_mean(x, axis=(-2, 1), keepdims=True),
        ["GlobalAveragePooling2D"],
    ),
}


@pytest.mark.parametrize("case", OPERATORS)
def test_operators_become_the_layers_that_do_the_same(case: str) -> None:
    join, kinds = OPERATORS[case]
    model = _model(join)
    lowered = lowering.lower(model)
    found = [node.kind for node in graph.nodes(lowered)]
    assert found == ["InputLayer", "Conv2D", *kinds, "Flatten", "Dense"]
    assert all(names.suits(node.name, is_input=not node.inputs) for node in graph.nodes(lowered))
    x = np.random.default_rng(0).random((5, 4, 4, 3), np.float32)
    assert (lowered.predict(x, verbose=0) == model.predict(x, verbose=0)).all()
    assert lowering.lower(lowered) is lowered


REFUSED: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "a constant tensor": (lambda x, _: x + _tf().ones((4, 4, 3)), "__operators__.add"),
    "1 / x": (lambda x, _: 1.0 / x, "math.truediv"),
    "x / 0": (lambda x, _: x / 0.0, "math.truediv"),
    "a power": (lambda x, _: x**2, "math.pow"),
    "a slice": (lambda x, _: x[:, 1:], "__operators__.getitem"),
    "elu": (lambda x, _: _tf().nn.elu(x), "nn.elu"),
    "concat of rows": (lambda x, y: _tf().concat([x, y], 1), "concat"),
    "mean of channels": (lambda x, _: _tf().reduce_mean(x, -1), "math.reduce_mean"),
    "reshape": (lambda x, _: _tf().reshape(x, [-1, 48]), "reshape"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_operators_are_refused_by_name(case: str) -> None:
    join, symbol = REFUSED[case]
    with pytest.raises(ModelError, match=rf"^layer tf\.\S+: a Keras layer wanted in place of the operator {symbol} "):
        lowering.lower(_model(join))


def test_new_layers_get_names_that_are_free() -> None:
    def join(x: Any, y: Any) -> Any:
        x = _layers().Add(name="add")([x, y])
        return _layers().Conv2D(3, 1, name="add_1")(x + y) + x

    lowered = lowering.lower(_model(join))
    assert [node.name for node in graph.nodes(lowered) if node.kind == "Add"] == ["add", "add_2", "add_3"]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_other_numbers_become_float32(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    from tensorflow import keras

    def join(x: Any, _: Any) -> Any:
        return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))

    model, plain = _model(join, policy), _model(join)
    lowered = lowering.lower(model)
    assert f"model user: computes in {policy}; taken in float32 from here on" in capsys.readouterr().err
    assert {layer.dtype_policy.name for layer in lowered.layers} == {"float32"}
    plain.set_weights(model.get_weights())
    x = np.random.default_rng(0).random((5, 4, 4, 3), np.float32)
    assert (lowered.predict(x, verbose=0) == plain.predict(x, verbose=0)).all()


def test_what_needs_nothing_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    model = _model(lambda x, y: _layers().Add(name="int")([x, y]))
    assert lowering.lower(model) is model
    assert not capsys.readouterr().err


def test_names_that_cpp_cannot_bear_are_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    from tensorflow import keras

    image = keras.Input((4, 4, 3), name="class")
    x = keras.layers.Conv2D(3, 3, padding="same", name="1/conv")(image)
    x = keras.layers.Add(name="clone_class")([x, image])
    x = keras.layers.Dense(2, name="a.b")(keras.layers.Flatten(name="a/b")(x))
    model = keras.Model(image, keras.layers.Dense(2, name="a.b_linear")(x))
    lowered = lowering.lower(model)
    wanted = ["layer_class", "layer_1_conv", "layer_clone_class", "layer_a_b", "layer_a_b_2", "layer_a_b_linear_2"]
    assert [node.name for node in graph.nodes(lowered)] == wanted
    assert "layer '1/conv' is called layer_1_conv from here on" in capsys.readouterr().err
    x = np.random.default_rng(0).random((5, 4, 4, 3), np.float32)
    assert (lowered.predict(x, verbose=0) == model.predict(x, verbose=0)).all()


_NAMES = st.lists(
    st.sampled_from(["conv", "1", "int", "image", "c v", "größe", "a/b", "input", "N_A", "w2", "x_t", "layer2_out"])
    | st.builds("{}{}{}".format, st.sampled_from(["", "clone_", "zp2d_", "layer_"]), st.sampled_from(["a b", "conv"]),
                st.sampled_from(["", "_linear", "_relu", "_2"])),
    min_size=1, max_size=8, unique=True,
)  # fmt: skip


@settings(deadline=None, derandomize=True)
@given(_NAMES)
def test_replaced_names_suit_and_collide_with_none(found: list[str]) -> None:
    layers = [(name, number == 0) for number, name in enumerate(found)]
    new = names.replacements(layers)
    kept = [new.get(name, name) for name in found]
    assert len(set(kept)) == len(kept)
    assert all(names.suits(name, number == 0) for number, name in enumerate(kept))
    assert not set(new.values()) & set(found)
    # hls4ml calls what it inserts after a layer clone_NAME, repack_NAME, zp2d_NAME, NAME_linear.
    made = {text.format(name) for name in kept for text in ("clone_{}", "repack_{}", "zp2d_{}", "{}_linear")}
    assert not made & set(kept)


def _several_outputs() -> Any:
    from tensorflow import keras

    x = keras.Input((4, 3))
    output, state, _ = keras.layers.LSTM(4, return_state=True, name="odd")(x)
    return keras.Model(x, keras.layers.Add()([output, state]))


def _several_arguments() -> Any:
    from tensorflow import keras

    x = keras.Input((4, 3))
    return keras.Model(x, keras.layers.MultiHeadAttention(2, 4, name="odd")(x, x))


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (_several_outputs, "one output wanted, not 3"),
        (_several_arguments, "tensors of the model as its one argument wanted, not 1 more"),
        (lambda: _model(lambda x, _: _layers().Add(name="odd")([x, _tf().ones((1, 4, 4, 3))])), "not a constant among"),
    ],
)
def test_layers_that_are_no_function_of_one_argument_are_refused(make: Callable[[], Any], wanted: str) -> None:
    with pytest.raises(ModelError, match=rf"^layer odd: .*{wanted}"):
        lowering.lower(make())


@pytest.mark.parametrize("kind", ["ReLU", "LeakyReLU", "Activation"])
def test_activations_that_are_layer_objects_are_carried_over(kind: str) -> None:
    from tensorflow import keras

    image = keras.Input((4, 4, 3), name="image")
    own = keras.layers.Activation("relu") if kind == "Activation" else getattr(keras.layers, kind)()
    x = keras.layers.Conv2D(3, 3, padding="same", activation=own, name="conv")(image)
    model = keras.Model(image, keras.layers.Flatten()(x + image))
    samples = np.random.default_rng(0).normal(0, 1, (3, 4, 4, 3)).astype(np.float32)
    assert (lowering.lower(model)(samples).numpy() == model(samples).numpy()).all()
