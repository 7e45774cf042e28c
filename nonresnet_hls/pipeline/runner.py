"""The runner of stages: skips what is unchanged, writes atomically, loses nothing of the user's.

A stage turns input artefacts and its own configuration into one output artefact, a directory. The runner lets the
stage write beside the target and renames when all is there; `stage.json` in it (format below) goes last, so a
directory without it is nothing that a rerun trusts.

`stage.json`, format 1:

    format      1
    stage       name of the stage
    digest      of stage, config and inputs; the stage is skipped while it is the same
    config      the stage's configuration
    inputs      name -> digest of each input artefact
    outputs     relative path -> SHA-256 of each file that the stage wrote
    versions    package -> version
    seconds     how long the stage ran
    figures     what the stage found out (accuracy, counts, ...), by name
    seal        digest of all the rest (records that were written before there was one have none)

Of a record nothing is believed that does not hold: the digest is that of its stage, config and inputs, the seal that of
the record, the files are those that are there.
"""

import contextlib
import dataclasses
import errno
import fcntl
import functools
import hashlib
import json
import math
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from nonresnet_hls import bounds, files, progress
from nonresnet_hls.errors import ArtefactError, NonResNetError

FORMAT = 1
RECORD = "stage.json"

_PACKAGES = ("nonresnet-hls", "tensorflow", "qkeras", "hls4ml", "numpy")


@dataclass(frozen=True)
class Artefact:
    """What a stage left: its directory and the record beside the files."""

    directory: Path
    stage: str
    digest: str
    """Of everything that went in."""
    content: str
    """Of everything that came out: the stages that follow depend on this one."""
    inputs: Mapping[str, str]
    """Digest of each input artefact, by name."""
    outputs: Mapping[str, str]
    """Digest of each file, by its path in the directory."""
    figures: Mapping[str, Any]
    seconds: float
    fresh: bool
    """Whether the stage ran just now, or an earlier run's result stands."""


class _Figures(dict[str, Any]):
    """The figures of a record; where one is missing, another version has left it."""

    def __init__(self, figures: Mapping[str, Any], path: Path, redo: str) -> None:
        super().__init__(figures)
        self._path, self._redo = path, redo

    def __missing__(self, name: str) -> Any:
        raise ArtefactError(f"{self._path}: no figure {name!r}; {self._redo}")


def run(
    directory: Path,
    stage: str,
    config: Any,
    inputs: Mapping[str, str],
    produce: Callable[[Path], Mapping[str, Any]],
    valuable: Callable[[Artefact], bool] = lambda _: False,
) -> Artefact:
    """Bring `directory` up to date and return it.

    Args:
        directory: where the artefact is to be.
        stage: name of the stage; give it a new version ("train/2") when its meaning changes.
        config: the stage's own configuration: dataclasses, enums, paths, numbers, strings and containers of them.
        inputs: digest of each input artefact, by name.
        produce: writes the artefact's files into the (empty) directory it is given and returns its figures.
        valuable: whether what is there, and is not up to date, is kept aside under another name.

    Raises:
        ArtefactError: there is an artefact, but one of its files is missing or changed.
    """
    plain = _plain(config)
    digest = digest_of(stage, config, inputs)
    with contextlib.ExitStack() as lock:
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            lock.enter_context(_locked(directory))
        except OSError as error:
            # Where nothing can be written nobody else writes either, and what is up to date serves.
            found = load(directory) if error.errno in _READ_ONLY else None
            if found is not None and found.digest == digest:
                return found
            raise
        for leftover in files.leftovers(directory):
            files.remove(leftover)  # of a killed run: we hold the lock, so nobody writes there
        found = load(directory)
        if found is not None and found.digest == digest:
            return found
        partial = files.partial(directory)
        partial.mkdir()
        try:
            started = time.monotonic()
            with files.naming(partial):
                figures = dict(produce(partial))
            record = {
                "format": FORMAT,
                "stage": stage,
                "digest": digest,
                "config": plain,
                "inputs": dict(inputs),
                "outputs": _hashes(partial),
                "versions": _versions(),
                "seconds": round(time.monotonic() - started, 3),
                "figures": figures,
            }
            record = json.loads(json.dumps(record))  # as it will be read
            write_json(partial / RECORD, record | {"seal": _digest(record)})
            _replace(directory, partial, found is not None and valuable(found))
        finally:
            files.remove(partial)
        result = load(directory)
        if result is None:
            raise ArtefactError(f"{directory}: vanished while stage {stage} wrote it")
        return dataclasses.replace(result, fresh=True)


