"""Files are written whole, and never through a link."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nonresnet_hls import files


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A file outside the folder that is written in."""
    (tmp_path / "outside").mkdir()
    path = tmp_path / "outside" / "precious.txt"
    path.write_text("precious")
    (tmp_path / "inside").mkdir()
    return path


def test_a_link_is_replaced_and_not_followed(precious: Path, tmp_path: Path) -> None:
    target = tmp_path / "inside" / "x.txt"
    target.symlink_to(precious)
    files.write_text(target, "new")
    assert (target.is_symlink(), target.read_text(), precious.read_text()) == (False, "new", "precious")


@pytest.mark.parametrize("ours", [True, False])
def test_a_link_that_waits_beside_is_not_followed(precious: Path, tmp_path: Path, ours: bool) -> None:
    (tmp_path / "inside" / f".x.txt.partial-{os.getpid() if ours else 99999999}").symlink_to(precious)
    files.write_text(tmp_path / "inside" / "x.txt", "new")
    assert precious.read_text() == "precious"
    assert left(tmp_path / "inside") == ["x.txt"]


def test_permissions_stay(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    (tmp_path / "x").chmod(0o751)
    files.write_text(tmp_path / "x", "new")
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o751


def test_what_fails_leaves_the_old_file_and_names_it(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")

    def fail() -> None:
        with files.replacing(tmp_path / "x") as stream:
            stream.write(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        fail()
    assert caught.value.filename == str(tmp_path / "x")
    assert left(tmp_path) == ["x"]
    assert (tmp_path / "x").read_text() == "old"


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path; from nonresnet_hls import files\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "files.write_text(Path(sys.argv[1]), 'x' * 5000)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program, tmp_path / "x"], capture_output=True, text=True, check=False)
    assert ran.stderr.rstrip().endswith(f"File too large: '{tmp_path / 'x'}'")
    assert left(tmp_path) == []


def test_a_folder_that_cannot_be_written_whole_leaves_the_old_one(precious: Path, tmp_path: Path) -> None:
    def fill(place: Path, text: str, end: Exception | None = None) -> None:
        with files.replacing_folder(place) as fresh:
            (fresh / "one").write_text(text)
            if end is not None:
                raise end

    inside = tmp_path / "inside"
    place = inside / "folder"
    fill(place, "old")
    (place / "more").touch()
    with pytest.raises(OSError, match="No space left") as caught:
        fill(place, "half", OSError(28, "No space left on device"))
    assert caught.value.filename == str(place)
    assert (left(inside), (place / "one").read_text()) == (["folder"], "old")
    fill(place, "new")
    assert (left(inside), left(place), (place / "one").read_text()) == (["folder"], ["one"], "new")
    linked = inside / "linked"
    linked.symlink_to(precious.parent)
    fill(linked, "own")
    assert not linked.is_symlink()
    assert precious.exists()
    empty = inside / "empty"
    empty.mkdir()
    own = empty.stat().st_ino
    fill(empty, "in place")
    assert (empty.stat().st_ino, left(empty)) == (own, ["one"])


def test_what_a_killed_process_left_goes_with_the_next(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from pathlib import Path; from nonresnet_hls import files\n"
        "with files.replacing(Path(sys.argv[1])) as stream: print('now', flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "x")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        files.write_text(tmp_path / "x", "one")
        assert left(tmp_path) == [f".x.partial-{process.pid}", "x"]  # of a process that lives
        process.send_signal(signal.SIGKILL)
    files.write_text(tmp_path / "x", "two")
    assert left(tmp_path) == ["x"]


def test_a_lock_is_never_what_a_link_points_to(precious: Path, tmp_path: Path) -> None:
    lock = tmp_path / "inside" / ".a.lock"
    lock.symlink_to(precious)
    files.open_lock(lock).close()
    assert (lock.is_symlink(), lock.read_bytes(), precious.read_text()) == (False, b"", "precious")
    lock.unlink()
    lock.symlink_to(tmp_path / "nowhere")
    files.open_lock(lock).close()
    assert not (tmp_path / "nowhere").exists()


def test_a_pipe_in_the_place_of_a_lock_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".a.lock")
    files.open_lock(tmp_path / ".a.lock").close()
    assert (tmp_path / ".a.lock").is_file()


def test_what_is_removed_is_not_what_a_link_points_to(precious: Path, tmp_path: Path) -> None:
    (tmp_path / "inside" / "link").symlink_to(precious.parent)
    files.remove(tmp_path / "inside" / "link")
    files.remove(tmp_path / "inside" / "nothing")
    assert precious.read_text() == "precious"
    files.remove(tmp_path / "inside")
    assert left(tmp_path) == ["outside"]


def test_everything_is_counted(precious: Path, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    (inside / "sub").mkdir()
    (inside / "sub" / "file").touch()
    (inside / "folder").symlink_to(precious.parent)
    (inside / "broken").symlink_to("nowhere")
    os.mkfifo(inside / "pipe")
    names = [path.relative_to(inside).as_posix() for path, _ in files.entries(inside)]
    assert sorted(names) == ["broken", "folder", "pipe", "sub/file"]
