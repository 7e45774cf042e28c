"""Whole designs fitted to boards, by the command and by the function."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

import nonresnet_hls as nr
from nonresnet_hls import dataflow
from nonresnet_hls.cli import main
from nonresnet_hls.dataflow.template import Template, Weighted
from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fit.fitting import RESOURCES, Fitter, budget_of, factors
from nonresnet_hls.hls import reuse
from nonresnet_hls.recipe import Strategy
from tests.dataflow.nets import convert, resnet


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two skips, one behind a projection: Vitis, Resource."""
    path = tmp_path_factory.mktemp("resnet") / "project"
    convert(resnet(), path, "Vitis", "Resource")
    return path


@pytest.fixture(scope="module")
def template(project: Path) -> Template:
    return Template.of_project(project)


def fitter(template: Template) -> Fitter:
    return Fitter(template, "xc7z020clg400-1", 5.0, template.layers)


def test_a_template_gives_the_design_that_hls4ml_writes_for_these_factors(project: Path, template: Template) -> None:
    layer = next(iter(template.layers.values()))
    other = next(f for f in reversed(factors(layer)) if f != template.factor(layer.name))
    flow = template.flow({layer.name: other}, "xc7z020", 5.0)
    changed = Path(shutil.copytree(project, project.parent / "changed", dirs_exist_ok=True))
    parameters = changed / "firmware" / "parameters.h"
    struct = next(p.config.name for p in flow.processes if p.name == layer.name)
    before, after = parameters.read_text().split(f"struct {struct} ", 1)
    body, rest = after.split("};", 1)
    old = f"reuse_factor = {template.factor(layer.name)};"
    assert old in body
    parameters.write_text(f"{before}struct {struct} {body.replace(old, f'reuse_factor = {other};')}}};{rest}")
    written = dataflow.analyse_project(changed)
    assert [p.program.interval_cycles for p in flow.processes] == [p.program.interval_cycles for p in written.processes]
    assert flow.interval_cycles != template.given.interval_cycles or other < template.factor(layer.name)


