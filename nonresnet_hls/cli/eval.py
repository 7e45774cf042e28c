"""Recompute top-1 from the weights on disk, float and quantized; exit status 1 where it is not the recorded one."""

import argparse

from nonresnet_hls.cli import common
from nonresnet_hls.errors import ArtefactError, DatasetError

NAME = "eval"
HELP = "recompute the top-1 of trained networks"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    common.add_recipes(parser)
    parser.add_argument("--dataset", metavar="NAME", help="digits, cifar10, ... (default: that of the recipe)")


def run(args: argparse.Namespace) -> int:
    """Evaluate the float network, and the quantized one where there is one."""
    from nonresnet_hls.networks import saved
    from nonresnet_hls.pipeline import quantize as quantization
    from nonresnet_hls.pipeline import train as stage
    from nonresnet_hls.recipe import Dataset, DatasetName
    from nonresnet_hls.training import datasets, fit

    place, results = common.workspace(args), []
    for recipe in common.recipes(args):
        dataset = recipe.dataset
        if args.dataset is not None and args.dataset != dataset.name:
            own = [name for name in DatasetName if name is not DatasetName.NPZ]
            if args.dataset not in own:
                raise DatasetError(f"--dataset: {', '.join(own)} wanted, not {args.dataset!r}")
            dataset = Dataset(DatasetName(args.dataset))
            if datasets.spec(dataset) != datasets.spec(recipe.dataset):
                raise DatasetError(f"--dataset: one like {recipe.dataset.name} wanted, not {args.dataset!r}")
        trained = stage.existing(recipe, place)
        if trained is None:
            raise ArtefactError(f"recipe {recipe.name}: not trained; run: nonresnet-hls train {recipe.trained_as}")
        found = {"float": (saved.load(trained.directory / stage.MODEL), stage.read_metrics(trained)["top1"])}
        if found["float"][1] is None:
            raise DatasetError(f"recipe {recipe.name}: classes and labels wanted to evaluate top-1, there are none")
        quantized = quantization.recorded(recipe, place)
        if quantized is not None:
            found["quantized"] = (quantized.load(), quantized.top1)
        data = datasets.load(dataset)
        for kind, (model, recorded) in found.items():
            top1 = fit.top1(model, data.x_test, data.y_test)
            equal = top1 == recorded if dataset == recipe.dataset else None
            results.append(
                {
                    "name": recipe.name,
                    "weights": kind,
                    "dataset": str(dataset.name),
                    "top1": top1,
                    "test_samples": len(data.x_test),
                    "recorded_top1": recorded,
                    "equal": equal,
                }
            )
            if not args.json:
                told = {True: ", as recorded", False: f", but {recorded:.2%} is recorded", None: ""}[equal]
                print(f"{recipe.name}, {kind}: top-1 {top1:.2%} of {len(data.x_test)} {dataset.name} samples{told}")
    if args.json:
        common.print_json(results)
    return 0 if all(row["equal"] is not False for row in results) else 1
