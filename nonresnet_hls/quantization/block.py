"""A block alone: quantized inside its network, cut out with what it receives there."""

from typing import Any

from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import graph

FIRST_BLOCK = "g1b1_"
"""Name prefix of the layers of the first block of the first resolution group."""

_FEED = "stem_relu"


def belongs(name: str) -> bool:
    """Whether a layer of the network is quantized with the block: it is in it, or is the activation that feeds it."""
    return name == _FEED or name.startswith(FIRST_BLOCK)


def feed(model: Any) -> Any:
    """The part of the network before the block: image -> what the block receives."""
    from tensorflow import keras

    return keras.Model(model.input, model.get_layer(_FEED).output)


@graph.in_float32()
def cut_out(model: Any, name: str) -> Any:
    """The block as a model of its own, weights carried over; its input layer is `x`.

    Args:
        model: a network of ours, quantized (see `belongs`).
        name: the new model's name.

    Raises:
        ModelError: the network has no such block.
    """
    from tensorflow import keras

    nodes = [node for node in graph.nodes(model) if node.name.startswith(FIRST_BLOCK)]
    if not nodes or _FEED not in {layer.name for layer in model.layers}:
        raise ModelError(
            f"model {model.name}: layers {_FEED} and {FIRST_BLOCK}* wanted; only our own networks have blocks"
        )
    x = keras.Input(model.get_layer(_FEED).output.shape[1:], name="x")
    tensors = {_FEED: x}
    for node in nodes:
        inputs = [tensors[source] for source in node.inputs]
        tensors[node.name] = graph.copied(node, inputs)
    block = keras.Model(x, tensors[nodes[-1].name], name=name)
    graph.carry_weights(model, block)
    return block
