"""What a model file says of a model, checked before Keras builds anything of it.

A configuration names classes, functions and modules, and Keras would import and call what it finds under those names:
any function of TensorFlow at load, any module on the path. So only what is listed here (`vocabulary`) passes; the rest
is refused by name. How layers are connected is checked too (`wiring`): on a circle Keras would turn for ever.
"""

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls.errors import ModelError, shown
from nonresnet_hls.networks import vocabulary, wiring

MAX_DEPTH = 100
"""Lists and dictionaries within one another; a model in a model takes five."""


@dataclass(frozen=True)
class _Place:
    """Where in a configuration a value stands."""

    key: str = ""
    """Of the innermost dictionary."""
    owner: str = "model"
    """Name of the layer, or class, that the value belongs to."""
    depth: int = 0

    def within(self, key: str | None = None, owner: str | None = None) -> "_Place":
        return _Place(self.key if key is None else key, self.owner if owner is None else owner, self.depth + 1)


class _Inspector:
    """Goes through one configuration."""

    def __init__(self, path: Path, allow: Collection[str], registered: Callable[[str], bool]) -> None:
        self.path, self.allow, self.registered = path, frozenset(allow), registered
        self.runs_code = False

    def refuse(self, text: str) -> ModelError:
        return ModelError(f"{self.path}: {text}")

    def value(self, value: Any, place: _Place) -> None:
        if place.depth > MAX_DEPTH:
            raise self.refuse(f"{place.owner}: at most {MAX_DEPTH} lists and dictionaries within one another wanted")
        if isinstance(value, dict):
            self.dictionary(value, place)
        elif isinstance(value, list):
            for item in value:
                self.value(item, place.within())
        elif isinstance(value, str):
            self.text(value, place)

    def dictionary(self, entry: dict[str, Any], place: _Place) -> None:
        inner = place
        if "class_name" in entry:
            kind = entry["class_name"]
            if not isinstance(kind, str):
                raise self.refuse(f"{place.owner}: class_name: a name wanted, not {kind!r:.80}")
            inner = place.within(owner=_name(entry, kind))
            if self.object(kind.rpartition(">")[2], entry, inner):
                return  # code that the user wants to have run
        for key, item in entry.items():
            self.effort(key, item, inner.owner)
            self.value(item, inner.within(key=key))

    def object(self, kind: str, entry: dict[str, Any], place: _Place) -> bool:
        """Check a class that is named; whether nothing within it need be checked."""
        name = place.owner
        allowed = name in self.allow or kind in self.allow
        if kind in ("Lambda", "__lambda__"):
            if not allowed:
                raise self.refuse(f"layer {name!r} is a Lambda: it holds code; allow it by name to have it run")
            self.runs_code = True
            return True
        self.origin(kind, entry, name)
        if kind == "function":
            self.function(entry, name)
        elif kind in ("TFOpLambda", "SlicingOpLambda"):
            self.operation(kind, entry, name, allowed)
        elif kind in ("__tensor__", "__numpy__"):
            self.constant(entry, name)
        elif kind not in vocabulary.CLASSES and kind not in vocabulary.STRUCTURE and not allowed:
            raise self.refuse(f"{name!r} is of the unknown class {kind!r}; register it and allow it by name")
        return False

    def origin(self, kind: str, entry: dict[str, Any], name: str) -> None:
        """Check where a class is said to be found: Keras would import any module that is named."""
        module, registered = entry.get("module"), entry.get("registered_name")
        for key, text in (("module", module), ("registered_name", registered)):
            if text is not None and not isinstance(text, str):
                raise self.refuse(f"{name}: {key}: a name wanted, not {text!r:.80}")
        if registered and registered.rpartition(">")[2] not in [kind, "function", entry.get("config")]:
            raise self.refuse(f"{name!r} is of class {kind!r} and of the unknown class {registered!r} at once")
        if module and not vocabulary.MODULE.fullmatch(module) and (module, kind) not in vocabulary.ELSEWHERE:
            # A class of the user's own, which he registered, is found without its module.
            known = self.registered(kind) or self.registered(registered or kind)
            if not known or not {name, kind} & self.allow:
                what = f"the unknown class {kind!r} of module {module!r}"
                raise self.refuse(f"{name!r} is of {what}; register it and allow it by name")

    def function(self, entry: dict[str, Any], name: str) -> None:
        function = entry.get("config")
        registered = entry.get("registered_name")
        for text in (function, *([] if registered in (None, "function") else [registered])):
            if not isinstance(text, str) or not (text in vocabulary.FUNCTIONS or text in self.allow):
                raise self.refuse(f"{name}: unknown function {text!r:.80}; an activation of Keras or QKeras wanted")

    def operation(self, kind: str, entry: dict[str, Any], name: str, allowed: bool) -> None:
        config = entry.get("config")
        function = config.get("function") if isinstance(config, dict) else None
        known = vocabulary.OPERATIONS if kind == "TFOpLambda" else vocabulary.SLICES
        if not (isinstance(function, str) and function in known) and not allowed:
            wanted = "one of the arithmetic operations that need no layer (add, relu, ...)"
            raise self.refuse(
                f"layer {name!r} calls the TensorFlow function {function!r:.80}, not {wanted}; allow it by name to have"
                " it run"
            )

    def constant(self, entry: dict[str, Any], name: str) -> None:
        config = entry.get("config")
        dtype = config.get("dtype") if isinstance(config, dict) else None
        if not isinstance(config, dict) or str(dtype) not in vocabulary.DTYPES or not _numeric(config.get("value")):
            raise self.refuse(f"{name}: a constant of numbers wanted, not {dtype!r:.80}")

    def effort(self, key: str, value: Any, name: str) -> None:
        """Check what makes Keras or QKeras turn, or count in numbers without end."""
        if key == "unroll" and value:
            # Reshaped and repeated, a short input has any number of steps.
            raise self.refuse(f"{name}: unroll: false wanted, which computes the same without a layer for each step")
        most = vocabulary.EFFORTS.get(key)
        size = len(value) if isinstance(value, list) else value
        if most is not None and isinstance(size, int) and abs(size) > most:
            raise self.refuse(f"{name}: {key}: at most {most} wanted, not {shown(size)}")

    def text(self, text: str, place: _Place) -> None:
        """Check a string that Keras or QKeras would look up, or take apart and call."""
        if place.key.endswith("quantizer") or place.key.endswith("activation"):
            known = text in vocabulary.FUNCTIONS or text in vocabulary.QUANTIZERS or _is_quantizer_call(text)
        elif place.key.endswith("initializer"):
            known = text in vocabulary.INITIALIZERS or _is_quantizer_call(text)
        elif place.key.endswith(("regularizer", "constraint")):
            known = text in vocabulary.REGULARIZERS or text in vocabulary.CONSTRAINTS or _is_quantizer_call(text)
        else:
            return
        if not (known or text in self.allow):
            raise self.refuse(f"{place.owner}: {place.key}: unknown function {text!r:.80}")


