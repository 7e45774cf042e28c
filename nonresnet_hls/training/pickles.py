"""Reads the pickles that CIFAR is published as, running nothing that they name.

NumPy's own unpickling would let a file choose the memory layout; so arrays are rebuilt from their bytes here.
"""

import codecs
import pickle
import pickletools
from pathlib import Path
from typing import IO, Any

from nonresnet_hls import bounds
from nonresnet_hls.errors import DatasetError


class _Dtype:
    def __init__(self, name: Any = "", *_: Any) -> None:
        self.name = name.decode("ascii") if isinstance(name, bytes) else name

    def __setstate__(self, _: Any) -> None:
        """Byte order and flags: nothing of them matters for bytes."""


class _Array:
    state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state


def _encode(text: Any, encoding: Any) -> bytes:
    if not (isinstance(text, str) and encoding == "latin1"):
        raise pickle.UnpicklingError(f"_codecs.encode: latin1 text wanted, not {encoding!r}")
    return codecs.encode(text, "latin1")


# How Python 2 and 3 and NumPy 1 and 2 call what the published files hold.
_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy._core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a CIFAR file") from None


def load(path: Path) -> dict[str, Any]:
    """The dictionary in a pickle: keys as text, arrays of bytes as NumPy arrays, the rest as it is.

    Raises:
        DatasetError: the file is no pickle of a dictionary, or names anything but arrays of bytes.
    """
    try:
        with bounds.open_plain(path) as stream:
            _check_memory(stream)
            stream.seek(0)
            record = _Unpickler(stream, encoding="bytes").load()
        if not isinstance(record, dict):
            raise pickle.UnpicklingError(f"a dictionary wanted, not {type(record).__name__}")
        return {key.decode() if isinstance(key, bytes) else str(key): _plain(value) for key, value in record.items()}
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror or error}") from None
    except Exception as error:  # a damaged pickle raises anything
        raise DatasetError(f"{path}: cannot be read: {type(error).__name__}: {error!s:.200}") from None


_MOST_MEMORIES = 1 << 20


def _check_memory(stream: IO[bytes]) -> None:
    """Refuse what remembers its values under huge numbers: the unpickler makes a table of that size.

    Raises:
        UnpicklingError: it does.
    """
    for operation, argument, _ in pickletools.genops(stream):
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= (argument or 0) < _MOST_MEMORIES:
            raise pickle.UnpicklingError(f"a value remembered under the number {argument!s:.20}")


def _plain(value: Any) -> Any:
    import numpy as np

    if not isinstance(value, _Array):
        return value
    _, shape, dtype, fortran, raw = value.state
    if not (isinstance(dtype, _Dtype) and dtype.name == "u1" and isinstance(raw, bytes)):
        raise pickle.UnpicklingError("an array of bytes wanted")
    return np.frombuffer(raw, np.uint8).reshape(shape, order="F" if fortran else "C")
