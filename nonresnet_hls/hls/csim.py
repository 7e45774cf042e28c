"""The C simulation of a project against Keras: every output of every sample must be equal.

Compared are test data and adversarial inputs (all at the least value, all at the greatest, random extremes, random
over the whole range), through hls4ml's compiled library and through the project's own test bench.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls.errors import ModelError
from nonresnet_hls.hls import convert, reuse
from nonresnet_hls.hls.simulate import Simulation
from nonresnet_hls.quantization import exact, reference, worth
from nonresnet_hls.quantization.quantized import Quantized
from nonresnet_hls.recipe import Csim, Hls

_RANDOM_SAMPLES = 8
_SHOWN = 5


@dataclass(frozen=True)
class InputSet:
    """The comparison on one kind of input."""

    inputs: str
    samples: int
    values: int
    """Outputs compared, for each of the two simulations."""
    library_different: int
    bench_different: int


@dataclass(frozen=True)
class Mismatch:
    """One output that differs."""

    inputs: str
    sample: int
    index: tuple[int, ...]
    expected: float
    got: float
    input_values: tuple[float, ...]
    """The first values of the sample, flat."""


@dataclass(frozen=True)
class Result:
    """What a comparison found."""

    equal: bool
    values: int
    """Outputs compared, both simulations together."""
    different: int
    reference: str
    """What the simulations were compared with."""
    keras_values_checked: int
    """Values in which Keras and the exact evaluation agreed, wherever float32 is exact."""
    emulated_different: int | None
    """Outputs in which the emulator and the compiled library differ; None where it did not run."""
    emulator: str
    """What the emulator ran in, or why it did not."""
    input_sets: tuple[InputSet, ...]
    mismatches: tuple[Mismatch, ...]
    """The first five."""
    worth: worth.Worth | None
    """Of the test data: float network, quantized one and hardware beside each other."""
    first_layer: str | None
    """The first layer whose output differs; None where all are equal, or where only the layers together differ: then
    it is the project's top function or test bench that is not as it was generated."""


def adversarial(input_type: Any, shape: tuple[int, ...], seed: int) -> dict[str, Any]:
    """Inputs (samples, *shape) float64 at the edges of a type and all over it, by name; seeded."""
    import numpy as np

    rng = np.random.default_rng(seed)
    low, high = input_type.min_mantissa, input_type.max_mantissa
    sets = {
        "all minimum": np.full((1, *shape), low),
        "all maximum": np.full((1, *shape), high),
        "random extremes": rng.choice([low, high], (_RANDOM_SAMPLES, *shape)),
        "random": rng.integers(low, high, (_RANDOM_SAMPLES, *shape), endpoint=True),
    }
    return {name: np.ldexp(values.astype(np.float64), -input_type.fraction_bits) for name, values in sets.items()}


@dataclass(frozen=True, eq=False)
class Emulation:
    """What the emulator says, which reads the project's C++ by itself."""

    outputs: Any
    """(samples, numbers) float64; None where it cannot tell."""
    told: str
    """What it ran in, or why it did not."""


@dataclass(frozen=True, eq=False)
class Question:
    """Inputs and the outputs that the C simulation must give for them."""

    sets: dict[str, Any]
    """(samples, *input shape) float64 by kind."""
    expected: reference.Reference
    """Of all sets, one after the other."""
    float_outputs: Any = None
    """(samples, *output shape) of the float network for the first set; None where there is none."""
    labels: Any = None
    """(samples,) of the first set; None where there are none."""


def question(quantized: Quantized, config: Csim, samples_name: str, samples: Any = None) -> Question:
    """Test data and adversarial inputs of a model, and what it must answer.

    Args:
        quantized: the model and its test data.
        config: how many samples of them, and the seed of the random ones.
        samples_name: what the test data is called in the result.
        samples: other test data than what is kept with the model.

    Raises:
        ModelError: the model has several inputs or outputs.
    """
    import numpy as np

    model = quantized.model
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            f"model {model.name}: one input and one output wanted for csim,"
            f" not {len(model.inputs)} and {len(model.outputs)}"
        )
    sets = {samples_name: (quantized.samples if samples is None else samples)[: config.samples]}
    sets |= adversarial(quantized.input_type, tuple(model.inputs[0].shape[1:]), config.seed)
    inputs = np.concatenate(list(sets.values()))
    known = (
        None if values is None else values[: config.samples] for values in (quantized.float_outputs, quantized.labels)
    )
    return Question(sets, reference.evaluate(model, quantized.arithmetic, inputs), *known)


