"""Files of Keras 3, read without running what they bring: as `saved`, for the Keras that is there.

Keras' own `safe_mode` refuses code alone: it imports what a file names, follows circles of layers for ever, and
allocates what a configuration asks for. So everything is inspected before, as in files of Keras 2.
"""

import contextlib
import importlib
import math
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from nonresnet_hls import bounds
from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import containers, inspection

_UNSAVED_BYTES = 16 << 20


def load(path: Path, allow: Collection[str] = ()) -> Any:
    """Read a `.keras` file, uncompiled.

    Raises:
        ModelError: there is no such file, it is damaged, of Keras 2, or it holds what is refused.
    """
    import keras

    if path.suffix != ".keras":
        raise ModelError(f"{path}: a .keras file wanted beside Keras {keras.__version__}")
    with tempfile.TemporaryDirectory(prefix="nonresnet-model-") as scratch:
        # What is inspected is what is loaded, whatever becomes of the file meanwhile.
        copy = Path(scratch) / "model.keras"
        try:
            with bounds.open_plain(path) as stream, copy.open("wb") as target:
                shutil.copyfileobj(stream, target)
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
        with _named(path, copy), containers.opened(copy, keras=3) as found:
            if found.weights is None:
                raise ModelError(f"{path}: a .keras archive wanted")
            _import_hgq(found.config)
            runs_code = inspection.check_keras3(found.config, path, allow)
            budget = 2 * found.array_bytes + _UNSAVED_BYTES
        try:
            with _budgeted(path, budget):
                return keras.saving.load_model(copy, compile=False, safe_mode=not runs_code)
        except ModelError:
            raise
        except Exception as error:  # Keras raises whatever the file makes it stumble over
            text = containers.first_line(error).replace(str(copy), str(path))
            raise ModelError(f"{path}: cannot be read as a Keras model: {type(error).__name__}: {text}") from None


@contextlib.contextmanager
def _named(path: Path, copy: Path) -> Iterator[None]:
    try:
        yield
    except ModelError as error:
        raise ModelError(str(error).replace(str(copy), str(path))) from None


_HGQ = re.compile(r"hgq\.(?:layers|quantizer|constraints|regularizers)(?:\.[a-z_0-9]+)*")


def _import_hgq(config: Any) -> None:
    """Have HGQ2's classes registered that the file speaks of: then they are found by name."""
    for module in sorted({module for module in inspection.modules(config) if _HGQ.fullmatch(module)}):
        with contextlib.suppress(ModuleNotFoundError):  # then its classes are unknown
            importlib.import_module(module)


@contextlib.contextmanager
def _budgeted(path: Path, most_bytes: int) -> Iterator[None]:
    """Count what variables take, before they take it."""
    from keras.src.backend.common.variables import Variable

    plain = Variable.__init__
    left = most_bytes

    def counted(self: Any, initializer: Any, shape: Any = None, *args: Any, **kwargs: Any) -> None:
        nonlocal left
        left -= 4 * math.prod(size or 1 for size in shape or ())
        if left < 0:
            raise ModelError(f"{path}: weights of the shapes in its configuration wanted, not fewer")
        plain(self, initializer, shape, *args, **kwargs)

    Variable.__init__ = counted
    try:
        yield
    finally:
        Variable.__init__ = plain
