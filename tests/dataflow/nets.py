"""Small quantized networks and random graphs for the tests of FIFOs; weights are random and do not matter."""

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from nonresnet_hls.dataflow.graph import Dataflow, Process, Program, Stream, Toolchain
from nonresnet_hls.dataflow.schedule import Network, Semantics

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def quantized_layers() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """`conv(x, filters, kernel, stride)` and `relu(x)` of QKeras, 4 bits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies use what Python deprecates
        import qkeras
        from tensorflow import keras

    # Keras numbers the layers without a name over the whole process; tests name them.
    keras.backend.reset_uids()
    weights = {
        "kernel_quantizer": qkeras.quantized_bits(4, 0, alpha=1),
        "bias_quantizer": qkeras.quantized_bits(4, 0, alpha=1),
    }

    def conv(x: Any, filters: int, kernel: int, stride: int = 1, **options: Any) -> Any:
        layer = qkeras.QConv2D(filters, kernel, strides=stride, padding="same", **weights, **options)
        return layer(x)

    def relu(x: Any) -> Any:
        return qkeras.QActivation(qkeras.quantized_relu(4, 2))(x)

    return conv, relu


def convert(
    model: Any, project: Path, backend: str, strategy: str = "Latency", implementation: str = "LineBuffer"
) -> Any:
    """A hls4ml `ModelGraph` with io_stream, written into `project`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hls4ml, QKeras and Keras warn of each other
        import hls4ml

        config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=backend)
        config["Model"]["Strategy"] = strategy
        for layer in config["LayerName"].values():
            layer["Strategy"] = strategy
            layer["ReuseFactor"] = 1
            layer["ConvImplementation"] = implementation
        hls_model = hls4ml.converters.convert_from_keras_model(
            model, hls_config=config, output_dir=str(project), backend=backend, io_type="io_stream"
        )
        hls_model.write()
    return hls_model


def resnet(size: int = 8, channels: int = 4, blocks: int = 2) -> Any:
    """A stem, then residual blocks of which every second one halves the image behind a projection."""
    import tensorflow as tf

    conv, relu = quantized_layers()
    inputs = tf.keras.Input((size, size, 2), name="image")
    x = relu(conv(inputs, channels, 3))
    for block in range(blocks):
        stride, skip = 1 + block % 2, x
        channels *= stride
        if stride == 2:
            skip = conv(x, channels, 1, stride)
        x = relu(conv(x, channels, 3, stride))
        x = tf.keras.layers.Add()([conv(x, channels, 3), skip])
        x = relu(x)
    x = tf.keras.layers.GlobalAveragePooling2D()(x)
    x = tf.keras.layers.Dense(3)(x)
    return tf.keras.Model(inputs, x)


