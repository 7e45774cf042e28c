"""A quantized model with what is needed to convert it and to compare it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.quantization.ranges import ModelArithmetic


@dataclass(frozen=True, eq=False)
class Quantized:
    """A quantized model, ready to be converted or simulated."""

    model: Any
    """QKeras model, every constant on its grid."""
    input_type: FixedPointType | dict[str, FixedPointType]
    """Of several inputs, by name."""
    samples: Any
    """(samples, *input shape) float64: test data, on the grid of `input_type`; of several inputs records."""
    arithmetic: ModelArithmetic
    float_outputs: Any = None
    """(samples, *output shape) float32 of the float network, before a softmax; None where there is none. Of several
    outputs records, by the names of the float network's."""
    labels: Mapping[str, Any] = field(default_factory=dict)
    """What the outputs shall be, where that is known, by name; of one output it is called ''. (samples,) int64
    where they are classes, else as `float_outputs`."""
    input_names: tuple[str, ...] = ()
    """Of several inputs: their names in the model that the user gave, in the order of this one's inputs."""

    def __repr__(self) -> str:
        types = ", ".join(f"{name}: {kind}" for name, kind in self.input_types.items())
        return f"<Quantized {self.model.name}: {len(self.model.layers)} layers, inputs {types}>"

    @property
    def input_types(self) -> dict[str, FixedPointType]:
        """By name, as the model has its inputs."""
        names = [tensor._keras_history.layer.name for tensor in self.model.inputs]
        one = self.input_type
        return {name: one if isinstance(one, FixedPointType) else one[name] for name in names}
