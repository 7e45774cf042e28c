"""The installed package beside Keras 3 and hls4ml, without TensorFlow: python -I beside_keras3.py.

A program, no test module: where it runs there is no pytest.
"""

import os
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"


def check(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"beside Keras 3: {what}")


def main(folder: Path) -> None:
    import hls4ml
    import keras
    import numpy as np

    check(keras.__version__.startswith("3."), f"Keras 3 wanted, not {keras.__version__}")
    check("openrtl" in hls4ml.backends.get_available_backends(), "the entry point has not registered OpenRTL")
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((4, 4, 2), name="image")
    x = layers.Activation("relu", name="relu1")(layers.Conv2D(2, 3, padding="same", name="conv1")(image))
    y = layers.Conv2D(2, 3, padding="same", name="conv2")(x)
    x = layers.Activation("relu", name="relu2")(layers.Add(name="add")([x, y]))
    model = keras.Model(image, layers.Dense(2, name="logits")(layers.Flatten(name="flat")(x)), name="small")

    def converted(backend: str) -> Any:
        config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=backend)
        return hls4ml.converters.convert_from_keras_model(
            model, hls_config=config, output_dir=str(folder / backend), backend=backend, io_type="io_stream"
        )

    graph = converted("OpenRTL")
    graph.compile()
    inputs = np.random.default_rng(0).uniform(-1, 1, (8, 4, 4, 2)).astype(np.float32)

    import nonresnet_hls as nr

    found = nr.emulate(graph, inputs=inputs)
    expected = np.asarray(graph.predict(np.ascontiguousarray(inputs)), np.float64).reshape(8, 2)
    check(bool((found.outputs == expected).all()), "the emulator's outputs are not those of the C simulation")
    sized = nr.fifos(converted("Vitis"))
    check(sized.report.after.bits < sized.report.before.bits, "sizing saves nothing")
    began = time.perf_counter()
    report = graph.build(x=inputs)
    simulation = report["simulation"]
    print(f"OpenRTL: {simulation['values_compared']} values equal to the C simulation, {report['synthesis']['total']}")
    print(f"  {time.perf_counter() - began:.1f} s")
    check(simulation["values_compared"] == 2 * expected.size, "all values wanted, twice")
    check(simulation["keras"]["values"] > 0, "nothing is said of Keras' own values")
    try:
        nr.fifos(model)
    except nr.errors.ModelError as error:
        check("ModelGraph" in str(error), str(error))
    else:
        check(False, "a model of Keras 3 is not refused")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("keras", "hls4ml", "numpy", "da4ml"))
    print(f"beside Keras 3: Python {sys.version.split()[0]}, {versions}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
