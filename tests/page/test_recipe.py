"""The page of a recipe: what its stages left, and nothing before; as command, as function and in a notebook."""

import json
from pathlib import Path

import pytest

import nonresnet_hls as nr
from nonresnet_hls import cli
from nonresnet_hls.errors import ArtefactError
from nonresnet_hls.page import charts
from nonresnet_hls.page.values import Basis
from nonresnet_hls.pipeline import explain as explaining
from nonresnet_hls.pipeline import page as stage
from nonresnet_hls.pipeline import runner
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Hls

pytestmark = pytest.mark.filterwarnings("ignore")


def test_values_are_there_once_explain_was_asked_of_this_very_project(tiny: Path) -> None:
    place = Workspace()
    recipe = place.recipe("tiny")
    before = stage.gather(["tiny"], place, Hls())
    (design,) = before.designs
    assert design.ranges is None
    assert "nonresnet-hls explain tiny" in [one.command for one in design.missing]
    assert "nonresnet-hls synth tiny --engine rtl --simulate" in [one.command for one in design.missing]
    assert explaining.existing(recipe, place) is None

    told = nr.explain("tiny", samples=5)
    (design,) = stage.gather(["tiny"], place, Hls()).designs
    assert design.ranges is not None
    assert design.ranges.samples == 5
    wanted = {layer.layer: layer for layer in told.found.layers if layer.histogram is not None}
    assert [one.layer for one in design.ranges.layers] == list(wanted)
    for one in design.ranges.layers:
        layer = wanted[one.layer]
        assert layer.histogram is not None
        assert (one.type, one.made_here) == (str(layer.kind), layer.made_here)
        assert one.powers == {str(power): count for power, count in layer.histogram.counts.items()}
        assert one.top - one.bottom + 1 == layer.kind.width - layer.kind.signed
        assert (one.above, one.below) == (layer.histogram.above, layer.histogram.below)

    Path("models/tiny.toml").write_text(
        Path("models/tiny.toml").read_text().replace("weight_bits = 4", "weight_bits = 5")
    )
    assert explaining.existing(place.recipe("tiny"), place) is None, "it was of another project"


def test_the_same_question_is_not_written_twice_and_a_broken_answer_is_told(tiny: Path) -> None:
    place = Workspace()
    nr.explain("tiny", samples=5)
    found = explaining.existing(place.recipe("tiny"), place)
    assert found is not None
    time = (found.directory / runner.RECORD).stat().st_mtime_ns
    nr.explain("tiny", samples=5)
    assert (found.directory / runner.RECORD).stat().st_mtime_ns == time
    (found.directory / explaining.RESULT).write_text("{}")
    with pytest.raises(ArtefactError, match=r"result\.json: changed since stage explain wrote it"):
        stage.gather(["tiny"], place, Hls())


def test_tables_and_types_are_those_of_the_stages(tiny: Path) -> None:
    page = stage.gather(["tiny", "tiny-vitis"], Workspace(), Hls())
    table1, table2 = page.tables
    assert [row["network"] for row in table1.rows] == ["Tiny", "tiny-vitis"]
    frame = nr.table2(["tiny", "tiny-vitis"])
    assert [row["design"] for row in table2.rows] == list(frame["design"])
    for row, wanted in zip(table2.rows, frame.to_dict("records"), strict=True):
        for name in ("fifo_bits", "fifo_bram_18k", "weight_bits"):
            assert row[name].value == wanted[name]
            assert page.sources[row[name].source].basis is Basis.MODELLED
        assert row["lut"] is None
    assert table2.missing[0].command == "nonresnet-hls synth --engine rtl --simulate tiny tiny-vitis"
    first, second = page.designs
    assert [view.title for design in page.designs for view in design.views] == ["Vivado HLS", "Vitis HLS"]
    types = {part.name: part.type for part in first.views[0].parts}
    assert types["conv"].startswith("fixed<")
    assert dict(second.facts)["tool"] == "Vitis HLS"


def test_the_command_writes_one_file_and_names_it(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _need_extra()
    monkeypatch.setattr(charts, "library", lambda: "")
    assert cli.main(["page", "tiny", "-o", "tiny.html", "--title", "Mine & <others>"]) == 0
    assert "written: tiny.html (" in capsys.readouterr().out
    text = Path("tiny.html").read_text()
    assert "<title>Mine &amp; &lt;others&gt;</title>" in text
    assert cli.main(["page", "tiny", "-o", "tiny.html", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["format"] == 1
    assert figures["designs"][0]["name"] == "tiny"
    shown = nr.page("tiny")
    assert shown.figures["designs"] == figures["designs"]
    frame = shown._repr_html_()
    assert frame.startswith('<iframe sandbox="allow-scripts" srcdoc="&lt;!doctype html&gt;')
    assert frame.count("<") == 2
    assert shown.save("other.html").read_text() == shown.html


def _need_extra() -> None:
    for needed in ("altair", "vl_convert", "igraph", "jinja2"):
        pytest.importorskip(needed, reason=f"{needed}, of the extra `page`, is not installed")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "page.html"], "nothing to show; names of recipes, or --study, wanted"),
        (["resblock", "-o", "page.pdf"], "page.pdf: a name ending in .html wanted"),
        (["resblock", "-o", "nowhere/page.html"], "nowhere/page.html: the folder nowhere is not there"),
        (["resblock", "-o", "folder.html"], "folder.html: a file wanted, not a folder"),
        (["--study", "none", "-o", "page.html"], "--study none: none/study.json of a study that was run wanted"),
        (["no-such-recipe", "-o", "page.html"], "no-such-recipe"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_done(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _need_extra()
    monkeypatch.chdir(tmp_path)
    Path("folder.html").mkdir()
    assert cli.main(["page", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "folder.html"]
