"""A quantized Keras model as hls4ml `ModelGraph` and as HLS project on disk.

hls4ml is told the type of everything. What it would choose itself is wrong in places (global pooling, the rounding
of `quantized_relu`, sums before an `Add`), and its `bit_exact` mode does not return on residual QKeras models.
"""

import contextlib
import hashlib
import io
import math
import re
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from nonresnet_hls import guardian, samples
from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.types import FixedPointType, Overflow
from nonresnet_hls.hls.reuse import ReuseFactor
from nonresnet_hls.networks import graph as keras_graph
from nonresnet_hls.networks import names, saved
from nonresnet_hls.quantization import flattening
from nonresnet_hls.quantization.ranges import LayerArithmetic, ModelArithmetic
from nonresnet_hls.recipe import Backend, Hls

PROJECT = names.PROJECT

_BACKENDS = {Backend.VIVADO: "Vivado", Backend.VITIS: "Vitis"}

_DEFAULT_TYPE = "fixed<63,31>"
"""What hls4ml takes where no type was set: one that nobody has, and that no project is written with."""


def to_model_graph(
    model: Any,
    arithmetic: ModelArithmetic,
    reuse: dict[str, ReuseFactor],
    hls: Hls,
    directory: Path,
    trace: bool = False,
    backend: str | None = None,
) -> Any:
    """The hls4ml `ModelGraph` (io_stream) of a quantized model, every type set.

    Args:
        model: QKeras model, as `quantization.finish` leaves it.
        arithmetic: its types, from `quantization.infer`.
        reuse: the reuse factor of each layer with weights.
        hls: part, clock, strategy, backend.
        directory: where the project will be written.
        trace: whether the project can record the output of every layer.
        backend: another registered hls4ml backend than the recipe's.

    Raises:
        ConversionError: hls4ml cannot take a layer, or would compute with another type than ours; names it.
    """
    with quiet():  # of plugins that it cannot load
        import hls4ml

    _refuse(arithmetic)
    model_config = {
        "Precision": {"default": _DEFAULT_TYPE},
        "ReuseFactor": 1,
        "Strategy": str(hls.strategy).capitalize(),
        "TraceOutput": trace,
    }
    layer_config: dict[str, Any] = {}
    for name, layer in arithmetic.layers.items():
        layer_config |= _layer_config(layer, reuse.get(name), hls, trace)
    with quiet():
        try:
            graph = hls4ml.converters.convert_from_keras_model(
                as_hls4ml_knows_it(model),
                hls_config={"Model": model_config, "LayerName": layer_config},
                output_dir=str(directory),
                project_name=PROJECT,
                backend=backend or _BACKENDS[hls.backend],
                part=hls.part,
                clock_period=hls.clock_ns,
                io_type="io_stream",
                bit_exact=False,
            )
        # hls4ml raises bare Exceptions; its own words are all there is to say.
        except Exception as error:
            raise ConversionError(f"model {model.name}: hls4ml cannot take it: {one_line(error)}") from error
    _check_types(graph, arithmetic)
    return graph


def as_hls4ml_knows_it(model: Any) -> Any:
    """The model with plain Keras layers where its grids are ours, and the shapes that Keras found.

    hls4ml knows only QKeras' quantizers, and takes the -1 of a Reshape for a size. The values stay: constants are on
    their grids, and types are told to hls4ml apart from the model.
    """
    from tensorflow import keras

    if not any(_has_own_grid(layer) or _leaves_a_size_open(layer) for layer in model.layers):
        return model

    def replace(node: keras_graph.Node, inputs: list[Any]) -> Any:
        config = node.layer.get_config()
        if node.kind == "FixedPointTable":
            return keras.layers.Activation(node.layer.function, name=node.name)(inputs[0])
        if node.kind == "FixedPointElu":
            return keras.layers.ELU(node.layer.alpha, name=node.name)(inputs[0])
        if node.kind == "FixedPointActivation":
            signed = node.layer.quantizer.type.signed
            return keras.layers.Activation("linear" if signed else "relu", name=node.name)(inputs[0])
        if _leaves_a_size_open(node.layer):
            return keras.layers.Reshape(node.output_shape, name=node.name)(inputs[0])
        if _has_own_grid(node.layer):
            plain = getattr(keras.layers, node.kind.removeprefix("Q"))
            return plain(**{key: config[key] for key in _SHAPING if key in config})(inputs[0])
        return keras_graph.copied(node, inputs)

    twin = keras_graph.rebuild(model, replace)
    keras_graph.carry_weights(model, twin)
    return twin


