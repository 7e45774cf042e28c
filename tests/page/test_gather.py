"""What is gathered for a page is what the other commands say, and what nobody found out is not there."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import nonresnet_hls as nr
from nonresnet_hls.dataflow import analyse_project, size_fifos
from nonresnet_hls.errors import ArtefactError, ConversionError, RecipeError
from nonresnet_hls.page.values import Basis, Page, View, as_json
from nonresnet_hls.pipeline import page as stage
from nonresnet_hls.pipeline import page_study
from nonresnet_hls.pipeline.views import Sources
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Hls
from tests.dataflow.nets import convert, resnet
from tests.page.pages import write_study


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two skips, one behind a projection."""
    folder = tmp_path_factory.mktemp("resnet") / "project"
    convert(resnet(), folder, "Vitis", "Resource")
    return folder


@pytest.fixture(scope="module")
def page(project: Path) -> Page:
    return stage.gather([project], Workspace(project.parent), Hls())


@pytest.fixture
def view(page: Page) -> View:
    (found,) = page.designs[0].views
    return found


def test_depths_cycles_and_bottleneck_are_those_of_fifos(project: Path, view: View) -> None:
    report = nr.fifos(project).report
    found = {fifo.name: fifo for fifo in view.fifos}
    assert list(found) == [row.stream for row in report.rows]
    for row in report.rows:
        one = found[row.stream]
        assert (one.source, one.target, one.bits, one.on_skip) == (row.source, row.sink, row.bits, row.on_skip)
        assert {key: figure.value for key, figure in one.depths.items()} == {
            "tensor": row.depth_before,
            "least": row.depth_least,
            "margin": row.depth_margin,
            "sized": row.depth_after,
        }
    assert view.totals["interval_cycles"].value == report.interval_cycles
    assert report.bottleneck in [part.name for part in view.parts if part.bottleneck]
    assert view.totals["fifo_bits_sized"].value == report.after.bits
    assert view.totals["skip_bits_sized"].value == report.skips_after.bits
    assert view.totals["skip_bits_tensor"].value == report.skips_before.bits
    assert view.totals["fifo_bram_18k_sized"].value == report.after.vitis_bound_bram_18k
    assert view.totals["fifo_bram_18k_tensor"].value == report.before.vitis_bram_18k


def test_layers_cost_what_fit_says_they_do(project: Path, view: View) -> None:
    part = view.target
    fitted = nr.fit(project, part, use=1.0)
    wanted = {layer.name: layer for layer in fitted.fit.found.layers}
    same = [one for one in view.parts if wanted[one.name].reuse_factor in (None, one.reuse_factor)]
    assert len(same) > 8
    for one in same:
        layer = wanted[one.name]
        assert one.figures["interval_cycles"].value == layer.interval_cycles
        assert [one.figures[name].value for name in ("dsp", "bram_18k")] == [layer.dsp, layer.bram_18k]
        for name in ("lut", "ff"):
            figure, ranged = one.figures[name], getattr(layer, name)
            assert (figure.value, figure.low, figure.high) == (ranged.median, ranged.low, ranged.high)


def test_totals_are_the_sums_of_layers_and_fifos(view: View) -> None:
    for name in ("ff", "dsp"):
        assert view.totals[name].value == sum(part.figures[name].value for part in view.parts)
    for name in ("lut", "bram_18k"):
        layers = sum(part.figures[name].value for part in view.parts)
        assert view.totals[name].value == layers + view.totals[f"fifo_{name}_sized"].value
        has = view.available[name]
        assert view.totals[f"{name}_percent"].value == round(100 * view.totals[name].value / has, 2)


def test_timelines_stay_within_the_depths_and_the_sized_one_keeps_the_interval(view: View) -> None:
    courses = {one.key: one for one in view.timelines}
    assert list(courses) == ["sized", "tensor", "margin"]
    for key, course in courses.items():
        assert not course.stuck
        assert len(course.image_ends) == course.images
        for fifo in view.fifos:
            levels = course.levels[fifo.name]
            assert len(levels) == len(course.edges) - 1
            assert 0 < max(levels) <= fifo.depths[key].value
        for activity in course.activity.values():
            assert all(0 <= a + b <= 1001 for a, b in zip(activity.starved, activity.blocked, strict=True))
    first, second = courses["sized"].image_ends
    assert second - first == view.totals["interval_cycles"].value
    assert first == view.totals["latency_cycles"].value


def test_a_deadlock_is_told_for_each_fifo_that_can_be_too_short(project: Path, view: View) -> None:
    depths = size_fifos(analyse_project(project))
    assert {one.fifo: one.least for one in view.deadlocks} == {n: d for n, d in depths.least.items() if d > 1}
    assert len(view.deadlocks) >= 2
    for one in view.deadlocks:
        assert one.depth == one.least - 1
        full = [step for step in one.steps if step.state == "full"]
        assert one.fifo in [step.fifo for step in full]
        for step, following in zip(one.steps, one.steps[1:] + one.steps[:1], strict=True):
            assert step.other == following.part
            assert step.level == (step.depth if step.state == "full" else 0)
            assert step.passed < step.tokens


