"""Lets `import tf_keras` mean `keras`, so that there is one Keras in the process.

QKeras imports TensorFlow Model Optimization, and that the second copy of Keras 2.15, `tf_keras`. The copy enters its
classes into TensorFlow's registry under the names of the first. From then on what Keras restores by name (a saved
model, a configuration) is made of the copy's layers: `isinstance` fails, and `Model.from_config` never returns.

Where another Keras than 2 is installed, `tf_keras` is what its user wants of it, and nothing is done.
"""

import importlib
import importlib.abc
import importlib.machinery
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import metadata
from types import ModuleType


class _Alias(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  # the import system's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname == "tensorflow":
            _forget_legacy()
        return importlib.machinery.ModuleSpec(fullname, self) if fullname == "tf_keras" and has_keras2() else None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module("keras")


def install() -> None:
    """Do so from now on; too late for a `tf_keras` that has been imported already."""
    if "tensorflow" in sys.modules:
        _forget_legacy()
    if not any(isinstance(finder, _Alias) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Alias())


def in_this_thread() -> None:
    """Have Keras 2.15 write `.keras` files in this thread, too.

    In a thread that did not import it, it forgets with the first model that the format is one of its own, and writes
    HDF5 under that name from then on.
    """
    library = sys.modules.get("keras.src.saving.saving_lib")
    if library is not None and has_keras2():
        library._SAVING_V3_ENABLED.value = True


def quiet() -> None:
    """Leave out what says nothing to a user.

    That QKeras' constraints are none of Keras' own, and that it calls a layer's initializer twice (the second call
    decides), which come once a layer; and that TensorFlow traces a function anew, which it does for each of our models.
    """
    logging.getLogger("tensorflow").addFilter(_says_more_than_retracing)
    warnings.filterwarnings("ignore", message=r"The initializer \w+ is unseeded and being called multiple times")
    warnings.filterwarnings("ignore", message=r"The `keras\.(constraints|initializers)\.serialize\(\)` API")


def _says_more_than_retracing(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in str(record.msg)


def _forget_legacy() -> None:
    # TensorFlow would look for parts of the copy that are not there; Keras 2.15 is what this variable asks for, anyway.
    if "TF_USE_LEGACY_KERAS" in os.environ and has_keras2():
        del os.environ["TF_USE_LEGACY_KERAS"]


def has_keras2() -> bool:
    """Whether the Keras of this environment is one of version 2."""
    try:
        return metadata.version("keras").startswith("2.")
    except metadata.PackageNotFoundError:
        return False


def is_keras3() -> bool:
    """Whether the Keras of this environment is one of version 3."""
    try:
        return metadata.version("keras").startswith("3.")
    except metadata.PackageNotFoundError:
        return False


def is_single() -> bool:
    """Whether what Keras restores by name is made of the classes of `tf.keras`."""
    from tensorflow import keras
    from tensorflow.python.util import tf_export

    return tf_export.get_symbol_from_name("keras.layers.InputLayer") is keras.layers.InputLayer
