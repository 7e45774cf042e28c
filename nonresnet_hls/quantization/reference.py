"""What the C simulation must equal: Keras itself, or where its float32 rounds, the exact evaluation of its graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nonresnet_hls import samples
from nonresnet_hls.errors import NonResNetError
from nonresnet_hls.networks import graph
from nonresnet_hls.networks.fold import is_scale, scale_and_offset
from nonresnet_hls.networks.prediction import called, predicted
from nonresnet_hls.quantization import exact
from nonresnet_hls.quantization.ranges import ModelArithmetic

_FEW = 32
"""Up to so many samples are computed in less time than it takes `predict` to start."""


class ReferenceMismatchError(NonResNetError):
    """Keras and the exact evaluation differ where both are exact: a bug of ours."""

    exit_status = 1


@dataclass(frozen=True, eq=False)
class Reference:
    """Expected outputs and where they come from."""

    outputs: Any
    """(samples, *output shape) float64; of several outputs records, by layer."""
    source: str
    """In words: Keras, or the exact evaluation and from which layer on Keras is not exact."""
    checked_values: int
    """Values in which Keras and the exact evaluation were compared and found equal."""


def evaluate(model: Any, arithmetic: ModelArithmetic, inputs: Any) -> Reference:
    """Expected outputs of a quantized model.

    Keras' outputs are taken where no layer needs more than 24 bits. Where one does, the exact evaluation is; in the
    layers before it both are computed and compared.

    Args:
        model: quantized Keras model.
        arithmetic: its types.
        inputs: (samples, *input shape) values of the input's type; of several inputs records, in the model's order.

    Raises:
        ReferenceMismatchError: Keras and the exact evaluation differ in a layer where Keras must be exact.
    """
    outputs = graph.output_names(model)
    inexact = arithmetic.inexact()
    # The last exact layers before an inexact one, or the outputs themselves: what is before them is in them.
    read_inexactly = {source for name in inexact for source in arithmetic.layers[name].node.inputs}
    frontier = [
        name
        for name, layer in arithmetic.layers.items()
        if name not in inexact and layer.node.inputs and (name in outputs or name in read_inexactly)
    ]
    given = samples.parts(inputs) if samples.several(inputs) else inputs
    values = exact.evaluate(arithmetic, given, {*outputs, *frontier})
    checked = 0
    if frontier:
        for name, value in zip(frontier, computed(model, inputs, frontier, eagerly=len(inputs) <= _FEW), strict=True):
            different = int((value != values[name]).sum())
            if different:
                raise ReferenceMismatchError(
                    f"layer {name}: Keras and the exact evaluation differ in {different} of {value.size} values,"
                    f" though {arithmetic.layers[name].float_bits} bits are exact in float32"
                )
            checked += value.size
    reasons = list(dict.fromkeys(inexact[output] for output in outputs if output in inexact))
    source = f"exact evaluation ({'; '.join(reasons)})" if reasons else "Keras"
    return Reference(samples.joined({output: values[output] for output in outputs}), source, checked)


def computed(model: Any, inputs: Any, layers: Sequence[str], batch_size: int = 32, eagerly: bool = False) -> list[Any]:
    """What Keras computes of some layers for (samples, *input shape) inputs, in the order of their names.

    By `predict`, or in one batch layer by layer: a last bit that float32 rounds can be another one then.

    A batch norm that is no more than a scale and an offset computes these: by itself, Keras would multiply with
    1 / sqrt(1), which is less than 1 where TensorFlow approximates it (without oneDNN).
    """
    from tensorflow import keras

    if any(node.kind == "BatchNormalization" and is_scale(node.layer) for node in graph.nodes(model)):
        inside, tensors = _scaled_as_told(model)
    else:
        inside, tensors = model, {name: model.get_layer(name).output for name in layers}
    probe = keras.Model(inside.inputs, [tensors[name] for name in layers])
    found = called(probe, inputs) if eagerly else predicted(probe, inputs, batch_size)
    return found if len(layers) > 1 else [found]


def _scaled_as_told(model: Any) -> tuple[Any, dict[str, Any]]:
    """The model with batch norms that compute their scale and offset, and the tensor of each layer."""
    import numpy as np

    tensors: dict[str, Any] = {}

    def replace(node: graph.Node, values: list[Any]) -> Any:
        if node.kind == "BatchNormalization" and is_scale(node.layer):
            scale, offset = (factor.astype(np.float32) for factor in scale_and_offset(node.layer))
            tensors[node.name] = values[0] * scale + offset
        else:
            tensors[node.name] = graph.copied(node, values)
        return tensors[node.name]

    twin = graph.rebuild(model, replace)
    graph.carry_weights(model, twin)
    return twin, tensors
