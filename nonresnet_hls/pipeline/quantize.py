"""The stage `quantize`: from a float network to a quantized one on disk, with the inputs to compare it on.

The artefact `models/NAME/quantize` holds `model.keras` and `samples.npz` (see `kept_samples`).
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from nonresnet_hls import progress
from nonresnet_hls import recipe as recipes
from nonresnet_hls import samples as tensors
from nonresnet_hls.errors import RecipeError
from nonresnet_hls.networks import graph, lowering, saved
from nonresnet_hls.networks.prediction import predicted
from nonresnet_hls.pipeline import finetune, kept_samples, runner
from nonresnet_hls.pipeline import train as training
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.quantization import arithmetic, block, own_qkeras, quantizers, worth
from nonresnet_hls.quantization.deployment import deployable
from nonresnet_hls.quantization.merging import merged
from nonresnet_hls.quantization.quantize import finish, is_quantized, quantize
from nonresnet_hls.quantization.quantized import Quantized
from nonresnet_hls.quantization.ranges import ModelArithmetic
from nonresnet_hls.recipe import DatasetName, Family, Quantization, Recipe, SkipStyle
from nonresnet_hls.training import datasets, downloads, fit, losses
from nonresnet_hls.training.data import Data, Types

STAGE = "quantize"
MODEL = "model.keras"
SAMPLES = "samples.npz"

_ROOMS = (
    "fixed",
    "samples.py",
    "networks",
    "training/data.py",
    "training/datasets.py",
    "training/npz.py",
    "training/losses.py",
    "quantization",
    "pipeline/finetune.py",
    "pipeline/kept_samples.py",
    "pipeline/quantize.py",
)
_CALIBRATION_SAMPLES = 512
# So many values of test data are kept with the model: all digits, some hundred images, 64 inputs of a 32x32 block.
_KEPT_VALUES = 1 << 20
_MOST_KEPT_VALUES = 1 << 26
"""What a recipe can have by asking for more in `csim.samples`."""


class Weights(StrEnum):
    """What a quantized model's weights went through."""

    TRAINED = "trained"
    NOT_FINE_TUNED = "trained, not fine-tuned"
    PUT_ON_GRID = "trained, some put on a grid"
    """Those of a user's QKeras model, which no fixed-point design computes as Keras does."""
    NO_BETTER = "trained, as before a fine-tuning that made them no better"
    UNTRAINED = "untrained"


@dataclass(frozen=True, eq=False)
class _Convertible:
    """What is converted."""

    model: Any
    arithmetic: ModelArithmetic
    as_trained: ModelArithmetic
    """Of the model before layers were made others, for hardware."""
    input_type: Types
    samples: Any
    """Test samples."""


