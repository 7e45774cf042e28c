"""Types that cure: for each layer those that lose nothing, or no more than so many bits must.

Weights get the bits they are given where their values need them, accumulators are as wide as the weights prove that
they must be, results are put where Keras' numbers are, and round and saturate. Only what a batch norm is folded into
keeps the type that hls4ml infers, which is exact: hls4ml folds no batch norm into a layer with a result of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nonresnet_hls.emulation.integers import sum_wire
from nonresnet_hls.explain import fitting
from nonresnet_hls.explain.meaning import Meaning, Role, Step
from nonresnet_hls.explain.pairing import Pair, Pairing
from nonresnet_hls.explain.reasons import Folded, folded
from nonresnet_hls.fixed import tables
from nonresnet_hls.fixed.arithmetic import Affine, Cast, Chain, Lookup, Piecewise, Positive, Wire
from nonresnet_hls.fixed.network import (
    Clone,
    Elementwise,
    Layer,
    Matrix,
    Merge,
    MergeOperation,
    Network,
    Pool,
    Rearrange,
    Reduction,
    Softmax,
    Table,
)
from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding
from nonresnet_hls.hls import functions

EXACT_BITS = 53
"""Of a result that is exact, where the model means exact numbers; more are rounded."""
_INEXACT_BITS = 24
"""Of what is no exact number in such a model: averages over other than 2^n pixels, tables."""
_SOFTMAX_INPUT_BITS = 15
_MOST_ENTRIES_BITS = 14
_TABLE_BITS = 18
_ENTRIES = 4096
_PARAMETER = FixedPointType(24, 8, True, Rounding.RND_CONV, Overflow.SAT)
"""Of the slopes of leaky ReLUs."""


@dataclass(frozen=True)
class Types:
    """Of one layer; None: as hls4ml infers it."""

    result: FixedPointType | None = None
    weight: FixedPointType | None = None
    bias: FixedPointType | None = None
    accumulator: FixedPointType | None = None
    tables: Mapping[str, FixedPointType] = field(default_factory=dict)
    """By hls4ml's role."""
    entries: int | None = None
    is_scale: bool = False


