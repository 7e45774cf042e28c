"""Layers that hls4ml drops something of, written so that it does not: where no type cures, another layer does."""

from collections.abc import Sequence
from typing import Any

from nonresnet_hls.explain.findings import LayerReport, Reason
from nonresnet_hls.networks import activations, graph
from nonresnet_hls.networks.additions import Additions
from nonresnet_hls.networks.flat import flattened

_CLIPS_AT = 6.0
"""Of `relu6`, which hls4ml has as a function of arrays; it drops the `max_value` of a `ReLU`."""


def rewritten(model: Any, layers: Sequence[LayerReport], io: str) -> tuple[Any, list[str]] | None:
    """A model with the same function of which hls4ml drops less, and what is changed; None where that helps nothing.

    Args:
        model: Keras.
        layers: what was found of it.
        io: "io_stream" or "io_parallel". Streams have no `relu6`: there min(relu(x), 6) is 6 - relu(6 - relu(x)).
    """
    blamed = {one.keras for one in layers if any(cause.reason is Reason.FUNCTION for cause in one.causes)}
    flat = flattened(model)
    chosen = [node.name for node in graph.nodes(flat) if node.name in blamed and _is_relu6(node)]
    if not chosen:
        return None

    additions = Additions(flat)

    def replace(node: graph.Node, inputs: list[Any]) -> Any:
        import tensorflow as tf
        from tensorflow import keras

        if node.name not in chosen:
            return graph.copied(node, inputs)
        if io == "io_parallel":
            return keras.layers.Activation(tf.nn.relu6, name=node.name)(inputs[0])
        positive = keras.layers.ReLU(name=additions.named(f"{node.name}_positive"))(inputs[0])
        left = additions.scaled(positive, -1.0, _CLIPS_AT, additions.named(f"{node.name}_left"))
        left = keras.layers.ReLU(name=additions.named(f"{node.name}_rest"))(left)
        return additions.scaled(left, -1.0, _CLIPS_AT, node.name)

    by = "Activation(tf.nn.relu6)" if io == "io_parallel" else "6 - relu(6 - relu(x)), four layers,"
    return additions.rebuilt(replace), [f"layer {name}: {by} in place of ReLU(max_value=6)" for name in chosen]


def _is_relu6(node: graph.Node) -> bool:
    return node.kind == "ReLU" and activations.of(node.layer) == activations.Activation(activations.RELU, _CLIPS_AT)
