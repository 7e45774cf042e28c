"""The stage `train`: from a recipe to a trained float network on disk.

The artefact `models/NAME/train` holds `model.keras` (without optimizer state), `metrics.json` (format 1, see
`metrics`) and the training curve `curve.csv` (a row an epoch) and `curve.svg`.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from nonresnet_hls import bounds, networks, progress, recipe, skips
from nonresnet_hls.errors import ArtefactError, DatasetError, ModelError, RecipeError, shown
from nonresnet_hls.networks import graph, lowering, rescaling, saved
from nonresnet_hls.pipeline import runner
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Architecture, Dataset, Distillation, Family, Recipe, Training
from nonresnet_hls.samples import Shapes
from nonresnet_hls.training import algorithm1, curves, datasets, fit, losses, objectives
from nonresnet_hls.training.algorithm1 import Phase
from nonresnet_hls.training.data import Data

STAGE = "train"
MODEL = "model.keras"
METRICS = "metrics.json"
CURVE = "curve.csv"
PLOT = "curve.svg"

_LONG_S = 600


class How(StrEnum):
    """Where a network's weights come from."""

    TRAINED = "trained"
    UNTRAINED = "untrained"


@dataclass(frozen=True)
class Network:
    """A float network that is ready to be loaded."""

    recipe: Recipe
    how: How
    digest: str
    """Of the weights; the stages that follow depend on it."""
    artefact: runner.Artefact | None
    """Where the trained weights are."""

    def load(self) -> Any:
        """The network as uncompiled `keras.Model`; takes seconds, since Keras does."""
        if self.artefact is not None:
            return saved.load(self.artefact.directory / MODEL)
        progress.say(
            f"{self.recipe.trained_as} is not trained: seeded random weights stand in "
            f"(train it with: nonresnet-hls train {self.recipe.trained_as})"
        )
        return build(self.recipe)


@dataclass(frozen=True)
class Config:
    """All of a recipe that decides how its network is trained."""

    architecture: Architecture
    dataset: Dataset
    training: Training
    distillation: Distillation | None

    @classmethod
    def of(cls, wanted: Recipe) -> "Config":
        """The part of a recipe that matters here."""
        return cls(wanted.architecture.trained, wanted.dataset, wanted.training.identity, wanted.distillation)

    def stated(self) -> dict[str, Any]:
        """What identifies the training; of files, their content does (see `_files`), wherever they are."""
        return {f.name: _stated(getattr(self, f.name)) for f in dataclasses.fields(self)}


def train(wanted: Recipe, workspace: Workspace, tensorboard: Path | None = None) -> runner.Artefact:
    """Bring the trained network of a recipe up to date; with `[distillation]`, its start network and teacher before it.

    A block's network is trained for a block. What a recipe ships with is used in place where it is up to date.

    Args:
        wanted: the recipe.
        workspace: where the artefact is to be.
        tensorboard: folder for TensorBoard logs.

    Raises:
        RecipeError: the recipe cannot be trained as it is.
        DatasetError: the data cannot be had.
        ModelError: the network cannot be trained on the data.
        ArtefactError: an artefact or checkpoint is damaged.
    """
    wanted = _network_recipe(wanted, workspace)
    found = existing(wanted, workspace)
    if found is not None:
        return found
    config = Config.of(wanted)
    before = {role: train(other, workspace, tensorboard) for role, other in _before(wanted, workspace).items()}
    checkpoints = workspace.checkpoints(wanted.trained_as)
    inputs = _inputs(config, before)
    identity = runner.digest_of(STAGE, config.stated(), inputs)

    def produce(folder: Path) -> dict[str, Any]:
        fit.strategy(config.training.distribution)  # several machines must find each other first
        data = datasets.load(config.dataset)
        progress.say(f"training {wanted.trained_as} on {data.source}")

        def callbacks(phase: int) -> list[Any]:
            return _tensorboard(tensorboard, wanted.trained_as, phase)

        if config.distillation is None:
            model = build(wanted)
            data = objectives.ordered(data, model)
            result = fit.Fit((), 0.0)
            usual = not objectives.needed(model, config.training) and losses.classifies(model, data)
            if config.training.epochs or usual:
                result = fit.fit(
                    model, data, config.training, checkpoints / "phase-1.npz", label=wanted.trained_as,
                    callbacks=callbacks(1), identity=identity,
                )  # fmt: skip
            phases: Sequence[Phase] = (Phase("training", (), result.seconds, result.curve),)
        else:
            trained = {role: saved.load(artefact.directory / MODEL) for role, artefact in before.items()}
            data = objectives.ordered(data, trained["start"])
            described = _described(wanted, algorithm1.last(trained["start"], config.distillation))
            model, phases = algorithm1.run(
                trained["start"], data, config.training, config.distillation, checkpoints, label=wanted.trained_as,
                network=trained.get("teacher"), callbacks=callbacks, identity=identity,
            )  # fmt: skip
            model = algorithm1.carry_over(model, described)
        saved.save(model, folder / MODEL)
        found = metrics(model, data, phases, config.training)
        runner.write_json(folder / METRICS, found)
        curves.write_csv(folder / CURVE, phases)
        curves.plot(folder / PLOT, wanted.title or wanted.name, phases)
        return {"top1": found["top1"], "epochs": found["epochs"], "training_seconds": found["seconds"]}

    directory = workspace.artefact(wanted.trained_as, STAGE)
    artefact = runner.run(directory, STAGE, config.stated(), inputs, produce, took_long)
    for checkpoint in checkpoints.glob("phase-*.npz"):
        if ".kept-" not in checkpoint.name:  # of other trainings
            checkpoint.unlink(missing_ok=True)  # another process that waited for the training does the same
    return artefact


