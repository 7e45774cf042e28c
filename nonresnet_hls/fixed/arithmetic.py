"""Exact integers on wires: what range a number has, and what a chain of casts and scales does to it.

A wire carries integers worth 2**-fraction each. The operations are those of hls4ml's element-wise layers on
`ap_fixed` types; each can say the range of its result and evaluate itself on integers (the reference).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding

Integers = npt.NDArray[Any]
"""Python integers in an object array, exact at any width, or `int64` where that holds them."""


@dataclass(frozen=True)
class Wire:
    """Integers from `low` to `high`, each worth 2**-fraction.

    >>> Wire(-3, 5, 0).width, Wire(0, 5, 0).width, Wire(-3, 5, 0).signed
    (4, 3, True)
    """

    low: int
    high: int
    fraction: int

    @property
    def signed(self) -> bool:
        """Whether there are negative values."""
        return self.low < 0

    @property
    def width(self) -> int:
        """Bits, the sign included; at least 1."""
        magnitude = max(
            self.high.bit_length() if self.high > 0 else 0, (-self.low - 1).bit_length() if self.signed else 0
        )
        return max(1, magnitude + self.signed)

    @classmethod
    def of(cls, kind: FixedPointType) -> "Wire":
        """All values of a type."""
        return cls(kind.min_mantissa, kind.max_mantissa, kind.fraction_bits)

    def refined(self, fraction: int) -> "Wire":
        """The same numbers with at least so many fraction bits.

        >>> Wire(-3, 5, 0).refined(2)
        Wire(low=-12, high=20, fraction=2)
        """
        more = max(0, fraction - self.fraction)
        return Wire(self.low << more, self.high << more, self.fraction + more)

    def fits(self, kind: FixedPointType) -> bool:
        """Whether every value is one of the type's, so that a cast changes nothing."""
        if self.fraction > kind.fraction_bits:
            return False
        shift = kind.fraction_bits - self.fraction
        return kind.min_mantissa <= self.low << shift and self.high << shift <= kind.max_mantissa


def cast(values: Integers, fraction: int, kind: FixedPointType) -> Integers:
    """Integers worth 2**-fraction cast to a type, as `ap_fixed` does; the result is worth the type's last bit.

    >>> from nonresnet_hls.fixed.types import FixedPointType
    >>> cast(np.array([5, 6, 7, 99], dtype=object), 2, FixedPointType.parse("ufixed<2,2,RND_CONV,SAT>")).tolist()
    [1, 2, 2, 3]
    """
    return overflowed(rounded(values, fraction - kind.fraction_bits, kind.rounding), kind)


def rounded(values: Integers, drop: int, mode: Rounding) -> Integers:
    """Integers without their last `drop` bits (negative: with so many more), rounded."""
    if drop <= 0:
        more: Integers = values << -drop
        return more
    low: Integers = values >> drop
    rest = values - (low << drop)
    half = 1 << (drop - 1)
    match mode:
        case Rounding.TRN:
            return low
        case Rounding.TRN_ZERO:
            up = (values < 0) & (rest != 0)
        case Rounding.RND:
            up = rest >= half
        case Rounding.RND_ZERO:
            up = (rest > half) | ((rest == half) & (values < 0))
        case Rounding.RND_INF:
            up = (rest > half) | ((rest == half) & (values > 0))
        case Rounding.RND_MIN_INF:
            up = rest > half
        case Rounding.RND_CONV:
            up = (rest > half) | ((rest == half) & ((low & 1) == 1))
    result: Integers = low + up.astype(low.dtype)
    return result


def overflowed(values: Integers, kind: FixedPointType) -> Integers:
    """Integers worth a type's last bit, as the type holds them."""
    result: Integers
    match kind.overflow:
        case Overflow.SAT | Overflow.SAT_SYM:
            result = np.minimum(np.maximum(values, kind.min_stored), kind.max_mantissa)
        case Overflow.SAT_ZERO:
            result = np.where((values < kind.min_mantissa) | (values > kind.max_mantissa), 0, values)
        case Overflow.WRAP:
            result = (values - kind.min_mantissa) % (1 << kind.width) + kind.min_mantissa
    return result


@dataclass(frozen=True)
class Cast:
    """To a fixed-point type."""

    kind: FixedPointType

    def range(self, wire: Wire, channel: int) -> Wire:
        """What comes out of what comes in."""
        del channel
        kind = self.kind
        ends = rounded(np.array([wire.low, wire.high], dtype=object), wire.fraction - kind.fraction_bits, kind.rounding)
        low, high = int(ends[0]), int(ends[1])
        if kind.min_stored <= low and high <= kind.max_mantissa:
            return Wire(low, high, kind.fraction_bits)
        match kind.overflow:
            case Overflow.WRAP:
                return Wire.of(kind)
            case Overflow.SAT | Overflow.SAT_SYM:
                return Wire(kind.overflowed(low), kind.overflowed(high), kind.fraction_bits)
            case Overflow.SAT_ZERO:
                least, most = max(low, kind.min_mantissa), min(high, kind.max_mantissa)
                return Wire(min(0, least), max(0, most), kind.fraction_bits)

    def apply(self, values: Integers, wire: Wire, channel: int) -> Integers:
        """The integers of one channel, evaluated."""
        del channel
        return cast(values, wire.fraction, self.kind)


