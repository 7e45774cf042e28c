"""The runner of stages: skips, reruns, survives kills, keeps what is the user's."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import nonresnet_hls
from nonresnet_hls.errors import ArtefactError
from nonresnet_hls.pipeline import runner


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Config:
    colour: Colour = Colour.RED
    sizes: tuple[int, ...] = (1, 2)
    file: Path | None = None


class Producer:
    """Writes two files and counts how often it was asked."""

    def __init__(self, text: str = "one") -> None:
        self.calls = 0
        self.text = text

    def __call__(self, folder: Path) -> dict[str, Any]:
        self.calls += 1
        assert not list(folder.iterdir())
        (folder / "sub").mkdir()
        (folder / "sub" / "data.txt").write_text(self.text)
        (folder / "more.txt").write_text("more")
        return {"length": len(self.text)}


def test_the_tools_digest_tells_code_that_changed_and_where(tmp_path: Path) -> None:
    package = tmp_path / "nonresnet_hls"
    shutil.copytree(Path(nonresnet_hls.__file__).parent, package)

    def digests() -> list[str]:
        ask = "from nonresnet_hls.pipeline.runner import tool_digest as d; print(d('hls', 'tools.py'), d('rtl'))"
        told = subprocess.run([sys.executable, "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True)
        return told.stdout.split()

    before = digests()
    # Python writes bytecode under a passing name before it has its own.
    (package / "hls" / "__pycache__").mkdir(exist_ok=True)
    (package / "hls" / "__pycache__" / "convert.cpython-311.pyc.140").write_text("half of it")
    assert digests() == before
    with (package / "hls" / "convert.py").open("a") as stream:
        stream.write("# changed\n")
    changed = digests()
    assert (changed[0] == before[0], changed[1] == before[1]) == (False, True)
    with next((package / "rtl").rglob("*.sv")).open("a") as stream:
        stream.write("// changed\n")
    with (package / "tools.py").open("a") as stream:
        stream.write("# changed\n")
    assert not set(digests()) & set(changed)


def test_the_tools_digest_is_of_the_versions_that_are_there_now(monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version
    with monkeypatch.context() as other:
        other.setattr(metadata, "version", lambda name: "0" if name == "numpy" else version(name))
        with_another_numpy = runner.tool_digest("pipeline/runner.py")
    assert runner.tool_digest("pipeline/runner.py") != with_another_numpy


def test_an_unchanged_stage_is_skipped_and_says_what_it_left(tmp_path: Path) -> None:
    produce = Producer()
    first = runner.run(tmp_path / "a", "make", Config(), {"in": "d1"}, produce)
    second = runner.run(tmp_path / "a", "make", Config(), {"in": "d1"}, produce)
    assert produce.calls == 1
    assert (first.fresh, second.fresh) == (True, False)
    assert second.figures == {"length": 3}
    assert (first.digest, first.content, first.inputs) == (second.digest, second.content, second.inputs)
    assert second.digest == runner.digest_of("make", Config(), {"in": "d1"})
    assert runner.load(tmp_path / "a") == second


@pytest.mark.parametrize(
    ("stage", "config", "inputs"),
    [
        ("make/2", Config(), {"in": "d1"}),
        ("make", Config(Colour.BLUE), {"in": "d1"}),
        ("make", Config(sizes=(1, 2, 3)), {"in": "d1"}),
        ("make", Config(file=Path("x")), {"in": "d1"}),
        ("make", Config(), {"in": "d2"}),
        ("make", Config(), {"in": "d1", "other": "d"}),
    ],
)
def test_a_changed_stage_config_or_input_reruns(
    tmp_path: Path, stage: str, config: Config, inputs: Mapping[str, str]
) -> None:
    runner.run(tmp_path / "a", "make", Config(), {"in": "d1"}, Producer("old"))
    found = runner.run(tmp_path / "a", stage, config, inputs, Producer("new"))
    assert found.fresh
    assert (tmp_path / "a" / "sub" / "data.txt").read_text() == "new"
    assert _left(tmp_path) == ["a"]


def test_the_record_has_the_written_format(tmp_path: Path) -> None:
    runner.run(tmp_path / "a", "make", Config(), {"in": "d1"}, Producer())
    record = json.loads((tmp_path / "a" / "stage.json").read_text())
    assert list(record) == [
        "format", "stage", "digest", "config", "inputs", "outputs", "versions", "seconds", "figures", "seal"
    ]  # fmt: skip
    assert record["format"] == runner.FORMAT
    assert record["config"] == {"colour": "red", "sizes": [1, 2], "file": None}
    assert set(record["outputs"]) == {"sub/data.txt", "more.txt"}
    assert record["outputs"]["more.txt"] == runner.file_digest(tmp_path / "a" / "more.txt")


def test_the_content_follows_the_files_alone(tmp_path: Path) -> None:
    first = runner.run(tmp_path / "a", "make", Config(), {}, Producer("same"))
    second = runner.run(tmp_path / "b", "other", Config(Colour.BLUE), {"in": "d"}, Producer("same"))
    third = runner.run(tmp_path / "c", "make", Config(), {}, Producer("another"))
    assert first.content == second.content != third.content


def test_a_failed_stage_leaves_nothing_and_the_old_artefact_stands(tmp_path: Path) -> None:
    def fail(folder: Path) -> dict[str, Any]:
        (folder / "half.txt").write_text("half")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        runner.run(tmp_path / "a", "make", Config(), {}, fail)
    assert _left(tmp_path) == []
    old = runner.run(tmp_path / "a", "make", Config(), {}, Producer())
    with pytest.raises(ValueError, match="broken"):
        runner.run(tmp_path / "a", "make", Config(Colour.BLUE), {}, fail)
    assert _left(tmp_path) == ["a"]
    found = runner.load(tmp_path / "a")
    assert found is not None
    assert found.digest == old.digest


def _damages() -> dict[str, Callable[[Path], object]]:
    return {
        "truncated": lambda path: path.write_text(path.read_text()[:40]),
        "empty": lambda path: path.write_text(""),
        "binary": lambda path: path.write_bytes(b"\xff\xfe\x00"),
        "list": lambda path: path.write_text("[]"),
        "key": lambda path: path.write_text('{"format": 1}'),
        "outputs": lambda path: path.write_text(path.read_text().replace('"outputs": {', '"outputs": 3, "x": {')),
    }


@pytest.mark.parametrize("damage", _damages())
def test_a_corrupt_record_is_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    runner.run(tmp_path / "a", "make", Config(), {}, Producer())
    _damages()[damage](tmp_path / "a" / "stage.json")
    for ask in (
        lambda: runner.load(tmp_path / "a"),
        lambda: runner.run(tmp_path / "a", "make", Config(), {}, Producer()),
    ):
        with pytest.raises(ArtefactError, match=r"stage\.json: corrupt .*delete .* to have it made anew") as error:
            ask()
        assert "\n" not in str(error.value)


def test_a_record_of_another_format_is_refused(tmp_path: Path) -> None:
    runner.run(tmp_path / "a", "make", Config(), {}, Producer())
    path = tmp_path / "a" / "stage.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(ArtefactError, match="format 1 wanted, not 99; delete"):
        runner.load(tmp_path / "a")


def test_changed_and_missing_files_are_refused_by_name(tmp_path: Path) -> None:
    runner.run(tmp_path / "a", "make", Config(), {}, Producer())
    (tmp_path / "a" / "more.txt").write_text("tampered")
    with pytest.raises(ArtefactError, match=r"more\.txt: changed since stage make wrote it; delete"):
        runner.run(tmp_path / "a", "make", Config(), {}, Producer())
    (tmp_path / "a" / "more.txt").unlink()
    with pytest.raises(ArtefactError, match=r"more\.txt: missing, though stage make wrote it"):
        runner.load(tmp_path / "a")


def test_what_the_user_added_is_kept_aside(tmp_path: Path) -> None:
    runner.run(tmp_path / "a", "make", Config(), {}, Producer("old"))
    (tmp_path / "a" / "notes.txt").write_text("mine")
    runner.run(tmp_path / "a", "make", Config(Colour.BLUE), {}, Producer("new"))
    assert _left(tmp_path) == ["a", "a.kept-1"]
    assert (tmp_path / "a.kept-1" / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "a" / "notes.txt").exists()
    (tmp_path / "a" / "notes.txt").write_text("again")
    runner.run(tmp_path / "a", "make", Config(), {}, Producer("newer"))
    assert (tmp_path / "a.kept-2" / "notes.txt").read_text() == "again"


def test_what_is_valuable_is_kept_aside(tmp_path: Path) -> None:
    for inputs in ({"in": "d1"}, {"in": "d2"}):
        runner.run(tmp_path / "a", "make", Config(), inputs, Producer(), lambda _: False)
    assert _left(tmp_path) == ["a"]
    for inputs in ({"in": "d2"}, {"in": "d3"}):
        runner.run(tmp_path / "a", "make", Config(), inputs, Producer(), lambda old: old.figures["length"] == 3)
    assert _left(tmp_path) == ["a", "a.kept-1"]
    kept = runner.load(tmp_path / "a.kept-1")
    assert kept is not None
    assert kept.inputs == {"in": "d2"}


def test_a_folder_that_no_stage_wrote_is_kept_aside(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine.txt").write_text("mine")
    runner.run(tmp_path / "a", "make", Config(), {}, Producer())
    assert (tmp_path / "a.kept-1" / "mine.txt").read_text() == "mine"


_EXTRAS: dict[str, Callable[[Path], object]] = {
    "link": lambda path: path.symlink_to("/nowhere"),
    "folder": lambda path: path.symlink_to("."),
    "pipe": os.mkfifo,
    "lock": lambda path: path.with_name(".mine.lock").write_text("not empty"),
}


@pytest.mark.parametrize("kind", _EXTRAS)
def test_links_and_devices_of_the_user_are_kept_aside(tmp_path: Path, kind: str) -> None:
    runner.run(tmp_path / "a", "make", Config(), {}, Producer("old"))
    _EXTRAS[kind](tmp_path / "a" / "extra")
    before = _names(tmp_path / "a")
    runner.run(tmp_path / "a", "make", Config(Colour.BLUE), {}, Producer("new"))
    assert _names(tmp_path / "a.kept-1") == before


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_that_became_a_link_is_kept_aside(tmp_path: Path) -> None:
    runner.run(tmp_path / "a", "make", Config(), {}, Producer())
    for name in ("more.txt", "stage.json"):
        (tmp_path / "a" / name).rename(tmp_path / name)
        (tmp_path / "a" / name).symlink_to(tmp_path / name)
    assert not runner.run(tmp_path / "a", "make", Config(), {}, Producer()).fresh
    runner.run(tmp_path / "a", "make", Config(Colour.BLUE), {}, Producer("new"))
    assert (tmp_path / "a.kept-1" / "more.txt").is_symlink()
    assert (tmp_path / "more.txt").read_text() == "more"


def test_an_artefact_that_is_a_link_is_replaced_and_kept(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "a"
    (tmp_path / "w").mkdir()
    runner.run(elsewhere, "make", Config(), {}, Producer("old"))
    (tmp_path / "w" / "a").symlink_to(elsewhere)
    assert not runner.run(tmp_path / "w" / "a", "make", Config(), {}, Producer()).fresh
    for colour in (Colour.BLUE, Colour.RED):
        assert runner.run(tmp_path / "w" / "a", "make", Config(colour), {"in": "d"}, Producer("new")).fresh
    assert _left(tmp_path / "w") == ["a", "a.kept-1"]
    assert (tmp_path / "w" / "a.kept-1").readlink() == elsewhere
    assert (elsewhere / "sub" / "data.txt").read_text() == "old"
    (tmp_path / "w" / "b").symlink_to(tmp_path / "nowhere")
    assert runner.run(tmp_path / "w" / "b", "make", Config(), {}, Producer()).fresh
    assert not (tmp_path / "nowhere").exists()


def test_a_lock_that_is_a_link_harms_nothing(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "w").mkdir()
    for name in (".a.lock", f".a.partial-{os.getpid()}", ".a.partial-1"):
        (tmp_path / "w" / name).symlink_to(tmp_path / "precious")
    runner.run(tmp_path / "w" / "a", "make", Config(), {}, Producer())
    assert (tmp_path / "precious").read_text() == "precious"
    assert _left(tmp_path / "w") == ["a"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("figures", {"length": 224}),
        ("seconds", 1e999),
        ("seconds", -1),
        ("seconds", "x"),
        ("outputs", {}),
        ("outputs", {"../../secret": "0" * 64}),
        ("outputs", {"/etc/hostname": "0" * 64}),
        ("outputs", {"more.txt": "link to /etc"}),
        ("outputs", {"more.txt": None}),
        ("inputs", {"in": 3}),
        ("inputs", []),
        ("config", {"colour": "blue"}),
        ("digest", "0" * 64),
        ("stage", ["make"]),
        ("figures", None),
    ],
)
def test_of_a_record_nothing_is_believed_that_does_not_hold(tmp_path: Path, key: str, value: Any) -> None:
    runner.run(tmp_path / "a", "make", Config(), {"in": "d1"}, Producer())
    path = tmp_path / "a" / "stage.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(ArtefactError, match=r"stage\.json: corrupt .*delete .* to have it made anew") as error:
        runner.load(tmp_path / "a")
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, '{"format": ' + "[" * 5000 + "]" * 5000 + "}"])
def test_a_record_that_python_cannot_read_is_refused(tmp_path: Path, text: str) -> None:
    runner.run(tmp_path / "a", "make", Config(), {}, Producer())
    (tmp_path / "a" / "stage.json").write_text(text)
    with pytest.raises(ArtefactError, match=r"stage\.json: corrupt"):
        runner.load(tmp_path / "a")


def test_where_nothing_can_be_written_what_is_up_to_date_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.run(tmp_path / "a", "make", Config(), {}, Producer())
    (tmp_path / ".a.lock").unlink()
    opened = os.open

    def read_only(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
            raise OSError(30, "Read-only file system", str(path))
        return opened(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", read_only)
    assert not runner.run(tmp_path / "a", "make", Config(), {}, Producer()).fresh
    with pytest.raises(OSError, match="Read-only"):
        runner.run(tmp_path / "a", "make", Config(Colour.BLUE), {}, Producer())


def test_an_error_that_names_no_file_names_where_it_was_written(tmp_path: Path) -> None:
    def full(folder: Path) -> dict[str, Any]:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        runner.run(tmp_path / "a", "make", Config(), {}, full)
    assert str(caught.value.filename).startswith(str(tmp_path / ".a.partial-"))
    assert _left(tmp_path) == []


def _left(folder: Path) -> list[str]:
    """What there is but for locks."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


