"""What is found of a design: reasons, layers, values, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from nonresnet_hls.fixed.types import FixedPointType


class Reason(StrEnum):
    """Why a layer leaves other numbers than Keras would of the same inputs."""

    RESULT_WRAPS = "overflow of the result, with wrap-around"
    RESULT_SATURATES = "saturation of the result"
    RESULT_ROUNDED = "rounding of the result"
    ACCUMULATOR_WRAPS = "overflow of the accumulator, with wrap-around"
    ACCUMULATOR_SATURATES = "saturation of the accumulator"
    ACCUMULATOR_CUTS = "truncation in the accumulator"
    WEIGHTS_OVERFLOW = "overflow of weights"
    WEIGHTS_ROUNDED = "rounding of weights"
    BIAS_ROUNDED = "rounding of the bias"
    TABLE = "the table of an activation"
    FUNCTION = "another function than Keras'"
    QUANTIZER_DROPPED = "a quantizer that hls4ml dropped"
    ORDER = "another order of operations"


@dataclass(frozen=True, eq=False)
class Change:
    """What one reason changes."""

    reason: Reason
    error: Any
    """(samples, numbers), 0 where nothing is changed."""
    told: str = ""


@dataclass(frozen=True)
class Cause:
    """One reason in one layer."""

    reason: Reason
    values: int
    """Numbers that it changes, of those that the layer leaves for all samples."""
    largest: float
    """Greatest change."""
    energy: float
    """Sum of the squares of the changes."""
    told: str
    """What of the layer, in words."""


@dataclass(frozen=True)
class Difference:
    """One number that is another in hardware."""

    sample: int
    index: tuple[int, ...]
    wanted: float
    """What Keras' layer makes of the hardware's own inputs."""
    got: float
    got_bits: str
    """As the type holds it."""
    wanted_bits: str
    """With as many bits as it takes, up to a few more behind the point than the type has."""


@dataclass(frozen=True)
class Histogram:
    """Where the first bits of a layer's numbers are, in Keras, against the bits that its type has."""

    kind: FixedPointType
    counts: Mapping[int, int]
    """Numbers by power of two: 2**n <= |x| < 2**(n+1)."""
    zeros: int
    least: float
    greatest: float

    @property
    def above(self) -> int:
        """Numbers that are greater than the type's greatest, by their first bit."""
        top = self.kind.integer_bits - self.kind.signed
        return sum(count for power, count in self.counts.items() if power >= top)

    @property
    def below(self) -> int:
        """Numbers, not 0, that are less than the type's last bit."""
        return sum(count for power, count in self.counts.items() if power < -self.kind.fraction_bits)

    def bar(self) -> str:
        """A sign a bit, from the first that is used or there to the last: what share of the numbers begins there.

        `|` stands on both sides of the type's own bits.
        """
        top, bottom = self.kind.integer_bits - self.kind.signed, -self.kind.fraction_bits
        used = [power for power, count in self.counts.items() if count]
        first = max([top - 1, *used])
        last = max(min([bottom, *used]), bottom - _SHOWN_BELOW)
        total = sum(self.counts.values()) or 1
        text = ""
        for power in range(first, last - 1, -1):
            if power == top - 1:
                text += "|"
            text += _sign(self.counts.get(power, 0) / total)
            if power == bottom:
                text += "|"
        return text


_SHOWN_BELOW = 8
_SIGNS = ((0.2, "#"), (0.05, "+"), (0.001, ":"))


def _sign(share: float) -> str:
    """Of a share of the numbers: none, few, ..., a fifth and more."""
    return next((sign for least, sign in _SIGNS if share >= least), "'" if share > 0 else ".")


@dataclass(frozen=True)
class LayerReport:
    """One layer of the hardware beside Keras'."""

    layer: str
    kind: FixedPointType
    """Of what it leaves."""
    keras: str
    """The step of Keras that it stands for, or nothing."""
    values: int
    different: int
    """Numbers that are others than Keras', all layers before it taken into account."""
    made_here: int
    """Numbers that are others than what Keras' layer makes of the hardware's own inputs."""
    largest_error: float
    """All layers before it taken into account."""
    largest_made_here: float
    loss: float
    """Energy of what is made here, as a share of that of the numbers."""
    causes: tuple[Cause, ...]
    """The greatest first."""
    worst: tuple[Difference, ...]
    histogram: Histogram | None

    @property
    def passed_on(self) -> int:
        """Numbers that differ though the layer itself made no difference."""
        return max(0, self.different - self.made_here)

    @property
    def reason(self) -> Reason | None:
        """The greatest; None where nothing is made here."""
        return self.causes[0].reason if self.causes else None


@dataclass(frozen=True)
class KerasRounding:
    """The first layer in which Keras' own float32 has other numbers than the same layer in float64."""

    layer: str
    different: int
    values: int
    largest: float


def in_binary(mantissa: int, kind: FixedPointType) -> str:
    """Bits of a type's number, with the point where there is one.

    >>> in_binary(-3, FixedPointType.parse("fixed<5,3>")), in_binary(5, FixedPointType.parse("ufixed<4,6>"))
    ('111.01', '010100.')
    """
    digits = format(mantissa % (1 << kind.width), f"0{kind.width}b")
    if kind.fraction_bits <= 0:
        return f"{digits}{'0' * -kind.fraction_bits}."
    digits = digits.rjust(kind.fraction_bits, digits[0] if kind.signed else "0")
    return f"{digits[: len(digits) - kind.fraction_bits]}.{digits[len(digits) - kind.fraction_bits :]}"
