"""The fastest, or the least, design within a budget where what a layer takes is measured, which takes time.

Only what can be part of the answer is measured. Of ordered ways to build a layer, of one kind, a faster one is
taken to cost no less of anything than a slower one, so that a slower one that was measured and is fast enough leaves
the faster ones out; `exceptions` counts where measurements say otherwise. Under that rule the choice is exact.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nonresnet_hls.fit.fitting import RESOURCES, Chooser, Shortage, within
from nonresnet_hls.fit.optimizer import Choice, Option, cheapest, largest_share, smallest

Cost = tuple[int, int, int, int]
"""In the order of `RESOURCES`."""
NOTHING: Cost = (0, 0, 0, 0)
_SIZINGS = 8
"""FIFOs follow from the choice and the choice from what FIFOs leave: so often at most."""


@dataclass(frozen=True)
class Way:
    """One way to build a layer.

    Attributes:
        reuse_factor: None for a layer without a choice.
        interval_cycles: until it can begin the next image.
        kind: how it is built.
        least: what it is known to take at least before it is measured.
        ordered: whether a faster way of its kind is taken to cost no less of anything.
    """

    reuse_factor: int | None
    interval_cycles: int
    kind: str
    least: Cost = NOTHING
    ordered: bool = True

    @property
    def group(self) -> tuple[str, int | None]:
        """Ways of one group are ordered."""
        return self.kind, None if self.ordered else self.reuse_factor


@dataclass(frozen=True)
class Sized:
    """The FIFOs of a design: depths in words by stream, what they take, and the design's cycles an image."""

    fifo_depths: Mapping[str, int]
    fifos: Cost
    interval_cycles: int | float


@dataclass(frozen=True)
class MeasuredLayer:
    """One layer of a fitted design; all but the cycles measured.

    Attributes:
        name: as hls4ml calls it.
        kind: how it is built.
        reuse_factor: None for a layer without a choice.
        interval_cycles: until it can begin the next image.
        bottleneck: no layer takes longer.
    """

    name: str
    kind: str
    reuse_factor: int | None
    interval_cycles: int
    lut: int
    ff: int
    dsp: int
    bram_18k: int
    bottleneck: bool


@dataclass(frozen=True)
class Measured:
    """A design: its layers, FIFOs and sums.

    Attributes:
        layers: in the order of the design.
        reuse_factors: of the layers with a choice.
        fifo_depths: in words, by stream.
        fifos: what they take, by resource.
        interval_cycles: per image, of the whole design.
        used: by resource.
        above_least: how far the sum of shares may lie above the least possible; 0: it is that.
    """

    layers: tuple[MeasuredLayer, ...]
    reuse_factors: Mapping[str, int]
    fifo_depths: Mapping[str, int]
    fifos: Mapping[str, int]
    interval_cycles: int | float
    used: Mapping[str, int]
    above_least: float = 0.0

    @property
    def slowest_cycles(self) -> int:
        """Of its slowest layer."""
        return max(layer.interval_cycles for layer in self.layers)


