"""Models that people of this field bring, through everything: a row each, with what it is worth and what it was shown.

    python -m benchmarks.models [--models FOLDER] [--only NAME ...] [--rtl all|twins|none|alone]

Takes the `.h5` and `.keras` files of a folder and small networks of `keras.applications`; each runs in a process and a
workspace of its own. Weights as they are, 8 bits, no fine-tuning. Inputs are CIFAR-10's test images where these are on
this machine and fit, with their labels where the weights were trained on them; else seeded random numbers. What cannot
be taken is printed with its reason.

A twin has the layers of a model and at most 4 channels in each, with random weights: whole networks of this size take
the open engine's simulator hours. `--rtl alone` simulates the twins and does nothing else.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TRAINED_ON_CIFAR10 = ("mlperf_resnet8", "rn07_qkeras")
RAW_PIXELS = ("mlperf_resnet8",)
SIGNED = ("dscnn_kws", "resnet1d", "jet_resmlp", "ad08_qkeras")
_SAMPLES = 1000
_SIMULATED = 12
_TWIN_CHANNELS = 4
_SHAPED = 1 << 24


@dataclass(frozen=True)
class Row:
    """What was found of one model."""

    model: str
    layers: int = 0
    skips: int = 0
    values: int = 0
    """Of the C simulation, all equal to Keras or the exact evaluation, and to the emulator."""
    metric: str = ""
    samples: int = 0
    float_network: float = 0.0
    quantized: float = 0.0
    hardware: float = 0.0
    mean_error: float = 0.0
    """Of the hardware's outputs from the float model's, as a share of their range."""
    fifos: str = ""
    interval_cycles: int = 0
    rtl: str = ""
    seconds: float = 0.0
    refusal: str = ""


def applications() -> Mapping[str, Callable[[], Any]]:
    """Networks of `keras.applications` that are small enough, with random weights."""
    from tensorflow import keras

    own = keras.applications
    shape = {"input_shape": (32, 32, 3), "weights": None, "classes": 10}
    return {
        "MobileNet": lambda: own.MobileNet(alpha=0.25, **shape),
        "MobileNetV2": lambda: own.MobileNetV2(alpha=0.35, **shape),
        "MobileNetV3Small": lambda: own.MobileNetV3Small(minimalistic=True, **shape),
        "EfficientNetB0": lambda: own.EfficientNetB0(**shape),
        "DenseNet121": lambda: own.DenseNet121(**shape),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("../shared/models"), help="folder of model files")
    parser.add_argument("--only", nargs="*", default=[], help="names of models")
    parser.add_argument("--rtl", choices=("all", "twins", "none", "alone"), default="twins")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(asdict(_row(args.one, args.models, args.rtl))))
        return
    files = {path.stem: path for path in sorted(args.models.glob("*")) if path.suffix in (".h5", ".keras")}
    names = args.only or [*files, "MobileNet", "MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "DenseNet121"]
    print("| model | RTL |\n|---|---|" if args.rtl == "alone" else _HEADER)
    for name in names:
        command = [sys.executable, "-m", "benchmarks.models", "--models", str(args.models), "--rtl", args.rtl]
        done = subprocess.run([*command, "--one", name], capture_output=True, text=True, check=False)
        lines = done.stdout.strip().splitlines()
        row = Row(**json.loads(lines[-1])) if lines and done.returncode == 0 else _crashed(name, done.stderr)
        alone = args.rtl == "alone" and not row.refusal
        print(f"| {row.model} | {row.rtl} |" if alone else _line(row), flush=True)


_HEADER = """\
| model | layers | skips | C simulation | metric | float | quantized | hardware | mean error | FIFOs | cycles | RTL |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


