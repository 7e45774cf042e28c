"""What hls4ml's parser of Keras models drops, so that what it converts is another network: found before, and named.

The parser reads each layer's configuration for what it knows and passes over the rest, takes of a layer that is called
several times the first call, and finds weights by parts of their names. `losses` holds every layer and call of a
model against that, `check_weights` what the parser read, `check_shapes` what was made of it.
"""

import json
import math
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nonresnet_hls.errors import ConversionError

_WINDOWS = ("Conv1D", "Conv2D")
_RECURRENT = ("SimpleRNN", "LSTM", "GRU")


@dataclass(frozen=True)
class Loss:
    """Something of a layer that hls4ml's conversion does not have."""

    layer: str
    what: str
    """What hls4ml wants of the layer, and what it has."""
    structural: bool
    """Whether other data flow than in the model, or hls4ml's C++ cannot run; otherwise only values differ."""
    why: str = "hls4ml drops it without a word"

    def __str__(self) -> str:
        return f"layer {self.layer!r}: {self.what}; {self.why}"


def model_of(graph: Any) -> Any:
    """The Keras model that a `ModelGraph` was converted from; None where there is none, or it cannot be read."""
    model = graph.config.config.get("KerasModel")
    if isinstance(model, str):
        from pathlib import Path

        from nonresnet_hls.networks import saved

        return saved.load(Path(model))
    # Whoever has made a model has imported Keras, of whichever version.
    keras = sys.modules.get("keras")
    return model if keras is not None and isinstance(model, keras.Model) else None


def refuse(model: Any, structural_only: bool = False) -> None:
    """That hls4ml converts a model as it is.

    Args:
        model: Keras or QKeras, functional or sequential.
        structural_only: let pass what changes no more than values.

    Raises:
        ConversionError: it would drop something; names the layer.
    """
    for loss in losses(model):
        if loss.structural or not structural_only:
            raise ConversionError(str(loss))


def losses(model: Any) -> list[Loss]:
    """All that hls4ml's parser would drop, in the order of the layers."""
    return list(_of_model(model, Counter()))


def _of_model(model: Any, names: Counter[str]) -> Iterator[Loss]:
    if not getattr(model, "inputs", None):
        raise ConversionError(f"model {model.name}: a functional or sequential model wanted, which knows its inputs")
    used = {id(node) for nodes in model._nodes_by_depth.values() for node in nodes}
    layers = {layer.name: layer for layer in model.layers}
    for tensor in model.inputs:
        shape = tuple(tensor.shape[1:])
        if None in shape:
            name = tensor._keras_history.layer.name
            why = "hardware is made for one size: give the model's input its sizes"
            yield Loss(name, f"input of a fixed size wanted, not {shape}", True, why)
    for layer in layers.values():
        calls = [node for node in layer._inbound_nodes if id(node) in used]
        if len(calls) > 1:
            why = "hls4ml converts the first call alone, without a word"
            yield Loss(layer.name, f"one call wanted, not {len(calls)}", True, why)
        names[layer.name] += 1
        if names[layer.name] == 2:
            why = "hls4ml knows layers by their names: rename one"
            yield Loss(layer.name, "a name of its own wanted, not that of a layer in another model", True, why)
        for call in calls:
            yield from _of_call(layer, call)
        if hasattr(layer, "layers"):
            yield from _of_model(layer, names)
        else:
            yield from _of_layer(layer)


def _of_call(layer: Any, call: Any) -> Iterator[Loss]:
    if call.call_kwargs.get("training"):
        yield Loss(layer.name, "inference wanted, not a call with training=True", False)
    for tensor in call.keras_inputs:
        history = tensor._keras_history
        if history.tensor_index:
            yield Loss(
                layer.name, f"the only output of {history.layer.name!r} wanted as input, not one of several", True
            )


