"""QKeras' quantizers and our fixed-point types: the same values, or a refusal."""

from typing import Any

import numpy as np
import pytest
import qkeras
from hypothesis import given, settings
from hypothesis import strategies as st

from nonresnet_hls.errors import ModelError
from nonresnet_hls.quantization import quantizers

LAWS = settings(max_examples=80, deadline=None, derandomize=True)


@LAWS
@given(
    bits=st.integers(2, 16), integer=st.integers(0, 6), signed=st.booleans(),
    values=st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=30), shift=st.integers(2, 16),
)  # fmt: skip
def test_qkeras_yields_the_values_of_the_type(
    bits: int, integer: int, signed: bool, values: list[int], shift: int
) -> None:
    if integer >= bits:
        return
    quantizer = (quantizers.signed if signed else quantizers.unsigned)(bits, integer)
    own = quantizers.type_of(quantizer, "here")
    assert (own.width, own.integer_bits, own.signed) == (bits, integer + signed, signed)
    x = np.ldexp(np.array(values, np.float64), -shift)
    found = np.asarray(quantizer(x.astype(np.float32)), np.float64)
    # QKeras gives x + (q(x) - x), which float32 rounds where x has many more bits: compare what it rounds to.
    exact = own.quantize_array(x)
    fits = np.abs(x) < 2.0 ** (24 - max(shift, own.fraction_bits)) / 2
    assert (found[fits] == exact[fits]).all()
    assert quantizers.least_value(quantizer, own) == own.min


def test_binary_is_minus_or_plus_one() -> None:
    own = quantizers.type_of(quantizers.binary(), "here")
    found = np.asarray(quantizers.binary()(np.array([-2.0, -0.25, 0.0, 0.5, 3.0], np.float32)))
    assert found.tolist() == [-1, -1, 1, 1, 1]
    assert own.quantize_array(found).tolist() == found.tolist()
    assert quantizers.least_value(quantizers.binary(), own) == -1


@pytest.mark.parametrize(
    ("quantizer", "wanted"),
    [
        (qkeras.quantized_bits(4, 0, alpha="auto"), "quantized_bits with alpha=1 wanted, not 'auto'"),
        (qkeras.quantized_bits(4, 0, alpha=0.5), "quantized_bits with alpha=1 wanted, not 0.5"),
        (qkeras.quantized_bits(4, 0, alpha=np.array([1.0, 0.5])), "alpha=1 wanted, not 'one for each channel'"),
        (qkeras.quantized_bits(4, 0, alpha=[1.0, 1.0]), "alpha=1 wanted, not 'one for each channel'"),
        (qkeras.quantized_bits(4.5, 0, alpha=1), "quantized_bits with a whole number as bits wanted, not 4.5"),
        (qkeras.quantized_bits(4, 0.5, alpha=1), "quantized_bits with a whole number as integer wanted, not 0.5"),
        (qkeras.quantized_relu(4, 1.5), "quantized_relu with a whole number as integer wanted, not 1.5"),
        (qkeras.quantized_bits(4, 0, symmetric=2, alpha=1), "quantized_bits with symmetric=0 or 1 wanted, not 2"),
        (qkeras.quantized_bits(0, 0, keep_negative=0, alpha=1), "quantized_bits: "),
        (qkeras.quantized_bits(1, 0, alpha=1), "at least 2 bits or keep_negative=0 wanted, not 1"),
        (qkeras.quantized_bits(4, 0, alpha=1, qnoise_factor=0.5), "quantized_bits with qnoise_factor=1 wanted"),
        (qkeras.quantized_relu(4, 1, use_stochastic_rounding=True), "use_stochastic_rounding=False wanted, not True"),
        (qkeras.quantized_relu(4, 1, negative_slope=0.25), "quantized_relu with negative_slope=0 wanted, not 0.25"),
        (qkeras.quantized_relu(4, 1, use_sigmoid=1), "quantized_relu with use_sigmoid=0 wanted, not 1"),
        (qkeras.binary(alpha=1, use_01=True), "binary with use_01=False wanted, not True"),
        (qkeras.ternary(alpha=1), "quantized_bits, quantized_relu or binary wanted, not ternary"),
        (qkeras.quantized_po2(4), "quantized_bits, quantized_relu or binary wanted, not quantized_po2"),
        (np.tanh, "quantized_bits, quantized_relu or binary wanted, not ufunc"),
    ],
)
def test_what_is_no_fixed_point_type_is_refused(quantizer: Any, wanted: str) -> None:
    with pytest.raises(ModelError) as error:
        quantizers.type_of(quantizer, "conv (kernel)")
    assert str(error.value).startswith("layer conv (kernel): ")
    assert wanted in str(error.value)


@pytest.mark.parametrize(("symmetric", "least"), [(0, -8), (1, -7)])
def test_a_symmetric_quantizer_lacks_the_least_value(symmetric: int, least: int) -> None:
    quantizer = qkeras.quantized_bits(4, 3, symmetric=symmetric, alpha=1)
    assert quantizers.least_value(quantizer, quantizers.type_of(quantizer, "here")) == least
    assert float(quantizer(np.array([-100.0], np.float32))[0]) == least
