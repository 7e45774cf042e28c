"""Random QKeras models with quantizers of their own, and a bound on what is lost when they are taken.

Weights are drawn on a grid fine enough to round on every quantizer's, and coarse enough for float32: then Keras' own
outputs are exact up to 24 bits, and the bound is 0 but behind batch norms, which are put on a grid.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import qkeras
from tensorflow import keras

from nonresnet_hls.networks import graph
from nonresnet_hls.networks.fold import scale_and_offset
from nonresnet_hls.quantization.ranges import FLOAT32_BITS, LayerArithmetic, ModelArithmetic
from tests.quantization.faithful import Pick, _apply, _plain

layers = keras.layers

_WEIGHT_LSB = 2.0**-17
_ROUNDING = 2.0**-FLOAT32_BITS
"""Of one float32 operation, as a share of the largest number in it."""


def model(pick: Pick) -> Any:
    """A functional QKeras model of layers and quantizers that the front end takes, and of some that it must refuse."""
    image = x = keras.Input((pick([4, 6, 8]), pick([4, 6, 8]), pick([1, 2, 3])), name="x")
    odd = pick(range(3)) == 0
    for _ in range(pick([1, 2, 3, 4])):
        x = pick([_convolved, _convolved, _convolved, _block, _block, _moved, _normed])(pick, x, odd)
    if pick((False, True)):
        x = pick([layers.Flatten, layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D])()(x)
        if pick((False, True)):
            x = _activation(pick, x, odd)
        x = _dense(pick, x, odd)
    made = keras.Model(image, x, name="random")
    _set_weights(pick, made)
    return made


def _written(pick: Pick, quantizer: Any) -> Any:
    """A quantizer as object or as text: QKeras takes both."""
    return str(quantizer) if pick((False, True)) else quantizer


def _kernel(pick: Pick, odd: bool) -> Any:
    if odd and pick(range(6)) == 0:
        return pick([
            lambda: None, lambda: qkeras.quantized_bits(4, 0), lambda: qkeras.quantized_bits(4, 0, alpha="auto"),
            lambda: qkeras.quantized_bits(4, 0, alpha="auto_po2"), lambda: qkeras.quantized_bits(4, 0, alpha=0.5),
            lambda: qkeras.quantized_bits(4, 0, 1, alpha=2.0), lambda: qkeras.quantized_bits(1, 0, alpha=1),
            lambda: qkeras.quantized_bits(4, 0, alpha=1, use_stochastic_rounding=True),
            lambda: qkeras.quantized_bits(4, 0, alpha=1, qnoise_factor=0.5),
            lambda: qkeras.quantized_bits(4.5, 0, alpha=1), lambda: qkeras.quantized_bits(4, 0.5, alpha=1),
            lambda: qkeras.quantized_bits(4, 1, alpha=0.25),
            lambda: qkeras.quantized_bits(5, 0, symmetric=2, alpha=1),
            qkeras.binary, lambda: qkeras.binary(alpha=0.5), lambda: qkeras.binary(use_01=True, alpha=1),
            qkeras.ternary, lambda: qkeras.ternary(alpha=1), lambda: qkeras.quantized_po2(4),
            lambda: qkeras.stochastic_binary(alpha=1), lambda: qkeras.quantized_relu(4, 0), lambda: "quantized_tanh(4)",
        ])()  # fmt: skip
    if pick(range(5)) == 0:
        return _written(pick, qkeras.binary(alpha=1))
    bits = pick([2, 3, 4, 5, 6, 8, 12, 16])
    signed = pick(range(6)) > 0
    return _written(
        pick,
        qkeras.quantized_bits(bits, pick([0, 0, 0, 1, 2]), pick((0, 0, 1)), keep_negative=signed, alpha=pick((1, 1.0))),
    )


def _bias(pick: Pick, odd: bool) -> Any:
    if odd and pick(range(6)) == 0:
        return pick([
            lambda: None, lambda: qkeras.quantized_bits(8, 1, alpha="auto_po2"), lambda: qkeras.quantized_po2(4),
            lambda: qkeras.quantized_bits(8, 1, use_stochastic_rounding=True), lambda: qkeras.ternary(),
        ])()  # fmt: skip
    if pick(range(8)) == 0:
        return _written(pick, qkeras.binary(alpha=pick((None, 1))))
    bits, symmetric, signed = pick([4, 8, 16]), pick((0, 0, 1)), pick(range(6)) > 0
    alpha = pick((None, 1))
    return _written(pick, qkeras.quantized_bits(bits, pick([0, 1, 2]), symmetric, keep_negative=signed, alpha=alpha))


def _activation(pick: Pick, x: Any, odd: bool) -> Any:
    if odd and pick(range(6)) == 0:
        quantizer = pick([
            lambda: qkeras.quantized_bits(4, 1, symmetric=1), lambda: qkeras.quantized_bits(4, 1, alpha="auto_po2"),
            lambda: qkeras.quantized_relu(4, 1, negative_slope=0.25), lambda: qkeras.quantized_relu(4, 1, 1),
            lambda: qkeras.quantized_relu(4, 2, relu_upper_bound=1.5, is_quantized_clip=False),
            lambda: qkeras.quantized_relu(4, 2, relu_upper_bound=1.5), lambda: qkeras.quantized_bits(1, 0),
            lambda: qkeras.quantized_relu(4, 1, use_stochastic_rounding=True), lambda: "quantized_tanh(4)",
            lambda: qkeras.quantized_tanh(4), lambda: qkeras.quantized_sigmoid(4), lambda: qkeras.quantized_po2(4),
            lambda: qkeras.quantized_relu_po2(4), lambda: qkeras.quantized_hswish(6, 2), lambda: qkeras.binary(alpha=1),
            lambda: qkeras.ternary(alpha=1), lambda: "hard_tanh", lambda: "relu", lambda: "tanh",
        ])()  # fmt: skip
        return qkeras.QActivation(quantizer)(x)
    if pick(range(8)) == 0:
        return pick([layers.ReLU, lambda: layers.Activation("relu"), lambda: layers.Activation("linear")])()(x)
    bits, integer = pick([1, 2, 3, 4, 6, 8, 16]), pick([0, 1, 2, 3])
    if pick((False, True)):
        unclipped = pick(range(6)) == 0  # which changes gradients alone
        quantizer = qkeras.quantized_relu(bits, integer, is_quantized_clip=not unclipped)
    else:
        signed = bits > 1 and pick(range(6)) > 0
        quantizer = qkeras.quantized_bits(bits, integer, 0, keep_negative=signed, alpha=pick((None, 1)))
    return qkeras.QActivation(_written(pick, quantizer))(x)


def _convolved(pick: Pick, x: Any, odd: bool) -> Any:
    x = _conv(pick, x, odd)
    if pick(range(4)) == 0:
        x = layers.BatchNormalization()(x)
    return _activation(pick, x, odd) if pick(range(5)) else x


def _conv(pick: Pick, x: Any, odd: bool, same: bool = False) -> Any:
    size = min(pick([1, 2, 3]), x.shape[1], x.shape[2])
    options: dict[str, Any] = {"padding": "same" if same else pick(["same", "valid"]), "use_bias": pick((False, True))}
    if options["use_bias"]:
        options["bias_quantizer"] = _bias(pick, odd)
    if odd and pick(range(12)) == 0:
        options["activation"] = pick(["quantized_relu(4,2)", "relu", qkeras.quantized_bits(4, 1)])
    if pick(range(4)) == 0:
        quantizer = _kernel(pick, odd)
        return qkeras.QDepthwiseConv2D(size, depthwise_quantizer=quantizer, **options)(x)
    if not same:
        options["strides"] = pick([1, 1, 2])
    if odd and pick(range(12)) == 0 and x.shape[1] > 2 * size < x.shape[2]:
        options |= {"dilation_rate": 2, "strides": 1}
    filters = x.shape[-1] if same else pick([1, 2, 3, 4])
    return qkeras.QConv2D(filters, size, kernel_quantizer=_kernel(pick, odd), **options)(x)


def _dense(pick: Pick, x: Any, odd: bool) -> Any:
    bias = {"use_bias": False} if pick((False, True)) else {"bias_quantizer": _bias(pick, odd)}
    return qkeras.QDense(3, kernel_quantizer=_kernel(pick, odd), **bias)(x)


def _block(pick: Pick, x: Any, odd: bool) -> Any:
    y = _activation(pick, _conv(pick, x, odd, same=True), odd)
    join = pick([layers.Add] * 4 + [layers.Concatenate] * 2 + [layers.Multiply] * odd)
    joined = join()([y, x])
    return _activation(pick, joined, odd) if pick(range(4)) else joined


def _moved(pick: Pick, x: Any, odd: bool) -> Any:
    kinds: list[Callable[[], Any]] = [
        lambda: layers.MaxPooling2D(2), lambda: layers.AveragePooling2D(2), lambda: layers.ZeroPadding2D(1),
        lambda: layers.UpSampling2D(2), lambda: layers.MaxPooling2D((2, 1)),
        lambda: layers.Reshape((x.shape[2], x.shape[1], x.shape[3])),
    ]  # fmt: skip
    if odd:
        kinds += [lambda: layers.Dropout(0.5), lambda: qkeras.QAveragePooling2D(2), lambda: layers.Conv2D(2, 1)]
        kinds += [lambda: qkeras.QBatchNormalization(), lambda: layers.Softmax(), lambda: layers.LeakyReLU()]
    return pick(kinds)()(x) if min(x.shape[1:3]) >= 2 else x


def _normed(pick: Pick, x: Any, _odd: bool) -> Any:
    return layers.BatchNormalization(scale=pick((False, True)), center=pick((False, True)))(x)


def _set_weights(pick: Pick, model: Any) -> None:
    rng = np.random.default_rng(pick(range(1 << 32)))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            size = layer.moving_mean.shape[0]
            own = [rng.uniform(0.3, 2, size)] * layer.scale + [rng.normal(0, 0.5, size)] * layer.center
            layer.set_weights([*own, rng.normal(0, 0.5, size), rng.uniform(0.3, 2, size)])
        elif layer.get_weights():
            # Half of them on a coarse grid, so that many lie in the middle between two values of their quantizer.
            lsb = _WEIGHT_LSB if rng.random() < 0.5 else 2.0**-5
            made = [rng.normal(0, 2.0 ** rng.integers(-4, 1), weight.shape) for weight in layer.get_weights()]
            layer.set_weights([np.clip(np.rint(values / lsb) * lsb, -7, 7) for values in made])


def bound(model: Any, values: dict[str, Any], taken: Any, arithmetic: ModelArithmetic) -> dict[str, Any]:
    """How far each output of each layer may be from Keras' own.

    Args:
        model: the QKeras model.
        values: what Keras makes of the samples, by layer.
        taken: the model as it was taken.
        arithmetic: of it.

    Returns:
        By layer; 0 where nothing that Keras computes rounds and no batch norm is put on a grid.
    """
    errors: dict[str, Any] = {}
    for node in graph.nodes(taken):
        layer = arithmetic.layers[node.name]
        if not node.inputs:
            errors[node.name] = np.zeros_like(values[node.name], np.float64)
            continue
        sources = [errors[name] for name in node.inputs]
        if node.kind in ("QConv2D", "QDepthwiseConv2D", "QDense"):
            of = model.get_layer(node.name)
            spread = _apply(node, np.abs(layer.kernel.values), sources[0])
            if layer.bias is not None and getattr(of.bias_quantizer_internal, "alpha", 1) is None:
                spread = spread + _ROUNDING * 2  # binary without alpha is tanh(x) + (sign(x) - tanh(x))
            spread = spread + _lost(layer, layer.kernel.mantissas.size + 2)
        elif node.kind == "BatchNormalization":
            own = model.get_layer(node.name)
            scale, offset = scale_and_offset(own)
            x = np.abs(values[node.inputs[0]])
            spread = np.abs(layer.kernel.values) * sources[0] + np.abs(layer.kernel.values - scale) * x
            spread = spread + np.abs(layer.bias.values - offset)
            if (spread > 0).any():  # what Keras itself rounds: mean, variance, product, sum
                beta = np.abs(own.beta.numpy()) if own.center else 0.0
                size = (x + np.abs(own.moving_mean.numpy())) * np.abs(scale) + np.abs(offset) + beta
                spread = spread + 8 * _ROUNDING * size
        elif node.kind == "QActivation":
            # Two numbers on either side of the middle between two values go apart by one last bit.
            finest = min(layer.output.lsb, arithmetic.layers[node.inputs[0]].output.lsb)
            # An average that was cut off, less than a last bit below Keras' own, is rounded to the same.
            healed = layer.heals and (sources[0] <= float(arithmetic.layers[node.inputs[0]].output.lsb)).all()
            before = (np.zeros_like(sources[0]) if healed else sources[0]) + _lost(layer, 2, finest)
            spread = before + (before > 0) * float(layer.output.lsb)
        else:
            spread = _plain(graph.copy_layer(node.layer), sources) + _lost(layer, 64)
            if "AveragePooling" in node.kind and layer.cut is not None:  # a quotient that Keras has more bits of
                spread = spread + float(layer.output.lsb)
        errors[node.name] = spread
    return errors


def _lost(layer: LayerArithmetic, operations: int, unit: Fraction | None = None) -> float:
    """What Keras' float32 may lose in a layer: nothing, where all numbers fit."""
    if layer.exact_in_keras:
        return 0.0
    return operations * _ROUNDING * 2.0**layer.float_bits * float(layer.output.lsb if unit is None else unit)