def run(recipe: Recipe, workspace: Workspace, fine_tune: bool = False) -> runner.Artefact:
    """Bring the quantized model of a recipe up to date, its float network before it.

    A network that is not trained (see `train.network`) is quantized as it is; so is a trained one that would have
    to be fine-tuned, if its recipe says that it is not trained on demand. The figure `weights` tells. A user's QKeras
    model is taken as it is.

    Args:
        recipe: what to quantize.
        workspace: where the artefact is, or is to be.
        fine_tune: a trained network is fine-tuned in any case.

    Raises:
        RecipeError: the recipe's block is not one of its network.
        ModelError: a layer cannot be quantized.
        NonResNetError: as `pipeline.train.network`.
    """
    source = _source(recipe, workspace)
    network = training.network(source, workspace)

    @functools.cache
    def data() -> Data:
        return _data(source)

    approximated: dict[str, str] = {}

    @functools.cache
    def quantized() -> Any:
        progress.say(f"quantizing {recipe.name}: {_bits(recipe.quantization)}")
        original = network.load()
        model = lowering.lower(original)
        if is_quantized(model):
            taken = own_qkeras.normalized(model)
            for name, how in taken.approximated.items():
                progress.say(f"{recipe.name}: layer {name}: {how}")
            approximated.update(taken.approximated)
            return taken.model
        only = block.belongs if _is_block(recipe) else (lambda _: True)
        few = kept_samples.fed(data().x_train[:_CALIBRATION_SAMPLES], kept_samples.inputs_of(original), model)
        return quantize(model, recipe.quantization, few, only)

    def convertible(model: Any) -> _Convertible:
        """What is converted; refuses, by layer, what could not be."""
        samples: Any = data().x_test
        input_type: Types
        if not _is_block(recipe):
            finished, input_type = finish(model), data().input_type
            if isinstance(input_type, dict):
                given = kept_samples.inputs_of(network.load())
                samples = kept_samples.fed(samples, given, finished)
                input_type = {
                    new: input_type[old] for new, old in zip(kept_samples.inputs_of(finished), given, strict=True)
                }
        else:
            feed = block.feed(model)
            samples = predicted(feed, samples[: _kept(recipe, feed.output_shape[1:])])
            # The network before the block is float: its activation is on the grid but for float32's last bit.
            input_type = quantizers.type_of(feed.layers[-1].quantizer, feed.layers[-1].name)
            samples = input_type.quantize_array(samples)
            finished = finish(block.cut_out(model, recipe.name.replace("-", "_")))
        as_trained = inferred = arithmetic.infer(finished, input_type)
        if recipe.architecture.skips is SkipStyle.MERGED:
            finished = merged(finished, inferred)
            inferred = arithmetic.infer(finished, input_type)
        deployed = deployable(finished, inferred)
        if deployed is not finished:
            inferred = arithmetic.infer(deployed, input_type)
        return _Convertible(deployed, inferred, as_trained, input_type, samples)

    tuned = finetune.existing(recipe, network, workspace)
    tunable = tuned is None and finetune.wanted(recipe, network) and (fine_tune or source.training.on_demand)
    special = source.training.is_special
    top1 = None if network.artefact is None else training.read_metrics(network.artefact)["top1"]
    if tunable and network.artefact is not None and top1 is None and not special:
        progress.say(f"{recipe.name}: not fine-tuned: its outputs are no classes, or its data has no labels")
    elif tunable:
        convertible(quantized())  # before it takes hours
        tuned = finetune.run(recipe, network, workspace, datasets.load(source.dataset), quantized)

    def produce(folder: Path) -> dict[str, Any]:
        model = saved.load(tuned.directory / training.MODEL) if tuned else quantized()
        tested = data()
        made = convertible(model)
        finished, inferred, input_type, samples = made.model, made.arithmetic, made.input_type, made.samples
        saved.save(finished, folder / MODEL)
        samples = samples[: _kept(recipe, tensors.shapes(samples))]
        original = network.load()
        outputs = _float_outputs(original, recipe, samples, tested)
        labels = kept_samples.labels_of(tested, outputs) if _has_data(source) else {}
        labels = {name: values[: len(samples)] for name, values in labels.items()}
        kept_samples.save(folder / SAMPLES, kept_samples.inputs_of(original), samples, input_type, outputs, labels)
        inexact = inferred.first_inexact()
        judged = finetune.validation(tuned) if tuned else None
        validation = None if judged is None else {**asdict(judged), "kept": str(judged.kept), "said": judged.said}
        accuracy = {}
        before = None if network.artefact is None else training.read_metrics(network.artefact)["top1"]
        if before is not None and _has_data(source):
            accuracy = {
                "top1_float": before,
                "top1_quantized": fit.top1(
                    finetune.deployed(model, recipe),
                    kept_samples.fed(tested.x_test, kept_samples.inputs_of(original), original),
                    tested.y_test,
                ),
            }
        return {
            "weights": str(_weights(recipe, network, tuned, bool(approximated))),
            "samples": _samples_are(source),
            **accuracy,
            "fine_tuning": validation,
            "input_type": (
                {name: str(one) for name, one in input_type.items()}
                if isinstance(input_type, dict)
                else str(input_type)
            ),
            "test_samples": len(tested.x_test),
            "widest_sum_bits": max(layer.float_bits for layer in inferred.layers.values()),
            "first_layer_beyond_float32": inexact.name if inexact else None,
            "kernels": [asdict(kernel) for kernel in worth.kernels(_quantized_part(model, recipe), made.as_trained)],
        }

    return runner.run(workspace.artefact(recipe.name, STAGE), *_identity(recipe, source, network, tuned), produce)


def existing(recipe: Recipe, workspace: Workspace) -> runner.Artefact | None:
    """The up-to-date quantized model of a recipe; None if there is none.

    Raises:
        NonResNetError: as `run`, without running anything.
    """
    source = _source(recipe, workspace)
    network = training.network(source, workspace, may_train=False)
    tuned = finetune.existing(recipe, network, workspace)
    found = runner.load(workspace.artefact(recipe.name, STAGE))
    wanted = runner.digest_of(*_identity(recipe, source, network, tuned))
    return found if found is not None and found.digest == wanted else None


