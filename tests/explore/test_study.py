"""What a study's file may say, and what is refused."""

import random
from pathlib import Path

import pytest

from nonresnet_hls.explore import study as studies
from nonresnet_hls.explore.study import Engine, Point, StudyError
from nonresnet_hls.recipe import SkipStyle
from tests import mutants

GOOD = """
title = "Digits"
network = "resnet8"
objectives = ["top1", "fps", "lut", "energy_proxy"]
epochs = 0
use = 0.5
clock_ns = 4
backend = "vitis"
trials = 20
batch = 4
seed = 7
threads = 2
simulate = true
[axes]
skips = ["residual", "merged"]
bits = [16, [4, 6]]
board = ["pynq-z2", "mine.toml:small"]
fps = ["most", 1000, 2.5e3]
engine = ["hls4ml"]
[networks]
merged = "mergednet8"
"""


def read(folder: Path, text: str, name: str = "study.toml") -> studies.Study:
    (folder / name).write_text(text, encoding="utf-8", errors="surrogatepass")
    return studies.load(folder / name)


def test_a_study_says_what_is_varied(tmp_path: Path) -> None:
    study = read(tmp_path, GOOD)
    assert (study.name, study.network, study.folder) == ("study", "resnet8", tmp_path / "study")
    assert (study.use, study.clock_ns, study.backend, study.threads) == (0.5, 4.0, "vitis", 2)
    assert study.networks == {SkipStyle.MERGED: "mergednet8"}
    points = study.points
    assert len(points) == len(set(points)) == 24
    assert study.planned == 20
    assert points[0] == Point(SkipStyle.RESIDUAL, 16, 16, "pynq-z2", Engine.HLS4ML, None, None)
    assert points[-1] == Point(SkipStyle.MERGED, 4, 6, "mine.toml:small", Engine.HLS4ML, 2500.0, None)


def test_what_is_not_said_is_the_recipes(tmp_path: Path) -> None:
    study = read(tmp_path, 'network = "resnet8"\n[axes]\nboard = ["pynq-z2"]\n')
    assert study.points == [Point(board="pynq-z2")]
    assert study.objectives == ("top1", "fps", "lut", "bram_18k")
    assert study.epochs is None


MINIMAL = 'network = "resnet8"\n{more}\n[axes]\nboard = ["pynq-z2"]\n{axes}\n'


