"""The tables of hls4ml's activations, number for number as its C++ fills them.

The C++ works in `float` and `double`, with the C library's functions: so does this, with those very functions.
"""

import ctypes
import ctypes.util
import functools
import math
from collections.abc import Callable, Iterable
from fractions import Fraction

import numpy as np

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.types import FixedPointType

# What ap_fixed makes of an infinite `double`: it takes the exponent for one like others.
_INFINITE = Fraction(2) ** 1024


def quantized(value: float, kind: FixedPointType) -> int:
    """The mantissa that a C++ floating-point number gets in a type."""
    if math.isnan(value):
        raise ConversionError(f"table of {kind}: numbers wanted, not NaN")
    exact = Fraction(value) if math.isfinite(value) else _INFINITE if value > 0 else -_INFINITE
    return int(kind.quantize(exact) / kind.lsb)


def all_quantized(values: Iterable[float], kind: FixedPointType) -> tuple[int, ...]:
    """The mantissas of many numbers."""
    array = np.array(list(values), np.float64)
    if kind.width > 53 or not np.isfinite(array).all():
        return tuple(quantized(float(value), kind) for value in array)
    return tuple(kind.mantissas(kind.quantize_array(array)).tolist())


@functools.cache
def _libm() -> ctypes.CDLL:
    name = ctypes.util.find_library("m")
    if name is None:
        raise ConversionError("the C library's mathematics (libm): not found; tables of activations need it")
    library = ctypes.CDLL(name)
    library.expf.restype, library.expf.argtypes = ctypes.c_float, [ctypes.c_float]
    for function in (library.log, library.tanh):
        function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double]
    library.tanhf.restype, library.tanhf.argtypes = ctypes.c_float, [ctypes.c_float]
    return library


def expf(x: float) -> float:
    """`std::exp(float)`."""
    return float(_libm().expf(x))


def _float(x: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(x))


def _sigmoid(x: float) -> float:
    denominator = _float(1 + expf(-x))
    return _float(1.0 / denominator)


def _softplus(x: float) -> float:
    return _float(_libm().log(expf(x) + 1.0))


def _softsign(x: float) -> float:
    return _float(x / (abs(x) + 1.0))


def _elu(x: float) -> float:
    return _float(expf(x) - 1.0)


def _selu(x: float) -> float:
    return _float(1.0507009873554804934193349852946 * (1.6732632423543772848170429916717 * (expf(x) - 1.0)))


def _tanh(x: float) -> float:
    return float(_libm().tanh(x))


_KEPT = 64
"""Tables, which many layers share."""


@functools.lru_cache(_KEPT)
def centred(function: str, size: int, kind: FixedPointType) -> tuple[int, ...]:
    """Mantissas of `sigmoid`, `softplus`, `softsign` (from -8 to 8) or `tanh` (from -4 to 4)."""
    functions: dict[str, tuple[Callable[[float], float], float]] = {
        "sigmoid": (_sigmoid, 8.0),
        "softplus": (_softplus, 8.0),
        "softsign": (_softsign, 8.0),
        "tanh": (_tanh, 4.0),
        "exp": (expf, 8.0),
    }
    evaluate, span = functions[function]
    inputs = (_float(2 * span * (i - size / 2.0) / size) for i in range(size))
    return all_quantized((evaluate(x) for x in inputs), kind)


@functools.lru_cache(_KEPT)
def negative(function: str, size: int, kind: FixedPointType) -> tuple[int, ...]:
    """Mantissas of `elu` or `selu` from 0 down to -8."""
    evaluate = {"elu": _elu, "selu": _selu}[function]
    return all_quantized((evaluate(_float(-8.0 * i / size)) for i in range(size)), kind)


@functools.lru_cache(_KEPT)
def scaled_elu(alpha: float, size: int, kind: FixedPointType) -> tuple[int, ...]:
    """Mantissas of alpha times the entries of `negative("elu", size, kind)`, in the same type."""
    scale, entries = Fraction(alpha), negative("elu", size, kind)
    if scale.numerator.bit_length() + kind.width <= 53:  # products that float64 holds
        return all_quantized((alpha * entry * float(kind.lsb) for entry in entries), kind)
    return tuple(int(kind.quantize(scale * entry * kind.lsb) / kind.lsb) for entry in entries)


def _by_bits(size: int, argument: FixedPointType) -> list[float]:
    """What the first bits of an argument stand for, as `float`."""
    bits = (size - 1).bit_length()
    if bits > argument.width:
        raise ConversionError(f"table of {size} entries: an argument of at least {bits} bits wanted, not {argument}")
    mantissas = (index << (argument.width - bits) for index in range(size))
    turn = 1 << argument.width
    signed = (m - turn if m > argument.max_mantissa else m for m in mantissas)
    return [_float(float(m * argument.lsb)) for m in signed]


@functools.lru_cache(_KEPT)
def exponentials(
    size: int, argument: FixedPointType, kind: FixedPointType, scale: float, minus: bool
) -> tuple[int, ...]:
    """Mantissas of exp(scale * x) or exp(-scale * x) by the first bits of x."""
    found = []
    for x in _by_bits(size, argument):
        scaled = _float(x * _float(scale))
        found.append(expf(-scaled if minus else scaled))
    return all_quantized(found, kind)


@functools.lru_cache(_KEPT)
def inverses(size: int, argument: FixedPointType, kind: FixedPointType) -> tuple[int, ...]:
    """Mantissas of 1 / x by the first bits of x."""
    return all_quantized((_float(1.0 / x) if x else math.inf for x in _by_bits(size, argument)), kind)


def legacy_inverses(size: int, kind: FixedPointType) -> tuple[int, ...]:
    """Mantissas of 1 / x from 0 to 64; 0 for 0."""
    inputs = (_float(64.0 * i / size) for i in range(size))
    return all_quantized((1.0 / x if x else 0.0 for x in inputs), kind)
