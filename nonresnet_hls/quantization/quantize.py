"""A float Keras model as a QKeras model: batch norms folded, weights and activations on fixed-point grids.

With weights of 3 to 16 bits, batch norms are folded into weights and bias where they can be. Others (behind a sum or
an activation; all of them with 1-bit weights, +1 and -1) stay as batch norms while the model trains, and `finish` turns
them into a scale and an offset on a grid, as a batch norm with epsilon 0, mean 0 and variance 1.
"""

from collections.abc import Callable
from typing import Any

from nonresnet_hls import progress
from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import activations, graph
from nonresnet_hls.networks.activations import Activation
from nonresnet_hls.networks.additions import Additions
from nonresnet_hls.networks.decomposition import decompose
from nonresnet_hls.networks.fold import fold_batch_norms, fold_into_next, is_scale, scale_and_offset
from nonresnet_hls.networks.prediction import called
from nonresnet_hls.quantization import quantizers
from nonresnet_hls.quantization.ranges import grid_constant, quantized_constants
from nonresnet_hls.recipe import Quantization

BIAS_BITS = 16
SCALE_BITS = 8
"""Of a batch norm that stays: sign included, the largest scale of the layer uses them all."""
OFFSET_BITS = 12
_MOST_OFFSET_BITS = 20
_LEAST_INTEGER_BITS = -32
"""Of a grid: what is smaller than that does nothing but widen sums."""

_CALIBRATION_BATCH = 64
_CALIBRATION_VALUES = 1 << 15
"""Of each tensor and batch, drawn at random: all values of all tensors of a 20-layer network would take gigabytes."""

