"""Groups of layers as one TensorFlow graph; the only module of the room that imports it, and only when it is used."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nonresnet_hls.emulation.lowering import (
    Add,
    Clip,
    Group,
    Multiply,
    Primitive,
    Round,
    Wrap,
    ZeroOutside,
    first_scale,
    lower,
)
from nonresnet_hls.emulation.plan import Arithmetic
from nonresnet_hls.fixed.arithmetic import Affine, Cast, Chain, Wire
from nonresnet_hls.fixed.network import (
    Clone,
    Elementwise,
    Margin,
    Matrix,
    Merge,
    MergeOperation,
    Network,
    Pool,
    Rearrange,
    Reduction,
)
from nonresnet_hls.fixed.types import Rounding

Tensors = Mapping[str, Any]

_REWRITES = ("constant_folding", "arithmetic_optimization")


def available() -> bool:
    """Whether TensorFlow is installed."""
    import importlib.util

    return importlib.util.find_spec("tensorflow") is not None


def version() -> str:
    """Of the TensorFlow that is installed."""
    import tensorflow as tf

    return str(tf.__version__)


def build(
    network: Network, groups: Sequence[Group], inputs: Sequence[str], outputs: Sequence[str]
) -> Callable[[Tensors], Tensors]:
    """A function from tensors by name (samples x numbers, whole numbers) to tensors by name.

    Args:
        network: that the groups are of.
        groups: in order; each with a floating-point arithmetic.
        inputs: what they read that none of them writes.
        outputs: what is wanted of what they write.
    """
    import tensorflow as tf

    compiled = [_Group(tf, network, group) for group in groups]
    readers: dict[str, set[Arithmetic]] = {name: set() for name in inputs}
    for group in groups:
        for name in group.head.layer.inputs:
            if name in readers:
                readers[name].add(group.arithmetic)
    dtypes = [np.float32 if readers[name] == {Arithmetic.FLOAT32} else np.float64 for name in inputs]

    def graph(*given: Any) -> list[Any]:
        values = dict(zip(inputs, given, strict=True))
        for one in compiled:
            found = one.run(values)
            values.update(dict.fromkeys(one.group.outputs, found))
        return [values[name] for name in outputs]

    signature = []
    for name, dtype in zip(inputs, dtypes, strict=True):
        stream = network.streams[name]
        signature.append(tf.TensorSpec((None, stream.words * stream.channels), dtype))
    run = tf.function(graph, autograph=False).get_concrete_function(*signature)

    def call(given: Tensors) -> Tensors:
        tensors = [tf.constant(given[name].astype(dtype)) for name, dtype in zip(inputs, dtypes, strict=True)]
        with _as_written(tf):
            found = run(*tensors)
        return {name: value.numpy() for name, value in zip(outputs, found, strict=True)}

    return call


@contextlib.contextmanager
def _as_written(tf: Any) -> Iterator[None]:
    """Keep TensorFlow from rewriting arithmetic: it makes of a division a product with an inexact reciprocal."""
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options(dict.fromkeys(_REWRITES, False))
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({name: before.get(name, True) for name in _REWRITES})


class _Group:
    """One group: constants prepared, then a part of the graph."""

    def __init__(self, tf: Any, network: Network, group: Group) -> None:
        self.tf, self.network, self.group = tf, network, group
        self.dtype: Any = np.float32 if group.arithmetic is Arithmetic.FLOAT32 else np.float64
        self.run = self._prepared()

    def _prepared(self) -> Callable[[Tensors], Any]:
        head, tail = self.group.head, self.group.tail
        wire = head.inputs[0]
        match head.layer:
            case Clone():
                return lambda values: values[head.layer.inputs[0]]
            case Rearrange() as layer:
                return self._rearrange(layer, wire)
            case Elementwise() as layer:
                primitives = lower((*layer.chain, *tail), wire, wire.fraction)
                return lambda values: self._chain(primitives, self._input(values, 0))
            case Matrix() as layer:
                return self._matrix(layer, head.sums or wire, (*layer.chain, *tail))
            case Pool() as layer:
                return self._pool(layer, wire, tail)
            case Merge() as layer:
                return self._merge(layer, head.inputs, tail)
        raise ValueError(head.layer)

    def _input(self, values: Tensors, at: int) -> Any:
        return self.tf.cast(values[self.group.head.layer.inputs[at]], self.dtype)

    # Element by element

    def _chain(self, primitives: Sequence[Primitive], x: Any) -> Any:
        tf = self.tf
        for one in primitives:
            match one:
                case Multiply(factors):
                    x = self._by_channel(x, factors, tf.multiply)
                case Add(terms):
                    x = self._by_channel(x, terms, tf.add)
                case Round(mode):
                    x = self._rounded(x, mode)
                case Clip(low, high):
                    if low is not None and high is not None:
                        x = tf.clip_by_value(x, self._number(low), self._number(high))
                    elif high is not None:
                        x = tf.minimum(x, self._number(high))
                    else:
                        x = tf.nn.relu(x) if low == 0 else tf.maximum(x, self._number(low or 0.0))
                case Wrap(low, turn):
                    turns = tf.floor((x - self._number(low)) * self._number(1 / turn))  # a power of two
                    x = x - turns * self._number(turn)
                case ZeroOutside(low, high):
                    outside = tf.logical_or(x < self._number(low), x > self._number(high))
                    x = tf.where(outside, tf.zeros_like(x), x)
        return x

    def _number(self, value: float) -> Any:
        return self.dtype(value)

    def _by_channel(self, x: Any, numbers: tuple[float, ...], operation: Callable[[Any, Any], Any]) -> Any:
        values = np.array(numbers, dtype=self.dtype)
        if len(values) == 1:
            return operation(x, values[0])
        if x.shape[-1] == len(values):
            return operation(x, values)
        shape = self.tf.shape(x)
        split = operation(self.tf.reshape(x, (shape[0], -1, len(values))), values)
        return self.tf.reshape(split, shape)

    def _rounded(self, x: Any, mode: Rounding) -> Any:
        tf, half = self.tf, self._number(0.5)
        match mode:
            case Rounding.TRN:
                return tf.floor(x)
            case Rounding.TRN_ZERO:
                return tf.where(x < 0, tf.math.ceil(x), tf.floor(x))
            case Rounding.RND:
                return tf.floor(x + half)
            case Rounding.RND_MIN_INF:
                return tf.math.ceil(x - half)
            case Rounding.RND_ZERO:
                return tf.where(x < 0, tf.floor(x + half), tf.math.ceil(x - half))
            case Rounding.RND_INF:
                return tf.where(x < 0, tf.math.ceil(x - half), tf.floor(x + half))
            case Rounding.RND_CONV:
                return tf.round(x)

    # Layers

    def _rearrange(self, layer: Rearrange, wire: Wire) -> Callable[[Tensors], Any]:
        tf, source = self.tf, layer.source
        chain: Chain = (*((Cast(layer.result),) if layer.result is not None else ()), *self.group.tail)
        primitives = lower(chain, wire, wire.fraction)
        whole = np.array_equal(source, np.arange(len(source)))
        padded = _as_padding(source, self.network.streams[layer.inputs[0]].channels)

        def run(values: Tensors) -> Any:
            x = self._input(values, 0)
            if padded is not None:
                shape, sides = padded
                x = tf.pad(tf.reshape(x, (-1, *shape)), ((0, 0), *sides))
                x = tf.reshape(x, (-1, len(source)))
            elif not whole:
                zero = tf.pad(tf.reshape(x, (-1, self._size(layer.inputs[0]))), ((0, 0), (1, 0)))
                x = tf.gather(zero, np.where(source < 0, 0, source + 1), axis=1)
            return self._chain(primitives, x)

        return run

    def _size(self, name: str) -> int:
        stream = self.network.streams[name]
        return stream.words * stream.channels

    def _matrix(self, layer: Matrix, sums: Wire, chain: Chain) -> Callable[[Tensors], Any]:
        tf = self.tf
        scale = first_scale(chain, sums)
        factor = 2.0 ** (scale - sums.fraction)
        kernel = layer.kernel.astype(np.float64) * factor
        rest, bias = chain, None
        if chain and isinstance(chain[0], Affine) and set(chain[0].scale) == {1} and chain[0].scale_fraction == 0:
            # The bias goes with the convolution: one pass less.
            bias = np.array(chain[0].bias, dtype=object).astype(np.float64) * 2.0 ** (scale - chain[0].bias_fraction)
            bias = np.broadcast_to(bias, (kernel.shape[1],)).astype(self.dtype)
            sums, rest = _behind(chain[0], sums), chain[1:]
        primitives = lower(rest, sums, scale)
        window, outputs = layer.window, kernel.shape[1]

        def finished(x: Any) -> Any:
            return self._chain(primitives, x if bias is None else tf.nn.bias_add(x, bias))

        if window is None:
            weights = kernel.astype(self.dtype)
            return lambda values: finished(
                tf.matmul(tf.reshape(self._input(values, 0), (-1, kernel.shape[0])), weights)
            )
        margin = layer.margin
        channels = kernel.shape[0] // (window.kernel_height * window.kernel_width)
        height, width = window.height - margin.top - margin.bottom, window.width - margin.left - margin.right
        stride = (window.stride_height, window.stride_width)
        sides = ((0, 0), (margin.top, margin.bottom), (margin.left, margin.right), (0, 0))
        shaped = kernel.reshape(window.kernel_height, window.kernel_width, channels, outputs).astype(self.dtype)
        size = window.positions * outputs
        diagonal = np.arange(channels)
        # oneDNN takes this convolution and the depthwise one of the same sizes for each other, and aborts.
        single = shaped.size == 1

        def run(values: Tensors) -> Any:
            x = tf.reshape(self._input(values, 0), (-1, height, width, channels))
            if single:
                x = tf.pad(x, sides) if margin != Margin() else x
                found = x[:, :: stride[0], :: stride[1]] * shaped[0, 0]
            elif layer.depthwise and stride[0] == stride[1]:
                weights = shaped[:, :, diagonal, diagonal][..., None]
                x = tf.pad(x, sides) if margin != Margin() else x
                found = tf.nn.depthwise_conv2d(x, weights, (1, *stride, 1), "VALID")
            else:
                padding: Any = sides if margin != Margin() else "VALID"
                found = tf.nn.conv2d(x, shaped, stride, padding)
            return tf.reshape(finished(found), (-1, size))

        return run

    def _pool(self, layer: Pool, wire: Wire, tail: Chain) -> Callable[[Tensors], Any]:
        tf, kind, count = self.tf, layer.accumulator, layer.divisor
        maximum = layer.reduction is Reduction.MAXIMUM
        # The margin is as wide as the tensor's type, whatever the tensor holds.
        padded = Wire(min(wire.low, layer.padding, 0), max(wire.high, layer.padding, 0), wire.fraction)
        start = padded if layer.margin != Margin() else wire
        first = layer.converts_first or not maximum
        before = lower((Cast(kind),), start, start.fraction) if first else []
        found_wire = Wire.of(kind) if first else start
        ends: Chain = (Cast(layer.result), *tail) if first else (Cast(kind), Cast(layer.result), *tail)
        total = Wire(found_wire.low * count, found_wire.high * count, found_wire.fraction)
        wraps = [] if maximum else lower((Cast(kind),), total, kind.fraction_bits)
        after = lower(ends, found_wire, found_wire.fraction)
        window, margin, channels = layer.window, layer.margin, layer.channels
        counts: Any = self.dtype(count)
        if window is not None and margin != Margin() and not layer.counts_margin:
            inside = np.zeros((window.height, window.width))
            inside[margin.top : window.height - margin.bottom, margin.left : window.width - margin.right] = 1
            view = np.lib.stride_tricks.sliding_window_view(inside, (window.kernel_height, window.kernel_width))
            strided = view[:: window.stride_height, :: window.stride_width]
            counts = strided.sum(axis=(-2, -1)).astype(self.dtype)[None, ..., None]

        def run(values: Tensors) -> Any:
            x = self._input(values, 0)
            if window is None:
                x = self._chain(before, tf.reshape(x, (-1, count, channels)))
                found = tf.reduce_max(x, axis=1) if maximum else tf.reduce_sum(x, axis=1)
            else:
                height, width = window.height - margin.top - margin.bottom, window.width - margin.left - margin.right
                x = tf.reshape(x, (-1, height, width, channels))
                if margin != Margin():
                    sides = ((0, 0), (margin.top, margin.bottom), (margin.left, margin.right), (0, 0))
                    x = tf.pad(x, sides, constant_values=self._number(layer.padding if maximum else 0))
                x = self._chain(before, x)
                found = self._reduced(x, window, maximum)
            if not maximum:
                found = self._divided(self._chain(wraps, found), counts)
            return tf.reshape(self._chain(after, found), (-1, self._size(layer.outputs[0])))

        return run

    def _divided(self, x: Any, counts: Any) -> Any:
        """Whole numbers by whole numbers, towards zero; right whatever the kernel makes of a reciprocal."""
        tf, one = self.tf, self._number(1)
        size = tf.abs(x)
        quotient = tf.floor(size * (one / counts))
        rest = size - quotient * counts
        quotient = quotient + tf.cast(rest >= counts, self.dtype) - tf.cast(rest < 0, self.dtype)
        return tf.where(x < 0, -quotient, quotient)

    def _reduced(self, x: Any, window: Any, maximum: bool) -> Any:
        """Over each window, by its pixels one after the other."""
        parts = []
        rows, columns = window.rows, window.columns
        for row in range(window.kernel_height):
            for column in range(window.kernel_width):
                part = x[
                    :,
                    row : row + (rows - 1) * window.stride_height + 1 : window.stride_height,
                    column : column + (columns - 1) * window.stride_width + 1 : window.stride_width,
                ]
                parts.append(part)
        found = parts[0]
        for part in parts[1:]:
            found = self.tf.maximum(found, part) if maximum else found + part
        return found

    def _merge(self, layer: Merge, wires: tuple[Wire, ...], tail: Chain) -> Callable[[Tensors], Any]:
        tf = self.tf
        chain: Chain = (Cast(layer.result), *tail)
        sizes = [self._size(name) for name in layer.inputs]
        if layer.operation is MergeOperation.CONCATENATE:
            parts = [lower((Cast(layer.result),), wire, wire.fraction) for wire in wires]
            ended = Wire.of(layer.result)
            rest = lower(tail, ended, ended.fraction)
            outer = layer.outer or self.network.streams[layer.inputs[0]].words

            def join(values: Tensors) -> Any:
                found = [
                    tf.reshape(self._chain(part, self._input(values, at)), (-1, outer, sizes[at] // outer))
                    for at, part in enumerate(parts)
                ]
                return self._chain(rest, tf.reshape(tf.concat(found, axis=-1), (-1, sum(sizes))))

            return join
        merged = _merged(layer.operation, wires)
        scale = first_scale(chain, merged)
        product = layer.operation is MergeOperation.MULTIPLY
        primitives = lower(chain, merged, merged.fraction if product else scale)
        shifts = [0 if product else scale - wire.fraction for wire in wires]
        if layer.operation is MergeOperation.AVERAGE:
            shifts = [shift - 1 for shift in shifts]

        def run(values: Tensors) -> Any:
            one, two = (self._tiled(self._input(values, at), sizes[at], max(sizes)) for at in (0, 1))
            one, two = (
                x if shift == 0 else x * self._number(2.0**shift) for x, shift in zip((one, two), shifts, strict=True)
            )
            match layer.operation:
                case MergeOperation.ADD | MergeOperation.AVERAGE:
                    found = one + two
                case MergeOperation.SUBTRACT:
                    found = one - two
                case MergeOperation.MULTIPLY:
                    found = one * two
                case MergeOperation.MAXIMUM:
                    found = tf.maximum(one, two)
                case _:
                    found = tf.minimum(one, two)
            return self._chain(primitives, found)

        return run

    def _tiled(self, x: Any, size: int, wanted: int) -> Any:
        if size == wanted:
            return x
        x = self.tf.reshape(x, (-1, size))
        return self.tf.tile(x, (1, -(-wanted // size)))[:, :wanted]


def _behind(operation: Affine, wire: Wire) -> Wire:
    from nonresnet_hls.emulation.integers import hull

    return hull(operation, wire)


def _merged(operation: MergeOperation, wires: tuple[Wire, ...]) -> Wire:
    """A range that holds what two inputs make."""
    one, two = wires
    if operation is MergeOperation.MULTIPLY:
        ends = [a * b for a in (one.low, one.high) for b in (two.low, two.high)]
        return Wire(min(ends), max(ends), one.fraction + two.fraction)
    fraction = max(one.fraction, two.fraction)
    one, two = one.refined(fraction), two.refined(fraction)
    match operation:
        case MergeOperation.ADD:
            return Wire(one.low + two.low, one.high + two.high, fraction)
        case MergeOperation.AVERAGE:
            return Wire(one.low + two.low, one.high + two.high, fraction + 1)
        case MergeOperation.SUBTRACT:
            return Wire(one.low - two.high, one.high - two.low, fraction)
        case MergeOperation.MAXIMUM:
            return Wire(max(one.low, two.low), max(one.high, two.high), fraction)
        case _:
            return Wire(min(one.low, two.low), min(one.high, two.high), fraction)


def _as_padding(source: Any, channels: int) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]] | None:
    """Zeros around an image as its shape and its sides; None for any other rearrangement."""
    inside = np.flatnonzero(source >= 0)
    count = len(inside)
    if count == len(source) or count == 0 or not np.array_equal(source[inside], np.arange(count)):
        return None
    first, last = inside[0], inside[-1]
    # The first gap within tells where a row ends, and how far apart rows are.
    breaks = np.flatnonzero(np.diff(inside) > 1)
    row = int(breaks[0]) + 1 if len(breaks) else count
    wide = int(inside[row] - first) if row < count else 0
    if row % channels or wide % channels or first % channels:
        return None
    if not wide:
        return (count,), ((int(first), len(source) - 1 - int(last)),)
    rows, left = count // row, int(first) % wide
    top, height = int(first) // wide, len(source) // wide
    shape = (rows, row)
    sides = ((top, height - top - rows), (left, wide - left - row))
    rebuilt = np.pad(np.arange(count).reshape(shape), sides, constant_values=-1)
    return (shape, sides) if np.array_equal(rebuilt.reshape(-1), source) else None
