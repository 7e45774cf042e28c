"""A model and data at hand become a recipe, which every stage takes."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow import keras

import nonresnet_hls as nr
from nonresnet_hls.cli import main
from nonresnet_hls.errors import DatasetError, RecipeError
from nonresnet_hls.recipe import Backend
from nonresnet_hls.training import input_types


def model(name: str = "mine") -> keras.Model:
    keras.utils.set_random_seed(1)
    image = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(2, 3, padding="same")(image)
    x = keras.layers.Add()([x, keras.layers.Conv2D(2, 3, padding="same")(keras.layers.ReLU()(x))])
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)), name=name)


def pixels(count: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 17, (count, 4, 4, 1)) / 16


def test_a_model_object_goes_to_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    x, mine = pixels(), model("My_Model")
    found = nr.convert(mine, data=(x, np.arange(20) % 3))
    assert (tmp_path / found.directory / "firmware/myproject.cpp").is_file()
    assert found.name == "my-model"
    recipe = nr.load_recipe("my-model")
    assert str(recipe.dataset.input_type) == "ufixed<5,1>"
    # What it says is the user's: the same model and data leave it alone.
    path = tmp_path / "models/my-model.toml"
    path.write_text(path.read_text().replace("weight_bits = 8", "weight_bits = 6"))
    quantized = nr.quantized_model(mine, data=(x, np.arange(20) % 3))
    assert {str(one.kernel_quantizer_internal.bits) for one in quantized.model.layers if hasattr(one, "kernel")} == {
        "6"
    }
    assert sorted(p.name for p in path.parent.iterdir()) == ["my-model", "my-model.keras", "my-model.npz", path.name]
    # Another model of that name does not overwrite it.
    other = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    other_model = keras.Sequential(other, name="my-model")
    other_model.compile("adam", "mse")  # as it is after training
    nr.make_recipe(other_model, {"x": x})
    kept = sorted(p.name for p in path.parent.glob("*.kept-*"))
    assert kept == ["my-model.kept-1.keras", "my-model.kept-1.npz", "my-model.kept-1.toml"]


def test_the_command_writes_what_the_function_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, data = tmp_path / "1st net.keras", tmp_path / "data.npz"
    model().save(file)
    np.savez(data, x=pixels() * 16)
    arguments = ["recipe", str(file), "--data", str(data), "--workspace", str(tmp_path / "w")]
    assert main([*arguments, "--set", "hls.backend=vitis", "--set", "csim.samples = 3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["input_type"]) == ("model-1st-net", "ufixed<5,5>")
    recipe = nr.load_recipe(told["file"], tmp_path / "w")
    assert (recipe.hls.backend, recipe.csim.samples, recipe.architecture.file) == (Backend.VITIS, 3, file)
    for wrong, said in (
        (["--set", "hls.backend"], "--set: TABLE.KEY=VALUE wanted, not 'hls.backend'"),
        (["--set", "hls.backends=1"], "unknown key 'hls.backends'; did you mean 'backend'?"),
        (["--name", "No"], "name: lower-case letters and digits"),
        (["--input-type", "float"], "float"),
    ):
        assert main([*arguments, *wrong]) == 2
        assert said in capsys.readouterr().err
    assert main(["convert", str(file), "--workspace", str(tmp_path / "w")]) == 2
    assert "a recipe wanted, or a Keras model together with data" in capsys.readouterr().err
    assert main(["convert", str(file), str(file), "--data", str(data), "--workspace", str(tmp_path / "w")]) == 2
    assert "--data: one model file wanted, not 2 recipes" in capsys.readouterr().err
    assert sorted(p.name for p in (tmp_path / "w/models").iterdir()) == ["model-1st-net.toml"]


@pytest.mark.parametrize(
    ("given_model", "data", "said"),
    [
        (7, [1.0], "a Keras model or the path of one wanted, not an object of int"),
        ("mine.txt", [1.0], r"mine.txt: a Keras model \(.keras or .h5\) wanted"),
        (None, {"z": [1.0]}, "data: x, y, x_train, .* wanted, not 'z'"),
        (None, {"y": [1.0]}, "data: x, or x_train and x_test, wanted, not y"),
        (None, [[np.nan]], "data: x: finite numbers wanted, not nan"),
        (None, ["text"], "data: x: numbers wanted"),
        (None, "nowhere.npz", "nowhere.npz: cannot be read as .npz"),
    ],
)
def test_what_is_no_model_or_no_data_is_told(given_model: object, data: object, said: str, tmp_path: Path) -> None:
    with pytest.raises((RecipeError, DatasetError), match=said):
        nr.make_recipe(model() if given_model is None else given_model, data, tmp_path)
    assert not list(tmp_path.rglob("*.toml"))


def test_bytes_are_known_however_they_are_scaled() -> None:
    raw = np.arange(256, dtype=np.uint8)
    for x, wanted in ((raw, "ufixed<8,8>"), (raw / 255, "ufixed<8,0>"), (np.float32(raw) / 256, "ufixed<8,0>")):
        assert str(input_types.holding(x)[0]) == wanted
    assert str(input_types.holding(raw / 128 - 1)[0]) == "fixed<8,1>"
    assert str(input_types.holding(np.zeros(3, bool))[0]) == "ufixed<1,1>"


@given(st.lists(st.floats(-(2.0**18), 2.0**18, width=32), min_size=1, max_size=6), st.integers(0, 24))
def test_a_type_holds_all_values_or_all_but_their_last_bits(values: list[float], bits: int) -> None:
    x = np.array(values)
    for samples in (x, np.rint(np.ldexp(x, bits - 18)), np.ldexp(np.rint(x), -bits)):
        kind, _ = input_types.holding(samples)
        assert kind.width <= 24
        for value in samples.tolist():
            nearest = round(Fraction(value) / kind.lsb)
            assert kind.min_mantissa <= nearest <= kind.max_mantissa
            rounds = nearest * kind.lsb != Fraction(value)
            assert not rounds or kind.width == 16 or 0 <= value <= 1  # bytes / 255
