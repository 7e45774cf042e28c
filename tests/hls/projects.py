"""Models made into projects and simulated, for the tests of this room."""

from pathlib import Path
from typing import Any

import numpy as np

from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.hls import convert, csim, precompiled, reuse
from nonresnet_hls.hls.simulate import Simulation
from nonresnet_hls.quantization import arithmetic, reference
from nonresnet_hls.quantization.quantized import Quantized
from nonresnet_hls.recipe import Csim, Hls


def quantized(model: Any, input_type: FixedPointType, seed: int = 0) -> Quantized:
    """The model with random inputs as its samples."""
    rng = np.random.default_rng(seed)
    shape = (6, *model.inputs[0].shape[1:])
    mantissas = rng.integers(input_type.min_mantissa, input_type.max_mantissa, shape, endpoint=True)
    samples = np.ldexp(mantissas.astype(np.float64), -input_type.fraction_bits)
    return Quantized(model, input_type, samples, arithmetic.infer(model, input_type))


def write(made: Quantized, hls: Hls, directory: Path) -> Any:
    """Write the project; returns hls4ml's graph."""
    factors = reuse.resolve(made.arithmetic, hls)
    graph = convert.to_model_graph(made.model, made.arithmetic, factors, hls, directory)
    expected = reference.evaluate(made.model, made.arithmetic, made.samples)
    convert.write(graph, made.samples, expected.outputs, directory)
    return graph


def shared_library(types: Path) -> list[str]:
    """The first words of a command that makes one of a project's C++: without optimizing, which takes longer.

    Args:
        types: the project's headers of types, which are compiled once for all projects.
    """
    flags = ("-O0", "-std=c++11", "-fPIC", "-fno-gnu-unique", "-w")
    return ["g++", *flags, "-shared", f"-I{types}", *precompiled.options("g++", flags, types)]


def simulate(made: Quantized, hls: Hls, directory: Path) -> csim.Result:
    """Write, compile and compare."""
    write(made, hls, directory)
    asked = csim.question(made, Csim(samples=6), "random samples")
    with Simulation(directory) as simulation:
        return csim.compare(simulation, asked, lambda inputs: csim.first_different_layer(made, hls, inputs, directory))
