"""Designs of the open engine fitted to boards: against trying all, and what is synthesised, placed and routed."""

import itertools
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import nonresnet_hls as nr
from nonresnet_hls.cli import main
from nonresnet_hls.errors import ConversionError, RecipeError
from nonresnet_hls.fit.engine import Engine, factors_of
from nonresnet_hls.fit.fitting import RESOURCES, within
from nonresnet_hls.fixed.arithmetic import Cast
from nonresnet_hls.fixed.network import Matrix, Network, Stream
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.hls import reuse
from nonresnet_hls.pipeline import convert
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import RtlOptions, Strategy
from nonresnet_hls.rtl.prediction import predict
from nonresnet_hls.rtl.unit_sums import folding
from nonresnet_hls.rtl.yosys import Target, synthesise

BYTE = FixedPointType.parse("fixed<8,8>")


def two_layers(seed: int) -> Network:
    """Two dense layers, of 8 and 2 bits."""
    rng = np.random.default_rng(seed)
    sizes, streams = (4, 3, 2), {}
    for name, count in zip("xyz", sizes, strict=True):
        streams[name] = Stream(name, count, 1, BYTE, 1)
    layers = []
    for name, source, target, bits in (("first", "x", "y", 8), ("second", "y", "z", 2)):
        shape = streams[source].channels, streams[target].channels
        kernel = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape)
        layers.append(Matrix(name, (source,), (target,), None, kernel, bits, 0, False, (Cast(BYTE),), 0, 1))
    return Network("two", streams, tuple(layers), ("x",), ("z",))


@pytest.mark.nightly
@pytest.mark.parametrize("target", [Target.ECP5, Target.XC7])
def test_small_networks_are_fitted_as_by_synthesising_all(target: Target) -> None:
    network = two_layers(0)
    engine = Engine(network, RtlOptions(), target, Strategy.RESOURCE, "two")
    fitted = {}
    for picked in itertools.product((1, 2, 4, 12), (1, 3, 6)):
        factors = dict(zip(("first", "second"), picked, strict=True))
        design = engine.design(factors)
        total = synthesise(design, target).total
        fitted[picked] = predict(design).interval_cycles, {name: getattr(total, name) for name in RESOURCES}
    for budget in (
        dict.fromkeys(RESOURCES, 10_000),
        *(used for _, used in fitted.values()),
        *({**used, "lut": used["lut"] - 1} for _, used in fitted.values()),
    ):
        fits = [cycles for cycles, used in fitted.values() if within(used, budget)]
        found = Engine(network, RtlOptions(), target, Strategy.RESOURCE, "two").fitter.fastest(budget)
        assert (None if found is None else found.interval_cycles) == min(fits, default=None)
        if found is not None:
            same = fitted[found.reuse_factors["first"], found.reuse_factors["second"]]
            assert (found.interval_cycles, dict(found.used)) == same


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize(("inputs", "outputs"), [(4, 3), (12, 5), (9, 1), (1, 7), (18, 4)])
def test_every_folding_that_hls4ml_takes_is_thought_of(inputs: int, outputs: int, strategy: Strategy) -> None:
    layer = Matrix("l", ("x",), ("y",), None, np.ones((inputs, outputs), np.int64), 4, 0, False, (), 0, 1)
    found = factors_of(layer, strategy)
    fitting = [f for f in range(1, inputs * outputs + 1) if reuse.fits(inputs, outputs, f, strategy)]
    assert set(found) <= set(fitting)
    for factor in fitting:
        wanted = folding(layer, factor)
        best = [one for one in (folding(layer, f) for f in found) if one[2:] == wanted[2:]]
        assert min(one.folds for one in best) <= wanted.folds


@pytest.fixture
def budgeted(tiny: Path) -> Path:
    """A workspace with a recipe `budgeted`, which says what may be taken."""
    (tiny / "models" / "budgeted.toml").write_text(
        'extends = "tiny"\n[hls]\npart = "LFE5U-85F-6BG381C"\nclock_ns = 25.0\n[budget]\nlut = 2000\ndsp = 0\n'
    )
    return tiny


def test_a_recipe_is_written_for_the_part_of_one_with_a_budget(
    budgeted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "budgeted", "--engine", "rtl", "-o", "models/fitted.toml"]) == 0
    text = capsys.readouterr().out
    assert "<- bottleneck" in text
    assert "Measured: each layer and FIFO synthesised by Yosys for ecp5" in text
    assert "25 ns (assumed" in text
    assert "next: nonresnet-hls synth models/fitted.toml --engine rtl --target ecp5" in text
    recipe = nr.load_recipe("fitted")
    assert recipe.hls.part == "LFE5U-85F-6BG381C"
    assert (recipe.trained_as, recipe.tuned_as) == ("tiny", "tiny")
    assert set(recipe.hls.reuse_factors) == {"conv", "logits"}