@dataclass(frozen=True)
class Recorded:
    """A quantized network and the top-1 that was counted when it was made."""

    load: Callable[[], Any]
    """The `keras.Model` that it was counted with."""
    top1: float
    artefact: runner.Artefact


def recorded(recipe: Recipe, workspace: Workspace) -> Recorded | None:
    """The quantized network of a recipe whose top-1 is known: the fine-tuned one, or one that is not fine-tuned.

    Raises:
        NonResNetError: as `run`, without running anything.
    """
    network = training.network(_source(recipe, workspace), workspace, may_train=False)
    tuned = finetune.existing(recipe, network, workspace)
    if tuned is not None:
        path = tuned.directory / training.MODEL
        top1 = training.read_metrics(tuned)["top1"]
        return Recorded(lambda: finetune.deployed(saved.load(path), recipe), top1, tuned)
    if finetune.wanted(recipe, network) or _is_block(recipe):
        return None
    found = existing(recipe, workspace)
    if found is None or "top1_quantized" not in found.figures:
        return None
    with runner.reading(found):
        load = functools.partial(saved.load, found.directory / MODEL)
        return Recorded(load, float(found.figures["top1_quantized"]), found)


def _identity(
    recipe: Recipe, source: Recipe, network: training.Network, tuned: runner.Artefact | None
) -> tuple[str, dict[str, Any], dict[str, str]]:
    config: dict[str, Any] = {"quantization": recipe.quantization, "block": _is_block(recipe)}
    if recipe.architecture.skips is SkipStyle.MERGED:
        config["skips"] = SkipStyle.MERGED
    if recipe.csim.samples > recipes.Csim().samples:
        config["samples"] = recipe.csim.samples
    inputs = {
        "network": network.digest,
        "dataset": training.data_digest(source.dataset),
        "tool": runner.tool_digest(*_ROOMS),
    }
    if tuned is not None:
        inputs["fine-tuned"] = training.weights(tuned)
    if not _has_data(source):
        inputs["samples"] = "random"
    return STAGE, config, inputs


def _weights(recipe: Recipe, network: training.Network, tuned: runner.Artefact | None, approximated: bool) -> Weights:
    if network.how is training.How.UNTRAINED:
        return Weights.UNTRAINED
    if approximated:
        return Weights.PUT_ON_GRID
    if tuned is not None and tuned.figures.get("kept") == finetune.Kept.BEFORE:
        return Weights.NO_BETTER
    return Weights.NOT_FINE_TUNED if tuned is None and finetune.wanted(recipe, network) else Weights.TRAINED


def _is_block(recipe: Recipe) -> bool:
    return recipe.architecture.family is Family.BLOCK


def _source(recipe: Recipe, workspace: Workspace) -> Recipe:
    """The recipe of the network that is quantized: a block's network, or the recipe itself."""
    architecture = recipe.architecture
    if architecture.family is not Family.BLOCK or architecture.network is None:
        return recipe
    source = workspace.recipe(architecture.network)
    if source.architecture.trained.skips is not architecture.trained.skips:
        wanted = f"{source.architecture.skips} as its network {source.name} has"
        raise RecipeError(f"recipe {recipe.name}: architecture.skips: {wanted} wanted, not {architecture.skips}")
    if not source.dataset.same_as(recipe.dataset):
        raise RecipeError(f"recipe {recipe.name}: dataset: that of its network {source.name} wanted")
    return source


def load(artefact: runner.Artefact) -> Quantized:
    """What the stage left.

    Raises:
        ArtefactError: it cannot be read.
    """
    model = saved.load(artefact.directory / MODEL)
    kept = kept_samples.read(artefact.directory / SAMPLES, model)
    inferred = arithmetic.infer(model, kept.input_type)
    return Quantized(model, kept.input_type, kept.values, inferred, kept.float_outputs, kept.labels, kept.input_names)


def with_test_set(recipe: Recipe, workspace: Workspace) -> Recipe:
    """The recipe of a whole network, whose test set is here.

    Raises:
        RecipeError: the recipe is a block, or the data set is not on this machine.
    """
    if _is_block(recipe):
        raise RecipeError(f"recipe {recipe.name}: a whole network wanted for a test set with labels, not a block")
    source = _source(recipe, workspace)
    if not _has_data(source):
        raise RecipeError(f"recipe {recipe.name}: dataset {source.dataset.name} is not on this machine")
    return source


