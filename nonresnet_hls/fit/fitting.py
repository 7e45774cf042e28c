"""From a design with open reuse factors and a budget to the fastest, or the least, design within it."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nonresnet_hls.dataflow.graph import Dataflow, Process, Toolchain
from nonresnet_hls.dataflow.memory import Memory, fifo_memory
from nonresnet_hls.dataflow.sizing import sized_depths
from nonresnet_hls.dataflow.template import Template, Weighted
from nonresnet_hls.fit import costs
from nonresnet_hls.fit.costs import Range
from nonresnet_hls.fit.optimizer import Choice, Option, cheapest, fastest, largest_share, smallest
from nonresnet_hls.hls import reuse
from nonresnet_hls.recipe import Strategy

RESOURCES = ("lut", "ff", "dsp", "bram_18k")
"""In the order of the optimizer's costs."""
_SIZINGS = 8
"""FIFOs follow from the choice and the choice from what FIFOs leave: so often at most."""

Chooser = Callable[[Sequence[Sequence[Option]], Sequence[int]], Choice | None]
"""What picks one option for each layer within limits."""


@dataclass(frozen=True)
class Layer:
    """One layer of a fitted design; LUT and FF after logic synthesis, and everything but the cycles' loops modelled.

    Attributes:
        name: as hls4ml calls it.
        kind: what its costs are calibrated with.
        reuse_factor: None for a layer without a choice.
        interval_cycles: until it can begin the next image.
        dsp_is_bound: the DSPs are an upper bound.
        csynth_lut, csynth_ff: medians of what C synthesis would report.
        lut, ff: after logic synthesis.
        calibrated: whether real reports had layers of its kind.
        bottleneck: no layer takes longer.
    """

    name: str
    kind: str
    reuse_factor: int | None
    interval_cycles: int
    dsp: int
    dsp_is_bound: bool
    bram_18k: int
    csynth_lut: int
    csynth_ff: int
    lut: Range
    ff: Range
    calibrated: bool
    bottleneck: bool = False

    @property
    def cost(self) -> tuple[int, int, int, int]:
        """As the optimizer weighs it."""
        return self.lut.median, self.ff.median, self.dsp, self.bram_18k


@dataclass(frozen=True)
class Fitted:
    """A design: its layers, FIFOs and sums.

    Attributes:
        layers: in the order of the design.
        reuse_factors: of the layers with a choice.
        fifo_depths: in words, by stream.
        fifos: their memory.
        interval_cycles: per image.
        used: by resource.
        above_least: how far the sum of shares may lie above the least possible; 0: it is that.
    """

    layers: tuple[Layer, ...]
    reuse_factors: Mapping[str, int]
    fifo_depths: Mapping[str, int]
    fifos: Memory
    interval_cycles: int
    used: Mapping[str, int]
    above_least: float = 0.0

    @property
    def lut_range(self) -> Range:
        """Between what LUTs lie if every layer erred alike."""
        return sum((layer.lut for layer in self.layers), Range(self.fifos.lut, self.fifos.lut, self.fifos.lut))

    @property
    def ff_range(self) -> Range:
        """The same of FFs."""
        return sum((layer.ff for layer in self.layers), Range(0, 0, 0))


@dataclass(frozen=True)
class Shortage:
    """Why there is no design within a budget: the least that one takes, and of what it takes too much."""

    used: Mapping[str, int]
    budget: Mapping[str, int]
    interval_cycles: int

    @property
    def over(self) -> dict[str, int]:
        """By resource how much is missing."""
        return {name: used - self.budget[name] for name, used in self.used.items() if used > self.budget[name]}