_WEIGHTED = ("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "Dense")
_QUANTIZED = tuple(f"Q{kind}" for kind in _WEIGHTED)
_ACTIVATIONS = ("ReLU", "Activation", "LeakyReLU", "PReLU", "ELU", "ThresholdedReLU", "Softmax")
_PASSING = (
    "MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "ZeroPadding1D", "ZeroPadding2D",
    "UpSampling1D", "UpSampling2D", "Flatten", "Reshape",
)  # fmt: skip
_AVERAGING = ("AveragePooling1D", "AveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D")
_MERGING = ("Add", "Subtract", "Multiply", "Concatenate", "Maximum", "Minimum")

_MISSING = "hls4ml has no transposed convolutions; up-sampling and a convolution are taken"

_LEAST_TABLE_BITS = 10
_MOST_TABLE_BITS = 14
"""Of the arguments of tables: 2^10 entries are hls4ml's own choice; of more than 2^14 each channel takes block RAMs."""


def is_quantized(model: Any) -> bool:
    """Whether the model has QKeras layers already."""
    return any(type(layer).__module__.startswith("qkeras") for layer in model.layers)


def quantize(model: Any, config: Quantization, samples: Any, only: Callable[[str], bool] = lambda _: True) -> Any:
    """A QKeras model with the structure of `model`, its weights, and ranges of activations fitted to `samples`.

    Args:
        model: functional float model of the layers that `_RULES` in `arithmetic` names, and their Keras twins.
        config: bits.
        samples: (n, *input shape) float32 inputs, used to choose the integer bits of each activation; of several inputs
            records, in the model's order.
        only: which layers (by name) are quantized; the others stay as they are.

    A softmax at the end is left out (it does not change the order of the classes), as are dropouts.

    Raises:
        ModelError: a layer cannot be quantized; names it.
    """
    grouped = [layer.name for layer in model.layers if getattr(layer, "groups", 1) != 1 and only(layer.name)]
    if config.weight_bits == 1 and grouped:
        raise ModelError(f"layer {grouped[0]}: 1 group wanted with weights of 1 bit, which have no zeros")
    model = decompose(model)
    if config.weight_bits > 1:
        model = fold_into_next(fold_batch_norms(model, only), only)
    return _Quantizer(model, config, samples, only).model()


class _Quantizer:
    """Makes the quantized twin of a model, layer by layer."""

    def __init__(self, model: Any, config: Quantization, samples: Any, only: Callable[[str], bool]) -> None:
        self._config, self._only = config, only
        network = graph.nodes(model)
        self._ranges = _activation_values(model, network, samples, only)
        self._used_by = graph.consumers(network)
        self._outputs = graph.output_names(model)
        self._layers = {layer.name: layer for layer in model.layers}
        self._positive = _never_negative(network)
        self._additions = Additions(model)
        self._named = self._additions.named

    def model(self) -> Any:
        return self._additions.rebuilt(self._replace)

    def _replace(self, node: graph.Node, inputs: list[Any]) -> Any:
        layer, kind = node.layer, node.kind
        if not self._only(node.name):
            return graph.copied(node, inputs)
        applied = activations.of(layer)
        if applied.name == activations.SOFTMAX:
            if self._used_by[node.name] or node.name not in self._outputs:
                raise ModelError(f"layer {node.name}: softmax wanted at the end only")
            if kind in _ACTIVATIONS:
                return inputs[0]
            applied = Activation(activations.LINEAR)
        if kind in _WEIGHTED:
            twin = _quantized_twin(layer, self._layers[node.name], self._config, self._ranges[node.name])
            tensor = graph.call(twin, inputs)
            if applied.name == activations.LINEAR:
                return self._feeding(node, tensor)
            return self._nonlinear(
                node, applied, tensor, "_relu" if applied.name == activations.RELU else "_activation"
            )
        if kind in _ACTIVATIONS and applied.name != activations.LINEAR:
            return self._nonlinear(node, applied, inputs[0], "")
        if kind in (*_PASSING, "Activation"):
            return graph.copied(node, inputs)
        if kind in _AVERAGING:
            tensor = graph.copied(node, inputs)
            return self._rounded(node, tensor, "_q", node.inputs[0] in self._positive)
        if kind in ("BatchNormalization", *_MERGING):
            return self._feeding(node, graph.copied(node, inputs))
        why = f": {_MISSING}" if kind.endswith("Transpose") else ""
        raise ModelError(f"layer {node.name}: {kind} cannot be quantized{why}")

    def _rounded(self, node: graph.Node, tensor: Any, suffix: str, relu: bool) -> Any:
        """A tensor on the grid that fits the values of a node, through a ReLU or as they are."""
        bits = self._config.activation_bits
        if not relu and bits == 1:  # of which QKeras makes -1 and +1
            wanted = "2 or more activation bits wanted, since its output can be negative"
            raise ModelError(f"layer {node.name}: {wanted}, not 1")
        name = self._named(node.name + suffix) if suffix else node.name
        quantizer = quantizers.activation(bits, best_integer_bits(self._ranges[node.name], bits, not relu), relu, name)
        return graph.call(quantizer, [tensor])

    def _nonlinear(self, node: graph.Node, applied: Activation, tensor: Any, suffix: str) -> Any:
        """What stands for an activation; the layer that ends it is called as the node, and `suffix`."""
        import numpy as np
        from tensorflow import keras

        from nonresnet_hls.networks import grids

        def part(of: str) -> str:
            return self._named(f"{node.name}{of}")

        if applied == Activation(activations.RELU):
            return self._rounded(node, tensor, suffix, True)
        if applied.name == activations.RELU and applied.max_value is not None:
            return self._clipped(node, tensor, suffix, applied.max_value)
        if applied.name == activations.LEAKY_RELU and applied.slope is not None:
            slope = float(
                to_grid(applied.slope, self._config.weight_bits if self._config.weight_bits > 1 else SCALE_BITS)
            )
            if slope != applied.slope:
                progress.say(f"layer {node.name}: the slope {applied.slope:g} is rounded to {slope:g}")
            leaky = keras.layers.LeakyReLU(slope, name=part("_leaky"))(tensor)
            return self._rounded(node, leaky, suffix or "_q", False)
        if applied.name == activations.PRELU and node.kind == "PReLU":
            return self._rounded(node, self._prelu(node, tensor, part("_leaky")), suffix or "_q", False)
        if applied.name == activations.ELU and applied.slope is not None and applied.slope > 0:
            bits = self._config.activation_bits
            values, least = self._ranges[node.name], -float(grids.FixedPointElu.span)
            at = quantizers.activation(
                _MOST_TABLE_BITS, best_integer_bits(np.append(values, least), _MOST_TABLE_BITS, True), False,
                part("_argument"),
            )(tensor)  # fmt: skip
            alpha = float(to_grid(applied.slope, SCALE_BITS))
            if alpha != applied.slope:
                progress.say(f"layer {node.name}: alpha {applied.slope:g} is rounded to {alpha:g}")
            # The table is of the same type, and holds what alpha is multiplied with.
            held = np.where(values < 0, values / min(alpha, 1.0), values)
            own = quantizers.grid(bits, best_integer_bits(held, bits, True), True)
            name = self._named(node.name + suffix) if suffix else node.name
            return grids.FixedPointElu(alpha, 1 << min(bits + 4, _MOST_TABLE_BITS), str(own), name=name)(at)
        if applied.name == activations.HARD_SIGMOID:
            scaled = self._scale(tensor, 0.2, 0.5, part("_slope"))
            return self._clipped(node, scaled, suffix, 1.0)
        if applied.name in grids.TABLES:
            argument_bits = min(max(self._config.activation_bits + 2, _LEAST_TABLE_BITS), _MOST_TABLE_BITS)
            integer_bits = grids.TABLES[applied.name].bit_length() - 2  # without sign: half of the span
            at = quantizers.activation(argument_bits, integer_bits, False, part("_argument"))(tensor)
            positive = applied.name in ("sigmoid", "softplus")
            bits = self._config.activation_bits
            own = quantizers.grid(bits, best_integer_bits(self._ranges[node.name], bits, not positive), not positive)
            name = self._named(node.name + suffix) if suffix else node.name
            return grids.FixedPointTable(applied.name, 1 << argument_bits, str(own), name=name)(at)
        known = f"relu, relu6, leaky_relu, elu, hard_sigmoid, {', '.join(grids.TABLES)}, linear or a final softmax"
        raise ModelError(f"layer {node.name}: activation {known} wanted, not {applied}")

    def _prelu(self, node: graph.Node, tensor: Any, name: str) -> Any:
        """A PReLU with a slope for each number, on a grid."""
        import numpy as np
        from tensorflow import keras

        (slopes,) = self._layers[node.name].get_weights()
        own = to_grid(slopes, max(self._config.weight_bits, SCALE_BITS))
        layer = keras.layers.PReLU(trainable=False, name=name)
        return self._additions.call(layer, tensor, [np.broadcast_to(own, tensor.shape[1:])])

    def _clipped(self, node: graph.Node, tensor: Any, suffix: str, most: float) -> Any:
        """min(relu(x), most) on a grid: as most - relu(most - relu(x)) where the grid goes on beyond `most`."""
        from tensorflow import keras

        bits = self._config.activation_bits
        integer_bits = best_integer_bits(self._ranges[node.name], bits, False)
        own = quantizers.grid(bits, integer_bits, False)
        if float(own.max) <= most:
            return self._rounded(node, tensor, suffix, True)
        end = float(own.quantize_array(most))
        if end != most:
            progress.say(f"layer {node.name}: clips at {end:g}, not at {most:g}, which {own} does not hold")
        name = self._named(f"{node.name}_rectified")
        rectified = quantizers.activation(bits, integer_bits, True, name)(tensor)
        beyond = self._scale(rectified, -1.0, end, self._named(f"{node.name}_rest"))
        beyond = keras.layers.ReLU(name=self._named(f"{node.name}_left"))(beyond)
        return self._scale(beyond, -1.0, end, self._named(node.name + suffix) if suffix else node.name)

    def _scale(self, tensor: Any, scale: float, offset: float, name: str) -> Any:
        """A tensor times a scale, plus an offset, both on a grid."""
        own = to_grid(scale, max(self._config.weight_bits, SCALE_BITS))
        return self._additions.scaled(tensor, own, offset, name)

    def _feeding(self, node: graph.Node, tensor: Any) -> Any:
        """Quantize a linear tensor where a layer multiplies it: products of wide sums would explode."""
        if any(self._is_factor(user) for user in self._used_by[node.name]):
            return self._rounded(node, tensor, "_q", False)
        return tensor

    def _is_factor(self, user: graph.Node) -> bool:
        """Whether a layer, or what it passes its input on to, multiplies it."""
        if not self._only(user.name):
            return False
        # Of 1-bit weights the sum is short, and its scale a part of the layer.
        kinds = (*_WEIGHTED, "Multiply", *(("BatchNormalization",) if self._config.weight_bits > 1 else ()))
        return user.kind in kinds or (
            user.kind in _PASSING and any(self._is_factor(reader) for reader in self._used_by[user.name])
        )


def _never_negative(network: list[graph.Node]) -> set[str]:
    """Layers whose outputs cannot be negative: what comes from ReLUs and their like alone."""
    found: set[str] = set()
    for node in network:
        passes = node.kind in (*_PASSING, *_AVERAGING, "Add", "Multiply", "Concatenate")
        rectified = activations.of(node.layer).name in (
            activations.RELU,
            activations.HARD_SIGMOID,
            "sigmoid",
            "softplus",
        )
        if rectified or (passes and all(name in found for name in node.inputs)):
            found.add(node.name)
    return found


def finish(model: Any) -> Any:
    """The trained QKeras model as it is deployed: every constant exactly on its grid.

    Weights are replaced by their quantized values (QKeras' straight-through form w + (q(w) - w) is exact then), and
    batch norms that stayed by a scale and an offset on a grid. What is so already stays as it is.

    Raises:
        ModelError: a layer has weights but no quantizer that is known; names it.
    """
    import numpy as np
    from tensorflow import keras

    scaled = put_on_grid(model)

    def replace(node: graph.Node, inputs: list[Any]) -> Any:
        if node.name in scaled:
            fixed = keras.layers.BatchNormalization(epsilon=0.0, name=node.name)
            return fixed(inputs[0])
        return graph.copied(node, inputs)

    result = graph.rebuild(model, replace)
    graph.carry_weights(model, result)
    scale_bits, offset_bits = _batch_norm_bits(model)
    for node in graph.nodes(model):
        target = result.get_layer(node.name)
        if node.name in scaled:
            with np.errstate(invalid="ignore"):
                scale, offset = scale_and_offset(node.layer)
            if not (np.isfinite(scale).all() and np.isfinite(offset).all()):
                raise ModelError(f"layer {node.name}: a batch norm of finite scale and offset wanted")
            zeros, ones = np.zeros_like(scale), np.ones_like(scale)
            target.set_weights([to_grid(scale, scale_bits), to_grid(offset, offset_bits), zeros, ones])
        elif node.layer.weights and node.kind not in ("BatchNormalization", "PReLU"):
            if node.kind not in _QUANTIZED:
                wanted = f"{', '.join(_QUANTIZED)} or BatchNormalization wanted of layers with weights"
                raise ModelError(f"layer {node.name}: {wanted}, not {node.kind}")
            target.set_weights(quantized_constants(node))
    return result


def put_on_grid(model: Any) -> list[str]:
    """The batch norms of a model that `finish` makes a scale and an offset of."""
    kept = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    return [layer.name for layer in kept if not (is_scale(layer) and _is_on_grid(layer))]


def _is_on_grid(batch_norm: Any) -> bool:
    """Whether scales and offsets have few bits already."""
    try:
        constants = [grid_constant(values, batch_norm.name) for values in scale_and_offset(batch_norm)]
    except ModelError:
        return False
    return all(constant.type.width <= _MOST_OFFSET_BITS for constant in constants)


def _batch_norm_bits(model: Any) -> tuple[int, int]:
    """Bits of scales and offsets: as many as the weights of the model have, but enough for those of 1-bit weights."""
    own = [
        getattr(layer, f"{role}_quantizer_internal", None) for layer in model.layers for role in ("kernel", "depthwise")
    ]
    bits = max((int(getattr(one, "bits", 1)) for one in own if one is not None), default=SCALE_BITS)
    return max(bits, SCALE_BITS), max(min(bits + 4, _MOST_OFFSET_BITS), OFFSET_BITS)


def to_grid(values: Any, bits: int) -> Any:
    """Nearest values on the finest power-of-two grid on which the largest needs no more than `bits` (signed)."""
    import numpy as np

    largest = float(np.abs(values).max())
    exponent = int(np.floor(np.log2(largest))) + 2 - bits if largest > 0 else 0
    mantissas = np.clip(np.rint(np.ldexp(values, -exponent)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return np.ldexp(mantissas, exponent)


def _quantized_twin(layer: Any, with_weights: Any, config: Quantization, outputs: Any) -> Any:
    import qkeras

    values = with_weights.get_weights()
    own = layer.get_config()
    binary = config.weight_bits == 1
    kernel = quantizers.binary()
    if not binary:
        kernel = quantizers.signed(config.weight_bits, best_integer_bits(values[0], config.weight_bits, True))
    kind = type(layer).__name__
    role = "depthwise_quantizer" if kind.startswith("Depthwise") else "kernel_quantizer"
    own |= {"activation": None, role: kernel}
    if own.pop("groups", 1) != 1:
        raise ModelError(f"layer {layer.name}: 1 group wanted, not {layer.groups}")
    if layer.use_bias:
        own["bias_quantizer"] = quantizers.signed(BIAS_BITS, _bias_integer_bits(values[1], outputs))
    if kind == "DepthwiseConv1D":
        from nonresnet_hls.networks.grids import QDepthwiseConv1D

        return QDepthwiseConv1D(**own)
    twin: Any = getattr(qkeras, f"Q{kind}")
    return twin(**own)


def _covering_integer_bits(values: Any) -> int:
    """The least integer bits (without sign, negative where all are below 1/2) that hold the largest of `values`."""
    import numpy as np

    largest = float(np.abs(values).max(initial=0.0))
    return max(int(np.ceil(np.log2(largest))), _LEAST_INTEGER_BITS) if largest > 0 else 0


def best_integer_bits(values: Any, bits: int, signed: bool) -> int:
    """Integer bits (without sign) that quantize `values` with the least squared error, over all powers of two."""
    import numpy as np

    most = _covering_integer_bits(values)
    if bits == 1 and not signed:
        return most

    def error(integer_bits: int) -> float:
        of = quantizers.grid(bits, integer_bits, signed)
        mantissas = np.clip(np.rint(np.ldexp(values, of.fraction_bits)), of.min_mantissa, of.max_mantissa)
        return float(np.square(np.ldexp(mantissas, -of.fraction_bits) - values).mean())

    # From the top: of equal errors the wider range wins. Narrower than this and nearly everything saturates.
    return min(range(most + 1, most - bits, -1), key=error)


def _bias_integer_bits(bias: Any, outputs: Any) -> int:
    """Integer bits of a bias: its range, but no finer than what matters beside the layer's outputs."""
    return max(_covering_integer_bits(bias), min(_covering_integer_bits(outputs), 0))


def _activation_values(
    model: Any, network: list[graph.Node], samples: Any, only: Callable[[str], bool]
) -> dict[str, Any]:
    """Values of tensors that might be quantized, when the float model sees `samples`, by layer."""
    import numpy as np
    from tensorflow import keras

    wanted = [node for node in network if node.inputs and only(node.name)]
    if not wanted:
        raise ModelError(f"model {model.name}: at least one layer to quantize wanted")
    probe = keras.Model(model.inputs, [node.layer.output for node in wanted])
    rng = np.random.default_rng(0)
    values: dict[str, list[Any]] = {node.name: [] for node in wanted}
    for start in range(0, len(samples), _CALIBRATION_BATCH):
        found = called(probe, samples[start : start + _CALIBRATION_BATCH])
        for node, tensor in zip(wanted, found if len(wanted) > 1 else [found], strict=True):
            flat = tensor.ravel()
            odd = flat[~np.isfinite(flat)]
            if odd.size:
                raise ModelError(f"layer {node.name}: finite outputs wanted, not {odd[0]}")
            if flat.size > _CALIBRATION_VALUES:
                flat = flat[rng.integers(0, flat.size, _CALIBRATION_VALUES)]
            values[node.name].append(flat.astype(np.float64))
    return {name: np.concatenate(parts) for name, parts in values.items()}
