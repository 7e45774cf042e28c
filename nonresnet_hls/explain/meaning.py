"""What a Keras or QKeras model means: every layer evaluated in float64, its quantizers exactly.

Keras itself computes in float32, which holds 24 bits. Here a layer is a step from float64 arrays to a float64 array,
an activation inside a layer a step of its own, as hls4ml makes it one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.networks import activations, graph
from nonresnet_hls.quantization import quantizers


class Role(StrEnum):
    """What a step does with its numbers."""

    INPUT = "input"
    PRODUCTS = "products"
    """Convolution or dense: weights times numbers, summed up."""
    SCALE = "scale"
    """A factor and an offset for each channel."""
    QUANTIZER = "quantizer"
    ACTIVATION = "activation"
    OTHER = "other"
    """Pooling, merging, moving."""


@dataclass(frozen=True, eq=False)
class Step:
    """One layer, or the activation inside one."""

    name: str
    """As hls4ml calls it."""
    layer: str
    """As Keras calls the layer that it is of."""
    inputs: tuple[str, ...]
    role: Role
    run: Callable[[Sequence[Any]], Any] = field(repr=False)
    """From (samples, ...) float64 arrays to one."""
    shape: tuple[int, ...]
    """Of a sample."""
    told: str = ""
    """In words, where it is an activation or quantizer."""
    quantizer: FixedPointType | None = None
    """What an exact quantizer rounds to."""
    kernel: Any = None
    """float64, products x outputs, in the order of the exact network; of a scale the factors. None: no weights."""
    bias: Any = None
    """float64, one for each output."""
    depthwise: bool = False
    exact: bool = True
    """Whether the weights are on a grid, as a quantizer makes them."""
    remade: Callable[[Any, Any], Callable[[Sequence[Any]], Any]] | None = field(default=None, repr=False)
    """The same layer with another kernel and bias, of the shapes above."""


@dataclass(frozen=True, eq=False)
class Meaning:
    """The steps of a model, in the order in which the data flows."""

    name: str
    steps: Mapping[str, Step]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    quantized: bool
    """Whether the model has quantizers: then the values of the hardware can be these, exactly."""

    def evaluate(
        self, given: Mapping[str, Any], wanted: Iterable[str], only: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """The values of some steps, of values of others.

        Args:
            given: (samples, ...) arrays by step, which are not computed.
            wanted: steps whose values are returned.
            only: the steps that may be computed; None: all.
        """
        values = {name: _shaped(self.steps[name], value) for name, value in given.items()}
        allowed = set(self.steps if only is None else only)
        for name, step in self.steps.items():
            if (
                name not in values
                and name in allowed
                and all(source in values for source in step.inputs)
                and step.inputs
            ):
                values[name] = step.run([values[source] for source in step.inputs])
        return {name: values[name] for name in wanted}

    def readers(self) -> dict[str, list[str]]:
        """For each step, those that read it."""
        found: dict[str, list[str]] = {name: [] for name in self.steps}
        for name, step in self.steps.items():
            for source in step.inputs:
                found[source].append(name)
        return found


def _shaped(step: Step, value: Any) -> Any:
    import numpy as np

    return np.asarray(value, np.float64).reshape(len(value), *step.shape)


def of(model: Any) -> Meaning:
    """The meaning of a functional or sequential model.

    Raises:
        ModelError: a layer is shared, or none that can be computed by itself; names it.
    """
    steps: dict[str, Step] = {}
    last: dict[str, str] = {}
    for node in graph.nodes(model):
        try:
            made = _steps(node, tuple(last[name] for name in node.inputs))
        except (TypeError, ValueError, AttributeError, LookupError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"layer {node.name}: {node.kind} cannot be computed in float64: {reason}") from error
        for step in made:
            steps[step.name] = step
        last[node.name] = made[-1].name
    inputs = tuple(tensor._keras_history.layer.name for tensor in model.inputs)
    outputs = tuple(last[name] for name in graph.output_names(model))
    quantized = any(step.role is Role.QUANTIZER or (step.kernel is not None and step.exact) for step in steps.values())
    return Meaning(str(model.name), steps, inputs, outputs, quantized)


def _steps(node: graph.Node, inputs: tuple[str, ...]) -> list[Step]:
    if not inputs:
        return [Step(node.name, node.name, (), Role.INPUT, lambda values: values[0], node.output_shape)]
    kind = node.kind
    if kind == "QActivation":
        return [_activation(node, node.name, inputs, node.layer.quantizer)]
    if kind == "FixedPointActivation":
        return [_quantizer(node, node.name, inputs, node.layer.quantizer.type, node.layer.quantizer.type.min)]
    if kind == "FixedPointTable":
        return [_table(node, inputs)]
    if kind in ("Activation", "ReLU"):
        return [_activation(node, node.name, inputs, getattr(node.layer, "activation", None))]
    if "Separable" in kind:
        return _separable(node, inputs)
    if any(part in kind for part in ("Conv", "Dense")):
        made = [_products(node, inputs)]
    elif kind in ("BatchNormalization", "QBatchNormalization"):
        made = [_scale(node, inputs)]
    else:
        made = [_plain(node, inputs)]
    inside = getattr(node.layer, "activation", None)
    if kind not in ("Softmax", "LeakyReLU", "PReLU", "ELU") and inside is not None and _name(inside) != "linear":
        made.append(_activation(node, f"{node.name}_{_name(inside)}", (made[-1].name,), inside))
    return made


def _name(function: Any) -> str:
    """As hls4ml calls an activation in the names of its layers."""
    if isinstance(function, str):
        return function
    name = getattr(function, "__name__", None)
    return str(name) if name is not None else type(function).__name__


# Layers without weights


def _eager(layer: Any) -> Callable[[Sequence[Any]], Any]:
    """A Keras layer that computes in float64, from arrays to an array."""

    def run(values: Sequence[Any]) -> Any:
        import tensorflow as tf

        tensors = [tf.constant(value) for value in values]
        return graph.call(layer, tensors).numpy()

    return run


def _double(node: graph.Node, **more: Any) -> Any:
    """A copy of a layer that computes in float64, with its weights."""
    import numpy as np
    import tensorflow as tf

    config = graph.config_of(node.layer) | {"dtype": "float64"} | more
    copy = type(node.layer).from_config(config)
    shapes = node.layer.input_shape
    shapes = shapes if isinstance(shapes, list) else [shapes]
    graph.call(copy, [tf.zeros((1, *shape[1:]), tf.float64) for shape in shapes])
    if copy.weights:
        copy.set_weights([np.asarray(value, np.float64) for value in node.layer.get_weights()])
    return copy


def _plain(node: graph.Node, inputs: tuple[str, ...]) -> Step:
    config = graph.config_of(node.layer)
    copy = _double(node, **({"activation": "linear"} if "activation" in config else {}))
    role = Role.ACTIVATION if node.kind in ("Softmax", "LeakyReLU", "PReLU", "ELU", "ThresholdedReLU") else Role.OTHER
    told = str(activations.of(node.layer)) if role is Role.ACTIVATION else ""
    return Step(node.name, node.name, inputs, role, _eager(copy), node.output_shape, told)


def _activation(node: graph.Node, name: str, inputs: tuple[str, ...], function: Any) -> Step:
    """An activation or a quantizer, as layer or inside one."""
    import numpy as np
    import tensorflow as tf
    from tensorflow import keras

    while type(function).__name__ == "Activation":
        function = function.activation
    if type(function).__module__.startswith(("qkeras", "nonresnet_hls")) and not hasattr(function, "__name__"):
        try:
            kind = quantizers.type_of(function, node.name)
        except ModelError:
            # Known to QKeras alone: in its float32.
            def single(values: Sequence[Any]) -> Any:
                return np.asarray(function(tf.constant(values[0], tf.float32)), np.float64)

            return Step(name, node.name, inputs, Role.QUANTIZER, single, node.output_shape, _name(function))
        if type(function).__name__ == "binary":
            return Step(
                name, node.name, inputs, Role.QUANTIZER, lambda values: np.where(values[0] >= 0, 1.0, -1.0),
                node.output_shape, "binary", None,
            )  # fmt: skip
        return _quantizer(node, name, inputs, kind, quantizers.least_value(function, kind))
    if node.kind == "ReLU" and function is None:
        run, told = _eager(_double(node)), str(activations.of(node.layer))
    else:
        told = str(activations.of(node.layer))
        run = _eager(keras.layers.Activation(function, dtype="float64"))
    return Step(name, node.name, inputs, Role.ACTIVATION, run, node.output_shape, told)


def _quantizer(node: graph.Node, name: str, inputs: tuple[str, ...], kind: FixedPointType, least: Fraction) -> Step:
    import numpy as np

    def run(values: Sequence[Any]) -> Any:
        return np.maximum(kind.quantize_array(values[0]), float(least))

    return Step(name, node.name, inputs, Role.QUANTIZER, run, node.output_shape, f"a quantizer to {kind}", kind)


def _table(node: graph.Node, inputs: tuple[str, ...]) -> Step:
    import numpy as np

    layer = node.layer
    values_of = np.ldexp(np.array(layer.mantissas, np.float64), -layer.type.fraction_bits)
    told = f"{layer.function} in a table of {layer.size}"
    return Step(
        node.name, node.name, inputs, Role.ACTIVATION, lambda values: values_of[layer.indices(values[0])],
        node.output_shape, told,
    )  # fmt: skip


# Layers with weights


def _constants(node: graph.Node) -> tuple[list[Any], bool]:
    """Kernel and bias (or None) as float64, after their quantizers, and whether these are there."""
    import numpy as np
    import tensorflow as tf

    layer = node.layer
    role = "depthwise" if "Depthwise" in node.kind else "kernel"
    if hasattr(layer, "get_folded_weights"):
        given: list[Any] = [np.asarray(value) for value in layer.get_folded_weights()]
    else:
        given = [*layer.get_weights(), None]
    kernel, bias = given[0], given[1]
    own = [getattr(layer, f"{which}_quantizer_internal", None) for which in (role, "bias")]
    values = [
        np.asarray(value if quantizer is None else quantizer(tf.constant(value)), np.float64)
        if value is not None
        else None
        for value, quantizer in zip((kernel, bias), own, strict=True)
    ]
    return values, own[0] is not None


def _products(node: graph.Node, inputs: tuple[str, ...]) -> Step:
    (kernel, bias), exact = _constants(node)
    depthwise = "Depthwise" in node.kind
    outputs = kernel.shape[-2] * kernel.shape[-1] if depthwise else kernel.shape[-1]
    return _of_weights(
        node.name, node.name, inputs, lambda: _keras_twin(node), kernel.reshape(-1, outputs), bias,
        tuple(node.layer.output_shape[1:]), depthwise, exact,
    )  # fmt: skip


def _of_weights(
    name: str,
    layer: str,
    inputs: tuple[str, ...],
    build: Callable[[], Any],
    kernel: Any,
    bias: Any,
    shape: tuple[int, ...],
    depthwise: bool,
    exact: bool,
) -> Step:
    """A step of products; `build` makes a Keras layer in float64, with a bias, and leaves its weights to be set."""
    import numpy as np

    def remade(kernel: Any, bias: Any) -> Callable[[Sequence[Any]], Any]:
        copy = build()
        copy.set_weights([kernel.reshape(copy.weights[0].shape), bias])
        return _eager(copy)

    run = remade(kernel, np.zeros(kernel.shape[-1]) if bias is None else bias)
    return Step(
        name, layer, inputs, Role.PRODUCTS, run, shape,
        kernel=kernel, bias=bias, depthwise=depthwise, exact=exact, remade=remade,
    )  # fmt: skip


_SHAPING = (
    "name", "filters", "units", "kernel_size", "strides", "padding", "depth_multiplier", "dilation_rate", "groups",
    "data_format",
)  # fmt: skip


def _keras_twin(node: graph.Node) -> Any:
    """Keras' own layer of the kind, in float64, without activation; its weights are yet to be set."""
    from tensorflow import keras

    kind = node.kind.removeprefix("Q").removesuffix("Batchnorm")
    make = getattr(keras.layers, kind, None)
    if make is None:
        wanted = "a layer like one of Keras' own"
        raise ModelError(f"layer {node.name}: {wanted} wanted to compute it in float64, not {node.kind}")
    config = node.layer.get_config()
    shaping = {key: config[key] for key in _SHAPING if key in config}
    return _built(make(**shaping, use_bias=True, dtype="float64"), node.layer.input_shape[1:])


