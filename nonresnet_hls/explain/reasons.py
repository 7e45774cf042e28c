"""The reasons of what one layer makes of its own inputs: from Keras' numbers to the hardware's, one thing at a time.

Keras' layer evaluated on the hardware's inputs; the same with the hardware's weights and function; with its
accumulator; with its result's type. What a step changes is due to that step.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nonresnet_hls.explain import fitting, softmax
from nonresnet_hls.explain.findings import Change, Reason
from nonresnet_hls.explain.meaning import Meaning, Role, Step
from nonresnet_hls.explain.pairing import Pair
from nonresnet_hls.explain.probes import Values
from nonresnet_hls.fixed.arithmetic import Affine, Chain, Lookup, Piecewise
from nonresnet_hls.fixed.network import Elementwise, LegacySoftmax, Matrix, Pool, Reduction, Softmax
from nonresnet_hls.fixed.types import FixedPointType, Overflow

FLOAT32_FOLDED = 2.0**-21
"""How far a batch norm folded in float32 may be from one folded in float64, as a share of the greatest weight."""


@dataclass(frozen=True, eq=False)
class Folded:
    """Weights of a layer as Keras has them, batch norms folded in, and how the hardware's differ from them."""

    kernel: Any
    bias: Any
    hardware_kernel: Any
    hardware_bias: Any
    last_bit: float
    exact: bool
    """Whether Keras' are on a grid, as a quantizer makes them."""

    @property
    def levels(self) -> tuple[int, int]:
        """Different weights in hardware and in Keras."""
        return np.unique(self.hardware_kernel).size, np.unique(self.kernel).size

    def reasons(self) -> list[Reason | None]:
        """For each output, why its weights make it another; None where they are the same."""
        error = np.abs(self.hardware_kernel - self.kernel)
        limit = FLOAT32_FOLDED * max(float(np.abs(self.kernel).max(initial=0.0)), 1e-300)
        bias_error = np.abs(self.hardware_bias - self.bias)
        bias_limit = FLOAT32_FOLDED * max(float(np.abs(self.bias).max(initial=0.0)), 1e-300)
        found: list[Reason | None] = []
        for column in range(self.kernel.shape[-1]):
            worst, bias = float(error[:, column].max(initial=0.0)), float(bias_error[column])
            if worst > max(self.last_bit, limit):
                found.append(Reason.WEIGHTS_OVERFLOW)
            elif worst > limit or (worst > 0 and self.last_bit > limit):
                found.append(Reason.WEIGHTS_ROUNDED)
            elif bias > bias_limit:
                found.append(Reason.BIAS_ROUNDED)
            else:
                found.append(Reason.ORDER if worst or bias else None)
        return found


def folded(pair: Pair, meaning: Meaning) -> Folded | None:
    """The weights of a layer of products or a scale; None where there is no telling."""
    steps = [meaning.steps[name] for name in pair.segment]
    head = next((step for step in steps if step.role in (Role.PRODUCTS, Role.SCALE)), None)
    if head is None or head is not steps[0]:
        return None
    kernel = head.kernel[None] if head.role is Role.SCALE else head.kernel
    bias = np.zeros(kernel.shape[-1]) if head.bias is None else head.bias
    for step in steps[1:]:
        if step.role is Role.SCALE:
            kernel, bias = kernel * step.kernel, bias * step.kernel + step.bias
        elif step.role is not Role.OTHER:
            break
    layer = pair.layer
    match layer:
        case Matrix(chain=(Affine() as first, *_)) if not layer.sequence:
            offsets, fraction = first.bias, first.bias_fraction
        case Matrix(accumulator=FixedPointType() as accumulator):
            offsets, fraction = layer.start, accumulator.fraction_bits
        case Elementwise(chain=(Affine() as first, *_)) if head.role is Role.SCALE:
            scale = np.ldexp(np.array(first.scale, np.float64), -first.scale_fraction)
            own = np.broadcast_to(scale, kernel.shape)
            offset = np.ldexp(np.array(first.bias, np.float64), -first.bias_fraction)
            return Folded(kernel, bias, own, np.broadcast_to(offset, bias.shape), 2.0**-first.scale_fraction, False)
        case _:
            return None
    own = hardware_kernel(layer)
    if own.shape != kernel.shape:
        return None
    offset = np.ldexp(np.array(offsets, np.float64), -fraction)
    last_bit = 2.0**-layer.kernel_fraction
    return Folded(kernel, bias, own, np.broadcast_to(offset, bias.shape), last_bit, head.exact)


def hardware_kernel(layer: Matrix) -> Any:
    """The weights of a layer of products as float64, products x outputs; of a depthwise one pixels x channels."""
    kernel = layer.kernel.astype(np.float64)
    if layer.depthwise:
        channels = kernel.shape[1]
        diagonal = np.arange(channels)
        kernel = kernel.reshape(-1, channels, channels)[:, diagonal, diagonal]
    return np.ldexp(kernel, -layer.kernel_fraction)