def _of_layer(layer: Any) -> Iterator[Loss]:
    kind = type(layer).__name__.removeprefix("Q")
    config = layer.get_config()
    inner = getattr(layer, "layer", None)
    if inner is not None and hasattr(inner, "get_config"):  # TimeDistributed, Bidirectional
        yield from _of_layer(inner)

    def lost(key: str, wanted: object, structural: bool = True) -> Iterator[Loss]:
        value = config.get(key, wanted)
        if _plain(value) != wanted:
            yield Loss(layer.name, f"{key} {wanted!r} wanted, not {_plain(value)!r}", structural)

    yield from lost("data_format", "channels_last")
    if any(window in kind for window in _WINDOWS):
        rate = _plain(config.get("dilation_rate", 1))
        if set(rate if isinstance(rate, tuple) else (rate,)) != {1}:
            yield Loss(layer.name, f"dilation_rate 1 wanted, not {rate!r}", True)
        yield from lost("groups", 1)
        steps = _plain(config["strides"])
        if config.get("padding") == "causal" and set(steps) != {1}:
            # Keras pads by kernel - 1 always, hls4ml as for `same`.
            yield Loss(layer.name, f"strides 1 wanted with causal padding, not {steps}", True)
        if "Depthwise" in kind or "Separable" in kind:
            yield from lost("depth_multiplier", 1)
    elif "Pooling" in kind and not kind.startswith("Global"):
        yield from _of_pool(layer, config)
    elif kind == "ReLU":
        yield from lost("max_value", None, structural=False)
        for key in ("negative_slope", "threshold"):
            if config.get(key):
                yield Loss(layer.name, f"{key} 0 wanted, not {_plain(config[key])!r}", False)
    elif kind in ("BatchNormalization", "LayerNormalization"):
        yield from _of_normalization(layer, kind, config)
    elif kind == "Softmax":
        if (axis := _plain(config.get("axis", -1))) != -1:
            yield Loss(layer.name, f"axis -1 wanted, not {axis!r}", True, "hls4ml's C++ has an assertion against it")
    elif kind == "UpSampling2D":
        yield from lost("interpolation", "nearest")
    elif kind in _RECURRENT:
        for key in ("go_backwards", "stateful"):
            yield from lost(key, False, structural=False)
    elif kind == "Embedding":
        yield from lost("mask_zero", False, structural=False)
    yield from _of_activation(layer, config)


def _of_pool(layer: Any, config: Mapping[str, Any]) -> Iterator[Loss]:
    why = "hls4ml's C++ has an assertion against it"
    size, steps = _plain(config["pool_size"]), _plain(config["strides"])
    if size != steps:
        yield Loss(layer.name, f"strides {size} as the size of the pool wanted, not {steps}", True, why)
    if config.get("padding", "valid") != "valid" and any(
        total % step
        for total, step in zip(layer.input_shape[1:], steps if isinstance(steps, tuple) else (steps,), strict=False)
    ):
        shape = tuple(layer.input_shape[1:-1])
        yield Loss(layer.name, f"no padding wanted, not that of pools of {size} over {shape}", True, why)


def _of_normalization(layer: Any, kind: str, config: Mapping[str, Any]) -> Iterator[Loss]:
    last = len(layer.input_shape) - 1
    axes = _plain(config.get("axis", -1))
    for axis in axes if isinstance(axes, tuple) else (axes,):
        if axis not in (-1, last):
            yield Loss(layer.name, f"axis {last}, the channels, wanted, not {axis}", False)
    if kind == "LayerNormalization":
        for key in ("center", "scale"):
            if not config.get(key, True):
                yield Loss(layer.name, f"{key} True wanted, not False", True)
        if (power := 10.0 ** round(math.log10(config["epsilon"]))) != config["epsilon"]:
            yield Loss(layer.name, f"epsilon as a power of ten, {power}, wanted, not {config['epsilon']}", False)