_SHAPING = ("name", "filters", "units", "kernel_size", "strides", "padding", "depth_multiplier", "use_bias")
"""What of a layer's configuration decides what it computes; the rest is refused elsewhere, or of training."""


def _has_own_grid(layer: Any) -> bool:
    kind = type(layer).__name__
    if type(layer).__module__ == "nonresnet_hls.networks.grids" and kind != "QDenseBatchnorm":  # QKeras' own by rights
        return True
    quantizers = (getattr(layer, f"{role}_quantizer_internal", None) for role in ("kernel", "depthwise", "bias"))
    return any(type(one).__name__ == "FixedPoint" for one in (*quantizers, getattr(layer, "quantizer", None)))


def _leaves_a_size_open(layer: Any) -> bool:
    return type(layer).__name__ == "Reshape" and -1 in layer.target_shape


def one_line(error: Exception) -> str:
    """An error's text without line breaks."""
    return " ".join(str(error).split())


def _refuse(arithmetic: ModelArithmetic) -> None:
    """What hls4ml would take, but its C++ could not."""
    for name in flattening.misreading([layer.node for layer in arithmetic.layers.values()]):
        raise ConversionError(f"layer {name}: before the Flatten wanted, not behind it; {flattening.TOLD}")
    for name, layer in arithmetic.layers.items():
        if not names.suits(name, is_input=not layer.node.inputs):
            wanted = "a C++ identifier that is not reserved by hls4ml"
            raise ConversionError(f"layer {name!r}: {wanted} wanted as its name; rename the layer")
        if set(getattr(layer.node.layer, "dilation_rate", (1,))) != {1}:
            raise ConversionError(f"layer {name}: dilation 1 wanted, not {tuple(layer.node.layer.dilation_rate)}")
        if "Depthwise" in layer.node.kind and layer.node.layer.depth_multiplier != 1:
            raise ConversionError(f"layer {name}: depth_multiplier 1 wanted, not {layer.node.layer.depth_multiplier}")
        if layer.node.kind == "Reshape":
            before = arithmetic.layers[layer.node.inputs[0]].node.output_shape[-1]
            after = layer.node.output_shape[-1]
            if before % after and after % before:
                # repack_stream would drop values.
                wanted = f"a multiple or divisor of the {before} channels before"
                raise ConversionError(f"layer {name}: {wanted} wanted as its channels, not {after}")
        if "Pooling" in layer.node.kind and not layer.node.kind.startswith("Global"):
            size, steps = tuple(layer.node.layer.pool_size), tuple(layer.node.layer.strides)
            if size != steps:
                # Their C++ asserts these, which would end the process.
                raise ConversionError(f"layer {name}: strides {size} as the size of the pool wanted, not {steps}")
            if layer.node.layer.padding == "same" and any(
                n % step for n, step in zip(layer.node.layer.input.shape[1:-1], steps, strict=True)
            ):
                raise ConversionError(f"layer {name}: pooling without padding wanted")


