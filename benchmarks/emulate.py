"""The emulator's speed beside Keras' own predict and the C simulation, and its outputs beside theirs.

    python -m benchmarks.emulate [--images 10000] [--csim-images 20]

Alternating pairs on one warm machine, the median of five; what is prepared (read, proved, compiled) is told apart.
Networks are recipes that are trained and whose data set is on this machine.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAIRS = 5
EIGHT, SIXTEEN = "resnet20", "resnet20-w16a16"
WHOLE = ("resnet20", "shortresnet20", "nonresnet20")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10000)
    parser.add_argument("--csim-images", type=int, default=20)
    parser.add_argument("--workspace", type=Path, default=Path())
    args = parser.parse_args()

    from nonresnet_hls.pipeline.workspace import Workspace

    place = Workspace(args.workspace)
    for name in (EIGHT, SIXTEEN):
        _speed(place, name, args.images, args.csim_images)
    for name in WHOLE:
        for recipe in (name, f"{name}-w16a16"):
            _whole(place, recipe)
    print(f"greatest memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def _speed(place: Any, name: str, images: int, simulated: int) -> None:
    from nonresnet_hls.emulation import Emulator
    from nonresnet_hls.hls import network
    from nonresnet_hls.hls.simulate import Simulation
    from nonresnet_hls.pipeline import convert, quantize

    recipe = place.recipe(name)
    project = convert.run_convert(recipe, place)
    quantized = quantize.load(quantize.run(recipe, place))
    samples = quantize.labelled(recipe, place, quantized)[0][:images]
    started = time.perf_counter()
    emulator = Emulator(network.of_project(project.directory))
    emulator(samples[:64])
    prepared = time.perf_counter() - started
    quantized.model.predict(samples[:256], batch_size=256, verbose=0)
    started = time.perf_counter()
    with Simulation(project.directory) as simulation:
        compiled = time.perf_counter() - started
        shape = tuple(quantized.model.outputs[0].shape[1:])

        def c_simulation(jobs: int, each: int = simulated) -> Callable[[], Any]:
            return lambda: simulation.library(samples[: each * jobs], shape, jobs)

        pairs = [
            (
                _seconds(lambda: emulator(samples)),
                _seconds(lambda: quantized.model.predict(samples, batch_size=256, verbose=0)),
                _seconds(c_simulation(1)),
                _seconds(c_simulation(2)),
                _seconds(c_simulation(2, 1)),
            )
            for _ in range(PAIRS)
        ]
        equal = int((simulation.library(samples[:simulated], shape) == emulator(samples[:simulated])).sum())
    own, keras, one, two, start = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{name}: prepared in {prepared:.1f} s (emulator), {compiled:.1f} s (C++)")
    print(f"  emulator {images / own:,.0f} images/s, Keras {images / keras:,.0f}, C simulation {simulated / one:.2f}")
    print(f"  x Keras: {statistics.median(b / a for a, b, *_ in pairs):.2f}; ", end="")
    print(f"x C simulation: {(images / own) / (simulated / one):,.0f}")
    # They read the weights at each start, one process alone once for all turns.
    alone = 2 * (one - one / simulated) / (two - start)
    print(f"  two processes of the C simulation: x {2 * one / two:.2f}, x {alone:.2f} in simulation time alone")
    print(f"  {equal} of {simulated * shape[-1]} values equal the C simulation")


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _whole(place: Any, name: str) -> None:
    from nonresnet_hls.pipeline import emulate

    figures = emulate.run_emulate(place.recipe(name), place).figures
    print(
        f"{name}: {figures['samples']} images in {figures['seconds']} s, top-1 of the hardware {figures['top1']:.2%},"
        f" {figures['different_predictions']} predictions and {figures['different']} of {figures['values']} values"
        f" differ from {figures['reference']}"
    )


if __name__ == "__main__":
    main()
