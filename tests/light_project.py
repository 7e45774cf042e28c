"""A small project and what comes of it with all libraries, for `light_core.py`: python -m tests.light_project DIR.

With a skip, so that FIFOs have something to be sized for.
"""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np

import nonresnet_hls as nr
from nonresnet_hls.hls import plain
from nonresnet_hls.recipe import Hls


def main(folder: Path) -> None:
    from tensorflow import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((6, 6, 2), name="image")
    x = layers.ReLU(name="relu1")(layers.Conv2D(3, 3, padding="same", name="conv1")(image))
    y = layers.Conv2D(3, 3, padding="same", name="conv2")(x)
    x = layers.ReLU(name="relu2")(layers.Add(name="add")([x, y]))
    x = layers.Dense(4, name="logits")(layers.Flatten(name="flat")(x))
    project = folder / "project"
    plain.write_plain(keras.Model(image, x, name="small"), Hls(), project)
    inputs = np.random.default_rng(0).uniform(-1, 1, (8, 6, 6, 2))
    found = nr.emulate(project, inputs=inputs)
    assert found.figures["kernels"].startswith("kernels of TensorFlow"), found.figures["kernels"]
    np.save(folder / "inputs.npy", inputs)
    np.save(folder / "outputs.npy", found.outputs)
    report = dataclasses.asdict(nr.fifos(project).report)
    (folder / "fifos.json").write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