@dataclass(frozen=True)
class Budget:
    """How many bits weights and results may have, where they need that many."""

    weights: int = 16
    results: int = 16
    of_weights: Mapping[str, int] = field(default_factory=dict)
    """By layer, where others than for all."""
    of_results: Mapping[str, int] = field(default_factory=dict)
    cut: Mapping[str, int] = field(default_factory=dict)
    """By layer, bits that its result does without at the top, saturating."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """Types for all layers, and the network with them."""

    types: Mapping[str, Types]
    network: Network


Ranges = Mapping[str, tuple[float, float]]
"""Least and greatest number by step, in Keras."""


def propose(
    network: Network,
    pairing: Pairing,
    meaning: Meaning,
    ranges: Ranges,
    budget: Budget,
    inputs: Mapping[str, FixedPointType],
) -> Proposal:
    """Types for a network.

    Args:
        network: as hls4ml made it with whatever types.
        pairing: its layers beside the model's.
        meaning: of the model.
        ranges: of Keras' numbers.
        budget: bits.
        inputs: the types of the network's inputs.
    """
    return _Proposer(network, pairing, meaning, ranges, budget).all(inputs)


class _Proposer:
    def __init__(self, network: Network, pairing: Pairing, meaning: Meaning, ranges: Ranges, budget: Budget) -> None:
        self.network, self.pairing, self.meaning, self.ranges, self.budget = network, pairing, meaning, ranges, budget
        self.pairs = {pair.layer.name: pair for pair in pairing.pairs}
        self.kinds: dict[str, FixedPointType] = {}
        self.types: dict[str, Types] = {}
        self.readers: dict[str, list[Layer]] = {}
        for layer in network.layers:
            for name in layer.inputs:
                self.readers.setdefault(name, []).append(layer)

    def all(self, inputs: Mapping[str, FixedPointType]) -> Proposal:
        for name, kind in inputs.items():
            self.kinds[name] = kind
            self.types[name] = Types(result=kind)
        layers = []
        for layer in self.network.layers:
            made, kind = self._layer(layer)
            layers.append(made)
            self.kinds |= dict.fromkeys(layer.outputs, kind)
        streams = {name: replace(one, kind=self.kinds[name]) for name, one in self.network.streams.items()}
        return Proposal(self.types, replace(self.network, streams=streams, layers=tuple(layers)))

    def _layer(self, layer: Layer) -> tuple[Layer, FixedPointType]:
        before = [self.kinds[name] for name in layer.inputs]
        pair = self.pairs.get(layer.name)
        if pair is None or pair.stands_for is None or (pair.segment and layer.name not in pair.segment):
            return self._unknown(layer, before)
        match layer:
            case Matrix():
                return self._matrix(layer, pair, before[0])
            case Elementwise():
                return self._elementwise(layer, pair, before[0])
            case Pool():
                return self._pool(layer, pair, before[0])
            case Merge():
                return self._merge(layer, pair, before)
            case Softmax():
                return self._softmax(layer, before[0])
            case Rearrange():
                kind = fitting.plain(before[0])
                if layer.result is None:
                    return layer, before[0]
                self.types[layer.name] = Types(kind)
                return replace(layer, result=kind), kind
        return layer, self.network.streams[layer.outputs[0]].kind

    def _unknown(self, layer: Layer, before: list[FixedPointType]) -> tuple[Layer, FixedPointType]:
        """A layer that stands for nothing of Keras': what passes numbers on takes their type, others keep theirs."""
        match layer:
            case Clone():
                return layer, before[0]
            case Rearrange():
                return replace(layer, result=None if layer.result is None else before[0]), before[0]
        return layer, self.network.streams[layer.outputs[0]].kind

    # What results are rounded to

    def _result(self, pair: Pair, exact: FixedPointType | None, least: float | None = None) -> FixedPointType:
        """The type of a layer's result: its quantizer's, the exact one where its bits suffice, else a fitted one."""
        name = pair.layer.name
        quantizer = self._quantizer(pair)
        if quantizer is not None:
            return quantizer
        exact_bits = bits = self.budget.of_results.get(name, self.budget.results)
        if self.meaning.quantized and name not in self.budget.of_results:
            exact_bits, bits = EXACT_BITS, max(bits, _INEXACT_BITS)
        cut = self.budget.cut.get(name, 0)
        low, high = (float(end) for end in self.ranges[pair.stands_for or ""])
        if self._feeds(pair.layer, Softmax):
            # hls4ml's softmax wraps differences around that the type does not hold, and looks at the first bits alone.
            bits, low, high = min(bits, _SOFTMAX_INPUT_BITS), low - high, high - low
            exact_bits = bits
        elif self._feeds_relu(pair.layer):
            low, bits, exact_bits = min(low, 0.0), bits + (low < 0), exact_bits + (low < 0)
            low = -float(np.nextafter(max(high, 1e-30), 0)) if low < 0 else low
        if least is not None:
            low = max(low, least)
        if exact is not None and exact.width <= exact_bits and not cut:
            return exact
        kind = fitting.fitted(low, high, bits, self._rounding)
        if exact is not None and kind.fraction_bits > exact.fraction_bits:
            # Bits behind the last that there can be.
            more = kind.fraction_bits - exact.fraction_bits
            kind = replace(kind, width=max(1, kind.width - more)) if kind.width > more else kind
        return replace(kind, integer_bits=kind.integer_bits - cut)

    @property
    def _rounding(self) -> Rounding:
        return Rounding.RND_CONV if self.meaning.quantized else Rounding.RND

    def _quantizer(self, pair: Pair) -> FixedPointType | None:
        found = [self.meaning.steps[name].quantizer for name in pair.segment]
        return next((kind for kind in reversed(found) if kind is not None), None)

    def _feeds_relu(self, layer: Layer) -> bool:
        (reader,) = self.readers.get(layer.outputs[0], []) if self._feeds(layer, Elementwise) else (None,)
        return isinstance(reader, Elementwise) and isinstance(reader.chain[0], Positive)

    def _feeds(self, layer: Layer, kind: type[Layer]) -> bool:
        """Whether a layer of a kind, and nothing else, reads what a layer leaves."""
        readers = self.readers.get(layer.outputs[0], [])
        alone = len(layer.outputs) == len(readers) == 1 and layer.outputs[0] not in self.network.outputs
        return alone and isinstance(readers[0], kind)

    # Layers

    def _matrix(self, layer: Matrix, pair: Pair, source: FixedPointType) -> tuple[Layer, FixedPointType]:
        weights = folded(pair, self.meaning)
        is_folded = any(self.meaning.steps[name].role is Role.SCALE for name in pair.segment[1:])
        made, weight, bias = self._weights(layer, weights, source)
        products = sum_wire(made, Wire.of(source))
        kinds = [fitting.covering(products)] if bias is None else [fitting.covering(products), bias]
        fraction = max(kind.fraction_bits for kind in kinds)
        fine = [Wire.of(kind).refined(fraction) for kind in kinds]
        exact = products.refined(fraction)
        offset = [fine[1].low, fine[1].high] if bias is not None else [0, 0]
        accumulator = fitting.covering(Wire(exact.low + min(0, offset[0]), exact.high + max(0, offset[1]), fraction))
        offsets = self._offsets(layer, weights, accumulator, bias)
        result = accumulator if is_folded else self._result(pair, accumulator)
        if is_folded and self._quantizer(pair) is not None:
            result, is_folded = self._result(pair, accumulator), False
        ends = self._ends(layer)
        affine = Affine((1,), 0, offsets, accumulator.fraction_bits)
        made = replace(
            made, chain=(affine, Cast(accumulator), *ends, Cast(result)), sequence=(), start=(), accumulator=accumulator
        )
        self.types[layer.name] = Types(None if is_folded else result, weight, bias, accumulator)
        return made, result

    @staticmethod
    def _ends(layer: Matrix) -> Chain:
        """What a layer of signs does between accumulator and result."""
        return () if layer.sequence else layer.chain[2:-1]

    def _weights(
        self, layer: Matrix, weights: Folded | None, source: FixedPointType
    ) -> tuple[Matrix, FixedPointType | None, FixedPointType | None]:
        """The layer with its weights in so many bits, their type, and that of the bias; None: as it is."""
        if weights is None or (weights.exact and np.array_equal(weights.kernel, weights.hardware_kernel)):
            if weights is None or np.array_equal(weights.bias, weights.hardware_bias):
                return layer, None, None
            made, weight = layer, None
        else:
            bits = self.budget.of_weights.get(layer.name, self.budget.weights)
            weight = fitting.grid(weights.kernel, bits) or fitting.fitted_to(weights.kernel, bits)
            made = replace(
                layer,
                kernel=_whole(layer, weight.quantize_array(weights.kernel), weight),
                kernel_width=weight.width,
                kernel_fraction=weight.fraction_bits,
                binary=False,
            )
        fraction = source.fraction_bits + made.kernel_fraction
        exact = fitting.grid(weights.bias, EXACT_BITS) if self.meaning.quantized else None
        if exact is not None:
            return made, weight, exact
        largest = float(np.abs(weights.bias).max(initial=0.0))
        bound = fitting.fitted(-largest, largest, 8)
        width = max(2, bound.integer_bits + fraction)
        kind = FixedPointType(width, width - fraction, True, Rounding.RND_CONV, Overflow.SAT)
        return made, weight, kind

    @staticmethod
    def _offsets(
        layer: Matrix, weights: Folded | None, accumulator: FixedPointType, bias: FixedPointType | None
    ) -> tuple[int, ...]:
        if bias is None or weights is None:
            first, fraction = layer.start, layer.accumulator.fraction_bits if layer.accumulator else 0
            if not layer.sequence:
                (affine, *_) = layer.chain
                if isinstance(affine, Affine):
                    first, fraction = affine.bias, affine.bias_fraction
            numbers = [accumulator.quantize(int(one) * FixedPointType(64, 64 - fraction).lsb) for one in first]
        else:
            numbers = [accumulator.quantize(bias.quantize(float(one))) for one in weights.bias]
        return tuple(int(one / accumulator.lsb) for one in numbers)

    def _elementwise(self, layer: Elementwise, pair: Pair, source: FixedPointType) -> tuple[Layer, FixedPointType]:
        if not pair.segment:
            self.types[layer.name] = Types(source)
            return replace(layer, chain=(Cast(source),)), source
        head = self.meaning.steps[pair.head]
        if head.role is Role.SCALE:
            return self._scale(layer, pair, source)
        found = [operation for operation in layer.chain if isinstance(operation, Lookup)]
        if found and isinstance(layer.chain[0], Lookup):
            return self._table(layer, pair, head)
        rectified = isinstance(layer.chain[0], Positive)
        wire = Wire.of(source)
        exact = fitting.covering(Wire(0, wire.high, wire.fraction)) if rectified and wire.high > 0 else None
        if not rectified and all(isinstance(operation, Cast) for operation in layer.chain):
            exact = fitting.plain(source)
        result = self._result(pair, exact, 0.0 if rectified else None)
        chain = (*(one for one in layer.chain[:-1] if not isinstance(one, Cast)), Cast(result))
        parameters = {}
        if any(isinstance(one, Piecewise) for one in layer.chain) and not found:
            parameters = {"param": _PARAMETER}
        self.types[layer.name] = Types(result, tables=parameters)
        return replace(layer, chain=chain), result

    def _scale(self, layer: Elementwise, pair: Pair, source: FixedPointType) -> tuple[Layer, FixedPointType]:
        weights = folded(pair, self.meaning)
        if weights is None or not isinstance(layer.chain[0], Affine):
            return layer, self.network.streams[layer.outputs[0]].kind
        bits = self.budget.of_weights.get(layer.name, self.budget.weights)
        factor, offset = weights.kernel[0], weights.bias
        scale = fitting.grid(factor, bits) or fitting.fitted_to(factor, bits)
        fraction = source.fraction_bits + scale.fraction_bits
        bound = fitting.fitted(-float(np.abs(offset).max(initial=0.0)), float(np.abs(offset).max(initial=0.0)), 8)
        width = max(2, bound.integer_bits + fraction)
        bias = FixedPointType(width, width - fraction, True, Rounding.RND_CONV, Overflow.SAT)
        affine = Affine(
            tuple(int(one) for one in np.ldexp(scale.quantize_array(factor), scale.fraction_bits)),
            scale.fraction_bits,
            tuple(int(bias.quantize(float(one)) / bias.lsb) for one in offset),
            bias.fraction_bits,
        )
        ends = Wire.of(source)
        ranges = [affine.range(ends, channel) for channel in range(len(affine.scale))]
        exact = fitting.covering(
            Wire(min(one.low for one in ranges), max(one.high for one in ranges), ranges[0].fraction)
        )
        result = self._result(pair, exact)
        self.types[layer.name] = Types(result, scale, bias, is_scale=True)
        return replace(layer, chain=(affine, Cast(result))), result

    def _table(self, layer: Elementwise, pair: Pair, head: Step) -> tuple[Layer, FixedPointType]:
        result = self._result(pair, None)
        table = replace(result, overflow=Overflow.SAT)
        old = layer.chain[0]
        name = head.told
        entries = max(_ENTRIES, len(old.values) if isinstance(old, Lookup) else 0)
        chain = layer.chain[:-1]
        if name in functions.CENTRED:
            chain = functions.centred(name, entries, table)
        self.types[layer.name] = Types(result, tables={"table": table}, entries=entries)
        return replace(layer, chain=(*chain, Cast(result))), result

    def _pool(self, layer: Pool, pair: Pair, source: FixedPointType) -> tuple[Layer, FixedPointType]:
        source = fitting.plain(source)
        if layer.reduction is Reduction.MAXIMUM:
            self.types[layer.name] = Types(source, accumulator=source)
            return replace(layer, accumulator=source, result=source), source
        more = (layer.divisor - 1).bit_length()
        even = layer.divisor & (layer.divisor - 1) == 0
        exact = replace(source, width=source.width + more) if even else None
        result = self._result(pair, exact)
        finer = more if even else max(more, result.fraction_bits - source.fraction_bits + 4)
        accumulator = replace(source, width=source.width + more + finer, integer_bits=source.integer_bits + more)
        self.types[layer.name] = Types(result, accumulator=accumulator)
        return replace(layer, accumulator=accumulator, result=result), result

    def _merge(self, layer: Merge, pair: Pair, before: list[FixedPointType]) -> tuple[Layer, FixedPointType]:
        both = fitting.hull(before)
        one, two = (Wire.of(kind).refined(both.fraction) for kind in before)
        match layer.operation:
            case MergeOperation.ADD:
                wire = Wire(one.low + two.low, one.high + two.high, both.fraction)
            case MergeOperation.SUBTRACT:
                wire = Wire(one.low - two.high, one.high - two.low, both.fraction)
            case MergeOperation.AVERAGE:
                wire = Wire(one.low + two.low, one.high + two.high, both.fraction + 1)
            case MergeOperation.MULTIPLY:
                one, two = (Wire.of(kind) for kind in before)
                ends = [a * b for a in (one.low, one.high) for b in (two.low, two.high)]
                wire = Wire(min(ends), max(ends), one.fraction + two.fraction)
            case _:
                wire = both
        result = self._result(pair, fitting.covering(wire))
        self.types[layer.name] = Types(result)
        return replace(layer, result=result), result

    def _softmax(self, layer: Softmax, source: FixedPointType) -> tuple[Layer, FixedPointType]:
        many = layer.slice_size.bit_length()
        entries_bits = min(source.width - source.signed, _MOST_ENTRIES_BITS)
        inverse_bits = entries_bits
        value = _up_to_one(_TABLE_BITS)
        accumulator = _up_to_one(_TABLE_BITS + many, 1 + many)
        argument = _up_to_one(max(inverse_bits, many + 2), 1 + many)
        bits = self.budget.of_results.get(layer.name, self.budget.results)
        result = _up_to_one(bits)
        difference = None
        if layer.difference is not None:
            difference = FixedPointType(source.width - source.signed, source.integer_bits - source.signed, signed=False)
        kind = difference or fitting.plain(source)
        entries = 1 << entries_bits
        exponentials = tables.exponentials(entries, kind, value, 1.0, layer.difference is not None)
        inverses = tables.inverses(entries, argument, value)
        self.types[layer.name] = Types(
            result,
            accumulator=accumulator,
            tables={"exp_table": value, "inv_table": value, "inv_inp": argument},
            entries=entries,
        )
        made = replace(
            layer,
            exponentials=Table(kind, exponentials, value),
            inverses=Table(argument, inverses, value),
            accumulator=accumulator,
            difference=difference,
            result=result,
        )
        return made, result