def existing(wanted: Recipe, workspace: Workspace) -> runner.Artefact | None:
    """The up-to-date trained network of a recipe, in the workspace or shipped with the recipe; None if there is none.

    Raises:
        ArtefactError: it is up to date, but one of its files is missing or changed.
    """
    wanted = _network_recipe(wanted, workspace)
    config = Config.of(wanted)
    before = {}
    for role, other in _before(wanted, workspace).items():
        found = existing(other, workspace)
        if found is None:
            return None
        before[role] = found
    digest = runner.digest_of(STAGE, config.stated(), _inputs(config, before))
    return workspace.existing(wanted.trained_as, STAGE, digest)


def network(wanted: Recipe, workspace: Workspace, may_train: bool = True) -> Network:
    """The float network of a recipe: trained if it is, or if the recipe lets it be trained now; else untrained.

    For a block, the network whose block it is.

    Args:
        wanted: the recipe.
        workspace: where the artefact is, or is to be.
        may_train: whether a training may be started at all.

    Raises:
        RecipeError: the recipe's network cannot be built.
        NonResNetError: as `train`.
    """
    wanted = _network_recipe(wanted, workspace)
    start_now = may_train and wanted.training.on_demand
    found = train(wanted, workspace) if start_now else existing(wanted, workspace)
    if found is not None:
        return Network(wanted, How.TRAINED, weights(found), found)
    config = Config.of(wanted)
    return Network(wanted, How.UNTRAINED, runner.digest_of("untrained", config.stated(), _files(config)), None)


def took_long(trained: runner.Artefact) -> bool:
    """Whether a training is kept aside when its recipe has changed: when it took more than ten minutes."""
    return bool(trained.figures.get("training_seconds", 0) > _LONG_S)


def weights(trained: runner.Artefact) -> str:
    """Digest of what the stages that follow take of a training: the same weights may have taken other hours."""
    return trained.outputs[MODEL]


def build(wanted: Recipe) -> Any:
    """The network of a recipe, untrained (a `.keras` file: as it is, its skips taken out where the recipe says so).

    Raises:
        RecipeError: a block's recipe.
        DatasetError: the data set's shape cannot be had, or its labels lie outside of the model's classes.
        ModelError: the file cannot be read, does not fit the data set, or a skip of it cannot be removed.
    """
    architecture = wanted.architecture
    if architecture.family is Family.BLOCK:
        raise RecipeError(f"recipe {wanted.name}: family resnet or keras wanted, not {architecture.family}")
    data = datasets.spec(wanted.dataset)
    if architecture.family is Family.KERAS and architecture.file is not None:
        model = saved.load(architecture.file)
        if not model.inputs:
            how = "with an Input, or called once before it was saved"
            raise ModelError(f"{architecture.file}: a model that is built wanted ({how})")
        _check_inputs(model, data.shape, architecture.file)
        model = _of_plain_tensors(model, architecture.file)
        losses.check_labels(model, data)
        if data.factor != 1:
            model = rescaling.of_inputs(lowering.lower(model), data.factor)
        return _without_skips(model, architecture.file) if architecture.remove_skips else model
    if not data.classes or isinstance(data.shape, Mapping):
        raise DatasetError(f"recipe {wanted.name}: dataset: labels wanted for a network of ours, there are none")
    return networks.build(architecture, data.shape, data.classes, wanted.training.seed)


