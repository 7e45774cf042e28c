"""The stages `convert` (quantized model -> HLS project) and `csim` (project -> comparison with Keras)."""

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nonresnet_hls import progress, stages
from nonresnet_hls.hls import convert, csim, reuse
from nonresnet_hls.hls.simulate import Simulation
from nonresnet_hls.quantization import reference
from nonresnet_hls.quantization import stage as quantization
from nonresnet_hls.recipe import Backend, FifoDepths, Hls, Recipe
from nonresnet_hls.workspace import Workspace

CONVERT = "convert"
CSIM = "csim"

_ROOMS = ("fixed_point.py", "tools.py", "networks", "quantization", "hls")
# Every sample of the project's own test bench is simulated by the vendor's co-simulation too, which takes minutes.
_BENCH_SAMPLES = 10


Sizer = Callable[[Path], Mapping[str, Any]]
"""Sets the FIFO depths of a written project and says what came of it: `dataflow.size_project`."""


@dataclass(frozen=True)
class _Otherwise:
    """The configuration of a project whose FIFOs are wanted otherwise than its recipe says."""

    hls: Hls
    fifo_depths: FifoDepths


def run_convert(
    recipe: Recipe, workspace: Workspace, size: Sizer | None = None, fifo_depths: FifoDepths | None = None
) -> stages.Artefact:
    """Bring the HLS project of a recipe up to date, the quantized model before it.

    Args:
        recipe: what to convert.
        workspace: where everything is.
        size: sizes FIFOs; the rooms after this one know how.
        fifo_depths: how deep the FIFOs are wanted; None: as they were when the present project was made, or as the
            recipe says where there is no project yet, or where the recipe or the model has changed since.

    Raises:
        ConversionError: hls4ml cannot take a layer, or a reuse factor does not fit; names the layer.
        NonResNetError: as `quantization.stage.run`.
    """
    before = quantization.run(recipe, workspace)
    directory = workspace.projects / recipe.name
    # FIFOs are sized by a later room, of which only the name is known here.
    inputs = {"model": before.content, "tool": stages.tool_digest(*_ROOMS, "dataflow")}
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
            if size is None:
                raise ValueError(f"recipe {recipe.name} wants sized FIFOs, but nothing that sizes them was given")
            sized = {"fifos": size(folder)}
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

    return stages.run(directory, CONVERT, _config(recipe.hls, depths), inputs, produce)


def _config(hls: Hls, depths: FifoDepths) -> Hls | _Otherwise:
    return hls if depths is hls.fifo_depths else _Otherwise(hls, depths)


def _present_depths(hls: Hls, directory: Path, inputs: Mapping[str, str]) -> FifoDepths:
    """How deep the FIFOs of an up-to-date project were wanted; as the recipe says where it is not up to date."""
    project = stages.load(directory)
    if project is not None:
        for depths in FifoDepths:
            if project.digest == stages.digest_of(CONVERT, _config(hls, depths), inputs):
                return depths
    return hls.fifo_depths


def as_converted(recipe: Recipe, project: stages.Artefact) -> Recipe:
    """The recipe with what its project was made for, whatever the file says by now."""
    made = project.figures
    hls = replace(recipe.hls, backend=Backend(made["backend"]), part=made["part"], clock_ns=made["clock_ns"])
    hls = replace(hls, fifo_depths=FifoDepths.SIZED if is_sized(project) else FifoDepths.TENSOR)
    bits = replace(recipe.quantization, weight_bits=made["weights"], activation_bits=made["activations"])
    return replace(recipe, hls=hls, quantization=bits)


def is_sized(project: stages.Artefact) -> bool:
    """Whether the FIFOs of a project were sized when it was made."""
    return "fifos" in project.figures


def run_csim(
    wanted: Sequence[Recipe], workspace: Workspace, size: Sizer | None = None
) -> Iterator[tuple[Recipe, stages.Artefact]]:
    """Bring the comparisons of C simulations with Keras up to date, the projects before them.

    Compilers and simulations of one recipe run beside Keras' work for the next, one recipe a core. The figures are
    those of `csim.Result`; they are kept whether the two are equal or not.

    Yields:
        Each recipe and its artefact, in the order of `wanted`.

    Raises:
        ToolError: there is no C++ compiler, or it fails.
        NonResNetError: as `run_convert`.
    """
    # Keras is not made for several threads: whoever uses it holds this. So does the caller while he has a result:
    # what he prints would be lost while another thread keeps hls4ml quiet.
    keras = threading.Lock()
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        running: list[tuple[Recipe, Future[stages.Artefact]]] = []
        try:
            for recipe in wanted:
                with keras:
                    before = quantization.run(recipe, workspace)
                    project = run_convert(recipe, workspace, size)
                running.append((recipe, pool.submit(_csim, recipe, workspace, before, project, keras)))
                while running and running[0][1].done():
                    recipe, done = running.pop(0)
                    result = done.result()
                    with keras:
                        yield recipe, result
            for recipe, done in running:
                result = done.result()
                with keras:
                    yield recipe, result
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _csim(
    recipe: Recipe,
    workspace: Workspace,
    before: stages.Artefact,
    project: stages.Artefact,
    keras: threading.Lock,
) -> stages.Artefact:
    def produce(folder: Path) -> Mapping[str, Any]:
        progress.say(f"C simulation of {recipe.name}: compiling")
        with Simulation(project.directory) as simulation:
            with keras:
                quantized = quantization.load(before)
                asked = csim.question(quantized, recipe.csim, str(before.figures["samples"]))
            samples = sum(len(values) for values in asked.sets.values())
            progress.say(f"C simulation of {recipe.name}: {samples} samples, as library and as test bench")

            def find_layer(inputs: Any) -> str | None:
                with keras:
                    return csim.first_different_layer(quantized, recipe.hls, inputs, project.directory)

            result = csim.compare(simulation, asked, find_layer)
        figures = {"weights": before.figures["weights"], **asdict(result)}
        (folder / "result.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        return figures

    inputs = {
        "model": before.content,
        "weights": str(before.figures["weights"]),
        "project": project.content,
        "tool": stages.tool_digest(*_ROOMS),
    }
    return stages.run(workspace.artefact(recipe.name, CSIM), CSIM, recipe.csim, inputs, produce)
