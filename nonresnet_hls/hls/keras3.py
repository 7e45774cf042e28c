"""Models of Keras 3, HGQ2's among them, as hls4ml converts them; where it goes wrong without a word, a line."""

from collections.abc import Iterator
from typing import Any

from nonresnet_hls.errors import ConversionError

_CURES = (
    (
        "Heterogenous quantization for activations",
        "one quantizer for a whole activation wanted in a stream: QuantizerConfigScope(place='datalane',"
        " homogeneous_axis=None, heterogeneous_axis=()), at the layers that make a tensor (enable_oq=True,"
        " enable_iq=False), not at those that read it",
    ),
    (
        "unexpected input layer chain",
        "a quantizer at each input of the model wanted: x = Quantizer(place='datalane')(keras.Input(...))",
    ),
)
"""What hls4ml says of HGQ2's models, and what to write instead."""


def refuse(model: Any) -> None:
    """That hls4ml converts a model of Keras 3 as it is.

    Raises:
        ConversionError: it would make another network of it; says what to write.
    """
    for refusal in _refusals(model):
        raise ConversionError(refusal)


def cure(error: Exception) -> str:
    """What to write instead of what made hls4ml raise an error; empty where that is not known."""
    return next((text for said, text in _CURES if said in str(error)), "")


def is_hgq(model: Any) -> bool:
    """Whether a model has layers of HGQ2, whose types hls4ml takes over bit for bit."""
    return any(type(layer).__module__.partition(".")[0] == "hgq" for layer in model.layers)


def _refusals(model: Any) -> Iterator[str]:
    if not getattr(model, "inputs", None):
        yield f"model {model.name}: a functional or sequential model wanted, which knows its inputs"
    if all(type(layer).__name__ == "InputLayer" for layer in model.layers):
        yield f"model {model.name}: a layer between inputs and outputs wanted, there is none"
    for tensor in model.inputs:
        if None in tensor.shape[1:]:
            why = "hardware is made for one size: give the model's input its sizes"
            yield f"model {model.name}: input of a fixed size wanted, not {tuple(tensor.shape[1:])}; {why}"
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "ReLU" and type(layer).__module__.startswith("keras.") and is_hgq(model):
            why = "hls4ml makes a thresholded ReLU of it, which its bit-exact types leave out, without a word"
            yield f"layer {layer.name!r}: keras.layers.Activation('relu') wanted, not keras.layers.ReLU; {why}"
        for key in ("dilation_rate", "groups"):
            value = getattr(layer, key, 1)
            sizes = value if isinstance(value, list | tuple) else (value,)
            if kind.removeprefix("Q").startswith(("Conv", "DepthwiseConv", "SeparableConv")) and set(sizes) != {1}:
                yield f"layer {layer.name!r}: {key} 1 wanted, not {value}; hls4ml drops it without a word"
