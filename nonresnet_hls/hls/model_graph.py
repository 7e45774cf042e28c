"""Reads an hls4ml `ModelGraph` (io_stream, after the Vivado backend's flows) into plain layers.

The only module of the engine that knows hls4ml's attributes. What it cannot take it refuses, naming the layer.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nonresnet_hls import one_keras
from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed import tables
from nonresnet_hls.fixed.arithmetic import Affine, Cast, Chain, Positive, Wire
from nonresnet_hls.fixed.network import (
    Clone,
    Elementwise,
    Layer,
    Matrix,
    Merge,
    MergeOperation,
    Network,
    Pad,
    Pool,
    Reduction,
    Repeat,
    Stream,
    Window,
)
from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding
from nonresnet_hls.hls import fidelity, functions
from nonresnet_hls.hls.reuse import reads_beyond


def read(model: Any) -> Network:
    """The network of a `ModelGraph` that was converted with `io_type="io_stream"`.

    Raises:
        ConversionError: a layer, type or option that the engine does not build; names the layer.
    """
    if model.config.get_config_value("IOType") != "io_stream":
        raise ConversionError("OpenRTL: io_type='io_stream' wanted, not 'io_parallel'")
    keras_model = fidelity.model_of(model)
    if keras_model is not None and one_keras.has_keras2():  # hls4ml has another parser for Keras 3
        fidelity.refuse(keras_model)
        fidelity.check_weights(keras_model)
        fidelity.check_shapes(keras_model, model)
    streams: dict[str, Stream] = {}
    layers: list[Layer] = []
    alias: dict[str, str] = {}
    for node in model.get_layers():
        inputs = tuple(alias.get(name, name) for name in node.inputs)
        if node.class_name == "Reshape" and _is_inplace(node):
            alias[node.outputs[0]] = inputs[0]
            continue
        for output in node.outputs:
            streams[output] = _stream(node, output)
        if node.class_name in ("Input", "InputLayer"):
            continue
        builder = _BUILDERS.get(node.class_name)
        if node.class_name == "Repack" and _alike(streams[inputs[0]], streams[node.outputs[0]]):
            alias[node.outputs[0]] = inputs[0]  # other sizes of the same words
            continue
        if node.class_name == "Repack":
            name = node.name.removeprefix("repack_")
            raise ConversionError(f"layer {name!r}: OpenRTL builds a flatten before dense layers, no other reshape")
        if builder is None:
            known = ", ".join(sorted(_BUILDERS))
            raise ConversionError(f"layer {node.name!r}: {node.class_name} is no layer that OpenRTL builds ({known})")
        layers.append(builder(node, inputs, tuple(node.outputs), streams))
        _refuse_other_words(layers[-1], streams)
    return Network(
        model.config.get_project_name(),
        streams,
        tuple(layers),
        tuple(name for name in model.inputs),
        tuple(alias.get(name, name) for name in model.outputs),
    )


def _alike(one: Stream, other: Stream) -> bool:
    """Whether two streams carry the same words."""
    return (one.words, one.channels, one.kind) == (other.words, other.channels, other.kind)


def _refuse_other_words(layer: Layer, streams: dict[str, Stream]) -> None:
    """Behind a flatten, only dense layers read the words as they were before it."""
    alike = isinstance(layer, Elementwise | Clone | Merge)
    if alike and not (isinstance(layer, Merge) and layer.operation is MergeOperation.CONCATENATE):
        source = streams[layer.inputs[0]]
        for target in (streams[name] for name in layer.outputs):
            if (source.words, source.channels) != (target.words, target.channels):
                raise ConversionError(
                    f"layer {layer.name!r}: {target.words} words of {target.channels} numbers wanted as its input, not"
                    f" {source.words} of {source.channels}: OpenRTL builds a flatten before dense layers alone"
                )


def _is_inplace(node: Any) -> bool:
    from hls4ml.model.types import InplaceTensorVariable

    return isinstance(node.get_output_variable(), InplaceTensorVariable)


def _stream(node: Any, output: str) -> Stream:
    variable = node.get_output_variable(output)
    shape = [int(size) for size in variable.shape]
    pragma = variable.pragma
    depth = int(pragma[1]) if isinstance(pragma, tuple) and pragma[0] == "stream" else 1
    words = int(np.prod(shape[:-1]))
    kind = _kind(node, variable.type.precision, f"result {output!r}")
    return Stream(output, shape[-1], words, kind, depth, str(variable.name))


def _kind(node: Any, precision: Any, what: str) -> FixedPointType:
    """A type of hls4ml's as ours."""
    from hls4ml.model.types import FixedPrecisionType, IntegerPrecisionType

    if isinstance(precision, IntegerPrecisionType):
        return FixedPointType(precision.width, precision.width, signed=bool(precision.signed))
    if not isinstance(precision, FixedPrecisionType):
        raise ConversionError(f"layer {node.name!r}: {what}: a fixed-point type wanted, not {precision}")
    rounding, overflow = _mode(precision.rounding_mode, "TRN"), _mode(precision.saturation_mode, "WRAP")
    if rounding not in list(Rounding) or overflow not in list(Overflow):
        raise ConversionError(
            f"layer {node.name!r}: {what}: a rounding and overflow of ap_fixed wanted, not {precision}"
        )
    return FixedPointType(
        int(precision.width),
        int(precision.integer),
        signed=bool(precision.signed),
        rounding=Rounding(rounding),
        overflow=Overflow(overflow),
    )


