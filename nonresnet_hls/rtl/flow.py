"""From an hls4ml model to figures: generate, size the FIFOs, simulate against the C simulation, synthesise."""

import contextlib
import dataclasses
import json
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nonresnet_hls import files, guardian, progress
from nonresnet_hls.errors import ConversionError, NonResNetError
from nonresnet_hls.fixed.arithmetic import Integers
from nonresnet_hls.hls import fidelity
from nonresnet_hls.hls.bits import BitSimulation
from nonresnet_hls.recipe import RtlOptions
from nonresnet_hls.rtl.against_keras import KerasFigures, against_keras
from nonresnet_hls.rtl.design import RtlDesign, generate
from nonresnet_hls.rtl.place_and_route import PlaceAndRoute, place_and_route
from nonresnet_hls.rtl.prediction import Prediction, interval_of, predict
from nonresnet_hls.rtl.simulation import (
    FifoUse,
    FloatArray,
    Simulation,
    Simulator,
    Stalls,
    compile_simulator,
    mantissas,
    pack,
    unpack,
)
from nonresnet_hls.rtl.sizing import LeastDepth, least_depths, size_fifos
from nonresnet_hls.rtl.yosys import Synthesis, Target, synthesise


class MismatchError(NonResNetError):
    """The RTL and the C simulation give different values."""

    exit_status = 1


class PredictionError(NonResNetError):
    """The RTL runs otherwise than what was predicted of it: one of the two is wrong."""

    exit_status = 1


class Depths(StrEnum):
    """How deep the FIFOs are made."""

    MODEL = "model"
    """As the hls4ml model says; by itself it makes each hold a whole tensor."""
    SIZED = "sized"
    """The least that are predicted to cost no throughput."""


@dataclass(frozen=True)
class SimulationFigures:
    """What the simulation of a design showed."""

    images: int
    values_compared: int
    """Output values equal to those of the C simulation, each in a run without and one with random stalls."""
    first_output_cycles: int
    latency_cycles: int
    interval_cycles: int | float
    """From image to image in the steady state, the mean over a period of it."""
    predicted: Prediction
    """Modelled, of as many images; it was the same in every cycle and level."""
    fifos: tuple[FifoUse, ...]
    least_depths: tuple[LeastDepth, ...]
    keras: KerasFigures | None = None
    """How far the values are from those of the Keras model; None where there is none at hand."""


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
        PredictionError: a cycle or a level differs from what was predicted.
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


