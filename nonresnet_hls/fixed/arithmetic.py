"""Exact integers on wires: what range a number has, and what a chain of casts and scales does to it.

A wire carries integers worth 2**-fraction each. The operations are those of hls4ml's element-wise layers on
`ap_fixed` types; each can say the range of its result and evaluate itself on integers (the reference).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding

Integers = npt.NDArray[np.object_]
"""Python integers in an object array: exact at any width."""


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
    drop = fraction - kind.fraction_bits
    if drop <= 0:
        rounded = values << -drop
    else:
        rounded = values >> drop
        if kind.rounding is not Rounding.TRN:
            rest = values - (rounded << drop)
            half = 1 << (drop - 1)
            odd = rounded & 1
            up = rest >= half if kind.rounding is Rounding.RND else (rest > half) | ((rest == half) & (odd == 1))
            rounded = rounded + up.astype(int).astype(object)
    if kind.overflow is Overflow.SAT:
        clipped: Integers = np.minimum(np.maximum(rounded, kind.min_mantissa), kind.max_mantissa)
        return clipped
    wrapped: Integers = (rounded - kind.min_mantissa) % (1 << kind.width) + kind.min_mantissa
    return wrapped


@dataclass(frozen=True)
class Cast:
    """To a fixed-point type."""

    kind: FixedPointType

    def range(self, wire: Wire, channel: int) -> Wire:
        """What comes out of what comes in."""
        del channel
        kind = self.kind
        if kind.overflow is Overflow.WRAP:
            wide = FixedPointType(
                kind.width + wire.width + 64, kind.integer_bits + wire.width + 64, rounding=kind.rounding
            )
            ends = cast(np.array([wire.low, wire.high], dtype=object), wire.fraction, wide)
            if not (kind.min_mantissa <= ends[0] and ends[1] <= kind.max_mantissa):
                return Wire.of(kind)
        low, high = cast(np.array([wire.low, wire.high], dtype=object), wire.fraction, kind)
        return Wire(int(low), int(high), kind.fraction_bits)

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


Operation = Cast | Positive | Affine
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