def compare(
    simulation: Simulation,
    asked: Question,
    find_layer: Callable[[Any], str | None],
    emulate: Callable[[Any], Emulation] | None = None,
    jobs: int = 1,
) -> Result:
    """Run a compiled project both ways on all inputs and compare every output.

    Args:
        simulation: the compiled project.
        asked: inputs and expected outputs.
        find_layer: names the first layer that differs on inputs (samples, *shape); asked only if outputs differ.
        emulate: a third evaluation of the project, compared with the compiled library.
        jobs: processes that simulate.

    Raises:
        ToolError: the test bench fails.
    """
    import numpy as np

    expected = asked.expected
    inputs = np.concatenate(list(asked.sets.values()))
    names = [name for name, values in asked.sets.items() for _ in range(len(values))]
    starts = {name: names.index(name) for name in asked.sets}
    # First as a process of its own: where an assertion of hls4ml's C++ fails, it is that which ends.
    bench = simulation.bench(inputs, expected.outputs, jobs)
    library = simulation.library(inputs, expected.outputs.shape[1:], jobs)
    input_sets = []
    for name, values in asked.sets.items():
        part = slice(starts[name], starts[name] + len(values))
        wanted = expected.outputs[part]
        input_sets.append(
            InputSet(
                name,
                len(values),
                wanted.size,
                int((library[part] != wanted).sum()),
                int((bench[part] != wanted).sum()),
            )
        )
    different = sum(found.library_different + found.bench_different for found in input_sets)
    mismatches: list[Mismatch] = []
    for got in (library, bench):
        for index in np.argwhere(got != expected.outputs)[:_SHOWN]:
            sample, *rest = (int(i) for i in index)
            name = names[sample]
            at = tuple(index)
            head = tuple(float(v) for v in inputs[sample].ravel()[:16])
            mismatches.append(
                Mismatch(name, sample - starts[name], tuple(rest), float(expected.outputs[at]), float(got[at]), head)
            )
    first_layer = None
    if different:
        worst = inputs[sorted({int(i) for got in (library, bench) for i in np.argwhere(got != expected.outputs)[:, 0]})]
        first_layer = find_layer(worst[:_SHOWN])
    emulation = emulate(inputs) if emulate is not None else Emulation(None, "not asked")
    emulated_different = None
    if emulation.outputs is not None:
        emulated_different = int((emulation.outputs.reshape(library.shape) != library).sum())
    return Result(
        equal=different == 0 and not emulated_different,
        values=2 * expected.outputs.size,
        different=different,
        reference=expected.source,
        keras_values_checked=expected.checked_values,
        emulated_different=emulated_different,
        emulator=emulation.told,
        input_sets=tuple(input_sets),
        mismatches=tuple(mismatches[:_SHOWN]),
        worth=_worth(asked, expected.outputs, library),
        first_layer=first_layer,
    )


def _worth(asked: Question, quantized: Any, hardware: Any) -> worth.Worth | None:
    if asked.float_outputs is None:
        return None
    part = slice(len(asked.float_outputs))
    return worth.of(asked.float_outputs, quantized[part], hardware[part], asked.labels)


def first_different_layer(quantized: Quantized, hls: Hls, inputs: Any, project: Path) -> str | None:
    """Name of the first layer whose C simulation differs from the exact evaluation; None if none does.

    Converts and compiles the model once more, with hls4ml's recording of all layers; weights, types and layer
    headers are those of the project, which may differ from a fresh one.
    """
    import numpy as np

    layers = quantized.arithmetic.layers
    factors = reuse.resolve(quantized.arithmetic, hls)
    with tempfile.TemporaryDirectory(prefix="nonresnet-trace-") as folder:
        graph = convert.to_model_graph(
            quantized.model, quantized.arithmetic, factors, hls, Path(folder) / "project", trace=True
        )
        traced = convert.trace(graph, np.ascontiguousarray(inputs, dtype=np.float64), project / "firmware")
    wanted = exact.evaluate(quantized.arithmetic, inputs, [name for name in layers if name in traced])
    for name in layers:
        if name in wanted and (traced[name].reshape(wanted[name].shape) != wanted[name]).any():
            return name
    return None