@dataclass(frozen=True)
class Positive:
    """max(x, 0)."""

    def range(self, wire: Wire, channel: int) -> Wire:
        """What comes out of what comes in."""
        del channel
        return Wire(max(wire.low, 0), max(wire.high, 0), wire.fraction)

    def apply(self, values: Integers, wire: Wire, channel: int) -> Integers:
        """The integers of one channel, evaluated."""
        del wire, channel
        positive: Integers = np.maximum(values, 0)
        return positive


@dataclass(frozen=True)
class Affine:
    """x * scale[c] + bias[c], exact; one scale and bias a channel, or one for all."""

    scale: tuple[int, ...]
    scale_fraction: int
    bias: tuple[int, ...]
    bias_fraction: int

    def terms(self, wire: Wire, channel: int) -> tuple[int, int, int]:
        """Scale and bias of a channel as integers of one fraction, and that fraction."""
        fraction = max(wire.fraction + self.scale_fraction, self.bias_fraction)
        scale = self.scale[channel % len(self.scale)] << (fraction - wire.fraction - self.scale_fraction)
        bias = self.bias[channel % len(self.bias)] << (fraction - self.bias_fraction)
        return scale, bias, fraction

    def range(self, wire: Wire, channel: int) -> Wire:
        """What comes out of what comes in."""
        scale, bias, fraction = self.terms(wire, channel)
        ends = sorted((wire.low * scale + bias, wire.high * scale + bias))
        return Wire(ends[0], ends[1], fraction)

    def apply(self, values: Integers, wire: Wire, channel: int) -> Integers:
        """The integers of one channel, evaluated."""
        scale, bias, _ = self.terms(wire, channel)
        result: Integers = values * scale + bias
        return result


@dataclass(frozen=True)
class AtMost:
    """min(x, limit), the limit a whole number."""

    limit: int

    def range(self, wire: Wire, channel: int) -> Wire:
        """What comes out of what comes in."""
        del channel
        wire = wire.refined(0)
        most = self.limit << wire.fraction
        return Wire(min(wire.low, most), min(wire.high, most), wire.fraction)

    def apply(self, values: Integers, wire: Wire, channel: int) -> Integers:
        """The integers of one channel, evaluated."""
        del channel
        fine = wire.refined(0)
        limited: Integers = np.minimum(values << (fine.fraction - wire.fraction), self.limit << fine.fraction)
        return limited


@dataclass(frozen=True)
class Threshold:
    """x where it is greater than theta, worth 2**-fraction; else 0."""

    theta: int
    fraction: int

    def range(self, wire: Wire, channel: int) -> Wire:
        """What comes out of what comes in."""
        del channel
        return Wire(min(wire.low, 0), max(wire.high, 0), wire.fraction)

    def apply(self, values: Integers, wire: Wire, channel: int) -> Integers:
        """The integers of one channel, evaluated."""
        del channel
        # x > theta, in the unit of x: x > floor(theta).
        shift = wire.fraction - self.fraction
        theta = self.theta << shift if shift >= 0 else self.theta >> -shift
        kept: Integers = np.where(values > theta, values, 0)
        return kept


@dataclass(frozen=True)
class Constant:
    """A number whatever comes in."""

    value: int
    fraction: int

    def range(self, wire: Wire, channel: int) -> Wire:
        """What comes out of what comes in."""
        del wire, channel
        return Wire(self.value, self.value, self.fraction)

    def apply(self, values: Integers, wire: Wire, channel: int) -> Integers:
        """The integers of one channel, evaluated."""
        del wire, channel
        same: Integers = np.full_like(values, self.value)
        return same