def _built(layer: Any, shape: Sequence[int]) -> Any:
    """A layer with weights, for samples of a shape."""
    import tensorflow as tf

    layer(tf.zeros((1, *shape), tf.float64))
    return layer


def _separable(node: graph.Node, inputs: tuple[str, ...]) -> list[Step]:
    """A separable convolution as the two that hls4ml makes of it."""
    import numpy as np
    import tensorflow as tf
    from tensorflow import keras

    layer, dims = node.layer, node.kind[-2:]
    given = [np.asarray(value, np.float64) for value in layer.get_weights()]
    roles = ["depthwise", "pointwise", "bias"] if layer.use_bias else ["depthwise", "pointwise"]
    exact = getattr(layer, "depthwise_quantizer_internal", None) is not None
    for index, role in enumerate(roles):
        own = getattr(layer, f"{role}_quantizer_internal", None)
        if own is not None:
            given[index] = np.asarray(own(tf.constant(given[index], tf.float32)), np.float64)
    shaping = {key: getattr(layer, key) for key in ("kernel_size", "strides", "padding", "depth_multiplier")}
    channels = given[0].shape[-2] * given[0].shape[-1]
    middle = (*node.output_shape[:-1], channels)

    def first() -> Any:
        make = getattr(keras.layers, f"DepthwiseConv{dims}")
        return _built(make(**shaping, use_bias=True, dtype="float64"), layer.input_shape[1:])

    def second() -> Any:
        return _built(getattr(keras.layers, f"Conv{dims}")(layer.filters, 1, dtype="float64"), middle)

    names = (f"{node.name}_depthwise", f"{node.name}_pointwise")
    bias = given[2] if layer.use_bias else None
    made = [
        _of_weights(
            names[0], node.name, inputs, first, given[0].reshape(-1, channels), None, middle, True, exact
        ),
        _of_weights(
            names[1], node.name, names[:1], second, given[1].reshape(-1, layer.filters), bias, node.output_shape,
            False, exact,
        ),
    ]  # fmt: skip
    if layer.activation is not None and _name(layer.activation) != "linear":
        made.append(_activation(node, f"{node.name}_{_name(layer.activation)}", names[1:], layer.activation))
    return made


def _scale(node: graph.Node, inputs: tuple[str, ...]) -> Step:
    import numpy as np

    layer = node.layer
    mean, variance = (np.asarray(value, np.float64) for value in (layer.moving_mean, layer.moving_variance))
    gamma = np.asarray(layer.gamma, np.float64) if layer.scale else np.ones_like(mean)
    beta = np.asarray(layer.beta, np.float64) if layer.center else np.zeros_like(mean)
    factor = gamma / np.sqrt(variance + layer.epsilon)
    offset = beta - mean * factor
    axis = layer.axis[0] if isinstance(layer.axis, list | tuple) else layer.axis
    rank = len(layer.input_shape)
    if axis not in (-1, rank - 1) or node.kind.startswith("Q"):
        return _plain(node, inputs)
    return Step(
        node.name, node.name, inputs, Role.SCALE, lambda values: values[0] * factor + offset, node.output_shape,
        kernel=factor, bias=offset, exact=False,
    )  # fmt: skip
