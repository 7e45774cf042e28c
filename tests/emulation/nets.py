"""Small random networks with random types, converted by hls4ml and simulated by its C++."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

ROUNDINGS = ("TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV")
OVERFLOWS = ("WRAP", "SAT", "SAT_ZERO", "SAT_SYM")
POINTWISE = (
    "relu", "sigmoid", "tanh", "softplus", "softsign", "elu", "selu", "hard_sigmoid", "linear", "leaky", "threshold",
    "prelu", "relu6", "softmax",
)  # fmt: skip


def draw_type(rng: np.random.Generator, narrow: bool) -> str:
    """A fixed-point type as hls4ml reads it; `narrow`: so that numbers wrap and saturate."""
    width = int(rng.integers(3, 11)) if narrow else int(rng.integers(8, 24))
    integer = int(rng.integers(1, width - 1)) if narrow else int(rng.integers(2, width // 2 + 2))
    modes = f",{rng.choice(ROUNDINGS)},{rng.choice(OVERFLOWS)}" if rng.random() < 0.7 else ""
    return f"{rng.choice(['', '', '', 'u'])}fixed<{width},{integer}{modes}>"


def draw_model(rng: np.random.Generator, parallel: bool, length: int, outputs: bool = True) -> Any:
    """A chain of random layers with an occasional skip."""
    from tensorflow import keras

    layers = keras.layers
    one_dimensional = rng.random() < 0.25
    shape = (int(rng.integers(6, 10)), int(rng.integers(1, 4))) if one_dimensional else (
        int(rng.integers(4, 8)), int(rng.integers(4, 8)), int(rng.integers(1, 4)),
    )  # fmt: skip
    x = inputs = keras.Input(shape, name="data")
    flat = False
    for index in range(length):
        kinds = ["dense"] if flat else ["conv", "conv", "depthwise", "separable", "pool", "pad", "pointwise", "norm"]
        kinds += ["act", "act", "skip"]
        if parallel:
            kinds += ["norm", "broadcast"]
        if not flat and index == length - 2:
            kinds = ["global", "flatten"]
        x = _layer(rng, layers, str(rng.choice(kinds)), x, f"l{index}", one_dimensional, parallel)
        flat = len(x.shape) == 2
    tensors = [layer.output for layer in keras.Model(inputs, x).layers[1:-1]]
    shown = [tensors[i] for i in rng.permutation(len(tensors))[: int(rng.integers(0, 3))]] if outputs else []
    model = keras.Model(inputs, [*shown, x])
    for layer in model.layers:
        layer.set_weights([rng.normal(0, 0.7, weight.shape) for weight in layer.get_weights()])
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([gamma, beta, mean, np.abs(variance) + 0.1])
    return model


def _layer(rng: Any, layers: Any, kind: str, x: Any, name: str, flat_image: bool, parallel: bool) -> Any:
    small = min(x.shape[1:-1]) if len(x.shape) > 2 else 0
    dims = "1D" if flat_image else "2D"
    size = int(rng.integers(1, min(3, small) + 1)) if small else 1
    padding = str(rng.choice(["same", "valid"]))
    filters = int(rng.integers(1, 5))
    match kind:
        case "conv":
            stride = int(rng.integers(1, 3)) if size > 1 else 1
            return getattr(layers, f"Conv{dims}")(filters, size, strides=stride, padding=padding, name=name)(x)
        case "pointwise":
            return getattr(layers, f"Conv{dims}")(filters, 1, name=name)(x)
        case "depthwise":
            return getattr(layers, f"DepthwiseConv{dims}")(size, padding=padding, name=name)(x)
        case "separable":
            return getattr(layers, f"SeparableConv{dims}")(filters, size, padding=padding, name=name)(x)
        case "dense":
            return layers.Dense(filters, name=name)(x)
        case "pool":
            if small < 2:
                return x
            pool = str(rng.choice(["Max", "Average"]))
            stride = int(rng.integers(1, 3)) if parallel else 2
            padding = padding if parallel else "valid"
            return getattr(layers, f"{pool}Pooling{dims}")(2, strides=stride, padding=padding, name=name)(x)
        case "global":
            return getattr(layers, f"Global{rng.choice(['Max', 'Average'])}Pooling{dims}")(name=name)(x)
        case "flatten":
            return layers.Flatten(name=name)(x)
        case "pad":
            return getattr(layers, f"ZeroPadding{dims}")(1, name=name)(x)
        case "norm":
            return layers.BatchNormalization(name=name)(x)
        case "skip":
            operation = str(rng.choice(["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"]))
            other = layers.Activation("relu", name=f"{name}_r")(x)
            return getattr(layers, operation)(name=name)([x, other])
        case "broadcast":
            other = layers.Activation("relu", name=f"{name}_r")(x)
            return layers.Add(name=name)([x, other])
    return _activation(rng, layers, x, name)


def _activation(rng: Any, layers: Any, x: Any, name: str) -> Any:
    match str(rng.choice(POINTWISE)):
        case "leaky":
            return layers.LeakyReLU(float(rng.choice([0.3, 0.125])), name=name)(x)
        case "threshold":
            return layers.ThresholdedReLU(0.4, name=name)(x)
        case "prelu":
            return layers.PReLU(name=name)(x)
        case "elu":
            return layers.ELU(float(rng.choice([1.0, 0.7])), name=name)(x)
        case "relu6":
            return layers.ReLU(6.0, name=name)(x)
        case function:
            return layers.Activation(function, name=name)(x)


def draw_graph(seed: int, directory: Path, io_type: str, backend: str, narrow: bool, length: int = 4) -> Any:
    """A converted `ModelGraph`, types drawn for every layer; None where hls4ml refuses the model."""
    import hls4ml

    rng = np.random.default_rng(seed)
    model = draw_model(rng, io_type == "io_parallel", length)
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=backend)
    for settings in config["LayerName"].values():
        if rng.random() < 0.3:
            settings["Strategy"] = "Resource"
            settings["ReuseFactor"] = int(rng.choice([1, 2, 3, 6]))
        precision = settings.get("Precision")
        if isinstance(precision, dict):
            for key in precision:
                if rng.random() < 0.8:
                    precision[key] = draw_type(rng, narrow)
        if "TableSize" in settings:
            settings["TableSize"] = int(rng.choice([64, 256, 1024]))
        if "Implementation" in settings or "softmax" in str(settings).lower():
            settings["Implementation"] = str(rng.choice(["stable", "latency", "legacy", "argmax"]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a pointwise layer's strategy is set twice
            return hls4ml.converters.convert_from_keras_model(
                model, hls_config=config, output_dir=str(directory), io_type=io_type, backend=backend
            )
    except Exception as error:  # hls4ml's own kinds are many
        if "Cannot output" in str(error):
            return None
        raise


def draw_inputs(rng: np.random.Generator, graph: Any, count: int) -> Any:
    """Numbers of the input's type, its extremes among them."""
    variable = graph.get_input_variables()[0]
    precision = variable.type.precision
    width, fraction = int(precision.width), int(precision.fractional)
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if precision.signed else (0, (1 << width) - 1)
    shape = (count, *[int(size) for size in variable.shape])
    mantissas = rng.integers(low, high, shape, endpoint=True)
    near = rng.normal(0, 1, shape) * 2.0**fraction
    mantissas = np.where(rng.random(shape) < 0.5, mantissas, np.clip(np.rint(near), low, high))
    mantissas[0], mantissas[1] = low, high
    return np.ldexp(mantissas.astype(np.float64), -fraction)


