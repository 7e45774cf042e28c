"""The two containers of Keras models, `.keras` (a zip archive) and HDF5, opened with bounds and without side effects.

Which of them a file is, is decided as Keras decides it, so that what is inspected is what is loaded. A file may be
both: a HDF5 file with an archive appended. Whoever has it opened here loads it from the same handle.
"""

import io
import json
import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls import bounds
from nonresnet_hls.errors import ModelError

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"
ATTRIBUTE = "model_config"

MAX_CONFIG_BYTES = 32 << 20
"""ResNet50 has 0.1 MB, the largest of `keras.applications` 2 MB."""
MAX_OBJECTS = 200_000
"""Groups and arrays of a HDF5 file."""


@dataclass(frozen=True)
class Container:
    """A model file, open for reading."""

    config: Any
    """What the file says of the model, as plain JSON."""
    array_bytes: int
    """Memory that all arrays of the file take."""
    weights: io.BytesIO | None
    """Of a `.keras` file: the HDF5 file that it holds."""
    hdf5: Any
    """The HDF5 file that the weights are in, as h5py opened it."""


@contextmanager
def opened(path: Path, keras: int = 2) -> Iterator[Container]:
    """Open a model file as Keras would.

    Args:
        path: of the file.
        keras: the greatest version whose files are taken.

    Raises:
        ModelError: there is no such file, it is damaged, larger than makes sense, or reaches outside itself.
    """
    import h5py

    if not path.is_file():
        wanted = "; a .keras or .h5 file wanted, not a folder (of a SavedModel, say)" if path.is_dir() else ""
        raise ModelError(f"{path}: no such file{wanted}")
    with bounds.open_plain(path) as stream:
        try:
            stored = os.fstat(stream.fileno()).st_size
            # As `keras.models.load_model` does it.
            archive = zipfile.ZipFile(stream) if path.suffix == ".keras" and zipfile.is_zipfile(stream) else None
            if archive:
                _check_version(path, json.loads(_read(archive, METADATA)).get("keras_version", ""), keras)
            text = _read(archive, CONFIG) if archive else None
            weights = _weights(archive, stored) if archive else None
            file = h5py.File(weights or stream, "r")
        except _DAMAGE as error:
            raise _unreadable(path, error) from None
        with file:
            if archive is None:
                _check_version(path, file.attrs.get("keras_version", ""), keras)
            try:
                config = json.loads(text or _attribute(path, file))
                found = Container(config, _array_bytes(file, stored), weights, file)
            except _DAMAGE as error:
                raise _unreadable(path, error) from None
            yield found


# What a damaged file makes zipfile, zlib, json and h5py stumble over.
_DAMAGE = (
    *(OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, MemoryError),
    *(OverflowError, *bounds.DAMAGED_ARCHIVE),
)


def _unreadable(path: Path, error: BaseException) -> ModelError:
    text = "its configuration is nested too deeply" if isinstance(error, RecursionError) else first_line(error)
    return ModelError(f"{path}: cannot be read as .keras or .h5: {text}")


def first_line(error: BaseException) -> str:
    """The first line of an error's text, no longer than one reads."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."


_LONGEST = 300


def _check_version(path: Path, version: Any, greatest: int) -> None:
    """Refuse files of a later Keras, which nothing here can restore.

    Raises:
        ModelError: says what to do.
    """
    text = version.decode("utf-8", "replace") if isinstance(version, bytes) else str(version)
    if text.partition(".")[0].isdecimal() and int(text.partition(".")[0][:9]) > greatest:
        raise ModelError(f"{path}: saved by Keras {text[:20]}; {_BY_KERAS_2}")


_BY_KERAS_2 = (
    "a file of Keras 2 wanted, since QKeras reads no other: make the model anew with TF_USE_LEGACY_KERAS=1 and the"
    " package tf_keras (or with TensorFlow 2.15), give it the weights (set_weights, of get_weights in Keras 3), and"
    " save it as .h5"
)


def _read(archive: zipfile.ZipFile, name: str) -> str:
    """A text of an archive; of several of that name the last one, as Keras reads it."""
    with archive.open(name) as entry:
        content = entry.read(MAX_CONFIG_BYTES + 1)
    return _checked(content).decode("utf-8")


def _weights(archive: zipfile.ZipFile, stored: int) -> io.BytesIO:
    """The HDF5 file in an archive, unpacked once: h5py goes to and fro in it, and would have it unpacked each time."""
    bounds.check_size(archive.getinfo(WEIGHTS).file_size, stored, WEIGHTS)
    return io.BytesIO(archive.read(WEIGHTS))


def _attribute(path: Path, file: Any) -> str:
    """The attribute of a HDF5 file that holds the configuration."""
    if ATTRIBUTE not in file.attrs:
        raise ModelError(f"{path}: holds weights without a model; one saved by model.save() wanted")
    if file.attrs.get_id(ATTRIBUTE).shape != ():
        raise ValueError(f"attribute {ATTRIBUTE}: one text wanted, not {file.attrs.get_id(ATTRIBUTE).shape}")
    content = file.attrs[ATTRIBUTE]
    if not isinstance(content, str | bytes):
        raise ValueError(f"attribute {ATTRIBUTE}: text wanted, not {type(content).__name__}")
    return _checked(content.encode("utf-8") if isinstance(content, str) else content).decode("utf-8")


def _checked(content: bytes) -> bytes:
    if len(content) > MAX_CONFIG_BYTES:
        raise bounds.TooLargeError(f"{CONFIG}: at most {MAX_CONFIG_BYTES} bytes wanted, not more")
    return content


def _array_bytes(file: Any, stored: int) -> int:
    """Memory that the arrays of a HDF5 file take.

    Raises:
        ValueError: they are of objects, kept in other files, or larger than makes sense.
    """
    import h5py

    total, seen, waiting = 0, set(), [file]
    while waiting:
        group = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            continue
        seen.add(address)
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                # An external link would make weights of whatever file it names.
                raise ValueError(f"{name}: a link to elsewhere; arrays in the file itself wanted")
            item = group[name]
            if isinstance(item, h5py.Group):
                waiting.append(item)
            elif isinstance(item, h5py.Dataset):
                total += _check_array(name, item)
        if len(seen) + len(waiting) > MAX_OBJECTS:
            raise bounds.TooLargeError(f"at most {MAX_OBJECTS} groups and arrays wanted, not more")
    bounds.check_size(total, stored)
    return total


def _check_array(name: str, item: Any) -> int:
    if item.external is not None or item.is_virtual:
        raise ValueError(f"{name}: an array kept in another file; arrays in the file itself wanted")
    if item.dtype.kind not in "fiub":
        raise ValueError(f"{name}: an array of numbers wanted, not of {item.dtype}")
    # Of an array that is stored in blocks a whole block is unpacked for its first number.
    return max(math.prod(item.shape or (0,)), math.prod(item.chunks or (0,))) * int(item.dtype.itemsize)
