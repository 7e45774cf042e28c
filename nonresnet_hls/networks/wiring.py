"""How a configuration connects layers, checked without building any of them.

Keras calls a layer when all that it takes has been made, and tries again for ever where that never comes: a layer that
takes its own output, a circle, the output of a call that there is not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls.errors import ModelError

MAX_LAYERS = 5_000
"""Of one model; the largest of `keras.applications` has 1,200."""

MAX_CALLS = 50_000
"""Of layers and their parts, when a model is called once."""

_CONSTANT = "_CONSTANT_VALUE"
# Outputs beside the first that layers with `return_state` have.
_STATES = {"LSTM": 2, "GRU": 1, "SimpleRNN": 1, "QLSTM": 2, "QGRU": 1, "QSimpleRNN": 1}


@dataclass(frozen=True)
class _Reference:
    """An output that a call takes: [layer, call, output]."""

    layer: str
    call: int
    output: int
    by_keyword: bool


@dataclass(frozen=True)
class _Layer:
    kind: str
    first_call: int
    """Number of the first call in the configuration: a model with inputs has been called once by itself."""
    outputs: int
    calls: tuple[tuple[_Reference, ...], ...]


def calls(value: Any) -> int:
    """How many layers a call of a model calls: a model inside is called as often as its layers say, and so on."""
    if isinstance(value, list):
        return sum(calls(item) for item in value)
    if not isinstance(value, dict):
        return 0
    inside = sum(calls(item) for key, item in value.items() if key != "inbound_nodes")
    nodes = value.get("inbound_nodes")
    return (int("class_name" in value) + inside) * max(1, len(nodes) if isinstance(nodes, list) else 1)


def check(model: dict[str, Any], path: Path) -> None:
    """Check a functional or sequential model's configuration (not those of models inside it).

    Raises:
        ModelError: it is none, or Keras could not build it; names the layer.
    """
    config = model.get("config")
    layers = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(layers, list) or not all(isinstance(entry, dict) for entry in layers):
        raise ModelError(f"{path}: {_label(model)}: a list of layers wanted")
    if len(layers) > MAX_LAYERS:
        raise ModelError(f"{path}: {_label(model)}: at most {MAX_LAYERS} layers wanted, not {len(layers)}")
    if model.get("class_name") == "Sequential" or not isinstance(config, dict):
        return
    known: dict[str, _Layer] = {}
    for entry in layers:
        name, layer = _layer(entry, path)
        if name in known:
            raise ModelError(f"{path}: layer {name}: two layers of this name")
        known[name] = layer
    for name, layer in known.items():
        for reference in (reference for call in layer.calls for reference in call):
            _check_reference(name, reference, known, path)
    _check_order(known, path)
    for key in ("input_layers", "output_layers"):
        for reference in _references(config.get(key), path, key, False):
            _check_reference(key, reference, known, path)


def _layer(entry: dict[str, Any], path: Path) -> tuple[str, _Layer]:
    name, kind, config = entry.get("name"), entry.get("class_name"), entry.get("config")
    if not isinstance(name, str) or not isinstance(kind, str) or not isinstance(config, dict):
        raise ModelError(f"{path}: layer {name!r:.80}: a name, a class and a configuration wanted")
    if config.get("name", name) != name:
        raise ModelError(f"{path}: layer {name}: one name wanted, not {config.get('name')!r:.80} too")
    calls = entry.get("inbound_nodes")
    if not isinstance(calls, list):
        raise ModelError(f"{path}: layer {name}: a list of calls wanted as inbound_nodes, not {calls!r:.80}")
    taken = tuple(tuple(_references(call, path, name, False)) for call in calls)
    if not all(taken) or (kind == "InputLayer" and taken):
        raise ModelError(f"{path}: layer {name}: calls on outputs of other layers wanted, not on constants alone")
    outputs = 1
    if kind in ("Functional", "Model"):
        outputs = len(list(_references(config.get("output_layers"), path, name, False)))
    elif config.get("return_state"):
        outputs += _STATES.get(kind, 0)
    return name, _Layer(kind, int(_calls_itself(entry)), outputs, taken)


def _calls_itself(entry: dict[str, Any]) -> bool:
    """Whether a layer is a model that has its inputs, and so has been called before it is called as a layer."""
    if entry.get("class_name") in ("Functional", "Model"):
        return True
    if entry.get("class_name") != "Sequential":
        return False
    while True:
        config = entry.get("config")
        layers = config.get("layers") if isinstance(config, dict) else config
        if not isinstance(layers, list) or not layers or not isinstance(layers[0], dict):
            return False
        entry = layers[0]
        inner = entry.get("config")
        if entry.get("class_name") in ("InputLayer", "Functional", "Model"):
            return True
        if entry.get("class_name") != "Sequential":
            return isinstance(inner, dict) and (inner.get("batch_input_shape") or inner.get("batch_shape")) is not None


def _references(value: Any, path: Path, name: str, by_keyword: bool) -> Iterator[_Reference]:
    """The outputs that a call takes, those among its keyword arguments too."""
    if isinstance(value, dict):
        tuples = value.get("class_name") == "__tuple__"  # as Keras writes them into HDF5
        for item in (value.get("items"),) if tuples else value.values():
            yield from _references(item, path, name, by_keyword)
    elif isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str):
        layer, call, output = value[:3]
        if layer == _CONSTANT and not by_keyword:
            if not _is_plain(output):
                raise ModelError(f"{path}: layer {name}: numbers wanted as constants")
        else:
            if not all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in (call, output)):
                raise ModelError(f"{path}: layer {name}: [layer, call, output] wanted, not {value[:3]!r:.80}")
            yield _Reference(layer, call, output, by_keyword)
        if len(value) == 4:
            if not isinstance(value[3], dict):
                raise ModelError(f"{path}: layer {name}: keyword arguments wanted, not {value[3]!r:.80}")
            yield from _references(value[3], path, name, True)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item, path, name, by_keyword)
    elif not by_keyword and value is not None:
        raise ModelError(f"{path}: layer {name}: [layer, call, output] wanted, not {value!r:.80}")


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, int | float)


def _check_reference(name: str, reference: _Reference, known: dict[str, _Layer], path: Path) -> None:
    if reference.layer not in known:
        raise ModelError(f"{path}: layer {name}: takes the output of {reference.layer!r:.80}, which is not there")
    source = known[reference.layer]
    calls = 1 if source.kind == "InputLayer" else len(source.calls) + source.first_call
    if source.kind != "InputLayer" and not source.first_call <= reference.call < calls:
        raise ModelError(f"{path}: layer {name}: takes the output of call {reference.call} of {reference.layer}, which"
                         " is not there")  # fmt: skip
    # An output that is not there ends in an error of Keras', but among keyword arguments in one that it waits upon.
    if reference.by_keyword and reference.output >= source.outputs:
        raise ModelError(f"{path}: layer {name}: takes output {reference.output} of {reference.layer}, which has"
                         f" {source.outputs}")  # fmt: skip


def _check_order(known: dict[str, _Layer], path: Path) -> None:
    """Call what can be called until nothing is left; each layer's calls come in their order."""
    done = dict.fromkeys(known, 0)
    waiting: dict[tuple[str, int], list[str]] = {}

    def blocked_by(name: str) -> tuple[str, int] | None:
        for reference in known[name].calls[done[name]]:
            source = known[reference.layer]
            number = reference.call - source.first_call
            if source.kind != "InputLayer" and done[reference.layer] <= number:
                return reference.layer, number
        return None

    ready = list(known)
    while ready:
        name = ready.pop()
        while done[name] < len(known[name].calls):
            blocker = blocked_by(name)
            if blocker is not None:
                waiting.setdefault(blocker, []).append(name)
                break
            ready += waiting.pop((name, done[name]), [])
            done[name] += 1
    left = [name for name in known if done[name] < len(known[name].calls)]
    if left:
        wanted = "layers that can be computed one after the other wanted"
        raise ModelError(f"{path}: {wanted}, not a circle through {', '.join(left[:5])}")


def _label(model: dict[str, Any]) -> str:
    config = model.get("config")
    return f"model {config.get('name') if isinstance(config, dict) else None!r:.80}"


def of_keras3(config: Any) -> Any:
    """A configuration by Keras 3 with its calls as Keras 2 writes them: [layer, call, output] for each tensor."""
    if isinstance(config, list):
        return [of_keras3(value) for value in config]
    if not isinstance(config, dict):
        return config
    found = {key: of_keras3(value) for key, value in config.items() if key != "inbound_nodes"}
    if isinstance(calls := config.get("inbound_nodes"), list):
        found["inbound_nodes"] = [[[*history, {}] for history in _histories(call)] for call in calls]
    return found


def _histories(value: Any) -> Iterator[list[Any]]:
    """Where the tensors in the arguments of a call come from."""
    if isinstance(value, dict):
        own = value.get("config")
        if value.get("class_name") == "__keras_tensor__" and isinstance(own, dict):
            history = own.get("keras_history")
            if not (isinstance(history, list) and len(history) == 3 and isinstance(history[0], str)):
                raise ModelError(f"[layer, call, output] wanted as keras_history, not {history!r:.80}")
            yield history
            return
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _histories(item)
