"""A proxy of the energy that an image takes: bit operations, as Baskin et al. (UNIQ, 2018) count them.

A product of a weight of w bits and a number of a bits is w x a of them, its addition to a sum of n products
w + a + log2(n), rounded up. They tell precisions and skips apart, not how a design is built: neither reuse factors nor
memory are in them.
"""

from nonresnet_hls.fixed.network import Layer, Matrix, Merge, MergeOperation, Network

_MADE_OF_NO_OPERATION = (MergeOperation.CONCATENATE,)


def bit_operations(network: Network) -> int:
    """Of all convolutions, dense layers and merges for an image."""
    return sum(_operations(layer, network) for layer in network.layers)


def _operations(layer: Layer, network: Network) -> int:
    streams = network.streams
    if isinstance(layer, Matrix):
        given, result = streams[layer.inputs[0]], streams[layer.outputs[0]]
        inputs, outputs = layer.kernel.shape
        terms = inputs // outputs if layer.depthwise else inputs
        weight, number = layer.kernel_width, given.kind.width
        positions = result.words * result.channels // outputs
        sum_bits = (terms - 1).bit_length()  # log2, rounded up
        return positions * outputs * terms * (weight * number + weight + number + sum_bits)
    if isinstance(layer, Merge) and layer.operation not in _MADE_OF_NO_OPERATION:
        result = streams[layer.outputs[0]]
        return result.words * result.channels * max(streams[name].kind.width for name in layer.inputs)
    return 0
