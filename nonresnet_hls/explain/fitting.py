"""Fixed-point types that fit numbers: exactly where they lie on a grid, else with so many bits as are given."""

import math
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from nonresnet_hls.fixed.arithmetic import Wire
from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding

_FINEST = 62
_FLOAT64_BITS = 53


def grid(values: Any, most_bits: int) -> FixedPointType | None:
    """The narrowest type that holds all numbers exactly; None where that takes more bits.

    >>> str(grid([0.25, -3.0], 8)), grid([1 / 3], 8)
    ('fixed<5,3>', None)
    """
    array = np.unique(np.asarray(values, np.float64))
    if not array.any():
        return FixedPointType(1, 1, signed=False)
    mantissas, exponents = np.frexp(array[array != 0])
    whole = (np.ldexp(mantissas, 53)).astype(np.int64)
    zeros = [(int(one) & -int(one)).bit_length() - 1 for one in whole.tolist()]
    fraction = max(53 - int(exponent) - zero for exponent, zero in zip(exponents.tolist(), zeros, strict=True))
    if fraction > _FINEST:
        return None
    lsb = Fraction(2) ** -fraction
    kind = FixedPointType.covering(Fraction(float(array[0])), Fraction(float(array[-1])), lsb)
    return kind if kind.width <= most_bits else None


def covering(wire: Wire) -> FixedPointType:
    """The narrowest type that holds a range."""
    return FixedPointType(wire.width, wire.width - wire.fraction, wire.signed)


def fitted(least: float, greatest: float, bits: int, rounding: Rounding = Rounding.RND) -> FixedPointType:
    """A type of so many bits that just holds a range; rounds and saturates.

    >>> str(fitted(-1.5, 3.0, 8)), str(fitted(0.0, 0.9, 8))
    ('fixed<8,3,RND,SAT>', 'ufixed<8,0,RND,SAT>')
    """
    least, greatest = float(least), float(greatest)
    signed = least < 0
    integer = _integer_bits(max(greatest, 0.0), bits, signed)
    if signed:
        integer = max(integer, math.ceil(math.log2(-least)) if least < 0 else integer)
    return FixedPointType(bits, integer + signed, signed, rounding, Overflow.SAT)


def _integer_bits(greatest: float, bits: int, signed: bool) -> int:
    """So many that the greatest number is rounded to one that the type holds."""
    if greatest <= 0:
        return -_FINEST
    power = math.frexp(greatest)[1]  # greatest < 2**power
    last_bit = 2.0 ** (power - bits + signed)
    return power + (greatest >= 2.0**power - last_bit / 2)


def fitted_to(values: Any, bits: int) -> FixedPointType:
    """A signed type of so many bits for constants, with the least squared error; rounds to even and saturates."""
    array = np.asarray(values, np.float64)
    largest = float(np.abs(array).max(initial=0.0))
    if not largest:
        return FixedPointType(1, 1, signed=False)
    power = math.frexp(largest)[1]

    def error(kind: FixedPointType) -> float:
        return float(np.square(kind.quantize_array(array) - array).sum())

    signed = bool((array < 0).any())
    candidates = [
        FixedPointType(bits, power + signed - fewer, signed, Rounding.RND_CONV, Overflow.SAT) for fewer in (-1, 0, 1, 2)
    ]
    return min(candidates, key=error)


def cast(values: Any, kind: FixedPointType) -> Any:
    """Numbers (float64, any shape) as a type of any width holds them; beyond 53 bits as near as float64 comes."""
    array = np.asarray(values, np.float64)
    if kind.width <= _FLOAT64_BITS:
        return kind.quantize_array(array)
    # What has more bits before the last than float64 holds has none behind it.
    narrow = FixedPointType(_FLOAT64_BITS, _FLOAT64_BITS - kind.fraction_bits, True, kind.rounding, Overflow.SAT)
    limit = 2.0 ** (_FLOAT64_BITS - 2 - kind.fraction_bits)
    found = np.where(np.abs(array) < limit, narrow.quantize_array(np.clip(array, -limit, limit)), array)
    beyond = (array < float(kind.min)) | (array > float(kind.max))
    if beyond.any():
        found[beyond] = [float(kind.quantize(float(one))) for one in array[beyond]]
    return found


def plain(kind: FixedPointType) -> FixedPointType:
    """The same numbers, without rounding and saturation: of a type that nothing is rounded or cut to."""
    return replace(kind, rounding=Rounding.TRN, overflow=Overflow.WRAP)


def hull(kinds: Iterable[FixedPointType]) -> Wire:
    """A range that holds the numbers of all types."""
    wires = [Wire.of(kind) for kind in kinds]
    fraction = max(wire.fraction for wire in wires)
    fine = [wire.refined(fraction) for wire in wires]
    return Wire(min(one.low for one in fine), max(one.high for one in fine), fraction)
