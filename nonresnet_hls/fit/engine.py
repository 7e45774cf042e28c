"""The open engine's designs as a `MeasuredFitter` wants them: the ways to build each unit, and what Yosys counts."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from functools import cached_property

from nonresnet_hls import progress
from nonresnet_hls.dataflow.template import Weighted
from nonresnet_hls.fit.fitting import RESOURCES, factors
from nonresnet_hls.fit.measured import NOTHING, Cost, MeasuredFitter, Sized, Way
from nonresnet_hls.fixed.network import Matrix, Network
from nonresnet_hls.recipe import RtlOptions, Strategy
from nonresnet_hls.rtl import unit_sums, units
from nonresnet_hls.rtl.design import RtlDesign, assemble
from nonresnet_hls.rtl.prediction import predict
from nonresnet_hls.rtl.sizing import size_fifos
from nonresnet_hls.rtl.unit_draft import Unit
from nonresnet_hls.rtl.yosys import Part, Target, synthesise_parts

MOST_WEIGHT_BITS = 1 << 15
"""Of all weights of a layer of which an adder graph is tried: 16 x 144 weights of 8 bits take minutes."""
SMALL_WEIGHT_BITS = 1 << 10
"""Up to so many a layer's folded ways are all tried: what folding itself takes is then more than what it saves."""
MOST_MULTIPLIERS = 1 << 11
"""Of a folded unit that is tried."""


class Engine:
    """A network whose units are built and synthesised as they are asked for."""

    def __init__(self, network: Network, options: RtlOptions, target: Target, strategy: Strategy, name: str) -> None:
        """Nothing is built yet.

        Args:
            network: of any reuse factors.
            options: of the generator.
            target: the device family that is synthesised for.
            strategy: says which reuse factors hls4ml lets a layer have.
            name: of the design, for who waits.
        """
        self.network, self.options, self.target, self.strategy, self.name = network, options, target, strategy, name
        self.heads = units.heads(network, options)
        self._units: dict[tuple[str, int | None], Unit] = {}

    @cached_property
    def fitter(self) -> MeasuredFitter:
        """All choices of this network."""
        ways = {name: list(self._ways(name, layer)) for name, layer in self.heads.items()}
        return MeasuredFitter(ways, self._measured, self._sized)

    def design(self, reuse_factors: Mapping[str, int]) -> RtlDesign:
        """The design with these factors, FIFOs sized."""
        parts = tuple(self._unit(name, reuse_factors.get(name)) for name in self.heads)
        return size_fifos(assemble(self.network, parts)).design

    def _unit(self, name: str, factor: int | None) -> Unit:
        key = (name, factor)
        if key not in self._units:
            network = self.network if factor is None else units.with_factors(self.network, {name: factor})
            self._units[key] = units.build_one(network, name, self.options)
        return self._units[key]

    def _measured(self, wanted: Sequence[tuple[str, Way]]) -> list[Cost]:
        count = f"{len(wanted)} unit{'s' if len(wanted) > 1 else ''} of {self.name}"
        progress.say(f"writing {count} as SystemVerilog, and synthesising for {self.target}")
        built = [self._unit(name, way.reuse_factor) for name, way in wanted]
        what = f"synthesis of {count} for {self.target}"
        return [_cost(part) for part in synthesise_parts(built, [], self.target, what)]

    def _sized(self, reuse_factors: Mapping[str, int]) -> Sized:
        design = self.design(reuse_factors)
        what = f"synthesis of the FIFOs of {self.name} for {self.target}"
        every = [_cost(part) for part in synthesise_parts([], design.fifos, self.target, what)]
        lut, ff, dsp, bram = (sum(column) for column in zip(*every, strict=True))
        depths = {fifo.stream.name: fifo.depth for fifo in design.fifos}
        return Sized(depths, (lut, ff, dsp, bram), predict(design).interval_cycles)

    def _ways(self, name: str, layer: Matrix | None) -> Iterator[Way]:
        if layer is None:
            yield Way(None, self._unit(name, None).interval_cycles, "")
            return
        chosen = factors_of(layer, self.strategy)
        # A folded unit is written at once, whatever it folds.
        slow = self._unit(name, chosen[-1])
        steps = slow.interval_cycles - unit_sums.interval(0, layer, slow.folds)
        for factor in chosen:
            folded = unit_sums.folding(layer, factor)
            multipliers = folded.columns * folded.rows
            if unit_sums.is_adder_graph(layer, factor):
                if layer.kernel.size * layer.kernel_width <= MOST_WEIGHT_BITS or factor == layer.reuse_factor:
                    yield Way(factor, steps, "adder graph")
            elif multipliers <= MOST_MULTIPLIERS or factor == layer.reuse_factor:
                kind = self.network.streams[layer.inputs[0]].kind
                packed = unit_sums.is_packed(layer, kind, folded.rows, self.options)
                blocks = folded.columns * -(-folded.rows // 2) if packed else multipliers
                bits = blocks * (2 * layer.kernel_width + 1 if packed else layer.kernel_width)
                block_ram = unit_sums.in_block_ram(self.options, folded.folds, bits)
                in_blocks = unit_sums.in_dsp_blocks(layer, kind, self.options)
                yield Way(
                    factor,
                    unit_sums.interval(steps, layer, folded.folds),
                    f"folded, weights in {'block RAM' if block_ram else 'LUTs'}",
                    (0, 0, blocks, 0) if in_blocks else NOTHING,
                    ordered=layer.kernel.size * layer.kernel_width > SMALL_WEIGHT_BITS,
                )


def factors_of(layer: Matrix, strategy: Strategy) -> list[int]:
    """The reuse factors worth a thought, of those that hls4ml takes: 1, the layer's own, the least for each folding.

    Those with as many columns and rows of multipliers differ in cycles that they waste.
    """
    inputs, outputs = layer.kernel.shape
    if strategy is Strategy.LATENCY:
        columns = {math.ceil(inputs / count) for count in range(1, inputs + 1)}
        every = sorted(columns | {inputs * math.ceil(outputs / count) for count in range(1, outputs + 1)})
    else:
        every = factors(Weighted(layer.name, inputs, outputs, str(strategy), depthwise=False))
    least: dict[tuple[int, int], int] = {}
    for factor in every:
        folded = unit_sums.folding(layer, factor)
        least.setdefault((folded.columns, folded.rows), factor)
    return sorted({1, layer.reuse_factor, *least.values()})


def _cost(part: Part) -> Cost:
    counts = dict(zip(("lut", "ff", "bram_18k", "dsp"), astuple(part.resources), strict=True))
    lut, ff, dsp, bram = (counts[name] for name in RESOURCES)
    return lut, ff, dsp, bram
