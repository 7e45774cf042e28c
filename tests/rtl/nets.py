"""Small QKeras networks, drawn at random, converted by hls4ml with every type wide enough to be exact."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding
from nonresnet_hls.recipe import Multipliers, Padding, RtlOptions, Skips, WeightMemory

SIZE = 6

ROUNDINGS = tuple(Rounding)
OVERFLOWS = tuple(Overflow)
"""What the engine builds."""


@dataclass
class Drawn:
    """A network on its way: the tensor, its type, and the types given to hls4ml."""

    tensor: Any
    kind: FixedPointType
    height: int
    channels: int
    types: dict[str, dict[str, str]] = field(default_factory=dict)
    reuse: dict[str, int] = field(default_factory=dict)


def draw_options(rng: np.random.Generator) -> RtlOptions:
    """All that the engine is left to choose, at random."""
    return RtlOptions(
        adders_per_stage=int(rng.integers(1, 4)),
        most_thresholds=int(rng.integers(0, 5)),
        multipliers=Multipliers(rng.choice(list(Multipliers))),
        weights=WeightMemory(rng.choice(list(WeightMemory))),
        padding=Padding(rng.choice(list(Padding))),
        skips=Skips(rng.choice(list(Skips))),
    )


def draw(rng: np.random.Generator, directory: Path, backend: str = "OpenRTL") -> Any:
    """A random streaming network of images as `ModelGraph`, not yet compiled."""
    from tensorflow import keras

    channels = int(rng.integers(1, 4))
    image = keras.Input((SIZE, SIZE, channels), name="image")
    net = _begin(image, rng, SIZE, channels)
    for number in range(int(rng.integers(1, 4))):
        _grow(net, rng, f"l{number}")
    if rng.integers(2):
        _finish(net, rng)
    return _converted(image, net, rng, directory, backend)


def draw_dense(rng: np.random.Generator, directory: Path) -> Any:
    """A random network of one word an image: dense layers and joins of them."""
    from tensorflow import keras

    count = int(rng.integers(2, 6))
    line = keras.Input((count,), name="image")
    net = _begin(line, rng, 1, count)
    for number in range(int(rng.integers(2, 5))):
        before, kind, width = net.tensor, net.kind, net.channels
        join = rng.integers(2)
        for part in range(int(rng.integers(1, 3))):
            _dense(net, rng, f"l{number}_{part}", width if join else int(rng.integers(2, 6)))
            _activate(net, rng, f"l{number}_{part}_act")
        if join:
            _add(net, f"l{number}_add", before, kind)
            _activate(net, rng, f"l{number}_act")
    return _converted(line, net, rng, directory, "OpenRTL")


def _begin(image: Any, rng: np.random.Generator, height: int, channels: int) -> Drawn:
    bits = int(rng.integers(1, 5))
    kind = FixedPointType(bits, int(rng.integers(0, bits + 1)), signed=bool(rng.integers(2)) and bits > 1)
    return Drawn(image, kind, height, channels, {"image": {"result": str(kind)}})


def _converted(image: Any, net: Drawn, rng: np.random.Generator, directory: Path, backend: str) -> Any:
    import hls4ml
    from tensorflow import keras

    model = keras.Model(image, net.tensor)
    _set_weights(model, rng)
    config: dict[str, Any] = {
        "Model": {"Precision": {"default": "fixed<40,20>"}, "ReuseFactor": 1, "Strategy": "Latency"},
        "LayerName": {
            name: {"Precision": types, "ReuseFactor": net.reuse.get(name, 1)} for name, types in net.types.items()
        },
    }
    return hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(directory), backend=backend, io_type="io_stream"
    )


def _grow(net: Drawn, rng: np.random.Generator, name: str) -> None:
    """One more layer, or a residual pair of branches."""
    choice = rng.integers(5)
    if choice == 0 and net.height >= 4:
        _pool(net, rng, name)
    elif choice == 1:
        before, kind = net.tensor, net.kind
        _convolve(net, rng, f"{name}_a", 1, net.channels)
        _add(net, f"{name}_add", before, kind)
        _activate(net, rng, f"{name}_act")
    elif choice == 2:
        before, kind = net.tensor, net.kind
        _convolve(net, rng, f"{name}_a", 1)
        long, long_kind, channels = net.tensor, net.kind, net.channels
        net.tensor, net.kind, net.channels = before, kind, int(before.shape[-1])
        _convolve(net, rng, f"{name}_b", 1, channels, size=1)
        _add(net, f"{name}_add", long, long_kind)
        _activate(net, rng, f"{name}_act")
    else:
        _convolve(net, rng, f"{name}_a", int(rng.integers(1, 3)))
        if rng.integers(2):
            _normalize(net, rng, f"{name}_bn")
        _activate(net, rng, f"{name}_act")


def _convolve(
    net: Drawn, rng: np.random.Generator, name: str, stride: int, filters: int | None = None, size: int | None = None
) -> None:
    import qkeras

    filters = filters or int(rng.integers(1, 5))
    size = size or int(rng.choice([1, 2, 3]))
    weight_bits = int(rng.choice([1, 2, 4, 6]))
    depthwise = weight_bits > 1 and filters == net.channels and stride == 1 and rng.integers(3) == 0
    quantizer = qkeras.binary(alpha=1) if weight_bits == 1 else qkeras.quantized_bits(weight_bits, 0, alpha=1)
    padding = "same" if stride == 1 or rng.integers(2) else "valid"
    options = {"strides": stride, "padding": padding, "use_bias": False, "name": name}
    if depthwise:
        layer: Any = qkeras.QDepthwiseConv2D(size, depthwise_quantizer=quantizer, **options)
    else:
        layer = qkeras.QConv2D(filters, size, kernel_quantizer=quantizer, **options)
    net.tensor = layer(net.tensor)
    net.height = int(net.tensor.shape[1])
    fraction = net.kind.fraction_bits + (0 if weight_bits == 1 else weight_bits - 1)
    inputs = size * size * (1 if depthwise else net.channels)
    width = net.kind.width + weight_bits + 1 + inputs.bit_length()
    result = FixedPointType(width, width - fraction)
    weight = "uint<1>" if weight_bits == 1 else f"fixed<{weight_bits},1>"
    precision = {"result": str(result), "accum": str(result), "bias": "fixed<2,2>", "weight": weight}
    if depthwise:
        precision["depthwise"] = precision.pop("weight")
    net.types[name] = precision
    net.types[f"{name}_linear"] = {"result": str(result)}
    if not depthwise and rng.integers(2):
        net.reuse[name] = int(rng.integers(2, 9))
    net.channels = net.channels if depthwise else filters
    net.kind = result


def _normalize(net: Drawn, rng: np.random.Generator, name: str) -> None:
    from tensorflow import keras

    net.tensor = keras.layers.BatchNormalization(epsilon=0, name=name)(net.tensor)
    result = FixedPointType(net.kind.width + 8, net.kind.integer_bits + 3)
    net.types[name] = {"result": str(result), "scale": "fixed<6,2>", "bias": "fixed<7,4>"}
    net.kind = result
    del rng


def _activate(net: Drawn, rng: np.random.Generator, name: str) -> None:
    import qkeras

    bits = int(rng.integers(1, 6))
    integer = int(rng.integers(0, bits + 1))
    net.tensor = qkeras.QActivation(qkeras.quantized_relu(bits, integer), name=name)(net.tensor)
    rounding, overflow = Rounding(rng.choice(ROUNDINGS)), Overflow(rng.choice(OVERFLOWS))
    net.kind = FixedPointType(bits, integer, signed=False, rounding=rounding, overflow=overflow)
    net.types[name] = {"result": str(net.kind)}


def _add(net: Drawn, name: str, other: Any, other_kind: FixedPointType) -> None:
    from tensorflow import keras

    net.tensor = keras.layers.Add(name=name)([net.tensor, other])
    fraction = max(net.kind.fraction_bits, other_kind.fraction_bits)
    integer = max(net.kind.integer_bits, other_kind.integer_bits) + 2
    net.kind = FixedPointType(integer + fraction, integer)
    net.types[name] = {"result": str(net.kind)}


def _pool(net: Drawn, rng: np.random.Generator, name: str) -> None:
    from tensorflow import keras

    kind = FixedPointType(net.kind.width + 6, net.kind.integer_bits + 3)
    layer = keras.layers.MaxPooling2D if rng.integers(2) else keras.layers.AveragePooling2D
    net.tensor = layer(2, name=name)(net.tensor)
    net.height = int(net.tensor.shape[1])
    net.kind = kind
    net.types[name] = {"result": str(kind), "accum": str(kind)}


def _finish(net: Drawn, rng: np.random.Generator) -> None:
    """Global pooling or flattening, then a dense layer."""
    from tensorflow import keras

    if rng.integers(2):
        kind = FixedPointType(net.kind.width + 16, net.kind.integer_bits + 8)
        net.tensor = keras.layers.GlobalAveragePooling2D(name="pool")(net.tensor)
        net.types["pool"] = {"result": str(kind), "accum": str(kind)}
        net.kind = kind
    else:
        net.tensor = keras.layers.Flatten(name="flat")(net.tensor)
    _dense(net, rng, "dense", 3)


def _dense(net: Drawn, rng: np.random.Generator, name: str, units: int) -> None:
    import qkeras

    inputs = int(net.tensor.shape[-1])
    kernel, bias = qkeras.quantized_bits(4, 0, alpha=1), qkeras.quantized_bits(4, 1, alpha=1)
    net.tensor = qkeras.QDense(units, kernel_quantizer=kernel, bias_quantizer=bias, name=name)(net.tensor)
    width = net.kind.width + 6 + inputs.bit_length()
    result = FixedPointType(width, width - net.kind.fraction_bits - 3)
    net.types[name] = {"result": str(result), "accum": str(result), "weight": "fixed<4,1>", "bias": "fixed<4,2>"}
    net.types[f"{name}_linear"] = {"result": str(result)}
    if rng.integers(2):
        net.reuse[name] = int(rng.integers(2, 7))
    net.kind, net.channels = result, units


def _set_weights(model: Any, rng: np.random.Generator) -> None:
    from tensorflow import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.gamma.shape[0]
            gamma, beta = rng.integers(-20, 20, count) / 16, rng.integers(-40, 40, count) / 8
            layer.set_weights([gamma, beta, np.zeros(count), np.ones(count)])
        else:
            layer.set_weights([rng.normal(0, 0.6, weights.shape) for weights in layer.get_weights()])
