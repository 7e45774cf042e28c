"""Killed at random moments, a run leaves nothing that the next one trusts: same bits, no leftovers."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nonresnet_hls
from nonresnet_hls.pipeline import runner

_PACKAGE = Path(nonresnet_hls.__file__).parent.parent

# A stage that takes half a second, much of it in writing a folder.
_STAGE = """
import sys, time
from pathlib import Path
from nonresnet_hls import guardian
from nonresnet_hls.pipeline import runner

def produce(folder):
    for number in range(100):
        path = folder / f"firmware/weights/w{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{sys.argv[2]} {number}")
        time.sleep(0.004)
    return {"text": sys.argv[2]}

print("now", flush=True)
with guardian.temporary_files():
    runner.run(Path(sys.argv[1]) / "project", "convert", sys.argv[2], {}, produce)
    runner.write_text(Path(sys.argv[1]) / "table.txt", sys.argv[2])
"""

# The command line, killed at its second rename of the project: the old one is away, the new one not yet there.
_BETWEEN = """
import os, signal, sys
seen = []
def hook(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("hls_projects/tiny"):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
"""
_CONVERT = "import sys; from nonresnet_hls.cli import main; sys.argv[1:] = ['convert', 'tiny']; sys.exit(main())"


def start(program: str, folder: Path, temporary: Path, *arguments: object) -> "subprocess.Popen[bytes]":
    environment = os.environ | {"PYTHONPATH": str(_PACKAGE), "TMPDIR": str(temporary), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def finish(process: "subprocess.Popen[bytes]") -> int:
    process.communicate()
    return process.returncode


def content(directory: Path) -> tuple[str, str]:
    found = runner.load(directory)
    assert found is not None
    return found.digest, found.content


def hidden(folder: Path) -> list[str]:
    """What a killed run left: everything hidden but locks."""
    return [path.name for path in folder.rglob(".*") if not path.name.endswith(".lock")]


def test_a_stage_killed_at_random_moments(tmp_path: Path) -> None:
    temporary, place = tmp_path / "temporary", tmp_path / "place"
    temporary.mkdir()
    place.mkdir()
    rng = random.Random(3)
    assert finish(start(_STAGE, place, temporary, place, "old")) == 0
    shutil.copytree(place, tmp_path / "old")
    for number in range(3):
        shutil.rmtree(place)
        shutil.copytree(tmp_path / "old", place)
        with start(_STAGE, place, temporary, place, "new") as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"now\n"
            time.sleep(rng.uniform(0.0, 0.6))
            process.send_signal(signal.SIGKILL)
        assert finish(start(_STAGE, place, temporary, place, "new")) == 0
        assert (place / "project" / "firmware" / "weights" / "w99.txt").read_text() == "new 99", number
        assert (place / "table.txt").read_text() == "new"
        assert sorted(path.name for path in place.iterdir()) == [".project.lock", "project", "table.txt"], number
        assert list(temporary.iterdir()) == [], number


@pytest.mark.nightly
def test_the_conversion_of_a_model_killed_30_times(built: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    old = tmp_path / "old"
    shutil.copytree(built, old)
    recipe = old / "models" / "tiny.toml"
    recipe.write_text(recipe.read_text().replace("[hls]", "[hls]\nclock_ns = 7"))
    place = tmp_path / "place"  # always the same: a project names its own folder
    shutil.copytree(old, place)
    began = time.monotonic()
    assert finish(start(_CONVERT, place, temporary)) == 0
    seconds = time.monotonic() - began
    wanted = content(place / "hls_projects" / "tiny")
    assert wanted != content(old / "hls_projects" / "tiny")
    rng = random.Random(5)
    for number in range(30):
        shutil.rmtree(place)
        shutil.copytree(old, place)
        between = number % 5 == 0
        with start(_BETWEEN + _CONVERT if between else _CONVERT, place, temporary) as process:
            if number % 5 in (1, 2):  # while the project is written
                while process.poll() is None and not list((place / "hls_projects").glob(".tiny.partial-*")):
                    time.sleep(0.005)
                time.sleep(rng.uniform(0.0, 0.3 * seconds))
            elif not between:
                time.sleep(rng.uniform(0.0, seconds))
            if between:
                process.wait()
                assert process.returncode == -signal.SIGKILL
                assert not (place / "hls_projects" / "tiny").exists()
            process.send_signal(signal.SIGKILL)
        assert finish(start(_CONVERT, place, temporary)) == 0, number
        assert content(place / "hls_projects" / "tiny") == wanted, number
        assert hidden(place) == [], number
        assert [path.name for path in (place / "hls_projects").glob("tiny.kept-*")] == [], number
        assert list(temporary.iterdir()) == [], number