def _of_activation(layer: Any, config: Mapping[str, Any]) -> Iterator[Loss]:
    """An activation that is a layer, and what of QKeras' quantizers has no counterpart."""
    for key in ("activation", "recurrent_activation"):
        activation = config.get(key)
        if isinstance(activation, Mapping):
            name, options = str(activation.get("class_name")), activation.get("config") or {}
        elif activation is not None and not isinstance(activation, str) and hasattr(activation, "get_config"):
            name, options = type(activation).__name__, activation.get_config()
        else:
            continue
        if name.rpartition(">")[2] not in _quantizers():
            wanted = f"{key} by its name or as a layer of its own wanted, not an object of {name}"
            yield Loss(layer.name, wanted, True, "hls4ml reads names and quantizers alone")
        for option, harmless in (("relu_upper_bound", None), ("use_sigmoid", 0), ("qnoise_factor", 1.0)):
            value = options.get(option, harmless)
            if value is not None and value != harmless:
                yield Loss(layer.name, f"{key} with {option} {harmless!r} wanted, not {value!r}", False)


def _quantizers() -> frozenset[str]:
    from nonresnet_hls.networks import saved

    return frozenset(saved.quantizers())


def _plain(value: Any) -> Any:
    """A value of a layer's configuration, lists as tuples, NumPy's numbers as Python's."""
    if hasattr(value, "tolist"):  # NumPy's
        value = value.tolist()
    return tuple(value) if isinstance(value, list | tuple) else value


def check_weights(model: Any) -> None:
    """That hls4ml's parser finds every layer of a model once, with all its weights.

    Raises:
        ConversionError: it reads another number of layers, or other numbers than a layer's weights; names the layer.
    """
    import numpy as np
    from hls4ml.converters.keras_v2_to_hls import KerasModelReader, parse_keras_model

    parsed_layers, *_ = parse_keras_model(json.loads(model.to_json()), KerasModelReader(model))
    parsed = {str(layer["name"]): layer for layer in _flat(parsed_layers)}
    for layer in _leaves(model):
        kind = type(layer).__name__
        if kind in ("Dropout", "InputLayer") or getattr(layer, "layer", None) is not None:
            continue
        if layer.name not in parsed:
            raise ConversionError(f"layer {layer.name!r}: one layer of hls4ml's wanted for it, none found")
        if any(name in kind for name in _RECURRENT):
            continue  # their biases are taken apart
        read = [np.asarray(value) for key, value in parsed[layer.name].items() if key.endswith("_data")]
        for variable, values in zip(layer.weights, layer.get_weights(), strict=True):
            if not np.issubdtype(values.dtype, np.floating):
                continue  # QKeras counts its trainings
            same = [i for i, array in enumerate(read) if array.shape == values.shape and (array == values).all()]
            if same:
                del read[same[0]]
            else:
                raise ConversionError(
                    f"layer {layer.name!r}: weights {variable.name} wanted, hls4ml reads others, since it finds them by"
                    " parts of their names; rename the layer"
                )


def _flat(parsed: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for layer in parsed:
        if "layer_list" in layer:
            yield from _flat(layer["layer_list"])
        else:
            yield layer


def _leaves(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _leaves(layer)
        else:
            yield layer


def check_shapes(model: Any, graph: Any) -> None:
    """That the layers of a `ModelGraph` have the outputs of those of the model with their names, and the ends its ends.

    Raises:
        ConversionError: a shape differs, or the number of inputs or outputs; names the layer.
    """
    nodes = {node.name: node for node in graph.get_layers()}
    for layer in _leaves(model):
        shape = layer.output_shape
        shape = shape[0] if isinstance(shape, list) and len(shape) == 1 else shape
        node = nodes.get(layer.name)
        if node is None or not isinstance(shape, tuple):
            continue
        wanted: tuple[int, ...] = tuple(shape[1:])
        got: tuple[int, ...] = tuple(map(int, node.get_output_variable().shape))
        # Of a pixel by itself hls4ml keeps the channels alone.
        if [size for size in wanted if size != 1] != [size for size in got if size != 1]:
            raise ConversionError(f"layer {layer.name!r}: output {wanted} wanted, hls4ml makes it {got}")
    inputs = [tensor._keras_history.layer.name for tensor in model.inputs]
    if inputs != list(graph.inputs):
        raise ConversionError(f"model {model.name}: inputs {inputs} wanted, hls4ml makes them {list(graph.inputs)}")
    if len(model.outputs) != len(graph.outputs):
        made = len(graph.outputs)
        raise ConversionError(f"model {model.name}: {len(model.outputs)} outputs wanted, hls4ml makes {made}")