def c_simulation(graph: Any, directory: Path, inputs: Any) -> list[Any]:
    """What the written C++ gives for samples: by output, samples x numbers; compiled without optimizing, for speed."""
    import contextlib
    import ctypes
    import io
    import subprocess

    from tests.hls import projects

    with contextlib.redirect_stdout(io.StringIO()):
        graph.write()
    sources = [directory / "firmware" / "myproject.cpp", directory / "myproject_bridge.cpp"]
    library = directory / "library.so"
    command = projects.shared_library(directory / "firmware" / "ap_types")
    command += [f'-DWEIGHTS_DIR="{directory / "firmware" / "weights"}"', *map(str, sources), "-o", str(library)]
    subprocess.run(command, check=True, cwd=directory)
    top = ctypes.CDLL(str(library)).myproject_double
    pointer = ctypes.POINTER(ctypes.c_double)
    results = [np.empty((len(inputs), int(v.size())), np.float64) for v in graph.get_output_variables()]
    for index, sample in enumerate(np.ascontiguousarray(inputs, dtype=np.float64)):
        top(sample.ctypes.data_as(pointer), *(result[index].ctypes.data_as(pointer) for result in results))
    return results


def differences(seed: int, directory: Path, length: int = 3) -> tuple[int, int] | None:
    """Values compared with the C simulation, and how many differ; None where hls4ml's own C++ could not take it."""
    from nonresnet_hls.emulation import Emulator
    from nonresnet_hls.errors import ConversionError

    io_type, backend = ("io_stream", "io_parallel")[seed % 2], ("Vivado", "Vitis")[seed // 2 % 2]
    graph = draw_graph(seed, directory, io_type, backend, narrow=seed % 3 != 0, length=length)
    if graph is None:
        return None
    try:
        emulator = Emulator(graph)
    except ConversionError:
        return None
    inputs = draw_inputs(np.random.default_rng(seed), graph, 12)
    found = emulator(inputs)
    found = found if isinstance(found, list) else [found]
    wanted = c_simulation(graph, directory, inputs)
    pairs = list(zip(wanted, found, strict=True))
    return sum(one.size for one, _ in pairs), sum(int((one != two).sum()) for one, two in pairs)
