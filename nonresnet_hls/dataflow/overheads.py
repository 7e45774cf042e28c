"""Cycles that the tools add to hls4ml's loops, read off the latencies of real csynth reports.

The loops' trip counts and intervals are in the C++; how deep a pipeline becomes is decided by the tool's
scheduler. These are the depths it chose in the reports that `timing_table` compares with.
"""

from dataclasses import dataclass

from nonresnet_hls.dataflow.graph import Toolchain


@dataclass(frozen=True)
class Overheads:
    """All in clock cycles.

    Attributes:
        function_cycles: entering and leaving a function that holds a sequential loop.
        pipeline_cycles: from a read to the write of the same iteration in an elementwise loop.
        padding_cycles: per loop of a padding function.
        multiply_cycles: from a read to the write in a pipelined convolution (Latency strategy).
        window_multiply_cycles: beyond the reuse factor, per output pixel of a sequential convolution.
        window_skip_cycles: per pixel of a sequential convolution that completes no window.
        pointwise_multiply_cycles, pointwise_skip_cycles: the same for a 1x1 convolution.
        pooling_interval_cycles, pooling_cycles: between two pixels of a pooling loop; from read to write.
        dense_cycles: beyond the reuse factor, from the last read to the first write of a dense layer.
        softmax_cycles: from a read to the write of a softmax.
    """

    function_cycles: int
    pipeline_cycles: int
    padding_cycles: int
    multiply_cycles: int
    window_multiply_cycles: int
    window_skip_cycles: int
    pointwise_multiply_cycles: int
    pointwise_skip_cycles: int
    pooling_interval_cycles: int
    pooling_cycles: int
    dense_cycles: int
    softmax_cycles: int


_VITIS = Overheads(
    function_cycles=0,
    pipeline_cycles=1,
    padding_cycles=3,
    multiply_cycles=5,
    window_multiply_cycles=6,
    window_skip_cycles=4,
    pointwise_multiply_cycles=4,
    pointwise_skip_cycles=2,
    pooling_interval_cycles=1,
    pooling_cycles=3,
    dense_cycles=2,
    softmax_cycles=5,
)
_VIVADO = Overheads(
    function_cycles=0,
    pipeline_cycles=2,
    padding_cycles=1,
    multiply_cycles=5,
    window_multiply_cycles=6,
    window_skip_cycles=4,
    pointwise_multiply_cycles=4,
    pointwise_skip_cycles=2,
    pooling_interval_cycles=1,
    pooling_cycles=3,
    dense_cycles=2,
    softmax_cycles=5,
)


def overheads_of(toolchain: Toolchain) -> Overheads:
    """The overheads of one tool."""
    return _VITIS if toolchain is Toolchain.VITIS_HLS else _VIVADO