def many_layers() -> Any:
    """One of nearly every layer that has a streaming kernel, in two dimensions."""
    import tensorflow as tf

    layers = tf.keras.layers
    conv, relu = quantized_layers()
    import qkeras  # after quantized_layers, which hides the warnings of the import

    inputs = tf.keras.Input((8, 6, 3), name="image")
    x = relu(conv(inputs, 4, 3, use_bias=True))
    depthwise = qkeras.QDepthwiseConv2D(3, padding="same", depthwise_quantizer=qkeras.quantized_bits(4, 0, alpha=1))(x)
    product = layers.Multiply()([x, depthwise])
    maximum = layers.Maximum()([product, x])
    narrow = layers.MaxPooling2D(2)(maximum)
    narrow = layers.AveragePooling2D(1)(narrow)
    narrow = relu(conv(narrow, 4, 1))
    wide = layers.UpSampling2D(2)(narrow)
    both = layers.Concatenate()([wide, x])
    rows = layers.Concatenate(axis=1)([both, both])
    columns = layers.Concatenate(axis=2)([rows, rows])
    x = layers.Cropping2D(((1, 2), (1, 1)))(columns)
    x = layers.ZeroPadding2D(((2, 1), (0, 3)))(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("tanh")(x)
    x = layers.Permute((2, 1, 3))(x)
    x = layers.SeparableConv2D(4, 3, strides=2)(x)
    x = layers.GlobalMaxPooling2D()(x)
    x = layers.Dense(4)(x)
    return tf.keras.Model(inputs, layers.Activation("softmax")(x))


def one_dimensional() -> Any:
    """The kernels in one dimension, with two inputs and two outputs."""
    import tensorflow as tf

    layers = tf.keras.layers
    first, second = tf.keras.Input((16, 2), name="left"), tf.keras.Input((16, 2), name="right")
    x = layers.Conv1D(4, 3, padding="same", activation="relu")(first)
    y = layers.Conv1D(4, 5, padding="same", activation="relu")(second)
    z = layers.Subtract()([x, y])
    z = layers.Concatenate()([z, x])
    z = layers.Concatenate(axis=1)([z, z])
    z = layers.MaxPooling1D(2)(z)
    z = layers.UpSampling1D(2)(z)
    z = layers.Cropping1D((1, 2))(z)
    z = layers.ZeroPadding1D((1, 2))(z)
    z = layers.Average()([layers.Conv1D(4, 1, strides=2)(z), layers.Conv1D(4, 1, strides=2)(z)])
    pooled = layers.GlobalAveragePooling1D()(z)
    flat = layers.Dense(3)(layers.Flatten()(z))
    other = layers.Dense(3)(layers.Concatenate()([pooled, pooled]))
    return tf.keras.Model([first, second], [flat, other])


# --- random graphs without hls4ml -------------------------------------------------------------------------


def process(name: str, reads: list[str], writes: list[str], pattern: list[list[int]], pipeline: int) -> Process:
    """A process whose iterations touch the given ports; writes come `pipeline` cycles after their reads."""
    ports, cycles = [], []
    for iteration, touched in enumerate(pattern):
        for place, port in enumerate(touched):
            again = touched[:place].count(port)  # a port carries one token in a cycle
            ports.append(port)
            cycles.append(iteration * 2 + (pipeline if port >= len(reads) else 0) + again)
    program = Program(np.array(ports, np.int64), np.array(cycles, np.int64), 2 * len(pattern) + pipeline, (0, 0))
    return Process(name, "random", tuple(reads), tuple(writes), program)


@st.composite
def graphs(draw: st.DrawFn) -> Dataflow:
    """Chains, forks and joins in any nesting, strides, windows, bursts, one or two inputs."""
    tokens: dict[str, int] = {}
    open_streams: list[str] = []
    processes: list[Process] = []

    def new(count: int) -> str:
        name = f"s{len(tokens)}"
        tokens[name] = count
        return name

    length = draw(st.integers(4, 12))
    for _ in range(draw(st.integers(1, 2))):
        open_streams.append(new(length))
    for number in range(draw(st.integers(2, 7))):
        name, pipeline = f"p{number}", draw(st.integers(1, 4))
        kind = draw(st.sampled_from(["pass", "window", "stride", "burst", "fork", "join", "late"]))
        source = open_streams.pop(draw(st.integers(0, len(open_streams) - 1)))
        count = tokens[source]
        partners = [other for other in open_streams if tokens[other] == count]
        if kind == "fork":
            sinks = [new(count), new(count)]
            pattern = [[0, 1, 2] for _ in range(count)]
            processes.append(process(name, [source], sinks, pattern, pipeline))
            open_streams += sinks
            continue
        if kind == "join" and partners:
            partner = draw(st.sampled_from(partners))
            open_streams.remove(partner)
            sink = new(count)
            processes.append(process(name, [source, partner], [sink], [[0, 1, 2]] * count, pipeline))
            open_streams.append(sink)
            continue
        if kind == "window":
            lag = draw(st.integers(1, count))
            pattern = [[0] if i < lag - 1 else [0, 1] for i in range(count)] + [[1]] * (lag - 1)
        elif kind == "stride":
            pattern = [[0, 1] if i % 2 == 0 else [0] for i in range(count)]
        elif kind == "burst":
            pattern = [[0, 1, 1] for _ in range(count)] if count < 9 else [[0, 1] for _ in range(count)]
        elif kind == "late":
            pattern = [[0]] * count + [[1]] * count
        else:
            pattern = [[0, 1] for _ in range(count)]
        sink = new(sum(touched.count(1) for touched in pattern))
        processes.append(process(name, [source], [sink], pattern, pipeline))
        open_streams.append(sink)
    return assemble(processes, tokens)


@st.composite
def skips(draw: st.DrawFn) -> Dataflow:
    """A fork, a long branch that lags, a skip with up to two processes, a join; streams of different widths."""
    count = draw(st.integers(4, 8))
    halved = draw(st.booleans())
    final = (count + 1) // 2 if halved else count
    processes = [process("fork", ["in"], ["a0", "b0"], [[0, 1, 2]] * count, 1)]
    tokens = {"in": count, "a0": count, "b0": count, "out": final}

    def branch(side: str, lagging: bool) -> str:
        length = count
        for number in range(draw(st.integers(1 if lagging or halved else 0, 2))):
            pattern = [[0, 1]] * length
            if halved and number == 0:
                pattern = [[0, 1] if i % 2 == 0 else [0] for i in range(length)]
            lag = draw(st.integers(1 if number else 3, length)) if lagging else 1
            if lag > 1:
                # Every write waits for the reads of the next `lag` iterations.
                pattern = [[0]] * (lag - 1) + [[*touched] for touched in pattern[lag - 1 :]]
                pattern += [[1]] * ((length + 1) // 2 if halved and number == 0 else length)
                written = sum(touched.count(1) for touched in pattern)
                wanted = (length + 1) // 2 if halved and number == 0 else length
                pattern = pattern[: len(pattern) - (written - wanted)]
            source, sink = f"{side}{number}", f"{side}{number + 1}"
            processes.append(process(f"{side}{number}p", [source], [sink], pattern, 1))
            length = sum(touched.count(1) for touched in pattern)
            tokens[sink] = length
        return next(name for name in reversed(tokens) if name.startswith(side))

    long, short = branch("a", True), branch("b", False)
    processes.append(process("join", [long, short], ["out"], [[0, 1, 2]] * final, 1))
    flow = assemble(processes, tokens)
    widths = {name: draw(st.integers(1, 20)) for name in flow.streams}
    return replace(flow, streams={n: replace(s, element_bits=widths[n]) for n, s in flow.streams.items()})


def assemble(processes: list[Process], tokens: dict[str, int]) -> Dataflow:
    """The dataflow of some processes; streams without a writer or a reader are ports."""
    source = {name: process.name for process in processes for name in process.writes}
    sink = {name: process.name for process in processes for name in process.reads}
    streams = {
        name: Stream(name, 2, 8, count, count, source.get(name), sink.get(name))
        for name, count in tokens.items()
        if name in source or name in sink
    }
    return Dataflow("random", Toolchain.VIVADO_HLS, tuple(processes), streams)


# --- the naive simulator ----------------------------------------------------------------------------------


def naive_times(flow: Dataflow, semantics: Semantics, depths: dict[str, int]) -> dict[str, list[int]] | None:
    """Times of all events, one token after another in plain Python; None if the network gets stuck.

    An event happens when its tokens are there and there is room for those it writes; its time follows from
    those events. Nothing here is shared with the vectorised model but the programs.
    """
    network = Network(flow, semantics)
    times: dict[str, list[int]] = {chain.process.name: [] for chain in network.chains}
    written: dict[str, list[int]] = {name: [] for name in flow.streams}
    read: dict[str, list[int]] = {name: [] for name in flow.streams}
    moved = True
    while moved:
        moved = False
        for chain in network.chains:
            done = times[chain.process.name]
            while len(done) < len(chain.cycle):
                event = len(done)
                reads = [name for name, at in chain.reads.items() if event in at.tolist()]
                writes = [name for name, at in chain.writes.items() if event in at.tolist()]
                if any(flow.streams[n].source and len(written[n]) <= len(read[n]) for n in reads):
                    break
                if any(flow.streams[n].sink and len(written[n]) - len(read[n]) >= depths[n] for n in writes):
                    break
                cycle = int(chain.cycle[event])
                time = done[-1] + cycle - int(chain.cycle[event - 1]) if done else max(cycle, 0)
                for name in reads:
                    if flow.streams[name].source:
                        time = max(time, written[name][len(read[name])] + 1)
                for name in writes:
                    number = len(written[name])
                    if flow.streams[name].sink and number >= depths[name]:
                        time = max(time, read[name][number - depths[name]] + 1)
                for name in reads:
                    read[name].append(time)
                for name in writes:
                    written[name].append(time)
                done.append(time)
                moved = True
    complete = all(len(times[chain.process.name]) == len(chain.cycle) for chain in network.chains)
    return times if complete else None
