"""Explaining a design: what is written is the configuration that cures; of a recipe what was found is kept, too."""

import dataclasses
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nonresnet_hls import bounds, files, generated, progress
from nonresnet_hls.errors import DatasetError, ModelError, RecipeError
from nonresnet_hls.explain import explaining, telling
from nonresnet_hls.explain.explaining import Explanation, Question, Wish
from nonresnet_hls.hls import configured, fidelity, network
from nonresnet_hls.networks import saved
from nonresnet_hls.pipeline import designs, emulate, runner, taken
from nonresnet_hls.pipeline import quantize as quantization
from nonresnet_hls.pipeline import train as training
from nonresnet_hls.pipeline.convert import run_convert
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Family, Recipe
from nonresnet_hls.training import datasets

SAMPLES = 1000
_RANDOM = 64
_KERAS_FILE = "keras_model.keras"


@dataclass(frozen=True, eq=False)
class Given:
    """What a design comes with."""

    model: Any = None
    """A Keras model or its file; of a project, which may have none."""
    config: Any = None
    """hls4ml's configuration of a model, or its file; None: hls4ml's own choice."""
    data: Any = None
    """Samples, samples and labels, or a .npz or .npy file of them; None: the recipe's test set, or random numbers."""
    samples: int | None = None
    """The first so many; None: 1000, or all where bits are sought."""


def explain(design: Any, workspace: Workspace, given: Given, wish: Wish, way: configured.Way) -> Explanation:
    """Explain a recipe, a Keras model with a configuration, or a project beside its Keras model.

    Raises:
        RecipeError: it is nothing of these, or comes with what does not belong to it.
        ModelError: the model is not that of the hardware.
        DatasetError: the samples cannot be read, or do not fit the model.
        ConversionError: hls4ml cannot take model and configuration, or a layer has no known arithmetic.
    """
    if isinstance(design, str | Path):
        path = Path(design)
        if path.is_dir():
            return explaining.explain(_of_project(path, given, wish, way), wish)
        if not taken.is_file(path):
            design = workspace.recipe(str(design))
    if isinstance(design, Recipe):
        found = explaining.explain(_of_recipe(design, workspace, given, wish, way), wish)
        if wish.max_loss is None:  # there it is another hardware than the project's
            _keep(found, design, workspace, wish)
        return found
    return explaining.explain(_of_model(design, given, wish, way), wish)


STAGE = "explain"
RESULT = "result.json"
_ROOMS = ("fixed", "networks", "quantization", "hls", "emulation", "explain", "pipeline/explain.py")


@dataclass(frozen=True)
class _Kept:
    samples: int
    bits: int


def _keep(found: Explanation, recipe: Recipe, workspace: Workspace, wish: Wish) -> None:
    """Leave what was found of a recipe's project, for whoever shows it."""

    def produce(folder: Path) -> dict[str, Any]:
        text = json.dumps(telling.figures(found), default=lambda number: number.item())
        (folder / RESULT).write_text(text + "\n", encoding="utf-8")
        return {"equal": found.equal}

    where = workspace.artefact(recipe.name, STAGE)
    config = _Kept(found.agreement.samples, wish.bits)
    try:
        runner.run(where, STAGE, config, _inputs(recipe, workspace), produce)
    except OSError as error:  # nothing can be written there; what was asked for is found all the same
        progress.say(f"{where}: not kept ({error.strerror or error})")


def existing(recipe: Recipe, workspace: Workspace) -> runner.Artefact | None:
    """What was found of a recipe's present project; None where nobody has asked.

    Raises:
        ArtefactError: a file of the project or of the result was changed or is missing.
    """
    found = runner.load(workspace.artefact(recipe.name, STAGE))
    if found is None or quantization.existing(recipe, workspace) is None:
        return None
    return found if dict(found.inputs) == _inputs(recipe, workspace) else None


def _inputs(recipe: Recipe, workspace: Workspace) -> dict[str, str]:
    model, project = quantization.existing(recipe, workspace), runner.load(workspace.projects / recipe.name)
    found = {"model": model, "project": project}
    contents = {name: one.content for name, one in found.items() if one is not None}
    return {**contents, "tool": runner.tool_digest(*_ROOMS)}


def save(explanation: Explanation, target: Path) -> list[Path]:
    """Write the configuration that cures, and the model where it must be another; returns what was written.

    Raises:
        ModelError: there is nothing to cure.
    """
    if explanation.cure is None:
        raise ModelError(f"{target}: not written, since there is nothing to cure")
    files.write_text(target, explanation.cure.yaml)
    if explanation.cure.model is None:
        return [target]
    saved.save(explanation.cure.model, _beside(target))
    return [target, _beside(target)]