@dataclass(frozen=True)
class Lookup:
    """An entry of a table: x * numerator / divisor towards zero, and `offset`, clamped to the table, is its index."""

    values: tuple[int, ...]
    fraction: int
    numerator: int
    divisor: int
    offset: int

    def range(self, wire: Wire, channel: int) -> Wire:
        """What comes out of what comes in."""
        del wire, channel
        return Wire(min(self.values), max(self.values), self.fraction)

    def apply(self, values: Integers, wire: Wire, channel: int) -> Integers:
        """The integers of one channel, evaluated."""
        del channel
        numerator = self.numerator << max(0, -wire.fraction)
        divisor = self.divisor << max(0, wire.fraction)
        if divisor < 0:
            numerator, divisor = -numerator, -divisor
        scaled = values.astype(object) * numerator
        towards_zero = np.where(scaled >= 0, scaled // divisor, -(-scaled // divisor))
        # hls4ml counts in `int`.
        index = (towards_zero + self.offset + (1 << 31)) % (1 << 32) - (1 << 31)
        index = np.clip(index, 0, len(self.values) - 1).astype(np.int64)
        found: Integers = np.array(self.values, dtype=object)[index].astype(values.dtype)
        return found


@dataclass(frozen=True)
class BitLookup:
    """The entry of a table whose index is the bits of x, as many as the table needs."""

    values: tuple[int, ...]
    fraction: int
    width: int
    """Of the number that comes in."""

    def range(self, wire: Wire, channel: int) -> Wire:
        """What comes out of what comes in."""
        del wire, channel
        return Wire(min(self.values), max(self.values), self.fraction)

    def apply(self, values: Integers, wire: Wire, channel: int) -> Integers:
        """The integers of one channel, evaluated."""
        del wire, channel
        index = (values % (1 << self.width)).astype(np.int64)
        found: Integers = np.array(self.values, dtype=object)[index].astype(values.dtype)
        return found


@dataclass(frozen=True)
class Piecewise:
    """One chain for x >= 0, another for x < 0."""

    positive: "Chain"
    negative: "Chain"

    def _parts(self, wire: Wire, channel: int) -> tuple[Wire, Wire]:
        positive = Wire(max(wire.low, 0), max(wire.high, 0), wire.fraction)
        negative = Wire(min(wire.low, 0), min(wire.high, 0), wire.fraction)
        return ranges(self.positive, positive, channel)[-1], ranges(self.negative, negative, channel)[-1]

    def range(self, wire: Wire, channel: int) -> Wire:
        """What comes out of what comes in."""
        one, two = self._parts(wire, channel)
        fraction = max(one.fraction, two.fraction)
        one, two = one.refined(fraction), two.refined(fraction)
        return Wire(min(one.low, two.low), max(one.high, two.high), fraction)

    def apply(self, values: Integers, wire: Wire, channel: int) -> Integers:
        """The integers of one channel, evaluated."""
        one, two = self._parts(wire, channel)
        fraction = max(one.fraction, two.fraction)
        positive = Wire(max(wire.low, 0), max(wire.high, 0), wire.fraction)
        negative = Wire(min(wire.low, 0), min(wire.high, 0), wire.fraction)
        above = evaluate(self.positive, np.maximum(values, 0), positive, channel) << (fraction - one.fraction)
        below = evaluate(self.negative, np.minimum(values, 0), negative, channel) << (fraction - two.fraction)
        chosen: Integers = np.where(values >= 0, above, below)
        return chosen


Operation = Cast | Positive | Affine | AtMost | Threshold | Constant | Lookup | BitLookup | Piecewise
Chain = tuple[Operation, ...]


def ranges(chain: Chain, wire: Wire, channel: int) -> list[Wire]:
    """The wire before the first operation, and after each."""
    wires = [wire]
    for operation in chain:
        wires.append(operation.range(wires[-1], channel))
    return wires


def evaluate(chain: Chain, values: Integers, wire: Wire, channel: int) -> Integers:
    """What the chain makes of the integers of one channel."""
    for operation in chain:
        values = operation.apply(values, wire, channel)
        wire = operation.range(wire, channel)
    return values


@dataclass(frozen=True)
class Staircase:
    """A chain as thresholds: the result is values[k] where k thresholds are reached."""

    thresholds: tuple[int, ...]
    values: tuple[int, ...]


def staircase(chain: Chain, wire: Wire, channel: int, most: int) -> Staircase | None:
    """The chain on one channel as at most `most` thresholds; None where there are more, or the range is huge."""
    if wire.high - wire.low >= 1 << 16:
        return None
    domain = np.arange(wire.low, wire.high + 1).astype(object)
    image = evaluate(chain, domain, wire, channel)
    steps = np.flatnonzero(image[1:] != image[:-1])
    if not 1 <= len(steps) <= most:
        return None
    return Staircase(
        tuple(int(domain[step + 1]) for step in steps),
        (int(image[0]), *(int(image[step + 1]) for step in steps)),
    )


def signed_digits(value: int) -> list[tuple[int, int]]:
    """The canonical signed-digit form: (shift, +1 or -1), the fewest that add up to `value`.

    >>> signed_digits(7), signed_digits(-6)
    ([(0, -1), (3, 1)], [(1, 1), (3, -1)])
    """
    digits = []
    shift = 0
    while value:
        if value & 1:
            digit = 2 - (value & 3)
            digits.append((shift, digit))
            value -= digit
        value >>= 1
        shift += 1
    return digits
