"""Operations on wires as SystemVerilog, and the small expressions that it takes."""

from fractions import Fraction

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.arithmetic import (
    Affine,
    AtMost,
    Cast,
    Operation,
    Piecewise,
    Positive,
    Threshold,
    Wire,
    ranges,
    signed_digits,
)
from nonresnet_hls.fixed.types import Overflow, Rounding

_ROUNDING_CODE = {
    Rounding.TRN: 0,
    Rounding.RND: 1,
    Rounding.RND_CONV: 2,
    Rounding.TRN_ZERO: 3,
    Rounding.RND_ZERO: 4,
    Rounding.RND_INF: 5,
    Rounding.RND_MIN_INF: 6,
}
_OVERFLOW_CODE = {Overflow.WRAP: 0, Overflow.SAT: 1, Overflow.SAT_SYM: 2, Overflow.SAT_ZERO: 3}


def operation(wanted: Operation, name: str, source: str, wire: Wire, channel: int) -> list[str]:
    """Declare `name` as the result of an operation for `source`."""
    match wanted:
        case Cast():
            return _cast(wanted, name, source, wire, channel)
        case Positive():
            return _positive(wanted, name, source, wire, channel)
        case Affine():
            return _affine(wanted, name, source, wire, channel)
        case AtMost():
            return _at_most(wanted, name, source, wire, channel)
        case Threshold():
            return _threshold(wanted, name, source, wire, channel)
        case Piecewise():
            return _piecewise(wanted, name, source, wire, channel)
        case _:
            raise ConversionError(f"OpenRTL builds no {type(wanted).__name__.lower()}")


def _cast(operation: Cast, name: str, source: str, wire: Wire, channel: int) -> list[str]:
    result = operation.range(wire, channel)
    kind = operation.kind
    if wire.fraction == kind.fraction_bits and wire.fits(kind):
        return [f"{declare(name, result)} = {source};"]
    return [
        f"wire [{kind.width - 1}:0] {name}_cast;",
        f"requantize #(.IN_WIDTH({wire.width}), .IN_FRACTION({wire.fraction}), .IN_SIGNED({int(wire.signed)}), "
        f".OUT_WIDTH({kind.width}), .OUT_FRACTION({kind.fraction_bits}), .OUT_SIGNED({int(kind.signed)}), "
        f".ROUNDING({_ROUNDING_CODE[kind.rounding]}), .OVERFLOW({_OVERFLOW_CODE[kind.overflow]})) "
        f"{name}_requantize (.in_data({source}), .out_data({name}_cast));",
        *lowest(name, f"{name}_cast", kind.width, result),
    ]


def _positive(operation: Positive, name: str, source: str, wire: Wire, channel: int) -> list[str]:
    result = operation.range(wire, channel)
    if not wire.signed:
        return [f"{declare(name, result)} = {source};"]
    bits = low_bits(wire.width, result.width)
    return [
        f"{declare(name, result)} = {source}[{wire.width - 1}] ? '0 : {source}{bits};",
        *([f"wire {name}_unused = &{{1'b0, {source}}};"] if result.width < wire.width - 1 else []),
    ]


def _affine(operation: Affine, name: str, source: str, wire: Wire, channel: int) -> list[str]:
    """Shifts and adds, one for each signed digit of the scale."""
    scale, bias, _ = operation.terms(wire, channel)
    result = operation.range(wire, channel)
    width = max(result.width, wire.width) + 1
    terms = [f"{'-' if digit < 0 else '+'} ({name}_in <<< {shift})" for shift, digit in signed_digits(scale)]
    if bias:
        terms.append(f"{'-' if bias < 0 else '+'} {width}'sd{abs(bias)}")
    if scale:
        lines = [f"wire signed [{width - 1}:0] {name}_in = {extend(source, wire, width)};"]
    else:
        lines = [f"wire {name}_unused = &{{1'b0, {source}}};"]
    expression = " ".join(terms).removeprefix("+ ") or f"{width}'sd0"
    return [
        *lines,
        f"wire signed [{width - 1}:0] {name}_sum = {expression};",
        *lowest(name, f"{name}_sum", width, result),
    ]


def _at_most(operation: AtMost, name: str, source: str, wire: Wire, channel: int) -> list[str]:
    result = operation.range(wire, channel)
    fine = wire.refined(0)
    limit = operation.limit << fine.fraction
    width = max(fine.width, result.width, limit.bit_length() + 1) + 1
    shift = fine.fraction - wire.fraction
    return [
        f"wire signed [{width - 1}:0] {name}_in = {extend(source, wire, width)} <<< {shift};",
        f"wire signed [{width - 1}:0] {name}_least = {name}_in > {width}'sd{limit} ? {width}'sd{limit} : {name}_in;",
        *lowest(name, f"{name}_least", width, result),
    ]