def _mode(mode: Any, default: str) -> str:
    return default if mode is None else str(getattr(mode, "name", mode))


def _result(node: Any, output: str) -> FixedPointType:
    return _kind(node, node.get_output_variable(output).type.precision, "result")


def _weights(node: Any, name: str) -> tuple[npt.NDArray[np.object_], FixedPointType, bool]:
    """Integers of a weight tensor (shape as in hls4ml), their type, and whether they are +-1 in one bit.

    hls4ml writes weights as decimal text and its C++ casts what it reads: so do we.
    """
    from hls4ml.model.types import ExponentPrecisionType, XnorPrecisionType

    variable = node.weights[name]
    precision = variable.type.precision
    if isinstance(precision, ExponentPrecisionType):
        raise ConversionError(f"layer {node.name!r}: {name}: a fixed-point type wanted, not powers of two")
    numbers = [float(text) for text in variable]
    if isinstance(precision, XnorPrecisionType):
        signs = np.array([1 if number else -1 for number in numbers], dtype=object)
        return signs.reshape(variable.data.shape), FixedPointType(2, 2), True
    kind = _kind(node, precision, name)
    integers = np.array(tables.all_quantized(numbers, kind), dtype=object)
    return integers.reshape(variable.data.shape), kind, False


def _pad(node: Any, inputs: tuple[str, ...], outputs: tuple[str, ...], _: dict[str, Stream]) -> Layer:
    height, top, bottom = 1, 0, 0
    if node.class_name == "ZeroPadding2D":
        height, top, bottom = (int(node.get_attr(key)) for key in ("in_height", "pad_top", "pad_bottom"))
    width, left, right = (int(node.get_attr(key)) for key in ("in_width", "pad_left", "pad_right"))
    return Pad(node.name, inputs, outputs, height, width, top, bottom, left, right)


