"""The reasons of what hls4ml's softmax makes of its inputs: which table, which type."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from nonresnet_hls.explain import fitting
from nonresnet_hls.explain.findings import Change, Reason
from nonresnet_hls.fixed.network import Softmax, Table
from nonresnet_hls.fixed.types import Overflow

_LAST_BITS = 2.0**-45
"""Of float64, in which this is computed."""


def changes(layer: Softmax, x: Any, ideal: Any, own: Any) -> Iterator[Change]:
    """From the true softmax of the inputs to the hardware's, one type or table at a time.

    Args:
        layer: the softmax.
        x: what it reads, (samples, numbers).
        ideal: Keras' softmax of that.
        own: what it leaves.
    """
    before = ideal
    for reason, told, values in _steps(layer, x, own):
        error = np.where(np.abs(values - before) > _LAST_BITS, values - before, 0.0)
        if error.any():
            yield Change(reason, error, told)
        before = values


def _steps(layer: Softmax, x: Any, own: Any) -> Iterator[tuple[Reason, str, Any]]:
    numbers = x.reshape(len(x), -1, layer.slice_size, layer.inner).swapaxes(-1, -2)
    exponentials, inverses = layer.exponentials, layer.inverses

    def done(terms: Any, inverse: Any) -> Any:
        return (terms * inverse).swapaxes(-1, -2).reshape(len(x), -1)

    sign = 1.0
    if layer.difference is not None:
        numbers, sign = numbers.max(axis=-1, keepdims=True) - numbers, -1.0
        difference = fitting.cast(numbers, layer.difference)
        smooth = np.exp(-difference)
        told = f"differences as {layer.difference}"
        wraps = layer.difference.overflow is Overflow.WRAP
        yield (
            Reason.RESULT_WRAPS if wraps else Reason.RESULT_SATURATES,
            told,
            done(smooth, 1 / smooth.sum(axis=-1, keepdims=True)),
        )
        numbers = difference
    at = _first_bits(numbers, exponentials)
    coarse = np.exp(sign * at)
    told = f"exponentials in a table of {len(exponentials.values)}, by the first bits of {exponentials.kind}"
    yield Reason.TABLE, told, done(coarse, 1 / coarse.sum(axis=-1, keepdims=True))
    terms = fitting.cast(_looked_up(numbers, exponentials), layer.accumulator)
    told = f"exponentials as {exponentials.value_kind}"
    with np.errstate(divide="ignore", invalid="ignore"):
        total = terms.sum(axis=-1, keepdims=True)
        inverse = np.where(total > 0, 1 / np.where(total > 0, total, 1.0), 0.0)
    yield Reason.TABLE, told, done(terms, inverse)
    argument = fitting.cast(fitting.cast(total, layer.accumulator), inverses.kind)
    exact = np.where(argument > 0, 1 / np.where(argument > 0, argument, 1.0), 0.0)
    told = f"their sum as {layer.accumulator}, then {inverses.kind}"
    yield Reason.ACCUMULATOR_SATURATES, told, done(terms, exact)
    found = _looked_up(argument, inverses)
    told = f"inverses in a table of {len(inverses.values)}, as {inverses.value_kind}"
    yield Reason.TABLE, told, done(terms, found)
    # A true softmax is at most 1: where the product is beyond the result's type, the tables are to blame.
    product = done(terms, found)
    within = (product < float(layer.result.max) + float(layer.result.lsb)) & (product >= float(layer.result.min))
    yield Reason.RESULT_ROUNDED, f"result {layer.result}", np.where(within, own, product)


def _whole(values: Any, table: Table) -> Any:
    """Numbers as last bits of what a table is looked up by; as Python's integers where NumPy's do not hold them."""
    scaled = np.ldexp(values, table.kind.fraction_bits)
    return scaled.astype(np.int64) if table.kind.width <= _INT64_BITS else np.frompyfunc(int, 1, 1)(scaled)


def _first_bits(values: Any, table: Table) -> Any:
    """What is left of numbers of which a table sees the first bits."""
    shift = table.index_shift()
    return np.ldexp(((_whole(values, table) >> shift) << shift).astype(np.float64), -table.kind.fraction_bits)


def _looked_up(values: Any, table: Table) -> Any:
    index = (_whole(values, table) % (1 << table.kind.width)) >> table.index_shift()
    found = np.array(table.values, np.float64)[index.astype(np.int64)]
    return np.ldexp(found, -table.value_kind.fraction_bits)


_INT64_BITS = 62
