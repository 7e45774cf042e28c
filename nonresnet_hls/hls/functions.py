"""hls4ml's activations as chains of operations on integers, from their parameters, wherever these are read."""

from nonresnet_hls.fixed import tables
from nonresnet_hls.fixed.arithmetic import Affine, AtMost, Chain, Lookup, Piecewise, Positive, Threshold
from nonresnet_hls.fixed.types import FixedPointType

CENTRED = ("sigmoid", "tanh", "softplus", "softsign")
"""Functions that are looked up in a table around 0."""


def centred(function: str, size: int, kind: FixedPointType) -> Chain:
    """One of `CENTRED`: a table of `size` numbers of a type, over -8 to 8 (`tanh`: -4 to 4)."""
    span = 8 if function == "tanh" else 16
    return (Lookup(tables.centred(function, size, kind), kind.fraction_bits, size, span, size // 2),)


def leaky_relu(slope: int, kind: FixedPointType) -> Chain:
    """The number itself, below 0 times a slope (a mantissa of `kind`)."""
    return (Piecewise((), (Affine((slope,), kind.fraction_bits, (0,), 0),)),)


def thresholded_relu(theta: int, kind: FixedPointType) -> Chain:
    """The number itself where it is greater than theta (a mantissa of `kind`), else 0."""
    return (Threshold(theta, kind.fraction_bits),)


def elu(alpha: int, alpha_kind: FixedPointType, size: int, kind: FixedPointType) -> Chain:
    """The number itself, below 0 alpha times a table of exp(x) - 1 over 0 to -8."""
    table = Lookup(tables.negative("elu", size, kind), kind.fraction_bits, size, -8, 0)
    return (Piecewise((), (table, Affine((alpha,), alpha_kind.fraction_bits, (0,), 0))),)


def hard(function: str, slope: tuple[int, FixedPointType], shift: tuple[int, FixedPointType]) -> Chain:
    """`hard_sigmoid`, a line between 0 and 1, or `hard_tanh`, twice that and less 1."""
    line = Affine((slope[0],), slope[1].fraction_bits, (shift[0],), shift[1].fraction_bits)
    clipped = (line, Positive(), AtMost(1))
    return clipped if function == "hard_sigmoid" else (*clipped, Affine((2,), 0, (-1,), 0))
