"""The stage `convert`: the FIFOs of a project stay as they were asked for, until the recipe changes."""

import json
from pathlib import Path
from typing import Any

import pytest

from nonresnet_hls import cli, dataflow
from nonresnet_hls.pipeline import csim, runner
from tests.tiny import Emulated


def _depths(workspace: Path) -> dict[str, int]:
    return dataflow.analyse_project(workspace / "hls_projects" / "tiny").depths()


def _run(*arguments: str) -> None:
    assert cli.main(list(arguments)) == 0


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_later_commands_leave_the_fifos_as_convert_made_them(
    compiled: bool, tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(csim, "Simulation", Emulated)
    whole = _depths(tiny)
    _run("convert", "tiny", "--fifos", "sized")
    sized = _depths(tiny)
    assert sized != whole
    project = runner.load(tiny / "hls_projects" / "tiny")
    capsys.readouterr()
    _run("fifos", "tiny", "--json")
    rows = json.loads(capsys.readouterr().out)["rows"]
    # Sized from whole tensors nevertheless.
    assert {row["stream"]: row["depth_before"] for row in rows} == whole
    assert {row["stream"]: row["depth_after"] for row in rows} == sized
    _run("csim", "tiny")
    assert runner.load(tiny / "hls_projects" / "tiny") == project


def test_a_changed_recipe_is_converted_as_it_says(tiny: Path) -> None:
    whole = _depths(tiny)
    recipe = tiny / "models" / "tiny.toml"
    _run("convert", "tiny", "--fifos", "sized")
    sized = _depths(tiny)
    recipe.write_text(recipe.read_text().replace("[hls]", "[hls]\nclock_ns = 10"))
    _run("fifos", "tiny")
    assert _depths(tiny) == whole
    recipe.write_text(recipe.read_text().replace("[hls]", '[hls]\nfifo_depths = "sized"'))
    _run("fifos", "tiny")
    assert _depths(tiny) == sized
    _run("convert", "tiny", "--fifos", "tensor")
    _run("fifos", "tiny")
    assert _depths(tiny) == whole


def test_convert_without_a_wish_does_as_the_recipe_says(tiny: Path) -> None:
    whole = _depths(tiny)
    _run("convert", "tiny", "--fifos", "sized")
    _run("convert", "tiny")
    assert _depths(tiny) == whole


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_what_another_version_made_is_made_anew(compiled: bool, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not compiled:
        monkeypatch.setattr(csim, "Simulation", Emulated)
    _run("csim", "tiny")
    places = [tiny / "hls_projects" / "tiny", *(tiny / "models" / "tiny" / stage for stage in ("quantize", "csim"))]

    def records() -> list[dict[str, Any]]:
        return [json.loads((place / runner.RECORD).read_text()) for place in places]

    before = records()
    _run("csim", "tiny")
    assert records() == before
    monkeypatch.setattr(runner, "tool_digest", lambda *rooms: f"a newer one of {rooms}")
    _run("csim", "tiny")
    after = records()
    assert not {record["digest"] for record in after} & {record["digest"] for record in before}
    # Same recipe, same weights: the same model, by another version.
    assert after[0]["inputs"]["model"] == before[0]["inputs"]["model"]
