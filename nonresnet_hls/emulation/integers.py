"""Layers evaluated on integers: NumPy's `int64` where that holds every number on the way, Python's otherwise.

A tensor is an array of integers, samples x numbers, each worth the last bit of its wire. This is the reference of
the room: the fast kernels must give the same, and take over only where that is proved.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.arithmetic import (
    Affine,
    AtMost,
    Cast,
    Chain,
    Integers,
    Operation,
    Piecewise,
    Positive,
    Wire,
    cast,
    overflowed,
    rounded,
)
from nonresnet_hls.fixed.network import (
    ArgMax,
    Clone,
    Dot,
    Elementwise,
    Embedding,
    Layer,
    LegacySoftmax,
    Margin,
    Matrix,
    Merge,
    MergeOperation,
    Pool,
    Rearrange,
    Reduction,
    Softmax,
    Table,
    Window,
)
from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding

_TABLE_BITS = 16
_FLOAT64 = 1 << 53


def evaluate(layer: Layer, inputs: Sequence[Integers], wires: Sequence[Wire], sums: Wire | None, bits: int) -> Integers:
    """What a layer makes of its inputs.

    Args:
        layer: the layer.
        inputs: integers, samples x numbers, of one dtype: `int64`, or objects where 62 bits do not hold all.
        wires: of each input.
        sums: the range of a matrix' exact sums of products.
        bits: that every number on the way fits into.

    Raises:
        ConversionError: the layer is not known.
    """
    x, wire = inputs[0], wires[0]
    match layer:
        case Clone():
            return x
        case Elementwise():
            return chained(layer.chain, x, wire)
        case Matrix():
            return _matrix(layer, x, wire, sums or sum_wire(layer, wire), bits)
        case Pool():
            return _pool(layer, x, wire)
        case Merge():
            return _merge(layer, inputs, wires)
        case Rearrange():
            moved = np.where(layer.source < 0, 0, x[:, np.maximum(layer.source, 0)])
            return moved if layer.result is None else cast(moved, wire.fraction, layer.result)
        case Embedding():
            return _embedding(layer, x, wire)
        case Dot():
            return _dot(layer, inputs, wires)
        case Softmax():
            return _softmax(layer, x, wire)
        case LegacySoftmax():
            return _legacy_softmax(layer, x, wire)
        case ArgMax():
            return _argmax(layer, x)
    raise ConversionError(f"layer {layer.name!r}: no evaluation of {type(layer).__name__} is known")


def chained(chain: Chain, values: Integers, wire: Wire) -> Integers:
    """A chain on every number; looked up where it is odd, and the numbers are few."""
    simple = all(isinstance(operation, Affine | Cast | Positive | AtMost) for operation in chain)
    if not simple and wire.high - wire.low < 1 << _TABLE_BITS and not _has_parameters(chain):
        domain = np.arange(wire.low, wire.high + 1).astype(object)
        table = _applied(chain, domain[None], wire)[0]
        small = table.astype(values.dtype)
        found: Integers = small[(values - wire.low).astype(np.int64)]
        return found
    return _applied(chain, values, wire)


def _has_parameters(chain: Chain) -> bool:
    """Whether numbers at different places are treated otherwise."""
    for operation in chain:
        if isinstance(operation, Affine) and max(len(operation.scale), len(operation.bias)) > 1:
            return True
        if isinstance(operation, Piecewise) and _has_parameters((*operation.positive, *operation.negative)):
            return True
    return False


def _applied(chain: Chain, values: Integers, wire: Wire) -> Integers:
    for operation in chain:
        values = _apply(operation, values, wire)
        wire = hull(operation, wire)
    return values


def _apply(operation: Operation, values: Integers, wire: Wire) -> Integers:
    match operation:
        case Affine():
            fraction = max(wire.fraction + operation.scale_fraction, operation.bias_fraction)
            shift = fraction - wire.fraction - operation.scale_fraction
            scale = _parameters([one << shift for one in operation.scale], values)
            bias = _parameters([one << (fraction - operation.bias_fraction) for one in operation.bias], values)
            moved: Integers = values * scale + bias
            return moved
        case Piecewise():
            positive, negative = _sides(wire)
            ends = [_hulls(operation.positive, positive), _hulls(operation.negative, negative)]
            fraction = max(end.fraction for end in ends)
            above = _applied(operation.positive, np.maximum(values, 0), positive) << (fraction - ends[0].fraction)
            below = _applied(operation.negative, np.minimum(values, 0), negative) << (fraction - ends[1].fraction)
            chosen: Integers = np.where(values >= 0, above, below)
            return chosen
    return operation.apply(values, wire, 0)


def _parameters(numbers: Sequence[int], values: Integers) -> Any:
    """One for all, or as many as there are numbers, repeated over them."""
    if len(numbers) == 1:
        return numbers[0]
    return np.tile(np.array(numbers, dtype=values.dtype), values.shape[1] // len(numbers))


def hull(operation: Operation, wire: Wire) -> Wire:
    """The range of an operation over all channels."""
    match operation:
        case Affine():
            count = max(len(operation.scale), len(operation.bias))
            scale, bias = operation.scale, operation.bias
            pairs = {(scale[i % len(scale)], bias[i % len(bias)]): i for i in range(count)}
            wires = [operation.range(wire, channel) for channel in pairs.values()]
        case Piecewise():
            parts = (operation.positive, operation.negative)
            ends = [_hulls(part, side) for part, side in zip(parts, _sides(wire), strict=True)]
            fraction = max(end.fraction for end in ends)
            wires = [end.refined(fraction) for end in ends]
        case _:
            return operation.range(wire, 0)
    return Wire(min(one.low for one in wires), max(one.high for one in wires), wires[0].fraction)


def _hulls(chain: Chain, wire: Wire) -> Wire:
    for operation in chain:
        wire = hull(operation, wire)
    return wire


def _sides(wire: Wire) -> tuple[Wire, Wire]:
    """The part of a wire's range that is not negative, and that which is not positive."""
    positive = Wire(max(wire.low, 0), max(wire.high, 0), wire.fraction)
    return positive, Wire(min(wire.low, 0), min(wire.high, 0), wire.fraction)


