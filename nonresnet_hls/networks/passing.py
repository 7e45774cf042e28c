"""Skips whose tensor can go through the convolutions that they bypass, in channels of its own, and join in the last.

A convolution passes a tensor on by a 1 in one place of its kernel; a ReLU behind it leaves the tensor as it is where
that has no negative numbers. The last convolution of the branch adds what was passed: as it is, or by the weights of
the skip's own projection.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import activations, graph
from nonresnet_hls.networks.additions import Additions
from nonresnet_hls.networks.padding import same_padding

_CONVOLUTIONS = frozenset({"Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D"})
_NOTHING = frozenset({"Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout"})
_KEEPS_SIGN = frozenset({
    "MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "ZeroPadding1D", "ZeroPadding2D", "UpSampling1D",
    "UpSampling2D", "Cropping1D", "Cropping2D", "Concatenate", "Add", "Multiply", "Maximum", "Average", "Reshape",
    *_NOTHING,
})  # fmt: skip
_POSITIVE = frozenset({"relu", "quantized_relu", "sigmoid", "hard_sigmoid", "softplus", "softmax", "exponential"})
_RELU = frozenset({"relu", "quantized_relu"})


@dataclass(frozen=True)
class Passing:
    """A skip, and the convolutions that its tensor goes through."""

    join: graph.Node
    source: graph.Node
    """Whose output the skip brings."""
    convolutions: tuple[graph.Node, ...]
    """Of the bypassed branch, in its order."""
    rounded: tuple[graph.Node | None, ...]
    """What rounds the output of each but the last, in a quantized model."""
    taps: tuple[tuple[int, ...], ...]
    """Of each convolution the place in its kernel that a pixel meets which it passes on."""
    projection: graph.Node | None
    """The convolution on the skip."""
    projection_tap: tuple[int, ...]
    """The same in its kernel."""
    end: graph.Node
    """The last layer of the branch: that convolution, or what does nothing at inference behind it."""
    gone: frozenset[str]
    """Layers that the merged network does without."""

    @property
    def channels(self) -> int:
        """That are passed on."""
        return self.source.output_shape[-1]


def find(model: Any, positive: Callable[[str], bool] | None = None) -> tuple[dict[str, Passing], dict[str, str]]:
    """Skips of a model that can be merged, and why others cannot, by the names of their joins.

    Args:
        model: functional, batch norms of its branches folded.
        positive: whether a layer's output has no negative numbers; None: as its structure tells.
    """
    network = graph.nodes(model)
    finder = _Finder(network, graph.output_names(model), positive)
    found, refused = {}, {}
    for node in network:
        if node.kind == "Add":
            try:
                found[node.name] = finder.passing(node)
            except ModelError as error:
                refused[node.name] = str(error)
    return found, refused


def is_positive(name: str, nodes: Mapping[str, graph.Node]) -> bool:
    """Whether the structure of a network tells that an output has no negative numbers."""
    todo, seen = [name], set()
    while todo:
        node = nodes[todo.pop()]
        if node.name in seen:
            continue
        seen.add(node.name)
        if node.kind not in ("InputLayer",) and _function(node) in _POSITIVE:
            continue
        if node.kind not in _KEEPS_SIGN:
            return False
        todo += node.inputs
    return True


def _function(node: graph.Node) -> str:
    """The nonlinearity of a layer; QKeras' quantizers by their class, without their bits."""
    return activations.of(node.layer).name.partition("(")[0]


