"""A quantized model computed sample by sample in Python's Fractions, as slowly and plainly as can be."""

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from math import exp, log, prod, tanh
from typing import Any

from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding
from nonresnet_hls.networks import graph

Pixel = tuple[int, ...]
Tensor = dict[Pixel, Fraction]
"""Values by index, without the sample's."""


def evaluate(model: Any, sample: Any) -> dict[str, Tensor]:
    """Every layer's output for one sample (an array without batch), by layer."""
    tensors: dict[str, Tensor] = {}
    for node in graph.nodes(model):
        if node.inputs:
            tensors[node.name] = _layer(node, [tensors[name] for name in node.inputs])
        else:
            tensors[node.name] = _tensor(sample)
        shape = node.output_shape
        assert set(tensors[node.name]) == set(product(*map(range, shape)))
    return tensors


def _tensor(array: Any) -> Tensor:
    return {index: Fraction(float(array[index])) for index in product(*map(range, array.shape))}


def _layer(node: graph.Node, inputs: list[Tensor]) -> Tensor:
    layer, x = node.layer, inputs[0]
    shape = tuple(layer.input.shape[1:]) if len(inputs) == 1 else ()
    out = list(product(*map(range, node.output_shape)))
    match node.kind:
        case "QConv2D" | "QDepthwiseConv2D":
            return _convolution(node, x, shape, out)
        case "QConv1D" | "QDepthwiseConv1D":
            return _convolution_1d(node, x, shape[0], out)
        case "QDense":
            kernel = _tensor(layer.get_weights()[0])
            bias = _bias(layer)
            return {
                i: sum((x[*i[:-1], k] * kernel[k, i[-1]] for k in range(shape[-1])), Fraction(0)) + bias.get(i[-1], 0)
                for i in out
            }
        case "BatchNormalization":
            gamma, beta, mean, variance = (_tensor(w) for w in layer.get_weights())
            assert set(mean.values()) == {0}
            assert set(variance.values()) == {1}
            return {i: x[i] * gamma[i[-1:]] + beta[i[-1:]] for i in out}
        case "QActivation":
            own = _type(layer.quantizer)
            return {i: own.quantize(x[i]) for i in out}
        case "ReLU":
            return {i: max(x[i], Fraction(0)) for i in out}
        case "Activation":
            return {i: max(x[i], Fraction(0)) if layer.activation.__name__ == "relu" else x[i] for i in out}
        case "LeakyReLU":
            slope = Fraction(float(layer.alpha))
            return {i: x[i] if x[i] > 0 else slope * x[i] for i in out}
        case "FixedPointTable":
            return {i: _looked_up(layer, x[i]) for i in out}
        case "Subtract":
            return {i: x[i] - inputs[1][i] for i in out}
        case "Multiply":
            return {i: x[i] * inputs[1][i] for i in out}
        case "Add":
            return {i: sum((y[i] for y in inputs), Fraction(0)) for i in out}
        case "Concatenate":
            return dict(zip(out, _joined(inputs, out), strict=True))
        case "MaxPooling1D" | "MaxPooling2D":
            return {i: max(_window(layer, x, i)) for i in out}
        case "AveragePooling1D" | "AveragePooling2D":
            return {i: sum(_window(layer, x, i)) / len(_window(layer, x, i)) for i in out}
        case "GlobalMaxPooling1D" | "GlobalMaxPooling2D":
            return {i: max(v for at, v in x.items() if at[-1] == i[-1]) for i in out}
        case "GlobalAveragePooling1D" | "GlobalAveragePooling2D":
            return {i: sum(v for at, v in x.items() if at[-1] == i[-1]) / prod(shape[:-1]) for i in out}
        case "ZeroPadding1D":
            return {i: x.get((i[0] - layer.padding[0], i[1]), Fraction(0)) for i in out}
        case "UpSampling1D":
            return {i: x[i[0] // layer.size, i[1]] for i in out}
        case "ZeroPadding2D":
            top, left = layer.padding[0][0], layer.padding[1][0]
            return {i: x.get((i[0] - top, i[1] - left, i[2]), Fraction(0)) for i in out}
        case "UpSampling2D":
            return {i: x[i[0] // layer.size[0], i[1] // layer.size[1], i[2]] for i in out}
        case "Flatten" | "Reshape":
            return dict(zip(out, (x[i] for i in product(*map(range, shape))), strict=True))
        case _:
            raise ValueError(f"layer {node.name}: {node.kind} is not among the layers that are computed here")


def _joined(inputs: list[Tensor], out: list[Pixel]) -> list[Fraction]:
    counts = [1 + max(i[-1] for i in x) for x in inputs]
    result = []
    for i in out:
        channel, number = i[-1], 0
        while channel >= counts[number]:
            channel, number = channel - counts[number], number + 1
        result.append(inputs[number][*i[:-1], channel])
    return result


def _window(layer: Any, x: Tensor, i: Pixel) -> list[Fraction]:
    """The numbers that a pooling layer sees; what lies beside the image is none."""
    ranges = []
    for d in range(len(i) - 1):
        size, step = layer.pool_size[d], layer.strides[d]
        length = 1 + max(at[d] for at in x)
        missing = max((-(-length // step) - 1) * step + size - length, 0)
        first = i[d] * step - (missing // 2 if layer.padding == "same" else 0)
        ranges.append(range(first, first + size))
    return [x[*at, i[-1]] for at in product(*ranges) if (*at, i[-1]) in x]


def _looked_up(layer: Any, x: Fraction) -> Fraction:
    span = {"tanh": 8}.get(layer.function, 16)
    scaled = x * layer.size / span
    index = (abs(scaled) // 1) * (1 if scaled >= 0 else -1) + layer.size // 2
    at = span * (min(max(index, 0), layer.size - 1) - layer.size // 2) / Fraction(layer.size)
    functions: dict[str, Callable[[float], float]] = {
        "sigmoid": lambda v: 1 / (1 + exp(-v)), "tanh": tanh, "softplus": lambda v: log(exp(v) + 1),
        "softsign": lambda v: v / (abs(v) + 1),
    }  # fmt: skip
    return Fraction(layer.type.quantize(Fraction(functions[layer.function](float(at)))))


def _bias(layer: Any) -> dict[int, Fraction]:
    return {k: Fraction(float(v)) for k, v in enumerate(layer.get_weights()[1])} if layer.use_bias else {}


def _convolution(node: graph.Node, x: Tensor, shape: tuple[int, ...], out: list[Pixel]) -> Tensor:
    layer = node.layer
    kernel, bias, (height, width) = _tensor(layer.get_weights()[0]), _bias(layer), layer.kernel_size
    offsets = []
    for d, size in enumerate((height, width)):
        # TensorFlow's "same": outputs = ceil(n / stride), what is missing is added half before and half behind.
        missing = max((node.output_shape[d] - 1) * layer.strides[d] + size - shape[d], 0)
        offsets.append(missing // 2 if layer.padding == "same" else 0)
    result = {}
    for i in out:
        total = bias.get(i[2], Fraction(0))
        for r, c in product(range(height), range(width)):
            at = (i[0] * layer.strides[0] + r - offsets[0], i[1] * layer.strides[1] + c - offsets[1])
            if node.kind == "QConv2D":
                for k in range(shape[2]):
                    total += x.get((*at, k), 0) * kernel[r, c, k, i[2]]
            else:
                channel, multiplier = divmod(i[2], layer.depth_multiplier)
                total += x.get((*at, channel), 0) * kernel[r, c, channel, multiplier]
        result[i] = total
    return result


def _convolution_1d(node: graph.Node, x: Tensor, length: int, out: list[Pixel]) -> Tensor:
    layer = node.layer
    kernel, bias, size, step = _tensor(layer.get_weights()[0]), _bias(layer), layer.kernel_size[0], layer.strides[0]
    missing = max((node.output_shape[0] - 1) * step + size - length, 0)
    offset = {"same": missing // 2, "causal": size - 1, "valid": 0}[layer.padding]
    result = {}
    for i in out:
        total = bias.get(i[1], Fraction(0))
        for r in range(size):
            for k in range(layer.input.shape[2]):
                weight = kernel[r, k, i[1]] if node.kind == "QConv1D" else kernel[r, k, 0] * (k == i[1])
                total += x.get((i[0] * step + r - offset, k), 0) * weight
        result[i] = total
    return result


def _type(quantizer: Any) -> FixedPointType:
    signed = type(quantizer).__name__ == "quantized_bits"
    integer = quantizer.integer + signed
    return FixedPointType(quantizer.bits, integer, signed, Rounding.RND_CONV, Overflow.SAT)