def _up_to_one(bits: int, integer_bits: int = 1) -> FixedPointType:
    return FixedPointType(bits, integer_bits, False, Rounding.RND, Overflow.SAT)


def _whole(layer: Matrix, kernel: Any, kind: FixedPointType) -> Any:
    """A kernel as the layer's integers."""
    mantissas = np.rint(np.ldexp(kernel, kind.fraction_bits)).astype(np.int64)
    if not layer.depthwise:
        return mantissas
    channels = mantissas.shape[1]
    spread = np.zeros((mantissas.shape[0], channels, channels), np.int64)
    diagonal = np.arange(channels)
    spread[:, diagonal, diagonal] = mantissas
    return spread.reshape(-1, channels)


def input_types(
    network: Network, inputs: list[Any], bits: int, keep: Callable[[FixedPointType, Any], bool]
) -> dict[str, FixedPointType]:
    """Types for the inputs: those that they have where `keep` says so, else exact ones or fitted ones.

    Args:
        network: as it is.
        inputs: samples.
        bits: that a type may have.
        keep: of a type and the numbers that it is to hold.
    """
    found = {}
    for name, values in zip(network.inputs, inputs, strict=True):
        kind, array = network.streams[name].kind, np.asarray(values, np.float64)
        if not keep(kind, array):
            least, greatest = float(array.min()), float(array.max())
            kind = fitting.grid(array, bits) or fitting.fitted(least, greatest, bits)
            kind = replace(kind, rounding=Rounding.RND, overflow=Overflow.SAT)
        found[name] = kind
    return found
