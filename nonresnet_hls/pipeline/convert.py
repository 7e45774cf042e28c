"""The stage `convert`: quantized model -> HLS project."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nonresnet_hls import dataflow, made_here, progress
from nonresnet_hls.errors import ArtefactError
from nonresnet_hls.hls import convert, reuse
from nonresnet_hls.pipeline import quantize as quantization
from nonresnet_hls.pipeline import runner
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.quantization import reference
from nonresnet_hls.recipe import Backend, FifoDepths, Hls, Recipe

CONVERT = "convert"

_ROOMS = (
    "fixed",
    "samples.py",
    "generated.py",
    "tools.py",
    "networks",
    "quantization",
    "hls",
    "dataflow",
    "pipeline/convert.py",
)
# Every sample of the project's own test bench is simulated by the vendor's co-simulation too, which takes minutes.
_BENCH_SAMPLES = 10


@dataclass(frozen=True)
class _Otherwise:
    """The configuration of a project whose FIFOs are wanted otherwise than its recipe says."""

    hls: Hls
    fifo_depths: FifoDepths


def run_convert(recipe: Recipe, workspace: Workspace, fifo_depths: FifoDepths | None = None) -> runner.Artefact:
    """Bring the HLS project of a recipe up to date, the quantized model before it.

    Args:
        recipe: what to convert.
        workspace: where everything is.
        fifo_depths: how deep the FIFOs are wanted; None: as they were when the present project was made, or as the
            recipe says where there is no project yet, or where the recipe or the model has changed since.

    Raises:
        ConversionError: hls4ml cannot take a layer, or a reuse factor does not fit; names the layer.
        NonResNetError: as `pipeline.quantize.run`.
    """
    before = quantization.run(recipe, workspace)
    directory = workspace.projects / recipe.name
    inputs = {"model": before.content, "tool": runner.tool_digest(*_ROOMS)}
    depths = fifo_depths or _present_depths(recipe.hls, directory, inputs)

    def produce(folder: Path) -> dict[str, Any]:
        progress.say(f"converting {recipe.name} to a {recipe.hls.backend} project")
        quantized = quantization.load(before)
        factors = reuse.resolve(quantized.arithmetic, recipe.hls)
        graph = convert.to_model_graph(quantized.model, quantized.arithmetic, factors, recipe.hls, folder.resolve())
        samples = quantized.samples[:_BENCH_SAMPLES]
        expected = reference.evaluate(quantized.model, quantized.arithmetic, samples)
        convert.write(graph, samples, expected.outputs, directory.parent.resolve() / directory.name)
        sized: dict[str, Any] = {}
        if depths is FifoDepths.SIZED:
            sized = {"fifos": dataflow.size_project(folder)}
        figures = convert.figures(graph, quantized.arithmetic)
        for stream in figures["streams"] if sized else ():
            stream["depth"] = sized["fifos"]["depths"].get(stream["name"], stream["depth"])
        return {
            "weights": recipe.quantization.weight_bits,
            "activations": recipe.quantization.activation_bits,
            "backend": str(recipe.hls.backend),
            "part": recipe.hls.part,
            "clock_ns": recipe.hls.clock_ns,
            "reuse_factors": [asdict(factor) for factor in factors.values()],
            "types": {name: str(layer.output) for name, layer in quantized.arithmetic.layers.items()},
            **figures,
            **sized,
        }

    project = runner.run(directory, CONVERT, _config(recipe.hls, depths), inputs, produce)
    if project.fresh:
        made_here.remember(project.content)
    return project


def is_made_here(directory: Path) -> bool:
    """Whether a project was made by this user, and nothing in it changed or added since."""
    try:
        project = runner.load(directory)
    except ArtefactError:
        return False
    return project is not None and made_here.is_known(project.content) and runner.is_pristine(directory)


def _config(hls: Hls, depths: FifoDepths) -> Hls | _Otherwise:
    return hls if depths is hls.fifo_depths else _Otherwise(hls, depths)


def _present_depths(hls: Hls, directory: Path, inputs: Mapping[str, str]) -> FifoDepths:
    """How deep the FIFOs of an up-to-date project were wanted; as the recipe says where it is not up to date."""
    project = runner.load(directory)
    if project is not None:
        for depths in FifoDepths:
            if project.digest == runner.digest_of(CONVERT, _config(hls, depths), inputs):
                return depths
    return hls.fifo_depths


def as_converted(recipe: Recipe, project: runner.Artefact) -> Recipe:
    """The recipe with what its project was made for, whatever the file says by now."""
    made = project.figures
    with runner.reading(project):
        hls = replace(recipe.hls, backend=Backend(made["backend"]), part=made["part"], clock_ns=made["clock_ns"])
        hls = replace(hls, fifo_depths=FifoDepths.SIZED if is_sized(project) else FifoDepths.TENSOR)
        bits = replace(recipe.quantization, weight_bits=made["weights"], activation_bits=made["activations"])
    return replace(recipe, hls=hls, quantization=bits)


def is_sized(project: runner.Artefact) -> bool:
    """Whether the FIFOs of a project were sized when it was made."""
    return "fifos" in project.figures
