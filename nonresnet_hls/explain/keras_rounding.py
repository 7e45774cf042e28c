"""Where Keras' own float32 rounds: layers whose numbers need more than its 24 bits."""

from typing import Any

import numpy as np

from nonresnet_hls.explain.findings import KerasRounding
from nonresnet_hls.explain.meaning import Meaning
from nonresnet_hls.networks.flat import flattened
from nonresnet_hls.quantization import reference


def find(model: Any, meaning: Meaning, inputs: tuple[Any, ...]) -> KerasRounding | None:
    """The first layer in which Keras has other numbers than the same model in float64; None where there is none.

    Only of a model with quantizers, which means exact numbers: of float weights the last bits are never the same.
    """
    last: dict[str, str] = {}
    for name, step in meaning.steps.items():
        if step.inputs:
            last[step.layer] = name
    layers = list(last)
    names = dict(zip(meaning.inputs, inputs, strict=True))
    exact = meaning.evaluate(names, last.values())
    given = [np.asarray(one, np.float32) for one in inputs]
    found = reference.computed(flattened(model), given if len(given) > 1 else given[0], layers)
    for layer, values in zip(layers, found, strict=True):
        wanted = exact[last[layer]]
        error = np.abs(np.asarray(values, np.float64).reshape(wanted.shape) - wanted)
        different = int((error > 0).sum())
        if different:
            return KerasRounding(layer, different, int(error.size), float(error.max()))
    return None
