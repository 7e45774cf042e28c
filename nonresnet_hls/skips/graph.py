"""The graph of a Keras functional model, read from and written as its public configuration.

Surgery on the configuration leaves the old model untouched and needs nothing of Keras' inside: a call of a layer
refers to tensors as [layer, call, output], optionally followed by keyword arguments that hold further references.
Keras 3 writes each such reference into a dictionary of its own (`__keras_tensor__`).
"""

import copy
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nonresnet_hls import one_keras
from nonresnet_hls.errors import ModelError

Call = tuple[str, int]
"""A layer's name and which of its calls (0 for all but shared layers)."""
Tensor = tuple[str, int, int]
"""A call and which of its outputs."""


@dataclass(frozen=True, eq=False)
class Graph:
    """Who reads whose outputs; calls stand in an order in which they can be made."""

    model: Any
    config: dict[str, Any]
    inputs: dict[Call, tuple[Tensor, ...]]
    """The tensors that each call reads, in its order."""
    outputs: tuple[Tensor, ...]

    @classmethod
    def of(cls, model: Any) -> "Graph":
        """Read a functional model.

        Raises:
            ModelError: the model is of another kind.
        """
        model = _functional(model)
        config = copy.deepcopy(model.get_config())
        names = {layer["name"] for layer in config["layers"]}
        layers = _layers(model)
        reads: dict[Call, tuple[Tensor, ...]] = {}
        for layer in config["layers"]:
            # A model that is used as a layer has been called once before, when it was built.
            first = 1 if nested(layers[layer["name"]]) else 0
            for number, arguments in enumerate(layer["inbound_nodes"] or [[]], start=first):
                reads[layer["name"], number] = tuple(_references(arguments, names))
        outputs = tuple(_references(config["output_layers"], names))
        return cls(model, config, _ordered(reads), outputs)

    def calls(self, layer: str) -> int:
        """How often a layer is called; a shared one more than once."""
        return sum(name == layer for name, _ in self.inputs)

    def layer(self, call: Call) -> Any:
        """The Keras layer that is called, or the operation of Keras 3."""
        return self.layers[call[0]]

    @functools.cached_property
    def layers(self) -> dict[str, Any]:
        """Layers, and operations of Keras 3, by name."""
        return _layers(self.model)

    def shape(self, tensor: Tensor) -> tuple[int | None, ...]:
        """Shape of a tensor, the batch first."""
        name, call, output = tensor
        layer = self.layers[name]
        if not one_keras.has_keras2():
            from keras.src.ops.function import make_node_key

            nodes = [n for i, n in enumerate(layer._inbound_nodes) if make_node_key(layer, i) in self.model._nodes]
            return tuple(nodes[call].output_tensors[output].shape)
        # The layer may also have been called by other models.
        own = [i for i in range(len(layer.inbound_nodes)) if f"{name}_ib-{i}" in self.model._network_nodes]
        shape = layer.get_output_shape_at(own[call - (1 if nested(layer) else 0)])
        return tuple(shape[output] if isinstance(shape, list) else shape)

    def readers(self, tensor: Tensor) -> list[Call]:
        """The calls that read a tensor."""
        return [call for call, tensors in self.inputs.items() if tensor in tensors]

    def needed(self, call: Call) -> frozenset[Call]:
        """`call` and all calls that it depends on."""
        seen: set[Call] = set()
        todo = [call]
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo += [tensor[:2] for tensor in self.inputs[one]]
        return frozenset(seen)

    def between(self, start: Call, end: Call) -> list[Call]:
        """The calls that depend on `start` and that `end` depends on, in order; `end` is one of them."""
        after = {start}
        for call, tensors in self.inputs.items():
            if any(tensor[:2] in after for tensor in tensors):
                after.add(call)
        inside = after & self.needed(end) - {start}
        return [call for call in self.inputs if call in inside]

    def spine(self, start: Call, end: Call) -> list[Call]:
        """Those of `between` through which everything goes that gets from `start` to `end`, in order."""
        import networkx

        inside = self.between(start, end)
        graph = networkx.DiGraph()
        for call in inside:
            graph.add_edges_from((t[:2], call) for t in self.inputs[call] if t[:2] == start or t[:2] in inside)
        before = networkx.immediate_dominators(graph, start)
        chain = [end]
        while chain[-1] != start:
            chain.append(before[chain[-1]])
        return chain[-2::-1]


def nested(layer: Any) -> bool:
    """Whether a layer is a functional model itself."""
    return bool(getattr(layer, "_is_graph_network", False) or hasattr(layer, "operations"))


def _layers(model: Any) -> dict[str, Any]:
    return {layer.name: layer for layer in getattr(model, "operations", model.layers)}


def _functional(model: Any) -> Any:
    """The model, if it has a graph; a built `Sequential` as the functional model that it is."""
    import keras

    if isinstance(model, keras.Sequential) and model.built:
        return keras.Model(model.inputs, model.outputs, name=model.name)
    if isinstance(model, keras.Model) and nested(model):
        inner = [name for name, layer in _layers(model).items() if nested(layer)]
        if inner and not one_keras.has_keras2():
            raise ModelError(f"layer {inner[0]}: a model inside the model; with Keras 3 layers are wanted: flatten it")
        return model
    name = getattr(model, "name", repr(model))
    raise ModelError(f"model {name}: a functional Keras model wanted, not {type(model).__name__}")


def redirect(value: Any, names: set[str], change: Callable[[Tensor], Tensor]) -> Any:
    """A copy of call arguments with every reference changed."""
    if _is_keras_tensor(value):
        history = list(change(tuple(value["config"]["keras_history"])))
        return {**value, "config": {**value["config"], "keras_history": history}}
    if _is_reference(value, names):
        rest = [redirect(item, names, change) for item in value[3:]]
        return [*change((value[0], value[1], value[2])), *rest]
    if isinstance(value, list | tuple):
        return [redirect(item, names, change) for item in value]
    if isinstance(value, dict):
        return {key: redirect(item, names, change) for key, item in value.items()}
    return value


def without(value: Any, names: set[str], tensor: Tensor) -> Any:
    """A copy of call arguments in which a list of tensors lacks one."""
    if isinstance(value, list | tuple):
        return [without(item, names, tensor) for item in value if list(_tensor_of(item, names)) != [tensor]]
    if isinstance(value, dict) and not _is_keras_tensor(value):
        return {key: without(item, names, tensor) for key, item in value.items()}
    return value


def _tensor_of(value: Any, names: set[str]) -> Iterator[Tensor]:
    """The tensor that a value refers to, if it is a reference."""
    if _is_keras_tensor(value) or _is_reference(value, names):
        yield next(_references(value, names))


def _references(value: Any, names: set[str]) -> Iterator[Tensor]:
    if _is_keras_tensor(value):
        name, call, output = value["config"]["keras_history"]
        yield (name, call, output)
        return
    if _is_reference(value, names):
        yield (value[0], value[1], value[2])
        value = value[3:]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _references(item, names)


def _is_keras_tensor(value: Any) -> bool:
    return isinstance(value, dict) and value.get("class_name") == "__keras_tensor__"


def _is_reference(value: Any, names: set[str]) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and value[0] in names
        and all(isinstance(number, int) for number in value[1:3])
    )


def _ordered(reads: dict[Call, tuple[Tensor, ...]]) -> dict[Call, tuple[Tensor, ...]]:
    import graphlib

    order = graphlib.TopologicalSorter({call: [t[:2] for t in tensors] for call, tensors in reads.items()})
    return {call: reads[call] for call in order.static_order()}
