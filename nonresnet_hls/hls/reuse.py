"""Reuse factors: the recipe's target, resolved to the nearest that each layer can take.

With the resource strategy hls4ml's loops over the weights come out even only for some factors (its
`FPGABackend._validate_reuse_factor`; it replaces others silently). With the latency strategy the factor only bounds
the number of multipliers, and any from 1 to the number of weights will do.
"""

import math
from dataclasses import dataclass

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.quantization.ranges import ModelArithmetic
from nonresnet_hls.recipe import Hls, Strategy

_WITH_WEIGHTS = ("QConv1D", "QConv2D", "QDepthwiseConv1D", "QDepthwiseConv2D", "QDense")


@dataclass(frozen=True)
class ReuseFactor:
    """What one layer with weights got."""

    layer: str
    target: int
    used: int
    """Each multiplier is used this many times per output pixel."""
    multiplications: int
    """Per output pixel."""


def fits(n_in: int, n_out: int, factor: int, strategy: Strategy) -> bool:
    """Whether a layer of `n_in` products for each of `n_out` sums can take a reuse factor.

    >>> [f for f in range(1, 20) if fits(9, 4, f, Strategy.RESOURCE)]
    [1, 3, 9, 18]
    """
    if not 1 <= factor <= n_in * n_out:
        return False
    if strategy is Strategy.LATENCY:
        return True
    multipliers = math.ceil(n_in * n_out / min(n_in, factor))
    even = multipliers % n_out == 0 or factor >= n_in
    return even and (factor % n_in == 0 or factor < n_in) and n_in * n_out % factor == 0


def reads_beyond(rows: int, filters: int, factor: int, depthwise: bool) -> bool:
    """Whether hls4ml's C++ of the resource strategy reads weights behind the last: what it computes is not defined.

    hls4ml chooses another factor for most layers, but not for the products within a separable convolution.

    >>> reads_beyond(3, 1, 2, depthwise=False), reads_beyond(9, 1, 3, depthwise=True)
    (True, False)
    """
    if depthwise:
        return rows % min(factor, rows) != 0
    return factor <= rows and rows * filters % factor != 0


def nearest(n_in: int, n_out: int, target: int, strategy: Strategy) -> int:
    """The fitting reuse factor that is nearest to `target`, the smaller of two equally near."""
    fitting = (factor for factor in range(1, n_in * n_out + 1) if fits(n_in, n_out, factor, strategy))
    return min(fitting, key=lambda factor: (abs(factor - target), factor))


def resolve(arithmetic: ModelArithmetic, hls: Hls) -> dict[str, ReuseFactor]:
    """The reuse factor of every layer with weights, by layer.

    Raises:
        ConversionError: a factor given for one layer names no such layer, or does not fit it.
    """
    result: dict[str, ReuseFactor] = {}
    for name, layer in arithmetic.layers.items():
        if layer.node.kind not in _WITH_WEIGHTS:
            continue
        kernel = layer.kernel.mantissas.shape  # type: ignore[union-attr]
        # A depthwise kernel ends in (channels, multiplier): each channel is summed for itself.
        outputs = 2 if "Depthwise" in layer.node.kind else 1
        n_in, n_out = math.prod(kernel[:-outputs]), math.prod(kernel[-outputs:])
        own = hls.reuse_factors.get(name)
        best = nearest(n_in, n_out, own or hls.reuse_factor, hls.strategy)
        if own is not None and own != best:
            raise ConversionError(
                f"layer {name}: reuse factor {own} does not fit {n_in}x{n_out} weights with strategy"
                f" {hls.strategy}; the nearest that does is {best}"
            )
        result[name] = ReuseFactor(name, own or hls.reuse_factor, best, n_in * n_out)
    unknown = sorted(set(hls.reuse_factors) - set(result))
    if unknown:
        raise ConversionError(
            f"hls.reuse_factors.{unknown[0]}: a layer with weights wanted, one of {', '.join(result)}"
        )
    return result
