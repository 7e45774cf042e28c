"""The stage `csim`: HLS project -> comparison of its C simulation with Keras."""

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nonresnet_hls import progress
from nonresnet_hls import samples as tensors
from nonresnet_hls.emulation import Emulator
from nonresnet_hls.emulation.emulator import as_sequence
from nonresnet_hls.errors import ConversionError
from nonresnet_hls.hls import csim, network
from nonresnet_hls.hls.simulate import Simulation
from nonresnet_hls.pipeline import quantize as quantization
from nonresnet_hls.pipeline import runner
from nonresnet_hls.pipeline.convert import run_convert
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.quantization import worth
from nonresnet_hls.recipe import Recipe

CSIM = "csim"

_ROOMS = (
    "fixed",
    "samples.py",
    "generated.py",
    "tools.py",
    "networks",
    "quantization",
    "hls",
    "emulation",
    "pipeline/csim.py",
)


def run_csim(
    wanted: Sequence[Recipe], workspace: Workspace, samples: int | None = None, jobs: int = 1
) -> Iterator[tuple[Recipe, runner.Artefact]]:
    """Bring the comparisons of C simulations with Keras up to date, the projects before them.

    Compilers and simulations of one recipe run beside Keras' work for the next, one recipe a core. The figures are
    those of `csim.Result`; they are kept whether the two are equal or not.

    Args:
        wanted: the recipes.
        workspace: where everything is.
        samples: of the test data; None: as many as each recipe says.
        jobs: processes that simulate one recipe.

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
        running: list[tuple[Recipe, Future[runner.Artefact]]] = []
        try:
            for recipe in wanted:
                with keras:
                    before = quantization.run(recipe, workspace)
                    project = run_convert(recipe, workspace)
                running.append((recipe, pool.submit(_csim, recipe, workspace, before, project, keras, samples, jobs)))
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


def _is_trained(before: runner.Artefact) -> bool:
    return str(before.figures["weights"]) != quantization.Weights.UNTRAINED


def _csim(
    recipe: Recipe,
    workspace: Workspace,
    before: runner.Artefact,
    project: runner.Artefact,
    keras: threading.Lock,
    wanted: int | None,
    jobs: int,
) -> runner.Artefact:
    config = recipe.csim if wanted is None else replace(recipe.csim, samples=wanted)

    def produce(folder: Path) -> Mapping[str, Any]:
        progress.say(f"C simulation of {recipe.name}: compiling")
        with Simulation(project.directory) as simulation:
            with keras:
                quantized = quantization.load(before)
                if wanted is not None:
                    quantized = quantization.with_samples(recipe, workspace, quantized, wanted)
                asked = csim.question(quantized, config, str(before.figures["samples"]))
            samples = sum(len(values) for values in asked.sets.values())
            progress.say(f"C simulation of {recipe.name}: {samples} samples, as library and as test bench")

            def find_layer(inputs: Any) -> str | None:
                with keras:
                    return csim.first_different_layer(quantized, recipe.hls, inputs, project.directory)

            def emulate(inputs: Any) -> csim.Emulation:
                with keras:
                    return _emulated(project.directory, inputs)

            result = csim.compare(simulation, asked, find_layer, emulate, jobs)
        kernels = [worth.Kernel(**kernel) for kernel in before.figures["kernels"]]
        figures = {
            "weights": before.figures["weights"],
            **asdict(result),
            "warnings": _warnings(result, kernels) if _is_trained(before) else [],
        }
        (folder / "result.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        return figures

    inputs = {
        "model": before.content,
        "weights": str(before.figures["weights"]),
        "project": project.content,
        "tool": runner.tool_digest(*_ROOMS),
    }
    return runner.run(workspace.artefact(recipe.name, CSIM), CSIM, config, inputs, produce)


def _warnings(result: csim.Result, kernels: list[worth.Kernel]) -> list[str]:
    """What made the design worth less, of several outputs each by its name."""
    if not result.outputs:
        return worth.warnings(result.worth, kernels)
    of_outputs = [
        f"output {output.name}: {line}" for output in result.outputs for line in worth.warnings(output.worth, [])
    ]
    return [*worth.warnings(None, kernels), *of_outputs]


def _emulated(project: Path, inputs: Any) -> csim.Emulation:
    """What the emulator makes of a project's C++; where it does not know a layer, why."""
    try:
        emulator = Emulator(network.of_project(project))
    except ConversionError as error:
        return csim.Emulation(None, f"not emulated: {error}")
    arithmetic = {str(row.arithmetic) for row in emulator.proof}
    found = emulator(list(tensors.parts(inputs).values()))
    rows = tensors.flat(tensors.joined({str(number): one for number, one in enumerate(as_sequence(found))}))
    return csim.Emulation(rows, f"emulator ({', '.join(sorted(arithmetic))})")