@pytest.mark.nightly
def test_the_engine_makes_that_very_design(budgeted: Path) -> None:
    found = nr.fit("budgeted", engine="rtl", output="models/fitted.toml")
    assert found.fit.budget["lut"] == 2000
    assert found.fit.budget["dsp"] == 0
    assert found.fit.budget["bram_18k"] == 166
    assert nr.load_recipe("fitted").hls.reuse_factors == found.reuse_factors
    assert list(found.frame["layer"]) == [layer.name for layer in found.fit.found.layers]
    assert "measured by Yosys for ecp5" in found._repr_html_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = nr.synth("fitted", engine="rtl", target="ecp5").figures
    assert made["synthesis"]["total"] == found.fit.found.used
    assert made["fifos"] == found.fit.found.fifo_depths
    assert made["predicted"]["interval_cycles"] == found.fit.found.interval_cycles


@pytest.mark.nightly
def test_enough_images_a_second_take_less(budgeted: Path) -> None:
    fast, slow = (nr.fit("budgeted", engine="rtl", fps=fps).fit for fps in (1.6e6, 1e5))
    assert slow.fps >= 1e5
    assert slow.found.used["lut"] <= fast.found.used["lut"]
    assert slow.measured < slow.ways
    with pytest.raises(ConversionError, match=r"no reuse factors are so fast; at 25 ns at most 1,600,000 images"):
        nr.fit("budgeted", engine="rtl", fps=1e7)
    (budgeted / "models" / "least.toml").write_text('extends = "budgeted"\n[budget]\nlut = 100\n')
    with pytest.raises(ConversionError, match=r"nothing fits 80% of it and the \[budget\] of its recipe: too many LUT"):
        nr.fit("least", engine="rtl")


def test_a_budget_leaves_no_trace_in_stages(tiny: Path) -> None:
    with (tiny / "models" / "tiny.toml").open("a") as file:
        file.write("\n[budget]\nff = 5000\n")
    place = Workspace()
    assert not convert.run_convert(place.recipe("tiny"), place).fresh


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lut = -1", "budget.lut: 0 or more wanted, not -1"),
        ("lut = 0.5", "budget.lut: an integer wanted, not 0.5"),
        ("luts = 5", "unknown key 'budget.luts'; did you mean 'lut'?"),
    ],
)
def test_what_is_no_budget_is_refused_by_key(text: str, said: str, tiny: Path) -> None:
    (tiny / "models" / "mine.toml").write_text(f'extends = "tiny"\n[budget]\n{text}\n')
    with pytest.raises(RecipeError, match=said):
        nr.load_recipe("mine")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tiny"], "--board: one wanted, or a recipe with a [budget]"),
        (["hls_projects/tiny", "--board", "ulx3s-85f"], "a recipe or a model wanted with --engine rtl, not a project"),
        (["tiny", "--board", "kv260", "--backend", "vitis"], "--backend vitis: none wanted with --engine rtl"),
        (["tiny", "--board", "mine.toml"], "a part of 7 series, UltraScale(+) or ECP5 wanted, not other1"),
        (["much", "--board", "ulx3s-85f"], "budget.dsp: at most the 156 of ulx3s-85f wanted, not 157"),
    ],
)
def test_what_cannot_be_is_one_line(
    arguments: list[str], said: str, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.toml").write_text('[mine]\npart = "other1"\nlut = 900\nff = 9000\ndsp = 90\nbram_18k = 90\n')
    Path("models/much.toml").write_text('extends = "tiny"\n[budget]\ndsp = 157\n')
    assert main(["fit", *arguments, "--engine", "rtl"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["nonresblock", "nonresblock-w8a8"])
def test_what_is_placed_and_routed_takes_what_was_told(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    found = nr.fit(name, "ulx3s-85f", engine="rtl", output="models/fitted.toml").fit
    assert all(found.found.used[resource] <= found.budget[resource] for resource in RESOURCES)
    assert main(["synth", "fitted", "--engine", "rtl", "--target", "ecp5", "--place-and-route", "--json"]) == 0
    (made,) = json.loads(capsys.readouterr().out)
    assert made["synthesis"]["total"] == found.found.used
    assert made["predicted"]["interval_cycles"] == found.found.interval_cycles
    for resource, used in made["place_and_route"]["resources"].items():
        has = getattr(found.board.resources, resource)
        assert abs(100 * used / has - found.percent(resource)) <= 5, resource
