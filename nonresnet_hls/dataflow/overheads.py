"""Cycles that the tools add to hls4ml's loops, read off the latencies of real csynth reports.

Trip counts and intervals of the loops are in the C++; how deep a pipeline becomes is decided by the tool's
scheduler, from clock, device and widths. These are the depths it chose most often in the reports that
`benchmarks/timing.py` compares with (5 ns for Vivado HLS 2019/2020, 10 ns for Vitis HLS 2024.2).
"""

from dataclasses import dataclass

from nonresnet_hls.dataflow.graph import Toolchain


@dataclass(frozen=True)
class Overheads:
    """All in clock cycles.

    Attributes:
        pipeline_cycles: from a read to the write of the same iteration in an elementwise loop.
        padding_loop_cycles, padding_cycles: of a padding function, per loop and once.
        multiply_cycles: from a read to the write in a pipelined convolution (Latency strategy).
        window_interval_cycles: least interval of a pipelined convolution with a line buffer (Latency strategy).
        sequential_cycles: of a sequential loop over pixels, once.
        window_multiply_cycles: beyond the reuse factor, per output pixel of a sequential convolution.
        window_skip_cycles: per pixel of a sequential convolution that completes no window.
        shift_cycles: the same in one dimension, beyond the length of the window; again for the multiplication.
        pointwise_multiply_cycles, pointwise_skip_cycles: the same for a 1x1 convolution.
        pooling_cycles: from a read to the write of a pooling loop.
        resize_cycles: from the first read of a row to its first write.
        dense_cycles: beyond the reuse factor, from the last read to the first write of a dense layer.
        softmax_cycles: from a read to the write of a softmax.
    """

    pipeline_cycles: int
    padding_loop_cycles: int
    padding_cycles: int
    multiply_cycles: int
    window_interval_cycles: int
    sequential_cycles: int
    window_multiply_cycles: int
    window_skip_cycles: int
    shift_cycles: int
    pointwise_multiply_cycles: int
    pointwise_skip_cycles: int
    pooling_cycles: int
    resize_cycles: int
    dense_cycles: int
    softmax_cycles: int


_VIVADO = Overheads(
    pipeline_cycles=3,
    padding_loop_cycles=0,
    padding_cycles=3,
    multiply_cycles=4,
    window_interval_cycles=1,
    sequential_cycles=1,
    window_multiply_cycles=6,
    window_skip_cycles=3,
    shift_cycles=3,
    pointwise_multiply_cycles=4,
    pointwise_skip_cycles=2,
    pooling_cycles=3,
    resize_cycles=2,
    dense_cycles=1,
    softmax_cycles=6,
)
_VITIS = Overheads(
    pipeline_cycles=1,
    padding_loop_cycles=4,
    padding_cycles=-1,
    multiply_cycles=4,
    window_interval_cycles=3,
    sequential_cycles=1,
    window_multiply_cycles=6,
    window_skip_cycles=4,
    shift_cycles=3,
    pointwise_multiply_cycles=4,
    pointwise_skip_cycles=2,
    pooling_cycles=3,
    resize_cycles=2,
    dense_cycles=1,
    softmax_cycles=6,
)


def overheads_of(toolchain: Toolchain) -> Overheads:
    """The overheads of one tool."""
    return _VITIS if toolchain is Toolchain.VITIS_HLS else _VIVADO