def own_version() -> str:
    """This package's name and version."""
    return f"nonresnet_hls {_versions().get('nonresnet-hls', '')}".strip()


def versions(artefact: Artefact) -> dict[str, str]:
    """Versions of the packages that an artefact was made with, as its record has them.

    Raises:
        ArtefactError: the record cannot be read.
    """
    path = artefact.directory / RECORD
    try:
        found = _read(path)["versions"]
        return {str(name): str(version) for name, version in found.items()}
    except (OSError, LookupError, ValueError, AttributeError, RecursionError) as error:
        raise ArtefactError(f"{path}: corrupt ({type(error).__name__}: {error})") from None


@contextlib.contextmanager
def reading(*artefacts: Artefact) -> Iterator[None]:
    """What stumbles over the figures of artefacts within says whose: whoever can read a record can seal another.

    Not over those of stages that ran just now: that would be a fault of ours.

    Raises:
        ArtefactError: a figure is not of the kind that the stage writes.
    """
    try:
        yield
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        stale = [artefact for artefact in artefacts if not artefact.fresh]
        if isinstance(error, NonResNetError) or not stale:
            raise
        told = " or ".join(f"{artefact.directory / RECORD}" for artefact in stale)
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        redo = f"delete {' or '.join(str(artefact.directory) for artefact in stale)} to have it made anew"
        raise ArtefactError(f"{told}: figures as the stage writes them wanted ({reason}); {redo}") from None


def digest_of(stage: str, config: Any, inputs: Mapping[str, str]) -> str:
    """What `run` would compare: the digest of a stage's name, configuration and inputs."""
    return _digest({"stage": stage, "config": _plain(config), "inputs": dict(inputs)})


def load(directory: Path) -> Artefact | None:
    """The artefact in `directory`, checked file by file; None where no stage has finished.

    Another process may put a new one in its place meanwhile: then the new one is read.

    Raises:
        ArtefactError: its record is unreadable or of another format, or a file is missing or changed.
    """
    while True:
        before = _stamp(directory)
        try:
            return _load(directory)
        except ArtefactError:
            if _stamp(directory) == before:
                raise


def _stamp(directory: Path) -> tuple[int, int] | None:
    """What tells an artefact from the one that takes its place; None where there is none."""
    try:
        status = (directory / RECORD).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _load(directory: Path) -> Artefact | None:
    path = directory / RECORD
    if not path.is_file():
        return None
    redo = f"delete {directory} to have it made anew"
    try:
        record = _read(path)
    except (OSError, ValueError, RecursionError) as error:
        raise ArtefactError(f"{path}: corrupt ({type(error).__name__}: {error}); {redo}") from None
    if record["format"] != FORMAT:
        raise ArtefactError(f"{path}: format {FORMAT} wanted, not {record['format']!r:.80}; {redo}")
    outputs: dict[str, str] = record["outputs"]
    artefact = Artefact(
        directory=directory,
        stage=record["stage"],
        digest=record["digest"],
        content=_digest(outputs),
        inputs=record["inputs"],
        outputs=outputs,
        figures=_Figures(record["figures"], path, redo),
        seconds=float(record["seconds"]),
        fresh=False,
    )
    for name, wanted in outputs.items():
        file = directory / name
        try:
            found = _sha256(file) if file.is_file() else None
        except FileNotFoundError:  # it went just now
            found = None
        if found is None:
            raise ArtefactError(f"{file}: missing, though stage {artefact.stage} wrote it; {redo}")
        if found != wanted:
            raise ArtefactError(f"{file}: changed since stage {artefact.stage} wrote it; {redo}")
    return artefact


def _read(path: Path) -> dict[str, Any]:
    """A record, of which everything that can be checked without its files holds.

    Raises:
        ValueError: something does not.
        OSError: it cannot be read.
    """
    record = json.loads(bounds.read_text(path))
    if not isinstance(record, dict):
        raise ValueError(f"a record wanted, not {type(record).__name__}")
    for key in ("format", "stage", "digest", "config", "inputs", "outputs", "seconds", "figures"):
        if key not in record:
            raise ValueError(f"no {key!r}")
    if record["format"] != FORMAT:
        return record
    for key in ("inputs", "outputs"):
        entries = record[key]
        if not isinstance(entries, dict) or not all(isinstance(value, str) for value in entries.values()):
            raise ValueError(f"{key}: digests by name wanted")
    if not isinstance(record["figures"], dict):
        raise ValueError("figures: values by name wanted")
    for name, digest in record["outputs"].items():
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or parts[0] == "/" or not _DIGEST.fullmatch(digest):
            raise ValueError(f"outputs: files within the artefact wanted, with SHA-256, not {name!r:.80}")
    seconds = record["seconds"]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise ValueError(f"seconds: a duration wanted, not {seconds!r:.80}")
    told = {key: record[key] for key in ("stage", "config", "inputs")}
    if not isinstance(record["stage"], str) or record["digest"] != _digest(told):
        raise ValueError("digest: not that of its stage, config and inputs")
    if "seal" in record and record["seal"] != _digest({key: record[key] for key in record if key != "seal"}):
        raise ValueError("changed since it was written")
    return record


