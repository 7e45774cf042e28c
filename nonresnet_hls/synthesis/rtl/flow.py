"""From an hls4ml model to figures: generate, size the FIFOs, simulate against the C simulation, synthesise."""

import dataclasses
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nonresnet_hls import files
from nonresnet_hls.errors import NonResNetError
from nonresnet_hls.recipe import RtlOptions
from nonresnet_hls.synthesis.rtl.design import RtlDesign, generate
from nonresnet_hls.synthesis.rtl.place_and_route import PlaceAndRoute, place_and_route
from nonresnet_hls.synthesis.rtl.prediction import PREDICTED_IMAGES, Prediction, predict
from nonresnet_hls.synthesis.rtl.simulation import FifoUse, Simulation, Simulator, Stalls, compile_simulator
from nonresnet_hls.synthesis.rtl.sizing import LeastDepth, least_depths, size_fifos
from nonresnet_hls.synthesis.rtl.yosys import Synthesis, Target, synthesise


class MismatchError(NonResNetError):
    """The RTL and the C simulation give different values."""

    exit_status = 1


class Depths(StrEnum):
    """How deep the FIFOs are made."""

    MODEL = "model"
    """As the hls4ml model says; by itself it makes each hold a whole tensor."""
    SIZED = "sized"
    """The least that cost no throughput, found by simulation."""


@dataclass(frozen=True)
class SimulationFigures:
    """What the simulation of a design showed."""

    images: int
    values_compared: int
    """Output values equal to those of the C simulation, each in a run without and one with random stalls."""
    first_output_cycles: int
    latency_cycles: int
    interval_cycles: int
    predicted: Prediction
    """Modelled, before anything ran."""
    fifos: tuple[FifoUse, ...]
    least_depths: tuple[LeastDepth, ...]


@dataclass(frozen=True)
class RtlReport:
    """All figures of one design."""

    name: str
    design: RtlDesign
    depths: Depths
    simulation: SimulationFigures | None
    synthesis: Synthesis | None
    place_and_route: PlaceAndRoute | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        result: dict[str, Any] = {"format": 1, "name": self.name, "engine": "rtl", "fifo_depths": str(self.depths)}
        if self.simulation is not None:
            result["simulation"] = dataclasses.asdict(self.simulation)
        if self.synthesis is not None:
            figures = dataclasses.asdict(self.synthesis)
            figures["total"] = dataclasses.asdict(self.synthesis.total)
            result["synthesis"] = figures
        if self.place_and_route is not None:
            result["place_and_route"] = dataclasses.asdict(self.place_and_route)
            if self.simulation is not None:
                khz = self.place_and_route.images_khz(self.simulation.interval_cycles)
                result["place_and_route"]["images_khz"] = khz
        return result


def build(
    model: Any,
    directory: Path,
    *,
    x: npt.ArrayLike | list[npt.ArrayLike] | None = None,
    target: Target | str = Target.XC7,
    depths: Depths | str = Depths.SIZED,
    simulate: bool = True,
    synth: bool = True,
    place: bool = False,
    flat: bool = False,
    least: bool = False,
    stalls: Stalls | None = None,
    options: RtlOptions | None = None,
) -> RtlReport:
    """Everything for one model; the design is left in `directory/rtl`, the figures in `directory/rtl/report.json`.

    Args:
        model: `ModelGraph`, io_stream. For `simulate` it is compiled here if it is not yet.
        directory: the project's folder.
        x: images (for several inputs a list) to simulate; None: the extremes of the input type and random ones.
        target: device family of the synthesis.
        depths: of the FIFOs.
        simulate: compare with the C simulation and count cycles.
        synth: synthesise.
        place: place and route for ECP5 as well.
        flat: synthesise in one piece as well.
        least: find the least FIFO depths that do not deadlock.
        stalls: of the second simulation run.
        options: of the generator.

    Raises:
        MismatchError: a value differs from the C simulation.
        ConversionError: a layer that the engine does not build.
        ToolError: a tool is missing or fails.
    """
    depths, target = Depths(depths), Target(target)
    scratch = directory / "rtl_build"
    design = generate(model, options=options)
    if depths is Depths.SIZED:
        design = size_fifos(design).design
    design = design.write(directory / "rtl")
    figures = None
    if simulate:
        simulator = compile_simulator(design, scratch / "simulation")
        inputs = _inputs(design, x)
        figures = _compare(model, simulator, inputs, stalls or Stalls())
        if least:
            figures = dataclasses.replace(figures, least_depths=least_depths(simulator))
    synthesis = synthesise(design, target, flat) if synth else None
    placed = place_and_route(design) if place else None
    report = RtlReport(design.network.name, design, depths, figures, synthesis, placed)
    files.write_text(directory / "rtl" / "report.json", json.dumps(report.as_dict(), indent=1) + "\n")
    return report


