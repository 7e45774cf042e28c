"""Operations on wires as SystemVerilog, and the small expressions that it takes."""

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.arithmetic import Affine, Cast, Operation, Positive, Wire, signed_digits
from nonresnet_hls.fixed.types import Overflow, Rounding

_ROUNDING_CODE = {Rounding.TRN: 0, Rounding.RND: 1, Rounding.RND_CONV: 2}
_OVERFLOW_CODE = {Overflow.WRAP: 0, Overflow.SAT: 1}


def operation(wanted: Operation, name: str, source: str, wire: Wire, channel: int) -> list[str]:
    """Declare `name` as the result of an operation for `source`."""
    match wanted:
        case Cast():
            return _cast(wanted, name, source, wire, channel)
        case Positive():
            return _positive(wanted, name, source, wire, channel)
        case Affine():
            return _affine(wanted, name, source, wire, channel)
        case _:
            raise ConversionError(f"OpenRTL builds no {type(wanted).__name__.lower()}")


def _cast(operation: Cast, name: str, source: str, wire: Wire, channel: int) -> list[str]:
    result = operation.range(wire, channel)
    kind = operation.kind
    if kind.rounding not in _ROUNDING_CODE or kind.overflow not in _OVERFLOW_CODE:
        raise ConversionError(f"OpenRTL: rounding TRN, RND or RND_CONV and overflow WRAP or SAT wanted, not {kind}")
    if wire.fraction == kind.fraction_bits and wire.fits(kind):
        return [f"{declare(name, result)} = {source};"]
    return [
        f"wire [{kind.width - 1}:0] {name}_cast;",
        f"requantize #(.IN_WIDTH({wire.width}), .IN_FRACTION({wire.fraction}), .IN_SIGNED({int(wire.signed)}), "
        f".OUT_WIDTH({kind.width}), .OUT_FRACTION({kind.fraction_bits}), .OUT_SIGNED({int(kind.signed)}), "
        f".ROUNDING({_ROUNDING_CODE[kind.rounding]}), .OVERFLOW({_OVERFLOW_CODE[kind.overflow]})) "
        f"{name}_requantize (.in_data({source}), .out_data({name}_cast));",
        f"{declare(name, result)} = {name}_cast{low_bits(kind.width, result.width)};",
        *unused_bits(f"{name}_cast", kind.width, result.width),
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
        f"{declare(name, result)} = {name}_sum{low_bits(width, result.width)};",
        *unused_bits(f"{name}_sum", width, result.width),
    ]


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
