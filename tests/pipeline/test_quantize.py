"""Float network to quantized one: what is fine-tuned when, what is shipped, and what stands in for absent data."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nonresnet_hls.recipe
from nonresnet_hls.cli import main
from nonresnet_hls.pipeline import quantize as stage
from nonresnet_hls.pipeline.tables import table1
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.training import datasets, downloads
from tests.quantization import nets
from tests.training.test_fit import data

RECIPE = """
[architecture]
family = "resnet"
skips = "short"
filters = [4]
blocks_per_group = 1
[dataset]
name = "npz"
file = "squares.npz"
input_type = "ufixed<5,1>"
[training]
on_demand = false
epochs = 2
batch_size = 8
[quantization]
epochs = 1
batch_size = 8
"""


def _workspace(folder: Path) -> Workspace:
    place = Workspace(folder / "one")
    place.models.mkdir(parents=True)
    squares = data()
    np.savez(folder / "squares.npz", x=squares.x_train, y=squares.y_train)
    (place.models / "short.toml").write_text(RECIPE.replace("squares.npz", str(folder / "squares.npz")))
    return place


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return _workspace(tmp_path)


@pytest.fixture(scope="module")
def once_trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where its data and the workspace of a trained network lie."""
    folder = tmp_path_factory.mktemp("trained")
    assert main(["train", "short", "--workspace", str(_workspace(folder).root)]) == 0
    return folder


@pytest.fixture
def trained(once_trained: Path, tmp_path: Path) -> Workspace:
    """A copy of it, with data of its own."""
    shutil.copytree(once_trained, tmp_path, dirs_exist_ok=True)
    recipe = tmp_path / "one" / "models" / "short.toml"
    recipe.write_text(recipe.read_text().replace(str(once_trained), str(tmp_path)))
    return Workspace(tmp_path / "one")


