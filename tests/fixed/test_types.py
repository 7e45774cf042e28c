"""Laws of the fixed-point types; their values against `ap_fixed` of the C++ headers that hls4ml brings."""

import importlib.util
import random
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonresnet_hls.fixed.types import FixedPointError, FixedPointType, Overflow, Rounding

LAWS = settings(max_examples=300, deadline=None, derandomize=True)

types = st.builds(
    FixedPointType,
    width=st.integers(1, 30),
    integer_bits=st.integers(-10, 40),
    signed=st.booleans(),
    rounding=st.sampled_from(Rounding),
    overflow=st.sampled_from(Overflow),
)
wide_types = st.builds(
    FixedPointType, st.integers(31, 53), st.integers(-5, 60), st.booleans(), st.sampled_from(Rounding)
)
# Dyadic values around what the types hold: halves of last bits, both signs, in and out of range.
values = st.builds(lambda m, e: Fraction(m) * Fraction(2) ** e, st.integers(-(2**34), 2**34), st.integers(-14, 12))


@LAWS
@given(own=types, value=values)
def test_quantized_values_are_of_the_type_and_stay(own: FixedPointType, value: Fraction) -> None:
    once = own.quantize(value)
    assert own.min <= once <= own.max
    assert (once / own.lsb).denominator == 1
    assert own.quantize(once) == once


@LAWS
@given(own=types, first=values, second=values)
def test_saturating_quantization_is_monotone(own: FixedPointType, first: Fraction, second: Fraction) -> None:
    saturating = FixedPointType(own.width, own.integer_bits, own.signed, own.rounding, Overflow.SAT)
    low, high = sorted((first, second))
    assert saturating.quantize(low) <= saturating.quantize(high)


@LAWS
@given(own=types, value=values, turns=st.integers(-3, 3))
def test_wrapping_forgets_whole_turns(own: FixedPointType, value: Fraction, turns: int) -> None:
    if own.rounding in (Rounding.TRN_ZERO, Rounding.RND_ZERO, Rounding.RND_INF):
        return  # they look at the sign
    wrapping = FixedPointType(own.width, own.integer_bits, own.signed, own.rounding, Overflow.WRAP)
    turn = own.lsb * 2**own.width
    assert wrapping.quantize(value + turns * turn) == wrapping.quantize(value)


@LAWS
@given(own=types, value=values)
def test_rounding_goes_to_the_side_that_its_name_says(own: FixedPointType, value: Fraction) -> None:
    result = own.quantize(value)
    if not own.min_stored * own.lsb <= value <= own.max - own.lsb:
        return
    error = result - value
    match own.rounding:
        case Rounding.TRN:
            assert -own.lsb < error <= 0
        case Rounding.TRN_ZERO:
            assert abs(error) < own.lsb
            assert abs(result) <= abs(value)
        case Rounding.RND:
            assert -own.lsb / 2 < error <= own.lsb / 2
        case Rounding.RND_MIN_INF:
            assert -own.lsb / 2 <= error < own.lsb / 2
        case Rounding.RND_ZERO:
            assert abs(error) <= own.lsb / 2
            assert abs(error) < own.lsb / 2 or abs(result) < abs(value)
        case Rounding.RND_INF:
            assert abs(error) <= own.lsb / 2
            assert abs(error) < own.lsb / 2 or abs(result) > abs(value)
        case Rounding.RND_CONV:
            assert abs(error) <= own.lsb / 2
            assert abs(error) < own.lsb / 2 or (result / own.lsb) % 2 == 0


@LAWS
@given(own=types | wide_types, batch=st.lists(values, min_size=1, max_size=20))
def test_array_form_equals_the_scalar_definition(own: FixedPointType, batch: list[Fraction]) -> None:
    floats = [float(value) for value in batch]  # exact: 35 bits
    assert [Fraction(v) for v in floats] == batch
    assert [Fraction(v) for v in own.quantize_array(floats).tolist()] == [own.quantize(value) for value in batch]