_DIGEST = re.compile(r"[0-9a-f]{64}")
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    files.write_text(path, text)


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all."""
    files.write_text(path, json.dumps(value, indent=2) + "\n")


def file_digest(path: Path) -> str:
    """SHA-256 of a file that no stage made (a user's model, a data set), to be used as an input."""
    return _sha256(path)


def tool_digest(*rooms: str) -> str:
    """Digest of this package's files in `rooms` (folders or files of it) and of the versions of what they use.

    An input of every stage that takes seconds or minutes: what an older tool made is not up to date. The stages
    that take hours leave it out, and change their name when their meaning changes.
    """
    return _digest({"code": _code(*rooms), "versions": _versions()})


@functools.cache
def _code(*rooms: str) -> dict[str, str]:
    """The digest of each file in these rooms."""
    package = Path(__file__).parents[1]
    files = [path for room in rooms for path in (package / room, *(package / room).rglob("*")) if path.is_file()]
    # Where others start at the same time, bytecode is there under passing names, too.
    return {path.relative_to(package).as_posix(): _sha256(path) for path in files if path.parent.name != "__pycache__"}


def _plain(value: Any) -> Any:
    """`value` in what JSON can say, for digests and records."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _hashes(directory: Path) -> dict[str, str]:
    """Digest of every file by its path; of what is none (a link, a device) what it is, in words."""
    found = {}
    for path, status in files.entries(directory):
        if stat.S_ISREG(status.st_mode):
            what = _sha256(path)
        else:
            what = f"link to {path.readlink()}" if stat.S_ISLNK(status.st_mode) else stat.filemode(status.st_mode)
        found[path.relative_to(directory).as_posix()] = what
    return dict(sorted(found.items()))


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One writer at a time; the lock goes with its process, however that ends."""
    with files.open_lock(directory.parent / f".{directory.name}.lock") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say(f"waiting for another process that writes {directory}")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _replace(directory: Path, partial: Path, valuable: bool) -> None:
    """Put `partial` where `directory` is; what is valuable, or a user added or changed, is kept under another name."""
    if not os.path.lexists(directory):
        partial.rename(directory)
        return
    if not valuable and is_pristine(directory):
        # Under such a name it goes with the next run, should this one be killed half-way.
        aside = partial.with_name(f"{partial.name}-old")
        directory.rename(aside)
        partial.rename(directory)
        files.remove(aside)
        return
    number = 1
    while os.path.lexists(aside := directory.parent / f"{directory.name}.kept-{number}"):
        number += 1
    was_link = directory.is_symlink()
    directory.rename(aside)
    partial.rename(directory)
    if was_link:
        progress.say(f"{directory} was a link to {aside.readlink()}: kept as {aside}")
        return
    why = "took long to make" if valuable else "held files that no stage wrote or that were changed"
    progress.say(f"{directory} {why}: kept as {aside}")


def is_pristine(directory: Path) -> bool:
    """Whether all in a directory was left by stages: its own files, locks, and artefacts within it."""
    if not stat.S_ISDIR(directory.lstat().st_mode):
        return False
    try:
        outputs = _read(directory / RECORD)["outputs"]
    except (OSError, ValueError, RecursionError):
        return False
    present = _hashes(directory)
    inner = {directory / name for name in present if name.endswith(f"/{RECORD}")}
    folders = [record.parent for record in inner]
    present = {
        name: digest
        for name, digest in present.items()
        if not any((directory / name).is_relative_to(folder) for folder in folders) and not _is_lock(name, digest)
    }
    if not _DIGEST.fullmatch(present.pop(RECORD, "")):
        return False
    return bool(present == outputs) and all(is_pristine(folder) for folder in folders)


def _is_lock(name: str, digest: str) -> bool:
    file = name.rpartition("/")[2]
    return file.startswith(".") and file.endswith(".lock") and digest == _EMPTY


_EMPTY = hashlib.sha256().hexdigest()