def check(config: Any, path: Path, allow: Collection[str], registered: Callable[[str], bool]) -> bool:
    """Check a configuration.

    Args:
        config: as JSON, from a model file.
        path: of the file, for messages.
        allow: names of layers or classes to be accepted.
        registered: whether Keras has been told of a class of that name.

    Returns:
        Whether it holds Lambda layers, all of them allowed.

    Raises:
        ModelError: it names what is not known to be harmless, or layers are connected in a way that makes no model.
    """
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise ModelError(f"{path}: a model wanted, not {config!r:.80}")
    inspector = _Inspector(path, allow, registered)
    with _briefly():
        inspector.value(config, _Place())
        _check_wiring(config, path)
    return inspector.runs_code


@contextmanager
def _briefly() -> Iterator[None]:
    """Shorten refusals: names are as long as a file wants them to be."""
    try:
        yield
    except ModelError as error:
        text = str(error)
        if len(text) <= _LONGEST_REFUSAL:
            raise
        raise ModelError(f"{text[:_LONGEST_REFUSAL]} ...") from None


def check_keras3(config: Any, path: Path, allow: Collection[str]) -> bool:
    """As `check`, of a file by Keras 3."""
    from keras import saving

    def registered(name: str) -> bool:
        return saving.get_registered_object(name) is not None

    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise ModelError(f"{path}: a model wanted, not {config!r:.80}")
    inspector = _Keras3Inspector(path, allow, registered)
    with _briefly():
        inspector.value(config, _Place())
        _check_wiring(wiring.of_keras3(config), path)
    return inspector.runs_code