def write(graph: Any, inputs: Any, outputs: Any, final: Path) -> None:
    """Write the project with its test bench data.

    Args:
        graph: from `to_model_graph`.
        inputs: (samples, *shape) values fed to the test bench; of several inputs records.
        outputs: (samples, classes) values that Keras gives for them; of several outputs records.
        final: where the project will be moved to; the path that its own configuration names.
    """
    directory = Path(graph.config.get_output_dir())
    with quiet():
        graph.write()
    for model in directory.glob("*.keras"):
        saved.normalize(model)  # hls4ml keeps the model that it was given, with the time
    _restamp(directory, str(graph.config.get_config_value("Stamp")))
    data = directory / "tb_data"
    data.mkdir(exist_ok=True)
    write_rows(data / "tb_input_features.dat", inputs)
    write_rows(data / "tb_output_predictions.dat", outputs)
    _refuse_default_types(directory / "firmware")
    _guard_apart(directory / "firmware" / "nnet_utils")
    _print_all_digits(directory / f"{PROJECT}_test.cpp")
    config = directory / "hls4ml_config.yml"
    # Folders above are the same, and written as YAML wants them to be, whatever characters they have.
    same = directory.parent == final.parent
    old, new = (directory.name, final.name) if same else (str(directory), str(final))
    config.write_text(config.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def _restamp(directory: Path, stamp: str) -> None:
    """Have equal designs make equal projects: name the library after what is in it, where hls4ml rolls the dice."""
    digest = hashlib.sha256()
    for path in sorted((directory / "firmware").rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    fixed = digest.hexdigest()[: len(stamp)]
    script, config = directory / "build_lib.sh", directory / "hls4ml_config.yml"
    script.write_text(script.read_text(encoding="utf-8").replace(stamp, fixed), encoding="utf-8")
    # In quotes whatever its letters: 12345678 and 123e4567 would be numbers without.
    text = re.sub(r"(?m)^Stamp: .*$", f"Stamp: '{fixed}'", config.read_text(encoding="utf-8"))
    config.write_text(text, encoding="utf-8")


def write_rows(path: Path, values: Any) -> None:
    """Write (samples, ...) values as the test bench reads them: a line per sample, all digits."""
    rows = samples.flat(values).tolist()
    path.write_text("".join(" ".join(f"{value:.17g}" for value in row) + "\n" for row in rows), encoding="ascii")


@dataclass(frozen=True)
class Stream:
    """A FIFO between two layers of a project, as hls4ml declares it."""

    name: str
    depth: int
    """In pixels."""
    channels: int
    """Elements of a pixel, side by side."""
    bits: int
    """Of one element."""


def streams(graph: Any) -> list[Stream]:
    """The streams between the layers, without the top function's own inputs and outputs."""
    ports = {variable.name for variable in (*graph.get_input_variables(), *graph.get_output_variables())}
    found: dict[str, Stream] = {}
    for variable in layer_outputs(graph):
        # A flatten in place has a variable without a stream of its own.
        pragma = getattr(variable, "pragma", None) or ("",)
        is_stream = pragma[0] == "stream"
        if is_stream and variable.name not in ports and variable.name not in found:
            kind = variable.type
            found[variable.name] = Stream(
                variable.name, int(variable.pragma[1]), int(kind.n_elem), kind.precision.width
            )
    return list(found.values())


def layer_outputs(graph: Any) -> list[Any]:
    """The output variables of the layers that a `ModelGraph` has; its `output_vars` keeps those of replaced ones."""
    return [node.get_output_variable(output) for node in graph.get_layers() for output in node.outputs]


def figures(graph: Any, arithmetic: ModelArithmetic) -> dict[str, Any]:
    """What the project itself tells of its hardware: streams, weight bits, multiplications per image."""
    weight_bits = multiplications = 0
    for layer in arithmetic.layers.values():
        if layer.kernel is None:
            continue
        constants = [layer.kernel] if layer.bias is None else [layer.kernel, layer.bias]
        # hls4ml keeps -1 and +1 as one bit.
        quantizers = (getattr(layer.node.layer, f"{role}_quantizer_internal", None) for role in ("kernel", "depthwise"))
        binary = any(type(one).__name__ == "binary" for one in quantizers)
        widths = [1 if binary and constant is layer.kernel else constant.type.width for constant in constants]
        weight_bits += sum(c.mantissas.size * width for c, width in zip(constants, widths, strict=True))
        pixels = math.prod(layer.node.output_shape[:-1])
        multiplications += layer.kernel.mantissas.size * pixels
    return {
        "streams": [asdict(stream) for stream in streams(graph)],
        "weight_bits": weight_bits,
        "multiplications_per_image": multiplications,
    }


def trace(graph: Any, inputs: Any, firmware: Path | None = None) -> dict[str, Any]:
    """Compile a graph converted with `trace` and return (samples, ...) outputs of its layers, by layer.

    With `firmware`, the folder of that name in a project of the same model, all but the top function is that project's:
    its weights, types and layer headers.
    """
    write_new = graph.write

    def write_with_theirs() -> None:
        write_new()
        if firmware is not None:
            own = Path(graph.config.get_output_dir()) / "firmware"
            for path in firmware.rglob("*"):
                if path.is_file() and path.name != f"{PROJECT}.cpp":
                    shutil.copyfile(path, own / path.relative_to(firmware))

    graph.write = write_with_theirs  # hls4ml writes once more before it compiles
    with quiet(), guardian.starting():
        _, outputs = graph.trace(inputs)
    return dict(outputs)


def _refuse_default_types(firmware: Path) -> None:
    """That each place for which hls4ml wants a type has one that was set."""
    if f"{_DEFAULT_TYPE} model_default_t" not in (firmware / "defines.h").read_text(encoding="utf-8"):
        return
    layer = ""
    for line in (firmware / "parameters.h").read_text(encoding="utf-8").splitlines():
        layer = line.removeprefix("// ") if line.startswith("// ") else layer
        if "model_default_t" in line:
            raise ConversionError(f"layer {layer}: hls4ml has a type there that was not set: {line.strip()!r}")


def _guard_apart(headers: Path) -> None:
    """Of two headers for depthwise convolutions hls4ml's one has the guard of the other, which is then left out."""
    header = headers / "nnet_sepconv1d_latency.h"
    guard = "NNET_SEPARABLE_CONV{}D_LATENCY_H_"
    header.write_text(header.read_text(encoding="utf-8").replace(guard.format(2), guard.format(1)), encoding="utf-8")


def _print_all_digits(bench: Path) -> None:
    """hls4ml's bench prints 6 significant digits, too few for outputs of more than about 20 bits."""
    text = bench.read_text(encoding="utf-8")
    opened = "std::ofstream fout(RESULTS_LOG);"
    if opened not in text:
        raise ConversionError(f"{bench}: line {opened!r} wanted, to set the precision of the results after it")
    bench.write_text(text.replace(opened, f"{opened}\n    fout.precision(17);"), encoding="utf-8")


def _layer_config(layer: LayerArithmetic, reuse: ReuseFactor | None, hls: Hls, trace: bool) -> dict[str, Any]:
    precision = {"result": str(layer.output)}
    if layer.accumulator is not None:
        precision["accum"] = str(layer.accumulator)
    if layer.kernel is not None:
        # (hls4ml's name for a depthwise kernel, too, whatever it calls the numbers in it.)
        precision["scale" if layer.node.kind == "BatchNormalization" else "weight"] = str(layer.kernel.type)
        precision["bias"] = str(layer.bias.type if layer.bias is not None else FixedPointType(1, 1))
    own: dict[str, Any] = {"Precision": precision, "Trace": trace, "ReuseFactor": 1}
    if layer.slope is not None:
        precision["param"] = str(layer.slope.type)
    if layer.node.kind == "FixedPointElu":
        alpha = Fraction(layer.node.layer.alpha)
        precision["param"] = str(FixedPointType.covering(alpha, alpha, _last_bit(alpha)))
    if layer.node.kind in ("FixedPointTable", "FixedPointElu"):
        own["table_t"] = str(layer.output)  # (hls4ml reads it here, not among the others)
        own["TableSize"] = layer.node.layer.size
    if reuse is not None:
        own |= {"ReuseFactor": reuse.used, "Strategy": str(hls.strategy).capitalize()}
    result = {layer.name: own}
    if layer.kernel is not None and layer.node.kind != "BatchNormalization":
        # hls4ml puts a linear activation behind every layer that has weights; it goes if its type is the same.
        result[f"{layer.name}_linear"] = {"Precision": {"result": str(layer.output)}, "Trace": False}
    return result


def _last_bit(value: Fraction) -> Fraction:
    """Of a number that is not 0, the greatest power of two that it is a multiple of."""
    return Fraction(value.numerator & -value.numerator, value.denominator)


def _check_types(graph: Any, arithmetic: ModelArithmetic) -> None:
    """That hls4ml's optimizers left every type as we set it."""
    for node in graph.get_layers():
        layer = arithmetic.layers.get(node.name)
        if layer is None:
            continue
        found = node.get_output_variable().type.precision
        if _as_type(found) != layer.output:
            raise ConversionError(f"layer {node.name}: type {layer.output} wanted, hls4ml made it {found}")


def _as_type(precision: Any) -> FixedPointType:
    """An hls4ml precision as fixed-point type."""
    modes = {}
    if getattr(precision, "rounding_mode", None) is not None:
        modes["rounding"] = str(precision.rounding_mode).rpartition(".")[2]
    if getattr(precision, "saturation_mode", None) is not None:
        modes["overflow"] = str(precision.saturation_mode).rpartition(".")[2]
    sign = "" if precision.signed else "u"
    text = f"{sign}fixed<{precision.width},{precision.integer},{modes.get('rounding', 'TRN')}"
    return FixedPointType.parse(f"{text},{modes.get('overflow', Overflow.WRAP)}>")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """hls4ml prints its progress and warns about what we set on purpose."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
