"""Models whose inputs come in another unit: the first layers with weights take the factor over."""

from fractions import Fraction
from typing import Any

from nonresnet_hls import progress
from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import graph

_LINEAR = ("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D", "Dense")
_PASSING = (
    "ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D", "MaxPooling1D", "MaxPooling2D", "AveragePooling1D",
    "AveragePooling2D", "UpSampling1D", "UpSampling2D", "Flatten", "Reshape", "Permute", "Dropout", "SpatialDropout2D",
)  # fmt: skip
"""Layers that pass a positive factor on as it is."""


def of_inputs(model: Any, factor: Fraction) -> Any:
    """The same function of `factor` * x as a function of x, which is said.

    Args:
        model: functional Keras model; it stays as it is.
        factor: positive.

    Raises:
        ModelError: a layer that reads the inputs can neither take the factor over nor pass it on; names it.
    """
    import numpy as np

    network = graph.nodes(model)
    used_by = graph.consumers(network)
    result = graph.rebuild(model, graph.copied)
    graph.carry_weights(model, result)
    todo = [node for node in network if not node.inputs]
    scaled: list[str] = []
    while todo:
        for node in used_by[todo.pop().name]:
            layer = result.get_layer(node.name)
            weights = layer.get_weights()
            if node.kind in _PASSING:
                todo.append(node)
            elif node.kind in _LINEAR:
                # (float64 holds 256/255 better than the weights do.)
                layer.set_weights([np.float64(weights[0]) * float(factor), *weights[1:]])
                scaled.append(node.name)
            elif node.kind == "BatchNormalization" and layer.scale and layer.center:
                gamma, beta, mean, variance = weights
                layer.set_weights([gamma * float(factor), beta, mean / float(factor), variance])
                scaled.append(node.name)
            else:
                wanted = "a convolution, dense layer or batch norm wanted where the inputs are read, to be rescaled"
                other = "or an input_type of more bits, to which they are rounded"
                raise ModelError(f"layer {node.name}: {wanted} by {factor}, not {node.kind}; {other}")
    progress.say(
        f"model {model.name}: weights of {', '.join(scaled)} are times {factor}, as the inputs are divided by it"
    )
    return result