@pytest.mark.parametrize(
    ("more", "axes", "said"),
    [
        ("trails = 3", "", "unknown key 'trails'; did you mean 'trials'?"),
        ("", "skip = []", "unknown key 'axes.skip'; did you mean 'skips'?"),
        ("", "colour = [1]", "unknown key 'axes.colour'; one of skips, bits, "),
        ("", "skips = []", "axes.skips: a list of one or more wanted, not []"),
        ("", 'skips = ["plane"]', "axes.skips: 'residual' or 'short' or 'plain' or 'merged' wanted, not 'plane'"),
        ("", 'skips = ["plain", "plain"]', "axes.skips: each once wanted, not <SkipStyle.PLAIN: 'plain'>"),
        ("", "bits = [2]", "axes.bits: 1 or 3..16 bits for weights wanted, not 2"),
        ("", "bits = [[8, 8, 8]]", "axes.bits: bits, or [bits of weights, bits of activations] wanted"),
        ("", "bits = [8, [8, 8]]", "axes.bits: each once wanted, not (8, 8)"),
        ("", "bits = [true]", "axes.bits: 1 or 3..16 bits for weights wanted, not True"),
        ("", "activation_bits = [17]", "axes.activation_bits: an integer from 1 to 16 wanted, not 17"),
        ("", "bits = [8]\nweight_bits = [8]", "axes: bits or weight_bits wanted, not both"),
        ("", "fps = [1]\nreuse_factor = [1]", "axes: fps or reuse_factor wanted, not both"),
        ("", "fps = [0]", "axes.fps: a number above 0"),
        ("", "fps = [nan]", "axes.fps: a number above 0"),
        ("", "fps = [inf]", "axes.fps: a number above 0"),
        ("", 'engine = ["finn"]', "axes.engine: 'hls4ml' or 'rtl' wanted, not 'finn'"),
        ("", 'engine = ["rtl"]\nfps = [1]', "axes.fps: reuse_factor wanted with engine rtl"),
        ("", "reuse_factor = [0]", "axes.reuse_factor: an integer from 1 on wanted, not 0"),
        ('objectives = ["speed"]', "", "objectives: top1, fps, interval_cycles, lut, "),
        ("objectives = []", "", "objectives: a list of one or more wanted, not []"),
        ("use = 1.5", "", "use: a number above 0 and up to 1 wanted, not 1.5"),
        ("use = nan", "", "use: a number above 0 and up to 1 wanted, not nan"),
        ("epochs = -1", "", "epochs: an integer from 0 to 100000 wanted, not -1"),
        ("trials = 0", "", "trials: an integer from 1 to 10000 wanted, not 0"),
        ('trials = "all"', "", "trials: an integer from 1 to 10000 wanted, not 'all'"),
        ('title = "a\\u0000b"', "", "title: a text wanted"),
        ("networks = 3", "", "networks: a table wanted, not 3"),
        ("", f"reuse_factor = {list(range(1, 10_002))}", "axes.reuse_factor: a list of one or more"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_key(tmp_path: Path, more: str, axes: str, said: str) -> None:
    with pytest.raises(StudyError) as error:
        read(tmp_path, MINIMAL.format(more=more, axes=axes))
    text = str(error.value)
    assert text.startswith(f"{tmp_path / 'study.toml'}: {said}"), text
    assert "\n" not in text


def test_points_beyond_counting_are_refused_before_they_are_made(tmp_path: Path) -> None:
    axes = "reuse_factor = " + str(list(range(1, 10001))) + "\nactivation_bits = " + str(list(range(1, 17)))
    with pytest.raises(StudyError, match="axes: at most 10000 points wanted, not 160000"):
        read(tmp_path, MINIMAL.format(more="", axes=axes))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "key 'network' is missing"),
        ('network = "resnet8"', "key 'axes' is missing"),
        ('network = "resnet8"\n[axes]\nskips = ["plain"]', "axes.board: one or more boards wanted"),
        ("axes = ", "cannot be read as TOML"),
        ("x = " + "[" * 5000, "cannot be read as TOML"),
        ("x = " + "9" * 5000, "cannot be read as TOML"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        read(tmp_path, text)


@pytest.mark.parametrize("name", ["Study.toml", "study", "a b.toml", "-.toml", "stüdy.toml", f"{'a' * 101}.toml"])
def test_the_file_is_called_as_a_recipe_can_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(StudyError, match=r"a \.toml file called by lower-case letters and digits"):
        read(tmp_path, GOOD, name)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    for path in (tmp_path / "folder.toml", tmp_path / "none.toml"):
        with pytest.raises(StudyError, match="a study wanted"):
            studies.load(path)


def test_a_file_beyond_reading_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="at most 1048576 bytes"):
        read(tmp_path, f'network = "{"a" * (1 << 20)}"')


@pytest.mark.parametrize("count", [300, pytest.param(5_000, marks=pytest.mark.nightly)])
def test_mutants_are_read_or_refused_in_one_line(tmp_path: Path, count: int) -> None:
    refused = 0
    for seed in range(count):
        said = ""
        try:
            found = read(tmp_path, mutants.of_text(GOOD, random.Random(seed)))
            assert 0 < found.planned <= len(found.points) <= 10_000
        except StudyError as error:
            said, refused = str(error), refused + 1
        assert "\n" not in said, seed
        assert len(said) < 3000, seed
    assert count // 4 < refused < count
