"""Bad input on the command line: one line that says what, status 2, no traceback."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nonresnet_hls import cli
from nonresnet_hls.pipeline import runner
from tests.tiny import RECIPE, write_model


def _refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which a command ends at status 2."""
    capsys.readouterr()
    assert cli.main(list(arguments)) == 2
    captured = capsys.readouterr()
    # Progress is on stderr, too; the error is the last line and the only one of its kind.
    lines = [line for line in captured.err.splitlines() if line.startswith("nonresnet-hls: ")]
    assert captured.err.splitlines()[-1:] == lines
    assert "Traceback" not in captured.err
    return lines[0].removeprefix("nonresnet-hls: ")


COMMANDS = ["train", "quantize", "convert", "csim", "synth", "table2"]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_recipe(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = _refused(capsys, command, "resnett8", "--workspace", str(tmp_path))
    assert line.startswith("recipe 'resnett8': no ")
    assert "did you mean" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["convert", "csim"])
def test_no_recipe_at_all(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _refused(capsys, command).startswith("no recipe named; ")


@pytest.mark.parametrize(
    ("engine", "option"), [("rtl", "--cosim"), ("vendor", "--simulate"), ("vendor", "--target=xc7")]
)
def test_an_option_of_the_other_engine(engine: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = {"rtl": "vendor", "vendor": "rtl"}[engine]
    wanted = f"{option.split('=')[0]}: an option of the {other} engine, not of the {engine} engine"
    assert _refused(capsys, "synth", "resblock", "--engine", engine, option) == wanted
    assert _refused(capsys, "synth", "resblock", "--cosim", "--flat").startswith("--flat: an option of the rtl engine")


def test_a_vendors_option_asks_for_the_vendor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert _refused(capsys, "synth", "resblock", "--cosim").startswith("vivado_hls: not on PATH")


RECIPES = {
    "mistyped key": ("[hls]", "[hls]\nclok_ns = 1", "unknown key 'hls.clok_ns'; did you mean 'clock_ns'?"),
    "wrong type": ("weight_bits = 4", "weight_bits = '4'", "quantization.weight_bits: an integer wanted, not '4'"),
    "part out of Tcl": ("xcu250-figd2104-2L-e", "x; exec ls", "hls.part: letters, digits, '-', '.' and '_' wanted"),
    "name out of C++": ("title =", "name = 'Tiny;'\ntitle =", "name: lower-case letters and digits"),
}


@pytest.mark.parametrize("case", RECIPES)
@pytest.mark.parametrize("command", ["convert", "table2"])
def test_a_bad_recipe(case: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, wanted = RECIPES[case]
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE.replace(old, new, 1))
    line = _refused(capsys, command, str(path), "--workspace", str(tmp_path))
    assert line.startswith(f"{path}: {wanted}")


def _converted(folder: Path, capsys: pytest.CaptureFixture[str], model: Any, recipe: str = RECIPE) -> str:
    from nonresnet_hls.networks import saved

    saved.save(model, folder / "models" / "tiny-net.keras")
    (folder / "models" / "tiny.toml").write_text(recipe)
    return _refused(capsys, "convert", "tiny")


def _body(layer: Any, name: str = "image") -> Any:
    from tensorflow import keras

    image = keras.Input((4, 4, 2), name=name)
    x = layer(keras.layers.Conv2D(2, 3, name="conv")(image))
    return keras.Model(image, keras.layers.Dense(3, name="logits")(keras.layers.Flatten()(x)), name="user")


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda layers: layers.Conv2DTranspose(2, 3, name="odd"), "layer odd: Conv2DTranspose cannot be quantized"),
        (lambda layers: layers.LayerNormalization(name="odd"), "layer odd: LayerNormalization cannot be quantized"),
        (lambda layers: layers.Softmax(name="odd"), "layer odd: softmax wanted at the end only"),
        (lambda layers: layers.Activation("gelu", name="odd"), "layer odd: activation relu, "),
        (lambda layers: layers.ReLU(threshold=0.5, name="odd"), "layer odd: activation relu, "),
        (lambda layers: layers.AveragePooling2D(2, 1, name="odd"), "layer odd: strides (2, 2) as the size of the pool"),
        (
            lambda layers: layers.Conv2D(2, 1, activation="selu", name="odd"),
            "layer odd: activation relu, ",
        ),
    ],
)
def test_a_layer_that_cannot_be_taken(make: Any, wanted: str, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tensorflow import keras

    assert _converted(tiny, capsys, _body(make(keras.layers))).startswith(wanted)


def test_a_reserved_layer_name_gives_way(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tensorflow import keras

    from nonresnet_hls.networks import saved

    saved.save(_body(keras.layers.ReLU(), name="input"), tiny / "models" / "tiny-net.keras")
    assert cli.main(["convert", "tiny"]) == 0
    assert "layer 'input' is called " in capsys.readouterr().err


@pytest.mark.parametrize("strategy", ["latency", "resource"])
def test_a_reuse_factor_that_does_not_fit(strategy: str, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = RECIPE.replace("[hls]", f'[hls]\nreuse_factors = {{ logits = 7 }}\nstrategy = "{strategy}"')
    (tiny / "models" / "tiny.toml").write_text(recipe)
    line = _refused(capsys, "convert", "tiny")
    nearest = 6
    assert line == (
        f"layer logits: reuse factor 7 does not fit 2x3 weights with strategy {strategy}; the nearest that does is"
        f" {nearest}"
    )


def test_a_reuse_factor_for_no_layer(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tiny / "models" / "tiny.toml").write_text(RECIPE.replace("[hls]", "[hls]\nreuse_factors = { logit = 1 }"))
    assert _refused(capsys, "convert", "tiny") == (
        "hls.reuse_factors.logit: a layer with weights wanted, one of conv, logits"
    )


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize("file", ["model.keras", "samples.npz", "stage.json"])
def test_a_corrupt_artefact(file: str, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny / "models" / "tiny" / "quantize" / file
    _truncate(path)
    line = _refused(capsys, "csim", "tiny")
    assert str(Path("models", "tiny", "quantize", file)) in line
    assert "delete models/tiny/quantize to have it made anew" in line


@pytest.mark.parametrize("file", ["tiny-net.keras", "tiny-data.npz"])
@pytest.mark.parametrize("damage", ["truncated", "missing", "text"])
def test_a_damaged_file_of_the_users(file: str, damage: str, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny / "models" / file
    if damage == "missing":
        path.unlink()
    elif damage == "text":
        path.write_text("no model")
    else:
        _truncate(path)
    assert file in _refused(capsys, "convert", "tiny")


_X = np.zeros((40, 4, 4, 2), np.float32)
_Y = np.zeros(40, int)


@pytest.mark.parametrize(
    ("arrays", "wanted"),
    [
        ({"y": _Y}, "x_train and x_test (or x), with y_train and y_test (or y) where there are labels, wanted, not y"),
        ({"x": _X, "y": _Y[1:]}, "y: 40 labels wanted, not int64 (39,)"),
        ({"x": _X + np.nan, "y": _Y}, "values in 0..15/16 (ufixed<4,0>) wanted, not nan"),
        ({"x": _X + 4 / 3, "y": _Y}, "values in 0..15/16 (ufixed<4,0>) wanted, not 1.333"),
        ({"x": _X[:, :3], "y": _Y}, "(3, 4, 2) wanted, as the data has, not (4, 4, 2)"),
    ],
    ids=["no x", "fewer y", "nan", "beyond the type", "other shape"],
)
def test_data_that_do_not_fit(
    arrays: dict[str, Any], wanted: str, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tiny / "models" / "tiny-data.npz", **arrays)
    assert wanted in _refused(capsys, "convert", "tiny")


@pytest.mark.parametrize("training", ["", "[training]\non_demand = false\n"], ids=["", "not trained"])
@pytest.mark.parametrize("key", ["y", "y_test"])
def test_labels_that_the_model_has_no_class_for(
    key: str, training: str, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = np.arange(40) % 3
    wrong = np.where(labels == 2, 12, labels)
    arrays = {"x": _X, "y": wrong}
    if key == "y_test":
        arrays = {"x_train": _X, "y_train": labels, "x_test": _X, "y_test": wrong}
    np.savez(tiny / "models" / "tiny-data.npz", **arrays)
    (tiny / "models" / "tiny.toml").write_text(RECIPE + training)
    line = _refused(capsys, "quantize", "tiny")
    assert line == f"models/tiny-data.npz: {key}: labels 0..2 wanted, since model tiny has 3 classes, not 12"


def test_data_that_are_no_images_for_a_network_of_ours(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tiny / "models" / "tiny-data.npz", x=_X[:, 0, 0], y=_Y)
    ours = RECIPE.replace('family = "keras"\nfile = "tiny-net.keras"', 'family = "resnet"\nskips = "short"')
    (tiny / "models" / "tiny.toml").write_text(ours)
    line = _refused(capsys, "quantize", "tiny")
    assert line.endswith("images (height, width, channels) wanted, not resnet and data of shape (2,)")


@pytest.mark.parametrize("command", ["distill", "quantize", "table1"])
def test_a_distillation_that_starts_from_itself(command: str, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tiny / "models" / "tiny.toml").write_text(RECIPE + '[distillation]\nstart = "tiny-vitis"\n')
    assert _refused(capsys, command, "tiny") == (
        "recipe tiny: distillation.start: leads back to itself, over tiny -> tiny-vitis -> tiny-vitis"
    )


@pytest.mark.parametrize("role", ["start", "teacher"])
def test_a_distillation_from_a_network_of_other_images(
    role: str, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = RECIPE.split("[quantization]")[0].replace("tiny-net", "other-net").replace("tiny-data", "other-data")
    np.savez(tiny / "models" / "other-data.npz", x=np.zeros((8, 4, 6, 2), np.float32), y=np.arange(8) % 3)
    (tiny / "models" / "other.toml").write_text(other + "[training]\nepochs = 0\n")
    _write_residual(tiny / "models" / "other-net.keras", (4, 6, 2))
    _write_residual(tiny / "models" / "tiny-net.keras", (4, 4, 2))
    (tiny / "models" / "alike.toml").write_text('extends = "tiny"\n[training]\nepochs = 0\n')
    keys = {"start": 'start = "other"', "teacher": 'start = "alike"\nteacher = "network"\nnetwork = "other"'}
    (tiny / "models" / "student.toml").write_text(f'extends = "tiny"\n[distillation]\n{keys[role]}\n')
    line = _refused(capsys, "distill", "student")
    assert "input of shape (4, 4, 2) wanted, as the data has, not (4, 6, 2)" in line


def _write_residual(path: Path, shape: tuple[int, ...]) -> None:
    from tensorflow import keras

    from nonresnet_hls.networks import saved

    image = keras.Input(shape)
    x = keras.layers.Conv2D(2, 3, padding="same")(image)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()([x, image]))
    saved.save(keras.Model(image, keras.layers.Dense(3)(x)), path)


def test_a_training_that_diverges(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tiny / "models" / "tiny.toml").write_text(RECIPE + "[training]\nepochs = 2\nlearning_rate = 1e300\n")
    line = _refused(capsys, "train", "tiny")
    assert line == "tiny: diverged in epoch 1: not all weights are finite; a learning rate below 1e+300 wanted"


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e38])
def test_a_model_whose_outputs_are_no_numbers(value: float, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from nonresnet_hls.networks import saved

    path = tiny / "models" / "tiny-net.keras"
    model = saved.load(path)
    conv = model.get_layer("conv")
    conv.set_weights([np.full_like(weights, value) for weights in conv.get_weights()])
    saved.save(model, path)
    assert _refused(capsys, "quantize", "tiny") in [
        f"layer conv: finite outputs wanted, not {odd}" for odd in ("nan", "inf")
    ]


@pytest.mark.parametrize(
    ("command", "artefact"),
    [("table2", "hls_projects/tiny"), ("quantize", "models/tiny/quantize"), ("csim", "models/tiny/csim")],
)
def test_figures_that_another_version_left(
    command: str, artefact: str, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny / artefact / runner.RECORD
    record = json.loads(path.read_text()) | {"figures": {}}
    del record["seal"]  # as records were before they had one
    path.write_text(json.dumps(record))
    line = _refused(capsys, command, "tiny")
    assert line.startswith(f"{artefact}/stage.json: no figure ")
    assert line.endswith(f"; delete {artefact} to have it made anew")


@pytest.mark.parametrize("content", ["[]", "{}", '{"format": 1, "top1": 0.5}'])
def test_metrics_that_train_did_not_write(content: str, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tiny / "models" / "tiny" / "train"
    (folder / "metrics.json").write_text(content)
    record = json.loads((folder / runner.RECORD).read_text())
    record["outputs"]["metrics.json"] = runner.file_digest(folder / "metrics.json")
    del record["seal"]
    (folder / runner.RECORD).write_text(json.dumps(record))
    assert _refused(capsys, "train", "tiny").startswith("models/tiny/train/metrics.json: not what `train` writes: ")


@pytest.mark.parametrize("name", ["tables", "tables/table2.txt"])
def test_what_stands_where_a_table_is_written(name: str, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if name == "tables":
        (tiny / name).write_text("mine")
    else:
        (tiny / name).mkdir(parents=True)
    assert _refused(capsys, "table2", "tiny").startswith("tables")
    assert (tiny / name).exists()


@pytest.mark.parametrize("command", ["table2", "report", "fifos", "skips"])
def test_a_name_that_no_file_can_have(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = "none built in; see 'nonresnet-hls models'" if command == "table2" else ": File name too long"
    assert _refused(capsys, command, "a" * 5000).endswith(told)


def test_a_model_that_holds_code(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny / "models" / "tiny-net.keras"
    write_model(path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["config.json"] = files["config.json"].replace(b'"class_name": "ReLU"', b'"class_name": "Lambda"')
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    assert "layer 'relu' is a Lambda: it holds code" in _refused(capsys, "convert", "tiny")


def test_a_project_that_the_user_changed_is_not_overwritten(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tiny / "hls_projects" / "tiny" / "firmware" / "myproject.cpp"
    source.write_text(source.read_text() + "// mine\n")
    assert "myproject.cpp: changed since stage convert wrote it" in _refused(capsys, "convert", "tiny")
    assert source.read_text().endswith("// mine\n")
    assert runner.RECORD in {path.name for path in source.parent.parent.iterdir()}


def test_the_program_itself_ends_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nonresnet_hls", "convert", "nowhere.toml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": str(Path(cli.__file__).parent.parent.parent), "PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nonresnet-hls: nowhere.toml: no such recipe file\n"


def test_json_is_read_back(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["convert", "tiny", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["project"] == "hls_projects/tiny"
    assert {factor["layer"] for factor in found["reuse_factors"]} == {"conv", "logits"}


@pytest.mark.parametrize("skip", [False, True])
def test_skips_to_remove_where_none_can_be(skip: bool, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tensorflow import keras

    from nonresnet_hls.networks import saved

    image = keras.Input((4, 4, 2))
    x = keras.layers.Conv2D(2, 3, padding="same")(image)
    x = keras.layers.Concatenate(name="joined")([x, image]) if skip else x
    x = keras.layers.Dense(3)(keras.layers.Flatten()(x))
    saved.save(keras.Model(image, x), tiny / "models" / "tiny-net.keras")
    (tiny / "models" / "tiny.toml").write_text(RECIPE.replace("[dataset]", "remove_skips = true\n[dataset]"))
    got = "0 of 1: skip 1 into 'joined' stays: it joins at a Concatenate: " if skip else "a model without skips"
    wanted = "models/tiny-net.keras: remove_skips: a skip that can be removed wanted, not "
    assert _refused(capsys, "train", "tiny").startswith(wanted + got)
