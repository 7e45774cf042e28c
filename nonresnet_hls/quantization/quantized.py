"""A quantized model with what is needed to convert it and to compare it."""

from dataclasses import dataclass
from typing import Any

from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.quantization.ranges import ModelArithmetic


@dataclass(frozen=True, eq=False)
class Quantized:
    """A quantized model, ready to be converted or simulated."""

    model: Any
    """QKeras model, every constant on its grid."""
    input_type: FixedPointType
    samples: Any
    """(samples, *input shape) float64: test data, on the grid of `input_type`."""
    arithmetic: ModelArithmetic
    float_outputs: Any = None
    """(samples, *output shape) float32 of the float network, before a softmax; None where there is none."""
    labels: Any = None
    """(samples,) int64; None where there are none."""
