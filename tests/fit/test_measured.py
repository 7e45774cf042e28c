"""The choice among what is measured as it is asked for, against measuring and trying all."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonresnet_hls.fit.fitting import RESOURCES
from nonresnet_hls.fit.measured import Cost, Measured, MeasuredFitter, Sized, Way
from nonresnet_hls.fit.optimizer import largest_share, total_share

Budget = dict[str, int]


@dataclass
class Bench:
    """Layers, what each way to build one costs, and what was asked for."""

    costs: dict[tuple[str, Way], Cost]
    fifos: Cost = (3, 2, 0, 1)
    waits: int = 0
    """Cycles that a design takes beyond those of its slowest layer."""
    asked: list[tuple[str, Way]] = field(default_factory=list)

    @property
    def layers(self) -> dict[str, list[Way]]:
        found: dict[str, list[Way]] = {}
        for name, way in self.costs:
            found.setdefault(name, []).append(way)
        return found

    @property
    def fitter(self) -> MeasuredFitter:
        return MeasuredFitter(self.layers, self.measure, self.size)

    def measure(self, wanted: Sequence[tuple[str, Way]]) -> list[Cost]:
        self.asked += wanted
        return [self.costs[pair] for pair in wanted]

    def size(self, factors: Mapping[str, int]) -> Sized:
        slowest = max(
            way.interval_cycles for name, way in self.costs if factors.get(name, way.reuse_factor) == way.reuse_factor
        )
        return Sized({"x": 2}, self.fifos, slowest + self.waits)


def bench(seed: int) -> tuple[Bench, Budget]:
    """Layers of which a faster way of one kind costs no less, or of which nothing is known; a budget, often tight."""
    rng = np.random.default_rng(seed)
    costs: dict[tuple[str, Way], Cost] = {}
    for number in range(rng.integers(1, 5)):
        name, words = f"l{number}", int(rng.integers(5, 40))
        if rng.integers(4) == 0:
            costs[name, Way(None, words, "")] = tuple(rng.integers(0, 20, 4).tolist())
            continue
        factors = sorted(rng.choice(range(1, 20), size=rng.integers(1, 7), replace=False).tolist(), reverse=True)
        grown = {kind: rng.integers(0, 20, 4) for kind in "ab"}
        ordered = bool(rng.integers(3))
        for factor in factors:
            kind = "a" if factor > 8 else "b" if factor > 1 else "alone"
            if kind == "alone" or not ordered:
                cost = rng.integers(0, 120, 4)
            else:
                cost = grown[kind] = grown[kind] + rng.integers(0, 2, 4) * rng.integers(0, 30, 4)
            least = (0, 0, int(rng.integers(0, cost[2] + 1)) * int(rng.integers(2)), 0)
            costs[name, Way(factor, words * factor, kind, least, ordered)] = tuple(cost.tolist())
    dearest = np.max(list(costs.values()), axis=0) * len({name for name, _ in costs})
    budget = [max(int(most * rng.uniform(0.1, 1.1)), 1) for most in dearest]
    return Bench(costs), dict(zip(RESOURCES, budget, strict=True))


def every(one: Bench, budget: Budget) -> list[tuple[int, float]]:
    """Cycles and sums of shares of all designs within a budget."""
    limits, found = tuple(budget[name] for name in RESOURCES), []
    for picked in itertools.product(*([(name, way) for way in ways] for name, ways in one.layers.items())):
        cost = [sum(column) for column in zip(*(one.costs[pair] for pair in picked), one.fifos, strict=True)]
        if largest_share(cost, limits) <= 1:
            found.append((max(way.interval_cycles for _, way in picked), total_share(cost, limits)))
    return found


def figures(found: Measured, budget: Budget) -> tuple[int | float, float]:
    limits = tuple(budget[name] for name in RESOURCES)
    return found.interval_cycles, total_share([found.used[name] for name in RESOURCES], limits)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(0, 1 << 30))
def test_the_fastest_and_the_least_are_those_of_trying_all(seed: int) -> None:
    one, budget = bench(seed)
    tried = every(one, budget)
    found = one.fitter.fastest(budget)
    assert (None if found is None else figures(found, budget)) == min(tried, default=None)
    # Nothing is measured twice.
    assert len(one.asked) == len(set(one.asked))
    for enough in {cycles for cycles, _ in tried}:
        least = one.fitter.least(budget, enough)
        assert least is not None
        assert least.interval_cycles <= enough
        assert figures(least, budget)[1] == min(share for cycles, share in tried if cycles <= enough)


@settings(derandomize=True, deadline=None, max_examples=15)
@given(st.integers(0, 1 << 30))
def test_what_is_in_the_way_is(seed: int) -> None:
    one, budget = bench(seed)
    fitter = one.fitter
    found = fitter.fastest(budget)
    if found is None:
        assert fitter.shortage(budget).over
        return
    asked = len(one.asked)
    step = fitter.next_step(found, budget)
    assert (step is None) == (found.slowest_cycles == fitter.fastest_interval)
    assert step is None or step.over
    assert len(one.asked) == asked


def folded(*costs: Cost) -> dict[tuple[str, Way], Cost]:
    """One layer, of factor 1 upwards."""
    return {("l", Way(place, 10 * place, "folded")): cost for place, cost in enumerate(costs, 1)}


AMPLE = dict.fromkeys(RESOURCES, 1000)


def test_what_cannot_be_better_is_not_measured() -> None:
    one = Bench(folded(*((100 - 5 * factor, 9, 9, 9) for factor in range(12))))
    found = one.fitter.least(AMPLE, 75)
    assert found is not None
    assert found.reuse_factors == {"l": 7}
    assert [way.reuse_factor for _, way in one.asked] == [7]


def test_what_is_known_to_be_too_much_is_not_measured() -> None:
    ways = [Way(factor, 10 * factor, "folded", (0, 0, 2000 // factor, 0)) for factor in (1, 2, 4, 8)]
    one = Bench({("l", way): (1, 1, way.least[2], 0) for way in ways})
    found = one.fitter.fastest(AMPLE)
    assert found is not None
    assert found.reuse_factors == {"l": 2}
    assert 1 not in {way.reuse_factor for _, way in one.asked}


@pytest.mark.parametrize(("slow", "count"), [((50, 9, 9, 9), 0), ((70, 9, 9, 9), 1)])
def test_measurements_against_the_rule_are_counted(slow: Cost, count: int) -> None:
    one = Bench(folded((60, 9, 9, 9), slow))
    fitter = one.fitter
    for cycles in (10, 20):
        fitter.least(AMPLE, cycles)
    assert fitter.exceptions == (1, count)


def test_a_design_whose_layers_wait_is_made_of_faster_ones() -> None:
    one = Bench(folded((60, 9, 9, 9), (50, 9, 9, 9), (40, 9, 9, 9)), waits=5)
    found = one.fitter.least(AMPLE, 30)
    assert found is not None
    assert (found.reuse_factors, found.interval_cycles) == ({"l": 2}, 25)
    assert one.fitter.least(AMPLE, 14) is None