@pytest.mark.parametrize("strategy", ["resource", "latency"])
@pytest.mark.parametrize(("n_in", "n_out"), [(9, 4), (27, 16), (144, 32), (64, 10), (16, 1), (1, 1)])
def test_factors_are_those_that_hls4ml_takes(n_in: int, n_out: int, strategy: str) -> None:
    found = factors(Weighted("layer", n_in, n_out, strategy, False))
    fitting = [f for f in range(1, n_in * n_out + 1) if reuse.fits(n_in, n_out, f, Strategy(strategy))]
    assert set(found) <= set(fitting)
    if strategy == "resource":
        assert found == fitting
    # Of factors with as many multipliers only the first is worth a thought.
    multipliers = [-(-n_in * n_out // f) for f in fitting]
    assert {-(-n_in * n_out // f) for f in found} == set(multipliers)


def test_what_is_found_fits_and_nothing_faster_does(template: Template) -> None:
    one = fitter(template)
    budget = budget_of({"lut": 53200, "ff": 106400, "dsp": 220, "bram_18k": 280}, 0.4)
    found = one.fastest(budget)
    assert found is not None
    assert all(found.used[name] <= budget[name] for name in RESOURCES)
    assert found.interval_cycles == max(layer.interval_cycles for layer in found.layers)
    step = one.next_step(found, budget)
    assert step is None or step.over
    uniform = one.uniform(budget)
    assert uniform is not None
    assert uniform[1].interval_cycles >= found.interval_cycles
    # FIFOs are those of this very design.
    flow = template.flow(found.reuse_factors, one.part, one.clock_ns)
    assert dict(found.fifo_depths) == dataflow.size_fifos(flow).sized


def test_enough_images_a_second_take_least(template: Template) -> None:
    one = fitter(template)
    budget = budget_of({"lut": 53200, "ff": 106400, "dsp": 220, "bram_18k": 280}, 1)
    fast, slow = one.fastest(budget), one.least(budget, 10**9)
    assert fast is not None
    assert slow is not None
    assert sum(slow.used[n] / budget[n] for n in RESOURCES) <= sum(fast.used[n] / budget[n] for n in RESOURCES)
    assert one.least(budget, one.fastest_interval - 1) is None


def test_the_command_prints_rows_sums_and_what_is_in_the_way(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", str(project), "--board", "pynq-z2"]) == 0
    text = capsys.readouterr().out
    assert "<- bottleneck" in text
    assert "modelled" in text
    assert "in the way of more: " in text
    assert "best factor for all layers" in text
    assert main(["fit", str(project), "--board", "pynq-z2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["modelled"] is True
    assert found["used"]["dsp"] <= found["budget"]["dsp"] == 176
    assert found["speedup"] >= 1


def test_the_function_shows_itself(project: Path) -> None:
    found = nr.fit(project, "zcu104", fps=100)
    assert found.fps >= 100
    assert "images a second" in found._repr_html_()
    assert set(found.reuse_factors) == {row["layer"] for row in found.rows if row["reuse_factor"]}
    assert list(found.frame["layer"]) == [layer.name for layer in found.fit.found.layers]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--board", "pynq"], "one of pynq-z1, pynq-z2"),
        (["--board", "ulx3s-85f"], "a part of AMD's wanted"),
        (["--board", "kv260", "--use", "1.5"], "--use: a share above 0 and up to 1 wanted, not 1.5"),
        (["--board", "kv260", "--use", "nan"], "--use: a share above 0"),
        (["--board", "kv260", "--fps", "0"], "--fps: images per second above 0 wanted, not 0.0"),
        (["--board", "kv260", "--clock", "-1"], "--clock: nanoseconds above 0"),
        (["--board", "kv260", "--fps", "1e9"], "no reuse factors are so fast; at 5 ns at most"),
        (["--board", "kv260", "-o", "new.toml"], "a recipe is written for a recipe alone"),
    ],
)
def test_what_cannot_be_is_one_line(
    arguments: list[str], said: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", str(project), *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_budget_that_nothing_fits_is_told_with_what_would(project: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text('[small]\npart = "tiny1"\nlut = 900\nff = 9000\ndsp = 90\nbram_18k = 90\n')
    with pytest.raises(
        ConversionError, match=r"small: nothing fits 80% of it: too many LUT by [\d,]+ of 720\b.*pynq-z2"
    ):
        nr.fit(project, str(path))


def test_a_recipe_is_written_that_every_stage_takes(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "tiny", "--board", "zcu104", "-o", "models/fitted.toml", "--use", "0.5"]) == 0
    assert "next: nonresnet-hls convert models/fitted.toml" in capsys.readouterr().out
    recipe = nr.load_recipe("fitted")
    assert recipe.hls.part == "xczu7ev-ffvc1156-2-e"
    assert str(recipe.hls.fifo_depths) == "sized"
    assert set(recipe.hls.reuse_factors) == {"conv", "logits"}
    # Weights are the base's own: nothing is trained or fine-tuned again.
    assert (recipe.trained_as, recipe.tuned_as) == ("tiny", "tiny")
    assert main(["fit", "tiny", "--board", "zcu104", "-o", "models/fitted.toml"]) == 0  # ours is replaced
    capsys.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main(["convert", "fitted", "--json"]) == 0
    (made,) = json.loads(capsys.readouterr().out)
    used = {factor["layer"]: factor["used"] for factor in made["reuse_factors"]}
    assert used == nr.load_recipe("fitted").hls.reuse_factors


@pytest.mark.parametrize("name", ["models/tiny.toml", "models/Big.toml", "models/fitted.txt", "nowhere/fitted.toml"])
def test_a_recipe_is_not_written_over_others_or_where_none_is_found(
    name: str, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (tiny / "models" / "tiny.toml").read_bytes()
    assert main(["fit", "tiny", "--board", "zcu104", "-o", name]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert (tiny / "models" / "tiny.toml").read_bytes() == before


def test_a_file_of_the_users_is_not_overwritten(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine: Any = tiny / "models" / "mine.toml"
    mine.write_text('extends = "tiny"\n')
    assert main(["fit", "tiny", "--board", "zcu104", "-o", "models/mine.toml"]) == 2
    assert "`fit` did not make it" in capsys.readouterr().err
    assert mine.read_text() == 'extends = "tiny"\n'