class MeasuredFitter:
    """The choices of one design, to be fitted to budgets."""

    def __init__(
        self,
        layers: Mapping[str, Sequence[Way]],
        measure: Callable[[Sequence[tuple[str, Way]]], Sequence[Cost]],
        size: Callable[[Mapping[str, int]], Sized],
    ) -> None:
        """Nothing is measured yet.

        Args:
            layers: the ways to build each, by name, in the order of the design.
            measure: what layers take when they are built so.
            size: the FIFOs of the design with these reuse factors.
        """
        self._layers = {name: sorted(ways, key=_slowest_first) for name, ways in layers.items()}
        self._measure, self._size = measure, size
        self.costs: dict[tuple[str, Way], Cost] = {}
        """What was measured."""
        self._designs: dict[tuple[tuple[str, int], ...], Sized] = {}

    @property
    def fastest_interval(self) -> int:
        """Cycles per image that no choice goes below."""
        return max(ways[-1].interval_cycles for ways in self._layers.values())

    @property
    def ways(self) -> int:
        """How many ways there are to build one layer or another."""
        return sum(len(ways) for ways in self._layers.values())

    @property
    def exceptions(self) -> tuple[int, int]:
        """Of so many measured pairs of ways of one kind, in how many the faster takes less of something."""
        pairs = [
            (self.costs[name, slow], self.costs[name, fast])
            for name, ways in self._layers.items()
            for slow, fast in itertools.combinations([way for way in ways if (name, way) in self.costs], 2)
            if slow.group == fast.group
        ]
        return len(pairs), sum(not _covers(fast, slow) for slow, fast in pairs)

    def fastest(self, budget: Mapping[str, int]) -> Measured | None:
        """The fastest design within a budget, of those the one of the least sum of shares; None: nothing fits."""
        every = self._intervals()
        low, high, found = 0, len(every), self._settled(every[0], budget)
        if found is not None:
            return found
        while low + 1 < high:
            middle = (low + high) // 2
            design = self._settled(every[middle], budget)
            if design is None:
                low = middle
            else:
                found = design
                high = next(i for i, cycles in enumerate(every) if cycles >= design.slowest_cycles)
        # FIFOs that were in the way of a fast design need not be in that of a faster one.
        while found is not None and (interval := self._faster(found)) is not None:
            better = self._settled(interval, budget)
            if better is None:
                break
            found = better
        return found

    def least(self, budget: Mapping[str, int], interval_cycles: int) -> Measured | None:
        """The design within a budget that is fast enough and takes the least sum of shares; None: nothing fits."""
        allowed = interval_cycles
        while allowed >= self.fastest_interval:
            found = self._settled(allowed, budget)
            if found is None or found.interval_cycles <= interval_cycles:
                return found
            allowed = found.slowest_cycles - 1  # layers that wait for one another
        return None

    def shortage(self, budget: Mapping[str, int], interval_cycles: int | None = None) -> Shortage:
        """What the design takes whose largest share of the budget is smallest, its FIFOs included."""
        slowest = max(ways[0].interval_cycles for ways in self._layers.values())
        found = self._smallest(max(interval_cycles or slowest, self.fastest_interval), budget, NOTHING)
        assert found is not None  # there is no limit
        return Shortage(found.used, budget, found.slowest_cycles)

    def next_step(self, found: Measured, budget: Mapping[str, int]) -> Shortage | None:
        """What the next faster design would take at least; None: there is no faster one.

        Nothing more is measured for it: that there is none within the budget is known. FIFOs are taken to be as here.
        """
        interval = self._faster(found)
        if interval is None:
            return None
        limits = _limits(budget)
        fifos = Option(0, 0, tuple(found.fifos[name] for name in RESOURCES))
        choice = smallest([*self._options(interval), [fifos]], interval, limits)
        assert choice is not None
        return Shortage(dict(zip(RESOURCES, choice.cost, strict=True)), budget, interval)

    def _intervals(self) -> list[int]:
        every = {way.interval_cycles for ways in self._layers.values() for way in ways}
        return sorted(cycles for cycles in every if cycles >= self.fastest_interval)

    def _faster(self, found: Measured) -> int | None:
        return max((cycles for cycles in self._intervals() if cycles < found.slowest_cycles), default=None)

    def _settled(self, interval: int, budget: Mapping[str, int]) -> Measured | None:
        """The cheapest choice with its own FIFOs within the budget: what these take is set aside, until it fits."""
        limits = _limits(budget)
        aside = NOTHING
        for _ in range(_SIZINGS):
            choice = self._chosen(interval, limits, aside, lambda layers, most: cheapest(layers, interval, most))
            if choice is None:
                break
            design = self._design(choice)
            if within(design.used, budget):
                return design
            fifos = tuple(design.fifos[name] for name in RESOURCES)
            aside = _greatest(aside, fifos)  # type: ignore[arg-type]  # as many as there are resources
        if aside == NOTHING:
            return None  # without any FIFOs nothing fits
        found = self._smallest(interval, budget, aside)
        return found if found is not None and within(found.used, budget) else None

    def _smallest(self, interval: int, budget: Mapping[str, int], aside: Cost) -> Measured | None:
        """The design whose largest share is smallest; its FIFOs are then set aside once more."""
        limits = _limits(budget)
        designs: list[Measured] = []
        for _ in range(2):
            choice = self._chosen(interval, limits, aside, lambda layers, most: smallest(layers, interval, most))
            if choice is None:
                break
            designs.append(self._design(choice))
            aside = tuple(designs[-1].fifos[name] for name in RESOURCES)  # type: ignore[assignment]
        shares = {id(one): largest_share([one.used[name] for name in RESOURCES], limits) for one in designs}
        return min(designs, key=lambda one: shares[id(one)], default=None)

    def _chosen(self, interval: int, limits: Sequence[int], aside: Cost, choose: Chooser) -> Choice | None:
        """The best choice; measures what it takes to know that it is."""
        while True:
            fifos = [Option(0, 0, aside)]
            choice = choose([*self._options(interval), fifos], limits)
            if choice is None:
                return None
            picked = zip(self._layers.items(), choice.options[:-1], strict=True)
            missing = [(name, ways[o.name]) for (name, ways), o in picked if (name, ways[o.name]) not in self.costs]
            if not missing:
                return Choice(choice.options[:-1], (), choice.above_least)
            self._take(missing, interval)

    def _take(self, missing: Sequence[tuple[str, Way]], interval: int) -> None:
        """Measure what a choice wants, and beside it the other ways of these layers that nothing is known of."""
        wanted = dict.fromkeys(missing)
        for name, _ in missing:
            known = {way.group for other, way in self.costs if other == name}
            for way in self._layers[name]:
                if way.group not in known and way.interval_cycles <= interval and way.least == NOTHING:
                    known.add(way.group)
                    wanted[name, way] = None
        for pair, cost in zip(wanted, self._measure(list(wanted)), strict=True):
            self.costs[pair] = cost

    def _options(self, interval: int) -> list[list[Option]]:
        """The ways of each layer that are fast enough, by their places: what they take, or else at least take.

        Of one group that is the slowest, which takes no more than the faster ones, and all that were measured.
        """
        found = []
        for name, ways in self._layers.items():
            options: list[Option] = []
            least: dict[tuple[str, int | None], Cost] = {}
            offered: set[tuple[str, int | None]] = set()
            for place, way in enumerate(ways):
                known = self.costs.get((name, way))
                bound = least[way.group] = _greatest(known or way.least, least.get(way.group, NOTHING))
                if way.interval_cycles > interval or (known is None and way.group in offered):
                    continue
                offered.add(way.group)
                options.append(Option(place, way.interval_cycles, known or bound))
            found.append(options)
        return found

    def _design(self, choice: Choice) -> Measured:
        chosen = {name: ways[o.name] for (name, ways), o in zip(self._layers.items(), choice.options, strict=True)}
        factors = {name: way.reuse_factor for name, way in chosen.items() if way.reuse_factor is not None}
        key = tuple(factors.items())
        if key not in self._designs:
            self._designs[key] = self._size(factors)
        sized = self._designs[key]
        slowest = max(way.interval_cycles for way in chosen.values())
        rows = []
        for name, way in chosen.items():
            lut, ff, dsp, bram = self.costs[name, way]
            slow = way.interval_cycles == slowest
            rows.append(MeasuredLayer(name, way.kind, way.reuse_factor, way.interval_cycles, lut, ff, dsp, bram, slow))
        every = [*(self.costs[pair] for pair in chosen.items()), sized.fifos]
        used = dict(zip(RESOURCES, (sum(column) for column in zip(*every, strict=True)), strict=True))
        fifos = dict(zip(RESOURCES, sized.fifos, strict=True))
        depths, cycles = sized.fifo_depths, sized.interval_cycles
        return Measured(tuple(rows), factors, depths, fifos, cycles, used, choice.above_least)


def _slowest_first(way: Way) -> tuple[int, int]:
    return -way.interval_cycles, way.reuse_factor or 0


def _limits(budget: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(budget[name] for name in RESOURCES)


def _covers(more: Sequence[int], less: Sequence[int]) -> bool:
    return all(a >= b for a, b in zip(more, less, strict=True))


def _greatest(one: Cost, other: Cost) -> Cost:
    return max(one[0], other[0]), max(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])
