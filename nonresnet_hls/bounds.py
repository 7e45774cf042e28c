"""How much of a file is believed before it is read: sizes that are no accident are refused in one line."""

import errno
import lzma
import math
import os
import stat
import struct
import zipfile
import zlib
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


DAMAGED_ARCHIVE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError)
"""What a damaged archive makes zipfile stumble over, besides `OSError` and `ValueError`."""


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


def open_plain(path: Path) -> IO[bytes]:
    """A file, open for reading; nothing is waited for, as opening and reading a pipe or a terminal would.

    Raises:
        OSError: it cannot be opened, or is none: a folder, a pipe, a device.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    raise OSError(errno.EINVAL, "a file wanted, not a folder, pipe or device", str(path))


def read_text(path: Path, most_bytes: int = MAX_TEXT_BYTES) -> str:
    """A text file that is to be read as a whole.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no UTF-8, or larger than any such file has reason to be.
    """
    with open_plain(path) as stream:
        content = stream.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise TooLargeError(f"at most {most_bytes} bytes of text wanted, not more")
    return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def load_npz(stream: IO[bytes]) -> "dict[str, np.ndarray[Any, Any]]":
    """The plain arrays of a `.npz` file; nothing is unpacked before the sizes of all are known to make sense.

    Raises:
        ValueError: it is none, damaged, holds objects, or is larger than makes sense (`TooLargeError`).
        OSError: it cannot be read.
    """
    from numpy.lib import format as npy

    read: Any = npy.read_array  # NumPy says nothing of its types
    try:
        with zipfile.ZipFile(stream) as archive:
            stored = os.fstat(stream.fileno()).st_size
            # Before a header is read, which says itself how long it is.
            check_size(sum(info.file_size for info in archive.infolist()), stored)
            for info in archive.infolist():
                with archive.open(info) as member:
                    shape, dtype = _header(member)
                    size = math.prod(shape) * dtype.itemsize
                    if size + member.tell() != info.file_size:
                        raise ValueError(f"{info.filename}: {size} bytes as its header says wanted, not others")
            arrays = {}
            for info in archive.infolist():
                with archive.open(info) as member:
                    arrays[info.filename.removesuffix(".npy")] = read(member, allow_pickle=False)
    except (*DAMAGED_ARCHIVE, LookupError, OverflowError) as error:
        raise ValueError(f"no .npz file, or damaged: {error}") from None
    return arrays


def load_npy(stream: IO[bytes]) -> "np.ndarray[Any, Any]":
    """The plain array of a `.npy` file.

    Raises:
        ValueError: it is none, or not of the size that it says.
        OSError: it cannot be read.
    """
    from numpy.lib import format as npy

    read: Any = npy.read_array
    stored = os.fstat(stream.fileno()).st_size
    shape, dtype = _header(stream)
    wanted = stream.tell() + math.prod(shape) * dtype.itemsize
    if stored != wanted:
        raise ValueError(f"{wanted} bytes as its header says wanted, not {stored}")
    stream.seek(0)
    try:
        found: np.ndarray[Any, Any] = read(stream, allow_pickle=False)
    except OverflowError as error:
        raise ValueError(f"no array of NumPy's ({error})") from None
    return found


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
