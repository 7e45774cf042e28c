"""Random float models through the front end and hls4ml's C++: what is refused, and what of the rest is equal."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow import keras

from nonresnet_hls.errors import ConversionError, ModelError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.hls import csim
from nonresnet_hls.networks import activations
from nonresnet_hls.networks.lowering import lower
from nonresnet_hls.quantization import arithmetic
from nonresnet_hls.quantization.deployment import deployable
from nonresnet_hls.quantization.quantize import finish, quantize
from nonresnet_hls.quantization.quantized import Quantized
from nonresnet_hls.recipe import Backend, Csim, Hls, Quantization, Strategy
from tests.hls import projects
from tests.quantization import faithful

_INPUTS = [FixedPointType(8, 8, signed=False), FixedPointType(8, 0, signed=False), FixedPointType(10, 3)]
_SAMPLES = 6


@dataclass(frozen=True)
class Drawn:
    """A model of one seed, as far as the front end took it."""

    kinds: frozenset[str]
    """Of its layers, and what is odd about them."""
    refusal: str
    """'' where it was taken."""
    made: Quantized | None = None


def draw(seed: int) -> Drawn:
    """A random model, quantized to few bits."""
    keras.backend.clear_session()
    rng = np.random.default_rng(seed)
    model = faithful.model(lambda options: options[int(rng.integers(len(options)))])
    kinds = frozenset(tag for layer in model.layers for tag in _tags(layer))
    own = _INPUTS[seed % len(_INPUTS)]
    shape = (_SAMPLES, *model.inputs[0].shape[1:])
    x = np.ldexp(rng.integers(own.min_mantissa, own.max_mantissa + 1, shape).astype(np.float32), -own.fraction_bits)
    bits = (8, 6, 4, 12)[seed % 4]
    try:
        finished = finish(quantize(lower(model), Quantization(bits, bits), x))
        deployed = deployable(finished, arithmetic.infer(finished, own))
        inferred = arithmetic.infer(deployed, own)
    except ModelError as error:
        assert "\n" not in str(error)  # noqa: PT017  # what is refused is a result here
        return Drawn(kinds, str(error))
    return Drawn(kinds, "", Quantized(deployed, own, x.astype(np.float64), inferred))


def _tags(layer: Any) -> list[str]:
    kind = type(layer).__name__
    if kind in ("InputLayer", "TFOpLambda"):
        return []
    found = [kind]
    try:
        applied = activations.of(layer).name
    except ModelError:
        applied = "linear"
    if applied != "linear" and kind.lower().replace("_", "") != applied.replace("_", ""):
        found.append(applied)
    if getattr(layer, "groups", 1) != 1:
        found.append("groups")
    if getattr(layer, "depth_multiplier", None) not in (None, 1):
        found.append("depth multiplier")
    if set(getattr(layer, "dilation_rate", (1,))) != {1}:
        found.append("dilation")
    if kind.startswith("MaxPooling") and layer.padding == "same":
        found.append("padded pool")
    if kind.startswith("MaxPooling") and tuple(layer.strides) != tuple(layer.pool_size):
        found.append("overlapping pool")
    return found


def compared(drawn: Drawn, seed: int, folder: Path) -> tuple[int, int] | str:
    """Values of the compiled C++ and how many of them differ; or why hls4ml cannot take it."""
    assert drawn.made is not None
    hls = Hls(
        backend=list(Backend)[seed % 2],
        strategy=list(Strategy)[seed // 2 % 2],
        reuse_factor=(1, 4)[seed // 4 % 2],
    )
    try:
        projects.write(drawn.made, hls, folder)
    except (ConversionError, ModelError) as error:
        assert "\n" not in str(error)  # noqa: PT017  # what is refused is a result here
        return str(error)
    asked = csim.question(drawn.made, Csim(samples=_SAMPLES), "samples")
    inputs = np.concatenate(list(asked.sets.values()))
    wanted = asked.expected.outputs.reshape(len(inputs), -1)
    got = _library(folder, inputs, wanted.shape[1])
    return wanted.size, int((got != wanted).sum())


def _library(folder: Path, inputs: Any, size: int) -> Any:
    """What the C++ gives, compiled without optimizing, for speed."""
    firmware = folder / "firmware"
    command = projects.shared_library(firmware / "ap_types")
    command += [f'-DWEIGHTS_DIR="{firmware / "weights"}"', str(firmware / "myproject.cpp")]
    command += [str(folder / "myproject_bridge.cpp"), "-o", str(folder / "library.so")]
    subprocess.run(command, check=True, cwd=folder)
    rows = np.ascontiguousarray(inputs.reshape(len(inputs), -1), dtype=np.float64)
    np.save(folder / "inputs.npy", rows)
    np.save(folder / "outputs.npy", np.empty((len(rows), size), np.float64))
    for name in ("progress", "next"):
        (folder / name).write_bytes(bytes(8))
    # In a process of its own: an assertion of the C++ ends the one that it is in.
    worker = [sys.executable, "-m", "nonresnet_hls.hls.worker", "./library.so", "myproject_double"]
    files = ["inputs.npy", "outputs.npy", "progress", "next"]
    subprocess.run([*worker, *files, str(rows.shape[1]), str(size)], check=True, cwd=folder)
    return np.load(folder / "outputs.npy")
