"""hls4ml's functions that work number by number, and those that only copy, as layers of the exact network."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed import tables
from nonresnet_hls.fixed.arithmetic import (
    Affine,
    AtMost,
    BitLookup,
    Cast,
    Chain,
    Constant,
    Lookup,
    Piecewise,
    Positive,
)
from nonresnet_hls.fixed.network import Clone, Elementwise, Embedding
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.hls import functions
from nonresnet_hls.hls.firmware import Call, Struct
from nonresnet_hls.hls.reader import Builder, Reader, product

# Element by element


@dataclass(frozen=True)
class _Site:
    """Where a function of single numbers is called."""

    reader: Reader
    call: Call
    struct: Struct
    before: FixedPointType
    """The type of the numbers that come in."""


def _elementwise(chain: Callable[[_Site], Chain]) -> Builder:
    """A builder for functions of one tensor, number by number: input and result type, then others, then constants."""

    def build(reader: Reader, call: Call) -> None:
        struct = reader.struct(call, call.types[-1])
        result = call.types[-2]
        size = struct.integer("n_in")
        source = reader.source(call, 0, size)
        reader.same_words(call, source, result)
        target = reader.target(call, -1, result, size)
        before, after = reader.kind_of(source), reader.kind(call, result, "result")
        operations = (*chain(_Site(reader, call, struct, before)), Cast(after))
        reader.layers.append(Elementwise(call.layer, (source,), (target,), operations))

    return build


def _linear(_: _Site) -> Chain:
    return ()


def _relu(_: _Site) -> Chain:
    return (Positive(),)


def _relu_max(site: _Site) -> Chain:
    if site.reader.firmware.is_stream:
        told = f"hls4ml's C++ has no {site.call.function} for streams"
        raise ConversionError(f"layer {site.call.layer!r}: io_parallel wanted, or another layer; {told}")
    limit = {"relu6": 6, "relu1": 1}[site.call.function]
    return (Positive(), AtMost(limit))


def _centred(site: _Site) -> Chain:
    size, kind = site.struct.integer("table_size"), site.reader.struct_type(site.call, site.struct, "table_t")
    return functions.centred(site.call.function, size, kind)


def _parameter(call: Call, at: int, kind: FixedPointType) -> int:
    try:
        return tables.quantized(float(call.arguments[at]), kind)
    except ValueError:
        raise ConversionError(f"layer {call.layer!r}: a number wanted, not {call.arguments[at]}") from None


def _leaky(site: _Site) -> Chain:
    kind = site.reader.kind(site.call, site.call.types[1], "slope")
    return functions.leaky_relu(_parameter(site.call, 1, kind), kind)


def _prelu(site: _Site) -> Chain:
    kind = site.reader.kind(site.call, site.call.types[1], "slopes")
    slopes = tuple(site.reader.weights(site.call, site.call.arguments[1], kind, site.struct.integer("n_in")))
    return (Piecewise((), (Affine(slopes, kind.fraction_bits, (0,), 0),)),)


def _thresholded(site: _Site) -> Chain:
    kind = site.reader.kind(site.call, site.call.types[1], "threshold")
    return functions.thresholded_relu(_parameter(site.call, 1, kind), kind)


def _elu(site: _Site) -> Chain:
    kind, size = site.reader.struct_type(site.call, site.struct, "table_t"), site.struct.integer("table_size")
    alpha_kind, alpha = FixedPointType(1, 1, signed=False), 1
    if len(site.call.types) == 4:
        alpha_kind = site.reader.kind(site.call, site.call.types[1], "alpha")
        alpha = _parameter(site.call, 1, alpha_kind)
    return functions.elu(alpha, alpha_kind, size, kind)


def _selu(site: _Site) -> Chain:
    kind, size = site.reader.struct_type(site.call, site.struct, "table_t"), site.struct.integer("table_size")
    # As an array is scaled by a constant of its own type, a stream by one of the type of its numbers.
    scale_kind = site.before if site.reader.firmware.is_stream else FixedPointType(16, 1, signed=False)
    scale = tables.quantized(1.0507009873554804934193349852946, scale_kind)
    table = Lookup(tables.negative("selu", size, kind), kind.fraction_bits, size, -8, 0)
    return (Piecewise((Affine((scale,), scale_kind.fraction_bits, (0,), 0),), (table,)),)


def _hard(site: _Site) -> Chain:
    numbers = []
    for name in ("slope", "shift"):
        kind = site.reader.struct_type(site.call, site.struct, f"{name}_t")
        try:
            numbers.append((tables.quantized(float(site.struct.constants[name]), kind), kind))
        except (KeyError, ValueError):
            raise ConversionError(
                f"layer {site.call.layer!r}: a number wanted for {name} in {site.struct.name}"
            ) from None
    slope, shift = numbers
    return functions.hard(site.call.function, slope, shift)


def _binary_tanh(site: _Site) -> Chain:
    low = 0 if site.reader.is_binary(site.call.types[-2]) else -1
    return (Piecewise((Constant(1, 0),), (Constant(low, 0),)),)


def _ternary_tanh(site: _Site) -> Chain:
    if site.reader.firmware.is_stream:
        # x > 1: 1; x <= -1: -1; else 0.
        return _steps(Fraction(1), Fraction(-1), site.before)
    # 2x in the type of x; then as above, but for 2x > -1.
    doubled = Affine((2,), 0, (0,), 0)
    return (doubled, Cast(site.before), *_steps(Fraction(1), Fraction(-1), site.before))


def _steps(above: Fraction, upto: Fraction, kind: FixedPointType) -> Chain:
    """1 above a number, -1 up to another, 0 between them."""
    over = (above / kind.lsb).__floor__() + 1  # the least mantissa above
    under = (upto / kind.lsb).__floor__()  # the greatest up to it
    shifted = kind.fraction_bits
    one = Piecewise((Constant(1, 0),), (Constant(0, 0),))
    # x >= over as (x - over) >= 0, and what is not: x - under - 1 >= 0.
    inner = (Affine((1,), 0, (-(under + 1),), shifted), Piecewise((Constant(0, 0),), (Constant(-1, 0),)))
    positive_side = (Affine((1,), 0, (-over,), shifted), one)
    # Both of the same x: on the side of x >= 0 only the first can change, if over > 0 and under < 0.
    return (Piecewise(positive_side, inner),)


def _unary_lut(site: _Site) -> Chain:
    kind, size = site.reader.struct_type(site.call, site.struct, "table_t"), site.struct.integer("table_size")
    if size < 1 << site.before.width:
        raise ConversionError(
            f"layer {site.call.layer!r}: a table for all {1 << site.before.width} inputs wanted, not {size}"
        )
    values = tuple(site.reader.weights(site.call, site.call.arguments[-1], kind, size))
    return (BitLookup(values, kind.fraction_bits, site.before.width),)


def _build_unary_lut(reader: Reader, call: Call) -> None:
    struct = reader.struct(call, call.types[-1])
    size = struct.integer("n_in")
    source = reader.source(call, 0, size)
    reader.same_words(call, source, call.types[1])
    target = reader.target(call, 1, call.types[1], size)
    after = reader.kind(call, call.types[1], "result")
    chain = (*_unary_lut(_Site(reader, call, struct, reader.kind_of(source))), Cast(after))
    reader.layers.append(Elementwise(call.layer, (source,), (target,), chain))


def _normalize(reader: Reader, call: Call) -> None:
    struct = reader.struct(call, call.types[2])
    size, filters = struct.integer("n_in"), struct.integer("n_filt")
    count = size if filters == -1 else filters
    scale_kind, bias_kind = (reader.struct_type(call, struct, name) for name in ("scale_t", "bias_t"))
    scale = reader.weights(call, call.arguments[2], scale_kind, count)
    bias = reader.weights(call, call.arguments[3], bias_kind, count)
    fraction = scale_kind.fraction_bits
    match product(call, struct):
        case "weight_binary":
            scale, fraction = [1 if one else -1 for one in scale], 0
        case "weight_ternary":
            scale = [max(min(one, 1), -1) if one >= -1 else 1 for one in scale]
        case "mult":
            pass
        case other:
            raise ConversionError(f"layer {call.layer!r}: no exact arithmetic of product::{other} is known here")
    source = reader.source(call, 0, size)
    reader.same_words(call, source, call.types[1])
    target = reader.target(call, 1, call.types[1], size)
    affine = Affine(tuple(scale), fraction, tuple(bias), bias_kind.fraction_bits)
    cast = Cast(reader.kind(call, call.types[1], "result"))
    reader.layers.append(Elementwise(call.layer, (source,), (target,), (affine, cast)))


# Copies


def _clone(reader: Reader, call: Call) -> None:
    size = reader.number(call, 2)
    source = reader.source(call, 0, size)
    before, after = reader.kind_of(source), reader.kind(call, call.types[1], "result")
    targets = tuple(reader.target(call, at, call.types[1], size) for at in range(1, len(call.arguments)))
    if before == after:
        reader.layers.append(Clone(call.layer, (source,), targets))
    else:
        reader.layers += [Elementwise(call.layer, (source,), (target,), (Cast(after),)) for target in targets]


def _embedding(reader: Reader, call: Call) -> None:
    import numpy as np

    struct = reader.struct(call, call.types[2])
    count, width, rows = (struct.integer(key) for key in ("n_in", "n_out", "vocab_size"))
    kind = reader.struct_type(call, struct, "embeddings_t")
    table = np.array(reader.weights(call, call.arguments[2], kind, rows * width), dtype=object).reshape(rows, width)
    source = reader.source(call, 0, count)
    target = reader.target(call, 1, call.types[1], count * width)
    result = reader.kind(call, call.types[1], "result")
    reader.layers.append(Embedding(call.layer, (source,), (target,), table, kind.fraction_bits, result))


BUILDERS: dict[str, Builder] = {
    "linear": _elementwise(_linear),
    "relu": _elementwise(_relu),
    "relu6": _elementwise(_relu_max),
    "relu1": _elementwise(_relu_max),
    "sigmoid": _elementwise(_centred),
    "tanh": _elementwise(_centred),
    "softplus": _elementwise(_centred),
    "softsign": _elementwise(_centred),
    "leaky_relu": _elementwise(_leaky),
    "prelu": _elementwise(_prelu),
    "thresholded_relu": _elementwise(_thresholded),
    "elu": _elementwise(_elu),
    "selu": _elementwise(_selu),
    "hard_sigmoid": _elementwise(_hard),
    "hard_tanh": _elementwise(_hard),
    "binary_tanh": _elementwise(_binary_tanh),
    "ternary_tanh": _elementwise(_ternary_tanh),
    "unary_lut": _build_unary_lut,
    "normalize": _normalize,
    "clone_stream": _clone,
    "embedding": _embedding,
}
