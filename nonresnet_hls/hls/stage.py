"""The stages `convert` (quantized model -> HLS project) and `csim` (project -> comparison with Keras)."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls import progress, stages
from nonresnet_hls.hls import convert, csim, reuse
from nonresnet_hls.quantization import reference
from nonresnet_hls.quantization import stage as quantization
from nonresnet_hls.recipe import Csim, FifoDepths, Hls, Recipe
from nonresnet_hls.workspace import Workspace

CONVERT = "convert"
CSIM = "csim"

# Every sample of the project's own test bench is simulated by the vendor's co-simulation too, which takes minutes.
_BENCH_SAMPLES = 10


Sizer = Callable[[Path], Mapping[str, Any]]
"""Sets the FIFO depths of a written project and says what came of it: `dataflow.size_project`."""


def run_convert(recipe: Recipe, workspace: Workspace, size: Sizer | None = None) -> stages.Artefact:
    """Bring the HLS project of a recipe up to date, the quantized model before it.

    Args:
        recipe: with `hls.fifo_depths = "sized"` its FIFOs are sized.
        workspace: where everything is.
        size: does that; the rooms after this one know how.

    Raises:
        ConversionError: hls4ml cannot take a layer, or a reuse factor does not fit; names the layer.
        NonResNetError: as `quantization.stage.run`.
    """
    before = quantization.run(recipe, workspace)
    directory = workspace.projects / recipe.name

    def produce(folder: Path) -> dict[str, Any]:
        progress.say(f"converting {recipe.name} to a {recipe.hls.backend} project")
        quantized = quantization.load(before)
        factors = reuse.resolve(quantized.arithmetic, recipe.hls)
        graph = convert.to_model_graph(quantized.model, quantized.arithmetic, factors, recipe.hls, folder.resolve())
        samples = quantized.samples[:_BENCH_SAMPLES]
        expected = reference.evaluate(quantized.model, quantized.arithmetic, samples)
        convert.write(graph, samples, expected.outputs, directory.resolve())
        sized = {}
        if recipe.hls.fifo_depths is FifoDepths.SIZED:
            if size is None:
                raise ValueError(f"recipe {recipe.name} wants sized FIFOs, but nothing that sizes them was given")
            sized = {"fifos": size(folder)}
        return {
            "reuse_factors": [asdict(factor) for factor in factors.values()],
            "types": {name: str(layer.output) for name, layer in quantized.arithmetic.layers.items()},
            **convert.figures(graph, quantized.arithmetic),
            **sized,
        }

    return stages.run(directory, CONVERT, recipe.hls, {"model": before.content}, produce)


@dataclass(frozen=True)
class _CsimConfig:
    csim: Csim
    hls: Hls


def run_csim(recipe: Recipe, workspace: Workspace, size: Sizer | None = None) -> stages.Artefact:
    """Bring the comparison of the C simulation with Keras up to date, the project before it.

    The figures are those of `csim.Result`; they are kept whether the two are equal or not.

    Raises:
        ToolError: there is no C++ compiler, or it fails.
        NonResNetError: as `run_convert`.
    """
    before = quantization.run(recipe, workspace)
    project = run_convert(recipe, workspace, size)

    def produce(folder: Path) -> Mapping[str, Any]:
        progress.say(f"C simulation of {recipe.name}: compiling")
        quantized = quantization.load(before)
        result = csim.compare(quantized, project.directory, recipe, str(before.figures["samples"]))
        figures = {"weights": before.figures["weights"], **asdict(result)}
        (folder / "result.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        return figures

    config = _CsimConfig(recipe.csim, recipe.hls)
    inputs = {"model": before.content, "project": project.content}
    return stages.run(workspace.artefact(recipe.name, CSIM), CSIM, config, inputs, produce)
