"""From layers to floating-point operations that are exact because every number on the way was proved to fit.

A tensor is held as value * 2**scale, a whole number where a cast has just made it one. Multiplying by a power of two
is exact, so the scale is chosen where it saves a pass over memory: a convolution's kernel takes up the scale of the
cast behind it, and a ReLU is left to the clipping of that cast.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nonresnet_hls.emulation.integers import hull
from nonresnet_hls.emulation.plan import Arithmetic, Step
from nonresnet_hls.fixed.arithmetic import Affine, AtMost, Cast, Chain, Operation, Positive, Wire
from nonresnet_hls.fixed.network import Clone, Elementwise, Matrix, Merge, Network, Pool, Rearrange, Reduction
from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding


@dataclass(frozen=True)
class Group:
    """A layer and the element-wise layers behind it, which nothing else reads: one run over memory."""

    steps: tuple[Step, ...]

    @property
    def head(self) -> Step:
        """The first."""
        return self.steps[0]

    @property
    def outputs(self) -> tuple[str, ...]:
        """What it leaves."""
        return self.steps[-1].layer.outputs

    @property
    def tail(self) -> Chain:
        """The operations of the layers behind the first."""
        return tuple(op for step in self.steps[1:] if isinstance(step.layer, Elementwise) for op in step.layer.chain)

    @property
    def bits(self) -> int:
        """Of the greatest number in it."""
        return max(step.bits for step in self.steps)

    @property
    def arithmetic(self) -> Arithmetic:
        """The cheapest in which it is exact, and that its layers know."""
        if all(is_float(step) for step in self.steps):
            for one in (Arithmetic.FLOAT32, Arithmetic.FLOAT64):
                if self.bits <= one.bits:
                    return one
        return Arithmetic.INTEGERS


def groups(network: Network, steps: Sequence[Step]) -> list[Group]:
    """All steps, each element-wise one with the step that it alone reads."""
    readers: dict[str, int] = {}
    for step in steps:
        for name in step.layer.inputs:
            readers[name] = readers.get(name, 0) + 1
    found: list[list[Step]] = []
    last: dict[str, int] = {}
    for step in steps:
        source = step.layer.inputs[0]
        follows = isinstance(step.layer, Elementwise) and is_float(step) and source in last and readers[source] == 1
        if follows and source not in network.outputs and is_float(found[last[source]][0]):
            index = last.pop(source)
            found[index].append(step)
            last[step.layer.outputs[0]] = index
        else:
            found.append([step])
            if not isinstance(step.layer, Clone | Rearrange) and len(step.layer.outputs) == 1:
                last[step.layer.outputs[0]] = len(found) - 1
    return [Group(tuple(members)) for members in _in_order(found)]


def _in_order(found: list[list[Step]]) -> list[list[Step]]:
    """Groups so that each comes behind those that it reads: a member can have moved ahead of another branch."""
    written: set[str] = set()
    every = {name for members in found for name in members[-1].layer.outputs}
    waiting, ordered = list(found), []
    while waiting:
        ready = next(g for g in waiting if all(n in written or n not in every for n in g[0].layer.inputs))
        waiting.remove(ready)
        ordered.append(ready)
        written.update(ready[-1].layer.outputs)
    return ordered


def is_float(step: Step) -> bool:
    """Whether there is a floating-point form of a layer."""
    layer = step.layer
    match layer:
        case Clone() | Rearrange():
            return True
        case Elementwise():
            return _is_simple(layer.chain)
        case Matrix():
            return not layer.sequence and _is_simple(layer.chain)
        case Merge():
            return True
        case Pool():
            return layer.reduction is Reduction.MAXIMUM or _sums_exactly(layer, step.inputs[0])
    return False


def _is_simple(chain: Chain) -> bool:
    return all(isinstance(operation, Affine | Cast | Positive | AtMost) for operation in chain)


def _sums_exactly(layer: Pool, wire: Wire) -> bool:
    """Whether an average's sum neither saturates nor loses bits pixel by pixel."""
    kind = layer.accumulator
    if wire.fraction > kind.fraction_bits and not layer.converts_first and kind.rounding is not Rounding.TRN:
        return False
    low, high = min(wire.low, 0), max(wire.high, 0)
    if layer.converts_first:
        pixel = hull(Cast(kind), Wire(low, high, wire.fraction))
    else:  # arrays: numbers are added as they are, below an unsigned accumulator's 0, too
        drop = wire.fraction - kind.fraction_bits
        pixel = Wire(_shifted(low, drop), -_shifted(-high, drop), kind.fraction_bits)
    total = Wire(min(0, pixel.low * layer.divisor), max(0, pixel.high * layer.divisor), pixel.fraction)
    return kind.overflow is Overflow.WRAP or total.fits(kind)


