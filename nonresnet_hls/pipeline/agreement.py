"""A design that no recipe tells of, by independent evaluators: Keras, the emulator and the C simulation."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls.emulation import Emulator
from nonresnet_hls.errors import ConversionError, DatasetError
from nonresnet_hls.hls import network, plain
from nonresnet_hls.hls.convert import PROJECT
from nonresnet_hls.hls.simulate import Simulation
from nonresnet_hls.pipeline.taken import Taken, take
from nonresnet_hls.recipe import Hls


@dataclass(frozen=True)
class Evaluator:
    """What one evaluator gives, beside the C simulation."""

    name: str
    values: int
    different: int
    largest_difference: float


def compare(design: Any, x: Any, samples: int | None = None, jobs: int = 1) -> tuple[Evaluator, ...]:
    """Run a design's C++ on samples, and see who agrees with it in every bit.

    Args:
        design: a model or its file, which hls4ml converts by itself, or a `ModelGraph`; of one input and output.
        x: samples x input shape, a mapping, or the path of a .npz file (x_test, or x).
        samples: the first so many.
        jobs: processes that simulate.

    Returns:
        What evaluates the model itself (Keras, qonnx's executor), where that is at hand, and the emulator.

    Raises:
        ConversionError: the design cannot be converted.
        ToolError: its C++ cannot be compiled, or ends.
        DatasetError: the samples cannot be read, or do not fit.
    """
    import numpy as np

    with tempfile.TemporaryDirectory(prefix="nonresnet-csim-") as scratch:
        project = Path(scratch) / PROJECT
        where, read = _read(x)
        taken = take(design, Hls(), project, read.shape[1:])
        graph = taken.graph
        if len(graph.inputs) != 1 or len(graph.outputs) != 1:
            raise ConversionError(
                f"{graph.config.get_project_name()}: one input and one output wanted for csim,"
                f" not {len(graph.inputs)} and {len(graph.outputs)}"
            )
        shape = tuple(int(size) for size in graph.get_input_variables()[0].shape)
        given = _arranged(read, where, shape, taken)[:samples]
        plain.write_graph(graph, project, PROJECT)
        emulated = np.asarray(Emulator(network.of_project(project))(given))
        emulated = emulated.reshape(len(given), -1)
        with Simulation(project) as simulation:
            # In processes of their own: where an assertion of hls4ml's C++ fails, it is those which end.
            simulation.bench(given[:1], emulated[:1])
            hardware = simulation.library(given, emulated.shape[1:], jobs)
        found = {"emulator": emulated}
        if taken.reference is not None:
            computed = np.asarray(taken.reference.run(given.astype(np.float32)), np.float64)
            found = {taken.reference.name: computed.reshape(hardware.shape), **found}
        return tuple(
            Evaluator(name, hardware.size, int((hardware != one).sum()), float(np.abs(hardware - one).max()))
            for name, one in found.items()
        )


def _read(x: Any) -> tuple[str, Any]:
    """Samples, and what errors call them.

    Raises:
        DatasetError: they are no numbers.
    """
    from nonresnet_hls.pipeline import own

    arrays, path = own.arrays(x)
    given = next((arrays[name] for name in ("x_test", "x") if name in arrays), None)
    where = "data" if path is None else str(path)
    if given is None or given.dtype.kind not in "fiub" or given.ndim < 2 or not len(given):
        got = "nothing" if given is None else f"{given.dtype} {given.shape}"
        raise DatasetError(f"{where}: samples as x_test or x wanted, numbers of shape (samples, ...), not {got}")
    return where, given


def _arranged(given: Any, where: str, shape: Sequence[int], taken: Taken) -> Any:
    """As float64, (samples, *shape), of numbers that float32 holds.

    Raises:
        DatasetError: they are of another shape, or not finite.
    """
    import numpy as np

    try:
        given = taken.arranged(given)
    except DatasetError as error:
        raise DatasetError(f"{where}: {error}") from None
    if given.size != len(given) * int(np.prod(shape)):
        raise DatasetError(f"{where}: samples of shape {tuple(shape)} wanted, not {given.shape[1:]}")
    if not np.isfinite(given).all():
        raise DatasetError(f"{where}: finite numbers wanted, not {given[~np.isfinite(given)][0]}")
    return np.ascontiguousarray(given.reshape(len(given), *shape), np.float32).astype(np.float64)
