"""Images per second of our trainer against a bare `model.fit`, the same arrays, batch and augmentation.

The bare one gets arrays that have been augmented beforehand, so augmentation costs it nothing. Both train ResNet20 as
its recipe says, in float32; they take turns in processes of their own, so that a busy machine slows both. Ends with
status 1 where the ratio of the medians is below 0.95. Beside them stands our trainer in mixed bfloat16.
"""

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

WANTED = 0.95
KINDS = ("bare", "ours", "mixed")


def main() -> int:
    """Measure, and print both rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5120)
    parser.add_argument("--epochs", type=int, default=5, help="the first and the last (with its test) are not counted")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", choices=KINDS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        measures: dict[str, Callable[[int, int], Any]] = {"bare": bare, "ours": ours}
        measures["mixed"] = partial(ours, precision="mixed_bfloat16")
        print(json.dumps(measures[args.only](args.images, args.epochs)))
        return 0
    found: dict[str, list[Epoch]] = {kind: [] for kind in KINDS}
    for turn in range(args.turns):
        for kind in KINDS[:: -1 if turn % 2 else 1]:
            numbers = [f"--images={args.images}", f"--epochs={args.epochs}", f"--only={kind}"]
            command = [sys.executable, __file__, *numbers]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found[kind] += [Epoch(*numbers) for numbers in json.loads(done.stdout.splitlines()[-1])[1:-1]]
    wall = {kind: args.images / statistics.median(epoch.wall_s for epoch in epochs) for kind, epochs in found.items()}
    cpu = {kind: args.images / statistics.median(epoch.cpu_s for epoch in epochs) for kind, epochs in found.items()}
    ratio = wall["ours"] / wall["bare"]
    print(f"nonresnet-hls train {wall['ours']:.0f} images/s, bare model.fit {wall['bare']:.0f}: ratio {ratio:.3f}")
    each = f"{cpu['ours']:.0f} and {cpu['bare']:.0f}: ratio {cpu['ours'] / cpu['bare']:.3f}"
    print(f"per second of CPU time, which other work on the machine disturbs less: {each}")
    print(f"in mixed bfloat16 {wall['mixed']:.0f} images/s: {wall['mixed'] / wall['ours']:.2f} times as many")
    return 0 if ratio >= WANTED else 1


class Epoch(NamedTuple):
    """What an epoch took."""

    wall_s: float
    cpu_s: float


def clock() -> tuple[Any, list[Epoch]]:
    """A Keras callback, and the list to which it adds every epoch from end to end."""
    from tensorflow import keras

    epochs: list[Epoch] = []
    last = [time.monotonic(), time.process_time()]

    def ended(epoch: int, logs: Any) -> None:  # noqa: ARG001  # Keras' signature
        now = [time.monotonic(), time.process_time()]
        epochs.append(Epoch(now[0] - last[0], now[1] - last[1]))
        last[:] = now

    return keras.callbacks.LambdaCallback(on_epoch_end=ended), epochs


def setting(images: int) -> tuple[Any, Any, Any]:
    """ResNet20's training, its untrained network, and random pixels in the shape of CIFAR-10."""
    import numpy as np

    from nonresnet_hls import recipe
    from nonresnet_hls.pipeline import train as stage
    from nonresnet_hls.training import datasets
    from nonresnet_hls.training.data import Data

    wanted = recipe.load("resnet20")
    spec = datasets.spec(wanted.dataset)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (images, *spec.shape)).astype(np.float32) / 256
    y = rng.integers(0, spec.classes, images)
    data = Data(x, y, x[:10], y[:10], spec.input_type, spec.classes, "random pixels")
    return wanted.training, stage.build(wanted), data


def ours(images: int, epochs: int, precision: str = "float32") -> list[Epoch]:
    """Epochs of our trainer, its checkpoints included."""
    from nonresnet_hls.recipe import Precision
    from nonresnet_hls.training import fit

    training, model, data = setting(images)
    training = dataclasses.replace(training, epochs=epochs, test_every=epochs + 1, precision=Precision(precision))
    callback, found = clock()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.npz"
        fit.fit(model, data, training, path, label="ours", callbacks=[callback])
    return found


def bare(images: int, epochs: int) -> list[Epoch]:
    """Epochs of Keras' own `fit` on arrays."""
    from tensorflow import keras

    from nonresnet_hls.training import pipeline

    training, model, data = setting(images)
    x = pipeline.augment(data.x_train, [0, 0], training.flip).numpy()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(training.learning_rate, training.momentum, nesterov=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    callback, found = clock()
    model.fit(x, data.y_train, training.batch_size, epochs, callbacks=[callback], verbose=0)
    return found


if __name__ == "__main__":
    sys.exit(main())
