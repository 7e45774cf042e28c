"""Recipe to trained network, through the commands."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nonresnet_hls import networks, skips
from nonresnet_hls.cli import main
from nonresnet_hls.networks import saved
from nonresnet_hls.pipeline import train as stage
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Dataset, DatasetName, SkipStyle
from nonresnet_hls.training import datasets
from tests import tiny
from tests.training.test_fit import data, same

START = """
[architecture]
family = "resnet"
skips = "short"
filters = [4, 4]
blocks_per_group = 1
[dataset]
name = "npz"
file = "squares.npz"
input_type = "ufixed<5,1>"
[training]
epochs = 2
batch_size = 8
"""
END = """
extends = "short"
[architecture]
skips = "plain"
[distillation]
start = "short"
"""


@pytest.fixture
def workspace(tmp_path):
    place = Workspace(tmp_path)
    place.models.mkdir()
    squares = data()
    np.savez(place.models / "squares.npz", x=squares.x_train, y=squares.y_train)
    for name, text in {"short": START, "plain": END}.items():
        (place.models / f"{name}.toml").write_text(text)
    return place


def command(workspace, capsys, *arguments):
    status = main([*arguments, "--workspace", str(workspace.root), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_from_recipe_to_network_and_back(workspace, capsys):
    status, (figures,) = command(workspace, capsys, "distill", "plain")
    assert status == 0
    assert (figures["epochs"], figures["test_samples"], figures["format"]) == (4, 9, 1)
    assert [phase["removed_skips"] for phase in figures["phases"]] == [[1], [1, 2]]
    folder = workspace.artefact("plain", "train")
    model = saved.load(folder / "model.keras")
    assert skips.find(model) == ()
    assert json.loads((folder / "metrics.json").read_text())["top1"] == figures["top1"]
    with (folder / "curve.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["phase"], row["epoch"]) for row in rows] == [
        (f"phase {phase} of 2", str(epoch)) for phase in (1, 2) for epoch in (1, 2)]  # fmt: skip
    assert (folder / "curve.svg").read_text().startswith("<?xml")
    assert list((workspace.models / "plain" / "checkpoints").iterdir()) == []
    # Nothing has changed: nothing is done.
    before = (folder / "stage.json").stat().st_mtime_ns
    assert command(workspace, capsys, "train", "plain", "short")[0] == 0
    assert (folder / "stage.json").stat().st_mtime_ns == before
    # What is on disk gives the accuracy that was recorded.
    status, (row,) = command(workspace, capsys, "eval", "plain")
    assert (status, row["top1"], row["equal"]) == (0, figures["top1"], True)
    network = stage.network(workspace.recipe("plain"), workspace)
    assert network.how is stage.How.TRAINED


def test_another_teacher_is_another_training(workspace, capsys):
    for name in ("residual", "short"):
        text = START.replace("epochs = 2", "epochs = 0").replace("squares.npz", str(workspace.models / "squares.npz"))
        text = text.replace('"short"', '"residual"') if name == "residual" else text
        (workspace.models / f"{name}.toml").write_text(text)
    (workspace.models / "plain.toml").write_text(END + 'teacher = "network"\nnetwork = "residual"\n')
    command(workspace, capsys, "distill", "plain")
    assert stage.existing(workspace.recipe("residual"), workspace) is not None
    assert stage.existing(workspace.recipe("plain"), workspace) is not None
    with (workspace.models / "residual.toml").open("a") as stream:
        stream.write("seed = 1\n")
    assert stage.existing(workspace.recipe("plain"), workspace) is None


@pytest.mark.nightly
def test_the_teacher_can_be_a_network_of_its_own(workspace, capsys):
    (workspace.models / "residual.toml").write_text('extends = "short"\n[architecture]\nskips = "residual"\n')
    (workspace.models / "plain.toml").write_text(END + 'teacher = "network"\nnetwork = "residual"\n')
    command(workspace, capsys, "distill", "plain")
    taught = saved.load(workspace.artefact("plain", "train") / "model.keras")
    assert stage.existing(workspace.recipe("residual"), workspace) is not None
    assert stage.existing(workspace.recipe("plain"), workspace) is not None
    # Another teacher, another network.
    with (workspace.models / "residual.toml").open("a") as stream:
        stream.write("[training]\nseed = 1\n")
    assert stage.existing(workspace.recipe("plain"), workspace) is None
    command(workspace, capsys, "distill", "plain")
    assert not same(taught, saved.load(workspace.artefact("plain", "train") / "model.keras"))


def test_a_changed_recipe_trains_anew_and_a_new_precision_does_not(workspace, capsys):
    command(workspace, capsys, "train", "short")
    first = stage.existing(workspace.recipe("short"), workspace)
    (workspace.models / "short-w16a16.toml").write_text('extends = "short"\n[quantization]\nweight_bits = 16\n')
    assert stage.existing(workspace.recipe("short-w16a16"), workspace) == first
    path = workspace.models / "short.toml"
    path.write_text(path.read_text().replace("epochs = 2", "epochs = 1"))
    assert stage.existing(workspace.recipe("short"), workspace) is None


def test_a_recipe_is_the_same_by_name_and_by_path(workspace, capsys, tmp_path, monkeypatch):
    command(workspace, capsys, "train", "short")
    monkeypatch.chdir(tmp_path)
    found = [
        stage.existing(Workspace(Path(root)).recipe(name), Workspace(Path(root)))
        for root in (".", str(tmp_path))
        for name in ("short", "models/short.toml", str(workspace.models / "short.toml"))
    ]
    assert len({artefact and artefact.digest for artefact in found}) == 1
    assert found[0] is not None
    # Nor are other data under the same name the same.
    squares = data(samples=40)
    np.savez(workspace.models / "squares.npz", x=squares.x_train, y=squares.y_train)
    assert stage.existing(workspace.recipe("short"), workspace) is None


@pytest.mark.parametrize("epochs", [0, pytest.param(2, marks=pytest.mark.nightly)])
def test_a_start_network_that_comes_to_the_same_weights_again_changes_nothing(workspace, capsys, epochs):
    (workspace.models / "short.toml").write_text(START.replace("epochs = 2", f"epochs = {epochs}"))
    command(workspace, capsys, "distill", "plain")
    shutil.rmtree(workspace.artefact("short", "train"))
    assert stage.existing(workspace.recipe("plain"), workspace) is None
    command(workspace, capsys, "train", "short")  # in other seconds
    assert stage.existing(workspace.recipe("plain"), workspace) is not None


def test_a_long_training_outlives_a_change_of_its_recipe(workspace, capsys, monkeypatch):
    command(workspace, capsys, "train", "short")
    before = (workspace.artefact("short", "train") / "model.keras").read_bytes()
    path = workspace.models / "short.toml"
    monkeypatch.setattr(stage, "_LONG_S", 0)
    path.write_text(path.read_text().replace("epochs = 2", "epochs = 0"))
    command(workspace, capsys, "train", "short")
    assert (workspace.artefact("short", "train.kept-1") / "model.keras").read_bytes() == before
    assert stage.existing(workspace.recipe("short"), workspace) is not None


def test_what_is_not_trained_on_demand_is_untrained_and_seeded(workspace, capsys):
    path = workspace.models / "short.toml"
    path.write_text(path.read_text() + "on_demand = false\n")
    recipe = workspace.recipe("short")
    network = stage.network(recipe, workspace)
    assert network.how is stage.How.UNTRAINED
    one, other = network.load().get_weights(), stage.network(recipe, workspace).load().get_weights()
    assert all((a == b).all() for a, b in zip(one, other, strict=True))
    assert main(["eval", "short", "--workspace", str(workspace.root)]) == 2
    assert "not trained; run: nonresnet-hls train short" in capsys.readouterr().err


def test_a_model_of_the_users_own(workspace, capsys):
    saved.save(networks.resnet(SkipStyle.RESIDUAL, (8, 8, 1), 3, (4,), 1), workspace.models / "mine.keras")
    own = START.split("[dataset]")[1]
    text = '[architecture]\nfamily = "keras"\nfile = "mine.keras"\n[dataset]' + own
    (workspace.models / "own.toml").write_text(text)
    without = 'extends = "own"\n[architecture]\nremove_skips = true\n[distillation]\nstart = "own"\norder = "tail"\n'
    (workspace.models / "own-plain.toml").write_text(without)
    before = (workspace.models / "mine.keras").read_bytes()
    command(workspace, capsys, "distill", "own-plain")
    folder = workspace.artefact("own-plain", "train")
    assert skips.find(saved.load(folder / "model.keras")) == ()
    assert len(skips.find(saved.load(workspace.artefact("own", "train") / "model.keras"))) == 1
    assert (workspace.models / "mine.keras").read_bytes() == before


def test_no_epochs_leave_the_users_weights_as_they_are(workspace, capsys):
    model = networks.resnet(SkipStyle.RESIDUAL, (8, 8, 1), 3, (4,), 1, seed=9)
    saved.save(model, workspace.models / "mine.keras")
    own = START.split("[dataset]")[1].replace("epochs = 2", "epochs = 0")
    text = '[architecture]\nfamily = "keras"\nfile = "mine.keras"\n[dataset]' + own
    (workspace.models / "own.toml").write_text(text)
    status, (figures,) = command(workspace, capsys, "train", "own")
    assert (status, figures["epochs"]) == (0, 0)
    assert same(saved.load(workspace.artefact("own", "train") / "model.keras"), model)


def test_weights_that_a_recipe_ships_with_are_used_in_place(workspace, capsys, tmp_path, monkeypatch):
    text = (
        START.replace('"npz"', '"digits"').replace('file = "squares.npz"', "").replace('input_type = "ufixed<5,1>"', "")
    )
    (workspace.models / "shipped.toml").write_text(text.replace("epochs = 2", "epochs = 0"))
    command(workspace, capsys, "train", "shipped")
    monkeypatch.setattr(stage.recipe, "BUILT_IN", workspace.models)
    elsewhere = Workspace(tmp_path / "elsewhere")
    elsewhere.models.mkdir(parents=True)
    (elsewhere.models / "shipped.toml").write_bytes((workspace.models / "shipped.toml").read_bytes())
    found = stage.train(elsewhere.recipe("shipped"), elsewhere)
    assert (found.directory, found.fresh) == (workspace.artefact("shipped", "train"), False)
    assert list(elsewhere.models.iterdir()) == [elsewhere.models / "shipped.toml"]


def test_data_of_the_same_kind_can_be_evaluated_on(workspace, capsys):
    text = START.replace("squares.npz", "digits.npz").replace("epochs = 2", "epochs = 0")
    (workspace.models / "like-digits.toml").write_text(text)
    digits = datasets.load(Dataset(DatasetName.DIGITS))
    np.savez(workspace.models / "digits.npz", x=digits.x_test, y=digits.y_test)
    command(workspace, capsys, "train", "like-digits")
    status, (row,) = command(workspace, capsys, "eval", "like-digits", "--dataset", "digits")
    assert (status, row["dataset"], row["test_samples"], row["equal"]) == (0, "digits", 360, None)


def test_a_folder_that_cannot_hold_logs_is_one_line(workspace, capsys, tmp_path):
    (tmp_path / "file").touch()
    assert main(["train", "short", "--workspace", str(workspace.root), "--tensorboard", str(tmp_path / "file")]) == 2
    assert f"nonresnet-hls: {tmp_path / 'file'}: File exists" in capsys.readouterr().err


def test_tensorboard_logs(workspace, capsys, tmp_path):
    command(workspace, capsys, "train", "short", "--tensorboard", str(tmp_path / "logs"))
    assert list((tmp_path / "logs" / "short" / "phase-1" / "train").glob("events.out.tfevents*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["distill", "short"], "a [distillation] table wanted"),
        (["eval", "short", "--dataset", "mnist"], "wanted, not 'mnist'"),
        (["eval", "short", "--dataset", "cifar10"], "one like npz wanted"),
    ],
)
def test_what_does_not_fit_is_one_line_and_status_2(workspace, capsys, arguments, message):
    assert main([*arguments, "--workspace", str(workspace.root)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("other", [pytest.param("blocks_per_group = 2", marks=pytest.mark.nightly), "filters = [4, 8]"])
def test_a_distilled_network_that_is_not_the_recipes_is_refused_before_it_is_trained(workspace, capsys, other):
    path = workspace.models / "plain.toml"
    path.write_text(path.read_text().replace('skips = "plain"', f'skips = "plain"\n{other}'))
    assert main(["distill", "plain", "--workspace", str(workspace.root)]) == 2
    error = capsys.readouterr().err
    assert "differ in layer" in error
    assert "plain, phase" not in error


@pytest.mark.parametrize("most_bytes", [pytest.param(500, marks=pytest.mark.nightly), 5000])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, most_bytes: int) -> None:
    models = tmp_path / "models"
    models.mkdir()
    tiny.write_model(models / "tiny-net.keras")
    tiny.write_data(models / "tiny-data.npz")
    training = "[training]\nepochs = 1\nbatch_size = 8\n[quantization]"
    (models / "tiny.toml").write_text(tiny.RECIPE.replace("[quantization]", training))
    program = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({most_bytes}, {most_bytes}))\n"
        "from nonresnet_hls.cli import main\n"
        "sys.exit(main(['train', 'tiny']))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "TF_CPP_MIN_LOG_LEVEL": "3"}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2, ran.stderr
    lines = [line for line in ran.stderr.splitlines() if not line.startswith(("[", "WARNING"))]
    assert lines == ["nonresnet-hls: models/tiny/checkpoints/phase-1.npz: File too large"]
    assert [path.name for path in tmp_path.rglob(".*") if not path.name.endswith(".lock")] == []