def changes(
    pair: Pair,
    meaning: Meaning,
    values: Values,
    inputs: list[Any],
    ideal: Any,
    kind: FixedPointType,
    weights: Folded | None,
) -> Iterator[Change]:
    """What each step changes, from Keras' numbers to the hardware's.

    Args:
        pair: the layer.
        meaning: of the model.
        values: what the layer leaves.
        inputs: what it reads.
        ideal: what Keras makes of that, (samples, numbers).
        kind: the type of what it leaves.
        weights: its weights in both.
    """
    layer = pair.layer
    if isinstance(layer, Softmax):
        yield from softmax.changes(layer, inputs[0], ideal, values.own)
        return
    quantizers = [meaning.steps[name] for name in pair.segment if meaning.steps[name].role is Role.QUANTIZER]
    if values.accumulated is None:
        reason = Reason.TABLE if isinstance(layer, LegacySoftmax) else Reason.RESULT_ROUNDED
        yield Change(reason, values.own - ideal)
        return
    before = ideal
    if values.exact is not None and not isinstance(layer, Pool):
        exact = _through(quantizers, values.exact)
        yield from _function(pair, meaning, exact - before, weights)
        before = exact
    accumulated = _through(quantizers, values.accumulated)
    yield from _accumulator(layer, accumulated - before, values, before)
    yield from _result(values, accumulated, quantizers, kind, outside(ideal, kind))


def _through(quantizers: list[Step], values: Any) -> Any:
    for step in quantizers:
        values = step.run([values])
    return values


def _where(reason: Reason, error: Any, mask: Any, told: str = "") -> Iterator[Change]:
    chosen = np.where(mask, error, 0.0)
    if chosen.any():
        yield Change(reason, chosen, told)


def _function(pair: Pair, meaning: Meaning, error: Any, weights: Folded | None) -> Iterator[Change]:
    """What the hardware's weights or function change."""
    if not error.any():
        return
    layer, head = pair.layer, meaning.steps[pair.head]
    if weights is not None:
        of_outputs = weights.reasons()
        levels, before = weights.levels
        told = f"{levels} different weights of {before}, in steps of {weights.last_bit:g}"
        columns = np.arange(error.shape[1]) % len(of_outputs)
        for reason in sorted({one for one in of_outputs if one is not None}):
            mask = np.array([one is reason for one in of_outputs])[columns]
            what = told if reason in (Reason.WEIGHTS_ROUNDED, Reason.WEIGHTS_OVERFLOW) else ""
            what = "a batch norm folded in float32" if reason is Reason.ORDER else what
            yield from _where(reason, error, mask, what)
        yield from _where(Reason.ORDER, error, np.array([one is None for one in of_outputs])[columns])
        return
    if isinstance(layer, Matrix) or head.role is Role.PRODUCTS:
        yield Change(Reason.WEIGHTS_ROUNDED, error)
    elif isinstance(layer, Elementwise) and _tables(layer.chain):
        entries = max(len(table.values) for table in _tables(layer.chain))
        yield Change(Reason.TABLE, error, f"{head.told or head.name} in a table of {entries}")
    else:
        largest = float(np.abs(error).max())
        # Of functions in float64 the last bits are no one's fault.
        reason = Reason.FUNCTION if largest > FLOAT32_FOLDED else Reason.ORDER
        yield Change(reason, error, f"{head.told} wanted, which hls4ml does not make" if head.told else "")


def _tables(chain: Chain) -> list[Lookup]:
    found = []
    for operation in chain:
        if isinstance(operation, Lookup):
            found.append(operation)
        elif isinstance(operation, Piecewise):
            found += _tables((*operation.positive, *operation.negative))
    return found


def _accumulator(layer: Any, error: Any, values: Values, before: Any) -> Iterator[Change]:
    if not error.any():
        return
    kind = layer.accumulator
    told = f"accumulator {kind}"
    if isinstance(layer, Pool):
        sums, terms = before, 1
        if layer.reduction is Reduction.AVERAGE:
            sums, terms = before * layer.divisor, layer.divisor
            told += f" for {layer.divisor} pixels and their division"
    else:
        sums, terms = values.exact, layer.kernel.shape[0]
    beyond = outside(sums, kind)
    if kind.overflow is not Overflow.WRAP:
        # What saturates on the way may be within at the end.
        beyond |= np.abs(error) > terms * float(kind.lsb)
    over = Reason.ACCUMULATOR_WRAPS if kind.overflow is Overflow.WRAP else Reason.ACCUMULATOR_SATURATES
    yield from _where(over, error, beyond, told)
    yield from _where(Reason.ACCUMULATOR_CUTS, error, ~beyond, told)


def outside(values: Any, kind: FixedPointType) -> Any:
    """Where numbers are beyond those of a type, once they are rounded."""
    wide = replace(kind, width=kind.width + _MORE, integer_bits=kind.integer_bits + _MORE, signed=True)
    rounded = fitting.cast(values, replace(wide, overflow=Overflow.SAT))
    return (rounded > float(kind.max)) | (rounded < float(kind.min_stored * kind.lsb))


_MORE = 64


def _result(
    values: Values, wanted: Any, quantizers: list[Step], kind: FixedPointType, overflows: Any
) -> Iterator[Change]:
    """What the result's type changes; `overflows` where Keras' numbers are beyond it.

    Where these are not, but the hardware's are, it is an earlier step that is to blame.
    """
    raw = values.accumulated
    beyond = outside(raw, kind)
    error = values.own - wanted
    if not quantizers:  # which bring back what is beyond
        error = np.where(beyond & ~overflows, 0.0, error)
    if not error.any():
        return
    untouched = (values.own == raw) & bool(quantizers)
    over = Reason.RESULT_WRAPS if kind.overflow is Overflow.WRAP else Reason.RESULT_SATURATES
    yield from _where(over, error, beyond & ~untouched, f"result {kind}")
    told = quantizers[-1].told if quantizers else ""
    yield from _where(Reason.QUANTIZER_DROPPED, error, untouched, f"{told} wanted, the result is {kind}")
    yield from _where(Reason.RESULT_ROUNDED, error, ~beyond & ~untouched, f"result {kind}")