def _resize(node: Any, inputs: tuple[str, ...], outputs: tuple[str, ...], streams: dict[str, Stream]) -> Layer:
    algorithm = str(node.get_attr("algorithm", "nearest"))
    if algorithm != "nearest":
        raise ConversionError(f"layer {node.name!r}: OpenRTL builds up-sampling nearest, not {algorithm}")
    height, width, high, wide = (
        int(node.get_attr(key)) for key in ("in_height", "in_width", "out_height", "out_width")
    )
    if high % height or wide % width:
        wanted = f"an image of a multiple of {height} x {width} pixels"
        raise ConversionError(f"layer {node.name!r}: {wanted} wanted, not {high} x {wide}")
    before, after = streams[inputs[0]].kind, _result(node, outputs[0])
    if before != after:
        raise ConversionError(f"layer {node.name!r}: a result of its input's type {before} wanted, not {after}")
    return Repeat(node.name, inputs, outputs, height, width, high // height, wide // width)


def _clone(node: Any, inputs: tuple[str, ...], outputs: tuple[str, ...], _: dict[str, Stream]) -> Layer:
    return Clone(node.name, inputs, outputs)


def _window(node: Any, kernel: str) -> Window:
    """`kernel` is how hls4ml calls the window: `filt` or `pool`."""
    one_dimensional = node.class_name.endswith("1D")

    def size(key: str) -> int:
        return int(node.get_attr(key))

    for side in ("left", "right") if one_dimensional else ("left", "right", "top", "bottom"):
        if node.get_attr(f"pad_{side}", 0) != 0:
            raise ConversionError(f"layer {node.name!r}: padding {side} must be a layer of its own in a stream")
    width = size("n_in") if node.class_name.startswith("Pooling1D") else size("in_width")
    if one_dimensional:
        return Window(1, width, 1, size(f"{kernel}_width"), 1, size("stride_width"))
    window = Window(
        size("in_height"),
        width,
        size(f"{kernel}_height"),
        size(f"{kernel}_width"),
        size("stride_height"),
        size("stride_width"),
    )
    encoded = str(node.get_attr("implementation", "")).lower() == "encoded"
    if encoded and kernel == "filt" and window.kernel_height != window.kernel_width:
        wanted = f"ConvImplementation LineBuffer wanted for a kernel of {window.kernel_height}x{window.kernel_width}"
        raise ConversionError(f"layer {node.name!r}: {wanted}, not Encoded")
    if window.kernel_height > 1 and window.width < 2:
        raise ConversionError(f"layer {node.name!r}: an image of at least 2 columns wanted, not {window.width}")
    return window


def _matrix(node: Any, inputs: tuple[str, ...], outputs: tuple[str, ...], streams: dict[str, Stream]) -> Layer:
    integers, kind, binary = _weights(node, "weight")
    source = streams[inputs[0]]
    window = None if node.class_name == "Dense" else _window(node, "filt")
    channels = source.channels
    if node.get_attr("_weights_transposed", False):  # resource strategy: outputs first
        integers = np.moveaxis(integers, 0, -1)
    depthwise = node.class_name.startswith("Depthwise")
    kernel = _depthwise_kernel(integers, channels) if depthwise else integers.reshape(-1, integers.shape[-1])
    pixels = 1 if window is None else window.kernel_height * window.kernel_width
    expected = (source.words if window is None else pixels) * channels
    if kernel.shape[0] != expected:
        raise ConversionError(f"layer {node.name!r}: weights for {expected} inputs wanted, not {kernel.shape[0]}")
    _refuse_binary_input(node)
    factor = max(1, int(node.get_attr("reuse_factor", 1)))
    resource = str(node.get_attr("strategy", "")).lower() == "resource"
    if resource and not depthwise and reads_beyond(expected, kernel.shape[1], factor, depthwise):
        wanted = f"a reuse factor that divides its {kernel.size} products wanted, not {factor}"
        raise ConversionError(f"layer {node.name!r}: {wanted}: hls4ml's C++ reads beyond the weights")
    bias, bias_kind, _ = _weights(node, "bias")
    accumulator = _kind(node, node.get_attr("accum_t").precision, "accumulator")
    fraction = source.kind.fraction_bits + (0 if binary else kind.fraction_bits)
    drop = max(0, fraction - accumulator.fraction_bits)
    if drop and accumulator.rounding is not Rounding.TRN:
        raise ConversionError(
            f"layer {node.name!r}: an accumulator with at least {fraction} fraction bits, or one that truncates,"
            f" wanted, not {accumulator}"
        )
    chain = _sum_chain(node, kernel, source.kind, drop, fraction, bias, bias_kind, accumulator)
    return Matrix(
        node.name,
        inputs,
        outputs,
        window,
        kernel.astype(np.int64),
        1 if binary else kind.width,
        0 if binary else kind.fraction_bits,
        binary,
        (*chain, Cast(_result(node, outputs[0]))),
        drop,
        1 if depthwise else factor,
        depthwise=depthwise,
    )


def _refuse_binary_input(node: Any) -> None:
    from hls4ml.model.types import XnorPrecisionType

    if isinstance(node.get_input_variable().type.precision, XnorPrecisionType):
        raise ConversionError(f"layer {node.name!r}: OpenRTL builds no products of +-1 inputs")


def _sum_chain(
    node: Any,
    kernel: npt.NDArray[np.object_],
    source: FixedPointType,
    drop: int,
    fraction: int,
    bias: npt.NDArray[np.object_],
    bias_kind: FixedPointType,
    accumulator: FixedPointType,
) -> Chain:
    """Bias and accumulator, applied to the exact sum of the products.

    hls4ml starts with the bias cast to the accumulator and casts after every addition. With a wrapping
    accumulator that equals one cast of the whole sum; with a saturating one only where nothing can saturate.
    """
    fraction -= drop
    start = Cast(accumulator).kind
    unit = accumulator.lsb
    bias_values = [start.quantize(int(value) * bias_kind.lsb) for value in bias.reshape(-1)]
    integers = tuple(int(value / unit) for value in bias_values)
    if accumulator.overflow is not Overflow.WRAP:
        largest = max(-source.min_mantissa, source.max_mantissa)
        for column in range(kernel.shape[1]):
            most = int(sum(abs(int(weight)) for weight in kernel[:, column])) * largest
            most = (most << (accumulator.fraction_bits - fraction)) + abs(integers[column]) + kernel.shape[0]
            if most > accumulator.max_mantissa:
                wanted = "an accumulator that wraps, or is wide enough for any sum,"
                raise ConversionError(f"layer {node.name!r}: {wanted} wanted, not {accumulator}")
    return (Affine((1,), 0, integers, accumulator.fraction_bits), Cast(accumulator))


def _depthwise_kernel(integers: npt.NDArray[np.object_], channels: int) -> npt.NDArray[np.object_]:
    """A depthwise kernel as a matrix: (pixels * channels) x channels, zero off the diagonals."""
    flat = integers.reshape(-1, channels)
    kernel = np.zeros((flat.shape[0], channels, channels), dtype=object)
    for channel in range(channels):
        kernel[:, channel, channel] = flat[:, channel]
    return kernel.reshape(-1, channels)


def _powers_of_two(node: Any, name: str, source: FixedPointType) -> tuple[npt.NDArray[np.object_], FixedPointType]:
    """Integers of a tensor that hls4ml keeps as signs and exponents, and a type that holds them.

    Its C++ shifts in a type of twice the bits of number and exponent: nothing is lost as long as the exponents lie
    within their own width.
    """
    variable = node.weights[name]
    pairs = [tuple(float(part) for part in text.strip("{}").split(",")) for text in variable]
    exponents = [int(exponent) for _, exponent in pairs]
    width = int(variable.type.precision.width)
    room = width + source.width
    low, high = min(exponents), max(exponents)
    if source.fraction_bits - low > room or source.integer_bits + high > room:
        raise ConversionError(
            f"layer {node.name!r}: {name}: exponents of fewer than {width} bits wanted, not {low}..{high}"
        )
    integers = [(1 if sign == 1 else -1) << (e - low) for (sign, _), e in zip(pairs, exponents, strict=True)]
    return np.array(integers, dtype=object), FixedPointType(high - low + 2, high + 2)


def _batch_normalization(
    node: Any, inputs: tuple[str, ...], outputs: tuple[str, ...], streams: dict[str, Stream]
) -> Layer:
    from hls4ml.model.types import ExponentPrecisionType

    if isinstance(node.weights["scale"].type.precision, ExponentPrecisionType):
        scale, scale_kind = _powers_of_two(node, "scale", streams[inputs[0]].kind)
        binary = False
    else:
        scale, scale_kind, binary = _weights(node, "scale")
    bias, bias_kind, _ = _weights(node, "bias")
    channels = streams[inputs[0]].channels
    _refuse_binary_input(node)
    if scale.size not in (1, channels):
        raise ConversionError(f"layer {node.name!r}: one scale a channel ({channels}) wanted, not {scale.size}")
    affine = Affine(
        tuple(int(value) for value in scale.reshape(-1)),
        0 if binary else scale_kind.fraction_bits,
        tuple(int(value) for value in bias.reshape(-1)),
        bias_kind.fraction_bits,
    )
    return Elementwise(node.name, inputs, outputs, (affine, Cast(_result(node, outputs[0]))))


def _activation(node: Any, inputs: tuple[str, ...], outputs: tuple[str, ...], _: dict[str, Stream]) -> Layer:
    function = _FUNCTIONS.get(str(node.get_attr("activation")).lower(), str(node.get_attr("activation")).lower())
    chain = _chain(node, function)
    return Elementwise(node.name, inputs, outputs, (*chain, Cast(_result(node, outputs[0]))))


_FUNCTIONS = {"leakyrelu": "leaky_relu", "thresholdedrelu": "thresholded_relu"}
"""How hls4ml's parser calls functions, where its C++ does otherwise."""


def _chain(node: Any, function: str) -> Chain:
    """What an activation makes of a number, before it is cast to the result's type."""

    def kind(name: str) -> FixedPointType:
        return _kind(node, node.get_attr(name).precision, name)

    def parameter() -> int:
        return tables.quantized(float(node.get_attr("activ_param")), kind("param_t"))

    if function == "linear":
        return ()
    if function == "relu":
        return (Positive(),)
    if function in functions.CENTRED:
        return functions.centred(function, int(node.get_attr("table_size")), kind("table_t"))
    if function == "leaky_relu":
        return functions.leaky_relu(parameter(), kind("param_t"))
    if function == "thresholded_relu":
        return functions.thresholded_relu(parameter(), kind("param_t"))
    if function == "elu":
        return functions.elu(parameter(), kind("param_t"), int(node.get_attr("table_size")), kind("table_t"))
    if function in ("hard_sigmoid", "hard_tanh"):
        slope, shift = (
            (tables.quantized(float(node.get_attr(name)), kind(f"{name}_t")), kind(f"{name}_t"))
            for name in ("slope", "shift")
        )
        return functions.hard(function, slope, shift)
    known = ", ".join(("linear", "relu", "leaky_relu", "thresholded_relu", "elu", "hard_sigmoid", *functions.CENTRED))
    raise ConversionError(f"layer {node.name!r}: {function} is no activation that OpenRTL builds ({known})")


def _pool(node: Any, inputs: tuple[str, ...], outputs: tuple[str, ...], streams: dict[str, Stream]) -> Layer:
    operation = str(node.get_attr("pool_op"))
    reduction = {"Max": Reduction.MAXIMUM, "Average": Reduction.AVERAGE}.get(operation)
    if reduction is None:
        raise ConversionError(f"layer {node.name!r}: pooling Max or Average wanted, not {operation}")
    accumulator = _kind(node, node.get_attr("accum_t").precision, "accumulator")
    if node.class_name.startswith("GlobalPooling"):
        window, divisor = None, streams[inputs[0]].words
    else:
        window = _window(node, "pool")
        size, steps = (window.kernel_height, window.kernel_width), (window.stride_height, window.stride_width)
        if size != steps:
            why = "hls4ml's C++, which is simulated beside it, has an assertion against it"
            raise ConversionError(f"layer {node.name!r}: strides {size} as the pool's size wanted, not {steps}; {why}")
        divisor = window.kernel_height * window.kernel_width
    if reduction is Reduction.AVERAGE and accumulator.overflow is not Overflow.WRAP:
        # Each sum is cast: only where nothing can saturate are they those of one cast in the end.
        source = Cast(accumulator).range(Wire.of(streams[inputs[0]].kind), 0)
        if divisor * max(-source.low, source.high) > accumulator.max_mantissa:
            wanted = "an accumulator that wraps, or is wide enough for any sum,"
            raise ConversionError(f"layer {node.name!r}: {wanted} wanted, not {accumulator}")
    return Pool(node.name, inputs, outputs, window, reduction, divisor, accumulator, _result(node, outputs[0]))


def _merge(node: Any, inputs: tuple[str, ...], outputs: tuple[str, ...], streams: dict[str, Stream]) -> Layer:
    operation = str(node.get_attr("op", "")).lower()
    if node.class_name == "Concatenate":
        operation = "concatenate"
        axis, rank = int(node.get_attr("axis", -1)), len(node.get_input_variable(node.inputs[0]).shape)
        if axis not in (-1, rank):
            raise ConversionError(f"layer {node.name!r}: concatenation of channels wanted, not of axis {axis}")
    try:
        kind = MergeOperation(operation)
    except ValueError:
        known = ", ".join(MergeOperation)
        raise ConversionError(f"layer {node.name!r}: OpenRTL builds {known}, not {operation}") from None
    if len(inputs) != 2:
        raise ConversionError(f"layer {node.name!r}: 2 inputs wanted, not {len(inputs)}")
    left, right = (streams[name] for name in inputs)
    if left.words != right.words or (kind is not MergeOperation.CONCATENATE and left.channels != right.channels):
        raise ConversionError(f"layer {node.name!r}: two inputs of one shape wanted; OpenRTL builds no broadcast")
    extreme = kind in (MergeOperation.MAXIMUM, MergeOperation.MINIMUM)
    if extreme and (left.kind.width, left.kind.integer_bits, left.kind.signed) != (
        right.kind.width,
        right.kind.integer_bits,
        right.kind.signed,
    ):
        raise ConversionError(f"layer {node.name!r}: two inputs of one type wanted, not {left.kind} and {right.kind}")
    return Merge(node.name, inputs, outputs, kind, _result(node, outputs[0]))


_Builder = Callable[[Any, tuple[str, ...], tuple[str, ...], dict[str, Stream]], Layer]
_BUILDERS: dict[str, _Builder] = {
    "Activation": _activation,
    "HardActivation": _activation,
    "ParametrizedActivation": _activation,
    "ApplyAlpha": _batch_normalization,
    "BatchNormalization": _batch_normalization,
    "Clone": _clone,
    "Concatenate": _merge,
    "Conv1D": _matrix,
    "Conv2D": _matrix,
    "Dense": _matrix,
    "DepthwiseConv1D": _matrix,
    "DepthwiseConv2D": _matrix,
    "GlobalPooling1D": _pool,
    "GlobalPooling2D": _pool,
    "Merge": _merge,
    "PointwiseConv1D": _matrix,
    "PointwiseConv2D": _matrix,
    "Pooling1D": _pool,
    "Pooling2D": _pool,
    "Resize": _resize,
    "ZeroPadding1D": _pad,
    "ZeroPadding2D": _pad,
}
