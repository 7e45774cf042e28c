"""Files written whole or not at all, and never through a link: what others left in a folder decides nothing.

Whoever writes a file puts it beside under the name `.NAME.partial-PID` first; what killed processes left of such is
removed by the next one that writes the same file.
"""

import contextlib
import errno
import io
import os
import shutil
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def replacing(path: Path, durable: bool = False) -> Iterator[IO[bytes]]:
    """A new file, open for writing, that takes the place of `path` when all went well.

    A link of that name is replaced, not followed. The new file has the permissions of the old one.

    Args:
        path: of the file.
        durable: whether it is on the disk, too, before it takes the place: for what took hours.

    Raises:
        OSError: it cannot be written (a full disk, say); it names `path`, and nothing is left.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = partial(path)
        try:
            with os.fdopen(os.open(beside, _NEW, 0o666), "wb") as stream:
                with contextlib.suppress(FileNotFoundError):
                    old = path.lstat()
                    if stat.S_ISREG(old.st_mode):
                        os.fchmod(stream.fileno(), stat.S_IMODE(old.st_mode))
                yield stream
                stream.flush()
                if durable:
                    os.fsync(stream.fileno())
            beside.replace(path)
        finally:
            remove(beside)


@contextlib.contextmanager
def replacing_by_name(path: Path) -> Iterator[Path]:
    """As `replacing`, for libraries that open files themselves: the name of a file yet to be written."""
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = partial(path)
        folder.mkdir()
        try:
            yield folder / path.name
            (folder / path.name).replace(path)
        finally:
            remove(folder)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """As `replacing`, for a folder with all that is in it; an empty one is filled where it is."""
    with naming(path):
        if not path.is_symlink() and path.is_dir() and not any(path.iterdir()):
            yield path
            return
        fresh = partial(path)
        fresh.mkdir(parents=True)
        try:
            yield fresh
            remove(path)
            fresh.rename(path)
        finally:
            remove(fresh)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as stream:
        stream.write(text.encode("utf-8"))


def write_npz(path: Path, arrays: Mapping[str, Any], compressed: bool = False, durable: bool = False) -> None:
    """Write arrays whole or not at all, as NumPy's `.npz`.

    Raises:
        OSError: it cannot be written.
    """
    import numpy as np

    # Made in memory: on a full disk the archive would complain a second time, when it is collected.
    content = io.BytesIO()
    # (As NumPy does, whose own function takes no array that is called `file`.)
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                write: Any = np.lib.format.write_array  # NumPy says nothing of its types
                write(member, np.asanyarray(array), allow_pickle=False)
    with replacing(path, durable) as stream:
        stream.write(content.getbuffer())


def partial(path: Path) -> Path:
    """The name beside `path` under which this process writes first; nothing of that name is there."""
    _remove_leftovers(path)
    beside = path.with_name(f"{_prefix(path)}{os.getpid()}")
    remove(beside)
    return beside


def leftovers(path: Path) -> list[Path]:
    """What is there under names that `partial` gives for a path, of whatever process."""
    try:
        return sorted(other for other in path.parent.iterdir() if other.name.startswith(_prefix(path)))
    except FileNotFoundError:
        return []


def remove(path: Path) -> None:
    """Remove a file, link or folder, if it is there; what a link points to stays."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISDIR(mode):
        shutil.rmtree(path)
    else:
        path.unlink()


def keep_aside(path: Path) -> Path:
    """Give a file or folder another name beside, `NAME.kept-N.SUFFIX`, which is returned."""
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.stem}.kept-{number}{path.suffix}")):
        number += 1
    path.rename(aside)
    return aside


def entries(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below a directory that is no directory, links and devices too; no link is followed."""
    for folder, inner, names in os.walk(directory, followlinks=False):
        inner.sort()
        for name in sorted(names + [name for name in inner if (Path(folder) / name).is_symlink()]):
            path = Path(folder) / name
            yield path, path.lstat()


def open_lock(path: Path) -> IO[bytes]:
    """A file to be locked, made where it is not there; what is no plain file is replaced by one.

    Raises:
        OSError: it can be neither opened nor made.
    """
    for _ in range(10):
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENXIO):
                raise
        else:
            if stat.S_ISREG(os.fstat(handle).st_mode):
                return os.fdopen(handle, "r+b")
            os.close(handle)
        path.unlink(missing_ok=True)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of the system that name no file name `path`."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or isinstance(error, BrokenPipeError):
            raise
        text = error.strerror or (str(error).splitlines() or [type(error).__name__])[0]
        raise OSError(error.errno or errno.EIO, text, str(path)) from error


def _prefix(path: Path) -> str:
    return f".{path.name}.partial-"


def _remove_leftovers(path: Path) -> None:
    """Remove what processes left that are no more."""
    for leftover in leftovers(path):
        process = leftover.name.removeprefix(_prefix(path))
        if process.isascii() and process.isdigit() and not is_running(int(process)):
            with contextlib.suppress(FileNotFoundError):  # another process may be doing the same
                remove(leftover)


def is_running(process: int) -> bool:
    """Whether there is a process of that number."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