# Sums of products


def windows(x: Integers, window: Window, margin: Margin, channels: int, padding: int = 0) -> Integers:
    """The pixels of each window: samples x rows x columns x channels x kernel height x kernel width."""
    height, width = window.height - margin.top - margin.bottom, window.width - margin.left - margin.right
    image = x.reshape(len(x), height, width, channels)
    if margin != Margin():
        sides = ((0, 0), (margin.top, margin.bottom), (margin.left, margin.right), (0, 0))
        image = np.pad(image, sides, constant_values=padding)
    view = np.lib.stride_tricks.sliding_window_view(image, (window.kernel_height, window.kernel_width), axis=(1, 2))  # type: ignore[call-overload]
    found: Integers = view[:, :: window.stride_height, :: window.stride_width]
    return found


def _matrix(layer: Matrix, x: Integers, wire: Wire, before: Wire, bits: int) -> Integers:
    rows, outputs = layer.kernel.shape
    kernel: Any = layer.kernel.astype(x.dtype)
    if layer.window is None:
        patches = x.reshape(len(x), -1, rows)
    else:
        pixels = layer.window.kernel_height * layer.window.kernel_width
        view = windows(x, layer.window, layer.margin, rows // pixels)
        # The kernel's rows go pixel by pixel, then channel by channel.
        patches = view.transpose(0, 1, 2, 4, 5, 3).reshape(len(x), -1, rows)
    if layer.sequence and layer.accumulator is not None:
        sums = _in_sequence(layer, patches, kernel, wire.fraction + layer.kernel_fraction)
        before = Wire.of(layer.accumulator)
    else:
        if layer.depthwise:
            channels = outputs
            flat = layer.kernel.reshape(-1, channels, channels)[:, np.arange(channels), np.arange(channels)]
            sums = (patches.reshape(*patches.shape[:2], -1, channels) * flat.astype(x.dtype)).sum(axis=2)
        elif x.dtype == object or bits > 53:
            sums = patches @ kernel
        else:
            sums = (patches.astype(np.float64) @ kernel.astype(np.float64)).astype(np.int64)
    flat_sums = sums.reshape(len(x), -1)
    return chained(layer.chain, flat_sums, before)


def sum_wire(layer: Matrix, wire: Wire) -> Wire:
    """The range of the exact sums of products, over all outputs."""
    low = high = 0
    for column in range(layer.kernel.shape[1]):
        weights = layer.kernel[:, column]
        positive = int(weights[weights > 0].sum(dtype=object)) if (weights > 0).any() else 0
        negative = int(weights[weights < 0].sum(dtype=object)) if (weights < 0).any() else 0
        inside = (min(wire.low, 0), max(wire.high, 0)) if layer.margin != Margin() else (wire.low, wire.high)
        low = min(low, positive * inside[0] + negative * inside[1])
        high = max(high, positive * inside[1] + negative * inside[0])
    return Wire(low, high, wire.fraction + layer.kernel_fraction)


def _in_sequence(layer: Matrix, patches: Integers, kernel: Integers, fraction: int) -> Integers:
    """Products cast one by one, and added one by one to an accumulator that casts every sum."""
    kind = layer.accumulator
    assert kind is not None
    shape = (*patches.shape[:2], kernel.shape[1])
    sums: Integers = np.empty(shape, dtype=patches.dtype)
    sums[:] = np.array(layer.start, dtype=patches.dtype)
    for row in layer.sequence:
        columns = np.flatnonzero(kernel[row])
        if len(columns) == 0:
            continue  # a product of zero changes nothing
        products = cast(patches[..., row, None] * kernel[row, columns], fraction, kind)
        sums[..., columns] = overflowed(sums[..., columns] + products, kind)
    return sums


def _dot(layer: Dot, inputs: Sequence[Integers], wires: Sequence[Wire]) -> Integers:
    kind = layer.accumulator
    products = cast(inputs[0] * inputs[1], wires[0].fraction + wires[1].fraction, kind)
    total = np.zeros_like(products[:, 0])
    for index in range(products.shape[1]):
        total = overflowed(total + products[:, index], kind)
    return cast(total, kind.fraction_bits, layer.result)[:, None]


# Pooling


def _pool(layer: Pool, x: Integers, wire: Wire) -> Integers:
    kind = layer.accumulator
    channels = layer.channels
    maximum = layer.reduction is Reduction.MAXIMUM
    counts: Any = layer.divisor
    if layer.window is None:
        pixels = x.reshape(len(x), -1, channels).transpose(0, 2, 1)[:, None]
    else:
        pixels = windows(x, layer.window, layer.margin, channels, layer.padding)
        pixels = pixels.reshape(len(x), -1, channels, layer.divisor)
        if layer.margin != Margin() and not layer.counts_margin:
            inside = np.ones((1, x.shape[1] // channels), dtype=np.int64)
            counts = windows(inside, layer.window, layer.margin, 1).sum(axis=(-2, -1)).reshape(1, -1, 1)
    if maximum:
        if layer.converts_first:
            found = cast(pixels, wire.fraction, kind).max(axis=-1)
        else:
            found = cast(pixels.max(axis=-1), wire.fraction, kind)
    else:
        sums = _pooled_sum(layer, pixels, wire)
        found = np.where(sums >= 0, sums // counts, -(-sums // counts))
    return cast(found.reshape(len(x), -1), kind.fraction_bits, layer.result)


def _pooled_sum(layer: Pool, pixels: Integers, wire: Wire) -> Integers:
    kind = layer.accumulator
    drop = wire.fraction - kind.fraction_bits
    if layer.converts_first or drop <= 0 or kind.rounding is Rounding.TRN:
        terms = rounded(pixels, drop, kind.rounding)
        if layer.converts_first:
            terms = overflowed(terms, kind)
        if kind.overflow is Overflow.WRAP:
            return overflowed(terms.sum(axis=-1), kind)
        if layer.balanced:
            return _tree_sum(terms, kind)
        total = np.zeros_like(terms[..., 0])
        for index in range(terms.shape[-1]):
            total = overflowed(total + terms[..., index], kind)
        return total
    total = np.zeros_like(pixels[..., 0])
    for index in range(pixels.shape[-1]):
        total = cast((total << drop) + pixels[..., index], wire.fraction, kind)
    return total


def _tree_sum(terms: Integers, kind: FixedPointType) -> Integers:
    """As hls4ml's `reduce`: the greatest power of two below the count to the left, the rest to the right."""
    count = terms.shape[-1]
    if count == 1:
        return terms[..., 0]
    left = 1 << ((count - 1).bit_length() - 1)
    return overflowed(_tree_sum(terms[..., :left], kind) + _tree_sum(terms[..., left:], kind), kind)


# Two inputs


def _merge(layer: Merge, inputs: Sequence[Integers], wires: Sequence[Wire]) -> Integers:
    fraction = max(wire.fraction for wire in wires)
    if layer.operation is MergeOperation.CONCATENATE:
        parts = [cast(x, wire.fraction, layer.result) for x, wire in zip(inputs, wires, strict=True)]
        split = [part.reshape(len(part), layer.outer, -1) for part in parts]
        joined: Integers = np.concatenate(split, axis=-1).reshape(len(parts[0]), -1)
        return joined
    size = max(x.shape[1] for x in inputs)
    wide = [x if x.shape[1] == size else np.tile(x, (1, -(-size // x.shape[1])))[:, :size] for x in inputs]
    if layer.operation is MergeOperation.MULTIPLY:
        return cast(wide[0] * wide[1], wires[0].fraction + wires[1].fraction, layer.result)
    one, two = (x << (fraction - wire.fraction) for x, wire in zip(wide, wires, strict=True))
    match layer.operation:
        case MergeOperation.ADD:
            merged = one + two
        case MergeOperation.SUBTRACT:
            merged = one - two
        case MergeOperation.AVERAGE:
            merged, fraction = one + two, fraction + 1
        case MergeOperation.MAXIMUM:
            merged = np.maximum(one, two)
        case MergeOperation.MINIMUM:
            merged = np.minimum(one, two)
    return cast(merged, fraction, layer.result)


def _embedding(layer: Embedding, x: Integers, wire: Wire) -> Integers:
    index = cast(x, wire.fraction, FixedPointType(64, 64)).astype(np.int64)
    if (index < 0).any() or (index >= len(layer.table)).any():
        wanted, got = f"rows 0 to {len(layer.table) - 1}", f"{index.min()} to {index.max()}"
        raise ConversionError(f"layer {layer.name!r}: {wanted} wanted, not {got}")
    found = layer.table.astype(x.dtype)[index].reshape(len(x), -1)
    return cast(found, layer.table_fraction, layer.result)


# Softmax


def _slices(x: Integers, size: int, inner: int) -> Integers:
    """Each slice in the last axis."""
    return x.reshape(len(x), -1, size, inner).swapaxes(-1, -2)


def _unsliced(x: Integers) -> Integers:
    return x.swapaxes(-1, -2).reshape(len(x), -1)


def _looked_up(table: Table, values: Integers) -> Integers:
    """By the first bits of each number, as they stand."""
    index = (values % (1 << table.kind.width)) >> table.index_shift()
    found: Integers = np.array(table.values, dtype=object)[index.astype(np.int64)].astype(values.dtype)
    return found


def _softmax(layer: Softmax, x: Integers, wire: Wire) -> Integers:
    numbers = _slices(x, layer.slice_size, layer.inner)
    if layer.difference is not None:
        numbers = cast(numbers.max(axis=-1, keepdims=True) - numbers, wire.fraction, layer.difference)
    exponentials = layer.exponentials
    terms = cast(_looked_up(exponentials, numbers), exponentials.value_kind.fraction_bits, layer.accumulator)
    fraction = layer.accumulator.fraction_bits
    total = cast(_tree_sum(terms, layer.accumulator), fraction, layer.inverses.kind)
    inverse = _looked_up(layer.inverses, total)[..., None]
    product = terms * inverse
    return _unsliced(cast(product, fraction + layer.inverses.value_kind.fraction_bits, layer.result))


def _legacy_softmax(layer: LegacySoftmax, x: Integers, wire: Wire) -> Integers:
    numbers = _slices(x, layer.slice_size, layer.inner)
    kind = layer.table_kind
    size = len(layer.exponentials)
    exponentials = np.array(layer.exponentials, dtype=object).astype(x.dtype)
    one = int(kind.quantize(1) / kind.lsb)
    sums = np.zeros_like(numbers)
    for index in range(layer.slice_size):
        for other in range(layer.slice_size):
            if other == index:
                term: Any = one
            else:
                difference = numbers[..., other] - numbers[..., index]
                place = _towards_zero(difference, size, 16, wire.fraction) + size // 2
                term = exponentials[np.clip(place, 0, size - 1).astype(np.int64)]
            sums[..., index] = overflowed(sums[..., index] + term, kind)
    inverses = np.array(layer.inverses, dtype=object).astype(x.dtype)
    place = np.clip(_towards_zero(sums, len(inverses), 64, kind.fraction_bits), 0, len(inverses) - 1)
    return _unsliced(cast(inverses[place.astype(np.int64)], kind.fraction_bits, layer.result))


def _towards_zero(values: Integers, numerator: int, divisor: int, fraction: int) -> Integers:
    """Values * numerator / divisor, for values worth 2**-fraction, as an `int` of C."""
    scaled = values.astype(object) * (numerator << max(0, -fraction))
    divisor <<= max(0, fraction)
    whole = np.where(scaled >= 0, scaled // divisor, -(-scaled // divisor))
    wrapped: Integers = (whole + (1 << 31)) % (1 << 32) - (1 << 31)
    return wrapped


def _argmax(layer: ArgMax, x: Integers) -> Integers:
    numbers = _slices(x, layer.slice_size, layer.inner)
    found = np.zeros_like(numbers)
    one = int(layer.result.quantize(1) / layer.result.lsb)
    np.put_along_axis(found, numbers.argmax(axis=-1)[..., None], one, axis=-1)
    return _unsliced(found)
