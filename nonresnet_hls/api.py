"""The stages as functions, for scripts and notebooks; the command line does the same.

>>> import nonresnet_hls as nr
>>> recipe = nr.load_recipe("resblock")
>>> recipe.quantization.weight_bits, recipe.architecture.skips
(1, <SkipStyle.RESIDUAL: 'residual'>)

`nr.csim("resblock").figures["equal"]` then trains, quantizes, converts and simulates what is not up to date.
Each stage returns a `runner.Artefact`: its `directory`, its `figures`, whether it is `fresh`. Recipes are given by
name, by path or as `Recipe`; `workspace` is the folder of `models/` and `hls_projects/` (default: the current one).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonresnet_hls.pipeline.runner import Artefact
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd

    from nonresnet_hls.emulation import Emulator
    from nonresnet_hls.quantization.quantized import Quantized

Named = str | Recipe


def load_recipe(name: Named, workspace: str | Path = ".") -> Recipe:
    """A recipe by name or path.

    Raises:
        RecipeError: it cannot be found, read or understood.
    """
    return name if isinstance(name, Recipe) else Workspace(Path(workspace)).recipe(name)


def train(name: Named, workspace: str | Path = ".") -> Artefact:
    """The trained float network, by Algorithm 1 where the recipe says so; see `pipeline.train.train`."""
    from nonresnet_hls.pipeline import train as stage

    return stage.train(load_recipe(name, workspace), Workspace(Path(workspace)))


def quantize(name: Named, workspace: str | Path = ".") -> Artefact:
    """The quantized, fine-tuned model; see `pipeline.quantize.run`."""
    from nonresnet_hls.pipeline import quantize as stage

    return stage.run(load_recipe(name, workspace), Workspace(Path(workspace)), fine_tune=True)


def quantized_model(name: Named, workspace: str | Path = ".") -> "Quantized":
    """The quantized Keras model itself, its types and the samples to compare it on."""
    from nonresnet_hls.pipeline import quantize as stage

    return stage.load(quantize(name, workspace))


def convert(name: Named, workspace: str | Path = ".") -> Artefact:
    """The HLS project, its FIFOs as the recipe says; see `pipeline.convert.run_convert`."""
    from nonresnet_hls.pipeline import convert as stage

    recipe = load_recipe(name, workspace)
    return stage.run_convert(recipe, Workspace(Path(workspace)), recipe.hls.fifo_depths)


def csim(name: Named, workspace: str | Path = ".") -> Artefact:
    """The comparison of the C simulation with Keras; `figures["equal"]` says how it went."""
    from nonresnet_hls.pipeline import csim as stage

    wanted = [load_recipe(name, workspace)]
    ((_, artefact),) = stage.run_csim(wanted, Workspace(Path(workspace)))
    return artefact


def emulate(name: Named, workspace: str | Path = ".") -> Artefact:
    """The hardware's exact outputs for a recipe's whole test set; `figures["top1"]` is its own top-1.

    See `pipeline.emulate.run_emulate`; for outputs on inputs of your own, see `emulator`.
    """
    from nonresnet_hls.pipeline import emulate as stage

    return stage.run_emulate(load_recipe(name, workspace), Workspace(Path(workspace)))


def emulator(design: Any, workspace: str | Path = ".") -> "Emulator":
    """What computes a design's exact outputs: `nr.emulator("resnet20")(x)`, x samples x input shape.

    Args:
        design: a recipe, the path of a Keras or QKeras file or of a project that hls4ml wrote, or a `ModelGraph`.
        workspace: where recipes are.

    Raises:
        ConversionError: a layer or type whose arithmetic is not known; names it.
    """
    import tempfile

    from nonresnet_hls.emulation import Emulator
    from nonresnet_hls.hls import network
    from nonresnet_hls.pipeline import designs
    from nonresnet_hls.recipe import Hls

    if isinstance(design, Recipe):
        return Emulator(network.of_project(convert(design, workspace).directory))
    if not isinstance(design, str | Path):
        return Emulator(design)
    with tempfile.TemporaryDirectory(prefix="nonresnet-emulate-") as scratch:
        found = designs.find(str(design), Workspace(Path(workspace)), Hls(), Path(scratch) / "project")
        return Emulator(network.of_project(found.directory))


def synth(name: Named, workspace: str | Path = ".", cosim: bool = False, vsynth: bool = False) -> Artefact:
    """The vendor tool's reports on the project; see `pipeline.vendor.run_vendor`."""
    from nonresnet_hls.hls import vendor
    from nonresnet_hls.pipeline import vendor as stage

    return stage.run_vendor(load_recipe(name, workspace), Workspace(Path(workspace)), vendor.Steps(cosim, vsynth))


def report(*paths: str | Path) -> "pd.DataFrame":
    """All vendor reports in files or folders, a row per design and stage."""
    from nonresnet_hls import reports

    return reports.frame(reports.merge([found for path in paths for found in reports.read(path)]))


def table1(names: Iterable[str] = (), workspace: str | Path = ".") -> "pd.DataFrame":
    """Accuracy of the networks; see `pipeline.tables.table1`."""
    from nonresnet_hls.pipeline import tables

    return tables.table1(Workspace(Path(workspace)), list(names))


def table2(names: Iterable[str] = (), workspace: str | Path = ".") -> "pd.DataFrame":
    """Hardware of the designs; see `pipeline.tables.table2`."""
    from nonresnet_hls.pipeline import tables

    return tables.table2(Workspace(Path(workspace)), list(names))
