"""The quantized twin: Keras' layers with the hardware's weights and the types of its results, and no other flaw.

It knows no accumulator, no table and no order of sums. A design whose accumulators are wide enough equals it; where
tables stand in for functions, within the bound that `bounds` proves.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from nonresnet_hls.emulation.integers import chained, hull
from nonresnet_hls.explain import fitting
from nonresnet_hls.explain.meaning import Meaning, Role, Step
from nonresnet_hls.explain.pairing import Pair, Pairing
from nonresnet_hls.explain.reasons import hardware_kernel
from nonresnet_hls.fixed.arithmetic import Affine, AtMost, Cast, Lookup, Positive, Wire
from nonresnet_hls.fixed.network import (
    Elementwise,
    LegacySoftmax,
    Matrix,
    Merge,
    MergeOperation,
    Network,
    Pool,
    Reduction,
    Softmax,
)
from nonresnet_hls.fixed.types import FixedPointType, Overflow

Runner = Callable[[list[Any]], Any]


class Twin:
    """Evaluates the twin of a network."""

    def __init__(self, network: Network, pairing: Pairing, meaning: Meaning) -> None:
        """Prepare it: the hardware's weights in Keras' layers."""
        self.network, self.pairing, self.meaning = network, pairing, meaning
        self._runs = {pair.layer.name: self._run(pair) for pair in pairing.pairs if pair.stands_for is not None}

    def __call__(self, inputs: list[Any]) -> tuple[Any, ...]:
        """The outputs, (samples, numbers) each, of what the hardware's inputs hold; no layer may be unknown."""
        values = dict(zip(self.network.inputs, inputs, strict=True))
        for pair in self.pairing.pairs:
            if pair.stands_for is None:
                continue
            steps = {step: values[stream] for step, stream in pair.sources.items()}
            kind = self.network.streams[pair.layer.outputs[0]].kind
            found = self._runs[pair.layer.name](steps)
            kept = fitting.cast(found.reshape(len(found), -1), _saturating(kind))
            values |= dict.fromkeys(pair.layer.outputs, kept)
        return tuple(values[self.pairing.origins[name]] for name in self.network.outputs)

    def _run(self, pair: Pair) -> Callable[[dict[str, Any]], Any]:
        steps = {name: self.meaning.steps[name] for name in pair.segment}
        replaced = self._with_hardware_weights(pair, steps)

        def run(given: dict[str, Any]) -> Any:
            values = {
                name: np.asarray(value).reshape(len(value), *self.meaning.steps[name].shape)
                for name, value in given.items()
            }
            for name, step in steps.items():
                values[name] = replaced.get(name, step.run)([values[source] for source in step.inputs])
            return values[pair.stands_for or ""]

        return run

    @staticmethod
    def _with_hardware_weights(pair: Pair, steps: dict[str, Step]) -> dict[str, Any]:
        """What is run in place of steps: those with weights, and those that are folded into others."""
        replaced: dict[str, Any] = {}
        layer, folds = pair.layer, False
        for name, step in steps.items():
            if step.role is Role.PRODUCTS and isinstance(layer, Matrix) and step.remade is not None:
                first = layer.chain[0]
                if layer.sequence and layer.accumulator is not None:
                    offset = np.ldexp(np.array(layer.start, np.float64), -layer.accumulator.fraction_bits)
                elif isinstance(first, Affine):
                    offset = np.ldexp(np.array(first.bias, np.float64), -first.bias_fraction)
                else:
                    continue
                kernel = hardware_kernel(layer)
                replaced[name], folds = step.remade(kernel, np.broadcast_to(offset, kernel.shape[-1:])), True
            elif step.role is Role.SCALE and folds:
                replaced[name] = _first
            elif step.role is Role.SCALE and isinstance(layer, Elementwise) and isinstance(layer.chain[0], Affine):
                replaced[name] = _scaled(layer.chain[0])
            elif step.role is Role.QUANTIZER and name != layer.name:
                replaced[name] = _first  # which the result's type does, or does not
        return replaced


def _first(values: list[Any]) -> Any:
    return values[0]


def _scaled(affine: Affine) -> Runner:
    scale = np.ldexp(np.array(affine.scale, np.float64), -affine.scale_fraction)
    offset = np.ldexp(np.array(affine.bias, np.float64), -affine.bias_fraction)
    return lambda values: values[0] * scale + offset


def _saturating(kind: FixedPointType) -> FixedPointType:
    return kind if kind.overflow is not Overflow.WRAP else replace(kind, overflow=Overflow.SAT)


def bounds(network: Network, pairing: Pairing, meaning: Meaning) -> tuple[float, ...]:
    """How far each output can be from the twin's, proved: 0 where no table and no inexact division is on the way.

    It holds where accumulators are wide enough and nothing wraps around, as in what is proposed.
    """
    errors = dict.fromkeys(network.inputs, 0.0)
    for pair in pairing.pairs:
        before = [errors[pairing.origins[name]] for name in pair.layer.inputs]
        found = _made(pair, network, meaning, before)
        errors |= dict.fromkeys(pair.layer.outputs, found)
    return tuple(errors[pairing.origins[name]] for name in network.outputs)


