"""Keras models in files: written whole or not at all, read without running what the file brings."""

import io
import json
import math
import sys
import zipfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from nonresnet_hls import extras, files, one_keras
from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import containers, inspection


def save(model: Any, path: Path) -> None:
    """Write a model as `.keras`, without the state of its optimizer; equal models make equal files."""
    import keras

    plain = model
    if getattr(model, "optimizer", None) is not None:
        kind = keras.Model if isinstance(model, keras.Sequential) else type(model)
        plain = kind(model.inputs, model.outputs, name=model.name)
    with files.replacing_by_name(path) as beside:
        plain.save(beside)
        normalize(beside)


def load(path: Path, allow: Collection[str] = ()) -> Any:
    """Read a `.keras` or `.h5` model, uncompiled.

    Refused by name, unless it is in `allow`: Lambda layers and TensorFlow functions (code that would run), and classes
    that are neither Keras' nor QKeras'. Keras sees nothing that was not inspected (`inspection`), and allocates no more
    than the file has weights for.

    Raises:
        ModelError: there is no such file, it is damaged, or it holds what is refused.
    """
    if one_keras.is_keras3():
        from nonresnet_hls.networks import saved_keras3

        return saved_keras3.load(path, allow)
    extras.require_keras()
    with containers.opened(path) as found:
        # Of HDF5 Keras reads the text itself.
        config = found.config if found.weights is None else inspection.without_compilation(found.config)
        runs_code = inspection.check(config, path, allow, _is_registered)
        try:
            return _build(found, config, path, safe=not runs_code)
        except ModelError:
            raise
        except Exception as error:  # Keras raises whatever the file makes it stumble over
            kind = type(error).__name__
            text = containers.first_line(error)
            raise ModelError(f"{path}: cannot be read as a Keras model: {kind}: {text}") from None


def _build(found: containers.Container, config: Any, path: Path, safe: bool) -> Any:
    """As `keras.models.load_model` does it, from what is open already."""
    import tensorflow as tf
    from keras.src.saving import saving_lib, serialization_lib
    from tensorflow import keras

    # Weights, and the state of random layers; what a graph holds twice counts twice.
    budget = _Budget(2 * found.array_bytes + _UNSAVED_BYTES, path)
    with keras.utils.custom_object_scope(quantizers()), tf.variable_creator_scope(budget.create):
        if found.weights is None:
            return keras.models.load_model(found.hdf5, compile=False)
        with serialization_lib.ObjectSharingScope():
            model = keras.saving.deserialize_keras_object(_with_quantizers(config), safe_mode=safe)
            store = saving_lib.H5IOStore(found.weights, mode="r")
            try:
                saving_lib._load_state(model, store, None, inner_path="", visited_trackables=set())
            finally:
                store.close()
        return model


def _with_quantizers(config: Any) -> Any:
    """A configuration with the quantizers of `QActivation` as objects: the layer takes no description of them."""
    from tensorflow import keras

    if isinstance(config, list):
        return [_with_quantizers(value) for value in config]
    if not isinstance(config, dict):
        return config
    found = {key: _with_quantizers(value) for key, value in config.items()}
    own = found.get("config")
    if found.get("class_name") == "QActivation" and isinstance(own, dict) and isinstance(own.get("activation"), dict):
        found["config"] = own | {"activation": keras.saving.deserialize_keras_object(own["activation"])}
    return found


_UNSAVED_BYTES = 16 << 20


class _Budget:
    """Counts what variables take, before they take it: a configuration may ask for more than there is memory."""

    def __init__(self, most_bytes: int, path: Path) -> None:
        self.left, self.path = most_bytes, path

    def create(self, following: Callable[..., Any], **arguments: Any) -> Any:
        """A variable creator of TensorFlow's."""
        import tensorflow as tf

        shape = tf.TensorShape(arguments.get("shape"))
        size = tf.dtypes.as_dtype(arguments.get("dtype") or "float32").size
        if shape.is_fully_defined():
            self.left -= math.prod(shape.as_list()) * size
        if self.left < 0:
            raise ModelError(f"{self.path}: weights of the shapes in its configuration wanted, not fewer")
        return following(**arguments)


def is_model(value: Any) -> bool:
    """Whether a value is a Keras model, of whichever Keras is there: whoever has one has imported that."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(value, keras.Model)


def is_keras3(model: Any) -> bool:
    """Whether a model is one of Keras 3, of which hls4ml makes a design, and we no other model."""
    return is_model(model) and one_keras.is_keras3()


def _is_registered(name: str) -> bool:
    from tensorflow import keras

    return keras.saving.get_registered_object(name) is not None


def is_quantized(path: Path) -> bool:
    """Whether a model in a file has QKeras layers.

    Raises:
        ModelError: there is no such file, or it is damaged.
    """
    extras.require_keras()
    with containers.opened(path) as found:
        known = quantizers()
        return any(kind in known and kind.startswith("Q") for kind in inspection.classes(found.config))


def quantizers() -> dict[str, Any]:
    """QKeras' layers and quantizers, and ours, by name, as Keras wants to be told them when it restores a model."""
    from qkeras.utils import _add_supported_quantized_objects

    if not one_keras.is_single():
        raise ModelError("Keras is there twice: import nonresnet_hls before tensorflow and qkeras")
    known: dict[str, Any] = {}
    _add_supported_quantized_objects(known)
    from nonresnet_hls.networks import grids

    for own in grids.OWN:
        known[own.__name__] = own
    return known


def normalize(path: Path) -> None:
    """Have equal models make equal `.keras` files: without the time, and memory addresses as names of objects."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    metadata, config = (json.loads(entries[name]) for name in ("metadata.json", "config.json"))
    metadata.pop("date_saved", None)
    numbers: dict[int, int] = {}
    for value in _dictionaries(config):
        if (address := value.get("shared_object_id")) is not None:
            value["shared_object_id"] = numbers.setdefault(address, len(numbers))
    entries |= {"metadata.json": json.dumps(metadata).encode(), "config.json": json.dumps(config).encode()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # of 1980
    path.write_bytes(packed.getbuffer())


def _dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary of a configuration, the outer ones first."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _dictionaries(item)
