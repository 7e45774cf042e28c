"""Casts between all kinds of types against `ap_fixed` itself."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from nonresnet_hls.fixed.arithmetic import Cast, Wire, cast
from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding
from tests.fixed.ap_fixed import cast_all

MODES = list(product(Rounding, Overflow))


def draw(count: int, seed: int) -> list[tuple[FixedPointType, FixedPointType, list[int]]]:
    rng = np.random.default_rng(seed)
    pairs = []
    for index in range(count):
        rounding, overflow = MODES[index % len(MODES)]
        width = int(rng.integers(1, 14))
        source = FixedPointType(width, int(rng.integers(-3, 14)), bool(rng.integers(2)))
        sign = bool(rng.integers(2))
        target = FixedPointType(int(rng.integers(1, 12)), int(rng.integers(-3, 12)), sign, rounding, overflow)
        every = range(source.min_mantissa, source.max_mantissa + 1)
        if source.fraction_bits - target.fraction_bits > source.width and rounding is not Rounding.TRN:
            continue  # an assertion of ap_fixed ends the program: it looks for a bit that the number has not
        middle = rng.choice(np.arange(every[0], every[-1] + 1), 60)
        chosen = sorted({*every[:3], *every[-3:], *(int(m) for m in middle)})
        pairs.append((source, target, chosen))
    return pairs


def _compare(count: int, seed: int, folder: Path) -> int:
    pairs = draw(count, seed)
    compared = 0
    for (source, target, mantissas), told in zip(pairs, cast_all(pairs, folder), strict=True):
        values = np.array(mantissas, dtype=object)
        assert cast(values, source.fraction_bits, target).tolist() == told, (source, target)
        assert cast(values.astype(np.int64), source.fraction_bits, target).tolist() == told, (source, target)
        assert [int(target.quantize(m * source.lsb) / target.lsb) for m in mantissas] == told, (source, target)
        numbers = np.ldexp(np.array(mantissas, dtype=np.float64), -source.fraction_bits)
        assert np.ldexp(target.quantize_array(numbers), target.fraction_bits).tolist() == told, (source, target)
        inside = Cast(target).range(Wire(min(mantissas), max(mantissas), source.fraction_bits), 0)
        assert inside.low <= min(told), (source, target)
        assert max(told) <= inside.high, (source, target)
        compared += len(told)
    return compared


def test_casts_are_those_of_the_cpp(tmp_path: Path) -> None:
    assert _compare(len(MODES), 0, tmp_path) > 500


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 6))
def test_many_casts_are_those_of_the_cpp(tmp_path: Path, seed: int) -> None:
    assert _compare(280, seed, tmp_path) > 5000