def _line(row: Row) -> str:
    if row.refusal:
        return f"| {row.model} | {row.layers or ''} | {row.skips or ''} | refused: {row.refusal} | | | | | | | | |"
    shares = " | ".join(f"{100 * value:.1f} %" for value in (row.float_network, row.quantized, row.hardware))
    return (
        f"| {row.model} | {row.layers} | {row.skips} | equal, {row.values} values | {row.metric} ({row.samples})"
        f" | {shares} | {100 * row.mean_error:.2f} % | {row.fifos} | {row.interval_cycles:,} | {row.rtl} |"
    )


def _crashed(name: str, text: str) -> Row:
    return Row(name, refusal=f"CRASHED: {(text.strip().splitlines() or ['nothing was said'])[-1]}")


def _row(name: str, folder: Path, rtl: str) -> Row:
    from nonresnet_hls.errors import NonResNetError
    from nonresnet_hls.networks import saved
    from nonresnet_hls.skips import search

    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nonresnet-models-") as scratch:
        place = Path(scratch)
        layers = skips = 0
        try:
            model = applications()[name]() if name in applications() else saved.load(_file(folder, name))
            layers, skips = len(model.layers), len(search.find(model))
            found = {} if rtl == "alone" else _through(name, model, place)
            text = _rtl(name, model, place, rtl)
        except NonResNetError as error:
            return Row(name, layers, skips, refusal=str(error).replace("|", "/"))
        return Row(name, layers, skips, **found, rtl=text, seconds=time.monotonic() - started)


def _file(folder: Path, name: str) -> Path:
    return next(path for path in sorted(folder.glob(f"{name}.*")) if path.suffix in (".h5", ".keras"))


