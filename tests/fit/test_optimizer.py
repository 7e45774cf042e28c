"""The exact choice of options against trying them all."""

import itertools

import numpy as np
import pytest

from nonresnet_hls.fit.optimizer import (
    Choice,
    Option,
    cheapest,
    fastest,
    largest_share,
    smallest,
    total_share,
    undominated,
)

Layers = list[list[Option]]


def network(seed: int) -> tuple[Layers, tuple[int, ...]]:
    """A small random network: fewer cycles cost more, but not of every resource; and a budget, often tight."""
    rng = np.random.default_rng(seed)
    layers = []
    for _ in range(rng.integers(1, 6)):
        work = int(rng.integers(50, 5000))
        options = []
        for factor in sorted(rng.choice([1, 2, 3, 4, 6, 8, 12, 16, 24], size=rng.integers(1, 6), replace=False)):
            multipliers = -(-work // int(factor))
            memory = 0 if factor <= 2 else int(rng.integers(1, 9)) * multipliers // 50
            logic = int(multipliers * rng.uniform(0.5, 2)) + int(factor) * int(rng.integers(0, 60))
            options.append(Option(int(factor), int(factor) * int(rng.integers(90, 110)), (multipliers, memory, logic)))
        layers.append(options)
    dearest = [sum(max(o.cost[r] for o in options) for options in layers) for r in range(3)]
    return layers, tuple(max(int(d * rng.uniform(0.2, 1.1)), 1) for d in dearest)


def every(layers: Layers, interval: int | None = None) -> list[Choice]:
    choices = (
        Choice(picked, tuple(sum(column) for column in zip(*(o.cost for o in picked), strict=True)))
        for picked in itertools.product(*layers)
    )
    return [choice for choice in choices if interval is None or choice.interval_cycles <= interval]


@pytest.mark.parametrize("seed", range(50))
def test_the_fastest_choice_is_that_of_trying_all(seed: int) -> None:
    layers, budget = network(seed)
    within = [c for c in every(layers) if largest_share(c.cost, budget) <= 1]
    found = fastest(layers, budget)
    if not within:
        assert found is None
        return
    assert found is not None
    best = min((c.interval_cycles, total_share(c.cost, budget)) for c in within)
    assert (found.interval_cycles, total_share(found.cost, budget)) == best
    assert largest_share(found.cost, budget) <= 1


@pytest.mark.parametrize("seed", range(50))
def test_the_cheapest_and_the_smallest_choice_for_an_interval_are_those_of_trying_all(seed: int) -> None:
    layers, budget = network(seed)
    for interval in sorted({o.interval_cycles for options in layers for o in options}):
        tried = every(layers, interval)
        least = smallest(layers, interval, budget)
        assert (least is None) == (not tried)
        if least is None:
            continue
        assert largest_share(least.cost, budget) == min(largest_share(c.cost, budget) for c in tried)
        within = [c for c in tried if largest_share(c.cost, budget) <= 1]
        found = cheapest(layers, interval, budget)
        assert (found is None) == (not within)
        if found is not None:
            assert total_share(found.cost, budget) == min(total_share(c.cost, budget) for c in within)
            assert largest_share(found.cost, budget) <= 1


def test_a_resource_of_which_there_is_nothing_is_not_taken() -> None:
    layers = [[Option(1, 10, (5, 0)), Option(2, 5, (1, 1))]]
    found = fastest(layers, (10, 0))
    assert found is not None
    assert found.options[0].name == 1
    assert fastest([[Option(2, 5, (1, 1))]], (10, 0)) is None


def test_many_layers_of_a_few_shapes_are_chosen_at_once() -> None:
    rng = np.random.default_rng(0)
    shapes = [
        [Option(f, 1000 * f, (4096 // f, 40 + int(rng.integers(0, 20)), 900 + 64 * f, 8000 // f)) for f in range(1, 40)]
        for _ in range(4)
    ]
    layers = [shapes[i % 4] for i in range(40)]
    found = fastest(layers, (20000, 2500, 120000, 50000))
    assert found is not None
    assert largest_share(found.cost, (20000, 2500, 120000, 50000)) <= 1


def test_dearer_options_in_every_resource_are_left_out() -> None:
    options = [Option(1, 5, (3, 3)), Option(2, 4, (3, 3)), Option(3, 3, (4, 3)), Option(4, 2, (2, 9))]
    assert [o.name for o in undominated(options)] == [4, 2]
