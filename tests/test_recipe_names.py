"""One name, one recipe: a user's recipe that is called like a built-in one comes first everywhere, or is refused."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nonresnet_hls import recipe as recipes
from nonresnet_hls.cli import main
from nonresnet_hls.errors import RecipeError
from nonresnet_hls.pipeline import tables
from nonresnet_hls.pipeline import train as training
from nonresnet_hls.pipeline.workspace import Workspace
from tests.tiny import RECIPE, write_data, write_model

# Two that ship with float and with quantized weights.
SHIPPED, SIXTEEN_BITS = "resnet20", "resnet20-w16a16"


def _own(folder: Path, name: str, text: str = RECIPE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_model(folder / "tiny-net.keras")
    write_data(folder / "tiny-data.npz")
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    return Workspace(tmp_path)


@pytest.mark.parametrize("command", ["train", "eval", "quantize", "convert", "csim", "synth", "table1", "table2"])
def test_a_path_to_a_recipe_named_like_a_built_in_one_is_refused(
    command: str, place: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _own(place.root / "mine", SHIPPED)
    assert main([command, str(path)]) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"nonresnet-hls: {path}: name: one that no other recipe has wanted, not '{SHIPPED}' as ")
    assert line.count("\n") == 1
    assert not place.models.exists()
    # Another name is all that it takes.
    path.write_text('name = "mine"\n' + RECIPE)
    assert _json(capsys, "train", str(path))[0]["name"] == "mine"


def test_a_users_recipe_comes_first_everywhere(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    _own(place.models, SHIPPED)
    (trained,) = _json(capsys, "train", SHIPPED)
    assert trained["test_samples"] == 8
    _json(capsys, "convert", SHIPPED)
    kept = {path: path.read_bytes() for path in place.models.rglob("*") if path.is_file()}
    for rows in (_json(capsys, "table1", SHIPPED), _json(capsys, "table1")):
        (row,) = [row for row in rows if row["network"] == "Tiny"]
        assert (row["top1_percent_32_bit"], row["test_samples"]) == (100 * trained["top1"], 8)
        # Not what the 16 bits of the built-in network come to.
        assert (row["top1_percent_16_bit"], row["top1_percent_8_bit"]) == (None, None)
    assert {row["test_samples"] for row in _json(capsys, "eval", SHIPPED)} == {8}
    assert [row["design"] for row in _json(capsys, "table2")] == [SHIPPED]
    (listed,) = [one for one in _json(capsys, "models") if one["name"] == SHIPPED]
    assert listed["description"] == "a model of the user's own"
    assert Path(listed["file"]).resolve() == (place.models / f"{SHIPPED}.toml").resolve()
    assert kept == {path: path.read_bytes() for path in kept}


def test_what_a_built_in_recipe_extends_keeps_its_weights_apart(place: Workspace) -> None:
    assert place.recipe(SIXTEEN_BITS).trained_as == SHIPPED
    _own(place.models, SHIPPED)
    # The artefact of that name is the user's now.
    assert place.recipe(SIXTEEN_BITS).trained_as == SIXTEEN_BITS
    assert place.recipe(SHIPPED).trained_as == SHIPPED
    assert training.existing(place.recipe(SHIPPED), place) is None


def test_a_built_in_block_and_distillation_take_the_users_network(place: Workspace) -> None:
    _own(place.models, "resnet8")
    block = place.recipe("resblock")
    assert block.architecture.network == "resnet8"
    assert training.network(block, place, may_train=False).recipe == place.recipe("resnet8")


def test_in_models_a_recipe_is_called_as_its_file(place: Workspace) -> None:
    _own(place.models, "mine", f'name = "{SHIPPED}"\n' + RECIPE)
    with pytest.raises(RecipeError, match=rf"^\S+mine\.toml: name: 'mine' wanted, as the file .*, not '{SHIPPED}'$"):
        place.recipe("mine")


def test_two_recipes_of_one_name_in_one_command(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    one = _own(place.root / "one", "mine")
    other = _own(place.root / "other", "mine", RECIPE.replace("weight_bits = 4", "weight_bits = 8"))
    for command in ("train", "csim", "table1", "table2"):
        assert main([command, str(one), str(other)]) == 2
        assert f"{other}: name: another one wanted than {one} has, not 'mine'" in capsys.readouterr().err
    assert [recipe.name for recipe in place.load_recipes([str(one), str(one)])] == ["mine", "mine"]


def test_a_copy_of_a_built_in_recipe_is_that_recipe(place: Workspace, tmp_path: Path) -> None:
    copies = tmp_path / "checkout"
    copies.mkdir()
    for file in recipes.BUILT_IN.glob("*.toml"):
        (copies / file.name).write_bytes(file.read_bytes())
    found = place.recipe(str(copies / f"{SIXTEEN_BITS}.toml"))
    assert found == place.recipe(SIXTEEN_BITS)
    assert tables.table1(place, []) is not None


STUDENT = """
[architecture]
family = "resnet"
skips = "plain"
filters = [4]
blocks_per_group = 1
[dataset]
name = "npz"
file = "squares.npz"
input_type = "ufixed<5,1>"
[training]
epochs = 1
batch_size = 8
"""


@pytest.mark.parametrize(("role", "said"), [("start", "teacher"), ("network", "../nets/teacher.toml")])
def test_start_and_network_are_looked_up_beside_the_recipe(
    role: str, said: str, place: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    nets = place.root / "nets"
    nets.mkdir()
    untaught = STUDENT.replace("epochs = 1", "epochs = 0")
    short = untaught.replace('"plain"', '"short"')
    (nets / "teacher.toml").write_text(short)
    (nets / "begin.toml").write_text(short + "seed = 1\n")
    x = np.random.default_rng(0).integers(0, 17, (20, 8, 8, 1)) / 16
    np.savez(nets / "squares.npz", x=x, y=np.arange(20) % 3)
    names = {"start": f'start = "{said}"', "network": f'start = "begin"\nteacher = "network"\nnetwork = "{said}"'}
    (nets / "student.toml").write_text(untaught + f"[distillation]\n{names[role]}\n")
    student = str(nets / "student.toml")
    (first,) = _json(capsys, "distill", student)
    assert Path(first["artefact"]).resolve() == place.artefact("student", "train").resolve()
    # Where the recipes lie does not matter.
    nets.rename(place.root / "moved")
    again = str(place.root / "moved" / "student.toml").replace(str(place.root), ".")
    if said == "teacher":
        assert not training.train(place.recipe(again), place).fresh


def test_a_blocks_network_is_looked_up_beside_the_recipe(place: Workspace) -> None:
    nets = place.root / "nets"
    nets.mkdir()
    (nets / "own.toml").write_text('extends = "resnet8"\n[architecture]\nfilters = [4, 4, 4]\n')
    block = 'family = "block"\nskips = "residual"\nnetwork = "own"\n'
    (nets / "own-block.toml").write_text(f'[architecture]\n{block}[dataset]\nname = "digits"\n')
    network = training.network(place.recipe(str(nets / "own-block.toml")), place, may_train=False)
    assert network.recipe.architecture.filters == (4, 4, 4)


def test_extends_takes_a_path_relative_to_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "one.toml").write_text(STUDENT)
    (tmp_path / "two.toml").write_text('extends = "base/one.toml"\n')
    assert recipes.load(str(tmp_path / "two.toml"), tmp_path).architecture.filters == (4,)
    (tmp_path / "base" / "one.toml").write_text('extends = "../two.toml"\n')
    with pytest.raises(RecipeError, match=r"extends itself, over two -> one"):
        recipes.load(str(tmp_path / "two.toml"), tmp_path)


def test_make_has_no_two_rules_for_a_recipe_named_like_a_target(tmp_path: Path) -> None:
    makefile = Path(__file__).parent.parent / "Makefile"
    (tmp_path / "Makefile").write_bytes(makefile.read_bytes())
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    (tmp_path / "models").mkdir()
    for name in ("test", "mine"):
        (tmp_path / "models" / f"{name}.toml").write_text(RECIPE)
    done = subprocess.run(
        ["make", "-n", "test", "mine"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert "warning" not in done.stderr
    assert "pytest" in done.stdout
    assert "csim mine" in done.stdout
    assert "csim test" not in done.stdout
