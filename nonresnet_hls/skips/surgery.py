"""Takes skips out of a model, or shortens them. The model given stays as it is; a new one is built."""

import dataclasses
import graphlib
from collections.abc import Callable, Collection
from typing import Any

from nonresnet_hls import one_keras
from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import saved
from nonresnet_hls.skips.graph import Call, Graph, Tensor, redirect, without
from nonresnet_hls.skips.search import Join, Skip, find_in, is_convolution

Change = Callable[[Tensor], Tensor]


def remove(model: Any, which: Collection[int] | None = None) -> Any:
    """A new model without the skips numbered in `which` (None: all that can go), all other weights kept exactly.

    Raises:
        ModelError: the model is not functional, there is no such skip, or it cannot be removed.
    """
    graph = Graph.of(model)
    todo = _chosen(graph, which)
    while todo:
        skip = todo.pop(0)
        if skip.refusal:
            raise ModelError(f"skip {skip.number} into {skip.joins!r} cannot be removed: {skip.refusal}")
        change = _take_out(graph.config, skip)
        todo = [_followed(other, change) for other in todo]
    return _rebuilt(graph)


def shorten(model: Any, which: Collection[int] | None = None) -> Any:
    """A new model in which the skips in `which` (None: all that can be) go over their first convolution only.

    After Weng et al. (2021), Fig. 1: the skip joins behind the first convolution of the branch that it bypasses
    (and the batch norm that follows it) instead of behind the whole branch.

    Raises:
        ModelError: the model is not functional, there is no such skip, or it cannot be shortened.
    """
    graph = Graph.of(model)
    todo = []
    for skip in _chosen(graph, which):
        earlier, refusal = _first_convolution(graph, skip)
        if earlier is not None:
            todo.append((skip, earlier))
        elif which is not None:
            raise ModelError(f"skip {skip.number} into {skip.joins!r} cannot be shortened: {refusal}")
    while todo:
        skip, earlier = todo.pop(0)
        change = _move(graph.config, skip, earlier)
        todo = [(_followed(other, change), change(tensor)) for other, tensor in todo]
    return _rebuilt(graph)


def not_shortened(model: Any) -> dict[int, str]:
    """By number, why skips cannot be shortened; those that can are not in it.

    Raises:
        ModelError: the model is not functional.
    """
    graph = Graph.of(model)
    tried = {skip.number: _first_convolution(graph, skip) for skip in find_in(graph)}
    return {number: refusal for number, (earlier, refusal) in tried.items() if earlier is None}


def _chosen(graph: Graph, which: Collection[int] | None) -> list[Skip]:
    found = find_in(graph)
    if which is None:
        return [skip for skip in found if not skip.refusal]
    for number in sorted(which):
        if not 1 <= number <= len(found):
            raise ModelError(f"model {graph.model.name!r}: skips 1..{len(found)} wanted, not {number}")
    return [skip for skip in found if skip.number in which]


def _followed(skip: Skip, change: Change) -> Skip:
    """The skip after other surgery has renamed the tensors that it brings together."""
    return dataclasses.replace(skip, source=change(skip.source), main=change(skip.main))


def _take_out(config: dict[str, Any], skip: Skip) -> Change:
    """Let all who read the join read its main branch. Returns what became of each tensor."""
    join = _layer(config, skip.joins)
    tensors: list[Tensor] = []

    def collected(tensor: Tensor) -> Tensor:
        tensors.append(tensor)
        return tensor

    redirect(join["inbound_nodes"], _names(config), collected)
    left = [tensor for tensor in tensors if tensor != skip.source]
    if len(left) > 1:  # three or more branches: the join stays, one branch poorer
        join["inbound_nodes"] = without(join["inbound_nodes"], _names(config), skip.source)
        return lambda tensor: tensor

    def change(tensor: Tensor) -> Tensor:
        return left[0] if tensor[0] == skip.joins else tensor

    _redirect_readers(config, change)
    return change


