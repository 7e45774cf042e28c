"""What flows along the edges of an ONNX graph while it is lowered: numbers that are known, and tensors that are not."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointType

CHANNELS_LAST = "qonnx.custom_op.channels_last"
QONNX = "qonnx.custom_op.general"
"""Domains of operators."""

Inputs = Sequence[Any]
"""Of a node: arrays, `Data`, or None where one is left out."""

MAX_BITS = 24
"""Of a number that float32, in which executors of ONNX compute, holds."""


class OtherOrderError(ModelError):
    """Channels are elsewhere than a node reads them."""


@dataclass(frozen=True)
class Range:
    """Numbers that are multiples of 2**-fraction_bits, from low to high of these."""

    low: int
    high: int
    fraction_bits: int

    @property
    def kind(self) -> FixedPointType:
        """The narrowest type that holds them all."""
        signed = self.low < 0
        bits = max((~self.low).bit_length() if signed else 0, self.high.bit_length() if self.high > 0 else 0)
        width = max(1, bits + signed)
        return FixedPointType(width, width - self.fraction_bits, signed=signed)

    @classmethod
    def of(cls, kind: FixedPointType) -> "Range":
        """All that a type holds."""
        return cls(kind.min_mantissa, kind.max_mantissa, kind.fraction_bits)

    def at(self, fraction_bits: int) -> "Range":
        """The same numbers as multiples of a finer unit."""
        shift = fraction_bits - self.fraction_bits
        return Range(self.low << shift, self.high << shift, fraction_bits)

    def within(self, other: "Range") -> bool:
        """Whether another one has all of them."""
        if self.fraction_bits > other.fraction_bits:
            return self.low == self.high == 0
        own = self.at(other.fraction_bits)
        return other.low <= own.low and own.high <= other.high

    def union(self, other: "Range") -> "Range":
        """What holds the numbers of both."""
        fine = max(self.fraction_bits, other.fraction_bits)
        one, two = self.at(fine), other.at(fine)
        return Range(min(one.low, two.low), max(one.high, two.high), fine)

    def plus(self, other: "Range") -> "Range":
        """What holds the sums."""
        fine = max(self.fraction_bits, other.fraction_bits)
        one, two = self.at(fine), other.at(fine)
        return Range(one.low + two.low, one.high + two.high, fine)

    def times(self, other: "Range") -> "Range":
        """What holds the products."""
        ends = [one * two for one in (self.low, self.high) for two in (other.low, other.high)]
        return Range(min(ends), max(ends), self.fraction_bits + other.fraction_bits)


def range_of(values: Any) -> Range | None:
    """Of an array; None where its numbers have too many bits to be anything but floating point."""
    import numpy as np

    flat = np.asarray(values, np.float64).reshape(-1)
    mantissas, exponents = np.frexp(flat[flat != 0])
    if not mantissas.size:
        return Range(0, 0, 0)
    whole = (mantissas * (1 << 53)).astype(np.int64)
    low_bits = np.log2((whole & -whole).astype(np.float64)).astype(np.int64)  # a power of two: exact
    fraction = int((53 - exponents - low_bits).max())
    if int(exponents.max()) + fraction > MAX_BITS:
        return None
    scaled = np.ldexp(flat, fraction)
    return Range(int(scaled.min()), int(scaled.max()), fraction)


def rounded_to(values: Any, bits: int) -> Any:
    """An array on one grid, the finest on which the greatest of it has no more bits."""
    import numpy as np

    largest = float(np.abs(values).max())
    unit = math.frexp(largest)[1] - (bits - 1)
    return np.ldexp(np.rint(np.ldexp(np.asarray(values, np.float64), -unit)), unit)


def mantissas(values: Any, fraction_bits: int) -> Any:
    """An array as multiples of 2**-fraction_bits, Python's integers."""
    import numpy as np

    return np.ldexp(np.asarray(values, np.float64), fraction_bits).astype(np.int64).astype(object)


@dataclass
class Node:
    """A node of the graph that hls4ml is given."""

    kind: str
    name: str
    inputs: list[str]
    shape: tuple[int, ...]
    """Of the output, with a batch of 1, channels last."""
    domain: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    constants: list[Any] = field(default_factory=list)
    """Arrays that follow the inputs."""
    precision: dict[str, FixedPointType] = field(default_factory=dict)
    """Types by what hls4ml calls their places."""
    is_quantized: bool = False
    """Whether its result is rounded to the type of a quantizer."""

    @property
    def output(self) -> str:
        """The tensor that it gives."""
        return f"{self.name}_out"


@dataclass
class Data:
    """A tensor that is computed."""

    name: str
    shape: tuple[int, ...]
    """As the ONNX graph has it."""
    range: Range | None = None
    """None: floating point, or what is not known."""
    last: bool = False
    """Whether the ONNX graph, too, has its channels last, as hardware always has."""
    flattened: tuple[int, ...] | None = None
    """Of a vector that was an image, channels first: its shape, since hardware has the numbers in another order."""
    pooled: bool = False
    """Whether hardware has the one pixel that a global pool left as a vector."""
    uses: int = 0
    """How often it is read."""
    made_by: Node | None = None
    affine: "tuple[Any, Any] | None" = None
    """Factors and summands a channel, which are still to be applied to `base`."""
    base: "Data | None" = None

    @property
    def is_image(self) -> bool:
        """Whether it has pixels."""
        return len(self.shape) > 2

    @property
    def channels(self) -> int:
        """Numbers of a pixel."""
        return self.shape[-1] if self.last or not self.is_image else self.shape[1]

    @property
    def pixels(self) -> tuple[int, ...]:
        """Rows and columns."""
        return (self.shape[1:-1] if self.last else self.shape[2:]) if self.is_image else ()

    @property
    def in_hardware(self) -> tuple[int, ...]:
        """Its shape, channels last."""
        return (1, *(() if self.pooled else self.pixels), self.channels)

    def shaped(self, pixels: tuple[int, ...], channels: int) -> tuple[int, ...]:
        """The shape of another image in the order of this one."""
        return (1, *pixels, channels) if self.last else (1, channels, *pixels)
