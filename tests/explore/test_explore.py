"""Studies from end to end: their tables, what is refused before anything runs, failures, resumption."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nonresnet_hls as nr
from nonresnet_hls import api, extras
from nonresnet_hls.cli import main
from nonresnet_hls.errors import ConversionError, NonResNetError
from nonresnet_hls.explore.figures import COLUMNS, KINDS, Status
from nonresnet_hls.explore.study import StudyError
from nonresnet_hls.pipeline import explore as stage
from nonresnet_hls.pipeline import runner, trials
from tests import mutants
from tests.explore.cluster import STUDY, counted, explored, in_process, study
from tests.watch import watched

__all__ = ["counted", "explored", "in_process", "study"]


def explore(study: Path, **options: Any) -> api.results.Exploration:
    return api.explore(study, **options)


def test_a_study_leaves_its_tables_beside_it(study: Path, in_process: None, counted: Counter[str]) -> None:
    assert json.loads(Path("counts.json").read_text()) == {"_counted": 2, "_fitted": 4}  # two boards share a network
    found = explore(study)
    assert counted == {"_fitted": 4}
    folder = study.parent / "small"
    table = pd.read_parquet(folder / "trials.parquet")
    assert list(table.columns) == list(COLUMNS)
    assert {name: str(kind) for name, kind in table.dtypes.items()} == dict(COLUMNS)
    pd.testing.assert_frame_equal(table, found.frame)
    of_csv = pd.read_csv(folder / "trials.csv", dtype=dict(COLUMNS), keep_default_na=False, na_values=[""])
    pd.testing.assert_frame_equal(of_csv, table, check_exact=True)
    assert list(table["name"]) == [
        "small-own-w4a4-pynq-z2", "small-own-w4a4-zcu104", "small-own-w3a5-pynq-z2", "small-own-w3a5-zcu104",
    ]  # fmt: skip
    assert set(table["status"]) == {"done"}
    for name in KINDS:
        assert table[name].notna().all()
        assert set(table[f"{name}_basis"]) == {"measured" if name == "top1" else "modelled"}
        assert table[[f"{name}_engine", f"{name}_stage"]].notna().all(axis=None)
    front = pd.read_parquet(folder / "front.parquet")
    pd.testing.assert_frame_equal(front, found.front)
    assert 0 < len(front) <= 4
    told = json.loads((folder / "study.json").read_text())
    assert told["format"] == 1
    assert told["trials"] == {"planned": 4, "done": 4, "failed": 0, "lost": 0}
    assert told["axes"] == [
        {"name": "bits", "values": [[4, 4], [3, 5]]}, {"name": "board", "values": ["pynq-z2", "zcu104"]},
    ]  # fmt: skip
    assert "<table" in found._repr_html_()
    # Each recipe makes the design that its row tells of.
    row = table.iloc[3]
    project = api.convert(str(folder / row["recipe"]), ".")
    assert project.figures["part"] == row["part"]
    assert (project.figures["weights"], project.figures["activations"]) == (3, 5)
    # The figures are those of the stages by themselves.
    emulated = api.emulate(str(folder / "recipes" / "small-own-w3a5.toml"), ".")
    assert emulated.figures["top1"] == row["top1"]
    fitted = api.fit(str(folder / "recipes" / "small-own-w3a5.toml"), "zcu104", ".").fit
    assert fitted.found.used == {name: row[name] for name in ("lut", "ff", "dsp", "bram_18k")}
    assert fitted.fps == row["fps"]


def test_a_resumed_study_repeats_no_finished_trial(
    study: Path, in_process: None, counted: Counter[str], capsys: pytest.CaptureFixture[str]
) -> None:
    first = explore(study)
    counted.clear()
    with pytest.raises(StudyError, match="4 trials of this study have ended: --resume goes on with it"):
        explore(study)
    before = (study.parent / "small" / "trials.csv").read_bytes()
    again = explore(study, resume=True)
    assert counted == {}
    assert again.explored.ran == 0
    assert (study.parent / "small" / "trials.csv").read_bytes() == before
    # Of a study that has grown what is new is done; what was lost of a trial is done again.
    study.write_text(STUDY.replace("[4, [3, 5]]", "[[3, 5], 4]").replace('"zcu104"', '"zcu104", "pynq-z1"'))
    shutil.rmtree(study.parent / "small" / "trials" / "small-own-w4a4-zcu104")
    assert main(["explore", str(study), "--resume"]) == 0
    assert counted == {"_fitted": 3}
    assert "3 of them ran now, the others had ended before" in capsys.readouterr().out
    table = pd.read_parquet(study.parent / "small" / "trials.parquet").set_index("name")
    whole = first.frame.set_index("name")
    shared = [name for name in COLUMNS if name not in ("trial", "name", "on_front")]
    pd.testing.assert_frame_equal(table.loc[whole.index, shared], whole[shared])


def test_trials_that_fail_are_rows_with_their_reason(study: Path, in_process: None, counted: Counter[str]) -> None:
    study.write_text(STUDY.replace('"pynq-z2", "zcu104"', '"few.toml", "zcu104"').replace("4, [3, 5]", "4"))
    board = study.parent / "few.toml"
    board.write_text('[few]\npart = "xc7z020"\nlut = 500\nff = 500\ndsp = 1\nbram_18k = 1\n')
    found = explore(study).frame
    assert list(found["status"]) == ["failed", "done"]
    assert found["reason"][0].startswith("few: nothing fits 80% of it: too many LUT by ")
    assert "what would fit" in found["reason"][0]
    assert found["top1"][0] == found["top1"][1]  # what was found of it stays
    assert pd.isna(found["lut"][0])
    assert not found["on_front"][0]
    assert pd.isna(found["recipe"][0])
    counted.clear()
    again = explore(study, resume=True)
    assert counted == {}  # it would fail again
    assert list(again.frame["reason"]) == list(found["reason"])
    # Another board of that name is another trial.
    board.write_text('[few]\npart = "xc7z020"\n')
    assert list(explore(study, resume=True).frame["status"]) == ["done", "done"]
    assert counted == {"_fitted": 1}


def test_a_network_that_cannot_be_had_fails_all_its_trials_once(
    study: Path, in_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(recipe: Any, _: Any) -> Any:
        asked.append(recipe.name)
        raise ConversionError(f"{recipe.name}: layer conv: no such thing")

    monkeypatch.setattr(trials, "_counted", refuse)
    shutil.rmtree(study.parent / "small" / "networks")
    found = explore(study).explored
    assert [row.status for row in found.rows] == [Status.FAILED] * 4
    assert found.rows[3].reason == "small-own-w3a5: layer conv: no such thing"
    assert len(asked) == 2
    assert explore(study, resume=True).explored.rows[3].reason == found.rows[3].reason
    assert len(asked) == 2
    assert main(["explore", str(study), "--resume"]) == 1


def test_what_the_machine_is_to_blame_for_is_tried_again(
    study: Path, in_process: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted = trials._fitted

    def full(recipe: Path, *rest: Any) -> Any:
        if rest[1].board.name == "zcu104":
            raise OSError(28, "No space left on device", "/somewhere")
        return fitted(recipe, *rest)

    monkeypatch.setattr(trials, "_fitted", full)
    assert main(["explore", str(study)]) == 1
    said = capsys.readouterr().out
    assert "trial 2, small-own-w4a4-zcu104: lost: /somewhere: No space left on device" in said
    assert "--resume" in said
    monkeypatch.setattr(trials, "_fitted", fitted)
    found = explore(study, resume=True).explored
    assert [row.status for row in found.rows] == [Status.DONE] * 4
    assert found.ran == 2


def test_a_network_without_weights_is_not_measured(study: Path, in_process: None) -> None:
    recipe = Path("models/tiny.toml")
    recipe.write_text(recipe.read_text() + "[training]\nepochs = 3\non_demand = false\n")
    found = explore(study).explored
    assert {row.status for row in found.rows} == {Status.LOST}
    assert found.rows[0].reason == "tiny is not trained; run: nonresnet-hls train tiny"


@pytest.mark.nightly
def test_data_without_classes_have_no_top1_and_other_objectives_do(study: Path, in_process: None) -> None:
    import numpy as np

    arrays = dict(np.load("models/tiny-data.npz"))
    np.savez("models/tiny-data.npz", x=arrays["x"])
    study.write_text(STUDY.replace("4, [3, 5]", "4"))
    found = explore(study).explored
    assert {row.reason for row in found.rows} == {"no top1: classes and labels of test samples wanted"}
    study.write_text(study.read_text().replace('"top1", ', ""))
    assert explore(study, resume=True).explored.count(Status.DONE) == 2


def test_one_reuse_factor_for_all_layers_is_taken_as_it_is(study: Path, in_process: None) -> None:
    study.write_text(STUDY.replace("bits = [4, [3, 5]]", "reuse_factor = [1, 9]"))
    found = explore(study).frame
    assert list(found["wanted_reuse_factor"]) == [1, 1, 9, 9]
    slow, fast = found["interval_cycles"][2], found["interval_cycles"][0]
    assert slow > fast
    assert (found["interval_cycles"][[0, 2]].to_numpy() == found["interval_cycles"][[1, 3]].to_numpy()).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("tiny", "tinny"), "network: recipe 'tinny': no "),
        (("tiny", "resblock"), "network: a whole network wanted, whose top-1 can be counted, not a block"),
        (("zcu104", "zcu140"), "axes.board: board 'zcu140': did you mean zcu104?"),
        (("zcu104", "none.toml"), "axes.board: "),
        (("zcu104", "ulx3s-85f"), "axes.board: a part of AMD's wanted for engine hls4ml, not ulx3s-85f"),
        (('"tiny"', '"tiny"\ndata = "x.npz"'), "data: a model file as network wanted with it, not tiny"),
        (('"tiny"', '"model.keras"'), "key 'data' is missing: an .npz file for the model model.keras"),
        (("[axes]", '[axes]\nskips = ["merged"]'), "axes.skips: residual (as it is) or plain"),
        (("[axes]", '[networks]\nplain = "nonresnet8"\n[axes]\nskips = ["plain"]'), "networks.plain: the data set"),
        (("[axes]", '[networks]\nplain = "nothing"\n[axes]\nskips = ["plain"]'), "networks.plain: recipe 'nothing'"),
        (("[axes]", '[networks]\nplain = "resnet8"\n[axes]\nskips = ["plain"]'), "networks.plain: plain skips"),
        (("tiny", "nonresnet8"), ""),
    ],
)  # fmt: skip
def test_what_cannot_be_a_study_is_refused_before_anything_runs(
    study: Path, in_process: None, counted: Counter[str], change: tuple[str, str], said: str
) -> None:
    text = STUDY.replace(*change)
    if not said:  # a network of Algorithm 1 gives no others
        text = text.replace("[axes]", '[axes]\nskips = ["residual"]')
        said = "networks.residual: a recipe wanted: nonresnet8 is trained by Algorithm 1"
    study.write_text(text)
    with pytest.raises(NonResNetError) as error:
        explore(study)
    assert str(error.value).startswith(f"{study.absolute()}: {said}")
    assert "\n" not in str(error.value)
    assert counted == {}


def test_a_study_that_was_refused_is_not_in_the_way_of_a_better_one(study: Path, in_process: None) -> None:
    shutil.rmtree(study.parent / "small")
    study.write_text(STUDY.replace("tiny", "resblock"))
    with pytest.raises(StudyError, match="a whole network wanted"):
        explore(study)
    study.write_text(STUDY.replace("tiny", "block"))
    with pytest.raises(StudyError, match="recipe 'block'"):
        explore(study)


def test_what_lies_in_the_way_is_left_alone(study: Path, in_process: None) -> None:
    folder = study.parent / "small"
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(StudyError, match="it holds something else"):
        explore(study)
    shutil.rmtree(folder)
    folder.symlink_to(study.parent)
    with pytest.raises(StudyError, match="something else is there"):
        explore(study)
    folder.unlink()
    folder.write_text("a file")
    with pytest.raises(StudyError, match="something else is there"):
        explore(study)


def test_two_at_once_are_one_too_many(study: Path, in_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    inner: list[str] = []

    def again(recipe: Path, *rest: Any) -> Any:
        try:
            explore(study, resume=True)
        except NonResNetError as error:
            inner.append(str(error))
        raise ConversionError("enough")

    monkeypatch.setattr(trials, "_fitted", again)
    explore(study)
    assert len(inner) == 4
    assert all("another process explores a study of this name" in text for text in inner)


@pytest.mark.parametrize("workers", [0, -1, 10**9])
def test_workers_are_a_number_that_makes_sense(study: Path, workers: int) -> None:
    with pytest.raises(NonResNetError, match="--workers: 1 to 1000 wanted"):
        explore(study, workers=workers)


def test_a_worker_of_another_place_or_version_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "_threads", 1)
    place = trials.Place(tmp_path, tmp_path, "token", trials.tool(), 1)
    lost = trials.train(place, tmp_path / "x.toml")
    assert lost.status is Status.LOST
    assert "does not see" in lost.reason
    (tmp_path / trials.TOKEN).write_text("token")
    other = trials.Place(tmp_path, tmp_path, "token", "of another version", 1)
    assert "has another version of nonresnet-hls" in trials.train(other, tmp_path / "x.toml").reason
    threads = trials.Place(tmp_path, tmp_path, "token", trials.tool(), 2)
    assert "trains with 1 threads, not 2" in trials.train(threads, tmp_path / "x.toml").reason


@pytest.mark.parametrize(
    "figure",
    [
        {"value": float("nan")}, {"value": 1e300}, {"value": 10**30}, {"value": True}, {"value": "3"},
        {"basis": "guessed"},
    ],
)  # fmt: skip
def test_a_sealed_record_of_a_trial_is_not_believed(tmp_path: Path, figure: dict[str, Any]) -> None:
    good = {"value": 3, "basis": "measured", "engine": "x", "stage": "y"}
    figures = {"status": "done", "reason": "", "figures": {"lut": good | figure}, "facts": {}}
    runner.run(tmp_path / "a", "explore-trial", {}, {}, lambda _: figures)
    found = runner.load(tmp_path / "a")
    assert found is not None
    with pytest.raises(NonResNetError, match="figures as the stage writes them wanted"):
        trials._ended(found)


def test_the_library_can_be_called(study: Path, in_process: None) -> None:
    study.write_text(STUDY.replace("4, [3, 5]", "4").replace(', "zcu104"', ""))
    assert len(nr.explore(study).front) == 1


@pytest.mark.parametrize("count", [60, pytest.param(3000, marks=pytest.mark.nightly)])
def test_mutants_of_studies_start_nothing_or_are_refused_in_one_line(
    study: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = study.parents[1]

    def reached(*_: Any) -> Any:
        raise ConversionError("reached")

    monkeypatch.setattr(stage, "_client", reached)
    text = STUDY + '[networks]\nplain = "tiny"\n'
    found: Counter[bool] = Counter()
    for seed in range(count):
        path = place / "studies" / "mutant.toml"
        shutil.rmtree(path.parent, ignore_errors=True)
        path.parent.mkdir()
        path.write_text(mutants.of_text(text, random.Random(seed)), encoding="utf-8", errors="surrogatepass")
        with watched(place), pytest.raises(NonResNetError) as error:
            explore(path, workspace=place)
        said = str(error.value)
        assert "\n" not in said, seed
        assert len(said) < 3000, seed
        found[said == "reached"] += 1
    assert found[True] > count // 20
    assert found[False] > count // 4


@pytest.mark.parametrize(
    ("distribution", "said"),
    [
        ("distributed", "explore needs Dask (distributed): pip install 'nonresnet-hls[explore]'"),
        ("optuna", "explore needs Optuna: pip install 'nonresnet-hls[explore]'"),
        ("pyarrow", "explore needs pyarrow: pip install 'nonresnet-hls[explore]'"),
    ],
)
def test_what_is_missing_is_named_with_the_extra(
    tmp_path: Path, distribution: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = metadata.version

    def told(name: str) -> str:
        if name == distribution:
            raise metadata.PackageNotFoundError(name)
        return "1.0" if name in ("distributed", "optuna", "pyarrow") else version(name)

    monkeypatch.setattr(metadata, "version", told)
    (tmp_path / "small.toml").write_text(STUDY)
    assert main(["explore", str(tmp_path / "small.toml"), "--workspace", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"nonresnet-hls: {said}\n"
    assert not (tmp_path / "small").exists()


def test_a_library_that_does_not_fit_beside_the_others_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd_library.py").write_text("raise ImportError('odd_library requires NumPy 2.0')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(NonResNetError, match=r"odd_library requires NumPy 2\.0"):
        extras.check_import("odd_library")


@pytest.mark.nightly
def test_two_processes_that_share_a_network_make_it_once(tiny: Path) -> None:
    shutil.rmtree("models/tiny/quantize")
    shutil.rmtree("hls_projects/tiny")
    environment = os.environ | {"PYTHONPATH": str(Path(nr.__file__).parents[1])}
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "nonresnet_hls", "fit", "tiny", "--board", board, "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for board in ("pynq-z2", "zcu104")
    ]
    told = [process.communicate(timeout=1800) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    said = "".join(err for _, err in told)
    assert said.count("quantizing tiny") == said.count("converting tiny") == 1
    assert [json.loads(out)["board"] for out, _ in told] == ["pynq-z2", "zcu104"]


@pytest.mark.nightly
def test_the_open_engine_measures(study: Path, in_process: None) -> None:
    pytest.importorskip("pyosys", reason="the extra rtl is not installed")
    text = STUDY.replace("bits = [4, [3, 5]]", 'engine = ["rtl", "hls4ml"]\nreuse_factor = [1, 9]')
    study.write_text(text.replace('"zcu104"', '"few.toml"').replace('"pynq-z2", ', '"pynq-z2", "ulx3s-85f", '))
    (study.parent / "few.toml").write_text('[few]\npart = "xc7z020"\nlut = 50\nff = 50\ndsp = 0\nbram_18k = 0\n')
    with pytest.raises(StudyError, match="a part of AMD's wanted for engine hls4ml, not ulx3s-85f"):
        explore(study)
    study.write_text(study.read_text().replace(', "hls4ml"]', "]"))
    found = explore(study).frame
    assert list(found["status"]) == ["done", "done", "failed"] * 2
    assert found["reason"][2].startswith("few: the design does not fit 80% of it: too many LUT by ")
    assert found["lut"][2] == found["lut"][0]  # what was measured of it stays
    measured = found[found["status"] == "done"]
    for name in ("lut", "ff", "dsp", "bram_18k"):
        assert set(measured[f"{name}_basis"]) == {"measured"}
        assert set(measured[f"{name}_stage"]) == {"synthesized"}
    assert set(measured["interval_cycles_basis"]) == {"modelled"}
    assert set(measured["fps_basis"]) == {"modelled"}
    assert set(measured["lut_engine"]) == {"OpenRTL"}
    assert list(measured["backend"]) == ["xc7", "ecp5"] * 2
    assert measured["interval_cycles"][3] > measured["interval_cycles"][0]
    recipe = study.parent / "small" / measured["recipe"][3]
    figures = api.synth(str(recipe), ".", engine="rtl", target="xc7").figures  # type: ignore[union-attr]
    assert figures["synthesis"]["total"]["lut"] == measured["lut"][3]
    study.write_text(study.read_text().replace("[axes]", "simulate = true\n[axes]").replace("[1, 9]", "[9]"))
    simulated = explore(study, resume=True).frame
    assert simulated["interval_cycles_basis"][0] == "measured"
    assert simulated["interval_cycles_stage"][0] == "simulated"
