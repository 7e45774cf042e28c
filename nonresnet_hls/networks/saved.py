"""Keras models in files: written whole or not at all, read without running what the file brings."""

import json
import os
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from nonresnet_hls import one_keras
from nonresnet_hls.errors import ModelError


def save(model: Any, path: Path) -> None:
    """Write a model as `.keras`, without the state of its optimizer; equal models make equal files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".partial-{os.getpid()}-{path.name}")
    plain = model
    if model.optimizer is not None:
        plain = type(model)(model.inputs, model.outputs, name=model.name)
    plain.save(beside)
    _normalize(beside)
    beside.replace(path)


def load(path: Path, allow: Collection[str] = ()) -> Any:
    """Read a `.keras` or `.h5` model, uncompiled.

    Refused by name, unless it is in `allow`: Lambda layers (they hold code that would run) and classes that are
    neither Keras' nor QKeras'.

    Raises:
        ModelError: there is no such file, it is damaged, or it holds what is refused.
    """
    from tensorflow import keras

    known = quantizers()
    lambdas = False
    for kind, name, module in _classes(_config(path)):
        allowed = kind in allow or name in allow
        if kind in ("Lambda", "__lambda__"):
            lambdas = True
            if not allowed:
                raise ModelError(f"{path}: layer {name!r} is a Lambda: it holds code; allow it by name to have it run")
        elif not allowed and (module.partition(".")[0] not in _PACKAGES or not (kind in known or _is_keras(kind))):
            raise ModelError(f"{path}: {name!r} is of the unknown class {kind!r}; register it and allow it by name")
    try:
        with keras.utils.custom_object_scope(known):
            return keras.models.load_model(path, compile=False, safe_mode=not lambdas)
    except Exception as error:  # Keras raises whatever the file makes it stumble over
        raise ModelError(f"{path}: cannot be read as a Keras model: {type(error).__name__}: {_line(error)}") from None


def is_quantized(path: Path) -> bool:
    """Whether a model in a file has QKeras layers.

    Raises:
        ModelError: there is no such file, or it is damaged.
    """
    known = quantizers()
    return any(kind in known and kind.startswith("Q") for kind, _, _ in _classes(_config(path)))


# What a configuration may have imported; nothing named ("") and "builtins" come from Keras' own registry.
_PACKAGES = frozenset({"", "builtins", "keras", "tf_keras", "qkeras", "numpy", "nonresnet_hls"})


def quantizers() -> dict[str, Any]:
    """QKeras' layers and quantizers, and ours, by name, as Keras wants to be told them when it restores a model."""
    from qkeras.utils import _add_supported_quantized_objects

    if not one_keras.is_single():
        raise ModelError("Keras is there twice: import nonresnet_hls before tensorflow and qkeras")
    known: dict[str, Any] = {}
    _add_supported_quantized_objects(known)
    from nonresnet_hls.networks import grids

    for own in (grids.FixedPoint, grids.FixedPointActivation):
        known[own.__name__] = own
    return known


def _normalize(path: Path) -> None:
    """Take out of a `.keras` file what differs from run to run: the time, and memory addresses as names of objects."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    metadata, config = (json.loads(entries[name]) for name in ("metadata.json", "config.json"))
    metadata.pop("date_saved", None)
    numbers: dict[int, int] = {}
    for value in _dictionaries(config):
        if (address := value.get("shared_object_id")) is not None:
            value["shared_object_id"] = numbers.setdefault(address, len(numbers))
    entries |= {"metadata.json": json.dumps(metadata).encode(), "config.json": json.dumps(config).encode()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # of 1980


def _dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary of a configuration, the outer ones first."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _dictionaries(item)


def _config(path: Path) -> Any:
    """What the file says of the model, before anything of it is built."""
    if not path.is_file():
        wanted = "; a .keras or .h5 file wanted, not a folder (of a SavedModel, say)" if path.is_dir() else ""
        raise ModelError(f"{path}: no such file{wanted}")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                version = json.loads(archive.read("metadata.json")).get("keras_version", "")
                config = archive.read("config.json")
        else:
            import h5py

            with h5py.File(path) as file:
                version = file.attrs.get("keras_version", "")
                config = file.attrs.get("model_config")
                if config is None and ("layer_names" in file.attrs or "layers" in file):
                    raise ModelError(f"{path}: holds weights without a model; one saved by model.save() wanted")
        version = version.decode() if isinstance(version, bytes) else str(version)
        if version.partition(".")[0].isdecimal() and int(version.partition(".")[0]) > _KERAS:
            raise ModelError(f"{path}: saved by Keras {version}; {_BY_KERAS_2}")
        return json.loads(config if config is not None else "")
    except (OSError, KeyError, ValueError, AttributeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read as .keras or .h5: {_line(error)}") from None


_KERAS = 2
_BY_KERAS_2 = (
    "a file of Keras 2 wanted, since QKeras reads no other: make the model anew with TF_USE_LEGACY_KERAS=1 and the"
    " package tf_keras (or with TensorFlow 2.15), give it the weights (set_weights, of get_weights in Keras 3), and"
    " save it as .h5"
)


def _classes(value: Any) -> Iterator[tuple[str, str, str]]:
    """Every class that a configuration names, with the name of what it is used for and the module it is from."""
    for entry in _dictionaries(value):
        kind = entry.get("class_name")
        if isinstance(kind, str):
            config = entry.get("config")
            named = entry.get("name") or (config.get("name") if isinstance(config, dict) else None)
            yield kind.rpartition(">")[2], str(named or kind), str(entry.get("module") or "")


def _is_keras(kind: str) -> bool:
    """Whether Keras itself has a class of this name."""
    from tensorflow import keras

    if kind in _INSIDE:
        return True
    where = (keras, keras.layers, keras.initializers, keras.regularizers, keras.constraints, keras.optimizers,
             keras.optimizers.legacy, keras.optimizers.schedules, keras.losses, keras.metrics, keras.models,
             keras.mixed_precision)  # fmt: skip
    return any(hasattr(place, kind) for place in where)


# Names that Keras writes, but does not export.
_INSIDE = frozenset({"Functional", "TFOpLambda", "SlicingOpLambda", "TensorShape", "TypeSpec", "function"})
_INSIDE |= {"__tensor__", "__numpy__", "__tuple__"}


def _line(error: BaseException) -> str:
    """The first line of an error's text."""
    return (str(error).splitlines() or [""])[0]
