"""The page on one's own model, executed: what stands there, in the order in which it stands there."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from nonresnet_hls import cli

PAGE = Path(__file__).parents[1] / "docs/own-model.md"


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["nonresnet-hls"])
    said = everything = ""
    parts = re.findall(r"^```(\w*)\n(.*?)^```|^    nonresnet-hls ([^\n]*)$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    for kind, text, command in parts:
        if kind == "python":
            exec(compile(text, str(PAGE), "exec"), {})
        elif kind == "toml":
            Path(text.partition("\n")[0].removeprefix("# ")).write_text(text)
        elif command:
            assert cli.main(shlex.split(command)) == 0, command
            said = capsys.readouterr().out
            everything += said
        else:
            for line in text.strip().splitlines():
                assert line in said
    assert " equal" in everything
