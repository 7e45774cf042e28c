"""Words of streams as mantissas of any width, and doubles cast to them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.network import Stream
from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding
from nonresnet_hls.rtl.simulation import pack, to_mantissas, unpack

TYPES = st.builds(
    FixedPointType,
    st.integers(1, 150),
    st.integers(-20, 160),
    st.booleans(),
    st.sampled_from(Rounding),
    st.sampled_from(Overflow),
)


@settings(derandomize=True, deadline=None)
@given(TYPES, st.integers(1, 5), st.data())
def test_mantissas_of_any_width_come_back_from_words(kind: FixedPointType, channels: int, data: st.DataObject) -> None:
    count = 4 * channels
    numbers = data.draw(st.lists(st.integers(kind.min_mantissa, kind.max_mantissa), min_size=count, max_size=count))
    mantissas = np.array(numbers, dtype=object).reshape(2, 2, channels)
    stream = Stream("x", channels, 2, kind, 1)
    assert (unpack(pack(mantissas, stream), stream) == mantissas).all()


@settings(derandomize=True, deadline=None)
@given(TYPES, st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_doubles_are_cast_as_the_type_says(kind: FixedPointType, values: list[float]) -> None:
    expected = [kind.quantize(value) / kind.lsb for value in values]
    assert to_mantissas(np.array(values), kind).tolist() == expected


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_what_is_no_number_is_refused(odd: float) -> None:
    with pytest.raises(ConversionError, match=f"finite inputs wanted, not {odd!r}"):
        to_mantissas(np.array([0.0, odd]), FixedPointType(8, 4))
