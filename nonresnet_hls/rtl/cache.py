"""A folder of results that are found again by the digest of all that they depend on.

An entry holds its own digest, made over its name too: what was emptied, exchanged or broken is no entry, and is made
anew. An entry that somebody forged digest and all is one; whoever can check a result against what it is the result of
does that as well (`holds`).
"""

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from nonresnet_hls import bounds, files

Value = TypeVar("Value")


def cache_directory() -> Path:
    """`$NONRESNET_CACHE`, or `nonresnet_hls` in the user's cache folder."""
    own = os.environ.get("NONRESNET_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nonresnet_hls"


def cached(name: str, make: Callable[[], str], parse: Callable[[str], Value]) -> Value:
    """What a text says that is kept under a name, or else is made and kept.

    Args:
        name: of the entry; holds a digest of all that the result depends on, tools and their versions included.
        make: makes the text.
        parse: reads it, and raises `ValueError`, `KeyError` or the like where it cannot be the result: then it is
            made anew.

    Raises:
        ValueError, KeyError, ...: what was just made is not what `parse` wants.
    """
    path = cache_directory() / name
    with contextlib.suppress(
        OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError
    ):
        text, _, seal = bounds.read_text(path).rpartition("\n")
        if seal == _seal(name, text):
            return parse(text)
    text = make()
    value = parse(text)
    # A cache that cannot be written costs time, not the result.
    with contextlib.suppress(OSError):
        files.write_text(path, f"{text}\n{_seal(name, text)}")
    return value


_NO_RESULT = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


def cached_file(path: Path, make: Callable[[Path], None]) -> Path:
    """A file in the cache, or else made and kept; beside it lies its digest.

    Args:
        path: where it is kept.
        make: writes it under the name that it is given.
    """
    seal = path.with_name(f"{path.name}.sha256")
    with contextlib.suppress(OSError, ValueError):
        if bounds.read_text(seal) == _file_seal(path):
            return path
    with files.replacing_by_name(path) as beside:
        make(beside)
    files.write_text(seal, _file_seal(path))
    return path


def _seal(name: str, text: str) -> str:
    return hashlib.sha256(f"{name}\0{text}".encode()).hexdigest()


def _file_seal(path: Path) -> str:
    digest = hashlib.sha256(f"{path.name}\0".encode())
    digest.update(path.read_bytes())
    return digest.hexdigest()