class _Finder:
    def __init__(
        self, network: Sequence[graph.Node], outputs: Sequence[str], positive: Callable[[str], bool] | None
    ) -> None:
        self.nodes = {node.name: node for node in network}
        self.positive = positive or (lambda name: is_positive(name, self.nodes))
        self.readers = graph.consumers(list(network))
        self.outputs = set(outputs)

    def passing(self, join: graph.Node) -> Passing:
        """The skip that ends in a join.

        Raises:
            ModelError: it cannot be merged; says why.
        """
        if len(join.inputs) != 2:
            raise ModelError(f"two branches wanted at {join.name}, not {len(join.inputs)}")
        first, second = (self._back(name) for name in join.inputs)
        common = next((name for name in first if name in second), None)
        if common is None:
            raise ModelError(f"no tensor before {join.name} that both of its branches come from in a row of layers")
        branches = [self._until(path, common) for path in (first, second)]
        work = [self._work(branch) for branch in branches]
        skip, main = branches if work[0] < work[1] else branches[::-1]
        if work[0] == work[1]:
            raise ModelError(f"a branch with more or larger convolutions than the other wanted at {join.name}")
        for node in (*skip, *main):
            if len(self.readers[node.name]) != 1 or node.name in self.outputs:
                raise ModelError(f"{node.name} is also read from outside the branch")
        return self._made(join, self.nodes[common], skip, main)

    def _back(self, name: str) -> list[str]:
        """A layer and those before it, as long as each reads but one."""
        path = [name]
        while len(self.nodes[path[-1]].inputs) == 1:
            path.append(self.nodes[path[-1]].inputs[0])
        return path

    def _until(self, path: list[str], end: str) -> list[graph.Node]:
        """The nodes of a path before `end`, in the order of the data."""
        return [self.nodes[name] for name in path[: path.index(end)]][::-1]

    @staticmethod
    def _is_convolution(node: graph.Node) -> bool:
        return node.kind.removeprefix("Q") in _CONVOLUTIONS

    def _work(self, branch: list[graph.Node]) -> tuple[int, int]:
        """Convolutions of a branch, and the pixels that their kernels see."""
        sizes = [math.prod(node.layer.kernel_size) for node in branch if self._is_convolution(node)]
        return len(sizes), sum(sizes)

    def _made(self, join: graph.Node, source: graph.Node, skip: list[graph.Node], main: list[graph.Node]) -> Passing:
        projection = None
        for node in skip:
            if self._is_convolution(node) and projection is None and "Depthwise" not in node.kind:
                projection = node
                if activations.of(node.layer).name != activations.LINEAR:
                    raise ModelError(f"{node.name} on the skip has an activation")
            elif node.kind not in _NOTHING:
                raise ModelError(f"a convolution at most wanted on the skip, not {node.name} ({node.kind})")
        end = main[-1]
        while len(main) > 1 and main[-1].kind in _NOTHING:
            main = main[:-1]
        if not self._is_convolution(main[0]):
            raise ModelError(f"the branch begins with {main[0].name} ({main[0].kind}), not with a convolution")
        if not self._is_convolution(main[-1]) or activations.of(main[-1].layer).name != activations.LINEAR:
            raise ModelError(f"the branch ends with {main[-1].name}, not with a convolution without activation")
        for node in (main[0], main[-1]):
            if "Depthwise" in node.kind:
                raise ModelError(f"{node.name} is depthwise: a convolution that mixes channels wanted at either end")
        convolutions: list[graph.Node] = []
        rounded: list[graph.Node | None] = []
        rectified = False
        for node in main:
            if self._is_convolution(node):
                convolutions.append(node)
                rounded.append(None)
                self._check(node)
            elif node.kind in ("QActivation", "FixedPointActivation"):
                rounded[-1] = node
            rectified = rectified or self._rectifies(node, node is main[-1])
        if rectified and not self.positive(source.name):
            raise ModelError(f"it leaves {source.name}, whose numbers may be negative, and a ReLU would drop these")
        taps = tuple(self._tap(node) for node in convolutions)
        own_tap: tuple[int, ...] = ()
        if projection is not None:
            own_tap = self._check_projection(projection, convolutions, taps)
        elif self._stride(convolutions) != (1,) * len(taps[0]):
            raise ModelError("the branch has strides, and the skip no projection")
        gone = frozenset({join.name, *(node.name for node in skip)})
        return Passing(join, source, tuple(convolutions), tuple(rounded[:-1]), taps, projection, own_tap, end, gone)

    def _check(self, node: graph.Node) -> None:
        layer = node.layer
        if getattr(layer, "groups", 1) != 1 or ("Depthwise" in node.kind and layer.depth_multiplier != 1):
            raise ModelError(f"{node.name} works on groups of channels")

    def _rectifies(self, node: graph.Node, last: bool) -> bool:
        """Whether a layer of the branch is a ReLU.

        Raises:
            ModelError: it is nothing that passes numbers from 0 on as they are.
        """
        own = activations.of(node.layer)
        if _function(node) in _RELU and own.max_value is None and not last:
            return True
        plain = own.name == activations.LINEAR and (
            self._is_convolution(node) or node.kind in (*_NOTHING, "Activation")
        )
        if node.kind == "FixedPointActivation" and not last:
            return not node.layer.quantizer.type.signed
        if plain:
            return False
        raise ModelError(f"{node.name} ({own if own.name != activations.LINEAR else node.kind}) changes what it passes")

    def _tap(self, node: graph.Node) -> tuple[int, ...]:
        """Where in a kernel the pixel is whose place the output has."""
        layer, sizes = node.layer, tuple(node.layer.kernel_size)
        steps = tuple(node.layer.dilation_rate)
        if layer.padding == "valid":
            if set(sizes) != {1}:
                raise ModelError(f"{node.name} takes the edges away: padding same wanted")
            return (0,) * len(sizes)
        if layer.padding == "causal":
            return (sizes[0] - 1,)
        extents = tuple((size - 1) * step + 1 for size, step in zip(sizes, steps, strict=True))
        shape = self.nodes[node.inputs[0]].output_shape[:-1]
        before = [pad for pad, _ in same_padding(shape, extents, tuple(layer.strides)[: len(sizes)])]
        if any(pad % step for pad, step in zip(before, steps, strict=True)):
            raise ModelError(f"{node.name} has no place in its kernel for the pixel itself")
        return tuple(pad // step for pad, step in zip(before, steps, strict=True))

    @staticmethod
    def _stride(convolutions: Sequence[graph.Node]) -> tuple[int, ...]:
        total: tuple[int, ...] = (1,) * len(convolutions[0].layer.kernel_size)
        for node in convolutions:
            steps = tuple(node.layer.strides)[: len(total)]
            total = tuple(one * step for one, step in zip(total, steps, strict=True))
        return total

    def _check_projection(
        self, projection: graph.Node, convolutions: Sequence[graph.Node], taps: Sequence[tuple[int, ...]]
    ) -> tuple[int, ...]:
        """Where in its kernel the pixel itself is."""
        layer, last = projection.layer, convolutions[-1].layer
        self._check(projection)
        if tuple(layer.strides) != self._stride(convolutions):
            raise ModelError(f"{projection.name} has strides {tuple(layer.strides)}, the branch others")
        if set(layer.kernel_size) == {1}:
            return (0,) * len(taps[-1])
        here, there = self._tap(projection), taps[-1]
        room = zip(here, layer.kernel_size, there, last.kernel_size, strict=True)
        fits = all(at <= to and size - at <= most - to for at, size, to, most in room)
        if set(layer.strides) != {1} or set(layer.dilation_rate) != {1} or set(last.dilation_rate) != {1} or not fits:
            raise ModelError(f"{projection.name} has a larger kernel than the branch's last convolution")
        return here


def rebuilt(model: Any, plans: Sequence[Passing], called: Callable[[graph.Node, Additions, Any], Any]) -> Any:
    """A model without some skips; `called` makes of a convolution's node and input what its wider one gives."""
    convolutions = {node.name for plan in plans for node in plan.convolutions}
    gone = frozenset().union(*(plan.gone for plan in plans))
    ends = {plan.join.name: plan.end.name for plan in plans}
    additions = Additions(model)
    tensors: dict[str, Any] = {}

    def replace(node: graph.Node, inputs: list[Any]) -> Any:
        if node.name in ends:
            result = tensors[ends[node.name]]
        elif node.name in gone:
            result = inputs[0]
        elif node.name in convolutions:
            result = called(node, additions, inputs[0])
        else:
            result = graph.copied(node, inputs)
        tensors[node.name] = result
        return result

    return additions.rebuilt(replace)


def weights(
    plan: Passing, own: list[list[Any]], projection: list[Any] | None, scales: tuple[float, ...] = ()
) -> list[list[Any]]:
    """Kernels, and biases where there are any, with the channels that pass the skip's tensor on.

    Args:
        plan: the skip.
        own: kernel and, if it has one, bias of each convolution of the branch.
        projection: the same of the convolution on the skip; None without one.
        scales: what each convolution but the last multiplies the passed tensor by (1); the last divides by all.
    """
    import numpy as np

    channels, last, total = plan.channels, len(own) - 1, float(np.prod(scales)) if scales else 1.0
    result = []
    for number, ((kernel, *bias), tap, node) in enumerate(zip(own, plan.taps, plan.convolutions, strict=True)):
        scale = scales[number] if scales and number < last else 1.0
        bias = [*bias]
        if "Depthwise" in node.kind:
            passed = np.zeros((*kernel.shape[:-2], channels, 1), kernel.dtype)
            passed[tap] = scale
            made = np.concatenate([kernel, passed], axis=-2)
            bias = [np.concatenate([bias[0], np.zeros(channels, bias[0].dtype)])] if bias else []
            result.append([made, *bias])
            continue
        space, (before, after) = kernel.shape[:-2], kernel.shape[-2:]
        more_in, more_out = (channels if number else 0), (channels if number < last else 0)
        made = np.zeros((*space, before + more_in, after + more_out), kernel.dtype)
        made[..., :before, :after] = kernel
        # The channels that come in at the first convolution are the skip's tensor itself.
        start = before if number else 0
        if number < last:
            made[tap][start : start + channels, after:] = scale * np.eye(channels, dtype=kernel.dtype)
            bias = [np.concatenate([bias[0], np.zeros(channels, bias[0].dtype)])] if bias else []
        elif projection is None:
            made[tap][start : start + channels] += np.eye(channels, dtype=kernel.dtype) / total
        else:
            added = projection[0]
            corner = [at - own_tap for at, own_tap in zip(tap, plan.projection_tap, strict=True)]
            place = tuple(slice(at, at + size) for at, size in zip(corner, added.shape[:-2], strict=True))
            made[(*place, slice(start, start + channels), slice(None))] += added / total
            if len(projection) > 1:
                bias = [bias[0] + projection[1] if bias else projection[1]]
        result.append([made, *bias])
    return result
