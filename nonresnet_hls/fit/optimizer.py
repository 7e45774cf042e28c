"""The choice of one option for each layer: exact, by merging what no other choice is better than in every resource.

A design's interval is that of its slowest layer, so for a given interval the layers choose independently among the
options that are fast enough, and only the budget binds them together. What is merged is bounded twice: by what the
layers that are not yet chosen take at least of each resource, and by a weighted sum of all resources whose weights
come from the dual problem (subgradients). Bounds only ever drop what cannot be the best.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_ROUNDS = 150
"""Of subgradients: bounds get tight, and any number of them is right."""
_MOST = 40_000
"""Sums kept for the cheapest of the fastest; beyond, the one at hand is kept, its distance from the least told."""
_SLACK = 1e-9
"""Bounds are floating point; what comes so close is kept."""


@dataclass(frozen=True)
class Option:
    """One way to build a layer: what it is called (a reuse factor), its cycles per image, and what it takes."""

    name: int
    interval_cycles: int
    cost: tuple[int, ...]


@dataclass(frozen=True)
class Choice:
    """One option for each layer, and the sum of their costs.

    Attributes:
        options: in the order of the layers.
        cost: of all together.
        above_least: how far its sum of shares may lie above the least possible; 0 where it is proved to be that.
    """

    options: tuple[Option, ...]
    cost: tuple[int, ...]
    above_least: float = 0.0

    @property
    def interval_cycles(self) -> int:
        """Of the slowest layer."""
        return max(option.interval_cycles for option in self.options)


def undominated(options: Iterable[Option]) -> list[Option]:
    """Those that no other is at most as dear as in every resource, by cost; of equals the fastest.

    >>> [o.name for o in undominated([Option(1, 9, (4, 2)), Option(2, 8, (4, 3)), Option(3, 7, (1, 9))])]
    [3, 1]
    """
    ordered = sorted(options, key=lambda o: (o.cost, o.interval_cycles, o.name))
    kept: list[Option] = []
    for option in ordered:
        if not any(all(a <= b for a, b in zip(other.cost, option.cost, strict=True)) for other in kept):
            kept.append(option)
    return kept


def largest_share(cost: Sequence[int], budget: Sequence[int]) -> float:
    """The largest share of the budget that a cost takes; infinite where there is nothing of what is wanted."""
    return max((used / has if has else (float("inf") if used else 0.0)) for used, has in zip(cost, budget, strict=True))


def total_share(cost: Sequence[int], budget: Sequence[int]) -> float:
    """The sum of all shares of the budget: what is least where a design is to take least."""
    return sum(used / has for used, has in zip(cost, budget, strict=True) if has)


def cheapest(layers: Sequence[Sequence[Option]], interval_cycles: int, budget: Sequence[int]) -> Choice | None:
    """The choice that is fast enough, within the budget, and takes the least sum of shares of it; None: there is none.

    Args:
        layers: the options of each.
        interval_cycles: the most cycles per image.
        budget: the most of each resource.
    """
    problem = _problem(layers, interval_cycles, budget)
    return None if problem is None else problem.cheapest()


def smallest(layers: Sequence[Sequence[Option]], interval_cycles: int, budget: Sequence[int]) -> Choice | None:
    """The choice that is fast enough and whose largest share of the budget is smallest, within the budget or not.

    None: a layer has no option that is fast enough.
    """
    problem = _problem(layers, interval_cycles, budget)
    return None if problem is None else problem.smallest()


def fastest(layers: Sequence[Sequence[Option]], budget: Sequence[int]) -> Choice | None:
    """The choice within the budget with the least interval; of all that have it the cheapest. None: nothing fits."""
    slowest = [min((o.interval_cycles for o in options), default=0) for options in layers]
    if not layers or not all(layers):
        return None
    candidates = sorted({o.interval_cycles for options in layers for o in options if o.interval_cycles >= max(slowest)})
    low, high, found = 0, len(candidates), None
    while low < high:
        middle = (low + high) // 2
        problem = _problem(layers, candidates[middle], budget)
        if problem is not None and problem.fits():
            high, found = middle, candidates[middle]
        else:
            low = middle + 1
    return None if found is None else cheapest(layers, found, budget)


def _problem(layers: Sequence[Sequence[Option]], interval_cycles: int, budget: Sequence[int]) -> "_Problem | None":
    fast = [undominated(o for o in options if o.interval_cycles <= interval_cycles) for options in layers]
    none = [place for place, has in enumerate(budget) if not has]
    # What there is nothing of is not taken where that can be.
    without = [[o for o in options if not any(o.cost[place] for place in none)] for options in fast]
    return _Problem(without if all(without) else fast, budget) if all(fast) else None


class _TooManyError(Exception):
    """More sums than are kept."""


class _Problem:
    """Options that are all fast enough."""

    def __init__(self, layers: list[list[Option]], budget: Sequence[int]) -> None:
        # Layers with a choice last: the others are one sum.
        self.order = sorted(range(len(layers)), key=lambda i: len(layers[i]))
        self.layers = [layers[i] for i in self.order]
        self.budget = tuple(budget)
        # A resource of which there is nothing: whoever takes some takes too much.
        self.scale = np.array([1 / has if has else 1e12 for has in budget], dtype=np.float64)
        self.costs = [np.array([o.cost for o in options], dtype=np.float64) for options in self.layers]
        most = max(len(options) for options in self.layers)
        self.shares = np.full((len(layers), most, len(budget)), np.inf)
        for i, cost in enumerate(self.costs):
            self.shares[i, : len(cost)] = cost * self.scale

    def fits(self) -> bool:
        bound, weights, incumbent = self._balanced(enough=1.0)
        if largest_share(incumbent.cost, self.budget) <= 1:
            return True
        return bound <= 1 + _SLACK and len(self._merged(weights, 1.0, 1.0)) > 0

    def cheapest(self) -> Choice | None:
        free = self._best(np.ones(len(self.budget)))
        if largest_share(free.cost, self.budget) <= 1:
            return free
        bound, weights, incumbent = self._priced()
        if incumbent is None:
            incumbent = self.smallest()
            if largest_share(incumbent.cost, self.budget) > 1:
                return None
        incumbent = self._improved(incumbent)
        limit = total_share(incumbent.cost, self.budget)
        if bound > limit - _SLACK:
            return incumbent
        try:
            # (weights - 1) are the prices of the budget: what a choice within it can save by them is their sum.
            better = self._merged(weights, limit + float((weights - 1).sum()), 1.0, _MOST)
        except _TooManyError:
            return replace(incumbent, above_least=limit - bound)
        return min([incumbent, *better], key=lambda choice: (total_share(choice.cost, self.budget), choice.cost))

    def _improved(self, choice: Choice) -> Choice:
        """The choice after other options for one layer, or for two at once, as long as these take less."""
        cost = np.array(choice.cost, dtype=np.float64)
        now = [options.index(choice.options[place]) for place, options in zip(self.order, self.layers, strict=True)]
        moves = [own - own[i] for own, i in zip(self.costs, now, strict=True)]
        budget = np.array(self.budget, dtype=np.float64)
        for _ in range(_ROUNDS):
            best, done = -_SLACK, None
            for i, one in enumerate(moves):
                for j in range(i, len(moves)):
                    both = one[:, None, :] + (moves[j][None, :, :] if j > i else 0)
                    gain = (both * self.scale).sum(axis=2)
                    gain[~(cost + both <= budget).all(axis=2)] = 0
                    k, m = np.unravel_index(int(gain.argmin()), gain.shape)
                    if gain[k, m] < best:
                        best, done = float(gain[k, m]), (i, int(k), j, int(m))
            if done is None:
                break
            for layer, option in {done[2]: done[3], done[0]: done[1]}.items():
                cost = cost + moves[layer][option]
                now[layer] = option
                moves[layer] = self.costs[layer] - self.costs[layer][option]
        return self._choice(now)

    def smallest(self) -> Choice:
        bound, weights, incumbent = self._balanced()
        share = largest_share(incumbent.cost, self.budget)
        if share <= bound + _SLACK or share == np.inf:
            return incumbent
        better = self._merged(weights, share, share)
        return min([incumbent, *better], key=lambda choice: (largest_share(choice.cost, self.budget), choice.cost))

    def _choose(self, weights: Floats) -> npt.NDArray[np.intp]:
        chosen: npt.NDArray[np.intp] = np.argmin(
            np.where(np.isinf(self.shares), np.inf, self.shares * weights).sum(axis=2), axis=1
        )
        return chosen

    def _choice(self, chosen: Iterable[int]) -> Choice:
        options: list[Option] = [self.layers[0][0]] * len(self.layers)
        for layer, (place, index) in enumerate(zip(self.order, chosen, strict=True)):
            options[place] = self.layers[layer][index]
        return Choice(tuple(options), tuple(sum(column) for column in zip(*(o.cost for o in options), strict=True)))

    def _best(self, weights: Floats) -> Choice:
        return self._choice(self._choose(weights).tolist())

    def _priced(self) -> tuple[float, Floats, Choice | None]:
        """The best bound that prices of the budget give on the sum of shares, its weights, the best choice within."""
        prices = np.zeros(len(self.budget))
        bound, weights, best = -np.inf, np.ones(len(self.budget)), None
        for step in range(_ROUNDS):
            choice = self._best(1 + prices)
            used = np.array(choice.cost) * self.scale
            value = float(used.sum() + (prices * (used - 1)).sum())
            if value > bound:
                bound, weights = value, 1 + prices
            within = largest_share(choice.cost, self.budget) <= 1
            if within and (best is None or total_share(choice.cost, self.budget) < total_share(best.cost, self.budget)):
                best = choice
            if best is not None and bound > total_share(best.cost, self.budget) - _SLACK:
                break
            prices = np.maximum(0, prices + 2.0 / (1 + step / 5) * (used - 1))
        return bound, weights, best

    def _balanced(self, enough: float = 0.0) -> tuple[float, Floats, Choice]:
        """The best bound that weighted means of the shares give on the largest, its weights, and the best choice.

        No better ones are sought than a choice of `enough`, or than a bound that says that there is none.
        """
        weights = np.full(len(self.budget), 1 / len(self.budget))
        bound, best_weights, best = -np.inf, weights, self._best(weights)
        for step in range(_ROUNDS):
            choice = self._best(weights)
            used = np.array(choice.cost) * self.scale
            value = float((weights * used).sum())
            if value > bound:
                bound, best_weights = value, weights
            if largest_share(choice.cost, self.budget) < largest_share(best.cost, self.budget):
                best = choice
            if largest_share(best.cost, self.budget) <= max(bound + _SLACK, enough) or (
                enough and bound > enough + 1e-6
            ):
                break
            # Multiplicative weights: what is taken most of weighs more.
            weights = weights * np.exp((used - used.max()) / max(used.max(), 1e-9) * 2 / (1 + step / 8))
            weights = np.maximum(weights / weights.sum(), 1e-12)
            weights = weights / weights.sum()
        return bound, best_weights, best

    def _merged(self, weights: Floats, limit: float, most: float, count: int | None = None) -> list[Choice]:
        """Every choice within both limits that no other is better than in every resource.

        Args:
            weights: of the shares' weighted sum.
            limit: what that sum may come to.
            most: the largest share that may be taken of any resource.
            count: how many sums may be kept at a time; None: any number.

        Raises:
            _TooManyError: there are more.
        """
        least = np.array([cost.min(axis=0) for cost in self.costs])
        rest = np.vstack([np.cumsum(least[::-1], axis=0)[::-1], np.zeros(least.shape[1])])
        weighed = np.array([(cost * self.scale * weights).sum(axis=1).min() for cost in self.costs])
        weighed_rest = np.append(np.cumsum(weighed[::-1])[::-1], 0.0)
        cap = np.array(self.budget, dtype=np.float64) * most + _SLACK
        totals = np.zeros((1, len(self.budget)))
        chosen = np.zeros((1, 0), dtype=np.int32)
        for i, cost in enumerate(self.costs):
            totals = (totals[:, None, :] + cost[None, :, :]).reshape(-1, len(self.budget))
            chosen = np.hstack(
                [
                    np.repeat(chosen, len(cost), axis=0),
                    np.tile(np.arange(len(cost), dtype=np.int32), len(chosen))[:, None],
                ]
            )
            keep = (totals + rest[i + 1] <= cap).all(axis=1)
            keep &= (totals * self.scale * weights).sum(axis=1) + weighed_rest[i + 1] <= limit + _SLACK
            totals, chosen = totals[keep], chosen[keep]
            if count is not None and len(totals) > count:
                raise _TooManyError
            places = _front(totals)
            totals, chosen = totals[places], chosen[places]
        return [self._choice(row.tolist()) for row in chosen]


def _front(costs: Floats) -> npt.NDArray[np.intp]:
    """Places of the rows that no other is at most as large as in every column; of equal rows the first."""
    _, places = np.unique(costs, axis=0, return_index=True)
    # In lexicographic order a row is dominated by earlier ones only.
    rows = costs[places]
    kept = np.zeros((0, costs.shape[1]))
    found: list[npt.NDArray[np.intp]] = []
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        open_ = np.ones(len(block), dtype=bool)
        for begin in range(0, len(kept), _BLOCK):
            part = kept[begin : begin + _BLOCK]
            open_ &= ~(part[None, :, :] <= block[:, None, :]).all(axis=2).any(axis=1)
        block, where = block[open_], places[start : start + _BLOCK][open_]
        below = (block[None, :, :] <= block[:, None, :]).all(axis=2)
        np.fill_diagonal(below, False)
        best = ~below.any(axis=1)
        kept = np.vstack([kept, block[best]])
        found.append(where[best])
    return np.concatenate(found) if found else np.zeros(0, dtype=np.intp)


_BLOCK = 512
