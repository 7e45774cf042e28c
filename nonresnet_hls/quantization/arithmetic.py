"""Fixed-point types of every layer of a quantized Keras model, from its quantizers, shapes and weights.

Interval arithmetic on integers: each tensor is a power of two times integers between two bounds per channel. Sums
and products get a type wide enough for every value that any input can cause, so nothing rounds or overflows but
where a quantizer says so. The input may take every value of its type.
"""

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointError, FixedPointType, Rounding
from nonresnet_hls.networks import activations, graph
from nonresnet_hls.quantization import quantizers
from nonresnet_hls.quantization.ranges import (
    Constant,
    LayerArithmetic,
    ModelArithmetic,
    array,
    bits,
    constant,
    grid_constant,
    result,
    times,
)

_CUT_BITS = 8
"""That an average over other than 2^n pixels keeps behind the point, more than are needed to tell its quotients apart:
so many a quantizer behind it may have more than the numbers that are averaged."""

_ROUNDING = ("QActivation", "FixedPointActivation")
"""Layers that do nothing but round."""


def infer(model: Any, input_types: FixedPointType | dict[str, FixedPointType]) -> ModelArithmetic:
    """The arithmetic of a QKeras model.

    Args:
        model: functional model of QKeras layers, ReLUs, batch norms on a grid, adds, poolings and reshapes.
        input_types: type of the input, or of each input by layer name.

    Raises:
        ModelError: a layer cannot be computed exactly in fixed point; names it and says what was wanted.
    """
    layers: dict[str, LayerArithmetic] = {}
    for node in graph.nodes(model):
        if not node.inputs:
            own = input_types if isinstance(input_types, FixedPointType) else input_types.get(node.name)
            if own is None:
                raise ModelError(f"layer {node.name}: an input type wanted, none given")
            layers[node.name] = _input(node, own)
        else:
            if getattr(node.layer, "data_format", None) == "channels_first":
                raise ModelError(f"layer {node.name}: channels_last wanted, not channels_first")
            infer_layer = _RULES.get(node.kind)
            if infer_layer is None:
                known = ", ".join(sorted(_RULES))
                raise ModelError(f"layer {node.name}: {node.kind} has no fixed-point twin; one of {known} wanted")
            try:
                layers[node.name] = infer_layer(node, [layers[name] for name in node.inputs])
            except FixedPointError as error:
                raise ModelError(f"layer {node.name}: {error}") from None
            if node.kind in _ROUNDING:
                _reach(layers, node.inputs[0], layers[node.name].output)
    return ModelArithmetic(layers)


def _reach(layers: dict[str, LayerArithmetic], name: str, own: FixedPointType) -> None:
    """Give a layer whose numbers all lie below half a last bit of the type that rounds them the bits up to there.

    `ap_fixed` rounds by the bit behind the last one, and asserts that the number has it.
    """
    source = layers[name]
    missing = -own.fraction_bits - source.output.integer_bits
    if missing <= 0 or own.rounding is Rounding.TRN:
        return
    if source.node.kind in _ROUNDING or not source.node.inputs:
        raise ModelError(f"layer {name}: numbers of at least {float(own.lsb / 2):g} wanted, which the next one rounds")
    wider = replace(source.output, width=source.output.width + missing, integer_bits=-own.fraction_bits)
    layers[name] = replace(source, output=wider)
    if source.node.kind in ("Flatten", "Reshape"):  # hls4ml has no C++ for these: they are what they read
        _reach(layers, source.node.inputs[0], own)


def _input(node: graph.Node, own: FixedPointType) -> LayerArithmetic:
    bounds = array(own.min_mantissa), array(own.max_mantissa)
    return LayerArithmetic(node, own, *bounds, float_bits=bits(*bounds))


