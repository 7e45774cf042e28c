"""`explain` as a command and as a function: a model with a configuration, a project, a recipe."""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import yaml

import nonresnet_hls as nr
from nonresnet_hls.api.results import Explained
from nonresnet_hls.cli import main
from nonresnet_hls.errors import ConversionError, DatasetError, ModelError, RecipeError
from nonresnet_hls.hls import configured
from nonresnet_hls.hls import plain as conversion
from nonresnet_hls.networks import saved
from tests.explain import nets


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model with data and a configuration in which an accumulator is too narrow, in the current directory."""
    monkeypatch.chdir(tmp_path)
    built = nets.plain()
    saved.save(built, Path("net.keras"))
    x = nets.images(20)
    np.savez("data.npz", x=x, y=built.predict(x, verbose=0).argmax(1))
    wrong = nets.changed(configured.default(built), "conv", accum="fixed<8,2>")
    Path("config.yml").write_text(configured.text(wrong))
    return built


def test_a_model_with_its_configuration(model: Any, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["explain", "net.keras", "--config", "config.yml", "--data", "data.npz", "--bits", "24"]
    assert main([*arguments, "--json", "-o", "cured.yml"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["equal"], found["holds"], found["first_layer"]) == (False, True, "conv")
    assert found["layers"][1]["reason"] == "overflow of the accumulator, with wrap-around"
    assert found["cure"]["after"]["top1_hardware"] == 1.0
    assert found["cure"]["config"] == yaml.safe_load(Path("cured.yml").read_text())
    # What it writes cures.
    assert main(["explain", "net.keras", "--config", "cured.yml", "--data", "data.npz", "--bits", "24"]) == 0
    out = capsys.readouterr().out
    assert "0 of 80 outputs differ" in out
    assert "nothing to cure: every layer makes of its inputs what Keras makes of them" in out


def test_what_is_printed_for_people(model: Any, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["explain", "net.keras", "--config", "config.yml", "--data", "data.npz", "--bits", "24"]
    assert main([*arguments, "--worst"]) == 0
    out = capsys.readouterr().out
    assert "first layer that makes a difference: conv\n    overflow of the accumulator, with wrap-around" in out
    assert "what helps: more integer bits for the accumulator" in out
    assert out.count(" wanted, ") >= 5
    Path("cured.yml").touch()
    assert main([*arguments, "-o", "cured.yml"]) == 2
    assert "cured.yml: exists already; it is not overwritten" in capsys.readouterr().err


def test_the_function_and_its_table(model: Any) -> None:
    found = nr.explain(model, config=Path("config.yml"), data=Path("data.npz"), bits=24)
    assert isinstance(found, Explained)
    assert list(found.frame["layer"]) == [layer.layer for layer in found.found.layers]
    assert "first in conv: overflow of the accumulator, with wrap-around" in found._repr_html_()
    assert found.config is not None
    assert found.model is None
    import hls4ml

    graph = hls4ml.converters.convert_from_keras_model(
        model, hls_config=found.config, output_dir="never", io_type="io_stream", backend="Vivado"
    )
    again = nr.emulate(graph, inputs=nets.images(20)).outputs  # type: ignore[union-attr]
    assert (again == model.predict(nets.images(20), verbose=0)).all()
    assert yaml.safe_load(found.yaml or "") == found.config


def test_a_project_beside_its_model(model: Any, capsys: pytest.CaptureFixture[str]) -> None:
    graph, _ = configured.to_graph(model, configured.read(Path("config.yml")), Path("project"), nets.WAY)
    conversion.write_graph(graph, Path("project"))
    assert main(["explain", "project", "--model", "net.keras", "--data", "data.npz", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["first_layer"] == "conv"
    assert nr.explain("project", data="data.npz").found.first.layer == "conv"  # type: ignore[union-attr]
    other = nets.residual()
    saved.save(other, Path("other.keras"))
    assert main(["explain", "project", "--model", "other.keras"]) == 2
    assert "wanted" in capsys.readouterr().err


def test_a_recipe_is_exact(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "tiny", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["equal"], found["cure"], found["quantized"]) == (True, None, True)
    assert all(layer["made_here"] == 0 for layer in found["layers"])


@pytest.mark.parametrize("io", ["stream", "parallel"])
def test_a_relu6_is_cured_by_another_layer(
    io: Literal["stream", "parallel"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorflow import keras

    monkeypatch.chdir(tmp_path)
    model = nets.on_grid(nets.residual(keras.layers.ReLU(6.0, name="relu6")), step=0.5)
    found = nr.explain(model, data=nets.images(), io=io, bits=24, output="cured.yml")
    assert [path.name for path in found.written] == ["cured.yml", "cured.keras"]
    again = saved.load(Path("cured.keras"))
    assert nr.explain(again, config="cured.yml", io=io, data=nets.images(), bits=24).found.equal
    assert (again.predict(nets.images(), verbose=0) == model.predict(nets.images(), verbose=0)).all()


def test_relu6_is_refused_where_hls4ml_has_none() -> None:
    import tensorflow as tf
    from tensorflow import keras

    model = nets.residual(keras.layers.Activation(tf.nn.relu6, name="relu6"))
    with pytest.raises(ConversionError, match=r"layer 'relu6': io_parallel wanted.*has no relu6 for streams"):
        nr.explain(model, data=nets.images())


def test_what_does_not_belong_together_is_refused(model: Any, tiny: Path) -> None:
    for wrong, message in (
        ({"samples": 0}, "--samples: at least 1 wanted, not 0"),
        ({"bits": 1}, "--bits: 2 to 32 wanted, not 1"),
        ({"max_loss": -1.0}, "--max-loss: 0 to 100 points wanted, not -1.0"),
        ({"model": model}, "--model: goes with a project"),
    ):
        with pytest.raises(RecipeError, match=message):
            nr.explain(model, **wrong)
    with pytest.raises(RecipeError, match="--data: goes with a model or a project; recipe tiny has its own"):
        nr.explain("tiny", data=nets.images())
    with pytest.raises(ConversionError, match="stream or parallel, vivado or vitis wanted, not file and vivado"):
        nr.explain(model, io="file")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="a name ending in"):
        nr.explain(model, data=nets.images(), output="cured.txt")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": np.zeros((3, 8, 8, 2))}, "x_test, x or image wanted, not z"),
        ({"x": np.zeros((3, 4, 4, 2))}, r"samples of \(8, 8, 2\) numbers wanted, not float64 \(3, 4, 4, 2\)"),
        ({"x": np.full((3, 8, 8, 2), np.nan)}, "finite numbers wanted"),
        ({"x": np.zeros((3, 8, 8, 2)), "y": np.zeros(2)}, "y: one class for each of 3 samples wanted"),
        ({"x": np.zeros((3, 8, 8, 2)), "y": np.array([0, 1, 9])}, "y: classes from 0 to 3 wanted, not 9"),
    ],
)
def test_data_that_do_not_fit_are_refused(model: Any, arrays: dict[str, Any], message: str) -> None:
    np.savez("wrong.npz", **arrays)
    with pytest.raises(DatasetError, match=message):
        nr.explain(model, data="wrong.npz")
