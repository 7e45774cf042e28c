"""Users' models of all kinds: taken, or refused in one line that names the layer; never a traceback."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nonresnet_hls import cli
from nonresnet_hls.networks import saved
from tests.tiny import RECIPE


def _written(folder: Path, model: Any) -> None:
    """A user's recipe, model and data."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You are saving a model that has not yet been built")
        model.save(folder / "odd.keras")
    shape = [4 if size is None else size for size in model.inputs[0].shape[1:]] if model.inputs else [4, 4, 2]
    x = np.random.default_rng(0).integers(0, 16, (20, *shape)).astype(np.float32) / 16
    np.savez(folder / "odd.npz", x=x, y=np.arange(20) % 3)
    recipe = RECIPE.replace("tiny-net", "odd").replace("tiny-data", "odd")
    (folder / "odd.toml").write_text(recipe.replace("samples = 4", "samples = 2"))


def _image(name: str = "image", shape: tuple[int | None, ...] = (4, 4, 2)) -> Any:
    from tensorflow import keras

    return keras.Input(shape, name=name)


def _layers() -> Any:
    from tensorflow import keras

    return keras.layers


def _ending(image: Any, x: Any) -> Any:
    from tensorflow import keras

    return keras.Model(image, keras.layers.Dense(3, name="logits")(keras.layers.Flatten(name="flat")(x)), name="odd")


def _plus() -> Any:
    image = _image()
    x = _layers().Conv2D(2, 3, padding="same", activation="relu", name="conv")(image)
    return _ending(image, _layers().ReLU(name="relu")(x + image))


def _named(*names: str) -> Callable[[], Any]:
    def make() -> Any:
        from tensorflow import keras

        image = _image(names[0])
        x = _layers().Conv2D(2, 3, padding="same", name=names[1])(image)
        x = _layers().Add(name=names[2])([x, image])
        return keras.Model(image, _layers().Dense(3, name=names[3])(_layers().Flatten(name=names[4])(x)))

    return make


def _flatten_last() -> Any:
    from tensorflow import keras

    image = _image()
    x = _layers().Conv2D(1, 3, strides=2, padding="same", name="conv")(image)
    return keras.Model(image, _layers().Flatten()(x))


def _reshaped() -> Any:
    image = _image()
    x = _layers().Reshape((2, 8, 2))(_layers().Conv2D(2, 3, padding="same", name="conv")(image))
    return _ending(image, _layers().Conv2D(2, 1, name="other")(x))


def _dilated() -> Any:
    image = _image()
    return _ending(image, _layers().Conv2D(2, 3, dilation_rate=2, padding="same", activation="relu")(image))


def _mixed(policy: str = "mixed_bfloat16") -> Any:
    from tensorflow import keras

    keras.mixed_precision.set_global_policy(policy)
    try:
        image = _image()
        x = _layers().ReLU()(_layers().BatchNormalization()(_layers().Conv2D(2, 3)(image)))
        return _ending(image, x)
    finally:
        keras.mixed_precision.set_global_policy("float32")


def _nested() -> Any:
    from tensorflow import keras

    image, other = _image(), _image("other")
    return _ending(image, keras.Model(other, _layers().Conv2D(2, 3)(other), name="inner")(image))


TAKEN = {
    "a model inside": _nested,
    "x + y": _plus,
    "names that are no identifiers": _named("1/image", "a/conv", "a.add", "dense-1", "a/b"),
    "names of C++": _named("class", "int", "return", "template", "namespace"),
    "names of hls4ml": _named("layer1_out", "layer2", "config2", "w2", "result_t"),
    "names of layers that hls4ml inserts": _named("image", "conv", "clone_image", "dense", "dense_linear"),
    "flatten last": _flatten_last,
    "a reshape amid": _reshaped,
    "a dilated convolution": _dilated,
    "mixed precision": _mixed,
}


