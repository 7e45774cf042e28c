import itertools
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nonresnet_hls.fixed.arithmetic import (
    Affine,
    Cast,
    Positive,
    Wire,
    cast,
    evaluate,
    ranges,
    signed_digits,
    staircase,
)
from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding

law = settings(derandomize=True, deadline=None, max_examples=200)

kinds = st.builds(
    FixedPointType,
    st.integers(1, 9),
    st.integers(-4, 9),
    signed=st.booleans(),
    rounding=st.sampled_from(Rounding),
    overflow=st.sampled_from(Overflow),
)
wires = st.builds(
    lambda low, size, fraction: Wire(low, low + size, fraction),
    st.integers(-90, 90),
    st.integers(0, 90),
    st.integers(-2, 6),
)
affines = st.builds(
    lambda scale, scale_fraction, bias, bias_fraction: Affine((scale,), scale_fraction, (bias,), bias_fraction),
    st.integers(-12, 12),
    st.integers(0, 4),
    st.integers(-60, 60),
    st.integers(0, 6),
)
operations = st.one_of(st.builds(Cast, kinds), st.just(Positive()), affines)
chains = st.lists(operations, min_size=1, max_size=4).map(tuple)


@law
@given(kinds, st.lists(st.integers(-5000, 5000), min_size=1), st.integers(-3, 12))
def test_cast_is_the_plain_definition(kind: FixedPointType, values: list[int], fraction: int) -> None:
    got = cast(np.array(values, dtype=object), fraction, kind)
    wanted = [kind.quantize(Fraction(value) / Fraction(2) ** fraction) / kind.lsb for value in values]
    assert got.tolist() == wanted


@law
@given(chains, wires)
def test_ranges_hold_every_value_and_their_ends_are_reached_by_monotone_operations(chain, wire: Wire) -> None:
    values, before, monotone = np.arange(wire.low, wire.high + 1).astype(object), wire, True
    for operation, after in zip(chain, ranges(chain, wire, 0)[1:], strict=True):
        values = operation.apply(values, before, 0)
        assert after.low <= values.min()
        assert values.max() <= after.high
        monotone = monotone and not (
            isinstance(operation, Cast) and operation.kind.overflow in (Overflow.WRAP, Overflow.SAT_ZERO)
        )
        if monotone:
            assert (after.low, after.high) == (values.min(), values.max())
        before = after


@law
@given(chains, wires, st.integers(1, 6))
def test_a_staircase_is_its_chain(chain, wire: Wire, most: int) -> None:
    stairs = staircase(chain, wire, 0, most)
    domain = np.arange(wire.low, wire.high + 1).astype(object)
    image = evaluate(chain, domain, wire, 0)
    if stairs is None:
        steps = int((image[1:] != image[:-1]).sum())
        assert steps == 0 or steps > most
        return
    for x, y in zip(domain, image, strict=True):
        reached = sum(x >= threshold for threshold in stairs.thresholds)
        assert stairs.values[reached] == y


@law
@given(st.integers(-100000, 100000))
def test_signed_digits_add_up_and_no_two_are_neighbours(value: int) -> None:
    digits = signed_digits(value)
    assert sum(digit << shift for shift, digit in digits) == value
    shifts = [shift for shift, _ in digits]
    assert all(b - a >= 2 for a, b in itertools.pairwise(shifts))
