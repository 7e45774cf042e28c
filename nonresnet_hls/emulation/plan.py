"""What is proved of a network before it runs: the range of every tensor, and the bits that each layer needs."""

from dataclasses import dataclass
from enum import StrEnum

from nonresnet_hls.emulation.integers import hull, sum_wire
from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.arithmetic import Affine, Cast, Chain, Operation, Piecewise, Wire
from nonresnet_hls.fixed.network import (
    ArgMax,
    Clone,
    Dot,
    Elementwise,
    Embedding,
    Layer,
    LegacySoftmax,
    Matrix,
    Merge,
    MergeOperation,
    Network,
    Pool,
    Rearrange,
    Reduction,
    Softmax,
)
from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding


class Arithmetic(StrEnum):
    """The numbers that a layer is evaluated in."""

    FLOAT32 = "float32"
    """Exact up to 24 bits."""
    FLOAT64 = "float64"
    """Exact up to 53 bits."""
    INTEGERS = "integers"

    @property
    def bits(self) -> int:
        """The most that an exact number may have, the sign apart."""
        return {Arithmetic.FLOAT32: 24, Arithmetic.FLOAT64: 53, Arithmetic.INTEGERS: 60}[self]


@dataclass(frozen=True)
class Step:
    """One layer, and what is known of the numbers in it."""

    layer: Layer
    inputs: tuple[Wire, ...]
    output: Wire
    sums: Wire | None
    """Of a matrix: its exact sums of products."""
    bits: int
    """Of the greatest number on the way, the sign apart, were all of one layer counted in its finest unit."""


def plan(network: Network) -> tuple[Step, ...]:
    """The steps of a network in order.

    Raises:
        ConversionError: a layer whose range is not known.
    """
    wires = {name: Wire.of(network.streams[name].kind) for name in network.inputs}
    steps = []
    for layer in network.layers:
        inputs = tuple(wires[name] for name in layer.inputs)
        step = _step(layer, inputs)
        steps.append(step)
        wires.update(dict.fromkeys(layer.outputs, step.output))
    return tuple(steps)


def _step(layer: Layer, inputs: tuple[Wire, ...]) -> Step:
    wire, sums = inputs[0], None
    seen = list(inputs)
    needed = 0
    match layer:
        case Clone():
            output = wire
        case Elementwise():
            output, needed = _through(layer.chain, wire, seen)
        case Matrix():
            if layer.sequence and layer.accumulator is not None:
                exact = sum_wire(layer, wire)
                seen.append(exact)
                needed = max(_cast_bits(exact, layer.accumulator), layer.accumulator.width) + 1
                output, more = _through(layer.chain, Wire.of(layer.accumulator), seen)
            else:
                sums = sum_wire(layer, wire)
                output, more = _through(layer.chain, sums, seen)
            needed = max(needed, more)
        case Pool():
            output, needed = _pool(layer, wire, seen)
        case Merge():
            output, needed = _merge(layer, inputs, seen)
        case Rearrange():
            zero = Wire(min(wire.low, 0), max(wire.high, 0), wire.fraction)
            output, needed = (zero, 0) if layer.result is None else _through((Cast(layer.result),), zero, seen)
        case Embedding():
            values = [int(one) for one in layer.table.flat]
            table = Wire(min(values), max(values), layer.table_fraction)
            output, needed = _through((Cast(layer.result),), table, seen)
        case Dot():
            one, two = inputs
            ends = [a * b for a in (one.low, one.high) for b in (two.low, two.high)]
            product = Wire(min(ends), max(ends), one.fraction + two.fraction)
            seen.append(product)
            needed = max(_cast_bits(product, layer.accumulator), layer.accumulator.width) + 1
            output, more = _through((Cast(layer.result),), Wire.of(layer.accumulator), seen)
            needed = max(needed, more)
        case Softmax():
            output = Wire.of(layer.result)
            kinds = (layer.exponentials.value_kind, layer.accumulator, layer.inverses.kind, layer.inverses.value_kind)
            needed = sum(kind.width for kind in kinds) + layer.result.width + abs(layer.result.fraction_bits)
            needed += layer.difference.width if layer.difference else 0
            needed += sum(abs(kind.fraction_bits) for kind in kinds)
        case LegacySoftmax() | ArgMax():
            output = Wire.of(layer.result)
            needed = 2 * layer.result.width + abs(layer.result.fraction_bits) + wire.width + 2
            if isinstance(layer, LegacySoftmax):
                needed += layer.table_kind.width + abs(layer.table_kind.fraction_bits)
        case _:
            raise ConversionError(f"layer {layer.name!r}: no range of {type(layer).__name__} is known")
    seen.append(output)
    return Step(layer, inputs, output, sums, max(needed, _common_bits(seen)))


def _common_bits(wires: list[Wire]) -> int:
    """Bits of all of them in the finest unit among them."""
    fraction = max(wire.fraction for wire in wires)
    return max(_bits(wire.refined(fraction)) for wire in wires)


def _bits(wire: Wire) -> int:
    return max(abs(wire.low), abs(wire.high)).bit_length()


