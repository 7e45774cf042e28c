"""The C simulation of a project against Keras: every output of every sample must be equal.

Compared are test data and adversarial inputs (all at the least value, all at the greatest, random extremes, random
over the whole range), through hls4ml's compiled library and through the project's own test bench.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nonresnet_hls import samples as tensors
from nonresnet_hls.fixed.types import FixedPointType
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
    output: str = ""
    """Which one, where there are several."""


@dataclass(frozen=True)
class Output:
    """The comparison of one of several outputs."""

    name: str
    """As the float network calls it."""
    values: int
    """Compared, for each of the two simulations."""
    library_different: int
    bench_different: int
    worth: worth.Worth | None


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
    """Of the test data: float network, quantized one and hardware beside each other. None of several outputs."""
    outputs: tuple[Output, ...]
    """Where there are several, one by one."""
    first_layer: str | None
    """The first layer whose output differs; None where all are equal, or where only the layers together differ: then
    it is the project's top function or test bench that is not as it was generated."""


def adversarial(input_type: FixedPointType, shape: tuple[int, ...], seed: int) -> dict[str, Any]:
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


def adversarial_for(quantized: Quantized, seed: int) -> dict[str, Any]:
    """The same for the inputs of a model; of several, records."""
    kinds = quantized.input_types
    by_input = {
        name: adversarial(kinds[name], tuple(tensor.shape[1:]), seed + number)
        for number, (name, tensor) in enumerate(zip(kinds, quantized.model.inputs, strict=True))
    }
    names = next(iter(by_input.values()))
    return {one: tensors.joined({name: sets[one] for name, sets in by_input.items()}) for one in names}


@dataclass(frozen=True, eq=False)
class Emulation:
    """What the emulator says, which reads the project's C++ by itself."""

    outputs: Any
    """(samples, numbers) float64, of all outputs one after the other; None where it cannot tell."""
    told: str
    """What it ran in, or why it did not."""


@dataclass(frozen=True, eq=False)
class Question:
    """Inputs and the outputs that the C simulation must give for them."""

    sets: dict[str, Any]
    """(samples, *input shape) float64 by kind; of several inputs records."""
    expected: reference.Reference
    """Of all sets, one after the other."""
    float_outputs: Any = None
    """(samples, *output shape) of the float network for the first set; None where there is none."""
    labels: Mapping[str, Any] = field(default_factory=dict)
    """Of the first set, by output, as in `Quantized`."""


def question(quantized: Quantized, config: Csim, samples_name: str) -> Question:
    """Test data and adversarial inputs of a model, and what it must answer.

    Args:
        quantized: the model and its test data.
        config: how many samples of them, and the seed of the random ones.
        samples_name: what the test data is called in the result.
    """
    import numpy as np

    sets = {samples_name: quantized.samples[: config.samples]}
    sets |= adversarial_for(quantized, config.seed)
    inputs = np.concatenate(list(sets.values()))
    outputs = quantized.float_outputs
    labels = {name: values[: config.samples] for name, values in quantized.labels.items()}
    expected = reference.evaluate(quantized.model, quantized.arithmetic, inputs)
    return Question(sets, expected, None if outputs is None else outputs[: config.samples], labels)


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
    library = simulation.library(inputs, tensors.shapes(expected.outputs), jobs)
    wanted_rows, library_rows, bench_rows = (tensors.flat(one) for one in (expected.outputs, library, bench))
    input_sets = []
    for name, values in asked.sets.items():
        part = slice(starts[name], starts[name] + len(values))
        wanted = wanted_rows[part]
        input_sets.append(
            InputSet(
                name,
                len(values),
                wanted.size,
                int((library_rows[part] != wanted).sum()),
                int((bench_rows[part] != wanted).sum()),
            )
        )
    different = sum(found.library_different + found.bench_different for found in input_sets)
    compared = _compared(asked, library, bench)
    mismatches: list[Mismatch] = []
    for one in (part for simulated in zip(*compared, strict=True) for part in simulated):
        for index in np.argwhere(one.got != one.wanted)[:_SHOWN]:
            sample, *rest = (int(i) for i in index)
            at, name = tuple(index), names[sample]
            head = tuple(float(v) for v in tensors.flat(inputs[sample : sample + 1])[0][:16])
            mismatches.append(
                Mismatch(
                    name, sample - starts[name], tuple(rest), float(one.wanted[at]), float(one.got[at]), head, one.name
                )
            )
    first_layer = None
    if different:
        rows = (library_rows != wanted_rows).any(axis=1) | (bench_rows != wanted_rows).any(axis=1)
        first_layer = find_layer(inputs[np.flatnonzero(rows)][:_SHOWN])
    emulation = emulate(inputs) if emulate is not None else Emulation(None, "not asked")
    emulated_different = None
    if emulation.outputs is not None:
        emulated_different = int((emulation.outputs.reshape(library_rows.shape) != library_rows).sum())
    outputs = [
        Output(first.name, first.wanted.size, first.different, second.different, _worth(asked, first))
        for first, second in compared
    ]
    return Result(
        equal=different == 0 and not emulated_different,
        values=2 * wanted_rows.size,
        different=different,
        reference=expected.source,
        keras_values_checked=expected.checked_values,
        emulated_different=emulated_different,
        emulator=emulation.told,
        input_sets=tuple(input_sets),
        mismatches=tuple(mismatches[:_SHOWN]),
        worth=outputs[0].worth if len(outputs) == 1 else None,
        outputs=tuple(outputs) if len(outputs) > 1 else (),
        first_layer=first_layer,
    )


@dataclass(frozen=True, eq=False)
class _Compared:
    """One output as one of the simulations gives it."""

    name: str
    """As the float network calls it; '' of a single one."""
    number: int
    wanted: Any
    got: Any

    @property
    def different(self) -> int:
        return int((self.wanted != self.got).sum())


def _compared(asked: Question, library: Any, bench: Any) -> list[tuple[_Compared, _Compared]]:
    """Each output by the library and by the test bench."""
    wanted = tensors.parts(asked.expected.outputs)
    names = list(wanted) if asked.float_outputs is None else list(tensors.parts(asked.float_outputs))
    both = [list(tensors.parts(one).values()) for one in (library, bench)]
    return [
        (_Compared(name, number, one, both[0][number]), _Compared(name, number, one, both[1][number]))
        for number, (name, one) in enumerate(zip(names, wanted.values(), strict=True))
    ]


def _worth(asked: Question, output: _Compared) -> worth.Worth | None:
    if asked.float_outputs is None:
        return None
    reference = tensors.parts(asked.float_outputs)[output.name]
    part = slice(len(reference))
    return worth.of(reference, output.wanted[part], output.got[part], asked.labels.get(output.name))


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
        fed = [np.ascontiguousarray(one, dtype=np.float64) for one in tensors.parts(inputs).values()]
        traced = convert.trace(graph, fed if len(fed) > 1 else fed[0], project / "firmware")
    given = tensors.parts(inputs) if len(fed) > 1 else inputs
    wanted = exact.evaluate(quantized.arithmetic, given, [name for name in layers if name in traced])
    for name in layers:
        if name in wanted and (traced[name].reshape(wanted[name].shape) != wanted[name]).any():
            return name
    return None
