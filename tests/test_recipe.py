"""Recipes: read, taken over from each other, and refused with the file and key named."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonresnet_hls import recipe as recipes
from nonresnet_hls.errors import RecipeError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.recipe import Backend, Dataset, DatasetName, Family, Recipe, SkipStyle, Strategy

BASE = """
[architecture]
family = "resnet"
skips = "residual"
[dataset]
name = "digits"
"""


def _load(folder: Path, text: str, name: str = "mine") -> Recipe:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return recipes.load(str(path), folder)


@pytest.mark.parametrize("name", recipes.names(Path("no such folder")))
def test_built_in_recipes_read(name: str, tmp_path: Path) -> None:
    found = recipes.load(name, tmp_path)
    assert found.name == name
    assert found.description
    if found.architecture.network is not None:
        network = recipes.load(found.architecture.network, tmp_path)
        assert network.architecture.skips is found.architecture.trained.skips
        assert network.dataset == found.dataset


def test_built_in_recipes_are_all_that_the_project_is_about(tmp_path: Path) -> None:
    names = set(recipes.names(tmp_path))
    blocks = {f"{style}{size}{bits}" for style in ("resblock", "shortblock", "nonresblock", "tappedblock")
              for size in ("", "-32x32") for bits in ("", "-w8a8", "-w16a16")}  # fmt: skip
    networks = {f"{style}resnet{layers}" for style in ("", "short", "non") for layers in
                ("8", "20", "20-cifar100", "20-svhn")}  # fmt: skip
    assert blocks | networks <= names
    # Merged ones, which weights of one bit cannot be.
    merged = {f"mergedblock{size}{bits}" for size in ("", "-32x32") for bits in ("-w8a8", "-w16a16")}
    assert merged | {"mergednet8", "mergednet20"} <= names
    for name in merged | {"mergednet8", "mergednet20"}:
        found = recipes.load(name, tmp_path)
        assert found.architecture.skips is recipes.SkipStyle.MERGED
        assert "merged" not in found.trained_as + found.tuned_as
    for name in (name for name in blocks if name.startswith("tapped")):
        found = recipes.load(name, tmp_path)
        assert (found.rtl.skips, found.architecture.skips) == (recipes.Skips.TAPPED, recipes.SkipStyle.RESIDUAL)
        assert found.tuned_as == name.replace("tapped", "res")


def test_values_come_as_their_types(tmp_path: Path) -> None:
    found = _load(
        tmp_path,
        """
