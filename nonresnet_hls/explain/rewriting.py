"""Layers that hls4ml drops something of, written so that it does not: where no type cures, another layer does."""

from collections.abc import Sequence
from typing import Any

from nonresnet_hls.explain.findings import LayerReport, Reason
from nonresnet_hls.networks import activations, graph
from nonresnet_hls.networks.flat import flattened

_CLIPS_AT = 6.0
"""Of `relu6`, which hls4ml has as a function; it drops the `max_value` of a `ReLU`."""


def rewritten(model: Any, layers: Sequence[LayerReport]) -> tuple[Any, list[str]] | None:
    """A model with the same function of which hls4ml drops less, and what is changed; None where that helps nothing.

    Args:
        model: Keras.
        layers: what was found of it.
    """
    blamed = {one.keras for one in layers if any(cause.reason is Reason.FUNCTION for cause in one.causes)}
    flat = flattened(model)
    chosen = [node.name for node in graph.nodes(flat) if node.name in blamed and _is_relu6(node)]
    if not chosen:
        return None

    def replace(node: graph.Node, inputs: list[Any]) -> Any:
        import tensorflow as tf
        from tensorflow import keras

        if node.name in chosen:
            return keras.layers.Activation(tf.nn.relu6, name=node.name)(inputs[0])
        return graph.copied(node, inputs)

    made = graph.rebuild(flat, replace)
    graph.carry_weights(flat, made)
    return made, [f"layer {name}: Activation(tf.nn.relu6) in place of ReLU(max_value=6)" for name in chosen]


def _is_relu6(node: graph.Node) -> bool:
    return node.kind == "ReLU" and activations.of(node.layer) == activations.Activation(activations.RELU, _CLIPS_AT)
