"""The stage `finetune`: a trained network, quantized with QKeras and trained on as it is then.

The artefact `models/NAME/finetune` holds `model.keras` (weights in float; `quantize.finish` puts them on their grids),
`metrics.json` (as `train`'s) and the training curve. It is all of a quantized network that takes long to
make and holds nothing of the data, so it can be shipped with the recipe, as `train`'s can.

Training on can make a network worse. So a tenth of the training samples is held out, on these the weights from before
and from after are judged, and the better are kept; the figures and `metrics.json` say which and by what. (What was
fine-tuned before this was so has no such figures.)
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from nonresnet_hls import progress
from nonresnet_hls.errors import DatasetError
from nonresnet_hls.networks import graph, saved
from nonresnet_hls.pipeline import runner
from nonresnet_hls.pipeline import train as training
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.quantization.quantize import finish
from nonresnet_hls.recipe import Family, Optimizer, Recipe, Schedule, Training, stated
from nonresnet_hls.training import curves, fit, losses, objectives
from nonresnet_hls.training.algorithm1 import Phase
from nonresnet_hls.training.data import Data, Targets

STAGE = "finetune"

_HELD_OUT = 10
"""One of so many training samples is held out."""


class Kept(StrEnum):
    """Which weights a fine-tuning ends with."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True)
class Validation:
    """The weights from before and from after the fine-tuning on training samples that were held out of it."""

    samples: int
    top1_before: float | None
    """None of what is trained to something else than one class a sample: then the loss decides."""
    top1_after: float | None
    loss_before: float
    """Cross-entropy, or what the recipe says; it decides where both top-1 are equal."""
    loss_after: float

    @property
    def kept(self) -> Kept:
        """The better weights."""
        better = ((self.top1_after or 0.0), -self.loss_after) > ((self.top1_before or 0.0), -self.loss_before)
        return Kept.AFTER if better else Kept.BEFORE

    @property
    def said(self) -> str:
        """In words."""
        if self.top1_before is None or self.top1_after is None:
            found = f"fine-tuning: loss {self.loss_before:.4g} before and {self.loss_after:.4g} after"
        else:
            found = f"fine-tuning: top-1 {self.top1_before:.2%} before and {self.top1_after:.2%} after"
        return f"{found} on {self.samples} training samples that were held out: the weights from {self.kept} are kept"


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
    data: Data,
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
    checkpoint = workspace.checkpoints(recipe.name) / "finetune.npz"
    identity = _identity(recipe, network)

    def produce(folder: Path) -> Mapping[str, Any]:
        model = quantize()
        config = _as_trained(recipe, network)
        names = None
        if objectives.needed(model, config):
            original = network.load()
            names = graph.output_names(original)
            # As the float network has them: their ends tell what the targets are.
            objectives.of(original, objectives.ordered(data, original), config)
            of_model = objectives.ordered(data, original)
        else:
            losses.classifier(model, data)
            of_model = data
        learnt, held_out = _split(of_model, recipe.quantization.seed)
        before = model.get_weights()
        first = _judged(deployed(model, recipe), held_out, config, names)
        result = fit.fit(
            model, learnt, config, checkpoint, label=f"fine-tuning {recipe.name}",
            identity=runner.digest_of(STAGE, *identity), names=names,
        )  # fmt: skip
        second = _judged(deployed(model, recipe), held_out, config, names)
        validation = Validation(len(held_out.x_test), first.top1, second.top1, first.loss, second.loss)
        progress.say(f"{recipe.name}: {validation.said}")
        if validation.kept is Kept.BEFORE:
            model.set_weights(before)
        saved.save(model, folder / training.MODEL)
        phase = Phase("fine-tuning", (), result.seconds, result.curve)
        judged = {"kept": str(validation.kept), "validation": dataclasses.asdict(validation)}
        metrics = training.metrics(deployed(model, recipe), of_model, [phase], config, names) | judged
        runner.write_json(folder / training.METRICS, metrics)
        curves.write_csv(folder / training.CURVE, [phase])
        curves.plot(folder / training.PLOT, f"{recipe.title or recipe.name}, fine-tuning", [phase])
        return {"top1": metrics["top1"], "epochs": metrics["epochs"], "training_seconds": metrics["seconds"], **judged}

    progress.say(f"fine-tuning {recipe.name} on {data.source}")
    directory = workspace.artefact(recipe.tuned_as, STAGE)
    artefact = runner.run(directory, STAGE, *identity, produce, training.took_long)
    checkpoint.unlink(missing_ok=True)
    return artefact


def existing(recipe: Recipe, network: training.Network, workspace: Workspace) -> runner.Artefact | None:
    """The up-to-date fine-tuned model of a recipe, in the workspace or shipped with the recipe; None if there is none.

    Raises:
        ArtefactError: it is up to date, but one of its files is missing or changed.
    """
    digest = runner.digest_of(STAGE, *_identity(recipe, network))
    found = (workspace.existing(name, STAGE, digest) for name in (recipe.name, recipe.tuned_as))
    return next((artefact for artefact in found if artefact is not None), None)


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
        jitter=trained.jitter,
        mixup=trained.mixup,
        mixup_tail=trained.mixup_tail,
        seed=config.seed,
        loss=trained.loss,
        losses=trained.losses,
        metric=trained.metric,
        metrics=trained.metrics,
    )


def _judged(model: Any, held_out: Data, config: Training, names: list[str] | None) -> fit.Judgement:
    """How a deployed model does on the samples that were held out."""
    if names is None:
        return fit.judge(model, held_out.x_test, held_out.y_test)
    wanted = objectives.of(model, held_out, config, names)
    found = objectives.measured(model, wanted, held_out.x_test, objectives.tests(wanted))
    return fit.Judgement(None, found["loss"])


def _split(data: Data, seed: int) -> tuple[Data, Data]:
    """The data without, and that of the held-out training samples (as its test samples).

    Raises:
        DatasetError: there are fewer than 2 training samples.
    """
    import numpy as np

    count = len(data.x_train)
    if count < 2:
        raise DatasetError(f"{data.source}: 2 or more training samples wanted for fine-tuning, not {count}")
    order = np.random.default_rng(seed).permutation(count)
    held_out = np.zeros(count, bool)
    held_out[order[: max(count // _HELD_OUT, 1)]] = True
    y = data.y_train
    rest, own = (
        {
            name: Targets(one.train[~held_out], test, one.where)
            for name, one, test in (
                (name, one, one.test if keeps else one.train[held_out]) for name, one in data.targets.items()
            )
        }
        for keeps in (True, False)
    )
    learnt = dataclasses.replace(
        data, x_train=data.x_train[~held_out], y_train=None if y is None else y[~held_out], targets=rest
    )
    judged = dataclasses.replace(
        learnt, x_test=data.x_train[held_out], y_test=None if y is None else y[held_out], targets=own
    )
    return learnt, judged


def validation(tuned: runner.Artefact) -> Validation | None:
    """What a fine-tuning was judged by; None for one of an older version."""
    found = tuned.figures.get("validation")
    return None if found is None else Validation(**found)


def _identity(recipe: Recipe, network: training.Network) -> tuple[dict[str, Any], dict[str, str]]:
    config: dict[str, Any] = {
        "quantization": stated(recipe.quantization),
        "training": stated(_as_trained(recipe, network)),
        "block": recipe.architecture.family is Family.BLOCK,
    }
    if recipe.architecture.family is Family.KERAS:
        # Those of our own networks that are there from before stay: they take hours, and gained.
        config["keeps"] = "the better"
    return config, {"network": network.digest, "dataset": training.data_digest(network.recipe.dataset)}
