"""A float Keras model as a QKeras model: batch norms folded, weights and activations on fixed-point grids.

With weights of 3 to 16 bits, batch norms are folded into weights and bias first. With 1-bit weights (+1, -1) they
cannot be: there they stay as batch norms while the model trains, and `finish` turns them into a scale and an offset
on a grid, as a batch norm with epsilon 0, mean 0 and variance 1.
"""

from collections.abc import Callable
from typing import Any

from nonresnet_hls import progress
from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import activations, graph
from nonresnet_hls.quantization import quantizers
from nonresnet_hls.quantization.fold import fold_batch_norms, fold_into_next, is_scale, scale_and_offset
from nonresnet_hls.recipe import Quantization

BIAS_BITS = 16
SCALE_BITS = 8
"""Of a batch norm that stays: sign included, the largest scale of the layer uses them all."""
OFFSET_BITS = 12
_LEAST_INTEGER_BITS = -32
"""Of a grid: what is smaller than that does nothing but widen sums."""

_CALIBRATION_BATCH = 64
_CALIBRATION_VALUES = 1 << 15
"""Of each tensor and batch, drawn at random: all values of all tensors of a 20-layer network would take gigabytes."""

_WEIGHTED = ("Conv2D", "DepthwiseConv2D", "Dense")
_QUANTIZED = tuple(f"Q{kind}" for kind in _WEIGHTED)
_DROPPED = ("Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "ActivityRegularization")
_TRANSPARENT = ("MaxPooling2D", "GlobalMaxPooling2D", "ZeroPadding2D", "UpSampling2D", "Flatten", "Reshape")
_AVERAGING = ("AveragePooling2D", "GlobalAveragePooling2D")


def is_quantized(model: Any) -> bool:
    """Whether the model has QKeras layers already."""
    return any(type(layer).__module__.startswith("qkeras") for layer in model.layers)


def quantize(model: Any, config: Quantization, samples: Any, only: Callable[[str], bool] = lambda _: True) -> Any:
    """A QKeras model with the structure of `model`, its weights, and ranges of activations fitted to `samples`.

    Args:
        model: functional float model of the layers that `_RULES` in `arithmetic` names, and their Keras twins.
        config: bits.
        samples: (n, *input shape) float32 inputs, used to choose the integer bits of each activation.
        only: which layers (by name) are quantized; the others stay as they are.

    A softmax at the end is left out (it does not change the order of the classes), as are dropouts.

    Raises:
        ModelError: a layer cannot be quantized; names it.
    """
    if config.weight_bits > 1:
        model = fold_into_next(fold_batch_norms(model, only), only)
    network = graph.nodes(model)
    ranges = _activation_values(model, network, samples, only)
    used_by = graph.consumers(network)
    outputs = graph.output_names(model)
    layers = {layer.name: layer for layer in model.layers}
    positive = _never_negative(network)
    taken = {node.name for node in network}

    def named(wanted: str) -> str:
        """A name for a layer of ours that no layer of the model has."""
        while wanted in taken:
            wanted += "_"
        taken.add(wanted)
        return wanted

    def activation(name: str, of: str, relu: bool, tensor: Any) -> Any:
        bits, signed = config.activation_bits, not relu
        if signed and bits == 1:  # of which QKeras makes -1 and +1
            wanted = "2 or more activation bits wanted, since its output can be negative"
            raise ModelError(f"layer {of}: {wanted}, not 1")
        integer_bits = _integer_bits(ranges[of], bits, signed)
        return quantizers.activation(bits, integer_bits, relu, name)(tensor)

    def replace(node: graph.Node, inputs: list[Any]) -> Any:
        layer, kind = node.layer, node.kind
        if not only(node.name):
            return graph.copied(node, inputs)
        if kind in _DROPPED:
            return inputs[0]
        applied = activations.of(layer)
        name = applied.name
        if name == activations.SOFTMAX:
            if used_by[node.name] or node.name not in outputs:
                raise ModelError(f"layer {node.name}: softmax wanted at the end only")
            if kind in ("Softmax", "Activation"):
                return inputs[0]
            name = activations.LINEAR
        if applied.max_value is not None:
            progress.say(f"layer {node.name}: clips at the end of its type's range, not at {applied.max_value:g}")
        if kind in _WEIGHTED:
            tensor = _quantized_twin(layer, layers[node.name], config, ranges[node.name])(inputs[0])
            if name == activations.RELU:
                return activation(named(f"{node.name}_relu"), node.name, True, tensor)
            if name != activations.LINEAR:
                raise ModelError(f"layer {node.name}: activation relu, linear or a final softmax wanted, not {name}")
            return _feeding(node, tensor)
        if kind in ("ReLU", "Activation") and name == activations.RELU:
            return activation(node.name, node.name, True, inputs[0])
        if kind == "ReLU":
            raise ModelError(f"layer {node.name}: a ReLU without slope and threshold wanted, not {name}")
        if kind in _TRANSPARENT or (kind == "Activation" and name == activations.LINEAR):
            return graph.copy_layer(layer)(inputs[0])
        if kind in _AVERAGING:
            tensor = graph.copy_layer(layer)(inputs[0])
            return activation(named(f"{node.name}_q"), node.name, node.inputs[0] in positive, tensor)
        if kind == "BatchNormalization":
            if config.weight_bits > 1:
                raise ModelError(f"layer {node.name}: a batch norm right behind a convolution or dense layer wanted")
            return _feeding(node, graph.copy_layer(layer)(inputs[0]))
        if kind in ("Add", "Concatenate"):
            return _feeding(node, graph.copy_layer(layer)(inputs))
        raise ModelError(f"layer {node.name}: {kind} cannot be quantized")

    def _feeding(node: graph.Node, tensor: Any) -> Any:
        """Quantize a linear tensor where a layer with weights reads it: products of wide sums would explode."""
        feeds_weights = any(_reads_as_activation(user, used_by, only) for user in used_by[node.name])
        if not feeds_weights:
            return tensor
        return activation(named(f"{node.name}_q"), node.name, False, tensor)

    result = graph.rebuild(model, replace)
    graph.carry_weights(model, result)
    return result


def _never_negative(network: list[graph.Node]) -> set[str]:
    """Layers whose outputs cannot be negative: what comes from ReLUs alone."""
    found: set[str] = set()
    for node in network:
        passes = node.kind in (*_TRANSPARENT, *_AVERAGING, *_DROPPED, "Add", "Concatenate")
        rectified = activations.of(node.layer).name == activations.RELU
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

    from nonresnet_hls.quantization.arithmetic import quantized_constants

    scaled = put_on_grid(model)

    def replace(node: graph.Node, inputs: list[Any]) -> Any:
        if node.name in scaled:
            fixed = keras.layers.BatchNormalization(epsilon=0.0, name=node.name)
            return fixed(inputs[0])
        return graph.copied(node, inputs)

    result = graph.rebuild(model, replace)
    graph.carry_weights(model, result)
    for node in graph.nodes(model):
        target = result.get_layer(node.name)
        if node.name in scaled:
            with np.errstate(invalid="ignore"):
                scale, offset = scale_and_offset(node.layer)
            if not (np.isfinite(scale).all() and np.isfinite(offset).all()):
                raise ModelError(f"layer {node.name}: a batch norm of finite scale and offset wanted")
            zeros, ones = np.zeros_like(scale), np.ones_like(scale)
            target.set_weights([_to_grid(scale, SCALE_BITS), _to_grid(offset, OFFSET_BITS), zeros, ones])
        elif node.layer.weights and node.kind != "BatchNormalization":
            if node.kind not in _QUANTIZED:
                wanted = f"{', '.join(_QUANTIZED)} or BatchNormalization wanted of layers with weights"
                raise ModelError(f"layer {node.name}: {wanted}, not {node.kind}")
            target.set_weights(quantized_constants(node))
    return result


def put_on_grid(model: Any) -> list[str]:
    """The batch norms of a model that `finish` makes a scale and an offset of."""
    kept = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    return [layer.name for layer in kept if not is_scale(layer)]


def _to_grid(values: Any, bits: int) -> Any:
    """Nearest values on the finest power-of-two grid on which the largest needs no more than `bits` (signed)."""
    import numpy as np

    largest = float(np.abs(values).max())
    exponent = int(np.floor(np.log2(largest))) + 2 - bits if largest > 0 else 0
    mantissas = np.clip(np.rint(np.ldexp(values, -exponent)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return np.ldexp(mantissas, exponent)


def _reads_as_activation(user: graph.Node, used_by: dict[str, list[graph.Node]], only: Callable[[str], bool]) -> bool:
    if not only(user.name):
        return False
    if user.kind in _WEIGHTED:
        return True
    if user.kind in (*_TRANSPARENT, *_DROPPED):
        return any(_reads_as_activation(next_user, used_by, only) for next_user in used_by[user.name])
    return False


def _quantized_twin(layer: Any, with_weights: Any, config: Quantization, outputs: Any) -> Any:
    import qkeras

    values = with_weights.get_weights()
    own = layer.get_config()
    binary = config.weight_bits == 1
    kernel = quantizers.binary()
    if not binary:
        kernel = quantizers.signed(config.weight_bits, _integer_bits(values[0], config.weight_bits, True))
    role = "depthwise_quantizer" if type(layer).__name__ == "DepthwiseConv2D" else "kernel_quantizer"
    own |= {"activation": None, role: kernel}
    if own.pop("groups", 1) != 1:
        raise ModelError(f"layer {layer.name}: 1 group wanted, not {layer.groups}")
    if layer.use_bias:
        own["bias_quantizer"] = quantizers.signed(BIAS_BITS, _bias_integer_bits(values[1], outputs))
    twin: Any = getattr(qkeras, f"Q{type(layer).__name__}")
    return twin(**own)


def _covering_integer_bits(values: Any) -> int:
    """The least integer bits (without sign, negative where all are below 1/2) that hold the largest of `values`."""
    import numpy as np

    largest = float(np.abs(values).max(initial=0.0))
    return max(int(np.ceil(np.log2(largest))), _LEAST_INTEGER_BITS) if largest > 0 else 0


def _integer_bits(values: Any, bits: int, signed: bool) -> int:
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
        found = probe(samples[start : start + _CALIBRATION_BATCH], training=False)
        for node, tensor in zip(wanted, found if len(wanted) > 1 else [found], strict=True):
            flat = tensor.numpy().ravel()
            odd = flat[~np.isfinite(flat)]
            if odd.size:
                raise ModelError(f"layer {node.name}: finite outputs wanted, not {odd[0]}")
            if flat.size > _CALIBRATION_VALUES:
                flat = flat[rng.integers(0, flat.size, _CALIBRATION_VALUES)]
            values[node.name].append(flat.astype(np.float64))
    return {name: np.concatenate(parts) for name, parts in values.items()}
