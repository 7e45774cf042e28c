"""Fine-tuning: the better of before and after is kept, by training samples that were held out, and it is said."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nonresnet_hls import recipe as recipes
from nonresnet_hls.cli import main
from nonresnet_hls.networks import saved
from nonresnet_hls.pipeline import finetune, runner
from nonresnet_hls.pipeline import quantize as stage
from nonresnet_hls.pipeline import train as training
from nonresnet_hls.pipeline.workspace import Workspace
from tests.tiny import RECIPE
from tests.training.test_fit import data

NETWORK = """
[architecture]
family = "keras"
file = "{}.keras"
[dataset]
name = "npz"
file = "{}.npz"
input_type = "ufixed<5,1>"
[quantization]
epochs = 2
batch_size = 8
learning_rate = {}
"""


def _write_network(path: Path, knows: bool) -> None:
    """A network that tells the squares apart by their place, or one of random weights."""
    from tensorflow import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1), name="image")
    dense = keras.layers.Dense(3, name="logits")
    model = keras.Model(image, dense(keras.layers.Flatten()(image)))
    if knows:
        rows = np.repeat(np.arange(8), 8)
        dense.set_weights([(rows[:, None] // 2 == np.arange(3)).astype(np.float32) / 2, np.zeros(3)])
    saved.save(model, path)


def _squares(path: Path, test_labels: Any = None, noisy: bool = False) -> None:
    squares = data(120)
    y, y_test = squares.y_train.copy(), squares.y_train[:40] if test_labels is None else test_labels
    if noisy:
        y[::3] = (y[::3] + 1) % 3
    np.savez(path, x_train=squares.x_train[40:], y_train=y[40:], x_test=squares.x_train[:40], y_test=y_test)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    _squares(tmp_path / "models" / "squares.npz")
    _squares(tmp_path / "models" / "noisy.npz", noisy=True)
    for name, rate in {"worse": 30.0, "better": 1e-2}.items():
        _write_network(tmp_path / "models" / f"{name}.keras", knows=name == "worse")
        data_file = "noisy" if name == "worse" else "squares"
        (tmp_path / "models" / f"{name}.toml").write_text(NETWORK.format(name, data_file, rate))
    (tmp_path / "models" / "not.toml").write_text('extends = "worse"\n[quantization]\nepochs = 0\n')
    return Workspace()


def _quantized(capsys: pytest.CaptureFixture[str], name: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["quantize", name, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    return dict(found)


def test_weights_that_fine_tuning_makes_worse_are_not_kept(
    place: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    found = _quantized(capsys, "worse")
    judged = found["fine_tuning"]
    assert judged["samples"] == 8
    assert judged["top1_after"] <= judged["top1_before"]
    assert judged["loss_after"] > judged["loss_before"]
    assert (judged["kept"], found["weights"]) == ("before", "trained, as before a fine-tuning that made them no better")
    # They are what they would be without it, in every bit.
    without = _quantized(capsys, "not")
    one, other = (saved.load(Path(made["artefact"]) / stage.MODEL) for made in (found, without))
    assert all((a == b).all() for a, b in zip(one.get_weights(), other.get_weights(), strict=True))
    assert found["top1_quantized"] == without["top1_quantized"]
    assert without["fine_tuning"] is None
    # It is said where people look, and in the artefact.
    assert main(["quantize", "worse"]) == 0
    line = "8 training samples that were held out: the weights from before are kept\n"
    told = capsys.readouterr().out
    assert told.endswith(line)
    assert f"  fine-tuning: top-1 {judged['top1_before']:.2%} before and {judged['top1_after']:.2%} after on " in told
    folder = place.artefact("worse", finetune.STAGE)
    metrics = json.loads((folder / training.METRICS).read_text())
    assert (metrics["kept"], metrics["top1"]) == ("before", found["top1_quantized"])
    assert main(["eval", "worse"]) == 0


def test_weights_that_fine_tuning_makes_better_are_kept(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    found = _quantized(capsys, "better")
    judged = found["fine_tuning"]
    assert (judged["kept"], found["weights"]) == ("after", "trained")
    assert judged["loss_after"] < judged["loss_before"]
    tuned = runner.load(place.artefact("better", finetune.STAGE))
    assert tuned is not None
    assert finetune.validation(tuned) == finetune.Validation(
        **{key: value for key, value in judged.items() if key not in ("kept", "said")}
    )
    # It sees the images as the training does: jittered and mixed where that says so, and is another one then.
    file, network = place.models / "better.toml", training.network(place.recipe("better"), place)
    for keys, same in (
        ("jitter = 0.0\nmixup = 0.0\nmixup_tail = 0\n", True),
        ("jitter = 0.4", False),
        ("mixup = 0.2", False),
    ):
        file.write_text(NETWORK.format("better", "squares", 1e-2) + f"[training]\nepochs = 0\n{keys}\n")
        recipe = place.recipe("better")
        found_so = finetune.existing(recipe, dataclasses.replace(network, recipe=recipe), place)
        assert (found_so is not None) is same


def test_the_test_samples_decide_nothing(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    made = {}
    for labels in (None, np.arange(40) % 3):
        _squares(place.models / "squares.npz", labels)
        found = _quantized(capsys, "better")
        made[labels is None] = (found["fine_tuning"], found["top1_quantized"])
        weights = saved.load(place.artefact("better", finetune.STAGE) / training.MODEL).get_weights()
        made[labels is None] += (b"".join(value.tobytes() for value in weights),)
    assert made[True][0] == made[False][0]
    assert made[True][2] == made[False][2]
    assert made[True][1] != made[False][1]


def test_a_model_of_the_users_own_is_fine_tuned_gently_unless_its_recipe_says(tmp_path: Path) -> None:
    def rate(text: str) -> float:
        (tmp_path / "mine.toml").write_text(text)
        return recipes.load(str(tmp_path / "mine.toml"), tmp_path).quantization.learning_rate

    eight = RECIPE.replace("weight_bits = 4\nactivation_bits = 4\n", "")
    assert rate(eight) == 1e-5
    assert rate(eight.replace("[quantization]", "[quantization]\nlearning_rate = 1e-3")) == 1e-3
    assert rate(eight.partition("[quantization]")[0]) == 1e-5
    assert rate(RECIPE) == 1e-3  # few bits need more
    assert recipes.load("resnet8", tmp_path).quantization.learning_rate == 1e-3
    assert recipes.load("resnet20", tmp_path).quantization.learning_rate == 1e-4


@pytest.mark.parametrize("folder", sorted(recipes.BUILT_IN.glob("*/finetune")), ids=lambda folder: folder.parent.name)
def test_what_ships_fine_tuned_is_up_to_date(folder: Path, tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    recipe = place.recipe(folder.parent.name)
    network = training.network(recipe, place, may_train=False)
    found = finetune.existing(recipe, network, place)
    assert found is not None
    assert found.directory == folder
    assert finetune.validation(found) is None or found.figures["kept"] in ("before", "after")