def refuse_target(target: Path) -> None:
    """Refuse, before anything is done, a file that would not be written.

    Raises:
        ModelError: it has another suffix, or is there already.
    """
    if target.suffix not in (".yml", ".yaml"):
        raise ModelError(f"{target}: a name ending in .yml or .yaml wanted")
    for path in (target, _beside(target)):
        if os.path.lexists(path):
            raise ModelError(f"{path}: exists already; it is not overwritten")


def _beside(target: Path) -> Path:
    """Where a model is written that goes with a configuration."""
    return target.with_suffix(".keras")


def _of_model(design: Any, given: Given, wish: Wish, way: configured.Way) -> Question:
    if given.model is not None:
        raise RecipeError("--model: goes with a project, whose hardware it is compared with")
    model = designs.keras_model(design)
    name = str(design) if isinstance(design, str | Path) else str(model.name)
    inputs, labels, told = _data(model, given, wish)
    return _converted(name, model, _config(given, model, way), way, inputs, labels, told)


def _converted(
    name: str, model: Any, config: configured.Configuration, way: configured.Way, inputs: Any, labels: Any, told: str
) -> Question:
    _one_output(model)
    with tempfile.TemporaryDirectory(prefix="nonresnet-explain-") as folder:
        graph, notes = configured.to_graph(model, config, Path(folder) / "project", way)
        found = network.of_graph(graph)
    return Question(name, model, found, inputs, labels, config, way, told, notes)


def _config(given: Given, model: Any, way: configured.Way) -> configured.Configuration:
    if given.config is None:
        return configured.default(model, way.backend)
    if isinstance(given.config, str | Path):
        return configured.read(Path(given.config))
    return configured.checked(given.config, "config")


def _of_project(path: Path, given: Given, wish: Wish, way: configured.Way) -> Question:
    if given.config is not None:
        raise RecipeError(f"{path}: --config goes with a Keras model; a project has its own")
    found = network.of_project(path)
    source = given.model
    if source is None:
        source = path / _KERAS_FILE
        if not source.is_file():
            raise ModelError(f"{path}: --model, the Keras model that it was made of, wanted; there is no {_KERAS_FILE}")
    model = designs.keras_model(source)
    _one_output(model)
    if given.data is None:
        count = given.samples or _RANDOM
        flat = emulate.random_inputs(found, count)
        inputs = tuple(one.reshape(count, *tensor.shape[1:]) for one, tensor in zip(flat, model.inputs, strict=False))
        labels, told = None, "seeded random numbers of the input types"
    else:
        inputs, labels, told = _data(model, given, wish)
    notes = tuple(str(loss) for loss in fidelity.losses(model))
    own, way = _settings(path, way)
    return Question(str(path), model, found, inputs, labels, own, way, told, notes)


def _settings(path: Path, way: configured.Way) -> tuple[configured.Configuration, configured.Way]:
    """How a project was converted, as far as it says."""
    if not (path / generated.SETTINGS).is_file():
        return {}, way
    settings = generated.read_settings(path)
    own = settings.get("HLSConfig")
    backend = "Vitis" if str(settings.get("Backend", "")).startswith("Vitis") else "Vivado"
    io_type: configured.IoType = "io_parallel" if settings.get("IOType") == "io_parallel" else "io_stream"
    found = dataclasses.replace(way, backend=backend, io_type=io_type)
    return configured.checked(own, str(path / generated.SETTINGS)) if isinstance(own, dict) else {}, found


def _of_recipe(recipe: Recipe, workspace: Workspace, given: Given, wish: Wish, way: configured.Way) -> Question:
    for what, value in (("--model", given.model), ("--config", given.config), ("--data", given.data)):
        if value is not None:
            raise RecipeError(f"{what}: goes with a model or a project; recipe {recipe.name} has its own")
    if wish.max_loss is not None:
        return _of_network(recipe, workspace, given, way)
    quantized = quantization.load(quantization.run(recipe, workspace))
    project = run_convert(recipe, workspace)
    _one_output(quantized.model)
    if len(quantized.model.inputs) != 1:
        raise ModelError(f"recipe {recipe.name}: one input wanted, not {len(quantized.model.inputs)}")
    samples, named, told = quantized.samples, quantized.labels, "test data"
    if recipe.architecture.family is not Family.BLOCK and (given.samples or SAMPLES) > len(samples):
        samples, named = quantization.labelled(recipe, workspace, quantized)
    count = given.samples or SAMPLES
    samples = np.asarray(samples[:count], np.float64)
    labels = named.get("")
    labels = None if labels is None else labels[:count]
    notes = tuple(str(loss) for loss in fidelity.losses(quantized.model))
    found = network.of_project(project.directory)
    return Question(
        recipe.name, quantized.model, found, (samples,), labels, {}, way, f"{recipe.dataset.name} {told}", notes
    )


