"""Layers that hls4ml has not, or takes otherwise than Keras, as several simpler ones that compute the same."""

from collections.abc import Callable
from typing import Any

from nonresnet_hls import progress
from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import graph
from nonresnet_hls.networks.additions import Additions

_DROPPED = (
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "AlphaDropout", "GaussianNoise", "GaussianDropout",
    "ActivityRegularization", "Identity", "RandomFlip", "RandomTranslation", "RandomRotation", "RandomZoom",
    "RandomContrast", "RandomBrightness",
)  # fmt: skip
"""Layers that do nothing at inference."""
_TREES = ("Add", "Concatenate", "Multiply", "Average", "Maximum", "Minimum")
_MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
_SHIFTING = ("RandomCrop", "RandomHeight", "RandomWidth")


def decompose(model: Any) -> Any:
    """The same function of a model, at inference, made of fewer kinds of layers; itself where nothing is to be done.

    - layers that work in training alone are left out (dropouts, noise, augmentation);
    - sums, products, averages, extrema and concatenations of three and more become trees of two, an average a sum and a
      scale;
    - a separable convolution becomes a depthwise and a pointwise one;
    - a grouped convolution becomes an ordinary one, with zeros for the channels of other groups, which is said;
    - a dense layer on the channels of an image or a series becomes a 1x1 convolution;
    - what is added to an image or a series, or multiplied with it, though it is one pixel, is repeated first;
    - a `PReLU` with a slope for each channel becomes relu(x) - slope * relu(-x).
    """
    network = graph.nodes(model)
    shapes = {node.name: node.output_shape for node in network}
    makers = {node.name: _maker(node, [shapes[name] for name in node.inputs]) for node in network if node.inputs}
    if not any(makers.values()):
        return model
    additions = Additions(model)

    def replace(node: graph.Node, inputs: list[Any]) -> Any:
        make = makers[node.name]
        return graph.copied(node, inputs) if make is None else make(_Parts(node, additions), inputs)

    return additions.rebuilt(replace)


class _Parts:
    """Makes the layers that stand for one."""

    def __init__(self, node: graph.Node, additions: Additions) -> None:
        self.node, self.additions = node, additions

    def named(self, suffix: str) -> str:
        """A name like that of the layer; its own where `suffix` is empty."""
        return self.additions.named(self.node.name + suffix) if suffix else self.node.name

    def call(self, kind: str, suffix: str, inputs: Any, weights: Any = (), **config: Any) -> Any:
        """A layer of Keras' on tensors; named like the one it stands for where `suffix` is empty."""
        from tensorflow import keras

        layer = getattr(keras.layers, kind)(name=self.named(suffix), **config)
        return self.additions.call(layer, inputs, list(weights))


_Maker = Callable[[_Parts, list[Any]], Any]


def _maker(node: graph.Node, shapes: list[tuple[int, ...]]) -> _Maker | None:
    """What makes the layers that stand for a node; None where it stays."""
    if node.kind in _SHIFTING:
        raise ModelError(f"layer {node.name}: a model without {node.kind} wanted, which gives images other sizes")
    if node.kind in _DROPPED:
        return lambda _, inputs: inputs[0]
    if node.kind in _MERGES and len(set(shapes)) > 1:
        return _broadcast
    if node.kind == "Average" or (node.kind in _TREES and len(node.inputs) > 2):
        return _tree
    if node.kind in ("SeparableConv1D", "SeparableConv2D"):
        return _separable
    if node.kind in ("Conv1D", "Conv2D") and node.layer.groups != 1:
        return _grouped
    if getattr(node.layer, "groups", 1) != 1:
        raise ModelError(f"layer {node.name}: 1 group wanted, not {node.layer.groups}")
    if node.kind == "Dense" and len(node.output_shape) in (2, 3):
        return _pointwise
    if node.kind == "PReLU" and _per_channel(node) is not None:
        return _prelu
    return None


def _tree(parts: _Parts, inputs: list[Any]) -> Any:
    from tensorflow import keras

    node = parts.node
    kind = "Add" if node.kind == "Average" else node.kind
    config = {"axis": node.layer.axis} if kind == "Concatenate" else {}
    level, number = list(inputs), 0
    while len(level) > 1:
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        last = len(pairs) == 1 and node.kind != "Average"
        level = []
        for pair in pairs:
            if len(pair) == 2:
                number += 1
                level.append(parts.call(kind, "" if last else f"_{number}", pair, **config))
            else:
                level.append(pair[0])
    if node.kind != "Average":
        return level[0]
    return keras.layers.Rescaling(1 / len(inputs), name=node.name)(level[0])