def _threshold(operation: Threshold, name: str, source: str, wire: Wire, channel: int) -> list[str]:
    result = operation.range(wire, channel)
    shift = wire.fraction - operation.fraction
    theta = operation.theta << shift if shift >= 0 else operation.theta >> -shift
    width = max(wire.width, result.width, theta.bit_length() + 1) + 1
    return [
        f"wire signed [{width - 1}:0] {name}_in = {extend(source, wire, width)};",
        f"wire signed [{width - 1}:0] {name}_kept = {name}_in > {_signed(theta, width)} ? {name}_in : '0;",
        *lowest(name, f"{name}_kept", width, result),
    ]


def _piecewise(wanted: Piecewise, name: str, source: str, wire: Wire, channel: int) -> list[str]:
    """Both chains of the number without its other half, and the sign to choose."""
    result = wanted.range(wire, channel)
    if not wire.signed:
        return _one_piece(wanted.positive, f"{name}_p", name, source, wire, channel, result)
    if wire.high < 0:
        return _one_piece(wanted.negative, f"{name}_n", name, source, wire, channel, result)
    lines = []
    for side, chain, part in (
        ("p", wanted.positive, Wire(0, wire.high, wire.fraction)),
        ("n", wanted.negative, Wire(wire.low, 0, wire.fraction)),
    ):
        lines.append(f"{declare(f'{name}_{side}', part)} = {source}{low_bits(wire.width, part.width)};")
        lines += _one_piece(chain, f"{name}_{side}c", f"{name}_{side}r", f"{name}_{side}", part, channel, result)
    chosen = f"{source}[{wire.width - 1}] ? {name}_nr : {name}_pr"
    return [*lines, f"{declare(name, result)} = {chosen};"]


def _one_piece(
    chain: tuple[Operation, ...], prefix: str, name: str, source: str, wire: Wire, channel: int, result: Wire
) -> list[str]:
    """A chain of a number, as a wire like that of both chains' results."""
    wires = ranges(chain, wire, channel)
    lines = []
    for step, one in enumerate(chain):
        lines += operation(one, f"{prefix}{step}", source, wires[step], channel)
        source = f"{prefix}{step}"
    own = wires[-1]
    width = max(own.width, result.width) + 1
    shift = result.fraction - own.fraction
    return [
        *lines,
        f"wire signed [{width + shift - 1}:0] {name}_wide = {extend(source, own, width + shift)} <<< {shift};",
        *lowest(name, f"{name}_wide", width + shift, result),
    ]


def exponent(ratio: Fraction) -> int | None:
    """Of two, where a positive number is a power of it."""
    over, under = ratio.numerator, ratio.denominator
    if over & (over - 1) or under & (under - 1):
        return None
    return over.bit_length() - under.bit_length()


def towards_zero(name: str, source: str, wire: Wire, shift: int, width: int) -> list[str]:
    """Declare `name` as a number times 2**shift, cut off towards 0, in `width` bits."""
    lines = [f"wire signed [{width - 1}:0] {name}_in = {extend(source, wire, width)};"]
    if shift >= 0:
        return [*lines, f"wire signed [{width - 1}:0] {name} = {name}_in <<< {shift};"]
    missing = (1 << -shift) - 1
    raised = f"({name}_in < 0 ? {name}_in + {max(width, -shift + 1)}'sd{missing} : {name}_in)"
    return [*lines, f"wire signed [{width - 1}:0] {name} = {raised} >>> {-shift};"]


def _signed(value: int, width: int) -> str:
    """A constant."""
    return f"{'-' if value < 0 else ''}{width}'sd{abs(value)}"


def lowest(name: str, source: str, width: int, wire: Wire) -> list[str]:
    """Declare `name` as the lowest bits of `source`, which has `width`: as many as the wire has."""
    declared = f"{declare(name, wire)} = {source}{low_bits(width, wire.width)};"
    return [declared, *unused_bits(source, width, wire.width)]


def declare(name: str, wire: Wire) -> str:
    """The left side of a wire's declaration."""
    return f"wire {'signed ' if wire.signed else ''}[{wire.width - 1}:0] {name}"


def extend(source: str, wire: Wire, width: int) -> str:
    """A wire as `width` bits."""
    if width <= wire.width:
        return source
    fill = f"{source}[{wire.width - 1}]" if wire.signed else "1'b0"
    return f"{{{{{width - wire.width}{{{fill}}}}}, {source}}}"


def low_bits(width: int, wanted: int) -> str:
    """The index that leaves the lowest `wanted` of `width` bits."""
    return "" if wanted == width else f"[{wanted - 1}:0]"


def unused_bits(name: str, width: int, wanted: int) -> list[str]:
    """Tell lint that the bits above are constant or copies of the sign, and meant to be left."""
    return [] if wanted >= width else [f"wire {name}_unused = &{{1'b0, {name}[{width - 1}:{wanted}]}};"]