def _through(chain: Chain, wire: Wire, seen: list[Wire]) -> tuple[Wire, int]:
    """The range behind a chain, and the bits that it needs besides the wires that it adds to `seen`."""
    needed = 0
    seen.append(wire)
    for operation in chain:
        needed = max(needed, _operation_bits(operation, wire, seen))
        wire = hull(operation, wire)
        seen.append(wire)
    return wire, needed


def _operation_bits(operation: Operation, wire: Wire, seen: list[Wire]) -> int:
    match operation:
        case Cast():
            return _cast_bits(wire, operation.kind)
        case Affine():
            fraction = max(wire.fraction + operation.scale_fraction, operation.bias_fraction)
            numbers = [abs(one) << (fraction - wire.fraction - operation.scale_fraction) for one in operation.scale]
            numbers += [abs(one) << (fraction - operation.bias_fraction) for one in operation.bias]
            product = max(numbers).bit_length() + _bits(wire)
            return product + 1 if max(abs(one) for one in operation.scale) > 1 else max(numbers).bit_length()
        case Piecewise():
            positive = Wire(max(wire.low, 0), max(wire.high, 0), wire.fraction)
            negative = Wire(min(wire.low, 0), min(wire.high, 0), wire.fraction)
            return max(_through(operation.positive, positive, seen)[1], _through(operation.negative, negative, seen)[1])
    return 0


def _cast_bits(wire: Wire, kind: FixedPointType) -> int:
    """Bits of what a cast computes with: the shifted number, with the half that is added, the turn of what wraps."""
    drop = wire.fraction - kind.fraction_bits
    greatest = max(abs(wire.low), abs(wire.high)) << max(0, -drop)
    if drop > 0 and kind.rounding not in _WITHOUT_HALF:
        greatest += 1 << (drop - 1)
    rounded = (greatest >> max(0, drop)) + 1
    if kind.overflow is Overflow.WRAP and rounded > kind.max_mantissa:
        rounded += 1 << kind.width
    return max(greatest.bit_length(), rounded.bit_length(), drop if drop > _SHIFTED else 0)


_WITHOUT_HALF = (Rounding.TRN, Rounding.TRN_ZERO, Rounding.RND_CONV)
# Shifts beyond the width of a machine's integer need Python's.
_SHIFTED = 60


def _pool(layer: Pool, wire: Wire, seen: list[Wire]) -> tuple[Wire, int]:
    kind = layer.accumulator
    padded = Wire(min(wire.low, layer.padding, 0), max(wire.high, layer.padding, 0), wire.fraction)
    start = padded if layer.margin != type(layer.margin)() else wire
    needed = _cast_bits(start, kind)
    if layer.reduction is Reduction.MAXIMUM:
        output, more = _through((Cast(kind), Cast(layer.result)), start, seen)
        return output, max(needed, more)
    count = layer.divisor
    total = Wire(start.low * count, start.high * count, start.fraction)
    # Of pixels that are converted one by one, each can gain a last bit.
    drop = max(0, start.fraction - kind.fraction_bits)
    total = Wire(total.low - (count << drop), total.high + (count << drop), total.fraction)
    seen.append(total)
    needed = max(needed, _cast_bits(total, kind) + count.bit_length())
    sums = hull(Cast(kind), total)
    least, most = min(sums.low, 0), max(sums.high, 0)
    if layer.margin == type(layer.margin)() or layer.counts_margin:
        least, most = -(-least // count), most // count
    output, more = _through((Cast(layer.result),), Wire(least, most, sums.fraction), seen)
    return output, max(needed, more)


def _merge(layer: Merge, inputs: tuple[Wire, ...], seen: list[Wire]) -> tuple[Wire, int]:
    cast: Chain = (Cast(layer.result),)
    if layer.operation is MergeOperation.CONCATENATE:
        ends = [_through(cast, wire, seen) for wire in inputs]
        low, high = min(end.low for end, _ in ends), max(end.high for end, _ in ends)
        return Wire(low, high, layer.result.fraction_bits), max(more for _, more in ends)
    one, two = inputs
    if layer.operation is MergeOperation.MULTIPLY:
        products = [a * b for a in (one.low, one.high) for b in (two.low, two.high)]
        return _through(cast, Wire(min(products), max(products), one.fraction + two.fraction), seen)
    fraction = max(one.fraction, two.fraction)
    one, two = one.refined(fraction), two.refined(fraction)
    match layer.operation:
        case MergeOperation.ADD:
            merged = Wire(one.low + two.low, one.high + two.high, fraction)
        case MergeOperation.SUBTRACT:
            merged = Wire(one.low - two.high, one.high - two.low, fraction)
        case MergeOperation.AVERAGE:
            merged = Wire(one.low + two.low, one.high + two.high, fraction + 1)
        case MergeOperation.MAXIMUM:
            merged = Wire(max(one.low, two.low), max(one.high, two.high), fraction)
        case MergeOperation.MINIMUM:
            merged = Wire(min(one.low, two.low), min(one.high, two.high), fraction)
    return _through(cast, merged, seen)
