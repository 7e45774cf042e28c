"""A user's QKeras model as the layers that `arithmetic` knows: types in place of quantizers, constants on their grids.

What QKeras computes at inference stays the same, but for what no fixed-point design computes as Keras does: batch norms
that stand alone, scales that are no powers of two, and weights without a quantizer. These are put on grids of 16 bits.
"""

from dataclasses import dataclass
from typing import Any

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.networks import activations, graph
from nonresnet_hls.networks.additions import Additions
from nonresnet_hls.networks.decomposition import decompose
from nonresnet_hls.networks.fold import check_axis, is_scale, scale_and_offset
from nonresnet_hls.quantization import quantizers
from nonresnet_hls.quantization.quantize import best_integer_bits, to_grid
from nonresnet_hls.quantization.ranges import Constant, constant, grid_constant

_BITS = 16
_OFFSET_BITS = 20
_SNAP_BITS = 20
"""Of the weights that QKeras gives, as w + (q(w) - w), which float32 rounds in its last bits."""

_FOLDED = ("QConv2DBatchnorm", "QDepthwiseConv2DBatchnorm", "QDenseBatchnorm")
_PLAIN = ("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "Dense")
_QUANTIZED = ("QConv1D", "QConv2D", "QDepthwiseConv2D", "QDense", "QDepthwiseConv1D")
_ROUNDING = ("QActivation", "FixedPointActivation")


@dataclass(frozen=True)
class Normalized:
    """A QKeras model as it is converted."""

    model: Any
    approximated: dict[str, str]
    """What is computed otherwise than in QKeras, by layer, in words."""


def normalized(model: Any) -> Normalized:
    """The same function of a QKeras model, made of what `arithmetic` knows; a softmax at the end is left out.

    Args:
        model: functional model of QKeras layers and of Keras' own, as its user wrote it.

    Raises:
        ModelError: a quantizer, activation or layer has no fixed-point twin; names the layer.
    """
    maker = _Maker(decompose(model))
    result = maker.made()
    return Normalized(result, maker.approximated)


class _Maker:
    def __init__(self, model: Any) -> None:
        self._used_by = graph.consumers(graph.nodes(model))
        self._outputs = graph.output_names(model)
        self._additions = Additions(model)
        self._named = self._additions.named
        self._layers = {layer.name: layer for layer in model.layers}
        self.approximated: dict[str, str] = {}

    def made(self) -> Any:
        return self._additions.rebuilt(self._replace)

    def _replace(self, node: graph.Node, inputs: list[Any]) -> Any:
        kind = node.kind
        layer = self._layers[node.name]
        if kind in _ROUNDING:
            return self._rounded(layer.quantizer, node, node.name, inputs[0])
        if kind in (*_FOLDED, *_QUANTIZED, *_PLAIN):
            return self._activated(node, self._weighted(node, layer, inputs[0]))
        if kind == "BatchNormalization":
            return self._batch_norm(node, layer, inputs[0])
        name = activations.of(node.layer).name
        if name == activations.SOFTMAX:
            self._refuse_inner_softmax(node)
            return inputs[0]
        if type(layer).__module__.startswith("qkeras"):
            raise ModelError(
                f"layer {node.name}: {kind} has no fixed-point twin; QKeras' convolutions, dense layers and"
                " QActivation wanted"
            )
        return graph.copied(node, inputs)

    def _refuse_inner_softmax(self, node: graph.Node) -> None:
        if self._used_by[node.name] or node.name not in self._outputs:
            raise ModelError(f"layer {node.name}: softmax wanted at the end only")

    def _rounded(self, quantizer: Any, node: graph.Node, name: str, tensor: Any) -> Any:
        from nonresnet_hls.networks.grids import FixedPointActivation

        if type(quantizer).__name__ == "binary":
            raise ModelError(f"layer {node.name}: quantized_relu or quantized_bits wanted, not binary")
        own = quantizers.type_of(quantizer, node.name)
        if quantizers.least_value(quantizer, own) != own.min:
            raise ModelError(f"layer {node.name}: symmetric=0 wanted, not {quantizer.symmetric!r}")
        return FixedPointActivation(str(own), name=name)(tensor)

    def _activated(self, node: graph.Node, tensor: Any) -> Any:
        """The activation that a layer with weights has of its own."""
        from tensorflow import keras

        function = getattr(node.layer, "activation", None)
        if function is not None and type(function).__module__.startswith("qkeras"):
            return self._rounded(function, node, self._named(f"{node.name}_activation"), tensor)
        applied = activations.of(node.layer)
        if applied.name == activations.SOFTMAX:
            self._refuse_inner_softmax(node)
            return tensor
        if applied == activations.Activation(activations.RELU):
            return keras.layers.ReLU(name=self._named(f"{node.name}_relu"))(tensor)
        if applied.name != activations.LINEAR:
            wanted = "a quantizer of QKeras', relu, linear or a final softmax"
            raise ModelError(f"layer {node.name}: activation {wanted} wanted, not {applied}")
        return tensor

    def _weighted(self, node: graph.Node, layer: Any, tensor: Any) -> Any:
        """A layer with weights on the grids of its quantizers."""
        import qkeras

        from nonresnet_hls.networks.grids import FixedPoint, QDepthwiseConv1D

        kind = node.kind.removeprefix("Q").removesuffix("Batchnorm")
        role = "depthwise" if "Depthwise" in kind else "kernel"
        weights = layer.get_weights()
        kernel, bias = weights[0], weights[1] if layer.use_bias else None
        if node.kind in _FOLDED:
            kernel, bias = (value.numpy() for value in layer.get_folded_weights())
        quantizer = getattr(layer, f"{role}_quantizer_internal", None)
        own, scale = self._constant(node, kernel, quantizer, "kernel")
        config = {key: value for key, value in layer.get_config().items() if key in _SHAPING}
        config |= {"use_bias": bias is not None and scale is None, f"{role}_quantizer": FixedPoint(_text(own.type))}
        shift = None
        if bias is not None:
            shift, _ = self._constant(node, bias, getattr(layer, "bias_quantizer_internal", None), "bias")
            if config["use_bias"]:
                config["bias_quantizer"] = FixedPoint(_text(shift.type))
        make = QDepthwiseConv1D if kind == "DepthwiseConv1D" else getattr(qkeras, f"Q{kind}")
        if scale is not None:
            config["name"] = self._named(f"{node.name}_weights")
        weights = [own.values] if shift is None or scale is not None else [own.values, shift.values]
        found = self._additions.call(make(**config), tensor, weights)
        if scale is None:
            return found
        offset = 0.0 if shift is None else shift.values
        return self._additions.scaled(found, to_grid(scale, _BITS), to_grid(offset, _OFFSET_BITS), node.name)

    def _constant(self, node: graph.Node, values: Any, quantizer: Any, what: str) -> tuple[Constant, Any]:
        """Weights as a quantizer makes them, and what each channel's are to be multiplied by (None: nothing)."""
        import numpy as np
        import tensorflow as tf

        where = f"{node.name} ({what})"
        if quantizer is None:
            bits = _BITS if what == "kernel" else _OFFSET_BITS
            own = quantizers.grid(bits, best_integer_bits(values, bits, True), True)
            told = f"its {what}, which has no quantizer, is put on {own}"
            self.approximated[node.name] = "; ".join((*filter(None, [self.approximated.get(node.name)]), told))
            return Constant(own.mantissas(own.quantize_array(values)), own), None
        try:
            return constant(values, quantizer, where), None
        except ModelError:
            pass  # a scale of its own, or values of another kind: as QKeras gives them
        given = np.asarray(quantizer(tf.constant(values, tf.float32)), np.float64)
        try:
            return grid_constant(_snapped(given, where), where), None
        except ModelError:
            if what != "kernel":
                raise
        scale = np.broadcast_to(
            np.asarray(getattr(quantizer, "scale", None), np.float64), (*(1,) * (given.ndim - 1), given.shape[-1])
        )
        if "Depthwise" in node.kind or not np.isfinite(scale).all() or not scale.all():
            raise ModelError(
                f"layer {where}: values on a fixed-point grid wanted, not those of {type(quantizer).__name__}"
            )
        self.approximated[node.name] = f"its scales, no powers of two, are put on a grid of {_BITS} bits"
        return grid_constant(_snapped(given / scale, where), where), scale.ravel()

    def _batch_norm(self, node: graph.Node, layer: Any, tensor: Any) -> Any:
        check_axis(node)
        scale, offset = scale_and_offset(layer)
        if not is_scale(layer):
            self.approximated[node.name] = f"its scales and offsets are put on grids of {_BITS} and {_OFFSET_BITS} bits"
            scale, offset = to_grid(scale, _BITS), to_grid(offset, _OFFSET_BITS)
        return self._additions.scaled(tensor, scale, offset, node.name)


_SHAPING = (
    "name", "filters", "units", "kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier", "data_format",
)  # fmt: skip


def _snapped(values: Any, where: str) -> Any:
    """Values without what float32 got wrong in their last bits.

    Raises:
        ModelError: they have more bits than that.
    """
    import numpy as np

    largest = float(np.abs(values).max(initial=0.0))
    if not largest:
        return values
    exponent = int(np.ceil(np.log2(largest))) - _SNAP_BITS
    snapped = np.ldexp(np.rint(np.ldexp(values, -exponent)), exponent)
    if np.abs(snapped - values).max() > largest * 2.0**-22:
        raise ModelError(f"layer {where}: values on a fixed-point grid of at most {_SNAP_BITS} bits wanted")
    return snapped


def _text(own: FixedPointType) -> str:
    """A type as a quantizer of ours takes it."""
    return str(quantizers.grid(own.width, own.integer_bits - own.signed, own.signed))
