"""Folding of batch norms into the weights and bias of the layer before (Jacob et al. 2018, section 3.2)."""

from collections.abc import Callable
from typing import Any

from nonresnet_hls import progress
from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import activations, graph
from nonresnet_hls.networks.additions import Additions

FOLDABLE = ("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "Dense")


def fold_batch_norms(model: Any, only: Callable[[str], bool] = lambda _: True) -> Any:
    """A new model in which no batch norm directly follows a convolution or dense layer.

    Args:
        model: a functional Keras model.
        only: which batch norms (by name) are folded.

    The kernel becomes kernel * s and the bias (bias - mean) * s + beta, with s = gamma / sqrt(var + epsilon).
    A batch norm after anything else, or after a layer whose output goes elsewhere too, stays.
    """
    network = graph.nodes(model)
    by_name = {node.name: node for node in network}
    used_by = graph.consumers(network)
    outputs = graph.output_names(model)
    folded: dict[str, graph.Node] = {}
    for node in network:
        if node.kind == "BatchNormalization" and only(node.name):
            check_axis(node)
            before = by_name[node.inputs[0]]
            alone = len(used_by[before.name]) == 1 and before.name not in outputs
            if before.kind in FOLDABLE and alone and activations.of(before.layer).name == activations.LINEAR:
                folded[before.name] = node
    gone = {node.name for node in folded.values()}

    def replace(node: graph.Node, inputs: list[Any]) -> Any:
        if node.name in gone:
            return inputs[0]
        config = graph.config_of(node.layer)
        if node.name in folded:
            config["use_bias"] = True
        return graph.call(type(node.layer).from_config(config), inputs)

    result = graph.rebuild(model, replace)
    graph.carry_weights(model, result)
    for name, batch_norm in folded.items():
        result.get_layer(name).set_weights(_folded(by_name[name], batch_norm.layer))
    return fold_batch_norms(result, only) if folded else result  # of several, one behind the other


_AFFINE = ("BatchNormalization", "Normalization", "Rescaling")


def fold_into_next(model: Any, only: Callable[[str], bool] = lambda _: True) -> Any:
    """A new model in which scales and offsets before a convolution or dense layer are in its weights.

    Args:
        model: a functional Keras model, its batch norms behind layers with weights folded already.
        only: which layers (by name) are folded.

    `Rescaling`, `Normalization` and batch norms on the channels y = scale * x + offset whose readers all have weights:
    a kernel becomes kernel * scale, along its inputs, and a bias bias + sum(kernel * offset).

    Where that cannot be (a reader has no weights, or pads with zeros, beyond which an offset is not) such a layer
    stays, as a batch norm, which `quantize` puts on a grid.
    """
    network = graph.nodes(model)
    used_by = graph.consumers(network)
    outputs = graph.output_names(model)
    candidates = [node for node in network if node.kind in _AFFINE and only(node.name)]
    problems = {node.name: _problem(node, used_by[node.name], outputs) for node in candidates}
    affine = {node.name: node for node in candidates if problems[node.name] is None}
    if not affine:
        return _as_batch_norms(model, {node.name: problems[node.name] for node in candidates})

    def replace(node: graph.Node, inputs: list[Any]) -> Any:
        if node.name in affine:
            return inputs[0]
        config = graph.config_of(node.layer)
        if affine.keys() & set(node.inputs):
            config["use_bias"] = True
        return graph.call(type(node.layer).from_config(config), inputs)

    result = graph.rebuild(model, replace)
    graph.carry_weights(model, result)
    for name, before in affine.items():
        for node in used_by[name]:
            result.get_layer(node.name).set_weights(_with_inputs(node, *_factors(before)))
    return fold_into_next(result, only)  # what stood before those


def _as_batch_norms(model: Any, why: dict[str, str | None]) -> Any:
    """A model with batch norms in place of layers that could not be folded, which is said."""
    network = graph.nodes(model)
    others = {node.name: _factors(node) for node in network if node.name in why and node.kind != "BatchNormalization"}
    if not others:
        return model
    additions = Additions(model)

    def replace(node: graph.Node, inputs: list[Any]) -> Any:
        if node.name not in others:
            return graph.copied(node, inputs)
        progress.say(f"layer {node.name}: stays as a scale and an offset: {why[node.name]}")
        return additions.scaled(inputs[0], *others[node.name], node.name)

    return additions.rebuilt(replace)


def _problem(node: graph.Node, readers: list[graph.Node], outputs: list[str]) -> str | None:
    """Why scale and offset of a layer cannot be in the weights of those who read it; None where they can."""
    if not readers or node.name in outputs:
        return "it is an output"
    _, offset = _factors(node)
    for reader in readers:
        if reader.kind not in FOLDABLE:
            return f"layer {reader.name} ({reader.kind}), which reads it, has no weights to take it over"
        if getattr(reader.layer, "padding", "valid") != "valid" and offset.any() and _pads(reader):
            return f"layer {reader.name}, which reads it, pads with zeros, where its offset would be missing"
    return None


def _pads(node: graph.Node) -> bool:
    """Whether a convolution with padding "same" pads at all."""
    return any(size > 1 for size in node.layer.kernel_size)


def _factors(node: graph.Node) -> tuple[Any, Any]:
    """Scale and offset of a layer, per channel (float64)."""
    import numpy as np

    layer = node.layer
    if node.kind == "BatchNormalization":
        check_axis(node)
        return scale_and_offset(layer)
    channels = node.output_shape[-1]
    if node.kind == "Rescaling":
        scale, offset = (np.asarray(value, np.float64) for value in (layer.scale, layer.offset))
    else:
        if getattr(layer, "invert", False):
            raise ModelError(f"layer {node.name}: Normalization with invert=False wanted")
        mean, variance = (np.asarray(value, np.float64) for value in (layer.mean, layer.variance))
        # Keras divides by no less than its epsilon of 1e-7.
        scale = 1 / np.maximum(np.sqrt(variance), 1e-7)
        offset = -mean * scale
    for name, value in (("scale", scale), ("offset", offset)):
        if value.size not in (1, channels):
            wanted = f"one {name}, or one for each of {channels} channels"
            raise ModelError(f"layer {node.name}: {node.kind} with {wanted} wanted, not {value.size}")
    return tuple(np.broadcast_to(value.ravel(), (channels,)) for value in (scale, offset))  # type: ignore[return-value]


def _with_inputs(node: graph.Node, scale: Any, offset: Any) -> list[Any]:
    """Weights of a layer that reads scale * x + offset, for x."""
    import numpy as np

    weights = node.layer.get_weights()
    kernel = weights[0].astype(np.float64)
    bias = weights[1].astype(np.float64) if node.layer.use_bias else 0.0
    # A depthwise kernel ends in (channels, multiplier), others in (channels, outputs).
    own = kernel * offset[:, None]
    over = kernel.ndim - (2 if _is_depthwise(node) else 1)
    added = own.sum(tuple(range(over))).ravel()
    return [kernel * scale[:, None], bias + added]


def check_axis(node: graph.Node) -> None:
    """Refuse a batch norm that does not normalize channels: its factors would go to the wrong weights.

    Raises:
        ModelError: its axis is not the last.
    """
    axes = [axis % (len(node.output_shape) + 1) for axis in _as_list(node.layer.axis)]
    if axes != [len(node.output_shape)]:
        raise ModelError(f"layer {node.name}: a batch norm over the channels (axis -1) wanted, not over axis {axes}")


def _as_list(axis: Any) -> list[int]:
    return [axis] if isinstance(axis, int) else list(axis)


def is_scale(batch_norm: Any) -> bool:
    """Whether a batch norm is no more than gamma * x + beta, which float32 computes exactly on a grid."""
    own = not batch_norm.moving_mean.numpy().any() and (batch_norm.moving_variance.numpy() == 1).all()
    return bool(own and batch_norm.epsilon == 0)


def scale_and_offset(batch_norm: Any) -> tuple[Any, Any]:
    """What a batch norm does at inference, per channel: y = scale * x + offset (float64)."""
    import numpy as np

    def values(weight: Any, default: float) -> Any:
        shape = batch_norm.moving_mean.shape
        return np.asarray(weight.numpy(), np.float64) if weight is not None else np.full(shape, default)

    gamma = values(batch_norm.gamma if batch_norm.scale else None, 1.0)
    beta = values(batch_norm.beta if batch_norm.center else None, 0.0)
    scale = gamma / np.sqrt(values(batch_norm.moving_variance, 1.0) + batch_norm.epsilon)
    return scale, beta - values(batch_norm.moving_mean, 0.0) * scale


def _is_depthwise(node: graph.Node) -> bool:
    return "Depthwise" in node.kind


def _folded(node: graph.Node, batch_norm: Any) -> list[Any]:
    import numpy as np

    weights = node.layer.get_weights()
    kernel = weights[0].astype(np.float64)
    bias = weights[1] if node.layer.use_bias else 0.0
    scale, offset = scale_and_offset(batch_norm)
    # A depthwise kernel ends in (channels, multiplier); output channel = channel * multiplier + m.
    per_weight = scale.reshape(kernel.shape[-2:]) if _is_depthwise(node) else scale
    return [kernel * per_weight, bias * scale + offset]
