"""Models of Keras 3, HGQ2's among them, as hls4ml converts them; where it goes wrong without a word, a line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.hls.convert import PROJECT, one_line, quiet
from nonresnet_hls.recipe import Hls

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


def to_graph(model: Any, hls: Hls, directory: Path, backend: str | None = None, io_type: str = "io_stream") -> Any:
    """The `ModelGraph` of a model of Keras 3: hls4ml's types, or those that HGQ2 has learnt.

    Args:
        model: of Keras 3.
        hls: part, clock, strategy, reuse factor, back end.
        directory: where the project would be written.
        backend: another registered hls4ml back end than that of `hls`.
        io_type: "io_stream" or "io_parallel".

    Raises:
        ConversionError: hls4ml cannot take the model, or would make another network of it; says what to write.
    """
    for refusal in _refusals(model):
        raise ConversionError(refusal)
    with quiet():
        import hls4ml

        backend = backend or str(hls.backend).capitalize()
        strategy = str(hls.strategy).capitalize()
        try:
            config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=backend)
            config["Model"] |= {"Strategy": strategy, "ReuseFactor": hls.reuse_factor}
            for layer in config["LayerName"].values():
                layer |= {"Strategy": strategy, "ReuseFactor": hls.reuse_factor}
            return hls4ml.converters.convert_from_keras_model(
                model,
                hls_config=config,
                output_dir=str(directory),
                project_name=PROJECT,
                backend=backend,
                part=hls.part,
                clock_period=hls.clock_ns,
                io_type=io_type,
            )
        # hls4ml raises bare Exceptions; its own words are all there is to say.
        except Exception as error:
            said = one_line(error)
            cure = next((cure for text, cure in _CURES if text in str(error)), "")
            raise ConversionError(f"model {model.name}: {cure or f'hls4ml cannot take it: {said}'}") from error


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