def _inputs(design: RtlDesign, x: Any) -> dict[str, FloatArray | Integers]:
    """By input stream: images x words x channels; mantissas where nothing is given."""
    network = design.network
    streams = [network.streams[name] for name in network.inputs]
    if x is None:
        random = np.random.default_rng(0)
        found: dict[str, FloatArray | Integers] = {}
        for stream in streams:
            kind = stream.kind
            shape = (4, stream.words, stream.channels)
            octets = random.integers(0, 256, (*shape, (kind.width + 7) // 8), dtype=np.uint8)
            numbers = [int.from_bytes(row.tobytes(), "little") for row in octets.reshape(-1, octets.shape[-1])]
            integers: Integers = np.array(
                [number % (1 << kind.width) + kind.min_mantissa for number in numbers], object
            )
            integers = integers.reshape(shape)
            integers[0], integers[1] = kind.max_mantissa, kind.min_mantissa
            found[stream.name] = integers
        return found
    given = list(x) if isinstance(x, list | tuple) and len(streams) > 1 else [x]
    if len(given) != len(streams):
        raise ConversionError(f"x: a list of {len(streams)} arrays wanted, one for each input, not {len(given)}")
    result: dict[str, FloatArray | Integers] = {}
    for stream, values in zip(streams, given, strict=True):
        try:
            array = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ConversionError(f"x: an array of numbers wanted for {stream.name!r} ({error})") from None
        each = stream.words * stream.channels
        if array.size == 0 or array.size % each:
            raise ConversionError(f"x: images of {each} values wanted for {stream.name!r}, not {array.shape}")
        result[stream.name] = array.reshape(-1, stream.words, stream.channels)
    return result


def _compare(
    model: Any, simulator: Simulator, inputs: dict[str, FloatArray | Integers], stalls: Stalls
) -> SimulationFigures:
    design = simulator.design
    keras_model = fidelity.model_of(model)
    with tempfile.TemporaryDirectory(prefix="nonresnet-csim-") as scratch:
        reference = c_simulation(model, design, Path(scratch))
        figures = compare(simulator, reference, inputs, stalls, design.network.name, keras_model)
    if figures.keras is not None:
        progress.say(f"{design.network.name}: {figures.keras}")
    return figures


def compare(
    simulator: Simulator,
    reference: BitSimulation,
    inputs: dict[str, FloatArray | Integers],
    stalls: Stalls,
    what: str,
    keras_model: Any = None,
) -> SimulationFigures:
    """Run a design beside the C simulation and beside its prediction.

    Args:
        simulator: of the design.
        reference: the C simulation.
        inputs: by input stream; of fewer images than the steady state needs, they go through again.
        stalls: of the second run.
        what: a name for messages.
        keras_model: to say how far the values are from its; None: not said.

    Raises:
        MismatchError: a value differs from that of the C simulation, or none comes.
        PredictionError: a cycle or a level differs from what was predicted.
    """
    design = simulator.design
    network = design.network
    images = len(next(iter(inputs.values())))
    predicted = predict(design)
    if images >= predicted.images:
        predicted = predict(design, images)
    more = np.arange(max(images, predicted.images)) % images
    # Values are cast by the C++ itself.
    given = [
        pack(values, network.streams[name]) if values.dtype == object else values.astype(np.float64)
        for name, values in ((name, inputs[name]) for name in network.inputs)
    ]
    pieces = reference.run(images, given)
    expected = {name: unpack(words, network.streams[name]) for name, words in zip(network.outputs, pieces, strict=True)}
    free = simulator.run({name: values[more] for name, values in inputs.items()})
    check_equal(free, {name: values[more] for name, values in expected.items()}, f"{what}, without stalls")
    check_equal(simulator.run(inputs, stalls), expected, f"{what}, with random stalls")
    check_predicted(free, predicted, what)
    keras = None
    if keras_model is not None:
        fed = {name: mantissas(values, network.streams[name].kind) for name, values in inputs.items()}
        keras = against_keras(keras_model, network, fed, expected)
    return SimulationFigures(
        images,
        2 * sum(array.size for array in expected.values()),
        free.first_output_cycles,
        free.latency_cycles,
        interval_of(free.image_ends, predicted.period_images or len(free.image_ends) // 2),
        predicted,
        free.fifos,
        (),
        keras,
    )


def c_simulation(model: Any, design: RtlDesign, scratch: Path) -> BitSimulation:
    """hls4ml's compiled C++ of the same model, in bits."""
    if model._top_function_lib is None:
        # hls4ml's script stumbles over quotes in a folder's name, which is compiled without it below; what is wrong
        # with the C++ is told there, too. Its error is of no kind of its own.
        with guardian.starting(), contextlib.suppress(Exception):
            model.compile()
    compiled = model._top_function_lib
    streams = design.network.streams
    project = Path(model.config.get_output_dir())
    space = (model.config.get_writer_config() or {}).get("Namespace")
    name = model.config.get_project_name()
    return BitSimulation(
        project,
        f"{space}::{name}" if space else name,
        [streams[stream].words for stream in design.network.inputs],
        [streams[stream].words for stream in design.network.outputs],
        scratch,
        None if compiled is None else Path(compiled._name),
    )


def check_equal(run: Simulation, expected: dict[str, Integers], what: str) -> None:
    """Compare every bit of every value.

    Args:
        run: of the design.
        expected: mantissas by output stream, images x words x channels.
        what: ran, for messages.

    Raises:
        MismatchError: one differs, or did not come; with the count and the first five.
    """
    if not run.finished:
        raise MismatchError(f"{what}: the simulation stopped after {run.total_cycles} cycles: {run.deadlock}")
    for name, values in expected.items():
        got, unit = run.mantissas[name], Fraction(2) ** -run.fraction_bits[name]
        different = np.argwhere(got != values)
        if len(different):
            firsts = "; ".join(
                f"image {i} word {w} channel {c}: {_text(got[i, w, c], unit)} instead of {_text(values[i, w, c], unit)}"
                for i, w, c in different[:5].tolist()
            )
            raise MismatchError(f"{what}, stream {name}: {len(different)} of {values.size} values differ: {firsts}")


def _text(mantissa: int, unit: Fraction) -> str:
    """A value, and its integer where a float does not tell it whole."""
    value = float(mantissa * unit)
    return f"{value!r}" if Fraction(value) == mantissa * unit else f"{value!r} ({mantissa} / {1 / unit})"


def check_predicted(run: Simulation, predicted: Prediction, what: str) -> None:
    """Compare every cycle in which an image ended, and the most words that each FIFO held.

    Raises:
        PredictionError: one differs.
    """
    pairs: list[tuple[str, Any, Any]] = [
        ("cycles to the first output", run.first_output_cycles, predicted.first_output_cycles),
        *(
            (f"cycles to the end of image {index}", *ends)
            for index, ends in enumerate(zip(run.image_ends, predicted.image_ends, strict=True))
        ),
        *(
            (f"most words in stream {use.stream}", use.high_water, predicted.high_water[use.stream])
            for use in run.fifos
        ),
    ]
    for name, simulated, wanted in pairs:
        if simulated != wanted:
            raise PredictionError(f"{what}: {name}: {wanted} predicted, {simulated} simulated; one of the two is wrong")
