"""A quantized Keras model evaluated without any rounding but its quantizers': the reference for wide sums.

Keras computes in float32, which rounds sums of more than 24 bits. Here every tensor is integers times a power of
two: in float64 as long as no sum of a layer needs more than 53 bits, in Python's integers above.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding
from nonresnet_hls.networks import activations
from nonresnet_hls.networks.padding import same_padding
from nonresnet_hls.quantization.ranges import LayerArithmetic, ModelArithmetic

_FLOAT64_BITS = 53
_CHUNK = 32  # samples at a time: a convolution's patches take 9 times the room of its input


def evaluate(arithmetic: ModelArithmetic, inputs: Any, layers: Iterable[str]) -> dict[str, Any]:
    """Values of some layers for a batch of inputs.

    Args:
        arithmetic: of the model, see `infer`.
        inputs: (samples, *input shape) values of the input's type, or a dict of them by input layer.
        layers: names of the layers whose outputs are wanted.

    Returns:
        (samples, *output shape) float64 by layer.

    Raises:
        ModelError: a wanted value does not fit into float64.
        FixedPointError: an input value is not one of its type.
    """
    import numpy as np

    wanted = list(layers)
    for name in wanted:
        if arithmetic.layers[name].output.width > _FLOAT64_BITS:
            raise ModelError(f"layer {name}: {arithmetic.layers[name].output} does not fit into float64")
    chunks: dict[str, list[Any]] = {name: [] for name in wanted}
    for chunk in _chunks(inputs):
        tensors: dict[str, Any] = {}
        for name, layer in arithmetic.layers.items():
            if layer.node.inputs:
                sources = [arithmetic.layers[source] for source in layer.node.inputs]
                tensors[name] = _evaluate(layer, sources, [tensors[source] for source in layer.node.inputs])
            else:
                values = chunk[name] if isinstance(chunk, dict) else chunk
                tensors[name] = layer.output.mantissas(values).astype(np.float64)
        for name in wanted:
            fraction_bits = arithmetic.layers[name].output.fraction_bits
            chunks[name].append(np.ldexp(tensors[name].astype(np.float64), -fraction_bits))
    return {name: np.concatenate(parts) for name, parts in chunks.items()}


def _chunks(inputs: Any) -> Iterator[Any]:
    length = len(next(iter(inputs.values()))) if isinstance(inputs, dict) else len(inputs)
    for start in range(0, length, _CHUNK):
        part = slice(start, start + _CHUNK)
        yield {name: x[part] for name, x in inputs.items()} if isinstance(inputs, dict) else inputs[part]


def _evaluate(layer: LayerArithmetic, sources: list[LayerArithmetic], inputs: list[Any]) -> Any:
    """Integers of one layer's output, in units of its type's last bit."""
    import numpy as np

    if layer.float_bits > _FLOAT64_BITS:
        inputs = [_as_integers(x) for x in inputs]
    shifts = [source.output.fraction_bits for source in sources]
    own = layer.output.fraction_bits
    keras = layer.node.layer
    x = inputs[0]
    match layer.node.kind:
        case "QConv1D" | "QConv2D" | "QDepthwiseConv1D" | "QDepthwiseConv2D" | "QDense":
            product = shifts[0] + layer.kernel.type.fraction_bits  # type: ignore[union-attr]
            sums = _scaled(_products(layer, x), own - product)
            return sums if layer.bias is None else sums + _bias(layer, own, like=x)
        case "BatchNormalization":
            product = shifts[0] + layer.kernel.type.fraction_bits  # type: ignore[union-attr]
            scale = _like(x, layer.kernel.mantissas)  # type: ignore[union-attr]
            return _scaled(x * scale, own - product) + _bias(layer, own, like=x)
        case "QActivation" | "FixedPointActivation":
            return requantize(x, shifts[0], layer.output)
        case "FixedPointTable":
            arguments = np.ldexp(x.astype(np.float64), -shifts[0])
            return np.array(keras.mantissas, np.float64)[keras.indices(arguments)]
        case "FixedPointElu":
            below = np.array(keras.mantissas, np.float64)[keras.indices(np.ldexp(x.astype(np.float64), -shifts[0]))]
            return np.where(x >= 0, requantize(np.maximum(x, 0), shifts[0], layer.output), below)
        case "PReLU":
            return _leaky(layer, x, shifts[0])
        case "ReLU" | "Activation" | "LeakyReLU":
            applied = activations.of(keras).name
            if applied == activations.LEAKY_RELU:
                return _leaky(layer, x, shifts[0])
            return np.maximum(x, 0) if applied == activations.RELU else x
        case "Add" | "Subtract":
            first, second = (_scaled(value, own - shift) for value, shift in zip(inputs, shifts, strict=True))
            return first + second if layer.node.kind == "Add" else first - second
        case "Maximum" | "Minimum":
            first, second = (_scaled(value, own - shift) for value, shift in zip(inputs, shifts, strict=True))
            return np.maximum(first, second) if layer.node.kind == "Maximum" else np.minimum(first, second)
        case "Multiply":
            return inputs[0] * inputs[1]
        case "Concatenate":
            parts = [_scaled(value, own - shift) for value, shift in zip(inputs, shifts, strict=True)]
            return np.concatenate(parts, axis=-1)
        case "MaxPooling1D" | "MaxPooling2D":
            return _pooled(keras, _beyond(keras, x), lambda windows: windows.max((-2, -1)))
        case "GlobalMaxPooling1D" | "GlobalMaxPooling2D":
            return _keepdims(keras, x.max(tuple(range(1, x.ndim - 1)), keepdims=True))
        case "AveragePooling1D" | "AveragePooling2D":
            count = math.prod(keras.pool_size)
            return _pooled(keras, x, lambda windows: _quotient(windows.sum((-2, -1)), own - shifts[0], count))
        case "GlobalAveragePooling1D" | "GlobalAveragePooling2D":
            sums = x.sum(tuple(range(1, x.ndim - 1)), keepdims=True)
            return _keepdims(keras, _quotient(sums, own - shifts[0], math.prod(x.shape[1:-1])))
        case "ZeroPadding1D":
            return np.pad(x, ((0, 0), keras.padding, (0, 0)))
        case "ZeroPadding2D":
            return np.pad(x, ((0, 0), *keras.padding, (0, 0)))
        case "UpSampling1D":
            return x.repeat(keras.size, 1)
        case "UpSampling2D":
            return x.repeat(keras.size[0], 1).repeat(keras.size[1], 2)
        case "Flatten" | "Reshape":
            return x.reshape(len(x), *layer.node.output_shape)
    raise ModelError(f"layer {layer.name}: {layer.node.kind} cannot be evaluated exactly")


def _leaky(layer: LayerArithmetic, x: Any, fraction_bits: int) -> Any:
    """A number itself above 0, below times a slope."""
    import numpy as np

    slope: Any = layer.slope
    own = layer.output.fraction_bits
    below = _scaled(x * _like(x, slope.mantissas), own - fraction_bits - slope.type.fraction_bits)
    return np.where(x > 0, _scaled(x, own - fraction_bits), below)


def _quotient(sums: Any, shift: int, count: int) -> Any:
    """Sums times 2**shift by a count, cut off towards 0, as `ap_fixed` divides."""
    import numpy as np

    if sums.dtype != object and float(np.abs(sums).max(initial=0)) * 2.0**shift >= 2.0**_FLOAT64_BITS:
        sums = _as_integers(sums)
    scaled = _scaled(sums, shift)
    if scaled.dtype == object:
        return np.where(scaled < 0, -(-scaled // count), scaled // count)
    return np.trunc(scaled / count)


def requantize(mantissas: Any, fraction_bits: int, target: FixedPointType) -> Any:
    """Integers with `fraction_bits` behind the point as the integers of another type (round to even, saturate).

    Works on float64 arrays of integers and on object arrays of Python integers.
    """
    import numpy as np

    if target.rounding is not Rounding.RND_CONV or target.overflow is not Overflow.SAT:
        raise ValueError(f"{target}: RND_CONV and SAT wanted")
    shift = fraction_bits - target.fraction_bits
    if shift <= 0:
        rounded = mantissas * 2**-shift
    elif mantissas.dtype == object:
        rounded = (mantissas + (2 ** (shift - 1) - 1) + ((mantissas >> shift) & 1)) >> shift
    else:
        rounded = np.rint(np.ldexp(mantissas, -shift))
    clipped = np.clip(rounded, target.min_mantissa, target.max_mantissa)
    return clipped.astype(np.float64)


def _as_integers(x: Any) -> Any:
    import numpy as np

    return x if x.dtype == object else np.frompyfunc(int, 1, 1)(x)


def _scaled(x: Any, shift: int) -> Any:
    """Times 2**shift; `shift` is never negative, since a result's unit is the finest of what is summed."""
    return x * 2**shift if x.dtype == object else x * 2.0**shift