def _broadcast(parts: _Parts, inputs: list[Any]) -> Any:
    """Inputs of one shape: pixels are repeated all over the image. (hls4ml does so with one of its backends alone.)"""
    node = parts.node
    wanted = tuple(node.output_shape)
    same = []
    for number, tensor in enumerate(inputs):
        shape = tuple(tensor.shape[1:])
        if shape != wanted:
            pixel = (*(1,) * (len(wanted) - 1), wanted[-1])
            if shape not in (pixel, wanted[-1:]) or len(wanted) not in (2, 3):
                raise ModelError(f"layer {node.name}: inputs of {wanted}, or one pixel of them, wanted, not {shape}")
            if shape != pixel:
                tensor = parts.call("Reshape", f"_pixel_{number}", tensor, target_shape=pixel)
            sizes = wanted[:-1] if len(wanted) == 3 else wanted[0]
            tensor = parts.call(f"UpSampling{len(wanted) - 1}D", f"_repeated_{number}", tensor, size=sizes)
        same.append(tensor)
    if len(same) == 2 and node.kind != "Average":
        return parts.call(node.kind, "", same)
    return _tree(parts, same)


def _separable(parts: _Parts, inputs: list[Any]) -> Any:
    layer = parts.node.layer
    dimensions = parts.node.kind[-2:]
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise ModelError(f"layer {parts.node.name}: channels_last wanted, not {layer.data_format}")
    depthwise, pointwise, *bias = layer.get_weights()
    strides = layer.strides if dimensions == "2D" else layer.strides[0]
    kernel = layer.kernel_size if dimensions == "2D" else layer.kernel_size[0]
    rate = layer.dilation_rate if dimensions == "2D" else layer.dilation_rate[0]
    x = inputs[0]
    padding = layer.padding
    if padding == "causal":
        size = (kernel - 1) * rate
        x, padding = parts.call("ZeroPadding1D", "_padding", x, padding=(size, 0)), "valid"
    x = parts.call(
        f"DepthwiseConv{dimensions}", "_depthwise", x, [depthwise], kernel_size=kernel, strides=strides,
        padding=padding, dilation_rate=rate, depth_multiplier=layer.depth_multiplier, use_bias=False,
    )  # fmt: skip
    return parts.call(
        f"Conv{dimensions}", "", x, [pointwise, *bias], filters=layer.filters, kernel_size=1,
        use_bias=layer.use_bias, activation=graph.config_of(layer)["activation"],
    )  # fmt: skip


def _grouped(parts: _Parts, inputs: list[Any]) -> Any:
    """An ordinary convolution, with zeros for the channels of other groups."""
    import numpy as np

    layer = parts.node.layer
    progress.say(
        f"layer {parts.node.name}: {layer.groups} groups: an ordinary convolution, with zeros, stands for them"
    )
    kernel, *bias = layer.get_weights()
    given, made = kernel.shape[-2], kernel.shape[-1] // layer.groups
    wide = np.zeros((*kernel.shape[:-2], given * layer.groups, kernel.shape[-1]), kernel.dtype)
    for group in range(layer.groups):
        outputs = slice(group * made, (group + 1) * made)
        wide[..., group * given : (group + 1) * given, outputs] = kernel[..., outputs]
    config = graph.config_of(layer) | {"groups": 1}
    own = {
        key: value for key, value in config.items() if key not in ("name", "trainable", "dtype", "batch_input_shape")
    }
    return parts.call(parts.node.kind, "", inputs[0], [wide, *bias], **own)


def _pointwise(parts: _Parts, inputs: list[Any]) -> Any:
    layer = parts.node.layer
    kernel, *bias = layer.get_weights()
    axes = len(parts.node.output_shape) - 1
    return parts.call(
        f"Conv{axes}D", "", inputs[0], [kernel.reshape((1,) * axes + kernel.shape), *bias], filters=layer.units,
        kernel_size=1, use_bias=layer.use_bias, activation=graph.config_of(layer)["activation"],
    )  # fmt: skip


def _per_channel(node: graph.Node) -> Any:
    """The slopes of a PReLU, one for each channel; None where pixels have others."""
    (slopes,) = node.layer.get_weights()
    rows = slopes.reshape(-1, slopes.shape[-1])
    return rows[0] if (rows == rows[0]).all() else None


def _prelu(parts: _Parts, inputs: list[Any]) -> Any:
    slopes = _per_channel(parts.node)
    positive = parts.call("ReLU", "_positive", inputs[0])
    x = parts.additions.scaled(inputs[0], -1.0, 0.0, parts.named("_turned"))
    x = parts.call("ReLU", "_negative", x)
    x = parts.additions.scaled(x, -slopes, 0.0, parts.named("_slope"))
    return parts.call("Add", "", [positive, x])