class Fitter:
    """The choices of one design, to be fitted to budgets."""

    def __init__(self, template: Template, part: str, clock_ns: float, open_layers: Iterable[str]) -> None:
        """`open_layers` are those whose reuse factor can be chosen."""
        self.template, self.part, self.clock_ns = template, part, clock_ns
        self.names = [process.name for process in template.given.processes]
        self.open = {name: template.layers[name] for name in open_layers if name in template.layers}
        self.rows: dict[tuple[str, int], Layer] = {}
        self.options: list[list[Option]] = []
        for name in self.names:
            if name in self.open:
                rows = [self._row(name, factor) for factor in factors(self.open[name])]
            else:
                rows = [self._row(name, None)]
            self.options.append([Option(row.reuse_factor or 0, row.interval_cycles, row.cost) for row in rows])

    @property
    def unknown(self) -> tuple[str, ...]:
        """Layers without a model, which are in no figure."""
        return self.template.given.unknown_layers

    def fastest(self, budget: Mapping[str, int]) -> Fitted | None:
        """The fastest design within a budget; None: nothing fits."""
        found = self._settled(budget, lambda layers, limits: fastest(layers, limits))
        found = found or self._last_resort(budget, None)
        # FIFOs that were set aside can have been deeper than those of the next faster design.
        while found is not None and (interval := self._faster(found)) is not None:
            better = self._last_resort(budget, interval)
            if better is None:
                break
            found = better
        return found

    def least(self, budget: Mapping[str, int], interval_cycles: int) -> Fitted | None:
        """The design within a budget that is fast enough and takes the least sum of shares; None: nothing fits."""
        if interval_cycles < self.fastest_interval:
            return None
        found = self._settled(budget, lambda layers, limits: cheapest(layers, interval_cycles, limits))
        return found or self._last_resort(budget, interval_cycles)

    def shortage(self, budget: Mapping[str, int], interval_cycles: int | None = None) -> Shortage:
        """What the design takes whose largest share of the budget is smallest, its FIFOs included."""
        found = self._smallest(budget, interval_cycles)
        return Shortage(found.used, budget, found.interval_cycles)

    def _last_resort(self, budget: Mapping[str, int], interval_cycles: int | None) -> Fitted | None:
        found = self._smallest(budget, interval_cycles)
        return found if within(found.used, budget) else None

    def _smallest(self, budget: Mapping[str, int], interval_cycles: int | None) -> Fitted:
        slowest = max(o.interval_cycles for options in self.options for o in options)
        enough = max(slowest if interval_cycles is None else interval_cycles, self.fastest_interval)
        limits = tuple(budget[name] for name in RESOURCES)
        aside, designs = Memory(0, 0), []
        for _ in range(2):  # the FIFOs of the first are set aside for the second
            fifos = Option(0, 0, (aside.lut, 0, 0, aside.bram_18k))
            choice = smallest([*self.options, [fifos]], enough, limits)
            if choice is None:
                raise ArithmeticError(
                    "a choice wanted: every layer has an option that is as fast as the fastest design"
                )
            designs.append(self._design(Choice(choice.options[:-1], ())))
            aside = designs[-1].fifos
        return min(designs, key=lambda one: largest_share([one.used[name] for name in RESOURCES], limits))

    @property
    def fastest_interval(self) -> int:
        """Cycles per image that no choice goes below."""
        return max(min(o.interval_cycles for o in options) for options in self.options)

    def next_step(self, found: Fitted, budget: Mapping[str, int]) -> Shortage | None:
        """What the next faster design would take at least; None: there is no faster one."""
        interval = self._faster(found)
        return None if interval is None else self.shortage(budget, interval)

    def _faster(self, found: Fitted) -> int | None:
        """The next interval below a design's that a choice can have."""
        every = {o.interval_cycles for options in self.options for o in options}
        return max((i for i in every if self.fastest_interval <= i < found.interval_cycles), default=None)

    def uniform(self, budget: Mapping[str, int], interval_cycles: int | None = None) -> tuple[int, Fitted] | None:
        """The fastest design (or the least that is fast enough) whose layers all take the factor nearest to one target.

        Returns:
            The target and the design; None: none fits.
        """
        limits = tuple(budget[name] for name in RESOURCES)
        choices: dict[tuple[int, ...], tuple[int, Choice]] = {}
        for target in self._targets():
            choice = self._nearest(target)
            choices.setdefault(tuple(o.name for o in choice.options), (target, choice))
        ordered = sorted(choices.values(), key=lambda found: (found[1].interval_cycles, found[1].cost))
        for target, choice in ordered:
            if interval_cycles is not None and choice.interval_cycles > interval_cycles:
                break
            if largest_share(choice.cost, limits) > 1:
                continue
            design = self._design(choice)
            if within(design.used, budget):
                return target, design
        return None

    def at(self, target: int) -> Fitted:
        """The design whose layers all take the factor nearest to a target, whether it fits or not."""
        return self._design(self._nearest(target))

    def _nearest(self, target: int) -> Choice:
        picked = tuple(
            min(options, key=lambda o: (abs(o.name - target), o.name)) if options[0].name else options[0]
            for options in self.options
        )
        return Choice(picked, tuple(sum(column) for column in zip(*(o.cost for o in picked), strict=True)))

    def _targets(self) -> Iterator[int]:
        every = sorted({o.name for options in self.options for o in options if o.name})
        seen = set(every)
        for before, after in itertools.pairwise(every):
            seen |= {(before + after) // 2, (before + after) // 2 + 1}
        yield from sorted(seen)

    def _row(self, name: str, factor: int | None) -> Layer:
        template = self.template
        process = template.process(name, factor) if factor is not None else _named(template.given, name)
        key = (name, factor or 0)
        if key not in self.rows:
            kernel = costs.kernel_of(process, template.given)
            cost = costs.cost(kernel)
            lut = costs.logic_synthesis(kernel.kind, "lut").of(cost.lut)
            ff = costs.logic_synthesis(kernel.kind, "ff").of(cost.ff)
            self.rows[key] = Layer(
                name, kernel.kind, factor, process.program.interval_cycles, cost.dsp, cost.dsp_is_bound, cost.bram_18k,
                cost.lut.median, cost.ff.median, lut, ff, cost.calibrated,
            )  # fmt: skip
        return self.rows[key]

    def _settled(self, budget: Mapping[str, int], choose: Chooser) -> Fitted | None:
        """The choice with its own FIFOs within the budget: what these take is set aside, until it fits."""
        limits = tuple(budget[name] for name in RESOURCES)
        aside = Memory(0, 0)
        seen: list[Memory] = []
        for _ in range(_SIZINGS):
            fifos = Option(0, 0, (aside.lut, 0, 0, aside.bram_18k))
            choice = choose([*self.options, [fifos]], limits)
            if choice is None and not seen:
                return None  # without any FIFOs nothing fits
            if choice is None:
                break
            design = self._design(Choice(choice.options[:-1], (), choice.above_least))
            if within(design.used, budget):
                return design
            seen.append(design.fifos)
            aside = Memory(max(m.bram_18k for m in seen), max(m.lut for m in seen))
        return None

    def _design(self, choice: Choice) -> Fitted:
        chosen = dict(zip(self.names, choice.options, strict=True))
        reuse_factors = {name: option.name for name, option in chosen.items() if option.name}
        flow = self.template.flow(reuse_factors, self.part, self.clock_ns)
        depths = sized_depths(flow)
        fifos = fifo_memory(flow.internal, depths, flow.toolchain, bound=flow.toolchain is Toolchain.VITIS_HLS)
        interval = max(option.interval_cycles for option in choice.options)
        layers = tuple(
            replace(row, bottleneck=row.interval_cycles == interval)
            for row in (self.rows[name, chosen[name].name] for name in self.names)
        )
        used = dict(
            zip(RESOURCES, (sum(column) for column in zip(*(row.cost for row in layers), strict=True)), strict=True)
        )
        used["lut"] += fifos.lut
        used["bram_18k"] += fifos.bram_18k
        return Fitted(layers, reuse_factors, depths, fifos, interval, used, choice.above_least)


def _named(flow: Dataflow, name: str) -> Process:
    return next(process for process in flow.processes if process.name == name)


def within(used: Mapping[str, int], budget: Mapping[str, int]) -> bool:
    """Whether no resource is taken more of than may be."""
    return all(used[name] <= budget[name] for name in RESOURCES)


def factors(layer: Weighted) -> list[int]:
    """The reuse factors worth a thought: all that a layer can take; of equal numbers of multipliers the smallest.

    >>> factors(Weighted("conv", 9, 4, "resource", False))
    [1, 3, 9, 18, 36]
    >>> factors(Weighted("conv", 2, 3, "latency", False))
    [1, 2, 3, 6]
    """
    count = layer.multiplications
    if layer.strategy in ("resource", "compressed"):
        divisors = {d for low in range(1, math.isqrt(count) + 1) if count % low == 0 for d in (low, count // low)}
        fitting = (f for f in divisors if reuse.fits(layer.n_in, layer.n_out, f, Strategy.RESOURCE))
        rows = layer.n_in
        return sorted(f for f in fitting if not reuse.reads_beyond(rows, layer.n_out, f, layer.depthwise))
    multipliers = {count, *(-(-count // f) for f in range(1, math.isqrt(count) + 1)), *range(1, math.isqrt(count) + 2)}
    return sorted({-(-count // m) for m in multipliers if m <= count})


def budget_of(resources: Mapping[str, int], use: float) -> dict[str, int]:
    """A share of what there is.

    >>> budget_of({"lut": 53200, "ff": 106400, "dsp": 220, "bram_18k": 280}, 0.8)["dsp"]
    176
    """
    return {name: math.floor(resources[name] * use + 1e-9) for name in RESOURCES}
