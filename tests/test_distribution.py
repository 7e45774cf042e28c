"""What wheel and source distribution hold; `make test-light` tries them."""

import subprocess
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import nonresnet_hls

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_all_weights_that_git_keeps_are_shipped() -> None:
    done = subprocess.run(["git", "ls-files", "models"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("no clone of the repository")
    left_by_stages = [name for name in done.stdout.splitlines() if name.count("/") > 1 and "/checkpoints/" not in name]
    patterns = PYPROJECT["tool"]["hatch"]["build"]["artifacts"]
    assert left_by_stages
    for name in left_by_stages:
        assert any(fnmatchcase(name, pattern) for pattern in patterns), name
    for pattern in patterns:
        assert any(fnmatchcase(name, pattern) for name in left_by_stages), pattern


def test_the_version_stands_in_one_place() -> None:
    assert "version" not in PYPROJECT["project"]
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    path = ROOT / PYPROJECT["tool"]["hatch"]["version"]["path"]
    assert path.read_text().count(f'__version__ = "{nonresnet_hls.__version__}"') == 1


def test_the_light_core_brings_nothing_heavy() -> None:
    brought = {need.split(">")[0] for need in PYPROJECT["project"]["dependencies"]}
    assert brought == {"numpy", "pandas", "networkx", "pyyaml", "defusedxml", "tqdm"}