def _recipe(name: str, model: Any, place: Path, samples: int) -> Path:
    """A recipe of a model and its data, as a user would write it."""
    import numpy as np

    from nonresnet_hls.networks import saved

    own = place / name.lower()
    own.mkdir()
    saved.save(model, own / "model.keras")
    images, labels, kind = _data(name, tuple(model.inputs[0].shape[1:]), samples)
    split = {"x_train": images[: len(images) // 2], "x_test": images}
    if labels is not None:
        split |= {"y_train": labels[: len(images) // 2], "y_test": labels}
    np.savez(own / "data.npz", **split)
    text = f"""[architecture]
family = "keras"
file = "model.keras"
[dataset]
name = "npz"
file = "data.npz"
input_type = "{kind}"
[quantization]
epochs = 0
[hls]
strategy = "resource"
reuse_factor = 64
[csim]
samples = {samples}
"""
    path = own / f"{name.lower()}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _data(name: str, shape: tuple[int, ...], samples: int) -> tuple[Any, Any, str]:
    """Inputs (samples, *shape), labels or None, and the type of the inputs."""
    import numpy as np

    from nonresnet_hls.recipe import Dataset, DatasetName
    from nonresnet_hls.training import datasets, downloads

    if shape == (32, 32, 3) and downloads.local(DatasetName.CIFAR10) is not None:
        data = datasets.load(Dataset(DatasetName.CIFAR10))
        images, labels = data.x_test[:samples], data.y_test[:samples]  # type: ignore[index]
        raw = name in RAW_PIXELS
        images = images * 256 if raw else images
        return images, labels if name in TRAINED_ON_CIFAR10 else None, "ufixed<8,8>" if raw else "ufixed<8,0>"
    rng = np.random.default_rng(0)
    size = (min(samples, max(64, _SHAPED // int(np.prod(shape)))), *shape)
    if name in SIGNED:
        return np.clip(np.rint(rng.normal(0, 512, size)), -2048, 2047) / 256, None, "fixed<12,4>"
    return rng.integers(0, 256, size) / 256, None, "ufixed<8,0>"


def _through(name: str, model: Any, place: Path) -> dict[str, Any]:
    """Quantize, convert, simulate, emulate, size and prove."""
    import numpy as np

    from nonresnet_hls import dataflow
    from nonresnet_hls.emulation import Emulator
    from nonresnet_hls.errors import NonResNetError
    from nonresnet_hls.hls import network
    from nonresnet_hls.pipeline import convert, csim, quantize
    from nonresnet_hls.pipeline.workspace import Workspace
    from nonresnet_hls.quantization import reference, worth

    workspace = Workspace(place)
    recipe = workspace.recipe(str(_recipe(name, model, place, _SAMPLES)))
    ((_, compared),) = csim.run_csim([recipe], workspace, samples=_SIMULATED)
    if not compared.figures["equal"]:
        raise NonResNetError(f"DIFFERENT from layer {compared.figures['first_layer']} on")
    made = quantize.load(quantize.run(recipe, workspace))
    project = convert.run_convert(recipe, workspace).directory
    emulator = Emulator(network.of_project(project))
    outputs = [
        reference.evaluate(made.model, made.arithmetic, made.samples[at : at + 100]).outputs
        for at in range(0, len(made.samples), 100)
    ]
    quantized = np.concatenate(outputs)
    hardware = emulator(made.samples).reshape(quantized.shape)
    if (hardware != quantized).any():
        raise NonResNetError(f"emulator: {int((hardware != quantized).sum())} of {quantized.size} values DIFFERENT")
    found = worth.of(made.float_outputs, quantized, hardware, made.labels.get(""))
    assert found is not None
    flow = dataflow.analyse_project(project)
    depths = dataflow.size_fifos(flow)
    report = dataflow.fifo_report(flow, depths)
    work = place / "proof"
    work.mkdir()
    proof = dataflow.prove(project, flow, depths, work)
    least = "at least " if report.interval_is_lower_bound else ""
    return {
        "values": compared.figures["values"],
        "metric": str(found.metric),
        "samples": found.samples,
        "float_network": found.float_network,
        "quantized": found.quantized,
        "hardware": found.hardware,
        "mean_error": _mean_error(made.float_outputs, hardware),
        "fifos": f"{least}{'proved' if proof.holds else 'PROOF FAILS'}",
        "interval_cycles": report.interval_cycles,
    }


def _mean_error(wanted: Any, got: Any) -> float:
    import numpy as np

    return float(np.abs(got - wanted).mean() / (wanted.max() - wanted.min()))


def _rtl(name: str, model: Any, place: Path, how: str) -> str:
    """What the open engine makes of a model, or of its twin, beside the C simulation."""
    from nonresnet_hls.errors import NonResNetError
    from nonresnet_hls.pipeline import rtl
    from nonresnet_hls.pipeline.workspace import Workspace

    if how == "none":
        return ""
    workspace = Workspace(place / "twin")
    workspace.root.mkdir()
    try:
        own = model if how == "all" else twin(model)
        path = _recipe(f"{name}-twin", own, place / "twin", 4)
        figures = rtl.run_simulation(workspace.recipe(str(path)), workspace, rtl.RtlConfig()).figures
    except NonResNetError as error:
        return f"refused: {str(error).replace('|', '/')}"
    return f"equal, {figures['values']} values{'' if how == 'all' else ' (twin)'}"


def twin(model: Any) -> Any:
    """The layers of a model, each with at most 4 channels, and random weights."""
    import numpy as np
    from tensorflow import keras

    from nonresnet_hls.networks import graph

    def smaller(layer: Any) -> Any:
        config = graph.config_of(layer)
        config |= {key: min(config[key], _TWIN_CHANNELS) for key in ("filters", "units") if key in config}
        if "target_shape" in config:
            config["target_shape"] = (*config["target_shape"][:-1], -1)
        return type(layer).from_config(config)

    made = keras.models.clone_model(model, clone_function=smaller)
    rng = np.random.default_rng(0)
    for layer in made.layers:
        values = []
        for variable in layer.weights:
            positive = any(word in variable.name for word in ("variance", "gamma"))
            own = rng.uniform(0.5, 1.5, variable.shape) if positive else rng.normal(0, 0.4, variable.shape)
            values.append(np.zeros(variable.shape) if "iteration" in variable.name else own)
        layer.set_weights(values)
    return made


if __name__ == "__main__":
    main()