@pytest.mark.parametrize("signed", [True, False])
def test_array_form_wraps_the_widest_types_exactly(signed: bool) -> None:
    own = FixedPointType(53, 53, signed, Rounding.TRN, Overflow.WRAP)
    values = [2.0**54 - 2, -(2.0**54) + 2, 2.0**52, -(2.0**52) - 1, 2.0**60, -1.0]
    assert [Fraction(v) for v in own.quantize_array(values).tolist()] == [own.quantize(Fraction(v)) for v in values]


@LAWS
@given(own=types)
def test_array_form_has_no_negative_zero(own: FixedPointType) -> None:
    zeros = own.quantize_array([-0.0, 0.0, -float(own.lsb) / 4])
    assert not np.signbit(zeros[zeros == 0]).any()


@LAWS
@given(own=types)
def test_text_reads_back(own: FixedPointType) -> None:
    assert FixedPointType.parse(str(own)) == own
    modes = f"AP_{own.rounding}, AP_{own.overflow}"
    sign = "" if own.signed else "u"
    assert FixedPointType.parse(f" ap_{sign}fixed<{own.width}, {own.integer_bits}, {modes}>") == own


@LAWS
@given(low=st.integers(-(2**40), 2**40), span=st.integers(0, 2**40), exponent=st.integers(-30, 30))
def test_covering_holds_its_bounds_and_no_narrower_type_does(low: int, span: int, exponent: int) -> None:
    lsb = Fraction(2) ** exponent
    own = FixedPointType.covering(low * lsb, (low + span) * lsb, lsb)
    assert own.lsb == lsb
    assert own.min <= low * lsb
    assert (low + span) * lsb <= own.max
    assert own.signed == (low < 0)
    if own.width > 1:
        narrower = FixedPointType(own.width - 1, own.integer_bits - 1, own.signed)
        assert narrower.lsb == lsb
        assert narrower.min > low * lsb or narrower.max < (low + span) * lsb


@LAWS
@given(own=types, batch=st.lists(values, max_size=20))
def test_mantissas_count_last_bits(own: FixedPointType, batch: list[Fraction]) -> None:
    held = [own.quantize(value) for value in batch]
    mantissas = own.mantissas([float(value) for value in held])
    assert [int(m) * own.lsb for m in mantissas] == held


@pytest.mark.parametrize("beside", [Fraction(1, 2), Fraction(-1, 2)])
@LAWS
@given(own=types)
def test_mantissas_refuse_what_does_not_fit(own: FixedPointType, beside: Fraction) -> None:
    for bad in (own.min + beside * own.lsb, own.max + own.lsb, own.min - own.lsb):
        with pytest.raises(FixedPointError, match=r"^u?fixed<.*>: 1 values do not fit, the first is "):
            own.mantissas([float(own.min), float(bad), float(own.max)])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_mantissas_refuse_what_is_no_number(bad: float) -> None:
    with pytest.raises(FixedPointError, match="1 values do not fit"):
        FixedPointType(8, 8).mantissas([0.0, bad])


@pytest.mark.parametrize(
    "text",
    ["", "fixed", "fixed<8>", "fixed<8,2", "int<8>", "fixed<8,2,UP>", "fixed<8,2,RND,SAT,0>", "fixed<a,2>",
     "fixed<0,2>", "fixed<8,2,SAT>", "fixed<8.5,2>", "fixed<8,2> x", "fixed<<8,2>>"],
)  # fmt: skip
def test_what_is_no_type_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(FixedPointError) as error:
        FixedPointType.parse(text)
    assert "\n" not in str(error.value)
    assert repr(text) in str(error.value)