def _made(pair: Pair, network: Network, meaning: Meaning, before: list[float]) -> float:
    layer = pair.layer
    kinds = [network.streams[name].kind for name in layer.inputs]
    result = network.streams[layer.outputs[0]].kind
    last_bit = float(result.lsb)
    error = max(before)
    match layer:
        case Matrix():
            error *= float(np.abs(hardware_kernel(layer)).sum(axis=0).max(initial=0.0))
        case Elementwise() if any(isinstance(operation, Lookup) for operation in layer.chain):
            step = meaning.steps[pair.head]
            # Their slopes are 1 at most.
            return error + _of_table(layer, step, kinds[0]) + last_bit
        case Elementwise() if pair.segment and meaning.steps[pair.head].role is Role.ACTIVATION:
            own = _of_pieces(layer, meaning.steps[pair.head], kinds[0])
            return error + own + last_bit if error or own else 0.0
        case Elementwise():
            first = layer.chain[0]
            if isinstance(first, Affine):
                error *= max(abs(one) for one in first.scale) * 2.0**-first.scale_fraction
        case Merge(operation=MergeOperation.ADD | MergeOperation.SUBTRACT):
            error = sum(before)
        case Merge(operation=MergeOperation.MULTIPLY):
            largest = [max(abs(float(kind.min)), abs(float(kind.max))) for kind in kinds]
            error = before[0] * largest[1] + before[1] * largest[0] + before[0] * before[1]
        case Pool(reduction=Reduction.AVERAGE) if layer.divisor & (layer.divisor - 1):
            return error + float(layer.accumulator.lsb) + last_bit
        case Softmax():
            return error + _of_softmax(layer) + last_bit
        case LegacySoftmax():
            return 1.0
    return error + last_bit if error else 0.0


def _of_table(layer: Elementwise, step: Step, kind: FixedPointType) -> float:
    """How far a table is from its function, over all numbers of the type that it is given.

    An entry stands for all numbers of an interval; the functions rise all along, so that they are farthest at its ends.
    """
    table = next(one for one in layer.chain if isinstance(one, Lookup))
    places = np.arange(-len(table.values), len(table.values) + 1)
    unit = 2.0**kind.fraction_bits * table.divisor / table.numerator
    edges = np.floor(np.clip(places * unit, kind.min_mantissa, kind.max_mantissa)).astype(np.int64)
    near = np.concatenate([edges - 1, edges, edges + 1, [kind.min_mantissa, -1, 0, kind.max_mantissa]])
    mantissas = np.unique(np.clip(near, kind.min_mantissa, kind.max_mantissa))[:, None]
    found = chained(layer.chain[:-1], mantissas.astype(object), Wire.of(kind))
    values = np.ldexp(found.astype(np.float64), -table.fraction)
    return float(np.abs(values - step.run([np.ldexp(mantissas.astype(np.float64), -kind.fraction_bits)])).max())


def _of_pieces(layer: Elementwise, step: Step, kind: FixedPointType) -> float:
    """How far straight pieces (ReLUs, leaky or clipped, hard sigmoids) are from their function, slopes rounded.

    What is clipped is not told of: a limit that the hardware lacks is a fault and no matter of a bound.
    """
    before = layer.chain[:-1]
    if all(isinstance(operation, Positive | AtMost | Cast) for operation in before):
        return 0.0
    reach = max(1, min(abs(kind.min_mantissa), kind.max_mantissa, round(float(_PIECES / kind.lsb))))
    ends = np.array([kind.min_mantissa, -reach, -1, 0, 1, reach, kind.max_mantissa], dtype=object)
    size = math.prod(step.shape)
    mantissas = np.repeat(np.clip(ends, kind.min_mantissa, kind.max_mantissa)[:, None], size, axis=1)
    wire = Wire.of(kind)
    found, fraction = chained(before, mantissas, wire), wire.fraction
    for operation in before:
        wire = hull(operation, wire)
        fraction = wire.fraction
    values = np.ldexp(found.astype(np.float64), -fraction)
    arguments = np.ldexp(mantissas.astype(np.float64), -kind.fraction_bits).reshape(len(ends), *step.shape)
    return float(np.abs(values - step.run([arguments]).reshape(values.shape)).max())


_PIECES = 2
"""Within which the pieces of a hard sigmoid are."""


def _of_softmax(layer: Softmax) -> float:
    """How far a softmax by tables is from the true one, for inputs whose differences its type holds."""
    exponentials, inverses, many = layer.exponentials, layer.inverses, layer.slice_size
    step = float(exponentials.kind.lsb) * 2.0 ** exponentials.index_shift() if exponentials.index_shift() else 0.0
    coarse = math.expm1(step)
    value = float(exponentials.value_kind.lsb)
    sums = many * (value + float(layer.accumulator.lsb))
    argument = float(inverses.kind.lsb) * 2.0 ** inverses.index_shift()
    one = float(inverses.value_kind.lsb)
    # Each number is at most 1, and so is each inverse, since the greatest exponential is 1 and in the sum.
    return (value + coarse) + (sums + coarse) + argument + one
