"""Keras objects of our own for grids that QKeras cannot express: those with a negative number of integer bits.

QKeras' quantizers compute 2^integer in integers, which fails below 0 (and their `alpha` scales the result without
scaling what is rounded), so weights that are all smaller than 1/2 would lose bits. These two take any fixed-point type.

This module imports Keras; import it inside functions.
"""

from typing import Any

import tensorflow as tf
from tensorflow import keras

from nonresnet_hls.fixed.types import FixedPointType, Overflow, Rounding

_PACKAGE = "nonresnet_hls"


def _round_to(of: FixedPointType, x: Any) -> Any:
    """The nearest value of the type, exactly; for gradients it is x itself."""
    lsb = float(of.lsb)
    mantissas = tf.clip_by_value(tf.round(x / lsb), float(of.min_mantissa), float(of.max_mantissa))
    # Not x + (rounded - x), which float32 would round where x is finer than the type.
    return tf.stop_gradient(mantissas * lsb) + (x - tf.stop_gradient(x))


def _wanted(text: str) -> FixedPointType:
    of = FixedPointType.parse(text)
    if of.rounding is not Rounding.RND_CONV or of.overflow is not Overflow.SAT:
        raise ValueError(f"type: RND_CONV and SAT wanted, not {text!r}")
    return of


@keras.saving.register_keras_serializable(package=_PACKAGE)
class FixedPoint:
    """Quantizer of weights: rounds to the nearest value of a fixed-point type, ties to even, and saturates."""

    def __init__(self, type: str) -> None:
        """`type` as text, with RND_CONV and SAT."""
        self.type = _wanted(type)
        self.bits = self.type.width

    def max(self) -> float:
        """The greatest value, which QKeras asks for when it builds a layer."""
        return float(self.type.max)

    def min(self) -> float:
        """The least value."""
        return float(self.type.min)

    def __call__(self, x: Any) -> Any:
        """Quantize a tensor."""
        return _round_to(self.type, tf.cast(x, keras.backend.floatx()))

    def get_config(self) -> dict[str, Any]:
        """What `from_config` takes."""
        return {"type": str(self.type)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FixedPoint":
        """The inverse of `get_config`."""
        return cls(**config)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class FixedPointActivation(keras.layers.Layer):  # type: ignore[misc]
    """Activation layer that rounds to the nearest value of a fixed-point type; an unsigned one is a ReLU."""

    def __init__(self, type: str, **more: Any) -> None:
        """`type` as text, with RND_CONV and SAT."""
        super().__init__(**more)
        self.quantizer = FixedPoint(type)

    def call(self, inputs: Any) -> Any:
        """Quantize a tensor; beyond the bounds the gradient is 0."""
        of = self.quantizer.type
        return self.quantizer(tf.clip_by_value(inputs, float(of.min), float(of.max)))

    def get_config(self) -> dict[str, Any]:
        """What Keras restores the layer from."""
        return {**super().get_config(), **self.quantizer.get_config()}