_PRELUDE = """
import os, signal, sys, time
from pathlib import Path
from nonresnet_hls.pipeline import runner

def produce(text, wait=0.0):
    def write(folder):
        for name in ("x.txt", "y.txt"):
            (folder / name).write_text(text)
            time.sleep(wait)
        return {"text": text}
    return write

root = Path(sys.argv[1])
"""

# Kills a run at its first, second, ... touch of a file below `root` (Python's audit events), until one gets through.
_KILLER = (
    _PRELUDE
    + """
def die_at(number):
    seen = 0
    def hook(event, args):
        nonlocal seen
        if event in WATCHED and any(str(root) in str(arg) for arg in args):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
    return hook

WATCHED = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.listdir", "os.scandir", "fcntl.flock"}
number = 0
while True:
    number += 1
    place = root / str(number)
    runner.run(place / "a", "make", "old", {}, produce("old"))
    child = os.fork()
    if child == 0:
        sys.addaudithook(die_at(number))
        runner.run(place / "a", "make", "new", {}, produce("new"))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    found = runner.load(place / "a")
    if found is not None:
        texts = {(place / "a" / name).read_text() for name in ("x.txt", "y.txt")}
        if texts != {found.figures["text"]}:
            sys.exit(f"killed at {number}: {texts} in an artefact that says {found.figures}")
    again = runner.run(place / "a", "make", "new", {}, produce("new"))
    if again.figures != {"text": "new"} or (place / "a" / "y.txt").read_text() != "new":
        sys.exit(f"killed at {number}: the rerun gave {again}")
    left = sorted(path.name for path in place.iterdir())
    if left != [".a.lock", "a"]:
        sys.exit(f"killed at {number}: {left} left")
    if status == 0:
        break
    if not os.WIFSIGNALED(status):
        sys.exit(f"killed at {number}: ended with status {status}")
print(number)
"""
)


