"""Fixed-point types of every layer of a quantized Keras model, from its quantizers, shapes and weights.

Interval arithmetic on integers: each tensor is a power of two times integers between two bounds per channel. Sums
and products get a type wide enough for every value that any input can cause, so nothing rounds or overflows but
where a quantizer says so. The input may take every value of its type.
"""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointError, FixedPointType
from nonresnet_hls.networks import activations, graph
from nonresnet_hls.quantization import quantizers

FLOAT32_BITS = 24
"""Integers of this many bits, and so all sums of them that stay within, are exact in Keras' float32."""

_MAX_CONSTANT_BITS = 24


@dataclass(frozen=True, eq=False)
class Constant:
    """Weights on their fixed-point grid: value = mantissa * lsb."""

    mantissas: Any
    """int64, in the layer's own shape."""
    type: FixedPointType

    @property
    def values(self) -> Any:
        """float64."""
        import numpy as np

        return np.ldexp(self.mantissas.astype(np.float64), -self.type.fraction_bits)


@dataclass(frozen=True, eq=False)
class LayerArithmetic:
    """What a layer computes with. Bounds are integers, in units of `output.lsb`."""

    node: graph.Node
    output: FixedPointType
    low: Any
    """int64 (channels,) or (1,): least value per channel."""
    high: Any
    """int64, likewise: greatest value."""
    float_bits: int
    """Bits of the largest integer that Keras meets while it computes the layer."""
    kernel: Constant | None = None
    bias: Constant | None = None
    accumulator: FixedPointType | None = None
    """Type of the running sum; conv, dense and average pooling only."""

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.node.name

    @property
    def exact_in_keras(self) -> bool:
        """Whether Keras' float32 computes this layer without rounding."""
        return self.float_bits <= FLOAT32_BITS


@dataclass(frozen=True, eq=False)
class ModelArithmetic:
    """The arithmetic of all layers, in topological order."""

    layers: dict[str, LayerArithmetic] = field(default_factory=dict)

    def first_inexact(self) -> LayerArithmetic | None:
        """The first layer where Keras' float32 may round; None where Keras is exact throughout."""
        return next((layer for layer in self.layers.values() if not layer.exact_in_keras), None)


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
    return ModelArithmetic(layers)


def _array(*values: int) -> Any:
    import numpy as np

    return np.array(values, dtype=np.int64)


def _bits(*magnitudes: Any) -> int:
    import numpy as np

    return max(int(np.abs(m).max()).bit_length() for m in magnitudes)


def _result(node: graph.Node, low: Any, high: Any, lsb: Fraction, float_bits: int, **more: Any) -> LayerArithmetic:
    """A layer whose result is just wide enough for its bounds."""
    output = FixedPointType.covering(int(low.min()) * lsb, int(high.max()) * lsb, lsb)
    if output.width > 62:
        raise FixedPointError(f"a sum of {output.width} bits; at most 62 wanted")
    return LayerArithmetic(node, output, low, high, float_bits, **more)


def _input(node: graph.Node, own: FixedPointType) -> LayerArithmetic:
    bounds = _array(own.min_mantissa), _array(own.max_mantissa)
    return LayerArithmetic(node, own, *bounds, float_bits=_bits(*bounds))


def _constant(values: Any, quantizer: Any, where: str) -> Constant:
    import numpy as np

    if quantizer is None:
        raise ModelError(f"layer {where}: no quantizer; a QKeras layer with one wanted")
    if not np.isfinite(values).all():
        raise ModelError(f"layer {where}: finite weights wanted, not {values[~np.isfinite(values)][0]}")
    own = quantizers.type_of(quantizer, where)
    if type(quantizer).__name__ == "binary":
        return Constant(np.where(values >= 0, 1, -1).astype(np.int64), own)
    quantized = np.maximum(own.quantize_array(values), float(quantizers.least_value(quantizer, own)))
    return Constant(own.mantissas(quantized), own)


def grid_constant(values: Any, where: str) -> Constant:
    """Constants that are taken as they are, on the coarsest grid that holds them all.

    Raises:
        ModelError: that grid would need more than 24 bits: the values were never quantized.
    """
    import numpy as np

    array = np.asarray(values, np.float64)
    for fraction_bits in range(-_MAX_CONSTANT_BITS, 2 * _MAX_CONSTANT_BITS):
        scaled = np.ldexp(array, fraction_bits)
        if (scaled == np.rint(scaled)).all():
            lsb = Fraction(2) ** -fraction_bits
            own = FixedPointType.covering(int(scaled.min()) * lsb, int(scaled.max()) * lsb, lsb)
            if own.width <= _MAX_CONSTANT_BITS:
                return Constant(scaled.astype(np.int64), own)
            break
    raise ModelError(f"layer {where}: values on a fixed-point grid of at most {_MAX_CONSTANT_BITS} bits wanted")


