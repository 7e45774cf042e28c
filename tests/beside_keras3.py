"""The installed package beside Keras 3, HGQ2 and hls4ml, without TensorFlow: python -I beside_keras3.py [resnet].

A program, no test module: where it runs there is no pytest.
"""

import contextlib
import io
import json
import os
import re
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
warnings.simplefilter("ignore")


def check(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"beside Keras 3: {what}")


def refused(call: Callable[[], object], said: str) -> None:
    """Check that something is refused in one line."""
    import nonresnet_hls as nr

    try:
        call()
    except nr.errors.NonResNetError as error:
        check(said in str(error) and "\n" not in str(error), f"{said!r} wanted, not {error}")
    else:
        check(False, f"a refusal wanted: {said}")


def plain(keras: Any) -> Any:
    """A residual block of Keras' own layers."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((4, 4, 2), name="image")
    x = layers.Activation("relu", name="relu1")(layers.Conv2D(2, 3, padding="same", name="conv1")(image))
    y = layers.Conv2D(2, 3, padding="same", name="conv2")(x)
    x = layers.Activation("relu", name="relu2")(layers.Add(name="add")([x, y]))
    return keras.Model(image, layers.Dense(2, name="logits")(layers.Flatten(name="flat")(x)), name="small")


def learnt(keras: Any, relu: str = "Activation", whole: bool = True, quantize_input: bool = True) -> Any:
    """Two residual blocks of HGQ2, one with a projection; quantizers at producers, one for a whole tensor."""
    from hgq.config import LayerConfigScope, QuantizerConfigScope
    from hgq.layers import QAdd, QConv2D, QDense
    from hgq.quantizer import Quantizer

    keras.utils.set_random_seed(0)
    axes = {"homogeneous_axis": None, "heterogeneous_axis": ()} if whole else {}
    with (
        QuantizerConfigScope(default_q_type="kbi", place="weight", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(default_q_type="kbi", place="bias"),
        QuantizerConfigScope(default_q_type="kif", place="datalane", overflow_mode="SAT", round_mode="RND", **axes),
        LayerConfigScope(enable_ebops=False, enable_iq=False, enable_oq=True),
    ):
        image = keras.Input((6, 6, 2), name="image")
        x = Quantizer(place="datalane")(image) if quantize_input else image
        x = keras.layers.Activation("relu")(QConv2D(3, 3, padding="same", name="stem")(x))
        for index, (filters, stride) in enumerate(((3, 1), (4, 2))):
            y = QConv2D(filters, 3, strides=stride, padding="same", activation="relu", name=f"a{index}")(x)
            y = QConv2D(filters, 3, padding="same", name=f"b{index}")(y)
            skip = x if stride == 1 else QConv2D(filters, 1, strides=stride, name=f"p{index}")(x)
            x = QAdd(name=f"add{index}")([y, skip])
            x = keras.layers.ReLU(name=f"last{index}")(x) if relu == "ReLU" else keras.layers.Activation("relu")(x)
        return keras.Model(image, QDense(3, name="logits")(keras.layers.Flatten()(x)), name="learnt")


def plain_graphs(folder: Path, keras: Any) -> None:
    """A `ModelGraph` by both back ends: emulated, sized, built as RTL."""
    import hls4ml
    import numpy as np

    import nonresnet_hls as nr

    model = plain(keras)

    def converted(backend: str) -> Any:
        config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=backend)
        return hls4ml.converters.convert_from_keras_model(
            model, hls_config=config, output_dir=str(folder / backend), backend=backend, io_type="io_stream"
        )

    check("openrtl" in hls4ml.backends.get_available_backends(), "the entry point has not registered OpenRTL")
    graph = converted("OpenRTL")
    graph.compile()
    inputs = np.random.default_rng(0).uniform(-1, 1, (8, 4, 4, 2)).astype(np.float32)
    found = nr.emulate(graph, inputs=inputs)
    expected = np.asarray(graph.predict(np.ascontiguousarray(inputs)), np.float64).reshape(8, 2)
    check(bool((found.outputs == expected).all()), "the emulator's outputs are not those of the C simulation")
    sized = nr.fifos(converted("Vitis"))
    check(sized.report.after.bits < sized.report.before.bits, "sizing saves nothing")
    report = graph.build(x=inputs)
    simulation = report["simulation"]
    check(simulation["values_compared"] == 2 * expected.size, "all values wanted, twice")
    check(simulation["keras"]["values"] > 0, "nothing is said of Keras' own values")
    print(f"OpenRTL: {simulation['values_compared']} values equal to the C simulation, {report['synthesis']['total']}")
    # hls4ml's default types are not exact, which is said.
    compared = nr.csim(model, data=inputs)
    keras_row, emulator_row = compared.evaluators
    check(emulator_row.different == 0 and keras_row.name == "Keras", str(compared.rows))
    check(nr.csim(converted("Vitis"), data=inputs).evaluators[1].different == 0, "the graph itself")


def of_hgq(keras: Any) -> None:
    """HGQ2: Keras, emulator, C simulation and RTL agree after training; what goes wrong in hls4ml is refused."""
    import numpy as np

    import nonresnet_hls as nr

    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, (64, 6, 6, 2)).astype(np.float32)
    model = learnt(keras)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, (x.sum(axis=(1, 2, 3)) > 0).astype(int) + (x[:, 0, 0, 0] > 0), epochs=3, verbose=0)
    compared = nr.csim(model, data={"x": x}, samples=32)
    check(compared.equal and [row["name"] for row in compared.rows] == ["Keras", "emulator"], compared.caption)
    figures = nr.synth(model, engine="rtl", simulate=True, inputs=x[:8]).figures["simulation"]
    check(figures["keras"]["equal_values"] == figures["keras"]["values"] == 24, str(figures["keras"]))
    check(nr.fifos(model).report.after.bits < nr.fifos(model).report.before.bits, "sizing saves nothing")
    print(f"HGQ2: {compared.caption}; RTL: {figures['values_compared']} values equal")
    refused(lambda: nr.csim(learnt(keras, "ReLU"), data=x), "layer 'last0': keras.layers.Activation('relu') wanted")
    refused(lambda: nr.fifos(learnt(keras, whole=False)), "one quantizer for a whole activation wanted in a stream")
    refused(lambda: nr.fifos(learnt(keras, quantize_input=False)), "a quantizer at each input of the model wanted")
    dilated = keras.Sequential([keras.Input((8, 3)), keras.layers.Conv1D(4, 3, dilation_rate=2, name="far")])
    refused(lambda: nr.fifos(dilated), "layer 'far': dilation_rate 1 wanted, not")
    refused(lambda: nr.csim(model), "data wanted beside it")
    refused(lambda: nr.csim(model, data=x[:, :5]), "samples of shape (6, 6, 2) wanted, not (5, 6, 2)")


def three_blocks(keras: Any) -> Any:
    """A ResNet of HGQ2 on 32x32 images, with two projections."""
    from hgq.config import LayerConfigScope, QuantizerConfigScope
    from hgq.layers import QAdd, QConv2D, QDense
    from hgq.quantizer import Quantizer

    keras.utils.set_random_seed(0)
    axes: dict[str, Any] = {"homogeneous_axis": None, "heterogeneous_axis": ()}
    with (
        QuantizerConfigScope(default_q_type="kbi", place="weight", overflow_mode="SAT_SYM", b0=4),
        QuantizerConfigScope(default_q_type="kbi", place="bias"),
        QuantizerConfigScope(default_q_type="kif", place="datalane", overflow_mode="SAT", round_mode="RND", **axes),
        LayerConfigScope(enable_ebops=False, enable_iq=False, enable_oq=True),
    ):
        x = Quantizer(place="datalane")(image := keras.Input((32, 32, 3), name="image"))
        x = keras.layers.Activation("relu")(QConv2D(4, 3, padding="same", name="stem")(x))
        for index, (filters, stride) in enumerate(((4, 1), (8, 2), (16, 2))):
            y = QConv2D(filters, 3, strides=stride, padding="same", activation="relu", name=f"a{index}")(x)
            y = QConv2D(filters, 3, padding="same", name=f"b{index}")(y)
            skip = x if stride == 1 else QConv2D(filters, 1, strides=stride, name=f"p{index}")(x)
            x = keras.layers.Activation("relu")(QAdd(name=f"add{index}")([y, skip]))
        flat = keras.layers.Flatten()(keras.layers.MaxPooling2D(8)(x))
        return keras.Model(image, QDense(10, name="logits")(flat), name="resnet")


def resnet(keras: Any) -> None:
    """Trained for a few epochs on blurred patterns: Keras, emulator, C simulation and RTL agree, FIFOs are proved."""
    import numpy as np

    import nonresnet_hls as nr
    from nonresnet_hls.pipeline import taken
    from nonresnet_hls.recipe import Hls
    from nonresnet_hls.rtl import flow

    rng = np.random.default_rng(0)
    patterns = rng.uniform(-1, 1, (10, 8, 8, 3)).repeat(4, 1).repeat(4, 2)
    labels = rng.integers(0, 10, 640)
    x = (patterns[labels] + rng.normal(0, 0.2, (640, 32, 32, 3))).clip(-2, 2).astype(np.float32)
    model = three_blocks(keras)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
    fitted = model.fit(x[:512], labels[:512], epochs=12, batch_size=32, verbose=0)
    accuracy = float((np.asarray(model.predict(x[512:], verbose=0)).argmax(1) == labels[512:]).mean())
    check(accuracy > 0.5, f"it has learnt nothing: {accuracy:.0%}, loss {fitted.history['loss']}")
    compared = nr.csim(model, data=x[512:], samples=32)
    check(compared.equal and [row["name"] for row in compared.rows] == ["Keras", "emulator"], compared.caption)
    print(f"HGQ2: {accuracy:.0%} of {len(x) - 512} new images after training; {compared.caption}")
    sized = nr.fifos(model, prove=True)
    before, after = sized.report.before.bits, sized.report.after.bits
    check(sized.proof is not None and sized.proof.holds and after < before, sized.caption)
    print(f"HGQ2: FIFOs of {before} bits sized to {after}, proved")
    with tempfile.TemporaryDirectory() as folder:  # without the synthesis, which takes many minutes
        graph = taken.take(model, Hls(), Path(folder) / "project").graph
        figures = flow.build(graph, Path(folder) / "project", x=x[512:516], synth=False).simulation
    check(figures is not None and figures.keras is not None, "the RTL was not compared with Keras")
    check(figures.keras.equal_values == figures.keras.values == 40, str(figures.keras))
    print(f"HGQ2: RTL: {figures.values_compared} values equal to the C simulation, 40 of 40 to Keras")


def skips(keras: Any) -> None:
    """Skips are found, removed and shortened as in models of Keras 2."""
    import numpy as np

    import nonresnet_hls as nr

    for name, wanted in (("ResNet50", 16), ("MobileNetV2", 10)):
        model = getattr(keras.applications, name)(weights=None, input_shape=(32, 32, 3))
        found = nr.skips(model, remove="all")
        check(len(found.rows) == wanted, f"{name}: {wanted} skips wanted, not {len(found.rows)}")
        check(not nr.skips(found.changed_model).rows, f"{name}: skips are left")
        print(f"{name}: {wanted} skips found and removed")
    layers = keras.layers
    image = keras.Input((6, 6, 2))
    first, second = (layers.Conv2D(2, 3, padding="same", name=name) for name in "ab")
    third, projection = layers.Conv2D(2, 3, padding="same", name="c"), layers.Conv2D(2, 1, name="p")
    x = keras.ops.relu(second(first(image)) + image)  # an operator
    joined = layers.Add(name="join")([x, third(x), projection(x)])  # three branches
    model = keras.Model(image, joined)
    found = nr.skips(model)
    check([row["joins"] for row in found.rows] == ["add", "join", "join"], str(found.rows))
    given = np.random.default_rng(0).normal(size=(2, 6, 6, 2)).astype(np.float32)
    without_both = np.asarray(nr.skips(model, remove="1,3").changed_model(given))
    relu = keras.ops.relu(second(first(given)))
    check(bool((without_both == np.asarray(relu + third(relu))).all()), "other values than without these skips")
    shorter = np.asarray(nr.skips(model, shorten=[1]).changed_model(given))
    relu = keras.ops.relu(second(first(given) + given))
    check(bool((shorter == np.asarray(relu + third(relu) + projection(relu))).all()), "other values than shortened")


def files(folder: Path, keras: Any) -> None:
    """Files are read; what they bring is not run."""
    import numpy as np

    import nonresnet_hls as nr

    path, model = folder / "mine.keras", learnt(keras)
    model.save(path)
    given = np.random.default_rng(0).uniform(-1, 1, (4, 6, 6, 2)).astype(np.float32)
    out = folder / "out.keras"
    found = nr.skips(path, remove="all", output=out)
    check(len(found.rows) == 2 and out.is_file(), "two skips wanted")
    check(bool((np.asarray(found.model(given)) == np.asarray(model(given))).all()), "another model than was saved")
    np.savez(folder / "x.npz", x_test=given)
    check(nr.csim(path, data=folder / "x.npz").equal, "equal wanted")

    simple = folder / "simple.keras"
    plain(keras).save(simple)

    def hostile(change: Callable[[dict[str, Any]], None]) -> Path:
        with zipfile.ZipFile(simple) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        config = json.loads(entries["config.json"])
        change({layer["config"]["name"]: layer for layer in config["config"]["layers"]} | {"": config})
        entries["config.json"] = json.dumps(config).encode()
        target = folder / "hostile.keras"
        with zipfile.ZipFile(target, "w") as archive:
            for name, content in entries.items():
                archive.writestr(name, content)
        return target

    def is_code(layers: dict[str, Any]) -> None:
        layers["relu1"] |= {"class_name": "Lambda", "config": {"name": "relu1", "function": "eval"}}

    def imports(layers: dict[str, Any]) -> None:
        layers["relu1"] |= {"module": "antigravity", "class_name": "Flyer"}

    def reads_itself(layers: dict[str, Any]) -> None:
        (tensor,) = layers["conv1"]["inbound_nodes"][0]["args"]
        tensor["config"]["keras_history"] = ["relu1", 0, 0]

    def is_huge(layers: dict[str, Any]) -> None:
        layers["logits"]["config"]["units"] = 10**9

    def is_operation(layers: dict[str, Any]) -> None:
        layers["relu1"] |= {"module": "keras.src.ops.core", "class_name": "Map"}

    def is_function(layers: dict[str, Any]) -> None:
        function = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
        layers["relu1"]["config"]["activation"] = function

    for change, said in (
        (is_code, "layer 'relu1' is a Lambda"),
        (imports, "unknown class 'Flyer' of module 'antigravity'"),
        (reads_itself, "not a circle through"),
        (is_huge, "weights of the shapes in its configuration wanted, not fewer"),
        (is_operation, "is the operation 'Map', not one of arithmetic"),
        (is_function, "unknown class 'function' of module 'os'"),
    ):
        target = hostile(change)
        began = time.perf_counter()
        refused(lambda target=target: nr.skips(target), said)
        check(time.perf_counter() - began < 10, f"{said}: refused too late")
    hgq = hostile(lambda layers: layers["relu1"].update(module="hgq.layers.core", class_name="Evil"))
    refused(lambda: nr.skips(hgq), "unknown class 'Evil' of module 'hgq.layers.core'")
    (folder / "old.h5").write_bytes(b"\x89HDF")
    refused(lambda: nr.skips(folder / "old.h5"), "a .keras file wanted beside Keras 3")
    refused(lambda: nr.skips(folder / "nowhere.keras"), "nowhere.keras")
    print("files: read, and refused where they bring what runs")


def page(keras: Any) -> None:
    """The Python of docs/keras3.md: its model, and then what it says to do with one."""
    import numpy as np

    text = (Path(__file__).parents[1] / "docs/keras3.md").read_text(encoding="utf-8")
    functions, made = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    keras.utils.set_random_seed(0)
    known: dict[str, Any] = {}
    exec(compile(made, "docs/keras3.md", "exec"), known)
    x = np.random.default_rng(0).uniform(-2, 2, (4, 8, 8, 2)).astype(np.float32)
    model = known["model"]
    # hls4ml wants quantizers that have seen data, which a training shows them.
    model.compile("adam", "mse")
    model.fit(x, np.zeros((4, 8, 8, 4)), verbose=0)
    exec(compile(functions, "docs/keras3.md", "exec"), known | {"x": x})
    print("docs/keras3.md: its model and its functions run")


def main(folder: Path, long: bool) -> None:
    import hls4ml  # noqa: F401
    import keras

    check(keras.__version__.startswith("3."), f"Keras 3 wanted, not {keras.__version__}")
    every = (
        lambda: plain_graphs(folder, keras),
        lambda: skips(keras),
        lambda: files(folder, keras),
        lambda: of_hgq(keras),
        lambda: page(keras),
    )
    for part in (lambda: resnet(keras),) if long else every:
        began, told = time.perf_counter(), io.StringIO()
        with contextlib.redirect_stdout(told):  # hls4ml's own words, too
            part()
        print(
            "\n".join(line for line in told.getvalue().splitlines() if ": " in line and not line.startswith(" "))[-500:]
        )
        print(f"  {time.perf_counter() - began:.1f} s")
    names = ("keras", "HGQ2", "hls4ml", "numpy", "da4ml")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    print(f"beside Keras 3: Python {sys.version.split()[0]}, {versions}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch), "resnet" in sys.argv[1:])