def _of_network(recipe: Recipe, workspace: Workspace, given: Given, way: configured.Way) -> Question:
    """The float network of a recipe on its test set, as hls4ml converts it by itself: of which bits are saved."""
    source = training.network(recipe, workspace, may_train=False)
    if source.artefact is None or recipe.architecture.family is Family.BLOCK:
        raise RecipeError(f"recipe {recipe.name}: --max-loss wants a trained network; train it first")
    model = designs.keras_model(source.load())
    samples, labels = datasets.load_test(source.recipe.dataset)
    count = given.samples or len(samples)
    samples = np.asarray(samples[:count], np.float64)
    labels = None if labels is None else labels[:count]
    told = f"{recipe.dataset.name} test data"
    return _converted(recipe.name, model, configured.default(model, way.backend), way, (samples,), labels, told)


def _one_output(model: Any) -> None:
    if len(model.outputs) != 1:
        raise ModelError(f"model {model.name}: one output wanted, not {len(model.outputs)}")


# Samples


def _data(model: Any, given: Given, wish: Wish) -> tuple[tuple[Any, ...], Any, str]:
    """Samples for each input, labels or None, and what they are."""
    count = given.samples or (None if wish.max_loss is not None else SAMPLES)
    if given.data is None:
        rng = np.random.default_rng(0)
        count = given.samples or _RANDOM
        inputs = tuple(rng.uniform(0, 1, (count, *_shape(tensor))) for tensor in model.inputs)
        return inputs, None, "seeded random numbers from 0 to 1"
    inputs, labels, told = _read(model, given.data)
    inputs = tuple(_checked(one, tensor, told) for one, tensor in zip(inputs, model.inputs, strict=True))
    if len({len(one) for one in inputs}) > 1:
        raise DatasetError(f"{told}: as many samples of each input wanted, not {[len(one) for one in inputs]}")
    classes = int(model.outputs[0].shape[-1])
    labels = None if labels is None else _checked_labels(np.asarray(labels), len(inputs[0]), classes, told)
    return tuple(one[:count] for one in inputs), None if labels is None else labels[:count], told


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(tensor.shape[1:])


def _read(model: Any, data: Any) -> tuple[tuple[Any, ...], Any, str]:
    if not isinstance(data, str | Path):
        several = len(model.inputs) > 1
        if isinstance(data, tuple) and len(data) == 2:
            x, labels = data
        else:
            x, labels = data, None
        return tuple(x) if several else (x,), labels, "data"
    path = Path(data)
    try:
        with bounds.open_plain(path) as stream:
            if path.suffix == ".npy":
                return (bounds.load_npy(stream),), None, str(path)
            arrays = bounds.load_npz(stream)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DatasetError(f"{path}: a .npz or .npy file of samples wanted: {reason}") from None
    names = [tensor._keras_history.layer.name for tensor in model.inputs]
    if all(name in arrays for name in names):
        return tuple(arrays[name] for name in names), arrays.get("y"), str(path)
    for x, y in (("x_test", "y_test"), ("x", "y")):
        if x in arrays and len(names) == 1:
            return (arrays[x],), arrays.get(y), str(path)
    wanted = f"x_test, x or {', '.join(names)}"
    raise DatasetError(f"{path}: {wanted} wanted, not {', '.join(sorted(arrays)) or 'nothing'}")


def _checked(values: Any, tensor: Any, told: str) -> Any:
    array, wanted = np.asarray(values), _shape(tensor)
    if array.dtype.kind not in "fiub" or array.ndim < 2 or len(array) == 0 or tuple(array.shape[1:]) != wanted:
        raise DatasetError(f"{told}: samples of {wanted} numbers wanted, not {array.dtype} {array.shape}")
    if not np.isfinite(array).all():
        raise DatasetError(f"{told}: finite numbers wanted")
    # As Keras gets them, and no finer.
    return np.asarray(np.asarray(array, np.float32), np.float64)


def _checked_labels(labels: Any, count: int, classes: int, told: str) -> Any:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2:
        labels = labels.argmax(1)
    if labels.shape != (count,) or labels.dtype.kind not in "fiub" or (labels != np.rint(labels)).any():
        raise DatasetError(
            f"{told}: y: one class for each of {count} samples wanted, not {labels.dtype} {labels.shape}"
        )
    outside = labels[(labels < 0) | (labels >= classes)]
    if outside.size:
        raise DatasetError(f"{told}: y: classes from 0 to {classes - 1} wanted, not {outside[0]:g}")
    return labels.astype(np.int64)