def test_everything_of_a_project_that_no_tool_has_seen_is_modelled(page: Page) -> None:
    assert {source.basis for source in page.sources.values()} == {Basis.MODELLED}
    text = json.dumps(as_json(page), allow_nan=False)
    assert {one["source"] for one in _figures(json.loads(text))} <= set(page.sources)


def _figures(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        own = [value] if {"value", "source"} <= set(value) else []
        return own + [one for part in value.values() for one in _figures(part)]
    return [one for part in value for one in _figures(part)] if isinstance(value, list) else []


def test_a_design_without_skips_cannot_get_stuck(tmp_path: Path) -> None:
    from tests.page.plain import write_plain_project

    write_plain_project(tmp_path / "project")
    found = stage.gather([tmp_path / "project"], Workspace(tmp_path), Hls())
    (view,) = found.designs[0].views
    assert view.deadlocks == ()
    assert [fifo.on_skip for fifo in view.fifos] == [False]
    assert view.totals["skip_bits_sized"].value == 0


def test_what_cannot_be_shown_is_refused(tmp_path: Path, project: Path) -> None:
    place = Workspace(tmp_path)
    with pytest.raises(RecipeError, match="nothing to show; names of recipes, or --study, wanted"):
        stage.gather([], place, Hls())
    with pytest.raises(RecipeError, match="named twice"):
        stage.gather([project, project], place, Hls())
    with pytest.raises(RecipeError, match="at most 40 designs on a page wanted, not 41"):
        stage.gather([project] * 41, place, Hls())
    with pytest.raises(ConversionError):
        stage.gather([tmp_path], place, Hls())


# Studies


def test_a_study_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "studies" / "small")
    for named in (folder, folder.parent / "small.toml"):
        sources = Sources()
        study = page_study.read(named, sources)
        assert (study.name, study.title, study.network) == ("small", "Small", "resnet8")
        assert dict(study.counts) == {"planned": 3, "done": 2, "failed": 1, "lost": 0}
        assert [one.name for one in study.objectives] == ["top1", "lut"]
        first, second, third = study.trials
        assert {name: one.value for name, one in first.figures.items()} == {"top1": 0.9725, "lut": 20000, "dsp": 12}
        assert first.figures["dsp"].at_most
        assert not second.figures["dsp"].at_most
        assert (first.figures["lut"].low, first.figures["lut"].high) == (11000, 40000)
        top1 = sources.found[first.figures["top1"].source]
        assert (top1.engine, top1.stage, top1.basis) == ("emulation", "emulated", Basis.MEASURED)
        assert sources.found[first.figures["lut"].source].basis is Basis.MODELLED
        assert (third.status, third.reason, dict(third.figures)) == ("failed", "nothing fits", {})
        assert [one.on_front for one in study.trials] == [True, True, False]
        assert first.axes == {"skips": "residual", "board": "pynq-z2"}


def test_recipes_are_shown_from_within_the_study_alone(tmp_path: Path) -> None:
    study = page_study.read(write_study(tmp_path / "studies" / "small"), Sources())
    assert study.trials[0].recipe_text == 'extends = "resnet8"\n'
    assert study.trials[1].recipe == "../outside.toml"
    assert study.trials[1].recipe_text == ""


def test_a_link_out_of_a_study_is_not_followed(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "studies" / "small")
    recipe = folder / "trials" / "residual.toml"
    recipe.unlink()
    recipe.symlink_to(folder.parent / "outside.toml")
    assert page_study.read(folder, Sources()).trials[0].recipe_text == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [("format", 2), ("figures", []), ("trials", {"done": "many"}), ("objectives", [{"name": "joy"}]), ("versions", 7)],
)
def test_a_study_that_is_none_is_refused_by_name(tmp_path: Path, key: str, value: Any) -> None:
    folder = write_study(tmp_path / "small")
    record = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps(record | {key: value}))
    with pytest.raises(ArtefactError, match=r"study\.json and trials\.csv of a study, format 1, wanted"):
        page_study.read(folder, Sources())


@pytest.mark.parametrize(
    ("column", "value"), [("lut", "nan"), ("lut", "many"), ("lut_basis", "guessed"), ("top1", "inf")]
)
def test_a_figure_that_is_none_is_refused(tmp_path: Path, column: str, value: str) -> None:
    folder = write_study(tmp_path / "small")
    with (folder / "trials.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[0][column] = value
    with (folder / "trials.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(ArtefactError, match=r"small: study\.json and trials\.csv"):
        page_study.read(folder, Sources())


def test_a_study_that_was_not_run_says_how_to(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"study\.json of a study that was run wanted; run 'nonresnet-hls explore"):
        page_study.read(tmp_path / "none.toml", Sources())