def _like(x: Any, constants: Any) -> Any:
    """Constants as float64, or as Python integers (never NumPy's, which overflow) where x is made of these."""
    import numpy as np

    return _as_integers(constants) if x.dtype == object else constants.astype(np.float64)


def _bias(layer: LayerArithmetic, fraction_bits: int, like: Any) -> Any:
    bias = layer.bias
    return _scaled(_like(like, bias.mantissas), fraction_bits - bias.type.fraction_bits)  # type: ignore[union-attr]


def _products(layer: LayerArithmetic, x: Any) -> Any:
    import numpy as np

    kernel = _like(x, layer.kernel.mantissas)  # type: ignore[union-attr]
    if layer.node.kind == "QDense":
        return x @ kernel
    keras = layer.node.layer
    one_dimensional = layer.node.kind.endswith("1D")
    strides = tuple(keras.strides)
    if one_dimensional:  # an image of one row
        x, kernel, strides = x[:, None], kernel[None], (1, *strides[:1])
    rates = tuple(keras.dilation_rate)
    kernel = dilated(kernel, (1, *rates[:1]) if one_dimensional else rates)
    size = kernel.shape[:2]
    if keras.padding == "same":
        x = np.pad(x, ((0, 0), *same_padding(x.shape[1:3], size, strides), (0, 0)))
    elif keras.padding == "causal":
        x = np.pad(x, ((0, 0), (0, 0), (size[1] - 1, 0), (0, 0)))
    windows = _windows(x, size, strides)  # (samples, rows, columns, channels, height, width)
    if "Depthwise" in layer.node.kind:
        result = (windows[..., None] * kernel.transpose(2, 0, 1, 3)).sum((-3, -2))
        result = result.reshape(*result.shape[:3], -1)
    else:
        patches = windows.reshape(*windows.shape[:3], -1)
        result = patches @ kernel.transpose(2, 0, 1, 3).reshape(-1, kernel.shape[-1])
    return result[:, 0] if one_dimensional else result


