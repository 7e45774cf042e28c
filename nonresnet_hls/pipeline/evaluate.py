"""Counting again what trained networks get right: from the weights on disk, beside what was recorded."""

from collections.abc import Iterator
from typing import Any

from nonresnet_hls.errors import ArtefactError, DatasetError
from nonresnet_hls.networks import saved
from nonresnet_hls.pipeline import quantize as quantization
from nonresnet_hls.pipeline import train as training
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Dataset, DatasetName, Recipe
from nonresnet_hls.training import datasets, fit, objectives


def evaluate(recipe: Recipe, workspace: Workspace, dataset: str | None = None) -> Iterator[dict[str, Any]]:
    """Top-1 of a recipe's float network, and of the quantized one where there is one, each as soon as it is counted.

    Args:
        recipe: whose weights.
        workspace: where they are.
        dataset: another one than the recipe's, of the same shape.

    Raises:
        ArtefactError: it is not trained.
        DatasetError: there is no such data set, the network cannot take it, or there are no labels.
    """
    judged = _dataset(recipe, dataset)
    trained = training.existing(recipe, workspace)
    if trained is None:
        raise ArtefactError(f"recipe {recipe.name}: not trained; run: nonresnet-hls train {recipe.trained_as}")
    path = trained.directory / training.MODEL
    found: list[tuple[str, Any, float]] = [("float", saved.load(path), training.read_metrics(trained)["top1"])]
    if found[0][2] is None:
        raise DatasetError(f"recipe {recipe.name}: classes and labels wanted to count top-1, there are none")
    quantized = quantization.recorded(recipe, workspace)
    if quantized is not None:
        found.append(("quantized", quantized.load(), quantized.top1))
    data = objectives.ordered(datasets.load(judged), found[0][1])
    for kind, model, recorded in found:
        top1 = fit.top1(model, data.x_test, data.y_test)
        yield {
            "name": recipe.name,
            "weights": kind,
            "dataset": str(judged.name),
            "top1": top1,
            "test_samples": len(data.x_test),
            "recorded_top1": recorded,
            "equal": top1 == recorded if judged == recipe.dataset else None,
        }


def _dataset(recipe: Recipe, name: str | None) -> Dataset:
    if name is None or name == recipe.dataset.name:
        return recipe.dataset
    own = [one for one in DatasetName if one is not DatasetName.NPZ]
    if name not in own:
        raise DatasetError(f"--dataset: {', '.join(own)} wanted, not {name!r}")
    found = Dataset(DatasetName(name))
    if datasets.spec(found) != datasets.spec(recipe.dataset):
        raise DatasetError(f"--dataset: one like {recipe.dataset.name} wanted, not {name!r}")
    return found
