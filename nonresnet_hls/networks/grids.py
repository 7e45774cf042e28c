"""Keras objects of our own for what QKeras cannot express: grids with a negative number of integer bits, tables.

QKeras' quantizers compute 2^integer in integers, which fails below 0 (and their `alpha` scales the result without
scaling what is rounded), so weights that are all smaller than 1/2 would lose bits. These take any fixed-point type.

This module imports Keras; import it inside functions.
"""

from typing import Any

import numpy as np
import qkeras
import tensorflow as tf
from tensorflow import keras

from nonresnet_hls.fixed import tables
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


TABLES = {"sigmoid": 16, "tanh": 8, "softplus": 16, "softsign": 16}
"""Functions that hls4ml looks up in a table, and the span of their arguments, around 0."""


@keras.saving.register_keras_serializable(package=_PACKAGE)
class FixedPointTable(keras.layers.Layer):  # type: ignore[misc]
    """Activation layer that looks a function up in a table, as hls4ml's C++ does: values of a fixed-point type."""

    def __init__(self, function: str, size: int, type: str, **more: Any) -> None:
        """One of `TABLES`, entries (a power of two), and the type of the results as text."""
        super().__init__(**more)
        if function not in TABLES or size < 2 or size & (size - 1) or size > 1 << 16:
            wanted = f"one of {', '.join(TABLES)} with 2^n entries, at most {1 << 16},"
            raise ValueError(f"table: {wanted} wanted, not {function!r} with {size}")
        self.function, self.size, self.type = function, size, _wanted(type)
        self.mantissas = tables.centred(function, size, self.type)
        self.float_function = keras.activations.get(function)

    def indices(self, values: Any) -> Any:
        """Where arguments (float64 array) are looked up: cut off towards 0, within the table."""
        scaled = np.trunc(np.asarray(values, np.float64) * self.size / TABLES[self.function])
        return np.clip(scaled + self.size // 2, 0, self.size - 1).astype(np.int64)

    def call(self, inputs: Any) -> Any:
        """Look a tensor up; the gradient is the function's."""
        scale = self.size / TABLES[self.function]
        limit = float(self.size)  # beyond which there is nothing but the ends
        at = tf.cast(tf.clip_by_value(inputs * scale, -limit, limit), tf.int32) + self.size // 2
        values = tf.constant(np.ldexp(np.array(self.mantissas, np.float64), -self.type.fraction_bits), inputs.dtype)
        found = tf.gather(values, tf.clip_by_value(at, 0, self.size - 1))
        smooth = self.float_function(inputs)
        return tf.stop_gradient(found) + (smooth - tf.stop_gradient(smooth))

    def get_config(self) -> dict[str, Any]:
        """What Keras restores the layer from."""
        return {**super().get_config(), "function": self.function, "size": self.size, "type": str(self.type)}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class FixedPointElu(keras.layers.Layer):  # type: ignore[misc]
    """ELU as hls4ml's C++ computes it: a number itself, below 0 alpha times an entry of a table of exp(x) - 1."""

    span = 8
    """The table goes from 0 down to -8."""

    def __init__(self, alpha: float, size: int, type: str, **more: Any) -> None:
        """Alpha, entries (a power of two), and the type of the results and of the table as text."""
        super().__init__(**more)
        if not alpha > 0 or size < 2 or size & (size - 1) or size > 1 << 16:
            raise ValueError(
                f"elu: alpha above 0 and 2^n entries, at most {1 << 16}, wanted, not {alpha!r} with {size}"
            )
        self.alpha, self.size, self.type = alpha, size, _wanted(type)
        self.mantissas = tables.scaled_elu(alpha, size, self.type)

    def indices(self, values: Any) -> Any:
        """Where arguments below 0 (float64 array) are looked up: cut off towards 0, within the table."""
        scaled = np.trunc(np.asarray(values, np.float64) * self.size / -self.span)
        return np.clip(scaled, 0, self.size - 1).astype(np.int64)

    def call(self, inputs: Any) -> Any:
        """Look a tensor up where it is below 0; the gradient is that of ELU."""
        limit = float(self.size)
        at = tf.cast(tf.clip_by_value(inputs * (self.size / -self.span), 0.0, limit), tf.int32)
        values = tf.constant(np.ldexp(np.array(self.mantissas, np.float64), -self.type.fraction_bits), inputs.dtype)
        below = tf.gather(values, tf.clip_by_value(at, 0, self.size - 1))
        found = tf.where(inputs >= 0, _round_to(self.type, inputs), below)
        smooth = keras.activations.elu(inputs, self.alpha)
        return tf.stop_gradient(found) + (smooth - tf.stop_gradient(smooth))

    def get_config(self) -> dict[str, Any]:
        """What Keras restores the layer from."""
        return {**super().get_config(), "alpha": self.alpha, "size": self.size, "type": str(self.type)}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class QDepthwiseConv1D(keras.layers.DepthwiseConv1D):  # type: ignore[misc]
    """Depthwise convolution in one dimension with quantized weights; QKeras has none."""

    def __init__(self, *sizes: Any, depthwise_quantizer: Any = None, bias_quantizer: Any = None, **more: Any) -> None:
        """Keras' arguments, and the quantizers as objects or as Keras writes them down."""
        super().__init__(*sizes, **more)
        self.depthwise_quantizer_internal = _restored(depthwise_quantizer)
        self.bias_quantizer_internal = _restored(bias_quantizer)

    def call(self, inputs: Any) -> Any:
        """Convolve with the quantized weights."""
        kernel, padding = self.depthwise_kernel, self.padding.upper()
        if self.depthwise_quantizer_internal is not None:
            kernel = self.depthwise_quantizer_internal(kernel)
        strides = (1, *self.strides * 2, 1)
        found = tf.nn.depthwise_conv2d(
            inputs[:, None], kernel[None], strides, padding, dilations=(1, *self.dilation_rate)
        )
        if self.use_bias:
            bias = self.bias if self.bias_quantizer_internal is None else self.bias_quantizer_internal(self.bias)
            found = tf.nn.bias_add(found, bias)
        return self.activation(found[:, 0])

    def get_config(self) -> dict[str, Any]:
        """What Keras restores the layer from."""
        own = {
            f"{role}_quantizer": None if one is None else keras.saving.serialize_keras_object(one)
            for role, one in (("depthwise", self.depthwise_quantizer_internal), ("bias", self.bias_quantizer_internal))
        }
        return {**super().get_config(), **own}


_OF_BATCH_NORMS = ("axis", "momentum", "epsilon", "center", "scale")


@keras.saving.register_keras_serializable(package=_PACKAGE)
class QDenseBatchnorm(qkeras.QDense):  # type: ignore[misc]
    """A dense layer with a batch norm folded into its weights, as hls4ml's submissions use it; QKeras 0.9 has none.

    It is there to be read, not to be trained: the batch norm's statistics stay as they are.
    """

    def __init__(self, units: int, **config: Any) -> None:
        """The configuration that QKeras' own writes down; what of it is for training alone is left out."""
        norm = {key: config.pop(key) for key in _OF_BATCH_NORMS if key in config}
        for key in [key for key in config if key.startswith(("gamma_", "beta_", "moving_")) or key in _TRAINED]:
            config.pop(key)
        super().__init__(units, **config)
        self.batchnorm = keras.layers.BatchNormalization(**norm)
        self._norm = norm

    def build(self, input_shape: Any) -> None:
        """Make the weights, in the order in which QKeras' own saves them."""
        super().build(input_shape)
        self.batchnorm.build((None, self.units))
        self._iteration = self.add_weight("iteration", (), tf.int64, "zeros", trainable=False)

    def get_folded_weights(self) -> list[Any]:
        """Kernel and bias with the batch norm in them, before they are quantized."""
        norm = self.batchnorm
        factor = tf.math.rsqrt(norm.moving_variance + norm.epsilon) * (norm.gamma if norm.scale else 1.0)
        bias = self.bias if self.use_bias else 0.0
        return [factor * self.kernel, factor * (bias - norm.moving_mean) + (norm.beta if norm.center else 0.0)]

    def call(self, inputs: Any) -> Any:
        """Multiply with the folded weights."""
        kernel, bias = self.get_folded_weights()
        if self.kernel_quantizer_internal is not None:
            kernel = self.kernel_quantizer_internal(kernel)
        if self.bias_quantizer_internal is not None:
            bias = self.bias_quantizer_internal(bias)
        found = tf.nn.bias_add(tf.matmul(inputs, kernel), bias)
        return found if self.activation is None else self.activation(found)

    def get_config(self) -> dict[str, Any]:
        """What Keras restores the layer from."""
        return {**super().get_config(), **self._norm}


_TRAINED = ("ema_freeze_delay", "folding_mode")


def _restored(quantizer: Any) -> Any:
    return keras.saving.deserialize_keras_object(quantizer) if isinstance(quantizer, dict) else quantizer


OWN = (FixedPoint, FixedPointActivation, FixedPointElu, FixedPointTable, QDepthwiseConv1D, QDenseBatchnorm)
"""What Keras must be told of to restore a model."""
