"""The stage `quantize`: from a float network to a quantized one on disk, with the inputs to compare it on.

The artefact `models/NAME/quantize` holds `model.keras` and `samples.npz`: `x`, integers (samples, *shape) in units
of the input type's last bit, and `input_type`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls import progress, stages
from nonresnet_hls.errors import ArtefactError, ModelError, RecipeError
from nonresnet_hls.fixed_point import FixedPointError, FixedPointType
from nonresnet_hls.networks import saved
from nonresnet_hls.quantization import arithmetic, block, quantizers
from nonresnet_hls.quantization.quantize import finish, is_quantized, quantize
from nonresnet_hls.recipe import Architecture, DatasetName, Family, Optimizer, Quantization, Recipe, Schedule, Training
from nonresnet_hls.training import datasets, downloads, fit
from nonresnet_hls.training import stage as training
from nonresnet_hls.workspace import Workspace

STAGE = "quantize"
MODEL = "model.keras"
SAMPLES = "samples.npz"

_CALIBRATION_SAMPLES = 512
# So many values of test data are kept with the model: all digits, some hundred images, 64 inputs of a 32x32 block.
_KEPT_VALUES = 1 << 20


@dataclass(frozen=True)
class Config:
    """All of a recipe that decides how its network is quantized."""

    quantization: Quantization
    architecture: Architecture


@dataclass(frozen=True, eq=False)
class Quantized:
    """A quantized model, ready to be converted or simulated."""

    model: Any
    """QKeras model, every constant on its grid."""
    input_type: FixedPointType
    samples: Any
    """(samples, *input shape) float64: test data, on the grid of `input_type`."""
    arithmetic: arithmetic.ModelArithmetic


def run(recipe: Recipe, workspace: Workspace) -> stages.Artefact:
    """Bring the quantized model of a recipe up to date, its float network before it.

    A network that is not trained (see `training.network`) is quantized as it is and not fine-tuned; the
    figures say `"weights": "untrained"`. A user's QKeras model is taken as it is.

    Raises:
        RecipeError: the recipe's block is not one of its network.
        ModelError: a layer cannot be quantized.
        NonResNetError: as `training.network`.
    """
    source = _source(recipe, workspace)
    network = training.network(source, workspace)

    def produce(folder: Path) -> dict[str, Any]:
        only_block = recipe.architecture.family is Family.BLOCK
        model = network.load()
        data, where = _data(source)
        spec = datasets.spec(source.dataset)
        figures: dict[str, Any] = {"weights": str(network.how), "samples": where}
        trained = network.how is training.How.TRAINED
        if trained:
            figures["top1_float"] = fit.top1(model, data.x_test, data.y_test)
        progress.say(f"quantizing {recipe.name}: {_bits(recipe.quantization)}")
        if not is_quantized(model):
            only = block.belongs if only_block else (lambda _: True)
            model = quantize(model, recipe.quantization, data.x_train[:_CALIBRATION_SAMPLES], only)
            if trained and recipe.quantization.epochs:
                checkpoint = workspace.models / recipe.name / "checkpoints" / "quantize.npz"
                fit.fit(
                    model,
                    data,
                    _fine_tuning(recipe.quantization, source.training),
                    checkpoint,
                    label=f"fine-tuning {recipe.name}",
                )
                checkpoint.unlink(missing_ok=True)
        samples: Any = data.x_test
        input_type = spec.input_type
        if only_block:
            feed = block.feed(model)
            samples = feed.predict(_first(samples, feed.output_shape[1:]), batch_size=64, verbose=0)
            # The network before the block is float: its activation is on the grid but for float32's last bit.
            input_type = quantizers.type_of(feed.layers[-1].quantizer, feed.layers[-1].name)
            samples = input_type.quantize_array(samples)
            finished = finish(block.cut_out(model, recipe.name.replace("-", "_")))
        else:
            finished = finish(model)
        if trained and not only_block:
            figures["top1_quantized"] = fit.top1(finished, data.x_test, data.y_test)
        elif trained:
            figures["top1_quantized"] = fit.top1(model, data.x_test, data.y_test)
        saved.save(finished, folder / MODEL)
        _save_samples(folder / SAMPLES, _first(samples, samples.shape[1:]), input_type)
        # Refuse here, by layer, what could not be converted.
        inferred = arithmetic.infer(finished, input_type)
        inexact = inferred.first_inexact()
        figures |= {
            "input_type": str(input_type),
            "test_samples": len(data.x_test),
            "widest_sum_bits": max(layer.float_bits for layer in inferred.layers.values()),
            "first_layer_beyond_float32": inexact.name if inexact else None,
        }
        return figures

    return stages.run(workspace.artefact(recipe.name, STAGE), *_identity(recipe, network), produce)


def existing(recipe: Recipe, workspace: Workspace) -> stages.Artefact | None:
    """The up-to-date quantized model of a recipe; None if there is none.

    Raises:
        NonResNetError: as `run`, without running anything.
    """
    network = training.network(_source(recipe, workspace), workspace, may_train=False)
    found = stages.load(workspace.artefact(recipe.name, STAGE))
    wanted = stages.digest_of(*_identity(recipe, network))
    return found if found is not None and found.digest == wanted else None


def _identity(recipe: Recipe, network: training.Network) -> tuple[str, Config, dict[str, str]]:
    return STAGE, Config(recipe.quantization, recipe.architecture), {"network": network.digest}


def _source(recipe: Recipe, workspace: Workspace) -> Recipe:
    """The recipe of the network that is quantized: a block's network, or the recipe itself."""
    architecture = recipe.architecture
    if architecture.family is not Family.BLOCK or architecture.network is None:
        return recipe
    source = workspace.recipe(architecture.network)
    if source.architecture.skips is not architecture.skips:
        wanted = f"{source.architecture.skips} as its network {source.name} has"
        raise RecipeError(f"recipe {recipe.name}: architecture.skips: {wanted} wanted, not {architecture.skips}")
    if source.dataset != recipe.dataset:
        raise RecipeError(f"recipe {recipe.name}: dataset: that of its network {source.name} wanted")
    return source