def _check_inputs(model: Any, shape: Shapes, file: Path) -> None:
    """Refuse a model that does not take what the data has.

    Raises:
        ModelError: names inputs and shapes.
    """
    found = {tensor._keras_history.layer.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    if isinstance(shape, Mapping):
        if found != dict(shape):
            wanted, got = (", ".join(f"{name} {one}" for name, one in shapes.items()) for shapes in (shape, found))
            raise ModelError(f"{file}: the inputs of dataset.input_types wanted ({wanted}), not {got}")
    elif list(found.values()) != [shape]:
        if len(found) > 1:
            wanted = f"dataset.input_types wanted, with a type for each of its inputs ({', '.join(found)})"
            raise ModelError(f"{file}: {wanted}, not one input_type")
        (only,) = found.values()
        raise ModelError(f"{file}: one input of shape {shape} wanted, as the data has, not {only}")


def _of_plain_tensors(model: Any, file: Path) -> Any:
    """A model that takes and returns its tensors as they are, or as lists, in no dictionary or list of one.

    Raises:
        ModelError: it returns a tensor twice.
    """
    from tensorflow import keras

    ends = graph.output_names(model)
    twice = next((name for name in ends if ends.count(name) > 1), None)
    if twice is not None:
        raise ModelError(f"{file}: outputs of several layers wanted, not that of layer {twice} twice")
    structures = (getattr(model, "_nested_inputs", None), getattr(model, "_nested_outputs", None))
    if any(isinstance(structure, dict | list | tuple) for structure in structures):
        inputs, outputs = (one[0] if len(one) == 1 else list(one) for one in (model.inputs, model.outputs))
        return keras.Model(inputs, outputs, name=model.name)
    return model


def _without_skips(model: Any, file: Path) -> Any:
    """The model without the skips that can be removed; says which stay.

    Raises:
        ModelError: there is none to remove.
    """
    found = skips.find(model)
    stay = "; ".join(f"skip {skip.number} into {skip.joins!r} stays: {skip.refusal}" for skip in found if skip.refusal)
    gone = sum(skip.removable for skip in found)
    if not gone:
        got = f"0 of {len(found)}: {stay}" if found else "a model without skips"
        raise ModelError(f"{file}: remove_skips: a skip that can be removed wanted, not {got}")
    if stay:
        progress.say(f"{file}: {gone} of {len(found)} skips removed; {stay}")
    return skips.remove(model)


def _network_recipe(wanted: Recipe, workspace: Workspace) -> Recipe:
    """A block's network, everything else as it is."""
    if wanted.architecture.family is Family.BLOCK and wanted.architecture.network is not None:
        return workspace.recipe(wanted.architecture.network)
    return wanted


def _before(wanted: Recipe, workspace: Workspace, over: tuple[str, ...] = ()) -> dict[str, Recipe]:
    """By role, the recipes of the networks that Algorithm 1 starts from and learns from; none without `[distillation]`.

    Raises:
        RecipeError: there is none, or it needs `wanted` itself.
    """
    distillation = wanted.distillation
    if distillation is None:
        return {}
    over = (*over, wanted.name)
    found = {}
    for role, key, name in (("start", "start", distillation.start), ("teacher", "network", distillation.network)):
        if name is not None:
            found[role] = workspace.recipe(name)
            if found[role].name in over:
                chain = " -> ".join((*over, found[role].name))
                raise RecipeError(f"recipe {over[0]}: distillation.{key}: leads back to itself, over {chain}")
            _before(found[role], workspace, over)
    return found


def _inputs(config: Config, before: Mapping[str, runner.Artefact]) -> dict[str, str]:
    return _files(config) | {role: weights(artefact) for role, artefact in before.items()}


def data_digest(dataset: Dataset) -> str:
    """What the stages depend on that see data of the network's kind: the same weights may be compared on others.

    Raises:
        RecipeError: there is no such file.
    """
    return runner.digest_of("dataset", _stated(dataset), _digests({"file": dataset.file}))


def _stated(table: Any) -> dict[str, Any] | None:
    """As `recipe.stated`; of a file, its content counts, wherever it is."""
    found = recipe.stated(table)
    return found and {key: value for key, value in found.items() if key != "file"}


def _files(config: Config) -> dict[str, str]:
    """Digests of the user's own files that a training depends on."""
    return _digests({"model": config.architecture.file, "dataset": config.dataset.file})


def _digests(files: Mapping[str, Path | None]) -> dict[str, str]:
    found = {}
    for name, path in files.items():
        if path is not None:
            if not path.is_file():
                raise RecipeError(f"{path}: no such file")
            found[name] = runner.file_digest(path)
    return found


def _described(wanted: Recipe, last: Any) -> Any:
    """The network that the recipe describes, with the layers of `last`, which Algorithm 1 ends with.

    Raises:
        RecipeError: it is another network.
    """
    if wanted.architecture.family is Family.KERAS:
        return last
    described = build(wanted)
    shapes, got = (
        {layer.name: [tuple(weight.shape) for weight in layer.weights] for layer in model.layers}
        for model in (described, last)
    )
    odd = sorted(name for name in shapes.keys() | got.keys() if shapes.get(name) != got.get(name))
    if odd:
        raise RecipeError(
            f"recipe {wanted.name}: [architecture] and the distilled network differ in layer {odd[0]!r}: weights "
            f"{shapes.get(odd[0], 'none')} and {got.get(odd[0], 'none')}"
        )
    return described


def metrics(
    model: Any, data: Data, phases: Sequence[Phase], config: Training, names: list[str] | None = None
) -> dict[str, Any]:
    """What `metrics.json` says of a network and of the phases in which it was trained; format 1.

    `metrics` has what else than top-1 its outputs are measured by, where its recipe says that or it was trained to it;
    `names` is as for `fit.fit`.
    """
    found: dict[str, float] = {}
    if config.is_special or (config.epochs and objectives.needed(model, config)):
        wanted = objectives.of(model, data, config, names)
        found = objectives.measured(model, wanted, data.x_test, objectives.tests(wanted))
    return {
        "format": 1,
        # (None of outputs that are no classes, or of data without labels.)
        "top1": fit.top1(model, data.x_test, data.y_test) if losses.classifies(model, data) else None,
        **({"metrics": found} if found else {}),
        "test_samples": len(data.x_test),
        "training_samples": len(data.x_train),
        "epochs": sum(len(phase.curve) for phase in phases),
        "seconds": round(sum(phase.seconds for phase in phases), 1),
        "parameters": int(model.count_params()),
        "phases": [
            {
                "name": phase.name,
                "removed_skips": list(phase.removed),
                "epochs": len(phase.curve),
                "seconds": round(phase.seconds, 1),
                "top1": phase.curve[-1].get("test_top1") if phase.curve else None,
            }
            for phase in phases
        ],
    }


def read_metrics(artefact: runner.Artefact) -> dict[str, Any]:
    """`metrics.json` of a trained network.

    Raises:
        ArtefactError: it is not what `train` writes.
    """
    import json

    path = artefact.directory / METRICS
    try:
        found: dict[str, Any] = json.loads(bounds.read_text(path))
        if found["format"] != 1:
            raise ValueError(f"format 1 wanted, not {found['format']!r}")
        missing = [key for key in ("top1", "test_samples", "epochs", "seconds") if key not in found]
        if missing:
            raise ValueError(f"key {missing[0]!r} is missing")
        # No top-1 is that of outputs that are no classes, or of data without labels.
        for key in ("top1", "test_samples", "epochs", "seconds")[found["top1"] is None :]:
            whole = key in ("test_samples", "epochs")
            if isinstance(found[key], bool) or not isinstance(found[key], int if whole else int | float):
                raise ValueError(f"{key}: a number wanted, not {shown(found[key])}")
            if not 0 <= found[key] <= (1 if key == "top1" else 1e15):
                raise ValueError(f"{key}: a possible number wanted, not {shown(found[key])}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtefactError(f"{path}: not what `train` writes: {error}") from None
    return found


def losses_by_epoch(artefact: runner.Artefact) -> list[float]:
    """The loss of each epoch of a trained network; none where its curve is not to be read."""
    return curves.losses(artefact.directory / CURVE)


def _tensorboard(folder: Path | None, name: str, phase: int) -> list[Any]:
    if folder is None:
        return []
    from tensorflow import keras

    folder.mkdir(parents=True, exist_ok=True)  # what TensorFlow raises where it cannot is no OSError
    return [keras.callbacks.TensorBoard(str(folder / name / f"phase-{phase}"))]