@pytest.mark.nightly
@pytest.mark.parametrize("case", TAKEN)
def test_odd_models_that_are_taken_are_bit_exact(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _written(tmp_path, TAKEN[case]())
    assert cli.main(["csim", "odd.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["equal"]


# Names of C++ and dilated convolutions are tested on their own every day, mixed precision below.
_NIGHTLY = ("names of C++", "names of hls4ml", "a dilated convolution", "mixed precision")


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.nightly) if case in _NIGHTLY else case for case in TAKEN]
)
def test_odd_models_that_are_taken(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _written(tmp_path, TAKEN[case]())
    assert cli.main(["convert", "odd.toml", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["streams"]
    # A name that is there twice would be a redefinition in the C++.
    text = (tmp_path / "hls_projects" / "odd" / "firmware" / "myproject.cpp").read_text()
    declared = [line.split("(")[0].split()[-1] for line in text.splitlines() if line.strip().startswith("hls::stream")]
    assert len(set(declared)) == len(declared)


@pytest.mark.parametrize(
    "policy", [*(pytest.param(f"mixed_{name}16", marks=pytest.mark.nightly) for name in ("bfloat", "float")), "float64"]
)
@pytest.mark.filterwarnings("ignore:.*mixed_float16")
def test_models_that_compute_in_other_numbers_are_trained_and_measured(
    policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _written(tmp_path, _mixed(policy))
    data = dict(np.load("odd.npz"))
    np.savez("odd.npz", x=data["x"], y=np.random.default_rng(1).random((20, 3), np.float32))
    with Path("odd.toml").open("a") as recipe:
        recipe.write('[training]\nepochs = 1\nloss = "mean_squared_error"\n')
    assert cli.main(["emulate", "odd.toml"]) == 0
    assert "12 values, equal" in capsys.readouterr().out
    # What the float network gives is kept for comparisons.
    kept = np.load("models/odd/quantize/samples.npz")["float_outputs"]
    assert kept.dtype == (np.float64 if policy == "float64" else np.float32)


@pytest.mark.parametrize("case", ["x + y", "names that are no identifiers"])
def test_fifos_of_a_model_file_are_those_of_the_layers_that_do_the_same(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    TAKEN[case]().save(tmp_path / "odd.keras")
    assert cli.main(["fifos", str(tmp_path / "odd.keras"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert any(row["on_skip"] for row in found["rows"])


@pytest.mark.parametrize("same_names", [False, True])
def test_fifos_of_models_inside_that_hold_operators(
    same_names: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tensorflow import keras

    def inner(name: str) -> Any:
        image = _image(f"{name}_image")
        conv = _layers().Conv2D(2, 3, padding="same", name="conv" if same_names else f"{name}_conv")
        return keras.Model(image, conv(image) + image, name=name)

    image = _image()
    _ending(image, inner("two")(inner("one")(image))).save(tmp_path / "odd.keras")
    assert cli.main(["fifos", str(tmp_path / "odd.keras")]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    wanted = "layer 'conv': a name of its own wanted" if same_names else "model odd: hls4ml cannot take it: "
    assert line.startswith(f"nonresnet-hls: {wanted}")


@pytest.mark.parametrize("command", ["fifos", "emulate"])
def test_layers_without_bounds_are_refused(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tensorflow import keras

    image = _image("image", (8, 8, 1))
    keras.Model(image, _layers().UpSampling2D(20_000, name="huge")(image)).save(tmp_path / "odd.keras")
    assert cli.main([command, str(tmp_path / "odd.keras")]) == 2
    assert (
        "layer huge: an output of at most 67108864 numbers wanted, not (160000, 160000, 1)" in capsys.readouterr().err
    )


def test_fifos_of_a_model_without_layers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tensorflow import keras

    image = _image()
    keras.Model(image, image, name="nothing").save(tmp_path / "odd.keras")
    assert cli.main(["fifos", str(tmp_path / "odd.keras")]) == 2
    assert "model nothing: a layer between inputs and outputs wanted, there is none\n" in capsys.readouterr().err


def _output_twice() -> Any:
    from tensorflow import keras

    image = _image()
    x = _layers().Dense(3, name="a")(_layers().Flatten()(image))
    return keras.Model(image, [x, x])


def _two_inputs() -> Any:
    from tensorflow import keras

    one, other = _image("one"), _image("other")
    return keras.Model([one, other], _layers().Dense(3)(_layers().Flatten()(_layers().Add()([one, other]))))


def _unbuilt() -> Any:
    from tensorflow import keras

    return keras.Sequential([_layers().Conv2D(2, 3), _layers().Flatten(), _layers().Dense(3)])


def _shared() -> Any:
    image, conv = _image(), _layers().Conv2D(2, 3, padding="same", name="twice")
    return _ending(image, conv(conv(image)))


def _sequence(layer: Callable[[], Any]) -> Callable[[], Any]:
    def make() -> Any:
        image = _image("image", (4, 3))
        return _ending(image, layer()(image))

    return make


def _state() -> Any:
    from tensorflow import keras

    image = _image("image", (4, 3))
    output, state, _ = _layers().LSTM(4, return_state=True, name="lstm")(image)
    return keras.Model(image, _layers().Dense(3)(_layers().Add()([output, state])))


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "one output twice": (_output_twice, "odd.keras: outputs of several layers wanted, not that of layer a twice"),
    "two inputs": (
        _two_inputs,
        "odd.keras: dataset.input_types wanted, with a type for each of its inputs (one, other), not one input_type",
    ),
    "not built": (_unbuilt, "odd.keras: a model that is built wanted"),
    "a shared layer": (_shared, "layer twice: used 2 times"),
    "an LSTM": (_sequence(lambda: _layers().LSTM(3, name="lstm")), "layer lstm: LSTM cannot be quantized"),
    "an LSTM's state": (_state, "layer lstm: one output wanted, not 3"),
    "a GRU both ways": (
        _sequence(lambda: _layers().Bidirectional(_layers().GRU(3), name="both")),
        "layer both: Bidirectional cannot be quantized",
    ),
    "a layer a step": (
        _sequence(lambda: _layers().TimeDistributed(_layers().Dense(3), name="steps")),
        "layer steps: TimeDistributed cannot be quantized",
    ),
    "an operator": (
        lambda: _ending(image := _image(), _layers().Conv2D(2, 3)(image**2)),
        "layer tf.math.pow: a Keras layer wanted in place of the operator math.pow",
    ),
    "an open size": (
        lambda: _ending(image := _image("image", (None, None, 2)), _layers().GlobalMaxPooling2D()(image)),
        "odd.keras: one input of shape (4, 4, 2) wanted, as the data has, not (None, None, 2)",
    ),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.nightly) if case == "a GRU both ways" else case for case in REFUSED]
)
def test_odd_models_that_are_refused(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make, wanted = REFUSED[case]
    _written(tmp_path, make())
    for command in ("csim", "quantize"):
        capsys.readouterr()
        assert cli.main([command, "odd.toml"]) == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith(f"nonresnet-hls: {wanted}")
    assert saved.load(tmp_path / "odd.keras") is not None
