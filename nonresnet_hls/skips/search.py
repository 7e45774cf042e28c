"""Finds the skips of a model: branches that leave a tensor and join what was made of it."""

from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Any

from nonresnet_hls.skips.graph import Call, Graph, Tensor

_CONVOLUTIONS = ("Conv", "SeparableConv", "DepthwiseConv", "Dense")
# What a skip may hold and still be one: it fits the shape, and does not compute what the other branch computes.
_FITTING = ("BatchNormalization", "Pooling", "ZeroPadding", "Cropping", "Activation", "ReLU", "Dropout", "Reshape")


class Join(StrEnum):
    """How a skip ends."""

    ADD = "add"
    CONCATENATE = "concatenate"


@dataclass(frozen=True)
class Skip:
    """One skip of a model."""

    number: int
    """From 1, in the order in which the skips join."""
    group: int
    """Resolution group, from 1: the skips that join at the same image size."""
    join: Join
    leaves: str
    """Layer whose output it starts from."""
    joins: str
    """Layer that it ends in."""
    projection: tuple[str, ...]
    """Layers on the skip itself, from its start to its end."""
    bypasses: tuple[str, ...]
    """Layers of the branch that it goes around."""
    buffer_shape: tuple[int | None, ...]
    """Of the tensor that waits at the join, without the batch; None where an axis is not fixed."""
    refusal: str
    """Why it cannot be removed; empty where it can."""
    source: Tensor
    """The tensor that it brings to the join."""
    main: Tensor
    """The tensor that it meets there."""

    @property
    def buffer_elements(self) -> int | None:
        """Elements of the tensor that waits at the join; None where an axis is not fixed."""
        return None if None in self.buffer_shape else prod(size or 0 for size in self.buffer_shape)

    @property
    def removable(self) -> bool:
        """Whether `remove` takes it out."""
        return not self.refusal


def find(model: Any) -> tuple[Skip, ...]:
    """All skips of a functional model, in the order in which they join.

    At an `Add` of two or more branches the one that computes most is the main one; each other is a skip if it
    starts at a tensor that the main branch needs as well and only fits its shape (1x1 convolution, batch norm,
    pooling, padding, activation). At a `Concatenate` a skip holds no weights.

    Raises:
        ModelError: the model is not functional.
    """
    return find_in(Graph.of(model))


def find_in(graph: Graph) -> tuple[Skip, ...]:
    """All skips of a graph."""
    found: list[Skip] = []
    sizes: list[tuple[int | None, ...]] = []
    for call, tensors in graph.inputs.items():
        join = _join(graph.layer(call))
        if join is None or len(tensors) < 2:
            continue
        needed = {tensor: graph.needed(tensor[:2]) for tensor in tensors}
        common = frozenset.intersection(*needed.values())
        work = {tensor: _work(graph, needed[tensor] - common) for tensor in tensors}
        main = max(work, key=lambda tensor: work[tensor])
        for source in work:
            if work[source] == work[main]:
                continue
            branch, start = _back(graph, source[:2], needed[main], join)
            if start is None:
                continue
            bypassed = graph.between(start, main[:2])
            size = graph.shape(source)[1:-1]
            if size not in sizes:
                sizes.append(size)
            found.append(
                Skip(
                    number=len(found) + 1,
                    group=sizes.index(size) + 1,
                    join=join,
                    leaves=start[0],
                    joins=call[0],
                    projection=tuple(name for name, _ in branch),
                    bypasses=tuple(name for name, _ in bypassed),
                    buffer_shape=graph.shape(source)[1:],
                    refusal=_refusal(graph, call, join, main, [*branch, *bypassed]),
                    source=source,
                    main=main,
                )
            )
    return tuple(found)


def is_convolution(layer: Any) -> bool:
    """Whether a layer multiplies by weights; QKeras' layers too."""
    return type(layer).__name__.removeprefix("Q").startswith(_CONVOLUTIONS)


def _join(layer: Any) -> Join | None:
    kind = type(layer).__name__.removeprefix("Q")  # HGQ2 has an Add of its own
    if kind == "Add" or (kind == "TFOpLambda" and layer.symbol in ("__operators__.add", "math.add")):
        return Join.ADD
    return Join.CONCATENATE if kind == "Concatenate" else None


def _work(graph: Graph, branch: frozenset[Call]) -> tuple[int, int, int]:
    """How much a branch computes: convolutions but projections, all convolutions, layers."""
    convolutions = [graph.layer(call) for call in branch if is_convolution(graph.layer(call))]
    return sum(not _is_projection(layer) for layer in convolutions), len(convolutions), len(branch)


def _back(graph: Graph, source: Call, main: frozenset[Call], join: Join) -> tuple[list[Call], Call | None]:
    """The calls on a skip, and the call that it leaves; None for a branch that is no skip.

    Goes back from the join, over layers that only fit the shape, to something that the `main` branch needs as well.
    """
    branch: list[Call] = []
    while source not in main:
        tensors = graph.inputs[source]
        if len(tensors) != 1 or not _only_fits(graph.layer(source), join):
            return branch, None
        branch.insert(0, source)
        source = tensors[0][:2]
    return branch, source


def _is_projection(layer: Any) -> bool:
    return all(size == 1 for size in getattr(layer, "kernel_size", (1,)))


def _only_fits(layer: Any, join: Join) -> bool:
    if is_convolution(layer):
        return join is Join.ADD and _is_projection(layer)
    return any(kind in type(layer).__name__ for kind in _FITTING)


def _refusal(graph: Graph, call: Call, join: Join, main: Tensor, around: list[Call]) -> str:
    if join is Join.CONCATENATE:
        return "it joins at a Concatenate: without it the layers that follow would have fewer channels"
    shared = next((name for name, _ in [*around, call] if graph.calls(name) > 1), None)
    if shared is not None:
        return f"layer {shared!r} is shared: it is called {graph.calls(shared)} times"
    if graph.shape(main) != graph.shape((*call, 0)):
        shapes = f"{graph.shape(main)[1:]} to {graph.shape((*call, 0))[1:]}"
        return f"the join broadcasts {shapes}: the main branch alone would not fit"
    return ""
