"""What is known of the values of a layer before it sees any: their type, their bounds, what they need in Keras.

Interval arithmetic on integers: each tensor is a power of two times integers between two bounds per channel.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointError, FixedPointType
from nonresnet_hls.networks import graph
from nonresnet_hls.quantization import quantizers

FLOAT32_BITS = 24
"""Integers of this many bits, and so all sums of them that stay within, are exact in Keras' float32."""

_MAX_CONSTANT_BITS = 24
_MOST_BITS = 62


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
    slope: Constant | None = None
    """Below 0; leaky ReLUs only."""
    cut: int | None = None
    """Of an average over other than 2^n pixels, which is cut off where Keras has more bits: the fraction bits up to
    which a quantizer rounds both to the same. None of values that are not cut."""
    heals: bool = False
    """Whether the layer rounds cut values, and Keras' to the same."""

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

    def inexact(self) -> Mapping[str, str]:
        """Why the values of a layer may be others in Keras' float32, by layer; those that are missing are the same."""
        found: dict[str, str] = {}
        cut: set[str] = set()
        for name, layer in self.layers.items():
            before = [found[source] for source in layer.node.inputs if source in found and source not in cut]
            reads_cut = [source for source in layer.node.inputs if source in cut]
            if before:
                found[name] = before[0]
            elif not layer.exact_in_keras:
                needs = f"layer {name} needs {layer.float_bits}"
                found[name] = f"Keras' float32 holds {FLOAT32_BITS} bits, {needs}"
            elif layer.cut is not None:
                found[name] = found[reads_cut[0]] if reads_cut else f"Keras has more bits of averages than layer {name}"
                cut.add(name)
            elif reads_cut and not layer.heals:
                found[name] = found[reads_cut[0]]
        return found

    def first_inexact(self) -> LayerArithmetic | None:
        """The first layer whose sums are too wide for Keras' float32; None where there is none."""
        return next((layer for layer in self.layers.values() if not layer.exact_in_keras), None)


def array(*values: int) -> Any:
    """int64."""
    import numpy as np

    return np.array(values, dtype=np.int64)


def bits(*magnitudes: Any) -> int:
    """Bits of the largest of some integers, without sign."""
    import numpy as np

    return max(int(np.abs(m).max()).bit_length() for m in magnitudes)


def times(values: Any, factors: Any) -> Any:
    """Product of integers, which must not overflow.

    Raises:
        FixedPointError: it needs more than 61 bits.
    """
    import numpy as np

    # Python's own integers: a scalar factor may have more bits than any array holds.
    most = int(np.max(np.abs(values))) * int(np.max(np.abs(factors)))
    if most >= 1 << (_MOST_BITS - 1):
        raise FixedPointError(f"a number of more than {_MOST_BITS - 1} bits")
    if not most:
        return np.zeros(np.broadcast_shapes(np.shape(values), np.shape(factors)), np.int64)
    return values * factors


def result(node: graph.Node, low: Any, high: Any, lsb: Fraction, float_bits: int, **more: Any) -> LayerArithmetic:
    """A layer whose result is just wide enough for its bounds."""
    output = FixedPointType.covering(int(low.min()) * lsb, int(high.max()) * lsb, lsb)
    if output.width > _MOST_BITS:
        raise FixedPointError(f"a sum of {output.width} bits; at most {_MOST_BITS} wanted")
    return LayerArithmetic(node, output, low, high, float_bits, **more)


def constant(values: Any, quantizer: Any, where: str) -> Constant:
    """Weights as a quantizer makes them.

    Raises:
        ModelError: there is no quantizer, or it has no fixed-point twin.
    """
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


def quantized_constants(node: graph.Node) -> list[Any]:
    """The weights of a QKeras layer as its quantizers make them, in the order of `get_weights`.

    Raises:
        ModelError: a quantizer is missing or has no fixed-point twin.
    """
    import numpy as np

    layer = node.layer
    role = "depthwise" if "Depthwise" in node.kind else "kernel"
    quantizer = getattr(layer, f"{role}_quantizer_internal")
    given = layer.get_weights()[0]
    kernel = constant(given, quantizer, f"{node.name} (kernel)")
    values = [kernel.values]
    if given.any() and not kernel.mantissas.any():
        largest = float(np.abs(given).max())
        raise ModelError(
            f"layer {node.name} (kernel): a finer grid than {kernel.type} wanted, on which all {given.size} weights"
            f" round to 0 (the largest is {largest:.3g}, the last bit {float(kernel.type.lsb):.3g})"
        )
    if layer.use_bias:
        bias = layer.bias_quantizer_internal
        values.append(constant(layer.get_weights()[1], bias, f"{node.name} (bias)").values)
    return values
