"""Which fixed-point type holds the inputs that somebody has."""

from fractions import Fraction
from typing import Any

from nonresnet_hls.errors import DatasetError
from nonresnet_hls.fixed.types import FixedPointType

_ROUNDED_BITS = 16
"""Of values that lie on no grid of a power of two."""
_MOST_BITS = 24
"""Of float32, which carries the samples."""
_BYTES = FixedPointType(8, 0, signed=False)


def holding(x: Any) -> tuple[FixedPointType, str]:
    """The narrowest type that holds every value, or all but their last bits; and what was found, in words.

    Args:
        x: samples x shape, numbers.

    Returns:
        The type, and why it is that: bytes / 255 get one of 8 bits, values that no 24 bits hold one of 16 bits, to
        which they are rounded.

    Raises:
        DatasetError: there is no value, or one is not finite.
    """
    import numpy as np

    from nonresnet_hls.training import npz

    if x.dtype.kind not in "fiub" or x.size == 0:
        raise DatasetError(f"x: numbers wanted, not {x.dtype} {x.shape}")
    if not np.isfinite(x).all():
        raise DatasetError(f"x: finite numbers wanted, not {x[~np.isfinite(x)][0]}")
    if npz.are_bytes_by_255(x):
        return _BYTES, "bytes / 255"
    values = x.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    largest = max(abs(low), abs(high))
    for fraction_bits in range(_MOST_BITS):
        if np.ldexp(largest, fraction_bits) >= 1 << _MOST_BITS:
            break
        # Of many values the first ones tell nearly always.
        if all(_are_integers(np.ldexp(some, fraction_bits)) for some in (values.reshape(-1)[:1000], values)):
            lsb = Fraction(1, 1 << fraction_bits)
            found = FixedPointType.covering(min(Fraction(low), Fraction(0)), max(Fraction(high), lsb), lsb)
            if found.width <= _MOST_BITS:
                what = "integers" if fraction_bits == 0 else f"multiples of 1/{1 << fraction_bits}"
                return found, f"{what} from {low:g} to {high:g}"
    # As many bits in front of the point as the largest needs when it is rounded up.
    integer_bits = int(np.frexp(largest)[1]) + (low < 0)
    found = FixedPointType(_ROUNDED_BITS, integer_bits, signed=low < 0)
    if not (float(found.min) <= low and round(high / float(found.lsb)) <= found.max_mantissa):
        found = FixedPointType(_ROUNDED_BITS, integer_bits + 1, signed=low < 0)
    return found, f"values from {low:g} to {high:g}, rounded to {_ROUNDED_BITS} bits"


def _are_integers(x: Any) -> bool:
    import numpy as np

    return bool((x == np.rint(x)).all())
