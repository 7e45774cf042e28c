"""README and docs/: what they show runs, and what they link to is there."""

import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks import picture
from nonresnet_hls import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = [
    pytest.param(line.strip().removeprefix("$ ").partition("#")[0], id=f"{page.stem}-{number}")
    for page in PAGES
    for number, line in enumerate(page.read_text().splitlines(), 1)
    if re.match(r"(    |\$ )+nonresnet-hls ", line)
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_what_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_that_are_shown_are_commands(command: str) -> None:
    program, *arguments = shlex.split(command)
    assert program == "nonresnet-hls"
    assert cli.parser().parse_args(arguments).command == arguments[0]


def test_make_n_runs_nothing() -> None:
    # make runs lines that call make, though it is asked to print alone.
    assert not re.search(r"^\t.*(\$\(MAKE\)|\$\{MAKE\})|^\t\+", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.nightly
def test_the_two_commands_of_readme_in_a_clone(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    done = subprocess.run(["make"], cwd=clone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    networks, blocks = ["resnet8", "shortresnet8", "nonresnet8"], ["resblock", "shortblock", "nonresblock"]
    for name in (*networks, *blocks):
        assert f"{name}: equal, " in done.stdout
    rows = [
        line for line in done.stdout.splitlines() if re.match(r"(resblock|shortblock|nonresblock) +1/2 +OpenRTL", line)
    ]
    assert len(rows) == 3
    # `make test` by one of its files: this is one of all.
    chosen = ["make", "test", "PYTEST_ADDOPTS=tests/fixed"]
    done = subprocess.run(chosen, cwd=clone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert " passed" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_make_has_every_target_that_is_named(page: Path) -> None:
    named = set(re.findall(r"(?:`|^ {4})make((?: [a-z0-9-]+)*)(?:`|$|  )", page.read_text(), re.MULTILINE))
    for targets in named:
        done = subprocess.run(["make", "-n", *targets.split()], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_readme_is_short_and_its_tables_fit() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 75
    assert all(len(line) <= 100 for line in lines if line.startswith("|"))
    listed = set(re.findall(r"`([a-z0-9]+)`", "".join(line for line in lines if line.startswith("|"))))
    assert set(cli.COMMANDS) - {"models", "doctor"} <= listed
    assert "{command-line}" in (ROOT / "docs/commands.md").read_text()  # which lists every one


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_the_python_of_readme_runs(whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nonresnet_hls.networks import saved
    from nonresnet_hls.networks.resnet import resnet
    from nonresnet_hls.recipe import SkipStyle

    model = resnet(SkipStyle.RESIDUAL, (8, 8, 1), 10, (4,), 1)
    saved.save(model, tmp_path / "mine.keras")
    monkeypatch.chdir(tmp_path)
    (text,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    *lines, sizing, simulation = text.strip().splitlines()
    known: dict[str, object] = {"x": np.zeros((20, 8, 8, 1), np.uint8), "y": np.arange(20) % 10}
    exec("\n".join(lines), known)
    shown = eval(sizing, known)
    assert "cycles an image (modelled)" in shown._repr_html_()
    assert any(row["on_skip"] for row in shown.rows)
    if whole:
        assert eval(simulation, known).equal


def test_the_picture_is_of_the_committed_figures() -> None:
    assert picture.main(["--check"]) == 0
    assert [len(panel.values) for panel in picture.panels()] == [3] * 5
