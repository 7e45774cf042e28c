"""hls4ml's functions of several numbers at a time, as layers of the exact network: sums, pooling, merging."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed import tables
from nonresnet_hls.fixed.arithmetic import Affine, Cast, Chain
from nonresnet_hls.fixed.network import (
    ArgMax,
    Dot,
    LegacySoftmax,
    Margin,
    Matrix,
    Merge,
    MergeOperation,
    Pool,
    Reduction,
    Softmax,
    Table,
    Window,
)
from nonresnet_hls.fixed.types import FixedPointType, Overflow
from nonresnet_hls.hls.firmware import Call, Struct, numbers
from nonresnet_hls.hls.reader import Builder, Reader, product
from nonresnet_hls.hls.reuse import reads_beyond

Integers = npt.NDArray[np.object_]


# Sums of products


def _dense(reader: Reader, call: Call) -> None:
    struct = reader.struct(call, call.types[2])
    _sum(reader, call, struct, struct, None, Margin(), struct.integer("n_in"), struct.integer("n_out"), False)


def _convolution(reader: Reader, call: Call) -> None:
    struct = reader.struct(call, call.types[2])
    depthwise = call.function.startswith("depthwise")
    window, margin = _window(call, struct, "filt")
    channels, filters = struct.integer("n_chan"), struct.integer("n_filt")
    if depthwise and channels != filters:
        raise ConversionError(f"layer {call.layer!r}: as many outputs as channels ({channels}) wanted, not {filters}")
    if struct.integer("dilation_height", 1) != 1 or struct.integer("dilation_width", 1) != 1:
        raise ConversionError(f"layer {call.layer!r}: hls4ml's C++ knows no dilation")
    inner = reader.struct(call, struct.types.get("mult_config", call.types[2]))
    _sum(reader, call, struct, inner, window, margin, channels, filters, depthwise)


def _window(call: Call, struct: Struct, kernel: str) -> tuple[Window, Margin]:
    """The windows of a convolution (`kernel`: filt) or pooling (pool); the image includes the margin."""

    def size(key: str, default: int | None = None) -> int:
        return struct.integer(key, default)

    margin = Margin(*(size(f"pad_{side}", 0) for side in ("top", "bottom", "left", "right")))
    width = size("n_in") if "n_in" in struct.constants and kernel == "pool" else size("in_width")
    height = size("in_height", 1)
    window = Window(
        height + margin.top + margin.bottom,
        width + margin.left + margin.right,
        size(f"{kernel}_height", 1),
        size(f"{kernel}_width"),
        size("stride_height", 1),
        size("stride_width"),
    )
    rows, columns = size("out_height", 1), size("out_width", size("n_out", window.columns))
    if (rows, columns) != (window.rows, window.columns):
        got = f"{window.rows} x {window.columns}"
        raise ConversionError(f"layer {call.layer!r}: {rows} x {columns} windows wanted, the sizes give {got}")
    return window, margin


def _sum(
    reader: Reader,
    call: Call,
    struct: Struct,
    inner: Struct,
    window: Window | None,
    margin: Margin,
    channels: int,
    filters: int,
    depthwise: bool,
) -> None:
    """A layer of sums; `inner` holds the constants of the product that one window takes."""
    pixels = 1 if window is None else window.kernel_height * window.kernel_width
    rows = pixels * channels
    strategy = (inner if "strategy" in inner.constants else struct).symbol("strategy", "latency")
    if strategy not in ("latency", "resource"):
        raise ConversionError(f"layer {call.layer!r}: strategy latency or resource wanted, not {strategy}")
    reuse = max(1, inner.integer("reuse_factor", 1))
    if inner.types.get("kernel") == "DenseResource_rf_gt_nin":
        raise ConversionError(f"layer {call.layer!r}: hls4ml's C++ has no products of reuse factor {reuse} for {rows}")
    if strategy == "resource":
        _refuse_reuse(reader, call, rows, filters, reuse, depthwise)
    weight_kind, bias_kind, accumulator = (
        reader.struct_type(call, struct if name in struct.types else inner, name)
        for name in ("weight_t", "bias_t", "accum_t")
    )
    inside = (window.height - margin.top - margin.bottom) * (window.width - margin.left - margin.right) if window else 1
    source = reader.source(call, 0, inside * channels)
    target = reader.target(call, 1, call.types[1], (window.positions if window else 1) * filters)
    binary_data = reader.is_binary(reader.type_names[source])
    kernel = np.array(
        reader.weights(call, call.arguments[2], weight_kind, rows if depthwise else rows * filters), dtype=object
    )
    if depthwise:
        kernel = kernel.reshape(pixels, channels)
    else:
        kernel = kernel.reshape(filters, rows).T if strategy == "resource" else kernel.reshape(rows, filters)
    bias = reader.weights(call, call.arguments[3], bias_kind, filters)
    start = [int(accumulator.quantize(one * bias_kind.lsb) / accumulator.lsb) for one in bias]
    kernel, fraction, offsets = _products(call, inner, kernel, weight_kind)
    if depthwise:
        diagonal = np.arange(channels)
        numbers(call.layer, pixels, channels, channels)
        flat, kernel = kernel, np.zeros((pixels, channels, channels), dtype=object)
        kernel[:, diagonal, diagonal] = flat
        kernel = kernel.reshape(rows, channels)
    fraction += reader.kind_of(source).fraction_bits
    ends: Chain = (Cast(reader.kind(call, call.types[1], "result")),)
    if binary_data and reader.is_binary((struct if "weight_t" in struct.types else inner).types["weight_t"]):
        ends = (*_of_signs(inner.integer("n_in")), *ends)
    lossless = fraction <= accumulator.fraction_bits
    safe = accumulator.overflow is Overflow.WRAP or _never_saturates(
        kernel, offsets, start, reader.kind_of(source), accumulator, fraction
    )
    if lossless and safe:
        shift = accumulator.fraction_bits - fraction
        begin = tuple(one + (offset << shift) for one, offset in zip(start, offsets, strict=True))
        chain: Chain = (Affine((1,), 0, begin, accumulator.fraction_bits), Cast(accumulator), *ends)
        sequence: tuple[int, ...] = ()
    else:
        if any(offsets):
            wanted = "an accumulator that loses nothing of a product"
            raise ConversionError(f"layer {call.layer!r}: {wanted} wanted for numbers of one bit, not {accumulator}")
        chain, sequence = ends, _sequence(rows, reuse if strategy == "resource" else 1)
    reader.layers.append(
        Matrix(
            call.layer,
            (source,),
            (target,),
            window,
            _smallest(kernel),
            weight_kind.width,
            fraction - reader.kind_of(source).fraction_bits,
            False,
            chain,
            0,
            reuse,
            margin,
            depthwise,
            sequence,
            tuple(start) if sequence else (),
            accumulator,
        )
    )


def _refuse_reuse(reader: Reader, call: Call, rows: int, filters: int, reuse: int, depthwise: bool) -> None:
    """Refuse what an assertion of hls4ml's C++ ends, and what reads beyond its weights."""
    if reads_beyond(rows, filters, reuse, depthwise):
        raise ConversionError(
            f"layer {call.layer!r}: a reuse factor that divides its {rows * (1 if depthwise else filters)} products"
            f" wanted, not {reuse}: hls4ml's C++ reads beyond the weights"
        )
    if depthwise:
        if not reader.firmware.is_stream:
            raise ConversionError(f"layer {call.layer!r}: hls4ml's C++ has no depthwise arrays with strategy resource")
        return
    multipliers = -(-rows * filters // min(rows, reuse))
    if multipliers % filters and reuse < rows:
        raise ConversionError(
            f"layer {call.layer!r}: hls4ml's C++ takes no reuse factor {reuse} for {rows} x {filters}"
        )
    if reuse > rows and reuse % rows == 0 and filters == 1:
        raise ConversionError(f"layer {call.layer!r}: hls4ml's C++ takes no reuse factor {reuse} for {rows} weights")
    if not reader.firmware.is_stream and "conv" in call.function and reuse > rows:
        raise ConversionError(f"layer {call.layer!r}: hls4ml's C++ takes no reuse factor {reuse} above {rows}")


def _smallest(kernel: Integers) -> Any:
    """As `int64` where that holds it."""
    return kernel.astype(np.int64) if all(abs(int(one)) < 1 << 62 for one in kernel.flat) else kernel


def _products(call: Call, inner: Struct, kernel: Integers, kind: FixedPointType) -> tuple[Integers, int, list[int]]:
    """The kernel as what inputs are multiplied by, its fraction bits, and what is added for each output besides."""
    nothing = [0] * kernel.shape[1]
    match product(call, inner):
        case "mult":
            return kernel, kind.fraction_bits, nothing
        case "weight_binary":
            return np.where(kernel != 0, 1, -1).astype(object), 0, nothing
        case "weight_ternary":
            return np.where(kernel < -1, 1, np.clip(kernel, -1, 1)).astype(object), kind.fraction_bits, nothing
        case "data_binary":
            # Of a bit a: -w or w, which is 2 a w - w.
            return 2 * kernel, kind.fraction_bits, [-int(one) for one in kernel.sum(axis=0)]
        case "both_binary":
            # Whether two bits are equal: a where w is 1, else 1 - a.
            return 2 * kernel - 1, 0, [int(one) for one in (1 - kernel).sum(axis=0)]
    raise ConversionError(f"layer {call.layer!r}: no exact arithmetic of product::{product(call, inner)} is known here")


def _of_signs(count: int) -> Chain:
    """From a number of equal bits to a sum of products of +1 and -1, as hls4ml's `cast` does."""
    width = _ceillog2(count) + 2
    return (Affine((2,), 0, (-count,), 0), Cast(FixedPointType(width, width)))


def _ceillog2(number: int) -> int:
    """hls4ml's own, which is 1 for 1."""
    return 1 if number <= 2 else 1 + _ceillog2((number + 1) // 2)


def _never_saturates(
    kernel: Integers,
    offsets: Sequence[int],
    start: Sequence[int],
    source: FixedPointType,
    accumulator: FixedPointType,
    fraction: int,
) -> bool:
    """Whether no product and no sum of some of them can leave the accumulator's range."""
    largest = max(-source.min_mantissa, source.max_mantissa)
    shift = max(0, accumulator.fraction_bits - fraction)
    for column, (begin, offset) in enumerate(zip(start, offsets, strict=True)):
        most = (int(np.abs(kernel[:, column]).sum()) * largest + abs(offset)) << shift
        if most + abs(begin) > accumulator.max_mantissa or (not accumulator.signed and (kernel[:, column] < 0).any()):
            return False
    return accumulator.signed or source.min_mantissa == 0


def _sequence(rows: int, reuse: int) -> tuple[int, ...]:
    """In which order the products come: with a reuse factor, every so many-th first."""
    turns = min(reuse, rows)
    return tuple(sorted(range(rows), key=lambda row: (row % turns, row // turns)))


def _separable(reader: Reader, call: Call) -> None:
    """Depthwise, then pointwise, a tensor between them."""
    data, middle, result, config = call.types
    source, target, depthwise, pointwise, depthwise_bias, pointwise_bias = call.arguments
    inner = f"{call.layer}_depthwise_res"
    dims = re.search(r"[12]d", call.function)
    name = f"conv_{dims[0] if dims else '2d'}_cl"
    _convolution(
        reader,
        Call(
            call.layer,
            f"depthwise_{name}",
            (data, middle, f"{config}::depthwise_config"),
            (source, inner, depthwise, depthwise_bias),
        ),
    )
    _convolution(
        reader,
        Call(
            call.layer,
            f"pointwise_{name}",
            (middle, result, f"{config}::pointwise_config"),
            (inner, target, pointwise, pointwise_bias),
        ),
    )


# Pooling


def _reduction(call: Call, struct: Struct) -> Reduction:
    name = struct.symbol("pool_op")
    found = {"Max": Reduction.MAXIMUM, "Average": Reduction.AVERAGE}.get(name)
    if found is None:
        raise ConversionError(f"layer {call.layer!r}: pooling Max or Average wanted, not {name}")
    return found


def _pool(reader: Reader, call: Call) -> None:
    struct = reader.struct(call, call.types[2])
    window, margin = _window(call, struct, "pool")
    stream = reader.firmware.is_stream
    if (
        stream
        and "2d" in call.function
        and (window.kernel_height, window.kernel_width)
        != (
            window.stride_height,
            window.stride_width,
        )
    ):
        raise ConversionError(f"layer {call.layer!r}: hls4ml's C++ takes no overlapping windows from a stream")
    channels = struct.integer("n_filt")
    inside = (window.height - margin.top - margin.bottom) * (window.width - margin.left - margin.right)
    source = reader.source(call, 0, inside * channels)
    target = reader.target(call, 1, call.types[1], window.positions * channels)
    kind, reduction = reader.kind_of(source), _reduction(call, struct)
    # hls4ml sets the first bit alone: the least of a signed type, but the middle of an unsigned one.
    first_bit = -(1 << (kind.width - 1)) if kind.signed else 1 << (kind.width - 1)
    reader.layers.append(
        Pool(
            call.layer,
            (source,),
            (target,),
            window,
            reduction,
            window.kernel_height * window.kernel_width,
            reader.struct_type(call, struct, "accum_t"),
            reader.kind(call, call.types[1], "result"),
            channels,
            margin,
            padding=first_bit if reduction is Reduction.MAXIMUM else 0,
            counts_margin=bool(struct.integer("count_pad", 0)),
            converts_first=stream,
            balanced=stream,
        )
    )


def _global_pool(reader: Reader, call: Call) -> None:
    struct = reader.struct(call, call.types[2])
    channels = struct.integer("n_filt")
    pixels = (
        struct.integer("n_in") if "1d" in call.function else struct.integer("in_height") * struct.integer("in_width")
    )
    source = reader.source(call, 0, pixels * channels)
    target = reader.target(call, 1, call.types[1], channels)
    reader.layers.append(
        Pool(
            call.layer,
            (source,),
            (target,),
            None,
            _reduction(call, struct),
            pixels,
            reader.struct_type(call, struct, "accum_t"),
            reader.kind(call, call.types[1], "result"),
            channels,
            converts_first=reader.firmware.is_stream,
        )
    )


# Two inputs


def _merge(reader: Reader, call: Call) -> None:
    struct = reader.struct(call, call.types[3])
    sizes = [struct.integer(f"n_elem{index}", reader.sizes.get(call.arguments[index - 1])) for index in (1, 2)]
    sources = tuple(reader.source(call, at, size) for at, size in enumerate(sizes))
    target = reader.target(call, 2, call.types[2], max(sizes))
    result = reader.kind(call, call.types[2], "result")
    for source in sources:
        reader.same_words(call, source, call.types[2])
    reader.layers.append(Merge(call.layer, sources, (target,), MergeOperation(call.function), result))


def _concatenate(reader: Reader, call: Call) -> None:
    struct = reader.struct(call, call.types[3])
    dimensions = int(call.function.removeprefix("concatenate")[0])
    shape = [struct.integer(f"n_elem1_{axis}") for axis in range(dimensions)]
    other = [struct.integer(f"n_elem2_{axis}") for axis in range(dimensions)]
    axis = struct.integer("axis")
    axis = axis - 1 if axis > 0 else dimensions - 1 if axis == -1 else dimensions + axis if axis < 0 else 0
    if not 0 <= axis < dimensions:
        raise ConversionError(f"layer {call.layer!r}: an axis of {dimensions} wanted, not {struct.constants['axis']}")
    sizes = [numbers(call.layer, *shape), numbers(call.layer, *other)]
    sources = tuple(reader.source(call, at, size) for at, size in enumerate(sizes))
    target = reader.target(call, 2, call.types[2], sum(sizes))
    result = reader.kind(call, call.types[2], "result")
    outer = math.prod(shape[:axis])
    reader.layers.append(Merge(call.layer, sources, (target,), MergeOperation.CONCATENATE, result, outer))


def _dot(reader: Reader, call: Call) -> None:
    struct = reader.struct(call, call.types[3])
    if product(call, struct) != "mult":
        raise ConversionError(f"layer {call.layer!r}: no exact arithmetic of product::{product(call, struct)} is known")
    size = struct.integer("n_in")
    sources = tuple(reader.source(call, at, size) for at in range(2))
    target = reader.target(call, 2, call.types[2], 1)
    accumulator = reader.struct_type(call, struct, "accum_t")
    reader.layers.append(Dot(call.layer, sources, (target,), accumulator, reader.kind(call, call.types[2], "result")))


# Softmax


def _softmax(reader: Reader, call: Call) -> None:
    struct = reader.struct(call, call.types[2])
    size = struct.integer("n_in")
    source = reader.source(call, 0, size)
    reader.same_words(call, source, call.types[1])
    target = reader.target(call, 1, call.types[1], size)
    argument, result = reader.kind_of(source), reader.kind(call, call.types[1], "result")
    stream = reader.firmware.is_stream
    inner = 1
    slice_size = reader.firmware.resolved(reader.type_names[source])[1] if stream else struct.integer("n_slice", size)
    if call.function == "softmax_multidim":
        inner = struct.integer("n_inner", 1)
    where = ((source,), (target,), slice_size, inner)
    match struct.symbol("implementation", "latency" if stream else "stable"):
        case "argmax":
            reader.layers.append(ArgMax(call.layer, *where, result))
        case "legacy":
            kind = (
                FixedPointType(18, 8) if "table_t" not in struct.types else reader.struct_type(call, struct, "table_t")
            )
            size = struct.integer("table_size", 1024)
            entries, inverted = (
                (size, size)
                if stream
                else (
                    struct.integer("exp_table_size"),
                    struct.integer("inv_table_size"),
                )
            )
            reader.layers.append(
                LegacySoftmax(
                    call.layer,
                    *where,
                    tables.centred("exp", entries, kind),
                    tables.legacy_inverses(inverted, kind),
                    kind,
                    result,
                )
            )
        case "latency" | "stable" as implementation:
            exp_kind, inv_kind, accumulator, inv_argument = (
                reader.struct_type(call, struct, f"{name}_t") for name in ("exp_table", "inv_table", "accum", "inv_inp")
            )
            stable = implementation == "stable"
            difference = reader.struct_type(call, struct, "inp_norm_t") if stable else None
            exp_argument = difference or argument
            try:
                scale = float(struct.constants.get("exp_scale", "1.0").rstrip("f"))
            except ValueError:
                raise ConversionError(f"layer {call.layer!r}: a number wanted for exp_scale in {struct.name}") from None
            entries, inverted = struct.integer("exp_table_size"), struct.integer("inv_table_size")
            for count in (entries, inverted):
                if count < 2 or count & (count - 1):
                    raise ConversionError(f"layer {call.layer!r}: tables of 2, 4, 8, ... entries wanted, not {count}")
            exponentials = tables.exponentials(entries, exp_argument, exp_kind, scale, stable)
            reader.layers.append(
                Softmax(
                    call.layer,
                    *where,
                    Table(exp_argument, exponentials, exp_kind),
                    Table(inv_argument, tables.inverses(inverted, inv_argument, inv_kind), inv_kind),
                    accumulator,
                    difference,
                    result,
                )
            )
        case other:
            raise ConversionError(f"layer {call.layer!r}: no exact arithmetic of a softmax by {other} is known")


BUILDERS: dict[str, Builder] = {
    "dense": _dense,
    **{f"{kind}conv_{n}d_cl": _convolution for kind in ("", "pointwise_", "depthwise_") for n in (1, 2)},
    **{f"separable_conv_{n}d_cl": _separable for n in (1, 2)},
    **{f"pooling{n}d_cl": _pool for n in (1, 2)},
    **{f"global_pooling{n}d_cl": _global_pool for n in (1, 2)},
    **{str(operation): _merge for operation in MergeOperation if operation is not MergeOperation.CONCATENATE},
    **{f"concatenate{n}d": _concatenate for n in (1, 2, 3)},
    "dot1d": _dot,
    "softmax": _softmax,
    "softmax_multidim": _softmax,
}
"""By function of hls4ml's C++."""
