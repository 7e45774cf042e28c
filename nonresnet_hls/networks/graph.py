"""Reading and rebuilding Keras functional models whose layers are each used once."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nonresnet_hls.errors import ModelError

_WITHOUT_CONTROL_FLOW = frozenset({"keras", "tf_keras", "tensorflow", "qkeras", "nonresnet_hls"})


@dataclass(frozen=True)
class Node:
    """A layer and the names of the layers that feed it, in order."""

    layer: Any
    inputs: tuple[str, ...]

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.layer.name)

    @property
    def kind(self) -> str:
        """The layer's class name, as the field says it (`Conv2D`, `QActivation`, ...)."""
        return type(self.layer).__name__

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the layer's output without the batch."""
        return tuple(self.layer.output.shape[1:])


def nodes(model: Any) -> list[Node]:
    """The layers of a functional or sequential model in topological order, inputs first.

    Raises:
        ModelError: a layer is shared, has several outputs, is itself a model, or takes what is no layer's output.
    """
    result: list[Node] = []
    names = {layer.name for layer in model.layers}
    if not hasattr(model, "inputs") or not model.inputs:
        raise ModelError(
            f"model {model.name}: a functional Keras model wanted, not {type(model).__name__} without inputs"
        )
    sequential_input = model.inputs[0]._keras_history.layer
    layers = list(model.layers)
    if sequential_input.name not in names:
        layers.insert(0, sequential_input)
        names.add(sequential_input.name)
    for layer in layers:
        if hasattr(layer, "layers"):
            raise ModelError(f"layer {layer.name}: a model inside the model; flatten it first")
        used = calls(model, layer)
        if len(used) > 1:
            raise ModelError(f"layer {layer.name}: used {len(used)} times; layers used once wanted")
        tensors = used[0].keras_inputs if used else []
        if used:
            _one_argument(layer, used[0])
        result.append(Node(layer, tuple(tensor._keras_history.layer.name for tensor in tensors)))
        if not used and layer is not sequential_input:
            raise ModelError(f"layer {layer.name}: not connected to the model's inputs")
    return result


def calls(model: Any, layer: Any) -> list[Any]:
    """Keras' nodes of a layer, those that belong to the model."""
    relevant = {id(node) for depth in model._nodes_by_depth.values() for node in depth}
    return [node for node in layer._inbound_nodes if id(node) in relevant]


def is_tensor(value: Any) -> bool:
    """Whether a value is one of a model's own, and no constant."""
    return hasattr(value, "_keras_history")


def _one_argument(layer: Any, call: Any) -> None:
    """Refuse a layer that gives several tensors, or takes others than as its one argument, or constants among them.

    An operator (`x + y`) may take what it likes: `lowering` makes layers of operators.
    """
    from tensorflow import nest

    outputs = nest.flatten(call.outputs)
    if len(outputs) > 1:
        raise ModelError(f"layer {layer.name}: one output wanted, not {len(outputs)}")
    if not hasattr(layer, "symbol"):
        taken = nest.flatten(call.call_args[:1])
        others = [value for value in taken if not is_tensor(value)]
        if others or len(taken) != len(call.keras_inputs):
            got = "a constant among them" if others else f"{len(call.keras_inputs) - len(taken)} more"
            raise ModelError(f"layer {layer.name}: tensors of the model as its one argument wanted, not {got}")


@contextlib.contextmanager
def in_float32() -> Iterator[None]:
    """New layers compute in float32 within, whatever the caller has set for all layers (mixed precision, float64)."""
    from tensorflow import keras

    policy, floatx = keras.mixed_precision.global_policy(), keras.backend.floatx()
    if (policy.name, floatx) == ("float32", "float32"):
        yield
        return
    keras.backend.set_floatx("float32")
    keras.mixed_precision.set_global_policy("float32")
    try:
        yield
    finally:
        keras.backend.set_floatx(floatx)
        keras.mixed_precision.set_global_policy(policy)


def consumers(graph: list[Node]) -> dict[str, list[Node]]:
    """For each layer's name, the nodes that take its output."""
    result: dict[str, list[Node]] = {node.name: [] for node in graph}
    for node in graph:
        for name in node.inputs:
            result[name].append(node)
    return result


def output_names(model: Any) -> list[str]:
    """Names of the layers whose outputs the model returns."""
    return [tensor._keras_history.layer.name for tensor in model.outputs]


def config_of(layer: Any) -> dict[str, Any]:
    """What `from_config` makes a layer like this from.

    As `get_config` says it, but for an activation that is a layer object: most of these Keras cannot restore.
    """
    config: dict[str, Any] = layer.get_config()
    activation = getattr(layer, "activation", None)
    if hasattr(activation, "get_config") and "activation" in config and not isinstance(activation, str):
        config["activation"] = activation
    return config


def copy_layer(layer: Any) -> Any:
    """A new, unbuilt layer of the same class and configuration."""
    return type(layer).from_config(config_of(layer))


def call(layer: Any, inputs: list[Any]) -> Any:
    """What a layer makes of one tensor, or of several."""
    from tensorflow import autograph

    value = inputs[0] if len(inputs) == 1 else inputs
    if not _needs_no_autograph(layer):
        return layer(value)
    # a third of the time that making a model takes goes to autograph
    return autograph.experimental.do_not_convert(lambda: layer(value))()


def _needs_no_autograph(layer: Any) -> bool:
    """Whether nobody's Python but Keras', QKeras' and ours runs in a layer, in which no control flow asks a tensor.

    Operators (`x + y`) have their own way into a model, which is converted.
    """
    if hasattr(layer, "symbol"):
        return False
    layers = list(layer._flatten_layers())
    held = [value for one in layers for value in vars(one).values() if callable(value)]
    return all(_root(one) in _WITHOUT_CONTROL_FLOW for one in [*layers, *held])


def _root(value: Any) -> str:
    """The package that a function, a class or the class of an object is from."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return str(getattr(named, "__module__", None)).partition(".")[0]


def copied(node: Node, inputs: list[Any]) -> Any:
    """What a copy of a node's layer makes of its inputs: as `rebuild` wants it of what stays."""
    return call(copy_layer(node.layer), inputs)


def rebuild(model: Any, replace: Callable[[Node, list[Any]], Any], rename: Mapping[str, str] | None = None) -> Any:
    """A new model made node by node: `replace(node, input tensors)` returns the tensor that stands for the node.

    Weights are not carried over; see `carry_weights`. Input layers are made anew without asking `replace`, under the
    names that `rename` has for theirs.
    """
    from tensorflow import keras

    tensors: dict[str, Any] = {}
    with in_float32():
        for node in nodes(model):
            if node.inputs:
                tensors[node.name] = replace(node, [tensors[source] for source in node.inputs])
            else:
                tensors[node.name] = keras.Input(node.output_shape, name=(rename or {}).get(node.name, node.name))
    inputs = [tensors[tensor._keras_history.layer.name] for tensor in model.inputs]
    outputs = [tensors[output] for output in output_names(model)]
    return keras.Model(inputs, outputs, name=model.name)


def carry_weights(source: Any, target: Any) -> None:
    """Set the weights of every layer of `target` that `source` has under the same name and with the same shapes."""
    have = {layer.name: layer for layer in source.layers}
    for layer in target.layers:
        twin = have.get(layer.name)
        if twin is not None and [w.shape for w in twin.weights] == [w.shape for w in layer.weights]:
            layer.set_weights(twin.get_weights())