def _weighted(node: graph.Node, inputs: list[LayerArithmetic], kernel: Constant, axes: int) -> LayerArithmetic:
    """Convolution or dense: kernel of shape (..., fan-in axes, outputs), summed over its first `axes` axes."""
    import numpy as np

    (source,) = inputs
    layer = node.layer
    if (own := activations.of(layer)).name != activations.LINEAR:
        raise ModelError(f"layer {node.name}: no activation of its own wanted (a QActivation after it), not {own}")
    low, high = source.low, source.high
    if getattr(layer, "padding", "valid") != "valid":
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    if node.kind == "QDense" and low.size not in (1, kernel.mantissas.shape[0]):
        low, high = low.min(keepdims=True), high.max(keepdims=True)
    # Kernels end in (inputs, outputs), depthwise ones in (channels, multiplier): bounds vary along the last but one.
    low, high = low.reshape(-1, 1), high.reshape(-1, 1)
    positive, negative = np.maximum(kernel.mantissas, 0), np.minimum(kernel.mantissas, 0)
    over = tuple(range(axes))
    widest = np.abs(kernel.mantissas).astype(np.float64) * np.maximum(np.abs(low), np.abs(high))
    if widest.sum(over).max() >= 2.0**61:
        raise FixedPointError("sums of more than 61 bits")
    sums = [
        (positive * high + negative * low).sum(over).ravel(),
        (positive * low + negative * high).sum(over).ravel(),
        (np.abs(kernel.mantissas) * np.maximum(np.abs(low), np.abs(high))).sum(over).ravel(),
    ]
    lsb = source.output.lsb * kernel.type.lsb
    bias = None
    if layer.use_bias:
        bias = constant(layer.bias.numpy(), layer.bias_quantizer_internal, f"{node.name} (bias)")
        finest = min(lsb, bias.type.lsb)
        own = times(bias.mantissas, int(bias.type.lsb / finest))
        top, bottom, magnitude = (times(value, int(lsb / finest)) for value in sums)
        sums = [top + own, bottom + own, magnitude + np.abs(own)]
        lsb = finest
    found = result(node, sums[1], sums[0], lsb, bits(sums[2]), kernel=kernel, bias=bias)
    return replace(found, accumulator=found.output)