def _weighted(node: graph.Node, inputs: list[LayerArithmetic], kernel: Constant, axes: int) -> LayerArithmetic:
    """Convolution or dense: kernel of shape (..., fan-in axes, outputs), summed over its first `axes` axes."""
    import numpy as np

    (source,) = inputs
    layer = node.layer
    if (own := activations.of(layer)).name != activations.LINEAR:
        raise ModelError(f"layer {node.name}: no activation of its own wanted (a QActivation after it), not {own}")
    padded = getattr(layer, "padding", "valid") == "same"
    low, high = source.low, source.high
    if padded:
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
        bias = _constant(layer.bias.numpy(), layer.bias_quantizer_internal, f"{node.name} (bias)")
        finest = min(lsb, bias.type.lsb)
        own = bias.mantissas * int(bias.type.lsb / finest)
        top, bottom, magnitude = (value * int(lsb / finest) for value in sums)
        sums = [top + own, bottom + own, magnitude + np.abs(own)]
        lsb = finest
    result = _result(node, sums[1], sums[0], lsb, _bits(sums[2]), kernel=kernel, bias=bias)
    return replace(result, accumulator=result.output)


def _conv(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    layer = node.layer
    if tuple(layer.dilation_rate) != (1, 1):
        raise ModelError(f"layer {node.name}: dilation 1 wanted, not {layer.dilation_rate}")
    if getattr(layer, "groups", 1) != 1:
        raise ModelError(f"layer {node.name}: 1 group wanted, not {layer.groups}")
    kernel = _constant(layer.kernel.numpy(), layer.kernel_quantizer_internal, f"{node.name} (kernel)")
    return _weighted(node, inputs, kernel, axes=3)


def _depthwise(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    layer = node.layer
    if tuple(layer.dilation_rate) != (1, 1):
        raise ModelError(f"layer {node.name}: dilation 1 wanted, not {layer.dilation_rate}")
    weights = layer.depthwise_kernel.numpy()
    kernel = _constant(weights, layer.depthwise_quantizer_internal, f"{node.name} (kernel)")
    return _weighted(node, inputs, kernel, axes=2)


def _dense(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    layer = node.layer
    kernel = _constant(layer.kernel.numpy(), layer.kernel_quantizer_internal, f"{node.name} (kernel)")
    return _weighted(node, inputs, kernel, axes=1)


def _batch_norm(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    import numpy as np

    from nonresnet_hls.quantization.fold import check_axis, is_scale, scale_and_offset

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
    up, shift = int(product / lsb), int(offset.type.lsb / lsb)
    ends = np.stack([source.low * scale.mantissas * up, source.high * scale.mantissas * up])
    own = offset.mantissas * shift
    return _result(
        node,
        ends.min(0) + own,
        ends.max(0) + own,
        lsb,
        _bits(np.abs(ends).max(0) + np.abs(own)),
        kernel=scale,
        bias=offset,
    )


def _activation(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    import numpy as np

    (source,) = inputs
    if node.kind in ("QActivation", "FixedPointActivation"):
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
        of_input = _bits(source.low, source.high) + (source.output.lsb / finest).numerator.bit_length() - 1
        of_output = own.width + (own.lsb / finest).numerator.bit_length() - 1
        return LayerArithmetic(node, own, low, high, max(of_input, of_output))
    applied = activations.of(node.layer)
    if applied.name == activations.LINEAR:
        return _same(node, inputs)
    if applied != activations.Activation(activations.RELU):
        wanted = "a plain ReLU" if node.kind == "ReLU" else "relu, linear or a QActivation"
        raise ModelError(f"layer {node.name}: {wanted} wanted, not {applied}")
    low, high = np.maximum(source.low, 0), np.maximum(source.high, 0)
    return _result(node, low, high, source.output.lsb, source.float_bits)


def _same(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    (source,) = inputs
    return LayerArithmetic(node, source.output, source.low, source.high, _bits(source.low, source.high))


def _padding(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    import numpy as np

    (source,) = inputs
    return LayerArithmetic(
        node, source.output, np.minimum(source.low, 0), np.maximum(source.high, 0), _bits(source.low, source.high)
    )


def _flatten(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    (source,) = inputs
    low, high = source.low.min(keepdims=True), source.high.max(keepdims=True)
    return LayerArithmetic(node, source.output, low, high, _bits(low, high))


def _up_sampling(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    if node.layer.interpolation != "nearest":
        raise ModelError(f"layer {node.name}: interpolation nearest wanted, not {node.layer.interpolation}")
    return _same(node, inputs)


def _max_pool(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    _no_padding(node)
    return _same(node, inputs)


def _no_padding(node: graph.Node) -> None:
    layer = node.layer
    if getattr(layer, "padding", "valid") == "same":
        size, step, shape = layer.pool_size, layer.strides, layer.input.shape[1:3]
        if any(s != p or n % p for s, p, n in zip(step, size, shape, strict=True)):
            raise ModelError(f"layer {node.name}: pooling without padding wanted")


def _add(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    import numpy as np

    if len(inputs) != 2:
        raise ModelError(f"layer {node.name}: a sum of 2 wanted, not of {len(inputs)}")
    if len({source.node.output_shape for source in inputs}) != 1:
        raise ModelError(f"layer {node.name}: summands of one shape wanted")
    lsb = min(source.output.lsb for source in inputs)
    scales = [int(source.output.lsb / lsb) for source in inputs]
    low = sum(source.low * scale for source, scale in zip(inputs, scales, strict=True))
    high = sum(source.high * scale for source, scale in zip(inputs, scales, strict=True))
    magnitude = sum(
        np.maximum(np.abs(source.low), np.abs(source.high)) * scale
        for source, scale in zip(inputs, scales, strict=True)
    )
    return _result(node, low, high, lsb, _bits(magnitude))


def _concatenate(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    import numpy as np

    if node.layer.axis not in (-1, len(node.output_shape)):
        raise ModelError(f"layer {node.name}: concatenation of channels wanted, not of axis {node.layer.axis}")
    lsb = min(source.output.lsb for source in inputs)
    lows = [np.broadcast_to(s.low * int(s.output.lsb / lsb), s.node.output_shape[-1:]) for s in inputs]
    highs = [np.broadcast_to(s.high * int(s.output.lsb / lsb), s.node.output_shape[-1:]) for s in inputs]
    low, high = np.concatenate(lows), np.concatenate(highs)
    return _result(node, low, high, lsb, _bits(low, high))


def _average_pool(node: graph.Node, inputs: list[LayerArithmetic]) -> LayerArithmetic:
    (source,) = inputs
    if node.kind == "GlobalAveragePooling2D":
        height, width = source.node.output_shape[:2]
    else:
        _no_padding(node)
        height, width = node.layer.pool_size
    count = height * width
    if count & (count - 1):
        raise ModelError(f"layer {node.name}: an average of 2^n pixels wanted, not of {height}x{width} = {count}")
    # The sum of `count` integers, read in a unit `count` times finer.
    lsb = source.output.lsb / count
    low, high = source.low * count, source.high * count
    result = _result(node, low, high, lsb, _bits(low, high))
    # hls4ml divides in the accumulator's type: it must hold the sum, and the quotient's last bit.
    accumulator = FixedPointType.covering(int(low.min()) * count * lsb, int(high.max()) * count * lsb, lsb)
    return replace(result, accumulator=accumulator)


_RULES = {
    "QConv2D": _conv,
    "QDepthwiseConv2D": _depthwise,
    "QDense": _dense,
    "BatchNormalization": _batch_norm,
    "QActivation": _activation,
    "FixedPointActivation": _activation,
    "Activation": _activation,
    "ReLU": _activation,
    "Add": _add,
    "Concatenate": _concatenate,
    "MaxPooling2D": _max_pool,
    "GlobalMaxPooling2D": _same,
    "AveragePooling2D": _average_pool,
    "GlobalAveragePooling2D": _average_pool,
    "ZeroPadding2D": _padding,
    "UpSampling2D": _up_sampling,
    "Flatten": _flatten,
    "Reshape": _flatten,
}


def quantized_constants(node: graph.Node) -> list[Any]:
    """The weights of a QKeras layer as its quantizers make them, in the order of `get_weights`.

    Raises:
        ModelError: a quantizer is missing or has no fixed-point twin.
    """
    import numpy as np

    layer = node.layer
    role = "depthwise" if node.kind == "QDepthwiseConv2D" else "kernel"
    kernel = getattr(layer, f"{role}_quantizer_internal")
    given = layer.get_weights()[0]
    constant = _constant(given, kernel, f"{node.name} (kernel)")
    values = [constant.values]
    if given.any() and not constant.mantissas.any():
        largest = float(np.abs(given).max())
        raise ModelError(
            f"layer {node.name} (kernel): a finer grid than {constant.type} wanted, on which all {given.size} weights"
            f" round to 0 (the largest is {largest:.3g}, the last bit {float(constant.type.lsb):.3g})"
        )
    if layer.use_bias:
        bias = layer.bias_quantizer_internal
        values.append(_constant(layer.get_weights()[1], bias, f"{node.name} (bias)").values)
    return values
