"""A user's own tiny model in a workspace, taken through all stages; the worker processes of a test run share it."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nonresnet_hls.pipeline.workspace import Workspace

RECIPE = """
title = "Tiny"
description = "a model of the user's own"
[architecture]
family = "keras"
file = "tiny-net.keras"
[dataset]
name = "npz"
file = "tiny-data.npz"
input_type = "ufixed<4,0>"
[quantization]
weight_bits = 4
activation_bits = 4
epochs = 0
[hls]
part = "xcu250-figd2104-2L-e"
[csim]
samples = 4
"""


def write_model(path: Path) -> None:
    from tensorflow import keras

    from nonresnet_hls.networks import saved

    layers = keras.layers
    keras.utils.set_random_seed(0)
    image = keras.Input((4, 4, 2), name="image")
    x = layers.BatchNormalization(name="bn")(layers.Conv2D(2, 3, padding="same", name="conv")(image))
    x = layers.GlobalAveragePooling2D(name="pool")(layers.ReLU(name="relu")(x))
    saved.save(keras.Model(image, layers.Dense(3, name="logits")(x), name="tiny"), path)


def write_data(path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 16, (40, 4, 4, 2)).astype(np.float32) / 16
    np.savez(path, x=x, y=rng.integers(0, 3, 40))


@contextlib.contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace with recipes `tiny` and `tiny-vitis`, both converted, `tiny` C-simulated. Not to be changed."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / "tiny-workspace"
    with (base / "tiny-workspace.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            _build(folder)
    return folder


def _build(folder: Path) -> None:
    from nonresnet_hls.pipeline import convert, csim

    models = folder / "models"
    models.mkdir(parents=True)
    write_model(models / "tiny-net.keras")
    write_data(models / "tiny-data.npz")
    (models / "tiny.toml").write_text(RECIPE)
    (models / "tiny-vitis.toml").write_text('extends = "tiny"\n[hls]\nbackend = "vitis"\n')
    with _working_in(folder):
        place = Workspace()
        list(csim.run_csim([place.recipe("tiny")], place))
        convert.run_convert(place.recipe("tiny-vitis"), place)
    (folder / "ready").touch()


@pytest.fixture
def tiny(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, the current directory of the test."""
    folder = tmp_path / "workspace"
    shutil.copytree(built, folder)
    monkeypatch.chdir(folder)
    return folder


class Emulated:
    """Stands for a compiled project: both its simulations give what its emulation does."""

    def __init__(self, project: Path) -> None:
        from nonresnet_hls.emulation import Emulator
        from nonresnet_hls.hls import network

        self._emulator = Emulator(network.of_project(project))

    def __enter__(self) -> "Emulated":
        return self

    def __exit__(self, *_: object) -> None: ...

    def library(self, inputs: Any, output_shape: object, jobs: int = 1) -> Any:
        return self._emulator(inputs)

    def bench(self, inputs: Any, expected: object, jobs: int = 1) -> Any:
        return self._emulator(inputs)
