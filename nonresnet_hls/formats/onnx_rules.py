"""What becomes of each operator of ONNX and QONNX when a graph is lowered: numbers, or a node that hls4ml has a layer for."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nonresnet_hls.errors import shown
from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding
from nonresnet_hls.formats.onnx_values import (
    CHANNELS_LAST,
    QONNX,
    Data,
    OtherOrderError,
    Range,
    mantissas,
    range_of,
)

if TYPE_CHECKING:
    from nonresnet_hls.formats.onnx_lowering import _Lowering as Lowering

_MAX_QUANT_BITS = 32
_ROUNDINGS = {"ROUND": Rounding.RND_CONV, "HALF_EVEN": Rounding.RND_CONV, "FLOOR": Rounding.TRN}
# Whose C++ casts what it has added up, in every bit, to the type of its result.
_CASTING = ("Add", "BatchNormalization", "Conv", "MatMul", "Relu")

Inputs = Sequence[Any]
"""Of a node: arrays, `Data`, or None where one is left out."""


# Quantizers


def _quantizer(low: "Lowering", inputs: Inputs) -> tuple[Any, FixedPointType | None, Any]:
    """Scale, type (of one scale and no zero point; else None) and zero point of the node at hand."""
    import numpy as np

    if len(inputs) != 4:
        raise low.refuse(f"a tensor, scale, zero point and bits wanted, not {len(inputs)} inputs")
    scale, zero, bits = (
        np.asarray(low.known(value, what), np.float64)
        for value, what in zip(inputs[1:], ("scale", "zero point", "bits"), strict=True)
    )
    if bits.size != 1 or bits.item() not in range(1, _MAX_QUANT_BITS + 1):
        raise low.refuse(f"a whole number of 1 to {_MAX_QUANT_BITS} bits wanted, not {shown(bits.reshape(-1).tolist())}")
    width = int(bits.item())
    signed, narrow = bool(low.attribute("signed", 1)), bool(low.attribute("narrow", 0))
    mode = str(low.attribute("rounding_mode", "ROUND")).upper()
    if mode not in _ROUNDINGS:
        raise low.refuse(f"rounding_mode ROUND or FLOOR wanted, not {shown(mode)}")
    if width == 1 and signed:
        raise low.refuse("a BipolarQuant for one bit with a sign wanted, not a Quant")
    if narrow and not signed:
        raise low.refuse("narrow 0 wanted where signed is 0")
    _powers_of_two(low, scale)
    if not (zero == 0).all():
        raise low.refuse(f"a zero point of 0 wanted, not {zero.reshape(-1)[0]:g}: quantize without one")
    overflow = Overflow.SAT_SYM if narrow else Overflow.SAT
    exponent = math.frexp(float(scale.reshape(-1)[0]))[1] - 1
    kind = FixedPointType(width, width + exponent, signed=signed, rounding=_ROUNDINGS[mode], overflow=overflow)
    return scale, kind, narrow


def _powers_of_two(low: "Lowering", scale: Any) -> None:
    import numpy as np

    flat = scale.reshape(-1)
    wrong = flat[~(np.isfinite(flat) & (flat > 0) & (np.frexp(flat)[0] == 0.5))]
    if wrong.size or not flat.size:
        got = f"{wrong[0]:g}" if wrong.size else "none"
        cure = "in Brevitas: restrict_scaling_type=RestrictValueType.POWER_OF_TWO"
        raise low.refuse(f"a scale that is a power of two wanted, not {got} ({cure})")


def quant(low: "Lowering", inputs: Inputs) -> Data:
    """As the type of what it follows, or a layer that rounds."""
    scale, kind, narrow = _quantizer(low, inputs)
    assert kind is not None
    if scale.size > 1 and not (scale == scale.reshape(-1)[0]).all():
        raise low.refuse("one scale for a whole activation wanted, not one for each channel")
    source = low.computed(inputs[0])
    held = Range(kind.min_mantissa + narrow, kind.max_mantissa, kind.fraction_bits)
    uses = low.uses[low.node.output[0]]
    if source.range is not None and source.range.within(held):
        return replace(source, uses=uses)  # changes nothing
    maker = source.made_by
    if source is low.source and source.uses == 1:
        low.input_type = kind
        return replace(source, range=held, uses=uses)
    if maker is not None and maker.kind in _CASTING and source.range is not None:
        if source.uses == 1 and not maker.is_quantized:
            maker.precision["result"], maker.is_quantized = kind, True
            return replace(source, range=held, uses=uses)
    attributes = {"signed": int(kind.signed), "narrow": int(narrow)}
    attributes["rounding_mode"] = "ROUND" if kind.rounding is Rounding.RND_CONV else "FLOOR"  # type: ignore[assignment]
    return low.emit(
        "Quant",
        [source],
        source.shape,
        held,
        source.flattened,
        source.pooled,
        domain=QONNX,
        attributes=attributes,
        constants=[[float(kind.lsb)], [0.0], [float(kind.width)]],
        precision={"result": kind},
    )


def _quant_of_numbers(low: "Lowering", inputs: Inputs) -> Any:
    import numpy as np

    scale, kind, narrow = _quantizer(low, inputs)
    assert kind is not None
    whole = np.clip(np.asarray(inputs[0], np.float64) / scale, kind.min_mantissa + narrow, kind.max_mantissa)
    return (np.rint(whole) if kind.rounding is Rounding.RND_CONV else np.floor(whole)) * scale


def bipolar(low: "Lowering", inputs: Inputs) -> Data:
    """Signs of a tensor."""
    source = low.computed(inputs[0])
    scale = low.known(inputs[1], "scale")
    if not (scale == 1).all():
        raise low.refuse(f"a scale of 1 wanted behind what is computed, not {float(scale.reshape(-1)[0]):g}")
    options: dict[str, Any] = {"domain": QONNX, "constants": [[1.0]]}
    return low.emit("BipolarQuant", [source], source.shape, None, source.flattened, source.pooled, **options)


def _bipolar_of_numbers(low: "Lowering", inputs: Inputs) -> Any:
    import numpy as np

    scale = np.asarray(low.known(inputs[1], "scale"), np.float64)
    _powers_of_two(low, scale)
    return np.where(np.asarray(inputs[0]) >= 0, 1.0, -1.0) * scale


# Products


def _sizes(low: "Lowering", name: str, count: int, default: int | None = 1) -> tuple[int, ...]:
    """An attribute of so many whole numbers."""
    value = low.attribute(name)
    value = (default,) * count if value is None and default is not None else value
    if not isinstance(value, tuple) or len(value) != count or any(not 0 <= one < 1 << 16 for one in value):
        raise low.refuse(f"{name}: {count} sizes wanted, not {shown(value)}")
    return value


def _order(low: "Lowering", data: Data) -> None:
    if data.pooled:
        raise low.refuse("an image wanted, not what a global pool left: write a MatMul or Gemm")
    if data.last != (low.node.domain == CHANNELS_LAST):
        where = "last" if data.last else "first"
        raise OtherOrderError(str(low.refuse(f"channels where this node reads them wanted, not {where}")))


def _same_pads(low: "Lowering", data: Data, kernel: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """What `auto_pad` and `pads` say: before each dimension, then behind each."""
    mode = low.attribute("auto_pad", "NOTSET")
    if mode in ("NOTSET", "VALID"):
        return _sizes(low, "pads", 2 * len(kernel), 0) if mode == "NOTSET" else (0,) * (2 * len(kernel))
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise low.refuse(f"auto_pad of ONNX wanted, not {shown(mode)}")
    before, behind = [], []
    for size, window, step in zip(data.pixels, kernel, strides, strict=True):
        total = max((-(-size // step) - 1) * step + window - size, 0)
        small = total // 2
        before.append(small if mode == "SAME_UPPER" else total - small)
        behind.append(total - before[-1])
    return (*before, *behind)


def _steps(data: Data, kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int]) -> tuple[int, ...]:
    many = len(kernel)
    return tuple(
        (data.pixels[i] + pads[i] + pads[i + many] - kernel[i]) // strides[i] + 1 for i in range(many)
    )


def convolution(low: "Lowering", inputs: Inputs) -> Data:
    """Over one or two dimensions, of all channels or of each by itself."""
    import numpy as np

    source = low.computed(inputs[0])
    if not 3 <= len(source.shape) <= 4:
        raise low.refuse(f"an image of one or two dimensions wanted, not {source.shape}")
    _order(low, source)
    weights = np.asarray(low.known(inputs[1], "weights"), np.float64)
    if weights.ndim != len(source.shape):
        raise low.refuse(f"weights of {len(source.shape)} dimensions wanted, not {weights.shape}")
    if not source.last:
        weights = np.moveaxis(weights, 1, -1)
    filters, *kernel, depth = weights.shape
    count, group = len(kernel), low.attribute("group", 1)
    given = low.attribute("kernel_shape", tuple(kernel))
    if tuple(given) != tuple(kernel):
        raise low.refuse(f"kernel_shape {tuple(kernel)} as its weights have wanted, not {shown(given)}")
    strides = _sizes(low, "strides", count)
    if set(_sizes(low, "dilations", count)) != {1}:
        raise low.refuse("dilations 1 wanted: hls4ml drops them without a word")
    if 0 in strides:
        raise low.refuse("strides of 1 or more wanted")
    if depth * group != source.channels or group not in (1, source.channels) or (group > 1 and filters != group):
        wanted = f"group 1, or {source.channels} with as many filters,"
        raise low.refuse(f"{wanted} wanted for {source.channels} channels, not {group} and weights {weights.shape}")
    pads = _same_pads(low, source, kernel, strides)
    constants = [weights]
    if len(inputs) > 2 and inputs[2] is not None:
        constants.append(np.asarray(low.known(inputs[2], "bias"), np.float64).reshape(filters))
    values = _sums(source.range, weights.reshape(filters, -1), constants[1] if len(constants) > 1 else None)
    shape = source.shaped(_steps(source, kernel, strides, pads), filters)
    attributes = {
        "kernel_shape": kernel,
        "strides": strides,
        "pads": pads,
        "dilations": (1,) * count,
        "group": group,
    }
    return low.emit(
        "Conv",
        [source],
        shape,
        values,
        domain=CHANNELS_LAST,
        attributes=attributes,
        constants=constants,
        precision={} if values is None else {"accum": values.kind},
    )


def _sums(values: Range | None, weights: Any, bias: Any) -> Range | None:
    """All sums of products, of weights outputs x inputs; as fine as the finest product."""
    import numpy as np

    grid = range_of(weights)
    if values is None or grid is None:
        return None
    whole = mantissas(weights, grid.fraction_bits)
    above = np.where(whole > 0, whole, 0).sum(axis=1)
    below = np.where(whole < 0, whole, 0).sum(axis=1)
    fraction = values.fraction_bits + grid.fraction_bits
    low = (above * values.low + below * values.high).tolist()
    high = (above * values.high + below * values.low).tolist()
    if bias is None:
        return Range(min(0, *low), max(0, *high), fraction)
    added = range_of(bias)
    if added is None:
        return None
    fine = max(fraction, added.fraction_bits)
    shift = fine - fraction
    offsets = mantissas(bias, fine).tolist()
    lows = [(one << shift) + offset for one, offset in zip(low, offsets, strict=True)]
    highs = [(one << shift) + offset for one, offset in zip(high, offsets, strict=True)]
    return Range(min(0, *lows), max(0, *highs), fine)


def _reordered(data: Data, values: Any, axis: int) -> Any:
    """Numbers for a vector, in the order in which hardware has it."""
    import numpy as np

    if data.flattened is None:
        return values
    order = np.moveaxis(np.arange(math.prod(data.flattened)).reshape(data.flattened), 0, -1).reshape(-1)
    return np.take(values, order, axis=axis)


def product(low: "Lowering", inputs: Inputs, weights: Any = None) -> Data:
    """A vector times a matrix."""
    import numpy as np

    source = low.computed(inputs[0])
    matrix = np.asarray(low.known(inputs[1], "weights") if weights is None else weights, np.float64)
    if source.is_image or matrix.ndim != 2 or matrix.shape[0] != source.shape[1]:
        wanted = f"a vector and weights of {source.shape[1]} rows"
        raise low.refuse(f"{wanted} wanted, not {source.shape} and {matrix.shape}")
    matrix = _reordered(source, matrix, 0)
    values = _sums(source.range, matrix.T, None)
    precision = {} if values is None else {"accum": values.kind}
    return low.emit("MatMul", [source], (1, matrix.shape[1]), values, constants=[matrix], precision=precision)


def gemm(low: "Lowering", inputs: Inputs) -> Data:
    """A dense layer with its bias."""
    import numpy as np

    for name, wanted in (("alpha", 1.0), ("beta", 1.0), ("transA", 0)):
        if low.attribute(name, wanted) != wanted:
            raise low.refuse(f"{name} {wanted} wanted, not {low.attribute(name)}")
    weights = np.asarray(low.known(inputs[1], "weights"), np.float64)
    found = product(low, inputs, weights.T if low.attribute("transB", 0) else weights)
    if len(inputs) < 3 or inputs[2] is None:
        return found
    return affine(low, found, 1.0, low.known(inputs[2], "bias"))


# A number for each channel


def affine(low: "Lowering", source: Data, scale: Any, offset: Any) -> Data:
    """A tensor times and plus numbers, one a channel or one for all."""
    factors, summands = (_a_channel(low, source, one) for one in (scale, offset))
    base = source
    if source.affine is not None and source.uses == 1 and source.base is not None:
        base = source.base
        factors, summands = source.affine[0] * factors, source.affine[1] * factors + summands
    else:
        low.settle(source)
    name = low.named(f"{low.node.name or low.node.output[0]}")
    found = Data(name, source.shape, None, source.last, source.flattened, source.pooled)
    found.uses, found.affine, found.base = low.uses[low.node.output[0]], (factors, summands), base
    return found


def _a_channel(low: "Lowering", data: Data, values: Any) -> Any:
    """Numbers as they meet the channels of a tensor, float64."""
    import numpy as np

    array = np.asarray(values, np.float64)
    if not np.isfinite(array).all():
        raise low.refuse("finite numbers wanted")
    if array.size > math.prod(data.shape):
        raise low.refuse(f"at most {math.prod(data.shape)} numbers wanted, not of shape {array.shape}")
    full = np.broadcast_to(array, data.shape)
    if not data.is_image:
        return _reordered(data, full.reshape(-1), 0).copy()
    rows = (full if data.last else np.moveaxis(full, 1, -1)).reshape(-1, data.channels)
    if not (rows == rows[0]).all():
        raise low.refuse(f"a number for each of {data.channels} channels wanted, not of shape {array.shape}")
    return rows[0].copy()


def _both(low: "Lowering", inputs: Inputs) -> tuple[Data, Data]:
    one, other = (low.computed(value) for value in inputs)
    same = (one.shape, one.last, one.flattened, one.pooled) == (other.shape, other.last, other.flattened, other.pooled)
    if not same:
        raise low.refuse(f"two tensors of one shape and order wanted, not {one.shape} and {other.shape}")
    return one, other


def _two(low: "Lowering", inputs: Inputs) -> bool:
    """Whether both inputs are computed."""
    if len(inputs) != 2:
        raise low.refuse(f"two inputs wanted, not {len(inputs)}")
    return all(isinstance(value, Data) for value in inputs)


def add(low: "Lowering", inputs: Inputs) -> Data:
    """A sum, or a bias."""
    if not _two(low, inputs):
        source, number = (inputs[0], inputs[1]) if isinstance(inputs[0], Data) else (inputs[1], inputs[0])
        return affine(low, source, 1.0, number)
    if inputs[0] is inputs[1]:
        return affine(low, inputs[0], 2.0, 0.0)
    one, other = _both(low, inputs)
    values = None if one.range is None or other.range is None else one.range.plus(other.range)
    return low.emit("Add", [one, other], one.shape, values, one.flattened, one.pooled)


def subtract(low: "Lowering", inputs: Inputs) -> Data:
    """Minus known numbers, or known numbers minus a tensor."""
    if _two(low, inputs):
        raise low.refuse("Add of two computed tensors wanted, not Sub")
    first = isinstance(inputs[0], Data)
    return affine(low, inputs[0], 1.0, -inputs[1]) if first else affine(low, inputs[1], -1.0, inputs[0])


def multiply(low: "Lowering", inputs: Inputs) -> Data:
    """Times known numbers."""
    if _two(low, inputs):
        raise low.refuse("a product with known numbers wanted, not of two computed tensors")
    source, number = (inputs[0], inputs[1]) if isinstance(inputs[0], Data) else (inputs[1], inputs[0])
    return affine(low, source, number, 0.0)


def divide(low: "Lowering", inputs: Inputs) -> Data:
    """By known powers of two."""
    import numpy as np

    if _two(low, inputs) or not isinstance(inputs[0], Data):
        raise low.refuse("a tensor divided by known numbers wanted")
    number = np.asarray(inputs[1], np.float64)
    if not (np.frexp(np.abs(number))[0] == 0.5).all():
        raise low.refuse("a division by powers of two wanted: multiply by the reciprocal")
    return affine(low, inputs[0], 1 / number, 0.0)


def batch_normalization(low: "Lowering", inputs: Inputs) -> Data:
    """As a factor and a summand for each channel."""
    import numpy as np

    if low.attribute("training_mode", 0):
        raise low.refuse("training_mode 0 wanted")
    source = inputs[0]
    if source.is_image and source.last != (low.node.domain == CHANNELS_LAST) and not source.pooled:
        _order(low, source)
    gamma, beta, mean, variance = (np.asarray(low.known(one, "numbers"), np.float64) for one in inputs[1:5])
    scale = gamma / np.sqrt(variance + low.attribute("epsilon", 1e-5))
    shape = (1, -1) if source.last or not source.is_image else (1, -1, *(1 for _ in source.shape[2:]))
    return affine(low, source, scale.reshape(shape), (beta - mean * scale).reshape(shape))


# Others


def relu(low: "Lowering", inputs: Inputs) -> Data:
    """What is positive."""
    source = low.computed(inputs[0])
    values = source.range
    if values is not None:
        if values.low >= 0:
            return replace(source, uses=low.uses[low.node.output[0]])
        values = Range(0, max(values.high, 0), values.fraction_bits)
    return low.emit("Relu", [source], source.shape, values, source.flattened, source.pooled)


def function(low: "Lowering", inputs: Inputs) -> Data:
    """What hardware looks up in tables."""
    source = low.computed(inputs[0])
    attributes: dict[str, Any] = {}
    if low.node.op_type == "Softmax":
        if source.is_image or source.flattened or low.attribute("axis", -1) not in (1, -1):
            raise low.refuse("a vector wanted for Softmax")
        attributes = {"axis": -1}
    if low.node.op_type == "LeakyRelu":
        attributes = {"alpha": float(low.attribute("alpha", 0.01))}
    kind = low.node.op_type
    return low.emit(kind, [source], source.shape, None, source.flattened, source.pooled, attributes=attributes)


def pool(low: "Lowering", inputs: Inputs) -> Data:
    """The greatest or the mean of each window; windows do not overlap."""
    source = low.computed(inputs[0])
    if len(source.shape) != 4:
        raise low.refuse(f"an image of two dimensions wanted, not {source.shape}")
    _order(low, source)
    kernel = _sizes(low, "kernel_shape", 2, None)
    strides, pads = _sizes(low, "strides", 2), _same_pads(low, source, kernel, _sizes(low, "strides", 2))
    if strides != kernel or 0 in kernel:
        raise low.refuse(f"strides {kernel} as the window wanted, not {strides}: hls4ml's C++ has an assertion against it")
    if any(pads) or set(_sizes(low, "dilations", 2)) != {1}:
        raise low.refuse("no pads and dilations wanted: hls4ml's C++ has an assertion against them")
    if low.attribute("ceil_mode", 0) and any(size % step for size, step in zip(source.pixels, strides, strict=True)):
        raise low.refuse("ceil_mode 0 wanted: hls4ml drops it without a word")
    shape = source.shaped(_steps(source, kernel, strides, pads), source.channels)
    values, precision = _pooled(source.range, math.prod(kernel), low.node.op_type.startswith("Average"))
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads, "dilations": (1, 1)}
    options: dict[str, Any] = {"domain": CHANNELS_LAST, "attributes": attributes, "precision": precision}
    return low.emit(low.node.op_type, [source], shape, values, **options)


def _pooled(values: Range | None, count: int, average: bool) -> tuple[Range | None, dict[str, FixedPointType]]:
    """The range of a pool, and the type of its accumulator, in which hls4ml divides."""
    if values is None:
        return None, {}
    if not average:
        return values, {"accum": values.kind}
    bits = count.bit_length() - 1
    if count != 1 << bits:
        return None, {}
    fine = values.fraction_bits + bits
    total = Range(values.low * count * count, values.high * count * count, fine)
    return Range(values.low * count, values.high * count, fine), {"accum": total.kind}


def global_pool(low: "Lowering", inputs: Inputs, average: bool | None = None) -> Data:
    """The greatest or the mean of all pixels."""
    source = low.computed(inputs[0])
    if not 3 <= len(source.shape) <= 4:
        raise low.refuse(f"an image wanted, not {source.shape}")
    if source.pooled:
        return replace(source, uses=low.uses[low.node.output[0]])
    if average is None:
        _order(low, source)
        average = "Average" in low.node.op_type
    ones = tuple(1 for _ in source.pixels)
    values, precision = _pooled(source.range, math.prod(source.pixels), average)
    kind = "GlobalAveragePool" if average else "GlobalMaxPool"
    image = [1, source.channels, *source.pixels]
    options: dict[str, Any] = {"attributes": {"image": image}, "precision": precision}
    return low.emit(kind, [source], source.shaped(ones, source.channels), values, pooled=True, **options)


def mean(low: "Lowering", inputs: Inputs) -> Data:
    """Over all pixels: a global pool."""
    axes = low.attribute("axes")
    if axes is None and len(inputs) > 1 and inputs[1] is not None:
        axes = tuple(int(one) for one in low.known(inputs[1], "axes"))
    source = low.computed(inputs[0])
    rank = len(source.shape)
    wanted = tuple(range(1, rank - 1)) if source.last else tuple(range(2, rank))
    got = tuple(sorted(one % rank for one in axes or ()))
    if not source.is_image or got != wanted:
        raise low.refuse(f"a mean over the pixels {wanted} wanted, not over {axes}")
    found = global_pool(low, [source], average=True)
    return found if low.attribute("keepdims", 1) else replace(found, shape=(1, source.channels), last=False, pooled=False)


def reshape(low: "Lowering", inputs: Inputs) -> Data:
    """A flatten, or nothing."""
    source = low.computed(inputs[0])
    kind, total = low.node.op_type, math.prod(source.shape)
    if kind == "Flatten":
        axis = low.attribute("axis", 1)
        target = (1, total) if axis == 1 else (axis,)
    elif kind == "Reshape":
        said = tuple(int(size) for size in low.known(inputs[1], "shape").reshape(-1))
        keep = not low.attribute("allowzero", 0)
        target = tuple(source.shape[i] if not size and keep else size for i, size in enumerate(said))
        if target.count(-1) == 1:
            target = tuple(total // -math.prod(target) if size == -1 else size for size in target)
    else:
        said = low.attribute("axes")
        if said is None and len(inputs) > 1 and inputs[1] is not None:
            said = tuple(int(one) for one in low.known(inputs[1], "axes").reshape(-1))
        gone = {one % len(source.shape) for one in said or ()}
        target = tuple(size for i, size in enumerate(source.shape) if i not in gone)
    uses = low.uses[low.node.output[0]]
    if target == source.shape:
        return replace(source, uses=uses)
    if target != (1, total):
        raise low.refuse(f"a flatten to {(1, total)} wanted, not {shown(target)}: hls4ml builds no other in a stream")
    if source.pooled:
        return replace(source, shape=target, last=False, pooled=False, uses=uses)
    mixed = not source.last and math.prod(source.pixels) > 1 and source.channels > 1
    flattened = (source.channels, *source.pixels) if mixed else None
    return low.emit("Flatten", [source], target, source.range, flattened)


def transpose(low: "Lowering", inputs: Inputs) -> Data:
    """Channels first or last for the nodes that follow; hardware has them last."""
    source = low.computed(inputs[0])
    rank = len(source.shape)
    perm = low.attribute("perm", tuple(reversed(range(rank))))
    uses = low.uses[low.node.output[0]]
    if perm == tuple(range(rank)):
        return replace(source, uses=uses)
    to_last, to_first = (0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1))
    wanted = to_first if source.last else to_last
    if not source.is_image or perm != wanted:
        if source.is_image and perm == (to_last if source.last else to_first):
            raise OtherOrderError(str(low.refuse(f"perm {wanted} wanted, not {perm}")))
        raise low.refuse(f"perm {wanted} wanted, not {shown(perm)}")
    return replace(source, shape=tuple(source.shape[i] for i in perm), last=not source.last, uses=uses)


def same(low: "Lowering", inputs: Inputs) -> Data:
    """What changes nothing."""
    return replace(low.computed(inputs[0]), uses=low.uses[low.node.output[0]])


def concatenate(low: "Lowering", inputs: Inputs) -> Data:
    """Of channels, two at a time."""
    found = low.computed(inputs[0])
    axis, rank = low.attribute("axis", 1), len(found.shape)
    for value in inputs[1:]:
        other = low.computed(value)
        channels = rank - 1 if found.last or rank == 2 else 1
        if axis % rank != channels or found.flattened or found.pooled or other.flattened or other.pooled:
            raise low.refuse(f"a concatenation of channels (axis {channels}) wanted, not along {axis}")
        if (found.pixels, found.last, len(other.shape)) != (other.pixels, other.last, rank):
            raise low.refuse(f"images of one size wanted, not {found.shape} and {other.shape}")
        values = None if found.range is None or other.range is None else found.range.union(other.range)
        total = found.channels + other.channels
        shape = found.shaped(found.pixels, total) if found.is_image else (1, total)
        found = low.emit("Concat", [found, other], shape, values, attributes={"axis": rank - 1})
    return found


def shape_of(low: "Lowering", inputs: Inputs) -> Any:
    """Sizes, for a reshape."""
    import numpy as np

    return np.asarray(inputs[0].shape, np.int64)


RULES: dict[str, Callable[["Lowering", Inputs], Any]] = {
    "Add": add,
    "AveragePool": pool,
    "BatchNormalization": batch_normalization,
    "BipolarQuant": bipolar,
    "Concat": concatenate,
    "Conv": convolution,
    "Div": divide,
    "Dropout": same,
    "Flatten": reshape,
    "Gemm": gemm,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "Identity": same,
    "IntQuant": quant,
    "LeakyRelu": function,
    "MatMul": product,
    "MaxPool": pool,
    "Mul": multiply,
    "Quant": quant,
    "ReduceMean": mean,
    "Relu": relu,
    "Reshape": reshape,
    "Shape": shape_of,
    "Sigmoid": function,
    "Softmax": function,
    "Squeeze": reshape,
    "Sub": subtract,
    "Tanh": function,
    "Transpose": transpose,
}
"""By operator, where an input is computed."""


# Of numbers that are known


def _constant(low: "Lowering", _: Inputs) -> Any:
    import numpy as np
    from onnx import numpy_helper

    value = low.attribute("value")
    if value is not None and hasattr(value, "dims"):
        return numpy_helper.to_array(value)
    for name in ("value_float", "value_floats", "value_int", "value_ints"):
        value = low.attribute(name)
        if value is not None:
            return np.asarray(value, np.float32 if "float" in name else np.int64)
    raise low.refuse("a value of numbers wanted")


def _axes(low: "Lowering", inputs: Inputs) -> tuple[int, ...]:
    axes = low.attribute("axes")
    if axes is None and len(inputs) > 1:
        axes = inputs[1].reshape(-1).tolist()
    return tuple(int(one) for one in axes or ())


def _reshape_numbers(low: "Lowering", inputs: Inputs) -> Any:
    return inputs[0].reshape([int(size) for size in inputs[1].reshape(-1)])


def _expand(low: "Lowering", inputs: Inputs) -> Any:
    import numpy as np

    return np.expand_dims(inputs[0], _axes(low, inputs))


def _squeeze(low: "Lowering", inputs: Inputs) -> Any:
    import numpy as np

    return np.squeeze(inputs[0], _axes(low, inputs) or None)


def _gather(low: "Lowering", inputs: Inputs) -> Any:
    import numpy as np

    if inputs[0].size * max(1, inputs[1].size) > 1 << 16:
        raise low.refuse("a few sizes wanted")
    return np.take(inputs[0], inputs[1].astype(np.int64), axis=low.attribute("axis", 0))


def _joined(low: "Lowering", inputs: Inputs) -> Any:
    import numpy as np

    return np.concatenate(list(inputs), axis=low.attribute("axis", 0))


def _turned(low: "Lowering", inputs: Inputs) -> Any:
    import numpy as np

    return np.transpose(inputs[0], low.attribute("perm"))


FOLDED: dict[str, Callable[["Lowering", Inputs], Any]] = {
    "BipolarQuant": _bipolar_of_numbers,
    "Cast": lambda low, inputs: inputs[0],
    "Concat": _joined,
    "Constant": _constant,
    "Gather": _gather,
    "Identity": lambda low, inputs: inputs[0],
    "IntQuant": _quant_of_numbers,
    "Quant": _quant_of_numbers,
    "Reshape": _reshape_numbers,
    "Squeeze": _squeeze,
    "Transpose": _turned,
    "Unsqueeze": _expand,
}
"""The same where all inputs are known."""
