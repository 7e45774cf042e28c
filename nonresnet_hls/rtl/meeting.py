"""Where two streams meet: the range of what they make, and thresholds that stand for all of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nonresnet_hls.fixed.arithmetic import Cast, Chain, Integers, Wire, evaluate, ranges
from nonresnet_hls.fixed.network import MergeOperation
from nonresnet_hls.rtl.unit_text import is_identity

_MOST_CHOICES = 8
_MOST_NUMBERS = 1 << 16


def merged_range(operation: MergeOperation, a: Wire, b: Wire) -> tuple[Wire, tuple[int, int]]:
    """The range of one number made of two, and by how many bits each is shifted up before."""
    if operation is MergeOperation.MULTIPLY:
        corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
        return Wire(min(corners), max(corners), a.fraction + b.fraction), (0, 0)
    fraction = max(a.fraction, b.fraction)
    shifts = fraction - a.fraction, fraction - b.fraction
    low = a.low << shifts[0], b.low << shifts[1]
    high = a.high << shifts[0], b.high << shifts[1]
    match operation:
        case MergeOperation.SUBTRACT:
            return Wire(low[0] - high[1], high[0] - low[1], fraction), shifts
        case MergeOperation.MAXIMUM:
            return Wire(max(low), max(high), fraction), shifts
        case MergeOperation.MINIMUM:
            return Wire(min(low), min(high), fraction), shifts
        case _:
            return Wire(low[0] + low[1], high[0] + high[1], fraction), shifts


def costs(chain: Chain, wires: Sequence[Wire]) -> bool:
    """Whether a chain is more than wires, for any of these channels."""
    chain = tuple(operation for operation in chain if not is_identity(operation))
    for channel, wire in enumerate(wires):
        for operation, source in zip(chain, ranges(chain, wire, channel), strict=False):
            if not isinstance(operation, Cast) or source.fraction != operation.kind.fraction_bits:
                return True
            if not source.fits(operation.kind):
                return True
    return False


@dataclass(frozen=True)
class Choice:
    """A number as thresholds of one operand, which the other one, of few values, chooses."""

    own: Wire
    other: Wire
    result: Wire
    thresholds: tuple[tuple[int, ...], ...]
    """For each value but the first, by the bits of the other operand: the least number of the first one, counted from
    the least of its type, that reaches it; 2**width where none does."""
    values: tuple[int, ...]
    """In the order in which they are reached."""


@dataclass(frozen=True)
class Meeting:
    """Two operands, of which the first comes through a chain, and a chain behind them."""

    operation: MergeOperation
    side: int
    """Which operand the first one is."""
    chain: Chain
    tail: Chain
    most_thresholds: int

    def choice(self, channel: int, own: Wire, other: Wire) -> Choice | None:
        """All of it on one channel as chosen thresholds; None where it is no staircase, or would be a large one."""
        if self.operation not in (MergeOperation.ADD, MergeOperation.SUBTRACT, MergeOperation.AVERAGE):
            return None
        if 1 << other.width > _MOST_CHOICES or own.high - own.low >= _MOST_NUMBERS:
            return None
        stairs, result = self._stairs(channel, own, other)
        if all((steps[1:] <= steps[:-1]).all() for steps in stairs.values()):
            values = sorted({int(value) for steps in stairs.values() for value in steps}, reverse=True)
        elif all((steps[1:] >= steps[:-1]).all() for steps in stairs.values()):
            values = sorted({int(value) for steps in stairs.values() for value in steps})
        else:
            return None
        if not 2 <= len(values) <= self.most_thresholds + 1:
            return None
        falls = values[0] > values[-1]
        least = -(1 << (own.width - 1)) if own.signed else 0
        thresholds = []
        for value in values[1:]:
            level = []
            for bits in range(1 << other.width):
                steps = stairs.get(_signed(bits, other))
                if steps is None:
                    level.append(1 << own.width)
                    continue
                reached = np.flatnonzero(steps <= value if falls else steps >= value)
                level.append(int(own.low + reached[0]) - least if len(reached) else 1 << own.width)
            thresholds.append(tuple(level))
        return Choice(own, other, Wire(min(values), max(values), result.fraction), tuple(thresholds), tuple(values))

    def _stairs(self, channel: int, own: Wire, other: Wire) -> tuple[dict[int, Integers], Wire]:
        """For each number of the other operand what all those of the first one make, and their range."""
        numbers = np.arange(own.low, own.high + 1).astype(object)
        through = evaluate(self.chain, numbers, own, channel)
        wire = ranges(self.chain, own, channel)[-1]
        first, second = (wire, other) if self.side == 0 else (other, wire)
        merged, shifts = merged_range(self.operation, first, second)
        own_shift, other_shift = shifts if self.side == 0 else shifts[::-1]
        signs = (1, -1) if self.operation is MergeOperation.SUBTRACT else (1, 1)
        own_sign, other_sign = signs if self.side == 0 else signs[::-1]
        stairs = {}
        for value in range(other.low, other.high + 1):
            total = own_sign * (through << own_shift) + other_sign * (value << other_shift)
            stairs[value] = evaluate(self.tail, total, merged, channel)
        return stairs, ranges(self.tail, merged, channel)[-1]


def _signed(bits: int, wire: Wire) -> int:
    """The number that some bits are."""
    return bits - (1 << wire.width) if wire.signed and bits >> (wire.width - 1) else bits