class _Keras3Inspector(_Inspector):
    """What Keras 3 writes otherwise: policies, tensors and operations as objects, and HGQ2's layers."""

    def object(self, kind: str, entry: dict[str, Any], place: _Place) -> bool:
        module = entry.get("module")
        if kind == "__keras_tensor__":
            return False
        if isinstance(module, str):
            if vocabulary.KERAS3_OPERATIONS.fullmatch(module):
                if kind in vocabulary.OPERATIONS_OF_KERAS3 or {place.owner, kind} & self.allow:
                    return False
                raise self.refuse(f"layer {place.owner!r} is the operation {kind!r:.80}, not one of arithmetic")
            if module.partition(".")[0] == "hgq":
                return self.of_hgq(kind, entry, place.owner)
            if not vocabulary.MODULE_OF_KERAS3.fullmatch(module) and not {place.owner, kind} & self.allow:
                raise self.refuse(f"{place.owner!r} is of the unknown class {kind!r:.80} of module {module!r:.80}")
        if kind == "DTypePolicy":
            return False
        return super().object(kind, entry, place)

    def of_hgq(self, kind: str, entry: dict[str, Any], owner: str) -> bool:
        from keras import saving

        found = saving.get_registered_object(str(entry.get("registered_name")))
        if found is None or found.__name__ != kind or found.__module__ != entry["module"]:
            raise self.refuse(f"{owner!r} is of the unknown class {kind!r:.80} of module {entry['module']!r:.80}")
        return False


def modules(config: Any) -> Iterator[str]:
    """Names of all modules that a configuration names."""
    for entry in _dictionaries(config):
        if isinstance(module := entry.get("module"), str):
            yield module


_LONGEST_REFUSAL = 1000


def _check_wiring(config: Any, path: Path) -> None:
    calls = wiring.calls(config)
    if calls > wiring.MAX_CALLS:
        raise ModelError(f"{path}: at most {wiring.MAX_CALLS} calls of layers wanted, those of models inside counted"
                         f" each time, not {shown(calls)}")  # fmt: skip
    for model in _dictionaries(config):
        if str(model.get("class_name")).rpartition(">")[2] in vocabulary.MODELS:
            wiring.check(model, path)


def without_compilation(config: Any) -> Any:
    """A configuration without losses, metrics and optimizers: models are loaded to be read, not to be trained on."""
    if isinstance(config, dict):
        return {key: without_compilation(value) for key, value in config.items() if key != "compile_config"}
    if isinstance(config, list):
        return [without_compilation(value) for value in config]
    return config


def classes(config: Any) -> Iterator[str]:
    """Names of all classes that a configuration names."""
    for entry in _dictionaries(config):
        if isinstance(kind := entry.get("class_name"), str):
            yield kind.rpartition(">")[2]


def _dictionaries(config: Any) -> Iterator[dict[str, Any]]:
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _name(entry: dict[str, Any], kind: str) -> str:
    config = entry.get("config")
    for named in (entry.get("name"), config.get("name") if isinstance(config, dict) else None):
        if isinstance(named, str) and named:
            return named
    return kind


def _numeric(value: Any) -> bool:
    if isinstance(value, list):
        return all(_numeric(item) for item in value)
    return isinstance(value, int | float)


# QKeras takes such texts apart by itself, and calls what stands before the bracket.
_CALL = re.compile(r"(\w+)\((.*)\)", re.DOTALL)
_ARGUMENT = re.compile(r"""\s*+(?:\w++\s*+=\s*+)?(?:[\w.+-]*+|'[\w.+-]*+'|"[\w.+-]*+")\s*+""")


def _is_quantizer_call(text: str) -> bool:
    found = _CALL.fullmatch(text) if len(text) <= _LONGEST_CALL else None
    if found is None or not (found[1] in vocabulary.QUANTIZERS or found[1] in vocabulary.FUNCTIONS):
        return False
    # One by one: in one pattern there would be as many ways to fail as there are subsets of the commas.
    return all(_ARGUMENT.fullmatch(argument) and _is_small(argument) for argument in found[2].split(","))


def _is_small(argument: str) -> bool:
    text = argument.rpartition("=")[2].strip()
    return not re.fullmatch(r"[+-]?[0-9_]+", text) or (len(text) < 20 and abs(int(text)) <= vocabulary.EFFORTS["bits"])


_LONGEST_CALL = 500
