"""What the C simulation must equal: Keras itself, or where its float32 rounds, the exact evaluation of its graph."""

from dataclasses import dataclass
from typing import Any

from nonresnet_hls.errors import NonResNetError
from nonresnet_hls.quantization import exact
from nonresnet_hls.quantization.ranges import ModelArithmetic


class ReferenceMismatchError(NonResNetError):
    """Keras and the exact evaluation differ where both are exact: a bug of ours."""

    exit_status = 1


@dataclass(frozen=True, eq=False)
class Reference:
    """Expected outputs and where they come from."""

    outputs: Any
    """(samples, *output shape) float64."""
    source: str
    """In words: Keras, or the exact evaluation and from which layer on Keras is not exact."""
    checked_values: int
    """Values in which Keras and the exact evaluation were compared and found equal."""


def evaluate(model: Any, arithmetic: ModelArithmetic, inputs: Any) -> Reference:
    """Expected outputs of a quantized model with one input and one output.

    Keras' outputs are taken where no layer needs more than 24 bits. Where one does, the exact evaluation is; in the
    layers before it both are computed and compared.

    Args:
        model: quantized Keras model.
        arithmetic: its types.
        inputs: (samples, *input shape) values of the input's type.

    Raises:
        ReferenceMismatchError: Keras and the exact evaluation differ in a layer where Keras must be exact.
    """
    import numpy as np
    from tensorflow import keras

    output = model.output._keras_history.layer.name
    inexact = arithmetic.inexact()
    # The last exact layers before an inexact one, or the output itself: what is before them is in them.
    read_inexactly = {source for name in inexact for source in arithmetic.layers[name].node.inputs}
    frontier = [
        name
        for name, layer in arithmetic.layers.items()
        if name not in inexact and layer.node.inputs and (name == output or name in read_inexactly)
    ]
    values = exact.evaluate(arithmetic, inputs, {output, *frontier})
    checked = 0
    if frontier:
        probe = keras.Model(model.inputs, [model.get_layer(name).output for name in frontier])
        found = probe.predict(np.asarray(inputs, np.float32), batch_size=32, verbose=0)
        for name, value in zip(frontier, found if len(frontier) > 1 else [found], strict=True):
            different = int((value != values[name]).sum())
            if different:
                raise ReferenceMismatchError(
                    f"layer {name}: Keras and the exact evaluation differ in {different} of {value.size} values,"
                    f" though {arithmetic.layers[name].float_bits} bits are exact in float32"
                )
            checked += value.size
    source = "Keras" if output not in inexact else f"exact evaluation ({inexact[output]})"
    return Reference(values[output], source, checked)
