"""What becomes of quantizers, products and sums of ONNX and QONNX when a graph is lowered."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nonresnet_hls.errors import shown
from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding
from nonresnet_hls.formats.onnx_values import (
    CHANNELS_LAST,
    QONNX,
    Data,
    Inputs,
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
        raise low.refuse(
            f"a whole number of 1 to {_MAX_QUANT_BITS} bits wanted, not {shown(bits.reshape(-1).tolist())}"
        )
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
    casts = maker is not None and maker.kind in _CASTING and not maker.is_quantized
    if casts and source.range is not None and source.uses == 1:
        assert maker is not None
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


def quant_of_numbers(low: "Lowering", inputs: Inputs) -> Any:
    """Numbers as a quantizer gives them."""
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


def bipolar_of_numbers(low: "Lowering", inputs: Inputs) -> Any:
    """Signs of numbers."""
    import numpy as np

    scale = np.asarray(low.known(inputs[1], "scale"), np.float64)
    _powers_of_two(low, scale)
    return np.where(np.asarray(inputs[0]) >= 0, 1.0, -1.0) * scale


# Products


def sizes(low: "Lowering", name: str, count: int, default: int | None = 1) -> tuple[int, ...]:
    """An attribute of so many whole numbers."""
    value = low.attribute(name)
    value = (default,) * count if value is None and default is not None else value
    if not isinstance(value, tuple) or len(value) != count or any(not 0 <= one < 1 << 16 for one in value):
        raise low.refuse(f"{name}: {count} sizes wanted, not {shown(value)}")
    return value


def order(low: "Lowering", data: Data) -> None:
    """See that an image has its channels where the node at hand reads them."""
    if data.pooled:
        raise low.refuse("an image wanted, not what a global pool left: write a MatMul or Gemm")
    if data.last != (low.node.domain == CHANNELS_LAST):
        where = "last" if data.last else "first"
        raise OtherOrderError(str(low.refuse(f"channels where this node reads them wanted, not {where}")))


def pads_of(low: "Lowering", data: Data, kernel: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """What `auto_pad` and `pads` say: before each dimension, then behind each."""
    mode = low.attribute("auto_pad", "NOTSET")
    if mode in ("NOTSET", "VALID"):
        return sizes(low, "pads", 2 * len(kernel), 0) if mode == "NOTSET" else (0,) * (2 * len(kernel))
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise low.refuse(f"auto_pad of ONNX wanted, not {shown(mode)}")
    before, behind = [], []
    for size, window, step in zip(data.pixels, kernel, strides, strict=True):
        total = max((-(-size // step) - 1) * step + window - size, 0)
        small = total // 2
        before.append(small if mode == "SAME_UPPER" else total - small)
        behind.append(total - before[-1])
    return (*before, *behind)


def steps(data: Data, kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int]) -> tuple[int, ...]:
    """How many windows there are."""
    many = len(kernel)
    return tuple((data.pixels[i] + pads[i] + pads[i + many] - kernel[i]) // strides[i] + 1 for i in range(many))


def convolution(low: "Lowering", inputs: Inputs) -> Data:
    """Over one or two dimensions, of all channels or of each by itself."""
    import numpy as np

    source = low.computed(inputs[0])
    if not 3 <= len(source.shape) <= 4:
        raise low.refuse(f"an image of one or two dimensions wanted, not {source.shape}")
    order(low, source)
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
    strides = sizes(low, "strides", count)
    if set(sizes(low, "dilations", count)) != {1}:
        raise low.refuse("dilations 1 wanted: hls4ml drops them without a word")
    if 0 in strides:
        raise low.refuse("strides of 1 or more wanted")
    if depth * group != source.channels or group not in (1, source.channels) or (group > 1 and filters != group):
        wanted = f"group 1, or {source.channels} with as many filters,"
        raise low.refuse(f"{wanted} wanted for {source.channels} channels, not {group} and weights {weights.shape}")
    pads = pads_of(low, source, kernel, strides)
    constants = [weights]
    if len(inputs) > 2 and inputs[2] is not None:
        constants.append(np.asarray(low.known(inputs[2], "bias"), np.float64).reshape(filters))
    values = _sums(source.range, weights.reshape(filters, -1), constants[1] if len(constants) > 1 else None)
    shape = source.shaped(steps(source, kernel, strides, pads), filters)
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
        order(low, source)
    gamma, beta, mean, variance = (np.asarray(low.known(one, "numbers"), np.float64) for one in inputs[1:5])
    scale = gamma / np.sqrt(variance + low.attribute("epsilon", 1e-5))
    shape = (1, -1) if source.last or not source.is_image else (1, -1, *(1 for _ in source.shape[2:]))
    return affine(low, source, scale.reshape(shape), (beta - mean * scale).reshape(shape))