def dilated(kernel: Any, rates: tuple[int, ...]) -> Any:
    """A kernel (rows, columns, ...) with the zeros between its weights that dilation puts there."""
    import numpy as np

    if set(rates) == {1}:
        return kernel
    sizes = [(size - 1) * rate + 1 for size, rate in zip(kernel.shape[:2], rates, strict=True)]
    wide = np.zeros((*sizes, *kernel.shape[2:]), kernel.dtype)
    wide[:: rates[0], :: rates[1]] = kernel
    return wide


def _beyond(keras: Any, x: Any) -> Any:
    """The input of a max pooling with what padding puts around it: less than any number."""
    import numpy as np

    if keras.padding != "same":
        return x
    pads = same_padding(x.shape[1:-1], keras.pool_size, keras.strides)
    return np.pad(x, ((0, 0), *pads, (0, 0)), constant_values=x.min(initial=0))


def _pooled(keras: Any, x: Any, reduce: Callable[[Any], Any]) -> Any:
    """A reduction of the windows of a pooling layer."""
    if x.ndim == 4:
        return reduce(_windows(x, keras.pool_size, keras.strides))
    return reduce(_windows(x[:, None], (1, *keras.pool_size), (1, *keras.strides)))[:, 0]


def _windows(x: Any, size: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    import numpy as np

    windows: Any = np.lib.stride_tricks.sliding_window_view(x, (size[0], size[1]), axis=(1, 2))  # type: ignore[call-overload]
    return windows[:, :: strides[0], :: strides[1]]


def _keepdims(keras: Any, x: Any) -> Any:
    """A global pooling's result, of which x has the axes of one pixel."""
    return x if keras.keepdims else x.reshape(len(x), x.shape[-1])
