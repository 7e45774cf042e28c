"""Models with several inputs and outputs, and other data than classes, through the commands."""

import json
from pathlib import Path

import numpy as np
import pytest
from tensorflow import keras

from nonresnet_hls import cli
from nonresnet_hls.networks import saved

layers = keras.layers
RECIPE = """
[architecture]
family = "keras"
file = "own.keras"
[dataset]
name = "npz"
file = "own.npz"
[dataset.input_types]
angle = "fixed<6,1>"
image = "ufixed<4,0>"
[quantization]
epochs = 0
[csim]
samples = 4
"""
TRAINED = """
[training]
epochs = 1
[training.losses]
box = "huber"
mask = "binary_cross_entropy"
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe of a model with two inputs and three outputs."""
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(0)
    image, angle = keras.Input((4, 4, 1), name="image"), keras.Input((3,), name="angle")
    mask = layers.Conv2D(2, 3, padding="same", activation="sigmoid", name="mask")(image)
    x = layers.Flatten()(layers.MaxPooling2D(2)(layers.Conv2D(2, 3, padding="same", activation="relu")(image)))
    x = layers.Concatenate()([x, layers.Dense(4, activation="relu")(angle)])
    kind = layers.Dense(3, activation="softmax", name="kind")(x)
    model = keras.Model([image, angle], [kind, layers.Dense(2, name="box")(x), mask], name="own")
    saved.save(model, Path("own.keras"))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 16, (40, 4, 4, 1)) / 16
    np.savez(
        "own.npz", image=images, angle=rng.integers(-32, 32, (40, 3)) / 32, kind=rng.integers(0, 3, 40),
        box=rng.normal(0, 1, (40, 2)), mask=np.concatenate([images > 0.5, images > 0.7], axis=-1),
    )  # fmt: skip
    Path("own.toml").write_text(RECIPE)
    return tmp_path


@pytest.mark.nightly
def test_several_inputs_and_outputs_go_through_the_commands(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["csim", "own.toml", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["equal"]
    assert found["emulated_different"] == 0
    assert found["values"] == 2 * 22 * (3 + 2 + 32)
    assert found["worth"] is None
    metrics = {one["name"]: one["worth"]["metric"] for one in found["outputs"]}
    assert metrics == {"kind": "top-1", "box": "error of targets", "mask": "accuracy"}
    assert sum(one["values"] for one in found["outputs"]) == 22 * 37
    assert cli.main(["csim", "own.toml", "--jobs", "2", "--samples", "8"]) == 0
    assert "output box: equal, 104 values" in capsys.readouterr().out
    assert cli.main(["emulate", "own.toml"]) == 0
    told = capsys.readouterr().out
    assert "296 values, equal; compared with: " in told
    assert "output kind: 24 values, equal, 0 predictions differ; top-1 of the hardware: " in told
    assert cli.main(["emulate", "own.toml", "--samples", "5", "--outputs", "all.npz"]) == 0
    capsys.readouterr()
    written = np.load("all.npz")
    assert {name: written[name].shape for name in written} == {"kind": (5, 3), "box": (5, 2), "mask": (5, 4, 4, 2)}
    given = np.load("own.npz")
    test = {name: given[name][4::5][:5] for name in ("angle", "image")}
    np.savez("in.npz", **test)
    assert cli.main(["emulate", "hls_projects/own", "--inputs", "in.npz", "--outputs", "again.npz"]) == 0
    again = np.load("again.npz")
    for one, other in zip(written.values(), again.values(), strict=True):
        assert (one.reshape(5, -1) == other.reshape(5, -1)).all()
    capsys.readouterr()
    assert cli.main(["emulate", "hls_projects/own", "--inputs", "in.npz", "--outputs", "all.npy"]) == 2
    assert "all.npy: a .npz file wanted for 3 outputs" in capsys.readouterr().err
    np.savez("in.npz", image=test["image"])
    assert cli.main(["emulate", "hls_projects/own", "--inputs", "in.npz"]) == 2
    assert "in.npz: an array for input angle wanted, not image" in capsys.readouterr().err
    assert cli.main(["fifos", "own.toml", "--prove"]) == 0
    assert "proof holds" in capsys.readouterr().out


@pytest.mark.nightly
def test_several_outputs_are_trained_and_fine_tuned(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("own.toml").write_text(RECIPE.replace("epochs = 0", "epochs = 1") + TRAINED)
    assert cli.main(["train", "own.toml", "--json"]) == 0
    (trained,) = json.loads(capsys.readouterr().out)
    assert set(trained["metrics"]) == {"kind:top1", "box:mean_absolute_error", "mask:accuracy", "loss"}
    header = Path("models/own/train/curve.csv").read_text().splitlines()[0]
    assert header == (
        "phase,epoch,learning_rate,loss,seconds,test_kind:top1,test_box:mean_absolute_error,test_mask:accuracy,test_loss"
    )
    assert cli.main(["quantize", "own.toml", "--json"]) == 0
    (tuned,) = json.loads(capsys.readouterr().out)
    assert tuned["fine_tuning"]["top1_before"] is None
    assert tuned["fine_tuning"]["loss_after"] > 0


def test_inputs_that_are_not_those_of_the_model_are_refused(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("own.toml").write_text(RECIPE.replace('angle = "fixed<6,1>"\n', ""))
    assert cli.main(["quantize", "own.toml"]) == 2
    assert (
        "own.keras: dataset.input_types wanted, with a type for each of its inputs (image, angle), not one input_type"
        in (capsys.readouterr().err)
    )
    Path("own.toml").write_text(RECIPE.replace("angle =", "box ="))
    assert cli.main(["quantize", "own.toml"]) == 2
    assert "own.npz: box[" in capsys.readouterr().err
    Path("own.toml").write_text(RECIPE.replace("[dataset.input_types]", "[dataset.input_types]\n[dataset.input_kinds]"))
    assert cli.main(["quantize", "own.toml"]) == 2
    Path("own.toml").write_text(RECIPE.replace('file = "own.npz"', 'file = "own.npz"\ninput_type = "ufixed<8,0>"'))
    assert cli.main(["quantize", "own.toml"]) == 2
    assert "dataset.input_type: none beside input_types wanted, not " in capsys.readouterr().err
