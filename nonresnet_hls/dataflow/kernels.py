"""When each hls4ml streaming kernel reads and writes its tokens.

Every builder follows one function of `nnet_utils/*_stream.h` (hls4ml 1.0 to 1.3, Vivado and Vitis templates):
the order of reads and writes is that of the C++, the cycles are those of its pipelined or sequential loops.
Nothing here loops over tokens; a kernel is a few phases, a phase a table of iterations.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nonresnet_hls.dataflow.cpp_source import Config, LayerCall, TokenType
from nonresnet_hls.dataflow.graph import IntArray, Program, Toolchain
from nonresnet_hls.dataflow.overheads import Overheads, overheads_of
from nonresnet_hls.errors import ConversionError

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Kernel:
    """All that a builder needs to know of one layer call."""

    call: LayerCall
    config: Config
    mult: Config
    toolchain: Toolchain
    reads: tuple[TokenType, ...]
    writes: tuple[TokenType, ...]
    overheads: Overheads

    @property
    def pipelined(self) -> bool:
        """True where the outer loop carries a PIPELINE pragma with the reuse factor as its interval."""
        return self.config.symbol("strategy", "latency") in ("latency", "distributed_arithmetic")

    @property
    def reuse_factor(self) -> int:
        """Cycles over which the multiplications of one output are spread."""
        return max(self.config.integer("reuse_factor", 1), 1)


@dataclass(frozen=True)
class _Phase:
    """A loop: each iteration does those operations of `ports` that are `present`, `offsets` after its start.

    `cost_cycles` is the time from one iteration to the next, `tail_cycles` what the loop takes beyond its
    last iteration's start and cost. `worst_cycles` is the cost per iteration that a report assumes at most,
    `best_cycles` at least.
    """

    ports: tuple[int, ...]
    present: BoolArray
    cost_cycles: IntArray
    offsets: npt.NDArray[np.int64]
    tail_cycles: int = 0
    best_cycles: int | None = None
    worst_cycles: int | None = None


def build_program(
    call: LayerCall,
    configs: dict[str, Config],
    toolchain: Toolchain,
    reads: tuple[TokenType, ...],
    writes: tuple[TokenType, ...],
) -> Program | None:
    """The program of one layer call, or None where its kernel is not known.

    Raises:
        ConversionError: the layer's constants are incomplete, or do not fit its streams.
    """
    builder = _BUILDERS.get(call.function)
    if builder is None:
        return None
    config = resolve(call.types[-1] if call.types else "", configs)
    mult = resolve(config.types.get("mult_config", ""), configs)
    _check_size(call, config)
    kernel = Kernel(call, config, mult, toolchain, reads, writes, overheads_of(toolchain))
    try:
        phases = builder(kernel)
        return None if phases is None else _program(phases)
    except (LookupError, ValueError, TypeError, ArithmeticError, MemoryError) as error:
        # Fewer streams than the kernel has, or sizes below one: nothing that hls4ml writes.
        wanted = f"nnet::{call.function} with the streams and sizes of hls4ml wanted"
        raise ConversionError(f"layer {call.layer}: {wanted} ({error})") from None


MOST_TOKENS = 1 << 24
"""Of one image, in one stream: 4096 x 4096 pixels. A table of all of them must fit into memory."""


def _check_size(call: LayerCall, config: Config) -> None:
    """Refuse sizes of images that nobody has memory for, before tables of that size are made.

    Raises:
        ConversionError: there is one.
    """
    rows = cols = 1
    for name in config.constants:
        value = 0
        if name.startswith(("in_", "out_", "n_in", "n_elem", "pad_", "height", "width", "filt_", "new_", "n_out")):
            value = abs(config.integer(name))
        if value > MOST_TOKENS:
            raise ConversionError(f"layer {call.layer}: {name}: at most {MOST_TOKENS} wanted, not {value}")
        rows += value if name.endswith(("height", "top", "bottom")) else 0
        cols += value if name.endswith(("width", "left", "right")) else 0
    if rows * cols > 4 * MOST_TOKENS:  # the input's size and the output's are both among them
        raise ConversionError(f"layer {call.layer}: at most {MOST_TOKENS} pixels wanted, not {rows} x {cols} and so on")


def resolve(name: str, configs: dict[str, Config]) -> Config:
    """The struct called `name`, also by a member type (`config2::depthwise_config`); empty if unknown."""
    outer, _, member = name.partition("::")
    config = configs.get(outer)
    if config is not None and member:
        config = configs.get(config.types.get(member, ""))
    return config or Config(name, {}, {})


def _program(phases: list[_Phase]) -> Program:
    ports, cycles, start, best, worst = [], [], 0, 0, 0
    for phase in phases:
        starts = np.cumsum(phase.cost_cycles) - phase.cost_cycles + start
        times = starts[:, None] + phase.offsets
        ports.append(np.broadcast_to(np.array(phase.ports), phase.present.shape)[phase.present])
        cycles.append(np.broadcast_to(times, phase.present.shape)[phase.present])
        length = int(phase.cost_cycles.sum())
        count = len(phase.cost_cycles)
        start += length + phase.tail_cycles
        best += (length if phase.best_cycles is None else count * phase.best_cycles) + phase.tail_cycles
        worst += (length if phase.worst_cycles is None else count * phase.worst_cycles) + phase.tail_cycles
    return Program(
        ports=np.concatenate(ports).astype(np.int64),
        cycles=np.concatenate(cycles).astype(np.int64),
        interval_cycles=max(start, 1),
        latency_cycles=(best, worst),
    )


def _loop(
    kernel: Kernel,
    iterations: int,
    ports: tuple[int, ...],
    interval: int = 1,
    latency: int | None = None,
    present: BoolArray | None = None,
) -> _Phase:
    """A pipelined loop: reads at the start of each iteration, writes `latency` cycles later."""
    latency = kernel.overheads.pipeline_cycles if latency is None else latency
    n_reads = len(kernel.reads)
    return _Phase(
        ports=ports,
        present=np.ones((iterations, len(ports)), dtype=bool) if present is None else present,
        cost_cycles=np.full(iterations, interval, dtype=np.int64),
        offsets=np.array([[0 if port < n_reads else latency for port in ports]], dtype=np.int64),
        tail_cycles=latency,
    )


def _elementwise(kernel: Kernel) -> list[_Phase]:
    """relu, linear, normalize, ...: one token in, one token out."""
    tokens = kernel.config.integer("n_in") // kernel.writes[0].elements
    interval = 1
    if kernel.call.function == "normalize":
        interval = kernel.config.integer("n_in") // max(kernel.config.integer("multiplier_limit", 1), 1)
        interval = max(interval, 1)
        # The pragma asks for n_in / multiplier_limit of the whole tensor, never more than reuse_factor.
        interval = min(interval, kernel.reuse_factor)
    elif kernel.call.function == "unary_lut":
        interval = kernel.reuse_factor
    return [_loop(kernel, tokens, (0, 1), interval)]


def _softmax(kernel: Kernel) -> list[_Phase]:
    size = kernel.reads[0].elements
    tokens = kernel.config.integer("n_in") // size
    limit = -(-size // kernel.reuse_factor)
    return [_loop(kernel, tokens, (0, 1), max(size // limit, 1), kernel.overheads.softmax_cycles)]


def _clone(kernel: Kernel) -> list[_Phase]:
    """One read, then a write to each copy in turn."""
    tokens = int(kernel.call.types[-1]) // kernel.reads[0].elements
    return [_loop(kernel, tokens, tuple(range(1 + len(kernel.writes))))]


def _repack(kernel: Kernel) -> list[_Phase]:
    total = int(kernel.call.types[-1])
    wide, narrow = kernel.reads[0].elements, kernel.writes[0].elements
    reads = total // wide
    if wide >= narrow:
        ratio = wide // narrow
        return [_loop(kernel, reads, (0,) + (1,) * ratio, ratio)]
    present = np.ones((reads, 2), dtype=bool)
    present[:, 1] = np.arange(reads) % (narrow // wide) == narrow // wide - 1
    return [_loop(kernel, reads, (0, 1), present=present)]


def _broadcast(kernel: Kernel) -> list[_Phase]:
    c = kernel.config.integer
    size_in = c("in_height") * c("in_width") * c("in_chan")
    tokens = size_in // kernel.reads[0].elements
    if c("in_height") == 1 and c("in_width") == 1 and c("in_chan") == c("out_chan"):
        copies = c("out_height") * c("out_width") * c("out_chan") // size_in
        return [_loop(kernel, tokens, (0,) + (1,) * copies, copies)]
    return [_loop(kernel, tokens, (0, 1))]


def _merge(kernel: Kernel) -> list[_Phase]:
    """add, subtract, multiply, ...: one token of each input, then one token out."""
    tokens = kernel.config.integer("n_elem") // kernel.reads[0].elements
    interval = kernel.reuse_factor if kernel.call.function in _SLOW_MERGES else 1
    return [_loop(kernel, tokens, (0, 1, 2), interval)]


def _concatenate(kernel: Kernel) -> list[_Phase]:
    c = kernel.config.integer
    dims = int(kernel.call.function[len("concatenate")])
    if dims == 1:
        first, second = c("n_elem1_0") // kernel.reads[0].elements, c("n_elem2_0") // kernel.reads[1].elements
        return [_loop(kernel, first, (0,)), _loop(kernel, second, (1,)), _loop(kernel, 1, (2,), latency=0)]
    axis = c("axis")
    axis = dims + 1 + axis if axis < 0 else axis
    rows, columns = c("n_elem1_0"), c("n_elem1_1") if dims == 3 else 1
    if axis == dims:
        return [_loop(kernel, rows * columns, (0, 1, 2))]
    if dims == 3 and axis == 2:
        others = c("n_elem2_1")
        present = np.zeros((rows, columns + others, 3), dtype=bool)
        present[:, :columns, 0] = present[:, columns:, 1] = present[:, :, 2] = True
        return [_loop(kernel, rows * (columns + others), (0, 1, 2), present=present.reshape(-1, 3))]
    second = c("n_elem2_0") * (c("n_elem2_1") if dims == 3 else 1)
    return [_loop(kernel, rows * columns, (0, 2)), _loop(kernel, second, (1, 2))]


def _zeropad(kernel: Kernel) -> list[_Phase]:
    """Writes a zero where the padded image has no pixel, copies a token where it has one; raster order."""
    c = kernel.config.integer
    if "1d" in kernel.call.function:
        top, rows, left, right, columns, bottom = 0, 1, c("pad_left"), c("pad_right"), c("in_width"), 0
    else:
        top, rows, bottom = c("pad_top"), c("in_height"), c("pad_bottom")
        left, right, columns = c("pad_left"), c("pad_right"), c("in_width")
    width = left + columns + right if rows else 0
    present = np.ones((top + rows + bottom, width, 2), dtype=bool)
    present[:, :, 0] = False
    present[top : top + rows, left : left + columns, 0] = True
    loops = (top > 0) + 1 + (bottom > 0)
    phase = _loop(kernel, present.shape[0] * width, (0, 1), latency=1, present=present.reshape(-1, 2))
    overheads = kernel.overheads
    return [_with_tail(phase, overheads.padding_loop_cycles * loops + overheads.padding_cycles)]


def _cropping(kernel: Kernel) -> list[_Phase]:
    """Reads every token, passes on those inside the crop; raster order."""
    c = kernel.config.integer
    top, rows, bottom = 0, 1, 0
    if "2d" in kernel.call.function:
        top, rows, bottom = c("crop_top"), c("out_height"), c("crop_bottom")
    left, columns, right = c("crop_left"), c("out_width"), c("crop_right")
    present = np.zeros((top + rows + bottom, left + columns + right, 2), dtype=bool)
    present[:, :, 0] = True
    present[top : top + rows, left : left + columns, 1] = True
    return [_loop(kernel, present.shape[0] * present.shape[1], (0, 1), present=present.reshape(-1, 2))]


def _resize(kernel: Kernel) -> list[_Phase]:
    """Nearest-neighbour upsampling: reads a row, then writes it `ratio` times with each pixel repeated."""
    c = kernel.config.integer
    height, width = c("height", 1), c("width")
    tall, wide = c("new_height", height), c("new_width")
    copies = (tall // height) * (wide // width) * width
    first = kernel.overheads.resize_cycles
    row = _Phase(
        ports=(0,) * width + (1,) * copies,
        present=np.ones((height, width + copies), dtype=bool),
        cost_cycles=np.full(height, max(width, copies), dtype=np.int64),
        offsets=np.concatenate([np.arange(width), first + np.arange(copies)])[None, :].astype(np.int64),
        tail_cycles=first,
    )
    return [row]


def _transpose(kernel: Kernel) -> list[_Phase]:
    total = kernel.config.integer("N")
    return [
        _loop(kernel, total // kernel.reads[0].elements, (0,)),
        _loop(kernel, total // kernel.writes[0].elements, (1,)),
    ]


def _window_outputs(length: int, window: int, stride: int) -> BoolArray:
    """Where along one axis the line buffer holds a full window whose position counts. Shape (length,)."""
    position = np.arange(length) - (window - 1)
    found: BoolArray = (position >= 0) & (position % stride == 0)
    return found


def _convolution(kernel: Kernel) -> list[_Phase] | None:
    """conv_1d, conv_2d and depthwise: each pixel enters the line buffer, full windows are multiplied."""
    c = kernel.config.integer
    if kernel.reads[0].elements != c("n_chan"):
        return None  # several pixels in one token
    columns = _window_outputs(c("in_width"), c("filt_width"), c("stride_width"))
    rows = np.ones(1, dtype=bool)
    if "2d" in kernel.call.function:
        rows = _window_outputs(c("in_height"), c("filt_height"), c("stride_height"))
    return [_multiplying_loop(kernel, (rows[:, None] & columns).ravel())]


def _pointwise(kernel: Kernel) -> list[_Phase] | None:
    """1x1 convolution: a stride skips pixels without a line buffer."""
    c = kernel.config.integer
    if kernel.reads[0].elements != c("n_chan"):
        return None  # several pixels in one token
    columns = np.arange(c("in_width")) % c("stride_width") == 0
    rows = np.ones(1, dtype=bool)
    if "2d" in kernel.call.function:
        rows = np.arange(c("in_height")) % c("stride_height") == 0
    return [_multiplying_loop(kernel, (rows[:, None] & columns).ravel())]


def _multiplying_loop(kernel: Kernel, outputs: BoolArray) -> _Phase:
    present = np.ones((len(outputs), 2), dtype=bool)
    present[:, 1] = outputs
    reuse, overheads = kernel.reuse_factor, kernel.overheads
    windowed = "pointwise" not in kernel.call.function
    if kernel.pipelined:
        interval = reuse
        if windowed and kernel.toolchain is Toolchain.VITIS_HLS:
            # It cannot pipeline the function that holds the static window: the interval is that function's
            # latency, which grows with the adder tree.
            c = kernel.config.integer
            products = c("filt_height", 1) * c("filt_width") * c("n_chan")
            interval = max(reuse, overheads.window_interval_cycles, products.bit_length() - 1)
        return _loop(kernel, len(outputs), (0, 1), interval, overheads.multiply_cycles, present)
    multiply = reuse + (overheads.window_multiply_cycles if windowed else overheads.pointwise_multiply_cycles)
    skip = overheads.window_skip_cycles if windowed else overheads.pointwise_skip_cycles
    if windowed and "1d" in kernel.call.function:
        # In one dimension the window is shifted pixel by pixel, in a loop of its own.
        skip = kernel.config.integer("filt_width") + overheads.shift_cycles
        multiply = reuse + skip + overheads.shift_cycles
    cost = np.where(outputs, multiply, skip).astype(np.int64)
    offsets = np.zeros((len(outputs), 2), dtype=np.int64)
    offsets[:, 1] = multiply - 1
    return _Phase((0, 1), present, cost, offsets, overheads.sequential_cycles, skip, multiply)


def _pooling(kernel: Kernel) -> list[_Phase] | None:
    c = kernel.config.integer
    if kernel.reads[0].elements != c("n_filt"):
        return None  # several pixels in one token
    if "1d" in kernel.call.function:
        rows = np.ones(1, dtype=bool)
        columns = _window_outputs(c("n_in"), c("pool_width"), c("stride_width"))
    else:
        rows = _window_outputs(c("in_height"), c("pool_height"), c("stride_height"))
        columns = _window_outputs(c("in_width"), c("pool_width"), c("stride_width"))
    outputs = (rows[:, None] & columns).ravel()
    present = np.ones((len(outputs), 2), dtype=bool)
    present[:, 1] = outputs
    # An average takes the tools two cycles a pixel: the window is added up and divided.
    interval = 2 if kernel.config.symbol("pool_op", "Max") == "Average" else 1
    return [_loop(kernel, len(outputs), (0, 1), interval, kernel.overheads.pooling_cycles, present)]


def _global_pooling(kernel: Kernel) -> list[_Phase]:
    c = kernel.config.integer
    channels = c("n_filt")
    pixels = c("n_in") if "1d" in kernel.call.function else c("in_height") * c("in_width")
    return [
        _loop(kernel, pixels * channels // kernel.reads[0].elements, (0,)),
        _loop(kernel, channels // kernel.writes[0].elements, (1,), latency=kernel.overheads.pooling_cycles),
    ]


def _dense(kernel: Kernel) -> list[_Phase]:
    """Collects its whole input, multiplies, then writes its whole output."""
    c = kernel.config.integer
    reads, writes = c("n_in") // kernel.reads[0].elements, c("n_out") // kernel.writes[0].elements
    multiply = kernel.reuse_factor + kernel.overheads.dense_cycles
    return [
        _with_tail(_loop(kernel, reads, (0,), latency=0), multiply),
        _loop(kernel, writes, (1,), latency=0),
    ]


def _embedding(kernel: Kernel) -> list[_Phase]:
    return [
        _loop(kernel, 1, (0,), latency=0),
        _loop(kernel, kernel.reads[0].elements, (1,), kernel.reuse_factor),
    ]


def _with_tail(phase: _Phase, tail_cycles: int) -> _Phase:
    return _Phase(phase.ports, phase.present, phase.cost_cycles, phase.offsets, tail_cycles)


_SLOW_MERGES = frozenset({"multiply", "average", "maximum", "minimum"})
_ELEMENTWISE = [
    "linear",
    "relu",
    "sigmoid",
    "hard_sigmoid",
    "hard_tanh",
    "leaky_relu",
    "thresholded_relu",
    "softplus",
    "softsign",
    "elu",
    "selu",
    "prelu",
    "binary_tanh",
    "ternary_tanh",
    "tanh",
    "unary_lut",
    "normalize",
    "normalize_binary_tanh",
    "normalize_ternary_tanh",
]
_BUILDERS: dict[str, Callable[[Kernel], list[_Phase] | None]] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(("add", "subtract", *_SLOW_MERGES), _merge),
    **dict.fromkeys(("concatenate1d", "concatenate2d", "concatenate3d"), _concatenate),
    **dict.fromkeys(("zeropad1d_cl", "zeropad2d_cl"), _zeropad),
    **dict.fromkeys(("cropping1d_cl", "cropping2d_cl"), _cropping),
    **dict.fromkeys(("conv_1d_cl", "conv_2d_cl", "depthwise_conv_1d_cl", "depthwise_conv_2d_cl"), _convolution),
    **dict.fromkeys(("pointwise_conv_1d_cl", "pointwise_conv_2d_cl"), _pointwise),
    **dict.fromkeys(("pooling1d_cl", "pooling2d_cl"), _pooling),
    **dict.fromkeys(("global_pooling1d_cl", "global_pooling2d_cl"), _global_pooling),
    "softmax": _softmax,
    "clone_stream": _clone,
    "repack_stream": _repack,
    "broadcast_stream": _broadcast,
    "resize_nearest": _resize,
    "transpose": _transpose,
    "dense": _dense,
    "embedding": _embedding,
}
