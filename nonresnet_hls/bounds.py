"""How much of a file is believed before it is read: sizes that are no accident are refused in one line."""

import math
import os
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MAX_RATIO = 200
"""Bytes that one byte of a file may unpack to. Deflate reaches 1000 on zeros, a fraction on data."""
FREE_BYTES = 128 << 20
"""Within these any ratio is accepted."""
MAX_TEXT_BYTES = 64 << 20
"""Of a text file that is read as a whole: recipes, records, configurations, sources."""


class TooLargeError(ValueError):
    """More than there is reason for; the text says how much was found and wanted."""


def machine_bytes() -> int:
    """The memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_size(found: int, stored: int, what: str = "its arrays") -> None:
    """Check what unpacks from `stored` bytes of a file.

    Raises:
        TooLargeError: it is out of proportion, or more than half of the memory that there is.
    """
    if found > max(FREE_BYTES, MAX_RATIO * stored):
        raise TooLargeError(f"{what}: at most {MAX_RATIO} bytes for a byte of the file wanted, not {found} of {stored}")
    if found > machine_bytes() // 2:
        raise TooLargeError(f"{what}: at most half of the {machine_bytes()} bytes of memory wanted, not {found}")


def read_text(path: Path) -> str:
    """A text file that is to be read as a whole.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no UTF-8, or larger than any such file has reason to be.
    """
    with path.open("rb") as stream:
        content = stream.read(MAX_TEXT_BYTES + 1)
    if len(content) > MAX_TEXT_BYTES:
        raise TooLargeError(f"at most {MAX_TEXT_BYTES} bytes of text wanted, not more")
    return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def load_npz(stream: IO[bytes]) -> "dict[str, np.ndarray[Any, Any]]":
    """The plain arrays of a `.npz` file; nothing is unpacked before the sizes of all are known to make sense.

    Raises:
        ValueError: it is none, damaged, holds objects, or is larger than makes sense (`TooLargeError`).
        OSError: it cannot be read.
    """
    import zlib

    from numpy.lib import format as npy

    read: Any = npy.read_array  # NumPy says nothing of its types
    try:
        with zipfile.ZipFile(stream) as archive:
            total = 0
            for info in archive.infolist():
                with archive.open(info) as member:
                    shape, dtype = _header(member)
                    size = math.prod(shape) * dtype.itemsize
                    if size + member.tell() != info.file_size:
                        raise ValueError(f"{info.filename}: {size} bytes as its header says wanted, not others")
                total += size
            stream.seek(0, os.SEEK_END)
            check_size(total, stream.tell())
            arrays = {}
            for info in archive.infolist():
                with archive.open(info) as member:
                    arrays[info.filename.removesuffix(".npy")] = read(member, allow_pickle=False)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"no .npz file, or damaged: {error}") from None
    return arrays


def _header(member: IO[bytes]) -> "tuple[tuple[int, ...], np.dtype[Any]]":
    """Shape and type of a `.npy` file.

    Raises:
        ValueError: it is none, or one of objects.
    """
    import tokenize

    from numpy.lib import format as npy

    known: Any = npy
    try:
        read = known.read_array_header_1_0 if known.read_magic(member) == (1, 0) else known.read_array_header_2_0
        shape, _, dtype = read(member)
    except (SyntaxError, TypeError, tokenize.TokenError, RecursionError, MemoryError, OverflowError) as error:
        raise ValueError(f"no array of NumPy's ({type(error).__name__})") from None
    if dtype.hasobject:
        raise ValueError("arrays of plain numbers wanted, not of objects")
    if any(size < 0 for size in shape):
        raise ValueError(f"a shape wanted, not {shape}")
    return tuple(shape), dtype
