"""What the command line offers before any stage runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import nonresnet_hls
from nonresnet_hls import cli, recipe


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    for name in cli.COMMANDS:
        assert f"\n    {name} " in out


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([name, "--help"])
    assert end.value.code == 0
    assert "usage: nonresnet-hls" in capsys.readouterr().out


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"nonresnet-hls {nonresnet_hls.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["csim", "--nothing"], ["convert", "x", "--fifos", "deep"]])
def test_what_is_no_command_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_models_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.toml").write_text('extends = "resnet8"\ndescription = "my own"\n')
    assert cli.main(["models", "--workspace", str(tmp_path), "--json"]) == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert list(found) == recipe.names(tmp_path / "models")
    assert found["mine"]["description"] == "my own"
    assert found["mine"]["file"] == str(tmp_path / "models" / "mine.toml")
    assert (found["resblock"]["weight_bits"], found["resblock"]["activation_bits"]) == (1, 2)
    assert cli.main(["models", "--workspace", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(found)
    assert next(line for line in lines if line.startswith("resblock ")).split()[1:3] == ["digits", "W1A2"]


def test_nothing_heavy_is_imported_for_help_and_models() -> None:
    program = (
        "import sys\nfrom nonresnet_hls import cli\n"
        "try:\n    cli.main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'pandas', 'tensorflow', 'keras', 'qkeras', 'hls4ml', 'scipy', 'matplotlib', 'networkx'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    package = str(Path(nonresnet_hls.__file__).parent.parent)
    for arguments in (["--help"], ["models"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={"PYTHONPATH": package, "PATH": "/usr/bin:/bin"},
        )
        assert done.stderr == "[]\n"
