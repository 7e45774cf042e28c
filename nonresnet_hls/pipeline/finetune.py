"""The stage `finetune`: a trained network, quantized with QKeras and trained on as it is then.

The artefact `models/NAME/finetune` holds `model.keras` (weights in float; `quantize.finish` puts them on their grids),
`metrics.json` (as `train`'s) and the training curve. It is all of a quantized network that takes long to
make and holds nothing of the data, so it can be shipped with the recipe, as `train`'s can.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nonresnet_hls import progress
from nonresnet_hls.networks import saved
from nonresnet_hls.pipeline import runner
from nonresnet_hls.pipeline import train as training
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.quantization.quantize import finish
from nonresnet_hls.recipe import Family, Optimizer, Recipe, Schedule, Training, stated
from nonresnet_hls.training import curves, datasets, fit
from nonresnet_hls.training.algorithm1 import Phase

STAGE = "finetune"


def wanted(recipe: Recipe, network: training.Network) -> bool:
    """Whether a recipe's quantized network is to be fine-tuned.

    It is where the network is trained, is not a user's QKeras model, and the recipe gives epochs for it.
    """
    if network.how is training.How.UNTRAINED or not recipe.quantization.epochs:
        return False
    file = network.recipe.architecture.file
    return file is None or not saved.is_quantized(file)


def run(
    recipe: Recipe,
    network: training.Network,
    workspace: Workspace,
    data: datasets.Data,
    quantize: Callable[[], Any],
) -> runner.Artefact:
    """Bring the fine-tuned model of a recipe up to date.

    Args:
        recipe: whose `[quantization]` it is.
        network: the float network, trained.
        workspace: where the artefact is to be.
        data: what to train and test on.
        quantize: makes the quantized model that is trained on.

    Raises:
        ModelError: a layer cannot be quantized.
        ArtefactError: an artefact or checkpoint is damaged.
    """
    found = existing(recipe, network, workspace)
    if found is not None:
        return found
    checkpoint = workspace.models / recipe.name / "checkpoints" / "finetune.npz"
    identity = _identity(recipe, network)

    def produce(folder: Path) -> Mapping[str, Any]:
        model = quantize()
        result = fit.fit(
            model, data, _as_trained(recipe, network), checkpoint, label=f"fine-tuning {recipe.name}",
            identity=runner.digest_of(STAGE, *identity),
        )  # fmt: skip
        saved.save(model, folder / training.MODEL)
        phase = Phase("fine-tuning", (), result.seconds, result.curve)
        metrics = training.metrics(deployed(model, recipe), data, [phase])
        runner.write_json(folder / training.METRICS, metrics)
        curves.write_csv(folder / training.CURVE, [phase])
        curves.plot(folder / training.PLOT, f"{recipe.title or recipe.name}, fine-tuning", [phase])
        return {"top1": metrics["top1"], "epochs": metrics["epochs"], "training_seconds": metrics["seconds"]}

    progress.say(f"fine-tuning {recipe.name} on {data.source}")
    directory = workspace.artefact(recipe.name, STAGE)
    artefact = runner.run(directory, STAGE, *identity, produce, training.took_long)
    checkpoint.unlink(missing_ok=True)
    return artefact


def existing(recipe: Recipe, network: training.Network, workspace: Workspace) -> runner.Artefact | None:
    """The up-to-date fine-tuned model of a recipe, in the workspace or shipped with the recipe; None if there is none.

    Raises:
        ArtefactError: it is up to date, but one of its files is missing or changed.
    """
    return workspace.existing(recipe.name, STAGE, runner.digest_of(STAGE, *_identity(recipe, network)))


def deployed(model: Any, recipe: Recipe) -> Any:
    """A fine-tuned model as its top-1 is counted: finished; where only a block is quantized, as it was trained."""
    return model if recipe.architecture.family is Family.BLOCK else finish(model)


def _as_trained(recipe: Recipe, network: training.Network) -> Training:
    """Fine-tuning sees the images as the training did: without augmentation a network of CIFAR-10 overfits."""
    config, trained = recipe.quantization, network.recipe.training
    return Training(
        epochs=config.epochs,
        batch_size=config.batch_size,
        optimizer=Optimizer.ADAM,
        learning_rate=config.learning_rate,
        schedule=Schedule.COSINE,
        weight_decay=0.0,
        augment=trained.augment,
        flip=trained.flip,
        seed=config.seed,
    )


def _identity(recipe: Recipe, network: training.Network) -> tuple[dict[str, Any], dict[str, str]]:
    config = {
        "quantization": stated(recipe.quantization),
        "training": stated(_as_trained(recipe, network)),
        "block": recipe.architecture.family is Family.BLOCK,
    }
    return config, {"network": network.digest, "dataset": training.data_digest(network.recipe.dataset)}