def command(workspace: Workspace, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([*arguments, "--workspace", str(workspace.root), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_who_asks_to_quantize_has_it_fine_tuned(trained: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    workspace, recipe = trained, trained.recipe("short")
    before = stage.run(recipe, workspace)
    assert before.figures["weights"] == "trained, not fine-tuned"
    assert stage.existing(recipe, workspace) == stage.run(recipe, workspace)
    assert stage.recorded(recipe, workspace) is None
    assert list(table1(workspace, ["short"])["top1_percent_8_bit"]) == [None]
    (figures,) = command(workspace, capsys, "quantize", "short")
    assert figures["weights"] == "trained"
    after = stage.run(recipe, workspace)  # now that it is there, it is used
    assert (after.figures["weights"], after.fresh) == ("trained", False)
    assert after.content != before.content
    folder = workspace.artefact("short", "finetune")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["top1"], metrics["epochs"]) == (figures["top1_quantized"], 1)
    with (folder / "curve.csv").open(newline="") as stream:
        assert [row["epoch"] for row in csv.DictReader(stream)] == ["1"]
    rows = command(workspace, capsys, "eval", "short")
    assert [(row["weights"], row["top1"], row["equal"]) for row in rows] == [
        ("float", figures["top1_float"], True),
        ("quantized", figures["top1_quantized"], True),
    ]
    assert list(table1(workspace, ["short"])["top1_percent_8_bit"]) == [100 * metrics["top1"]]


def test_fine_tuned_weights_that_a_recipe_ships_with_are_used_in_place(
    trained: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = trained
    command(workspace, capsys, "quantize", "short")
    (other := Workspace(tmp_path / "other")).models.mkdir(parents=True)
    (other.models / "short.toml").write_bytes((workspace.models / "short.toml").read_bytes())
    assert stage.recorded(other.recipe("short"), other) is None
    monkeypatch.setattr(nonresnet_hls.recipe, "BUILT_IN", workspace.models)
    assert [row["equal"] for row in command(other, capsys, "eval", "short")] == [True, True]
    found = stage.run(other.recipe("short"), other)
    assert (found.figures["weights"], found.fresh) == ("trained", True)
    assert sorted(path.name for path in (other.models / "short").iterdir() if path.is_dir()) == ["quantize"]


def test_the_same_weights_on_other_data_are_quantized_anew(tiny: Path) -> None:
    place = Workspace()

    def made() -> Any:
        found = stage.run(place.recipe("tiny"), place)
        return found.fresh, found.figures["test_samples"], found.figures["input_type"]

    assert made()[:2] == (False, 8)
    data_file, recipe = (tiny / "models" / name for name in ("tiny-data.npz", "tiny.toml"))
    with np.load(data_file) as arrays:
        half = {name: values[:20] for name, values in arrays.items()}
    np.savez(data_file, **half)
    assert made()[:2] == (True, 4)
    before = made()
    recipe.write_text(recipe.read_text().replace("ufixed<4,0>", "fixed<6,1>"))
    assert made() == (True, 4, "fixed<6,1>")
    recipe.write_text(recipe.read_text().replace("fixed<6,1>", "ufixed<4,0>"))
    assert made() == (True, *before[1:])


def test_what_cannot_be_converted_is_refused_before_it_is_fine_tuned(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tensorflow import keras

    image = keras.Input((8, 8, 1))
    x = keras.layers.AveragePooling2D(4, padding="same", name="odd")(
        keras.layers.Conv2D(2, 3, activation="relu")(image)
    )
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    model.save(workspace.models / "odd.keras")
    text = RECIPE.replace("squares.npz", str(tmp_path / "squares.npz")).replace("epochs = 2", "epochs = 0")
    old = '"resnet"\nskips = "short"\nfilters = [4]\nblocks_per_group = 1'
    (workspace.models / "odd.toml").write_text(text.replace(old, '"keras"\nfile = "odd.keras"'))
    assert main(["train", "odd", "--workspace", str(workspace.root)]) == 0
    assert main(["quantize", "odd", "--workspace", str(workspace.root)]) == 2
    error = capsys.readouterr().err
    assert "layer odd: pooling without padding wanted" in error
    assert "fine-tuning" not in error


@pytest.mark.parametrize("asked", ["quantize", pytest.param("csim", marks=pytest.mark.nightly)])
def test_a_users_quantized_model_is_told_of_whose_batch_norms_are_put_on_a_grid(
    asked: str, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tensorflow import keras

    from nonresnet_hls.networks import saved

    image = keras.Input((4, 4, 2))
    x = keras.layers.BatchNormalization(name="scaled")(nets.conv()(image))
    x = nets.dense(3)(keras.layers.Flatten()(nets.relu()(x)))
    saved.save(keras.Model(image, x), tiny / "models" / "tiny-net.keras")
    assert main([asked, "tiny"]) == 0
    told = capsys.readouterr()
    assert "tiny: layer scaled: its scales and offsets are put on grids of 16 and 20 bits" in told.err
    place = Workspace()
    assert stage.run(place.recipe("tiny"), place).figures["weights"] == "trained, some put on a grid"
    assert asked == "quantize" or "; weights: trained, some put on a grid\n" in told.out


BLOCK = """
[architecture]
family = "block"
skips = "short"
network = "short"
[dataset]
name = "npz"
file = "squares.npz"
input_type = "ufixed<5,1>"
[quantization]
weight_bits = 1
activation_bits = 2
epochs = 1
batch_size = 8
"""


def test_a_block_is_fine_tuned_inside_its_network_and_cut_out(
    trained: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = trained
    (workspace.models / "block.toml").write_text(BLOCK.replace("squares.npz", str(tmp_path / "squares.npz")))
    recipe = workspace.recipe("block")
    assert stage.run(recipe, workspace).figures["weights"] == "trained, not fine-tuned"
    (figures,) = command(workspace, capsys, "quantize", "block")
    found = stage.load(stage.run(recipe, workspace))
    assert [tuple(tensor.shape[1:]) for tensor in (*found.model.inputs, *found.model.outputs)] == [(8, 8, 4)] * 2
    assert str(found.input_type) == figures["input_type"]
    kernels = [layer.get_weights()[0] for layer in found.model.layers if "conv" in layer.name and layer.weights]
    assert [set(np.unique(kernel)) for kernel in kernels] == [{-1.0, 1.0}] * 2
    # The network around it, in which it was fine-tuned, is what its top-1 was counted with.
    rows = command(workspace, capsys, "eval", "block")
    assert [(row["weights"], row["equal"]) for row in rows] == [("float", True), ("quantized", True)]


def test_random_inputs_stand_in_for_absent_data_until_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets._own.cache_clear()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(downloads.VARIABLE, str(tmp_path / "data"))
    place = Workspace(tmp_path)
    place.models.mkdir()
    text = RECIPE.replace('"npz"', '"cifar100"').replace('file = "squares.npz"', "")
    (place.models / "short.toml").write_text(text.replace('input_type = "ufixed<5,1>"', ""))
    recipe = place.recipe("short")
    absent = stage.run(recipe, place)
    assert absent.figures["weights"] == "untrained"
    assert absent.figures["samples"] == "seeded random inputs (cifar100 is not on this machine)"
    assert stage.run(recipe, place).fresh is False
    sample = Path(__file__).parents[2] / ".." / "shared" / "data" / "cifar-100-python-sample"
    if not sample.is_dir():
        pytest.skip("../shared, with real samples, is not here")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cifar-100-python").symlink_to(sample.resolve(), target_is_directory=True)
    assert stage.existing(recipe, place) is None
    present = stage.run(recipe, place)
    assert (present.figures["samples"], present.fresh) == ("cifar100 test data", True)
    datasets._own.cache_clear()
