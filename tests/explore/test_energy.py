"""Bit operations counted by hand."""

import numpy as np

from nonresnet_hls.explore.energy import bit_operations
from nonresnet_hls.fixed.arithmetic import Chain
from nonresnet_hls.fixed.network import Clone, Matrix, Merge, MergeOperation, Network, Stream, Window
from nonresnet_hls.fixed.types import FixedPointType

EIGHT, SIX = FixedPointType.parse("fixed<8,4>"), FixedPointType.parse("ufixed<6,2>")


def stream(name: str, channels: int, words: int, kind: FixedPointType) -> Stream:
    return Stream(name, channels, words, kind, 1)


def matrix(inputs: int, outputs: int, bits: int, window: Window | None = None, depthwise: bool = False) -> Matrix:
    kernel = np.ones((inputs, outputs), np.int64)
    return Matrix("m", ("x",), ("y",), window, kernel, bits, 0, bits == 1, Chain(()), 0, 1, depthwise=depthwise)


def network(layer: object, *streams: Stream) -> Network:
    return Network("n", {one.name: one for one in streams}, (layer,), ("x",), ("y",))  # type: ignore[arg-type]


def test_of_a_dense_layer_each_product_and_its_addition_counts() -> None:
    found = bit_operations(network(matrix(10, 3, 4), stream("x", 10, 1, EIGHT), stream("y", 3, 1, EIGHT)))
    assert found == 30 * (4 * 8 + 4 + 8 + 4)  # sums of 10: 4 bits more


def test_of_a_convolution_every_position_does() -> None:
    window = Window(6, 6, 3, 3, 1, 1)
    found = bit_operations(network(matrix(18, 5, 1, window), stream("x", 2, 16, SIX), stream("y", 5, 16, EIGHT)))
    assert found == 16 * 5 * 18 * (1 * 6 + 1 + 6 + 5)


def test_of_a_depthwise_one_the_zeros_of_other_channels_do_not() -> None:
    window = Window(6, 6, 3, 3, 1, 1)
    layer = matrix(18, 2, 8, window, depthwise=True)
    found = bit_operations(network(layer, stream("x", 2, 16, SIX), stream("y", 2, 16, EIGHT)))
    assert found == 16 * 2 * 9 * (8 * 6 + 8 + 6 + 4)


def test_additions_of_skips_count_and_copies_do_not() -> None:
    x, y, z = stream("x", 2, 16, SIX), stream("y", 2, 16, EIGHT), stream("z", 2, 16, EIGHT)
    add = Merge("add", ("x", "y"), ("z",), MergeOperation.ADD, EIGHT)
    assert bit_operations(network(add, x, y, z)) == 32 * 8
    assert bit_operations(network(Merge("cat", ("x", "y"), ("z",), MergeOperation.CONCATENATE, EIGHT), x, y, z)) == 0
    assert bit_operations(network(Clone("clone", ("x",), ("y", "z")), x, y, z)) == 0