def labelled(recipe: Recipe, workspace: Workspace, quantized: Quantized) -> tuple[Any, Mapping[str, Any]]:
    """The whole test set of a recipe's network, and its labels by output (of one output it is called '').

    Raises:
        RecipeError: as `with_test_set`.
        DatasetError: the data cannot be had.
    """
    source = with_test_set(recipe, workspace)
    if source.dataset.name is not DatasetName.NPZ:
        x, y = datasets.load_test(source.dataset)
        return x, {} if y is None else {"": y}
    data = datasets.load(source.dataset)
    labels = kept_samples.labels_of(data, quantized.float_outputs)
    return kept_samples.fed(data.x_test, quantized.input_names, quantized.model), labels


def samples(recipe: Recipe, workspace: Workspace, quantized: Quantized, count: int) -> Any:
    """The first so many test samples: those kept with the model, or of a whole network's data set where they are fewer.

    Raises:
        RecipeError: there are not so many.
    """
    found = quantized.samples
    if len(found) < count and not _is_block(recipe) and _has_data(_source(recipe, workspace)):
        found = labelled(recipe, workspace, quantized)[0]
    if len(found) < count:
        raise RecipeError(f"recipe {recipe.name}: {count} samples wanted, there are {len(found)}")
    return found[:count]


def with_samples(recipe: Recipe, workspace: Workspace, quantized: Quantized, count: int) -> Quantized:
    """The model with so many test samples, at least: their labels, and what the float network makes of them, too.

    Raises:
        RecipeError: there are not so many.
    """
    found = samples(recipe, workspace, quantized, count)
    if len(found) <= len(quantized.samples):
        return quantized
    source = _source(recipe, workspace)
    data, network = _data(source), training.network(source, workspace, may_train=False).load()
    outputs = _float_outputs(network, recipe, found, data)
    labels = {name: values[:count] for name, values in kept_samples.labels_of(data, outputs).items()}
    return replace(quantized, samples=found, float_outputs=outputs, labels=labels)


def _has_data(source: Recipe) -> bool:
    """Whether the data set is on this machine, or may be fetched now."""
    ships = source.dataset.name in (DatasetName.DIGITS, DatasetName.NPZ)
    return ships or source.training.on_demand or downloads.local(source.dataset.name) is not None


def _samples_are(source: Recipe) -> str:
    name = source.dataset.name
    return f"{name} test data" if _has_data(source) else f"seeded random inputs ({name} is not on this machine)"


def _data(source: Recipe) -> Data:
    """The data set, or seeded random inputs where it is one of ours that is not on this machine."""
    import numpy as np

    if _has_data(source):
        return datasets.load(source.dataset)
    spec = datasets.spec(source.dataset)
    rng = np.random.default_rng(source.training.seed)
    count = _CALIBRATION_SAMPLES
    mantissas = rng.integers(0, spec.type.max_mantissa + 1, (count, *spec.shape))
    x = np.ldexp(mantissas.astype(np.float32), -spec.type.fraction_bits)
    y = np.zeros(count, np.int64)
    return Data(x, y, x, y, spec.input_type, spec.classes, _samples_are(source))


def _bits(config: Quantization) -> str:
    return f"{config.weight_bits}-bit weights, {config.activation_bits}-bit activations"


def _kept(recipe: Recipe, shape: tensors.Shapes) -> int:
    """How many samples are kept with the model, if each makes a tensor of `shape`, or several."""
    size = sum(tensors.sizes(shape))
    return max(_KEPT_VALUES // size, min(recipe.csim.samples, _MOST_KEPT_VALUES // size), 1)


def _quantized_part(model: Any, recipe: Recipe) -> Any:
    """What of a network is converted."""
    return block.cut_out(model, "block") if _is_block(recipe) else model


def _float_outputs(network: Any, recipe: Recipe, samples: Any, data: Data) -> Any:
    """What the float network makes of the samples: for a block, of what the quantized one receives."""
    inputs = (
        samples
        if _is_block(recipe)
        else kept_samples.fed(data.x_test_float[: len(samples)], kept_samples.inputs_of(network), network)
    )
    part = losses.without_softmax(_quantized_part(network, recipe))
    found = predicted(part, inputs)
    if not isinstance(found, list):
        return kept_samples.as_files_hold(found)
    names = graph.output_names(network)
    return tensors.joined({name: kept_samples.as_files_hold(one) for name, one in zip(names, found, strict=True)})
