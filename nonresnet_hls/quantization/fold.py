"""Folding of batch norms into the weights and bias of the layer before (Jacob et al. 2018, section 3.2)."""

from collections.abc import Callable
from typing import Any

from nonresnet_hls.networks import graph

FOLDABLE = ("Conv2D", "DepthwiseConv2D", "Dense")


def fold_batch_norms(model: Any, only: Callable[[str], bool] = lambda _: True) -> Any:
    """A new model in which every batch norm that directly follows a convolution or dense layer is gone.

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
            before = by_name[node.inputs[0]]
            alone = len(used_by[before.name]) == 1 and before.name not in outputs
            if before.kind in FOLDABLE and alone and before.layer.activation.__name__ == "linear":
                folded[before.name] = node
    gone = {node.name for node in folded.values()}

    def replace(node: graph.Node, inputs: list[Any]) -> Any:
        if node.name in gone:
            return inputs[0]
        config = node.layer.get_config()
        if node.name in folded:
            config["use_bias"] = True
        return type(node.layer).from_config(config)(*inputs if len(inputs) == 1 else [inputs])

    result = graph.rebuild(model, replace)
    graph.carry_weights(model, result)
    for name, batch_norm in folded.items():
        result.get_layer(name).set_weights(_folded(by_name[name], batch_norm.layer))
    return result


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


def _folded(node: graph.Node, batch_norm: Any) -> list[Any]:
    import numpy as np

    weights = node.layer.get_weights()
    kernel = weights[0].astype(np.float64)
    bias = weights[1] if node.layer.use_bias else 0.0
    scale, offset = scale_and_offset(batch_norm)
    # A depthwise kernel is (height, width, channels, multiplier); output channel = channel * multiplier + m.
    per_weight = scale.reshape(kernel.shape[2:]) if node.kind == "DepthwiseConv2D" else scale
    return [kernel * per_weight, bias * scale + offset]
