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
"""

import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any

from nonresnet_hls import progress
from nonresnet_hls.errors import ArtefactError

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
    directory.parent.mkdir(parents=True, exist_ok=True)
    with _locked(directory):
        for leftover in directory.parent.glob(f".{directory.name}.partial-*"):
            shutil.rmtree(leftover)  # of a killed run: we hold the lock, so nobody writes there
        found = load(directory)
        if found is not None and found.digest == digest:
            return found
        partial = directory.parent / f".{directory.name}.partial-{os.getpid()}"
        partial.mkdir()
        try:
            started = time.monotonic()
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
            write_json(partial / RECORD, record)
            _replace(directory, partial, found is not None and valuable(found))
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        result = load(directory)
        if result is None:
            raise ArtefactError(f"{directory}: vanished while stage {stage} wrote it")
        return dataclasses.replace(result, fresh=True)


def digest_of(stage: str, config: Any, inputs: Mapping[str, str]) -> str:
    """What `run` would compare: the digest of a stage's name, configuration and inputs."""
    return _digest({"stage": stage, "config": _plain(config), "inputs": dict(inputs)})


def load(directory: Path) -> Artefact | None:
    """The artefact in `directory`, checked file by file; None where no stage has finished.

    Raises:
        ArtefactError: its record is unreadable or of another format, or a file is missing or changed.
    """
    path = directory / RECORD
    if not path.is_file():
        return None
    redo = f"delete {directory} to have it made anew"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        version = record["format"]
        outputs: dict[str, str] = dict(record["outputs"])
        artefact = Artefact(
            directory=directory,
            stage=str(record["stage"]),
            digest=str(record["digest"]),
            content=_digest(outputs),
            inputs=dict(record["inputs"]),
            outputs=outputs,
            figures=_Figures(record["figures"], path, redo),
            seconds=float(record["seconds"]),
            fresh=False,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtefactError(f"{path}: corrupt ({type(error).__name__}: {error}); {redo}") from None
    if version != FORMAT:
        raise ArtefactError(f"{path}: format {FORMAT} wanted, not {version!r}; {redo}")
    for name, wanted in outputs.items():
        file = directory / name
        if not file.is_file():
            raise ArtefactError(f"{file}: missing, though stage {artefact.stage} wrote it; {redo}")
        if _sha256(file) != wanted:
            raise ArtefactError(f"{file}: changed since stage {artefact.stage} wrote it; {redo}")
    return artefact


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.partial-{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def file_digest(path: Path) -> str:
    """SHA-256 of a file that no stage made (a user's model, a data set), to be used as an input."""
    return _sha256(path)


@functools.cache
def tool_digest(*rooms: str) -> str:
    """Digest of this package's files in `rooms` (folders or files of it) and of the versions of what they use.

    An input of every stage that takes seconds or minutes: what an older tool made is not up to date. The stages
    that take hours leave it out, and change their name when their meaning changes.
    """
    package = Path(__file__).parents[1]
    files = [path for room in rooms for path in (package / room, *(package / room).rglob("*")) if path.is_file()]
    code = {path.relative_to(package).as_posix(): _sha256(path) for path in files if path.suffix != ".pyc"}
    return _digest({"code": code, "versions": _versions()})


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
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): _sha256(path) for path in files}


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One writer at a time; the lock goes with its process, however that ends."""
    with (directory.parent / f".{directory.name}.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say(f"waiting for another process that writes {directory}")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _replace(directory: Path, partial: Path, valuable: bool) -> None:
    """Put `partial` where `directory` is; what is valuable, or a user added or changed, is kept under another name."""
    if not directory.exists():
        partial.rename(directory)
        return
    if not valuable and _pristine(directory):
        # Under such a name it goes with the next run, should this one be killed half-way.
        aside = partial.with_name(f"{partial.name}-old")
        directory.rename(aside)
        partial.rename(directory)
        shutil.rmtree(aside)
        return
    number = 1
    while (aside := directory.parent / f"{directory.name}.kept-{number}").exists():
        number += 1
    directory.rename(aside)
    partial.rename(directory)
    why = "took long to make" if valuable else "held files that no stage wrote or that were changed"
    progress.say(f"{directory} {why}: kept as {aside}")


def _pristine(directory: Path) -> bool:
    """Whether all in a directory was left by stages: its own files, locks, and artefacts within it."""
    try:
        outputs = json.loads((directory / RECORD).read_text(encoding="utf-8"))["outputs"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    inner = [record.parent for record in directory.rglob(RECORD) if record.parent != directory]
    present = {
        name: digest
        for name, digest in _hashes(directory).items()
        if not any((directory / name).is_relative_to(other) for other in inner) and not _is_lock(name)
    }
    present.pop(RECORD, None)
    return bool(present == outputs) and all(_pristine(other) for other in inner)


def _is_lock(name: str) -> bool:
    file = name.rpartition("/")[2]
    return file.startswith(".") and file.endswith(".lock")
