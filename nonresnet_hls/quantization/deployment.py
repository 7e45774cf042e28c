"""Layers that hls4ml's streams do not compute, as others that they do: the same values, in every bit.

- a dilated convolution becomes one with a larger kernel, zeros between its weights;
- a depthwise convolution with several outputs a channel becomes an ordinary one, zeros for the other channels;
- a max pooling whose windows overlap, lie apart or reach beyond the image becomes maxima of neighbours (of which
  max(a, b) is a + relu(b - a)) and a pooling that does none of that;
- what works number by number is before a Flatten, not behind it.
"""

from collections.abc import Callable
from typing import Any

from nonresnet_hls import progress
from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding
from nonresnet_hls.networks import graph
from nonresnet_hls.networks.additions import Additions
from nonresnet_hls.networks.padding import same_padding
from nonresnet_hls.quantization.exact import dilated
from nonresnet_hls.quantization.flattening import flattened_last
from nonresnet_hls.quantization.ranges import Constant, LayerArithmetic, ModelArithmetic

_CONVOLUTIONS = ("QConv1D", "QConv2D", "QDepthwiseConv1D", "QDepthwiseConv2D")
_POOLS = ("MaxPooling1D", "MaxPooling2D")


def deployable(model: Any, arithmetic: ModelArithmetic) -> Any:
    """The same function of a finished model, of layers that can be converted; itself where it is so.

    What changes is said.

    Args:
        model: finished QKeras model.
        arithmetic: of it.

    Raises:
        ModelError: a layer behind a Flatten of several pixels that cannot be before it.
    """
    model = flattened_last(model)
    makers = {name: maker for name, layer in arithmetic.layers.items() if (maker := _maker(layer)) is not None}
    if not makers:
        return model
    additions = Additions(model)

    def replace(node: graph.Node, inputs: list[Any]) -> Any:
        if node.name not in makers:
            return graph.copied(node, inputs)
        layer = arithmetic.layers[node.name]
        told = str(makers[node.name].__doc__).rstrip(".")
        progress.say(f"layer {node.name}: {told[0].lower()}{told[1:]}")
        return makers[node.name](Parts(node, additions), layer, arithmetic.layers[node.inputs[0]], inputs[0])

    return additions.rebuilt(replace)


class Parts:
    """Makes the layers that stand for one."""

    def __init__(self, node: graph.Node, additions: Additions) -> None:
        self.node, self.additions = node, additions
        self.dimensions = node.kind[-2:]

    def named(self, suffix: str) -> str:
        """A name like that of the layer; its own where `suffix` is empty."""
        return self.additions.named(self.node.name + suffix) if suffix else self.node.name

    def convolution(
        self, kind: str, suffix: str, x: Any, kernel: Constant, values: Any, bias: Constant | None = None, **more: Any
    ) -> Any:
        """A convolution (`kind` without Q) with these values on the kernel's grid."""
        import qkeras

        from nonresnet_hls.networks import grids

        role = "depthwise" if kind.startswith("Depthwise") else "kernel"
        config = {
            f"{role}_quantizer": grids.FixedPoint(as_quantizer(kernel.type)),
            "use_bias": bias is not None,
            **more,
        }
        if bias is not None:
            config["bias_quantizer"] = grids.FixedPoint(as_quantizer(bias.type))
        own = kind == "DepthwiseConv1D"
        layer = (grids.QDepthwiseConv1D if own else getattr(qkeras, f"Q{kind}"))(name=self.named(suffix), **config)
        return self.additions.call(layer, x, [values] if bias is None else [values, bias.values])


_Maker = Callable[[Parts, LayerArithmetic, LayerArithmetic, Any], Any]


def _maker(layer: LayerArithmetic) -> _Maker | None:
    node = layer.node
    keras = node.layer
    if node.kind in _CONVOLUTIONS:
        if "Depthwise" in node.kind and keras.depth_multiplier != 1:
            return _spread
        # hls4ml's 1x1 depthwise convolution computes every pixel, whatever its strides.
        if "Depthwise" in node.kind and set(keras.kernel_size) == {1} != set(keras.strides):
            return _spread
        return _dilated if set(keras.dilation_rate) != {1} else None
    if node.kind in _POOLS:
        simple = tuple(keras.pool_size) == tuple(keras.strides) and not any(map(any, _pads(keras)))
        return None if simple else _pooled
    return None


def as_quantizer(kind: FixedPointType) -> str:
    """A type as our quantizers take it."""
    return str(FixedPointType(kind.width, kind.integer_bits, kind.signed, Rounding.RND_CONV, Overflow.SAT))


def _wide(layer: LayerArithmetic) -> Any:
    """The kernel's values with the zeros of its dilation."""
    keras, values = layer.node.layer, layer.kernel.values  # type: ignore[union-attr]
    if layer.node.kind.endswith("1D"):
        return dilated(values[None], (1, *keras.dilation_rate))[0]
    return dilated(values, tuple(keras.dilation_rate))


def _dilated(parts: Parts, layer: LayerArithmetic, _: LayerArithmetic, x: Any) -> Any:
    """A larger kernel, with zeros between its weights, stands for a dilated one."""
    keras, kernel = layer.node.layer, layer.kernel
    assert kernel is not None
    values = _wide(layer)
    more = {"kernel_size": values.shape[: x.shape.rank - 2], "strides": keras.strides, "padding": keras.padding}
    if "Depthwise" not in layer.node.kind:
        more["filters"] = keras.filters
    return parts.convolution(layer.node.kind[1:], "", x, kernel, values, layer.bias, **more)


