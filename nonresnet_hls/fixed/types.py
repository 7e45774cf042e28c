"""Fixed-point types, written and behaving as `ap_fixed<W,I,Q,O>` of Vivado HLS (UG902, arbitrary precision types).

A type with `width` W and `integer_bits` I (sign included) holds the multiples of 2**(I-W) in
[-2**(I-1), 2**(I-1)) when signed, [0, 2**I) when unsigned.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from nonresnet_hls.errors import NonResNetError, shown

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Rounding(StrEnum):
    """What happens to bits below the last one; the default of `ap_fixed` truncates."""

    TRN = "TRN"
    """Towards minus infinity."""
    TRN_ZERO = "TRN_ZERO"
    """Towards zero."""
    RND = "RND"
    """To nearest, ties towards plus infinity."""
    RND_ZERO = "RND_ZERO"
    """To nearest, ties towards zero."""
    RND_INF = "RND_INF"
    """To nearest, ties away from zero."""
    RND_MIN_INF = "RND_MIN_INF"
    """To nearest, ties towards minus infinity."""
    RND_CONV = "RND_CONV"
    """To nearest, ties to even: what Keras and QKeras do."""


class Overflow(StrEnum):
    """What happens to values out of range; the default of `ap_fixed` wraps."""

    WRAP = "WRAP"
    SAT = "SAT"
    """Clamp to the nearest bound, -2**(I-1) included (QKeras does the same)."""
    SAT_ZERO = "SAT_ZERO"
    """To zero."""
    SAT_SYM = "SAT_SYM"
    """Clamp to the nearest bound, of a signed type to -2**(I-1) and one last bit at least."""


MAX_WIDTH = 1 << 16
"""Bits of a type that is read from text: more than any tool takes."""


class FixedPointError(NonResNetError, ValueError):
    """A type that cannot be, or a value that a type cannot hold exactly."""


@dataclass(frozen=True)
class FixedPointType:
    """One fixed-point type.

    >>> t = FixedPointType.parse("ufixed<5,1>")
    >>> str(t), t.lsb, t.max
    ('ufixed<5,1>', Fraction(1, 16), Fraction(31, 16))
    >>> str(FixedPointType(8, 2, rounding=Rounding.RND_CONV, overflow=Overflow.SAT))
    'fixed<8,2,RND_CONV,SAT>'

    `integer_bits` may be negative or greater than `width`, as in `ap_fixed`.
    """

    width: int
    integer_bits: int
    signed: bool = True
    rounding: Rounding = Rounding.TRN
    overflow: Overflow = Overflow.WRAP

    def __post_init__(self) -> None:
        if self.width < 1:
            raise FixedPointError(f"fixed-point width: at least 1 bit wanted, not {self.width!r}")

    @property
    def fraction_bits(self) -> int:
        """Bits behind the binary point; negative where the last bit is worth 2 or more."""
        return self.width - self.integer_bits

    @property
    def lsb(self) -> Fraction:
        """The value of the last bit."""
        return Fraction(2) ** -self.fraction_bits

    @property
    def min_mantissa(self) -> int:
        """Least integer multiple of the last bit that the type holds."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def max_mantissa(self) -> int:
        """Greatest integer multiple of the last bit that the type holds."""
        return (1 << (self.width - 1)) - 1 if self.signed else (1 << self.width) - 1

    @property
    def min(self) -> Fraction:
        """Least value."""
        return self.min_mantissa * self.lsb

    @property
    def max(self) -> Fraction:
        """Greatest value."""
        return self.max_mantissa * self.lsb

    def __str__(self) -> str:
        sign = "" if self.signed else "u"
        modes = ""
        if self.overflow is not Overflow.WRAP:
            modes = f",{self.rounding},{self.overflow}"
        elif self.rounding is not Rounding.TRN:
            modes = f",{self.rounding}"
        return f"{sign}fixed<{self.width},{self.integer_bits}{modes}>"

    @classmethod
    def parse(cls, text: str) -> "FixedPointType":
        """Read `fixed<W,I>`, `ap_ufixed<W,I,RND_CONV,SAT>`, `AP_RND` and so on.

        Raises:
            FixedPointError: the text is no fixed-point type.
        """
        match = re.fullmatch(r"(?:ap_)?(u?)fixed<([^<>]*)>", text.strip())
        parts = [part.strip().removeprefix("AP_") for part in match[2].split(",")] if match else []
        try:
            if match is None or not 2 <= len(parts) <= 4:
                raise ValueError
            width, integer_bits = int(parts[0]), int(parts[1])
            if max(abs(width), abs(integer_bits)) > MAX_WIDTH:
                raise ValueError
            return cls(
                width,
                integer_bits,
                signed=not match[1],
                rounding=Rounding(parts[2]) if len(parts) > 2 else Rounding.TRN,
                overflow=Overflow(parts[3]) if len(parts) > 3 else Overflow.WRAP,
            )
        except ValueError:
            raise FixedPointError(
                f"fixed-point type: 'fixed<W,I>' or 'ufixed<W,I,Q,O>' wanted, not {shown(text)}"
            ) from None

    @classmethod
    def covering(cls, low: Fraction | int, high: Fraction | int, lsb: Fraction) -> "FixedPointType":
        """The narrowest type that holds every multiple of `lsb` from `low` to `high`; unsigned if `low` >= 0.

        >>> str(FixedPointType.covering(Fraction(-3, 4), 5, Fraction(1, 4)))
        'fixed<6,4>'
        """
        exponent = _log2(lsb, "least significant bit")
        low_mantissa, high_mantissa = low / lsb, high / lsb
        if low_mantissa.denominator != 1 or high_mantissa.denominator != 1 or low > high:
            raise FixedPointError(f"range {low}..{high}: two multiples of {lsb} in rising order wanted")
        signed = low < 0
        bits = max(int(high_mantissa).bit_length(), (-int(low_mantissa) - 1).bit_length() if signed else 0)
        width = max(bits + signed, 1)
        return cls(width, width + exponent, signed=signed)

    def quantize(self, value: Fraction | int | float) -> Fraction:
        """One value as the type stores it, after its rounding and overflow: the plain definition, exact.

        >>> t = FixedPointType(4, 2, rounding=Rounding.RND_CONV, overflow=Overflow.SAT)
        >>> [float(t.quantize(v)) for v in (0.3, 0.125, 0.375, 9, -9)]
        [0.25, 0.0, 0.5, 1.75, -2.0]
        """
        return self.overflowed(self.rounded(Fraction(value) / self.lsb)) * self.lsb

    def rounded(self, scaled: Fraction) -> int:
        """A number of last bits, rounded to a whole one."""
        low = scaled.__floor__()
        rest = scaled - low
        if rest == 0:
            return low
        match self.rounding:
            case Rounding.TRN:
                return low
            case Rounding.TRN_ZERO:
                return low + (scaled < 0)
            case _ if rest != Fraction(1, 2):
                return low + (rest > Fraction(1, 2))
            case Rounding.RND:
                return low + 1
            case Rounding.RND_ZERO:
                return low + (scaled < 0)
            case Rounding.RND_INF:
                return low + (scaled > 0)
            case Rounding.RND_MIN_INF:
                return low
            case Rounding.RND_CONV:
                return low + low % 2

    def overflowed(self, mantissa: int) -> int:
        """A whole number of last bits as the type holds it."""
        if self.min_stored <= mantissa <= self.max_mantissa:
            return mantissa
        match self.overflow:
            case Overflow.WRAP:
                return (mantissa - self.min_mantissa) % (1 << self.width) + self.min_mantissa
            case Overflow.SAT_ZERO:
                return 0
            case Overflow.SAT | Overflow.SAT_SYM:
                return min(max(mantissa, self.min_stored), self.max_mantissa)

    @property
    def min_stored(self) -> int:
        """Least mantissa that a cast leaves: with SAT_SYM, one more than the type holds."""
        return self.min_mantissa + (self.signed and self.overflow is Overflow.SAT_SYM)

    def quantize_array(self, values: "npt.ArrayLike") -> "npt.NDArray[np.float64]":
        """`quantize` for arrays of float64 of any shape; exact for types of up to 53 bits.

        Raises:
            FixedPointError: the type is wider than 53 bits.
        """
        import numpy as np

        if self.width > 53:
            raise FixedPointError(f"{self}: at most 53 bits wanted for float64")
        scaled = np.ldexp(np.asarray(values, dtype=np.float64), self.fraction_bits)
        low = np.floor(scaled)
        # floor(x + 1/2) would itself round where x has no bit left for the half.
        rest = scaled - low
        match self.rounding:
            case Rounding.TRN:
                mantissa = low
            case Rounding.TRN_ZERO:
                mantissa = np.trunc(scaled)
            case Rounding.RND:
                mantissa = low + (rest >= 0.5)
            case Rounding.RND_MIN_INF:
                mantissa = low + (rest > 0.5)
            case Rounding.RND_ZERO:
                mantissa = low + np.where(scaled < 0, rest >= 0.5, rest > 0.5)
            case Rounding.RND_INF:
                mantissa = low + np.where(scaled > 0, rest >= 0.5, rest > 0.5)
            case Rounding.RND_CONV:
                mantissa = np.rint(scaled)
        match self.overflow:
            case Overflow.SAT | Overflow.SAT_SYM:
                mantissa = np.clip(mantissa, self.min_stored, self.max_mantissa)
            case Overflow.SAT_ZERO:
                mantissa = np.where((mantissa < self.min_mantissa) | (mantissa > self.max_mantissa), 0.0, mantissa)
            case Overflow.WRAP:
                # Into one turn first: with 53 bits, a difference with the least mantissa would itself round.
                mantissa = np.mod(mantissa, 2.0**self.width)
                mantissa = np.where(mantissa > self.max_mantissa, mantissa - 2.0**self.width, mantissa)
        # + 0.0: no negative zeros.
        result: npt.NDArray[np.float64] = np.ldexp(mantissa, -self.fraction_bits) + 0.0
        return result

    def mantissas(self, values: "npt.ArrayLike") -> "npt.NDArray[np.int64]":
        """The integers that stand for `values` (any shape), which the type must hold exactly.

        Raises:
            FixedPointError: the type is wider than 62 bits, or some value is not one of the type's.
        """
        import numpy as np

        if self.width > 62:
            raise FixedPointError(f"{self}: integers of at most 62 bits wanted")
        array = np.asarray(values, dtype=np.float64)
        scaled = np.ldexp(array, self.fraction_bits)
        bad = (scaled != np.rint(scaled)) | (scaled < self.min_mantissa) | (scaled > self.max_mantissa)
        if bad.any():
            raise FixedPointError(f"{self}: {int(bad.sum())} values do not fit, the first is {array[bad][0]}")
        return scaled.astype(np.int64)


def _log2(lsb: Fraction, what: str) -> int:
    exponent = lsb.numerator.bit_length() - lsb.denominator.bit_length()
    if lsb <= 0 or Fraction(2) ** exponent != lsb:
        raise FixedPointError(f"{what}: a power of two wanted, not {lsb}")
    return exponent