def _inputs(design: RtlDesign, x: Any) -> dict[str, npt.NDArray[np.float64]]:
    """By input stream: images x words x channels."""
    network = design.network
    streams = [network.streams[name] for name in network.inputs]
    if x is None:
        random = np.random.default_rng(0)
        given: list[Any] = []
        for stream in streams:
            kind = stream.kind
            shape = (4, stream.words, stream.channels)
            integers = random.integers(kind.min_mantissa, kind.max_mantissa + 1, shape)
            integers[0], integers[1] = kind.max_mantissa, kind.min_mantissa
            given.append(integers * float(kind.lsb))
    else:
        given = list(x) if isinstance(x, list | tuple) else [x]
    return {
        stream.name: np.asarray(values, dtype=np.float64).reshape(-1, stream.words, stream.channels)
        for stream, values in zip(streams, given, strict=True)
    }


def _compare(
    model: Any, simulator: Simulator, inputs: dict[str, npt.NDArray[np.float64]], stalls: Stalls
) -> SimulationFigures:
    network = simulator.design.network
    expected = c_simulation(model, simulator.design, inputs)
    free = simulator.run(inputs)
    stalled = simulator.run(inputs, stalls)
    compared = 0
    for run, how in ((free, "without stalls"), (stalled, "with random stalls")):
        check_equal(run, expected, f"{network.name}, {how}")
        compared += sum(array.size for array in expected.values())
    images = len(next(iter(inputs.values())))
    return SimulationFigures(
        images,
        compared,
        free.first_output_cycles,
        free.latency_cycles,
        free.interval_cycles,
        predict(simulator.design, min(images, PREDICTED_IMAGES)),
        free.fifos,
        (),
    )


def c_simulation(
    model: Any, design: RtlDesign, inputs: dict[str, npt.NDArray[np.float64]]
) -> dict[str, npt.NDArray[np.float64]]:
    """What hls4ml's compiled C++ gives for the same images, by output stream: images x words x channels."""
    if model._top_function_lib is None:
        model.compile()
    network = design.network
    given = [
        np.ascontiguousarray(inputs[name].reshape(-1, *variable.shape), dtype=np.float64)
        for name, variable in zip(network.inputs, model.get_input_variables(), strict=True)
    ]
    raw = model.predict(given if len(given) > 1 else given[0])
    raw = raw if isinstance(raw, list) else [raw]
    return {
        name: np.asarray(array, dtype=np.float64).reshape(
            -1, network.streams[name].words, network.streams[name].channels
        )
        for name, array in zip(network.outputs, raw, strict=True)
    }


def check_equal(run: Simulation, expected: dict[str, npt.NDArray[np.float64]], what: str) -> None:
    """Compare every value.

    Raises:
        MismatchError: one differs, or did not come; with the count and the first five.
    """
    if not run.finished:
        raise MismatchError(f"{what}: the simulation stopped after {run.total_cycles} cycles: {run.deadlock}")
    for name, values in expected.items():
        got = run.outputs[name]
        different = np.argwhere(got != values)
        if len(different):
            firsts = "; ".join(
                f"image {i} word {w} channel {c}: {got[i, w, c]!r} instead of {values[i, w, c]!r}"
                for i, w, c in different[:5].tolist()
            )
            raise MismatchError(f"{what}, stream {name}: {len(different)} of {values.size} values differ: {firsts}")
