"""What a quantized design is worth beside the float network it was made from, and what to do where it lost too much."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from nonresnet_hls.networks import graph
from nonresnet_hls.quantization.ranges import ModelArithmetic

MOST_POINTS_LOST = 2.0
"""Top-1 that quantization may cost, in points, without a warning."""
LEAST_LEVELS = 8
"""Different values of a kernel below which there is a warning, where its bits allow as many and float had more."""


class Metric(StrEnum):
    """What is compared."""

    TOP1 = "top-1"
    """Share of the samples whose label is the greatest output."""
    AGREEMENT = "agreement with float"
    """Share of the samples whose greatest output is that of the float network; where there are no labels."""
    MEAN_ERROR = "mean error"
    """Mean absolute difference from the float network's outputs, as a share of their range; of other outputs."""
    ACCURACY = "accuracy"
    """Share of the outputs on that side of 1/2 on which their targets are; of targets 0 and 1, where the float
    network's outputs lie between these."""
    TARGET_ERROR = "error of targets"
    """Mean absolute difference from the targets, as a share of their range; of targets that are other numbers."""


@dataclass(frozen=True)
class Worth:
    """One metric of the float network, of the quantized one, and of the hardware (its C simulation)."""

    metric: Metric
    samples: int
    float_network: float
    quantized: float
    hardware: float

    @property
    def points_lost(self) -> float:
        """What quantization cost, in points (percent of all samples, or of the range)."""
        lost = self.float_network - self.quantized
        return 100 * max(-lost if self.is_error else lost, 0.0)

    @property
    def is_error(self) -> bool:
        """Whether less is better."""
        return self.metric in (Metric.MEAN_ERROR, Metric.TARGET_ERROR)


def of(reference: Any, quantized: Any, hardware: Any, labels: Any | None) -> Worth | None:
    """Compare outputs (samples, ...) of the float network, the quantized one and the hardware.

    Args:
        reference: of the float network, before a softmax.
        quantized: of the quantized network.
        hardware: of the C simulation.
        labels: (samples,) integers, where the outputs are classes; else targets, of the outputs' shape; or None.

    Returns:
        None without samples.
    """
    import numpy as np

    if not len(reference):
        return None
    outputs = (reference, quantized, hardware)
    if labels is not None and not tells_classes(reference, labels):
        binary = bool(((labels == 0) | (labels == 1)).all() and reference.min() >= 0 and reference.max() <= 1)
        if binary:
            metric = Metric.ACCURACY
            shares = [float(np.mean((one > 0.5) == (labels > 0.5))) for one in outputs]
        else:
            metric = Metric.TARGET_ERROR
            span = float(labels.max() - labels.min()) or 1.0
            shares = [float(np.mean(np.abs(one - labels))) / span for one in outputs]
    elif reference.ndim == 2 and reference.shape[1] > 1:
        wanted = np.argmax(reference, axis=-1) if labels is None else labels
        metric = Metric.AGREEMENT if labels is None else Metric.TOP1
        shares = [float(np.mean(np.argmax(one, axis=-1) == wanted)) for one in outputs]
    else:
        metric = Metric.MEAN_ERROR
        span = float(reference.max() - reference.min()) or 1.0
        shares = [float(np.mean(np.abs(one - reference))) / span for one in outputs]
    return Worth(metric, len(reference), *shares)


def tells_classes(outputs: Any, labels: Any) -> bool:
    """Whether labels are the numbers of classes that outputs (samples, classes) tell apart."""
    return bool(outputs.ndim == 2 and outputs.shape[1] > 1 and labels.ndim == 1)


@dataclass(frozen=True)
class Kernel:
    """How much of a layer's weights is left on their grid."""

    layer: str
    levels: int
    """Different values on the grid."""
    levels_before: int
    """Different values before."""
    bits: int
    error: float
    """Root mean square of the change, as a share of the weights' own."""

    @property
    def is_coarse(self) -> bool:
        """Whether too few levels are left, though the bits allow more."""
        possible = min(LEAST_LEVELS, 1 << (self.bits - 1))
        return self.bits > 2 and self.levels < min(possible, self.levels_before)


def kernels(model: Any, arithmetic: ModelArithmetic) -> list[Kernel]:
    """The kernels of a quantized model.

    Args:
        model: with its weights as they were trained.
        arithmetic: of the same model, finished.
    """
    import numpy as np

    found = []
    before = {node.name: node for node in graph.nodes(model)}
    for name, layer in arithmetic.layers.items():
        if layer.kernel is None or layer.node.kind == "BatchNormalization" or name not in before:
            continue
        weights = before[name].layer.get_weights()[0].astype(np.float64)
        change = float(np.sqrt(np.mean(np.square(layer.kernel.values - weights))))
        size = float(np.sqrt(np.mean(np.square(weights))))
        levels, levels_before = np.unique(layer.kernel.mantissas).size, np.unique(weights).size
        found.append(Kernel(name, levels, levels_before, layer.kernel.type.width, change / size if size else 0.0))
    return found


def warnings(worth: Worth | None, found: Iterable[Kernel]) -> list[str]:
    """A line for each thing that makes a design worth less than the network it came from, with what to do."""
    of_kernels = list(found)
    lines = [
        f"layer {kernel.layer}: only {kernel.levels} different weights are left of {kernel.levels_before};"
        " a grid that fits their range, or more weight_bits, would keep more"
        for kernel in of_kernels
        if kernel.is_coarse
    ]
    if worth is not None and worth.points_lost > MOST_POINTS_LOST:
        lost = f"quantization costs {worth.points_lost:.1f} points of {worth.metric}"
        if worth.metric is Metric.MEAN_ERROR:
            lost = f"quantization changes the outputs by {worth.points_lost:.1f} % of their range on average"
        elif worth.is_error:
            lost = f"quantization takes the outputs {worth.points_lost:.1f} % of their range further from the targets"
        cure = "fine-tune it (quantization.epochs), or give it more weight_bits or activation_bits"
        # Of -1 and +1 the size is in a scale behind them.
        sized = (kernel for kernel in of_kernels if kernel.bits > 2)
        roughest = max(sized, key=lambda kernel: kernel.error, default=None)
        where = f"; layer {roughest.layer} changed most ({roughest.error:.1%} of its weights)" if roughest else ""
        lines.append(f"{lost}{where}; {cure}")
    return lines