def test_types_beyond_the_machine_are_refused() -> None:
    with pytest.raises(FixedPointError, match="at least 1 bit wanted, not 0"):
        FixedPointType(0, 0)
    with pytest.raises(FixedPointError, match=r"fixed<54,2>: at most 53 bits"):
        FixedPointType(54, 2).quantize_array([0.0])
    with pytest.raises(FixedPointError, match=r"fixed<63,2>: integers of at most 62 bits"):
        FixedPointType(63, 2).mantissas([0.0])


@pytest.mark.parametrize("lsb", [Fraction(3), Fraction(0), Fraction(-1), Fraction(2, 3)])
def test_a_last_bit_is_a_power_of_two(lsb: Fraction) -> None:
    with pytest.raises(FixedPointError, match="a power of two wanted, not"):
        FixedPointType.covering(0, 1, lsb)


@pytest.mark.parametrize(("low", "high"), [(Fraction(1, 2), 1), (0, Fraction(1, 4)), (1, 0)])
def test_bounds_are_multiples_in_rising_order(low: Fraction, high: Fraction) -> None:
    with pytest.raises(FixedPointError, match="two multiples of 1 in rising order wanted"):
        FixedPointType.covering(low, high, Fraction(1))


_PROGRAM = """
#include "ap_fixed.h"
#include <cstdio>
typedef ap_fixed<60, 30> source;
template <class T> void show(const double *values, int count) {{
    for (int i = 0; i < count; i++) {{
        source exact = values[i];
        T of_double = values[i];
        T of_fixed = exact;
        std::printf("%a %a\\n", of_double.to_double(), of_fixed.to_double());
    }}
}}
int main() {{
    const int count = {count};
    static double values[count];
    for (int i = 0; i < count; i++)
        if (std::scanf("%la", &values[i]) != 1) return 1;
    {calls}
}}
"""


# Types of each sign, rounding and overflow.
@pytest.mark.parametrize("each", [1, pytest.param(3, marks=pytest.mark.nightly)])
def test_values_are_those_of_ap_fixed(each: int, tmp_path: Path) -> None:
    rng = random.Random(20)
    own = [
        FixedPointType(rng.randint(1, 24), rng.randint(-3, 20), signed, rounding, overflow)
        for signed in (True, False)
        for rounding in Rounding
        for overflow in Overflow
        for _ in range(each)
    ]
    numbers = [rng.randint(-(2**m), 2**m) * 2.0 ** rng.randint(-12, 4) for m in rng.choices(range(1, 22), k=200)]
    cpp = [
        f"ap_{'' if t.signed else 'u'}fixed<{t.width}, {t.integer_bits}, AP_{t.rounding}, AP_{t.overflow}>" for t in own
    ]
    calls = "\n    ".join(f"show<{name}>(values, count);" for name in cpp)
    (tmp_path / "show.cpp").write_text(_PROGRAM.format(count=len(numbers), calls=calls))
    spec = importlib.util.find_spec("hls4ml")
    assert spec is not None
    assert spec.origin is not None
    headers = Path(spec.origin).parent / "templates" / "vivado" / "ap_types"
    program = tmp_path / "show"
    subprocess.run(["g++", "-w", f"-I{headers}", tmp_path / "show.cpp", "-o", program], check=True, timeout=200)
    text = " ".join(value.hex() for value in numbers)
    printed = subprocess.run([program], input=text, capture_output=True, text=True, check=True, timeout=60).stdout
    rows = [[float.fromhex(word) for word in line.split()] for line in printed.splitlines()]
    assert len(rows) == len(own) * len(numbers)
    wrong = []
    for number, one in enumerate(own):
        part = rows[number * len(numbers) : (number + 1) * len(numbers)]
        for value, (of_double, of_fixed) in zip(numbers, part, strict=True):
            wanted = one.quantize(value)
            if wanted != of_double or wanted != of_fixed:
                wrong.append((str(one), value, float(wanted), of_double, of_fixed))
    assert not wrong, f"{len(wrong)} of {len(rows)} differ: {wrong[:5]}"
