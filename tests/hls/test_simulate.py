"""Compiling and running projects: what is missing or fails is said in one line."""

from pathlib import Path

import pytest

from nonresnet_hls import cli
from nonresnet_hls.errors import ArtefactError, ToolError
from nonresnet_hls.hls import precompiled
from nonresnet_hls.hls.simulate import Simulation


def test_a_missing_compiler_names_its_package(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tiny))
    with pytest.raises(ToolError, match=r"^g\+\+: not found on PATH; install the package g\+\+$"):
        Simulation(tiny / "hls_projects" / "tiny")


def test_a_missing_compiler_is_status_2(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tiny))
    (tiny / "models" / "tiny" / "csim" / "stage.json").unlink()
    assert cli.main(["csim", "tiny"]) == 2
    assert "nonresnet-hls: g++: not found on PATH; install the package g++" in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("file", ["firmware/myproject.cpp", "myproject_test.cpp", "myproject_bridge.cpp"])
def test_a_missing_source_is_named(tiny: Path, file: str) -> None:
    project = tiny / "hls_projects" / "tiny"
    (project / file).unlink()
    with pytest.raises(ArtefactError, match=rf"{file}: missing; convert the model again$"):
        Simulation(project)


def test_what_does_not_compile_is_quoted(tiny: Path) -> None:
    project = tiny / "hls_projects" / "tiny"
    (project / "firmware" / "myproject.cpp").write_text("#error this is no project\n")
    with pytest.raises(ToolError, match=r"^g\+\+ in .*: exit status 1: .*#error this is no project") as error:
        Simulation(project)
    assert "\n" not in str(error.value)


@pytest.mark.nightly
def test_headers_that_are_compiled_once_change_nothing(tiny: Path) -> None:
    project = tiny / "hls_projects" / "tiny"
    header = project / "firmware" / "ap_types" / "hls_math.h"
    header.write_text(header.read_text() + "// headers that no other project has\n")
    built = []
    for _ in range(2):
        with Simulation(project) as simulation:
            folder = Path(simulation._folder.name)
            built.append({path.name: path.read_bytes() for path in folder.glob("*.o")})
    assert len(built[0]) == 3
    # With none, and with those that were made for it.
    assert built[0] == built[1]
    given = precompiled.options("g++", ("-O2",), project / "firmware" / "ap_types")
    assert given == []  # another way to compile