def load(artefact: stages.Artefact) -> Quantized:
    """What the stage left.

    Raises:
        ArtefactError: it cannot be read.
    """
    import numpy as np

    model = saved.load(artefact.directory / MODEL)
    path = artefact.directory / SAMPLES
    try:
        with np.load(path, allow_pickle=False) as arrays:
            mantissas, text = arrays["x"], str(arrays["input_type"])
        input_type = FixedPointType.parse(text)
    except (OSError, ValueError, KeyError, FixedPointError) as error:
        raise ArtefactError(f"{path}: {error}") from None
    samples = np.ldexp(mantissas.astype(np.float64), -input_type.fraction_bits)
    return Quantized(model, input_type, samples, arithmetic.infer(model, input_type))


def _data(source: Recipe) -> tuple[datasets.Data, str]:
    """The data set, or seeded random inputs where it is one of ours that is not on this machine."""
    import numpy as np

    name = source.dataset.name
    ships = name in (DatasetName.DIGITS, DatasetName.NPZ)
    if source.training.on_demand or ships or downloads.local(name) is not None:
        data = datasets.load(source.dataset)
        return data, f"{name} test data"
    spec = datasets.spec(source.dataset)
    rng = np.random.default_rng(source.training.seed)
    count = _CALIBRATION_SAMPLES
    mantissas = rng.integers(0, spec.input_type.max_mantissa + 1, (count, *spec.shape))
    x = np.ldexp(mantissas.astype(np.float32), -spec.input_type.fraction_bits)
    y = np.zeros(count, np.int64)
    where = f"seeded random inputs ({name} is not on this machine)"
    return datasets.Data(x, y, x, y, spec.input_type, spec.classes, where), where


def _fine_tuning(config: Quantization, float_training: Training) -> Training:
    """Fine-tuning sees the images as the training did: without augmentation a network of CIFAR-10 overfits."""
    return Training(
        epochs=config.epochs,
        batch_size=config.batch_size,
        optimizer=Optimizer.ADAM,
        learning_rate=config.learning_rate,
        schedule=Schedule.COSINE,
        weight_decay=0.0,
        augment=float_training.augment,
        flip=float_training.flip,
        seed=config.seed,
    )


def _bits(config: Quantization) -> str:
    return f"{config.weight_bits}-bit weights, {config.activation_bits}-bit activations"


def _first(samples: Any, shape: tuple[int, ...]) -> Any:
    """As many samples as are kept, if each makes a tensor of `shape`."""
    import math

    return samples[: max(_KEPT_VALUES // math.prod(shape), 1)]


def _save_samples(path: Path, samples: Any, input_type: FixedPointType) -> None:
    import numpy as np

    try:
        mantissas = input_type.mantissas(samples)
    except FixedPointError as error:
        raise ModelError(f"test data: {error}") from None
    smallest = np.min_scalar_type(input_type.min_mantissa if input_type.signed else input_type.max_mantissa)
    np.savez_compressed(path, x=mantissas.astype(smallest), input_type=str(input_type))