def _conv(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    layer = node.layer
    if getattr(layer, "groups", 1) != 1:
        raise ModelError(f"layer {node.name}: 1 group wanted, not {layer.groups}")
    kernel = constant(layer.kernel.numpy(), layer.kernel_quantizer_internal, f"{node.name} (kernel)")
    return _weighted(node, inputs, kernel, axes=kernel.mantissas.ndim - 1)


def _depthwise(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    layer = node.layer
    weights = layer.depthwise_kernel.numpy()
    kernel = constant(weights, layer.depthwise_quantizer_internal, f"{node.name} (kernel)")
    return _weighted(node, inputs, kernel, axes=kernel.mantissas.ndim - 2)


def _dense(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    layer = node.layer
    kernel = constant(layer.kernel.numpy(), layer.kernel_quantizer_internal, f"{node.name} (kernel)")
    return _weighted(node, inputs, kernel, axes=1)


def _batch_norm(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    import numpy as np

    from nonresnet_hls.networks.fold import check_axis, is_scale, scale_and_offset

    (source,) = inputs
    layer = node.layer
    check_axis(node)
    if not is_scale(layer):
        raise ModelError(f"layer {node.name}: a batch norm with epsilon 0, mean 0 and variance 1 wanted (or fold it)")
    gamma, beta = scale_and_offset(layer)
    scale = grid_constant(gamma, f"{node.name} (gamma)")
    offset = grid_constant(beta, f"{node.name} (beta)")
    product = source.output.lsb * scale.type.lsb
    lsb = min(product, offset.type.lsb)
    factors = times(scale.mantissas, int(product / lsb))
    ends = np.stack([times(source.low, factors), times(source.high, factors)])
    own = times(offset.mantissas, int(offset.type.lsb / lsb))
    return result(
        node,
        ends.min(0) + own,
        ends.max(0) + own,
        lsb,
        bits(np.abs(ends).max(0) + np.abs(own)),
        kernel=scale,
        bias=offset,
    )


def _quantizer(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    """A layer that rounds to a type."""
    (source,) = inputs
    quantizer = node.layer.quantizer
    if type(quantizer).__name__ == "binary":
        raise ModelError(f"layer {node.name}: quantized_relu or quantized_bits wanted, not binary")
    own = quantizers.type_of(quantizer, node.name)
    if quantizers.least_value(quantizer, own) != own.min:
        raise ModelError(f"layer {node.name}: symmetric=0 wanted, not {quantizer.symmetric!r}")
    unit = float(source.output.lsb)
    low, high = (own.mantissas(own.quantize_array(bound * unit)) for bound in (source.low, source.high))
    # Keras computes x + (q(x) - x), in the finer of the two units.
    finest = min(source.output.lsb, own.lsb)
    of_input = bits(source.low, source.high) + _shift(source.output.lsb / finest)
    of_output = own.width + _shift(own.lsb / finest)
    heals = source.cut is not None and own.fraction_bits <= source.cut
    return LayerArithmetic(node, own, low, high, max(of_input, of_output), heals=heals)


def _shift(ratio: Fraction) -> int:
    """The exponent of a power of two of at least 1."""
    return ratio.numerator.bit_length() - 1


def _activation(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    import numpy as np

    (source,) = inputs
    applied = activations.of(node.layer)
    if applied.name == activations.LINEAR:
        return _same(node, inputs)
    if applied.name == activations.LEAKY_RELU and applied.slope is not None:
        slope = grid_constant(applied.slope, f"{node.name} (slope)")
        factor, unit = int(slope.mantissas), int(1 / slope.type.lsb) if slope.type.lsb < 1 else 1
        lsb = source.output.lsb * min(slope.type.lsb, Fraction(1))
        factor *= int(max(slope.type.lsb, Fraction(1)))
        ends = [np.where(bound > 0, times(bound, unit), times(bound, factor)) for bound in (source.low, source.high)]
        ends.append(np.where((source.low < 0) & (source.high > 0), 0, ends[0]))
        widest = max(bits(source.low, source.high) + max(unit, abs(factor), 1).bit_length(), source.float_bits)
        return result(node, np.minimum.reduce(ends), np.maximum.reduce(ends), lsb, widest, slope=slope)
    if applied != activations.Activation(activations.RELU):
        wanted = "a plain ReLU" if node.kind == "ReLU" else "relu, linear or a QActivation"
        raise ModelError(f"layer {node.name}: {wanted} wanted, not {applied}")
    low, high = np.maximum(source.low, 0), np.maximum(source.high, 0)
    return result(node, low, high, source.output.lsb, source.float_bits)


def _table(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    import numpy as np

    layer = node.layer
    (source,) = inputs
    mantissas = np.array(layer.mantissas, np.int64)
    ends = layer.indices(np.array([source.low.min(), source.high.max()]) * float(source.output.lsb))
    reached = mantissas[int(ends[0]) : int(ends[1]) + 1]
    widest = bits(source.low, source.high)
    return LayerArithmetic(node, layer.type, array(int(reached.min())), array(int(reached.max())), widest)


def _elu(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    import numpy as np

    layer = node.layer
    (source,) = inputs
    own, unit = layer.type, float(source.output.lsb)
    ends = [int(source.low.min()), int(source.high.max())]
    reached = [int(one) for one in own.mantissas(own.quantize_array(np.maximum(ends, 0) * unit))]
    if ends[0] < 0:
        first, last = (int(one) for one in layer.indices(np.array([min(ends[1], -1), ends[0]]) * unit))
        reached += layer.mantissas[first : last + 1]
    widest = max(bits(source.low, source.high), own.width)
    return LayerArithmetic(node, own, array(min(reached)), array(max(reached)), widest)


def _prelu(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    import numpy as np

    (source,) = inputs
    (values,) = node.layer.get_weights()
    if tuple(values.shape) != tuple(node.output_shape):
        raise ModelError(f"layer {node.name}: a slope for each number wanted, not {values.shape}")
    slope = grid_constant(values, f"{node.name} (slopes)")
    unit = int(1 / slope.type.lsb) if slope.type.lsb < 1 else 1
    factors = times(slope.mantissas, int(max(slope.type.lsb, Fraction(1))))
    lsb = source.output.lsb * min(slope.type.lsb, Fraction(1))
    low, high = int(source.low.min()), int(source.high.max())
    ends = [0, *(int(times(array(bound), unit).max()) for bound in (max(low, 0), max(high, 0)))]
    if low < 0:
        below = times(array(low), factors)
        ends += [int(below.min()), int(below.max())]
    widest = bits(array(low), array(high)) + max(unit, int(np.abs(factors).max())).bit_length()
    return result(node, array(min(ends)), array(max(ends)), lsb, widest, slope=slope)


def _same(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    (source,) = inputs
    return LayerArithmetic(node, source.output, source.low, source.high, bits(source.low, source.high))


def _maxima(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    # hls4ml compares them in the accumulator's type.
    found = _same(node, inputs)
    return replace(found, accumulator=found.output)


def _padding(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    import numpy as np

    (source,) = inputs
    return LayerArithmetic(
        node, source.output, np.minimum(source.low, 0), np.maximum(source.high, 0), bits(source.low, source.high)
    )


def _flatten(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    (source,) = inputs
    low, high = source.low.min(keepdims=True), source.high.max(keepdims=True)
    return LayerArithmetic(node, source.output, low, high, bits(low, high), cut=source.cut)


def _up_sampling(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    if (how := getattr(node.layer, "interpolation", "nearest")) != "nearest":
        raise ModelError(f"layer {node.name}: interpolation nearest wanted, not {how}")
    return _same(node, inputs)


def _no_padding(node: graph.Node) -> None:
    layer = node.layer
    if getattr(layer, "padding", "valid") == "same":
        size, step, shape = layer.pool_size, layer.strides, layer.input.shape[1:-1]
        if any(s != p or n % p for s, p, n in zip(step, size, shape, strict=True)):
            raise ModelError(f"layer {node.name}: pooling without padding wanted")


def _average_pool(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    (source,) = inputs
    if node.kind.startswith("Global"):
        count = math.prod(source.node.output_shape[:-1])
    else:
        _no_padding(node)
        count = math.prod(node.layer.pool_size)
    # The quotient is of integers, in a unit that is finer: enough to hold it where `count` is 2^n.
    whole = count & (count - 1) == 0
    finer = (count - 1).bit_length() + (0 if whole else _CUT_BITS)
    lsb = source.output.lsb / 2**finer
    low, high = (times(bound, 2**finer) for bound in (source.low, source.high))
    # Keras divides a sum, of which some more bits must be right to round the quotient as we do.
    float_bits = bits(low, high) if whole else bits(times(source.low, count), times(source.high, count)) + _CUT_BITS
    # A quotient is no tie (half a last bit of a quantizer), or a multiple of 1/count last bits away from one.
    cut = None if whole else source.output.fraction_bits + _CUT_BITS - 1
    found = result(node, low, high, lsb, float_bits, cut=cut)
    # hls4ml divides in the accumulator's type: it must hold the sum, and the quotient's last bit.
    accumulator = FixedPointType.covering(int(low.min()) * count * lsb, int(high.max()) * count * lsb, lsb)
    return replace(found, accumulator=accumulator)


def _aligned(node: graph.Node, inputs: list[LayerArithmetic]) -> tuple[Fraction, list[Any], list[Any]]:
    """The finest unit of two inputs, and both inputs' bounds in it."""
    if len(inputs) != 2:
        raise ModelError(f"layer {node.name}: 2 inputs wanted, not {len(inputs)}")
    lsb = min(source.output.lsb for source in inputs)
    factors = [int(source.output.lsb / lsb) for source in inputs]
    lows = [times(source.low, factor) for source, factor in zip(inputs, factors, strict=True)]
    highs = [times(source.high, factor) for source, factor in zip(inputs, factors, strict=True)]
    return lsb, lows, highs


def _sum(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    import numpy as np

    lsb, lows, highs = _aligned(node, inputs)
    _of_one_shape(node, inputs)
    if node.kind == "Subtract":
        lows[1], highs[1] = -highs[1], -lows[1]
    magnitude = sum(np.maximum(np.abs(low), np.abs(high)) for low, high in zip(lows, highs, strict=True))
    return result(node, lows[0] + lows[1], highs[0] + highs[1], lsb, bits(magnitude))


def _extremum(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    import numpy as np

    lsb, lows, highs = _aligned(node, inputs)
    _of_one_shape(node, inputs)
    choose = np.maximum if node.kind == "Maximum" else np.minimum
    return result(node, choose(*lows), choose(*highs), lsb, bits(*lows, *highs))


def _product(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    import numpy as np

    if len(inputs) != 2:
        raise ModelError(f"layer {node.name}: 2 factors wanted, not {len(inputs)}")
    _of_one_shape(node, inputs)
    first, second = inputs
    ends = np.stack([times(a, b) for a in (first.low, first.high) for b in (second.low, second.high)])
    return result(node, ends.min(0), ends.max(0), first.output.lsb * second.output.lsb, bits(ends))


def _of_one_shape(node: graph.Node, inputs: list[LayerArithmetic]) -> None:
    shapes = [source.node.output_shape for source in inputs]
    if shapes[0] != shapes[1]:
        raise ModelError(f"layer {node.name}: inputs of one shape wanted, not {shapes[0]} and {shapes[1]}")


def _concatenate(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    import numpy as np

    if node.layer.axis not in (-1, len(node.output_shape)):
        raise ModelError(f"layer {node.name}: concatenation of channels wanted, not of axis {node.layer.axis}")
    lsb, lows, highs = _aligned(node, inputs)
    shapes = [source.node.output_shape[-1:] for source in inputs]
    low, high = (
        np.concatenate([np.broadcast_to(bound, shape) for bound, shape in zip(bounds, shapes, strict=True)])
        for bounds in (lows, highs)
    )
    return result(node, low, high, lsb, bits(low, high))


_RULES = {
    "QConv1D": _conv,
    "QConv2D": _conv,
    "QDepthwiseConv1D": _depthwise,
    "QDepthwiseConv2D": _depthwise,
    "QDense": _dense,
    "BatchNormalization": _batch_norm,
    **dict.fromkeys(_ROUNDING, _quantizer),
    "FixedPointTable": _table,
    "FixedPointElu": _elu,
    "PReLU": _prelu,
    "Activation": _activation,
    "ReLU": _activation,
    "LeakyReLU": _activation,
    "Add": _sum,
    "Subtract": _sum,
    "Maximum": _extremum,
    "Minimum": _extremum,
    "Multiply": _product,
    "Concatenate": _concatenate,
    **dict.fromkeys((f"{which}MaxPooling{n}D" for which in ("", "Global") for n in (1, 2)), _maxima),
    **dict.fromkeys((f"{which}AveragePooling{n}D" for which in ("", "Global") for n in (1, 2)), _average_pool),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), _padding),
    **dict.fromkeys(("UpSampling1D", "UpSampling2D"), _up_sampling),
    **dict.fromkeys(("Flatten", "Reshape"), _flatten),
}