def _shifted(number: int, drop: int) -> int:
    """Without so many last bits, or with more of them."""
    return number >> drop if drop > 0 else number << -drop


@dataclass(frozen=True)
class Multiply:
    """By numbers for each channel, or one for all."""

    factors: tuple[float, ...]


@dataclass(frozen=True)
class Add:
    """Numbers for each channel, or one for all."""

    terms: tuple[float, ...]


@dataclass(frozen=True)
class Round:
    """To whole numbers."""

    mode: Rounding


@dataclass(frozen=True)
class Clip:
    """Between two bounds, where there are."""

    low: float | None
    high: float | None


@dataclass(frozen=True)
class Wrap:
    """Around the turn of a type."""

    low: float
    turn: float


@dataclass(frozen=True)
class ZeroOutside:
    """Zero what is not between two bounds."""

    low: float
    high: float


Primitive = Multiply | Add | Round | Clip | Wrap | ZeroOutside


def first_scale(chain: Chain, wire: Wire) -> int:
    """The scale that a chain's first rounding wants, or its end where nothing is rounded."""
    wanted = wire.fraction
    for operation in chain:
        if isinstance(operation, Cast):
            wanted = operation.kind.fraction_bits
            if wire.fraction > wanted:
                return wanted
        elif isinstance(operation, Affine) and not _adds_only(operation):
            return wire.fraction
        wire = hull(operation, wire)
    return wanted


def _adds_only(operation: Affine) -> bool:
    return set(operation.scale) == {1} and operation.scale_fraction == 0


def lower(chain: Chain, wire: Wire, scale: int) -> list[Primitive]:
    """A chain on value * 2**scale; the result is scaled by the fraction bits of its last wire.

    Args:
        chain: of casts, ReLUs, limits, scales and offsets.
        wire: of what comes in.
        scale: of what comes in.
    """
    result: list[Primitive] = []
    for index, operation in enumerate(chain):
        match operation:
            case Affine():
                if not _adds_only(operation):
                    result.append(
                        Multiply(tuple(float(one) * 2.0**-operation.scale_fraction for one in operation.scale))
                    )
                if any(operation.bias):
                    result.append(
                        Add(tuple(float(one) * 2.0 ** (scale - operation.bias_fraction) for one in operation.bias))
                    )
            case Positive():
                if _clips_at_zero(chain[index + 1 :]):
                    continue  # and the wire stays as it was, so that the cast clips
                if wire.low < 0:
                    result.append(Clip(0.0, None))
            case AtMost():
                if wire.high > operation.limit * 2**wire.fraction:
                    result.append(Clip(None, operation.limit * 2.0**scale))
            case Cast():
                result += _cast(operation.kind, wire, scale)
                scale = operation.kind.fraction_bits
        wire = hull(operation, wire)
    if scale != wire.fraction:
        result.append(Multiply((2.0 ** (wire.fraction - scale),)))
    return result


def _clips_at_zero(rest: Sequence[Operation]) -> bool:
    """Whether the very next operation saturates at zero."""
    if not rest or not isinstance(rest[0], Cast):
        return False
    kind = rest[0].kind
    return not kind.signed and kind.overflow in (Overflow.SAT, Overflow.SAT_SYM)


def _cast(kind: FixedPointType, wire: Wire, scale: int) -> list[Primitive]:
    result: list[Primitive] = []
    if scale != kind.fraction_bits:
        result.append(Multiply((2.0 ** (kind.fraction_bits - scale),)))
    if wire.fraction > kind.fraction_bits:
        result.append(Round(kind.rounding))
    wide = FixedPointType(
        kind.width + wire.width + abs(wire.fraction) + abs(kind.fraction_bits) + 2,
        kind.integer_bits + wire.width + abs(wire.fraction) + abs(kind.fraction_bits) + 2,
        rounding=kind.rounding,
    )
    ends = hull(Cast(wide), wire)
    low, high = ends.low < kind.min_stored, ends.high > kind.max_mantissa
    if low or high:
        match kind.overflow:
            case Overflow.WRAP:
                result.append(Wrap(float(kind.min_mantissa), 2.0**kind.width))
            case Overflow.SAT_ZERO:
                result.append(ZeroOutside(float(kind.min_mantissa), float(kind.max_mantissa)))
            case Overflow.SAT | Overflow.SAT_SYM:
                result.append(Clip(float(kind.min_stored) if low else None, float(kind.max_mantissa) if high else None))
    return result