def _spread(parts: Parts, layer: LayerArithmetic, _: LayerArithmetic, x: Any) -> Any:
    """An ordinary convolution, with zeros for the other channels, stands for a depthwise one."""
    import numpy as np

    keras, kernel = layer.node.layer, layer.kernel
    assert kernel is not None
    own = _wide(layer)
    channels, multiplier = own.shape[-2:]
    values = np.zeros((*own.shape[:-2], channels, channels * multiplier))
    for channel in range(channels):
        values[..., channel, channel * multiplier : (channel + 1) * multiplier] = own[..., channel, :]
    strides = keras.strides if parts.dimensions == "2D" else keras.strides[:1]
    return parts.convolution(
        f"Conv{parts.dimensions}", "", x, kernel, values, layer.bias, filters=channels * multiplier,
        kernel_size=own.shape[:-2], strides=strides, padding=keras.padding,
    )  # fmt: skip


def _pads(keras: Any) -> list[tuple[int, int]]:
    """Pixels that a pooling adds before and behind, on each axis."""
    shape = keras.input.shape[1:-1]
    if keras.padding != "same":
        return [(0, 0)] * len(shape)
    return same_padding(tuple(shape), tuple(keras.pool_size), tuple(keras.strides))


def _pooled(parts: Parts, layer: LayerArithmetic, source: LayerArithmetic, x: Any) -> Any:
    """Maxima of neighbours, and a pooling of tiles, stand for one whose windows are no tiles of the image."""
    from tensorflow import keras

    pool, kind = layer.node.layer, source.output
    pads, sizes, steps = _pads(pool), tuple(pool.pool_size), tuple(pool.strides)
    padded, lowest = any(map(any, pads)), int(source.low.min())
    shifted = padded and lowest < 0
    if shifted:  # so that the zeros of a padding are no greater than any number
        x = parts.additions.scaled(x, 1.0, float(-lowest * kind.lsb), parts.named("_raised"))
        kind = FixedPointType.covering(0, int(source.high.max() - lowest) * kind.lsb, kind.lsb)
    if padded:
        sides: Any = pads if parts.dimensions == "2D" else pads[0]
        x = getattr(keras.layers, f"ZeroPadding{parts.dimensions}")(sides, name=parts.named("_padded"))(x)
    tiled = all(size >= step for size, step in zip(sizes, steps, strict=True))
    found = [size - step + 1 if tiled else size for size, step in zip(sizes, steps, strict=True)]
    maxima = [(axis, shift) for axis, wanted in enumerate(found) for shift in _shifts(wanted)]
    ends_in_maximum = not shifted and set(steps) == {1}
    for number, (axis, shift) in enumerate(maxima, start=1):
        last = ends_in_maximum and number == len(maxima)
        x = _maximum(parts, x, axis, shift, kind, "" if last else "_maximum")
    end = "_low" if shifted else ""
    if set(steps) != {1} and tiled:
        x = getattr(keras.layers, f"MaxPooling{parts.dimensions}")(steps, name=parts.named(end))(x)
    elif set(steps) != {1}:
        x = _kept(parts, x, steps, end)
    return parts.additions.scaled(x, 1.0, float(lowest * source.output.lsb), parts.named("")) if shifted else x


def _shifts(wanted: int) -> list[int]:
    """By how many pixels neighbours are shifted, one after the other, for the maximum of so many in a row.

    >>> _shifts(1), _shifts(2), _shifts(7)
    ([], [1], [1, 2, 3])
    """
    found, covered = [], 1
    while covered < wanted:
        found.append(min(covered, wanted - covered))
        covered += found[-1]
    return found


def _one(*values: float) -> tuple[Constant, Any]:
    """Weights of -1, 0 and 1, and their grid."""
    import numpy as np

    kind = FixedPointType(2, 2, True, Rounding.RND_CONV, Overflow.SAT)
    array = np.array(values)
    return Constant(array.astype(np.int64), kind), array


def _kept(parts: Parts, x: Any, steps: tuple[int, ...], suffix: str) -> Any:
    """Pixels so many steps apart."""
    import numpy as np

    channels = int(x.shape[-1])
    kernel, _ = _one(1.0)
    values = np.eye(channels).reshape((1,) * len(steps) + (channels, channels))
    return parts.convolution(
        f"Conv{parts.dimensions}", suffix, x, kernel, values, filters=channels, kernel_size=1, strides=steps
    )


def _each(parts: Parts, x: Any, axis: int, weights: tuple[float, ...], suffix: str) -> Any:
    """A convolution along an axis with the same weights for each channel."""
    import numpy as np

    kernel, values = _one(*weights)
    dimensions = int(parts.dimensions[0])
    size = [1] * dimensions
    size[axis] = len(weights)
    shaped = np.broadcast_to(values.reshape(*size, 1, 1), (*size, int(x.shape[-1]), 1))
    kind = f"DepthwiseConv{parts.dimensions}"
    return parts.convolution(kind, suffix, x, kernel, shaped, kernel_size=tuple(size), padding="valid")


def _maximum(parts: Parts, x: Any, axis: int, shift: int, kind: FixedPointType, suffix: str) -> Any:
    """The greater of each number and of that `shift` pixels further on, both of a type, which it stays."""
    from tensorflow import keras

    from nonresnet_hls.networks import grids

    between = (0.0,) * (shift - 1)
    first = _each(parts, x, axis, (1.0, *between, 0.0), "_here")
    more = _each(parts, x, axis, (-1.0, *between, 1.0), "_more")
    more = keras.layers.ReLU(name=parts.named("_rise"))(more)
    most = keras.layers.Add(name=parts.named("_most"))([first, more])
    return grids.FixedPointActivation(as_quantizer(kind), name=parts.named(suffix))(most)