def _python(program: str, *args: object) -> subprocess.Popen[str]:
    package = Path(nonresnet_hls.__file__).parent.parent
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(package)},
    )


def test_a_kill_at_any_touch_of_a_file_leaves_nothing_that_a_rerun_trusts(tmp_path: Path) -> None:
    process = _python(_KILLER, tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert int(out) > 15  # so many moments there were


_RUN = _PRELUDE + 'print(runner.run(root / "a", "make", sys.argv[2], {}, produce(sys.argv[2], 0.3)).fresh)'


def test_two_processes_at_once_do_the_work_once(tmp_path: Path) -> None:
    both = [_python(_RUN, tmp_path, "text") for _ in range(2)]
    told = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(out.strip() for out, _ in told) == ["False", "True"]
    assert _left(tmp_path) == ["a"]


def test_two_processes_that_disagree_write_one_after_the_other(tmp_path: Path) -> None:
    both = [_python(_RUN, tmp_path, text) for text in ("one", "two")]
    for process in both:
        process.communicate(timeout=60)
    assert [process.returncode for process in both] == [0, 0]
    found = runner.load(tmp_path / "a")
    assert found is not None
    assert {(tmp_path / "a" / name).read_text() for name in ("x.txt", "y.txt")} == {found.figures["text"]}
    assert _left(tmp_path) == ["a"]


def test_the_lock_of_a_killed_process_does_not_hold(tmp_path: Path) -> None:
    process = _python(_PRELUDE + 'runner.run(root / "a", "make", "", {}, produce("slow", 60))', tmp_path)
    for _ in range(600):
        if list(tmp_path.glob(".a.partial-*/x.txt")):
            break
        time.sleep(0.05)
    process.kill()
    process.communicate(timeout=60)
    assert [path.name for path in tmp_path.glob(".a.partial-*/*")] == ["x.txt"]
    assert runner.load(tmp_path / "a") is None
    runner.run(tmp_path / "a", "make", Config(), {}, Producer())
    assert _left(tmp_path) == ["a"]


def test_what_another_process_replaces_meanwhile_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner.run(tmp_path / "a", "make", "old", {}, Producer("old"))
    hashed = runner._sha256

    def late(path: Path) -> str:
        monkeypatch.setattr(runner, "_sha256", hashed)
        runner.run(tmp_path / "a", "make", "new", {}, Producer("newer"))
        return hashed(path)

    monkeypatch.setattr(runner, "_sha256", late)
    found = runner.load(tmp_path / "a")
    assert found is not None
    assert found.figures == {"length": 5}


def test_texts_are_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "table.txt"
    runner.write_text(path, "µ\n")
    runner.write_json(tmp_path / "deep" / "x.json", {"a": 1})
    assert path.read_text(encoding="utf-8") == "µ\n"
    assert json.loads((tmp_path / "deep" / "x.json").read_text()) == {"a": 1}
    assert sorted(p.name for p in path.parent.iterdir()) == ["table.txt", "x.json"]


def test_figures_of_another_kind_are_those_of_a_record(tmp_path: Path) -> None:
    made = runner.run(tmp_path / "a", "make", Config(), {"in": "d1"}, Producer())
    with pytest.raises(TypeError), runner.reading(made):
        len(3)  # type: ignore[arg-type]  # a fault of ours
    found = runner.load(tmp_path / "a")
    assert found is not None
    wanted = r"a/stage\.json: figures as the stage writes them wanted \(TypeError: "
    with pytest.raises(ArtefactError, match=wanted), runner.reading(made, found):
        len(3)  # type: ignore[arg-type]
    with pytest.raises(ArtefactError, match="no figure 'none'"), runner.reading(found):
        found.figures["none"]