[architecture]
family = "keras"
file = "net.keras"
[dataset]
name = "npz"
file = "data.npz"
input_type = "ufixed<8,0>"
[quantization]
learning_rate = 1
[hls]
backend = "vitis"
strategy = "resource"
[hls.reuse_factors]
conv1 = 3
""",
    )
    assert found.architecture.family is Family.KERAS
    assert found.architecture.file == tmp_path / "net.keras"
    assert found.dataset.file == tmp_path / "data.npz"
    assert found.dataset.input_type == FixedPointType(8, 0, signed=False)
    assert type(found.quantization.learning_rate) is float
    assert (found.hls.backend, found.hls.strategy) == (Backend.VITIS, Strategy.RESOURCE)
    assert found.hls.reuse_factors == {"conv1": 3}
    assert found.training.epochs == 0  # a user's model keeps its weights


def test_a_recipe_takes_over_another_key_by_key(tmp_path: Path) -> None:
    _load(tmp_path, BASE + "[hls]\nclock_ns = 7\nreuse_factor = 4\n[training]\nepochs = 3\n", "base")
    found = _load(tmp_path, 'extends = "base"\n[hls]\nclock_ns = 10\n')
    assert (found.hls.clock_ns, found.hls.reuse_factor) == (10.0, 4)
    assert found.architecture.skips is SkipStyle.RESIDUAL
    assert (found.trained_as, found.tuned_as) == ("base", "base")
    other = _load(tmp_path, 'extends = "base"\n[training]\nepochs = 4\n', "other")
    assert other.trained_as == "other"
    third = _load(tmp_path, 'extends = "mine"\n[quantization]\nweight_bits = 16\n', "third")
    # Other bits are fine-tuned for themselves.
    assert (third.trained_as, third.tuned_as) == ("base", "third")
    # Who may start the training does not matter.
    fourth = _load(tmp_path, 'extends = "base"\n[training]\non_demand = false\n', "fourth")
    assert fourth.trained_as == "base"


def test_data_are_the_same_however_their_path_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    pixels = FixedPointType(8, 0, signed=False)
    one = Dataset(DatasetName.NPZ, Path("data.npz"), pixels)
    assert one.same_as(Dataset(DatasetName.NPZ, tmp_path / "data.npz", pixels))
    assert not one.same_as(Dataset(DatasetName.NPZ, Path("other.npz"), pixels))
    assert Dataset(DatasetName.DIGITS).same_as(Dataset(DatasetName.DIGITS))


def test_a_users_recipe_comes_before_a_built_in_one(tmp_path: Path) -> None:
    own = _load(tmp_path, BASE + "[hls]\nclock_ns = 42\n", "resnet8")
    assert recipes.load("resnet8", tmp_path) == own
    assert own.hls.clock_ns == 42


BAD = {
    "mistyped table": ("[architectur]\nfamily = 'resnet'\n", "unknown key 'architectur'; did you mean 'architecture'?"),
    "mistyped key": (BASE + "[hls]\nreuse_facter = 1\n", "unknown key 'hls.reuse_facter'; did you mean 'reuse_factor'"),
    "unlike any key": (BASE + "[csim]\nxyzzy = 1\n", "unknown key 'csim.xyzzy'; one of samples, seed wanted"),
    "own trained_as": ("trained_as = 'x'\n" + BASE, "unknown key 'trained_as'; one of name, architecture, "),
    "missing table": ("[dataset]\nname = 'digits'\n", "key 'architecture' is missing"),
    "missing key": (BASE + "[distillation]\nweight = 0.5\n", "key 'distillation.start' is missing"),
    "teacher without a name": (
        BASE + "[distillation]\nstart = 'a'\nteacher = 'network'\n",
        "distillation.network: a recipe's name wanted, not None",
    ),
    "name without a teacher": (
        BASE + "[distillation]\nstart = 'a'\nnetwork = 'b'\n",
        "distillation.network: none with teacher = start wanted, not 'b'",
    ),
    "table as value": ("architecture = 3\n[dataset]\nname = 'digits'\n", "architecture: a table wanted, not 3"),
    "string for integer": (BASE + "[training]\nepochs = 'ten'\n", "training.epochs: an integer wanted, not 'ten'"),
    "float for integer": (BASE + "[training]\nepochs = 1.5\n", "training.epochs: an integer wanted, not 1.5"),
    "bool for integer": (BASE + "[training]\nepochs = true\n", "training.epochs: an integer wanted, not True"),
    "bool for number": (BASE + "[hls]\nclock_ns = true\n", "hls.clock_ns: a number wanted, not True"),
    "integer for bool": (BASE + "[training]\naugment = 1\n", "training.augment: true or false wanted, not 1"),
    "jitter over 1": (BASE + "[training]\njitter = 1.5\n", "training.jitter: a number in [0, 1] wanted, not 1.5"),
    "mixup below 0": (BASE + "[training]\nmixup = -1\n", "training.mixup: 0 or more wanted, not -1.0"),
    "mixup of numbers": (
        BASE + "[training]\nmixup = 0.2\nlosses = {end = 'huber'}\n",
        "training.mixup: 0 with loss huber (cross_entropy or binary_cross_entropy mix) wanted, not 0.2",
    ),
    "tail below 0": (BASE + "[training]\nmixup_tail = -1\n", "training.mixup_tail: 0 or more wanted, not -1"),
    "integer for string": ("description = 1\n" + BASE, "description: a string wanted, not 1"),
    "integer for list": (BASE.replace("skips", "filters = 3\nskips"), "architecture.filters: a list wanted, not 3"),
    "string in list": (BASE.replace("skips", "filters = ['a']\nskips"), "architecture.filters: an integer wanted"),
    "integer for path": (
        "[architecture]\nfamily = 'keras'\nfile = 1\n[dataset]\nname = 'digits'\n",
        "architecture.file: a path wanted, not 1",
    ),
    "unknown choice": (BASE + "[hls]\nbackend = 'quartus'\n", "hls.backend: 'vivado' or 'vitis' wanted, not 'quartus'"),
    "number for choice": (BASE + "[hls]\nbackend = 1\n", "hls.backend: 'vivado' or 'vitis' wanted, not 1"),
    "no skips": (BASE.replace('skips = "residual"', ""), "architecture.skips: a value"),
    "empty filters": (BASE.replace("skips", "filters = []\nskips"), "architecture.filters: one or more positive"),
    "no fixed-point type": (
        "[architecture]\nfamily = 'keras'\nfile = 'x'\n[dataset]\nname = 'npz'\nfile = 'y'\ninput_type = 'int8'\n",
        "dataset.input_type: fixed-point type: 'fixed<W,I>' or 'ufixed<W,I,Q,O>' wanted, not 'int8'",
    ),
    "npz without type": (
        "[architecture]\nfamily = 'keras'\nfile = 'x'\n[dataset]\nname = 'npz'\nfile = 'y'\n",
        "dataset.input_type: a type for npz and none else wanted, not None",
    ),
    "file of a known data set": (BASE + "file = 'y'\n", "dataset.file: a path for npz and none else wanted"),
    "weights of 2 bits": (BASE + "[quantization]\nweight_bits = 2\n", "quantization.weight_bits: 1 or 3..16 wanted"),
    "17 bits": (BASE + "[quantization]\nactivation_bits = 17\n", "quantization.activation_bits: 1..16 wanted, not 17"),
    "clock 0": (BASE + "[hls]\nclock_ns = 0\n", "hls.clock_ns: a positive number of nanoseconds wanted, not 0"),
    "clock nan": (BASE + "[hls]\nclock_ns = nan\n", "hls.clock_ns: a finite number wanted, not nan"),
    "rate inf": (BASE + "[training]\nlearning_rate = inf\n", "training.learning_rate: a finite number wanted, not inf"),
    "rate nan": (BASE + "[quantization]\nlearning_rate = nan\n", "quantization.learning_rate: a finite number wanted"),
    "rate of 400 digits": (BASE + f"[training]\nlearning_rate = 1{400 * '0'}\n", "a finite number wanted, not 1000"),
    "decay inf": (BASE + "[training]\nweight_decay = inf\n", "training.weight_decay: a finite number wanted, not inf"),
    "negative seed": (BASE + "[quantization]\nseed = -1\n", "quantization.seed: 0..4294967295 wanted, not -1"),
    "huge seed": (BASE + "[training]\nseed = 4294967296\n", "training.seed: 0..4294967295 wanted, not 4294967296"),
    "huge batch": (BASE + f"[training]\nbatch_size = {10**20}\n", "training.batch_size: an integer below 2^31 wanted"),
    "huge filters": (
        BASE.replace("skips", f"filters = [{2**31}]\nskips"),
        "architecture.filters: an integer below 2^31 wanted, not 2147483648",
    ),
    "reuse 0": (BASE + "[hls]\nreuse_factor = 0\n", "hls.reuse_factor: a positive integer wanted, not 0"),
    "layer reuse 0": (BASE + "[hls.reuse_factors]\nc = 0\n", "hls.reuse_factors.c: a positive integer wanted, not 0"),
    "layer reuse text": (BASE + "[hls.reuse_factors]\nc = 'x'\n", "hls.reuse_factors.c: an integer wanted, not 'x'"),
    "part out of Tcl": (BASE + "[hls]\npart = 'xc7\"; exec rm [x]'\n", "hls.part: letters, digits, '-', '.' and '_'"),
    "part of 2 lines": (BASE + '[hls]\npart = "xc7\\nexit"\n', "hls.part: letters, digits"),
    "name out of a folder": ("name = '../up'\n" + BASE, "name: lower-case letters and digits, parts joined by"),
    "name out of C++": ("name = 'a{}'\n" + BASE, "name: lower-case letters and digits"),
    "number as name": ("name = 1\n" + BASE, "name: lower-case letters and digits"),
    "extends a number": ("extends = 1\n" + BASE, "extends: the name of a recipe wanted, not 1"),
    "extends itself": ("extends = 'mine'\n", "extends itself, over mine"),
    "extends nothing": ("extends = 'nowhere'\n", "recipe 'nowhere': no "),
    "no TOML": ("[architecture\n", "cannot be read as TOML"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_recipes_are_refused_in_one_line(case: str, tmp_path: Path) -> None:
    text, wanted = BAD[case]
    with pytest.raises(RecipeError) as error:
        _load(tmp_path, text)
    message = str(error.value)
    assert wanted in message
    assert "\n" not in message
    if case != "extends nothing":
        assert message.startswith(f"{tmp_path / 'mine.toml'}: ")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match=r"mine\.toml: cannot be read as TOML"):
        recipes.load(str(tmp_path / "mine.toml"), tmp_path)


def test_only_files_are_recipes(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "dangling.toml").symlink_to(tmp_path / "nothing")
    assert recipes.names(tmp_path) == recipes.names(tmp_path / "no such folder")


def test_a_mistyped_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"recipe 'resnett8': .*did you mean .*resnet8"):
        recipes.load("resnett8", tmp_path)
    with pytest.raises(RecipeError, match=r"none built in; see 'nonresnet-hls models'"):
        recipes.load("qqqqqqqqq", tmp_path)
    with pytest.raises(RecipeError, match=r"nowhere\.toml: no such recipe file"):
        recipes.load("nowhere.toml", tmp_path)
    with pytest.raises(RecipeError, match=r"recipe '\.\./models/resnet8'"):
        recipes.load("../models/resnet8", tmp_path)


_scalars: Any = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just([]), st.just({}), st.just(["x", 1])
)
_keys = [
    (table.name, f.name)
    for table in dataclasses.fields(Recipe)
    for kind in [recipes.Architecture, recipes.Dataset, recipes.Training, recipes.Distillation,
                 recipes.Quantization, recipes.Hls, recipes.Csim]
    if kind.__name__.lower() == table.name
    for f in dataclasses.fields(kind)
]  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True)
@given(key=st.sampled_from(_keys), value=_scalars)
def test_any_value_of_any_key_is_taken_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, key: tuple[str, str], value: Any
) -> None:
    tables: dict[str, dict[str, str]] = {
        "architecture": {"family": '"resnet"', "skips": '"short"'},
        "dataset": {"name": '"digits"'},
    }
    tables.setdefault(key[0], {})[key[1]] = _toml(value)
    text = "".join(
        f"[{table}]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()) for table, entries in tables.items()
    )
    message = None
    try:
        _load(tmp_path_factory.mktemp("recipe"), text)
    except RecipeError as error:
        message = str(error)
    assert message is None or ("\n" not in message and key[0] in message)


def _toml(value: Any) -> str:
    import json

    if isinstance(value, float) and value != value:
        return "nan"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    if value == {}:
        return "{}"
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return "0"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
