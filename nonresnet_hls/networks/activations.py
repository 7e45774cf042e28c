"""What nonlinearity a Keras layer applies, however it was written: by name, as function, as layer object, as layer."""

from dataclasses import dataclass
from typing import Any

from nonresnet_hls.errors import ModelError

LINEAR = "linear"
RELU = "relu"
SOFTMAX = "softmax"
LEAKY_RELU = "leaky_relu"
PRELU = "prelu"
ELU = "elu"
HARD_SIGMOID = "hard_sigmoid"

_LAYERS = {
    "ReLU": RELU, "Softmax": SOFTMAX, "LeakyReLU": LEAKY_RELU, "PReLU": PRELU, "ELU": ELU,
    "ThresholdedReLU": "thresholded_relu",
}  # fmt: skip
"""Layers that are an activation and nothing else."""


_SLOPE = 0.2
"""Of TensorFlow's function `leaky_relu`."""


@dataclass(frozen=True)
class Activation:
    """One nonlinearity."""

    name: str
    """As Keras calls the function; `relu` is max(x, 0) and nothing else, but for `max_value`."""
    max_value: float | None = None
    """Where a `relu` clips; None: nowhere."""
    slope: float | None = None
    """Of a `leaky_relu` below 0; of an `elu` its alpha."""

    def __str__(self) -> str:
        return self.name if self.max_value is None else f"{self.name} with max_value {self.max_value:g}"


def of(layer: Any) -> Activation:
    """The nonlinearity of a Keras or QKeras layer; `linear` of one that has none.

    QKeras' quantizers, alone or in a `QActivation`, are called by their class, as are layer objects that are no plain
    ReLU or softmax over the channels.

    Raises:
        ModelError: it is a function or object that is not Keras' or QKeras' own; names the layer.
    """
    if type(layer).__name__ in _LAYERS:
        return _of_layer(layer)
    if type(layer).__name__ == "FixedPointTable":
        return Activation(str(layer.function))
    function = getattr(layer, "activation", None)
    while function is not None and type(function).__name__ == "Activation":  # an `Activation` layer as activation
        function = function.activation
    if function is None:
        return Activation(LINEAR)
    if type(function).__name__ in _LAYERS:
        return _of_layer(function)
    if isinstance(function, str):
        return Activation(function, slope=1.0 if function == ELU else None)
    name = getattr(function, "__name__", None)
    if name is None:
        if type(function).__module__.startswith("qkeras"):
            return Activation(type(function).__name__)
        raise ModelError(f"layer {layer.name}: an activation of Keras' own wanted, not {type(function).__name__}")
    if name == "relu6":
        return Activation(RELU, 6.0)
    if name == "softmax_v2":  # tf.nn.softmax
        return Activation(SOFTMAX)
    if name == LEAKY_RELU:
        return Activation(LEAKY_RELU, slope=_SLOPE)
    if name == ELU:
        return Activation(ELU, slope=1.0)
    if not _is_known(name, function):
        raise ModelError(f"layer {layer.name}: an activation of Keras' own wanted, not the function {name!r}")
    return Activation(str(name))


def _of_layer(layer: Any) -> Activation:
    kind = type(layer).__name__
    if kind == "LeakyReLU":
        return Activation(LEAKY_RELU, slope=float(layer.alpha))
    if kind == "ELU":
        return Activation(ELU, slope=float(layer.alpha))
    if kind == "ReLU":
        slope = float(layer.negative_slope)
        if slope and layer.max_value is None and not layer.threshold:
            return Activation(LEAKY_RELU, slope=slope)
        for key in ("negative_slope", "threshold"):
            if getattr(layer, key):
                return Activation(f"ReLU with {key} {float(getattr(layer, key)):g}")
        return Activation(RELU, None if layer.max_value is None else float(layer.max_value))
    if kind == "Softmax" and layer.axis != -1:
        return Activation(f"softmax over axis {layer.axis}")
    return Activation(_LAYERS[kind])


def _is_known(name: str, function: Any) -> bool:
    """Whether a function is the one that Keras, TensorFlow or QKeras has under this name."""
    import tensorflow as tf
    from tensorflow import keras

    own = (getattr(keras.activations, name, None), getattr(tf.nn, name, None), getattr(tf.math, name, None))
    return function in own or str(getattr(function, "__module__", "")).startswith("qkeras")