def _move(config: dict[str, Any], skip: Skip, earlier: Tensor) -> Change:
    """Let the skip join behind `earlier` instead of behind the branch. Returns what became of each tensor."""
    join = _layer(config, skip.joins)

    # What `earlier` was is now what the join puts out; the join's readers get the end of the branch.
    def change(tensor: Tensor) -> Tensor:
        if tensor == earlier:
            return (skip.joins, 0, 0)
        return skip.main if tensor[0] == skip.joins else tensor

    arguments = join["inbound_nodes"]
    _redirect_readers(config, change)
    join["inbound_nodes"] = redirect(
        arguments, _names(config), lambda tensor: earlier if tensor == skip.main else tensor
    )
    return change


def _first_convolution(graph: Graph, skip: Skip) -> tuple[Tensor | None, str]:
    """The tensor behind the first convolution and its batch norm, or why the skip cannot join there."""
    if skip.refusal or skip.join is not Join.ADD:
        return None, skip.refusal
    joined = graph.layers[skip.joins].input
    if isinstance(joined, list) and len(joined) > 2:
        return None, f"{len(joined)} branches join: with it, the others would move"
    needed = graph.needed(skip.main[:2])
    start = [call for call in graph.inputs if call[0] == skip.leaves and call in needed][-1]
    spine = graph.spine(start, skip.main[:2])
    convolutions = [call for call in spine if is_convolution(graph.layer(call))]
    if len([name for name in skip.bypasses if is_convolution(graph.layers[name])]) < 2 or not convolutions:
        return None, "it bypasses no more than one convolution already"
    end: Call = convolutions[0]
    readers = graph.readers((*end, 0))
    if len(readers) == 1 and type(graph.layer(readers[0])).__name__.endswith("BatchNormalization"):
        end = readers[0]
    tensor = (*end, 0)
    if graph.shape(tensor) != graph.shape(skip.source):
        shapes = f"{graph.shape(tensor)[1:]}, the skip {graph.shape(skip.source)[1:]}"
        return None, f"behind {end[0]!r} the branch is {shapes}: they would not fit"
    if any(call[0] not in skip.bypasses for call in graph.readers(tensor)):
        return None, f"{end[0]!r} is also read from outside the branch"
    return tensor, ""


def _redirect_readers(config: dict[str, Any], change: Change) -> None:
    names = _names(config)
    for layer in config["layers"]:
        layer["inbound_nodes"] = redirect(layer["inbound_nodes"], names, change)
    config["output_layers"] = redirect(config["output_layers"], names, change)


def _rebuilt(graph: Graph) -> Any:
    """A model of the changed configuration with the weights of the old one."""
    import keras

    config = graph.config
    _drop_unread(config)
    # The classes of the user's own that the old model is made of. (Keras 3 has an operation `Add` beside the layer.)
    kinds = {type(layer) for layer in graph.model._flatten_layers()}
    known = {kind.__name__: kind for kind in kinds if kind.__module__.partition(".")[0] not in ("keras", "tf_keras")}
    quantizers = saved.quantizers() if one_keras.has_keras2() else {}
    with keras.utils.custom_object_scope(quantizers | known):
        model = keras.Model.from_config(config)
    for layer in model.layers:
        layer.set_weights(graph.model.get_layer(layer.name).get_weights())
    return model


def _drop_unread(config: dict[str, Any]) -> None:
    """Delete the layers that no output needs any more; the model's inputs stay."""
    names = _names(config)
    needed: set[str] = set()
    todo: list[str] = []

    def note(tensor: Tensor) -> Tensor:
        todo.append(tensor[0])
        return tensor

    redirect([config["output_layers"], config["input_layers"]], names, note)
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            redirect(_layer(config, name)["inbound_nodes"], names, note)
    left = {layer["name"]: layer for layer in config["layers"] if layer["name"] in needed}
    reads: dict[str, list[str]] = {}
    for name, layer in left.items():
        todo.clear()
        redirect(layer["inbound_nodes"], names, note)
        reads[name] = [read for read in todo if read != name]
    config["layers"] = [left[name] for name in graphlib.TopologicalSorter(reads).static_order()]


def _names(config: dict[str, Any]) -> set[str]:
    return {layer["name"] for layer in config["layers"]}


def _layer(config: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(layer for layer in config["layers"] if layer["name"] == name)
    return found
