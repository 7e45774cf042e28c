"""Skips of a quantized network, merged into the convolutions that they bypass: equal in every bit.

What is passed on goes through the quantizers of the branch, whose grids are others than its own. A power of two moves
it onto them, which the kernels hold beside their weights, and the last convolution takes it back.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from nonresnet_hls import progress
from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.networks import graph, passing
from nonresnet_hls.networks.additions import Additions
from nonresnet_hls.quantization.deployment import Parts
from nonresnet_hls.quantization.ranges import Constant, LayerArithmetic, ModelArithmetic


def merged(model: Any, arithmetic: ModelArithmetic) -> Any:
    """The same function of a finished model, without the skips.

    What it needs beyond the bits that it had is said.

    Args:
        model: finished QKeras model.
        arithmetic: of it.

    Raises:
        ModelError: a skip cannot be merged; names its join and says why.
    """
    layers = arithmetic.layers
    for node in graph.nodes(model):
        for role in ("kernel", "depthwise"):
            if type(getattr(node.layer, f"{role}_quantizer_internal", None)).__name__ == "binary":
                raise ModelError(f"layer {node.name}: weights that can be 0 wanted for merging, not -1 and 1 alone")
    plans, refused = passing.find(model, lambda name: int(layers[name].low.min()) >= 0)
    for join, why in refused.items():
        if not plans:
            raise ModelError(f"layer {join}: a skip that can be merged wanted: {why}")
        progress.say(f"layer {join}: its skip stays: {why}")
    if not plans:
        raise ModelError(f"model {model.name}: a skip to merge wanted, there is none")
    return _Merging(model, layers, list(plans.values())).merged()


@dataclass(frozen=True)
class _Made:
    """A convolution with the channels that pass something on."""

    kernel: Constant
    """Of which only the type counts."""
    values: Any
    bias: Constant | None


class _Merging:
    def __init__(self, model: Any, layers: Mapping[str, LayerArithmetic], plans: list[passing.Passing]) -> None:
        self.model, self.layers, self.plans = model, layers, plans

    def merged(self) -> Any:
        made = {name: one for plan in self.plans for name, one in self._made(plan).items()}

        def called(node: graph.Node, additions: Additions, x: Any) -> Any:
            return _called(Parts(node, additions), made[node.name], x)

        return passing.rebuilt(self.model, self.plans, called)

    def _made(self, plan: passing.Passing) -> dict[str, _Made]:
        scales = self._scales(plan)
        convolutions = [self.layers[node.name] for node in plan.convolutions]
        own = [self._values(layer) for layer in convolutions]
        projection = None if plan.projection is None else self.layers[plan.projection.name]
        found = passing.weights(plan, own, None if projection is None else self._values(projection), scales)
        total = Fraction(math.prod(scales))
        made: dict[str, _Made] = {}
        for layer, (kernel, *bias) in zip(convolutions, found, strict=True):
            is_last = layer is convolutions[-1]
            if not is_last:
                added = Fraction(scales[len(made)])
            else:
                added = (Fraction(1) if projection is None else _kernel(projection).type.lsb) / total
            grid = _covering(kernel, min(_kernel(layer).type.lsb, added))
            biases = [one.bias for one in (layer, projection if is_last else None) if one is not None and one.bias]
            bias_grid = _covering(bias[0], min(one.type.lsb for one in biases)) if bias else None
            made[layer.name] = _Made(grid, kernel, bias_grid)
            before, after = _kernel(layer).type, grid.type
            if after.width > before.width:
                progress.say(f"layer {layer.name}: weights of {after.width} bits for the skip, not {before.width}")
        return made

    def _scales(self, plan: passing.Passing) -> tuple[float, ...]:
        """What each convolution but the last multiplies the passed numbers by: a power of two.

        Raises:
            ModelError: a quantizer of the branch has too few bits for them.
        """
        source = self.layers[plan.source.name]
        lsb, high = source.output.lsb, int(source.high.max()) * source.output.lsb
        total, scales = Fraction(1), []
        for node, convolution in zip(plan.rounded, plan.convolutions, strict=False):
            kernel = _kernel(self.layers[convolution.name]).type
            if node is None:
                scales.append(1.0)
                continue
            kind = self.layers[node.name].output
            least = kind.lsb / (lsb * total)  # so that no bit is lost
            most = kind.max / (high * total) if high > 0 else least
            candidates = [Fraction(2) ** e for e in range(_exponent(least), _exponent(least) + 64)]
            fitting = [one for one in candidates if least <= one <= most]
            if not fitting:
                bits = math.ceil(math.log2(high / lsb + 1))
                wanted = f"at least {bits} bits wanted for what {plan.source.name} gives, which goes through it"
                raise ModelError(f"layer {node.name}: {wanted}, not {kind}")
            # The one that makes the kernel's type the narrowest.
            best = min(fitting, key=lambda one: (_width(kernel, one), abs(_exponent(one))))
            scales.append(float(best))
            total *= best
        return tuple(scales)

    @staticmethod
    def _values(layer: LayerArithmetic) -> list[Any]:
        return [_kernel(layer).values, *([layer.bias.values] if layer.bias is not None else [])]


def _kernel(layer: LayerArithmetic) -> Constant:
    assert layer.kernel is not None
    return layer.kernel


def _exponent(power: Fraction) -> int:
    """Of a power of two, or of the next one below."""
    return math.floor(math.log2(power))


def _width(kernel: FixedPointType, number: Fraction) -> int:
    """Bits of a type that holds a kernel's numbers and one more."""
    return FixedPointType.covering(kernel.min, max(kernel.max, number), min(kernel.lsb, number)).width


def _covering(values: Any, lsb: Fraction) -> Constant:
    """Numbers on the narrowest grid that has a last bit and holds them."""
    import numpy as np

    mantissas = np.rint(values / float(lsb)).astype(np.int64)
    kind = FixedPointType.covering(min(int(mantissas.min()), -1) * lsb, int(mantissas.max()) * lsb, lsb)
    return Constant(mantissas, kind)


def _called(parts: Parts, made: _Made, x: Any) -> Any:
    layer = parts.node.layer
    more = {"kernel_size": layer.kernel_size, "strides": layer.strides, "padding": layer.padding}
    if "Depthwise" not in parts.node.kind:
        more |= {"filters": made.values.shape[-1], "dilation_rate": layer.dilation_rate}
    return parts.convolution(parts.node.kind[1:], "", x, made.kernel, made.values, made.bias, **more)
