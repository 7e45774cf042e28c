"""The stage `emulate`: the hardware's exact outputs for a whole test set, beside those of the model it came from."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nonresnet_hls import bounds, files, progress
from nonresnet_hls import samples as tensors
from nonresnet_hls.emulation import Emulator
from nonresnet_hls.emulation.emulator import as_sequence
from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.network import Network
from nonresnet_hls.hls import network
from nonresnet_hls.networks import graph
from nonresnet_hls.pipeline import quantize as quantization
from nonresnet_hls.pipeline import runner
from nonresnet_hls.pipeline.convert import run_convert
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.quantization import reference, worth
from nonresnet_hls.quantization.quantized import Quantized
from nonresnet_hls.recipe import Recipe

STAGE = "emulate"

_ROOMS = (
    "fixed",
    "samples.py",
    "generated.py",
    "networks",
    "quantization",
    "hls",
    "emulation",
    "pipeline/quantize.py",
    "pipeline/emulate.py",
)
_BATCH = 256


def run_emulate(recipe: Recipe, workspace: Workspace) -> runner.Artefact:
    """Bring the emulation of a recipe's project on its whole test set up to date, the project before it.

    Raises:
        RecipeError: a block, which has no labels, or a data set that is not on this machine.
        ConversionError: the project has a layer or type whose arithmetic is not known; names it.
        NonResNetError: as `convert.run_convert`.
    """
    quantization.with_test_set(recipe, workspace)
    before = quantization.run(recipe, workspace)
    project = run_convert(recipe, workspace)

    def produce(_: Path) -> Mapping[str, Any]:
        quantized = quantization.load(before)
        samples, labels = quantization.labelled(recipe, workspace, quantized)
        progress.say(f"emulating {recipe.name}: {len(samples)} images")
        return emulated(quantized, project.directory, samples, labels)

    where, inputs = workspace.artefact(recipe.name, STAGE), _inputs(before, project)
    return runner.run(where, STAGE, recipe.dataset.name, inputs, produce)


def existing(recipe: Recipe, workspace: Workspace) -> runner.Artefact | None:
    """The emulation of a recipe's present project on its whole test set; None if there is none.

    Raises:
        ArtefactError: a file of the project or of the result was changed or is missing.
    """
    found = runner.load(workspace.artefact(recipe.name, STAGE))
    if found is None:
        return None
    before = quantization.existing(recipe, workspace)
    project = runner.load(workspace.projects / recipe.name)
    if before is None or project is None:
        return None
    wanted = runner.digest_of(STAGE, recipe.dataset.name, _inputs(before, project))
    return found if found.digest == wanted else None


def _inputs(before: runner.Artefact, project: runner.Artefact) -> dict[str, str]:
    return {"model": before.content, "project": project.content, "tool": runner.tool_digest(*_ROOMS)}


def emulate_samples(
    recipe: Recipe, workspace: Workspace, count: int | None, outputs: Path | None = None
) -> dict[str, Any]:
    """The same of the first so many test samples, without labels; of all of them, with labels, where count is None.

    Nothing is kept but the outputs, as .npy (of several as .npz, by name) where a file for them is given.

    Raises:
        NonResNetError: as `run_emulate`.
    """
    before = quantization.run(recipe, workspace)
    project = run_convert(recipe, workspace)
    quantized = quantization.load(before)
    if count is None:
        samples, labels = quantization.labelled(recipe, workspace, quantized)
    else:
        samples, labels = quantization.samples(recipe, workspace, quantized, count), {}
    return emulated(quantized, project.directory, samples, labels, outputs)


def emulated(
    quantized: Quantized, project: Path, samples: Any, labels: Mapping[str, Any], outputs_to: Path | None = None
) -> dict[str, Any]:
    """What a project makes of samples, compared with the model that it came from.

    Args:
        quantized: the model.
        project: its project.
        samples: (samples, *input shape), of the input's type; of several inputs records.
        labels: of the samples by output (of one output it is called ''), where there are any.
        outputs_to: .npy file to write the outputs to (of several .npz), or None.

    Raises:
        ConversionError: a layer or type whose arithmetic is not known.
        ReferenceMismatchError: Keras and the exact evaluation differ where both are exact.
    """
    started = time.perf_counter()
    emulator = Emulator(network.of_project(project))
    given = list(tensors.parts(samples).values())
    emulator([one[:1] for one in given])
    prepared = time.perf_counter()
    outputs = as_sequence(emulator(given))
    seconds = time.perf_counter() - prepared
    expected, source = _expected(quantized, samples)
    names = list(tensors.parts(expected if quantized.float_outputs is None else quantized.float_outputs))
    wanted = dict(zip(names, tensors.parts(expected).values(), strict=True))
    found = {name: one.reshape(wanted[name].shape) for name, one in zip(names, outputs, strict=True)}
    if outputs_to is not None:
        _write(outputs_to, found)
    by_output = {name: _figures(found[name], wanted[name], labels.get(name)) for name in names}
    figures: dict[str, Any] = {
        "samples": len(samples),
        "values": sum(int(one.size) for one in found.values()),
        "different": sum(one["different"] for one in by_output.values()),
        "reference": source,
        "kernels": emulator.kernels,
        "seconds": round(seconds, 3),
        "preparation_seconds": round(prepared - started, 3),
        "images_per_second": round(len(samples) / seconds, 1),
        "layers": [asdict(row) | {"arithmetic": str(row.arithmetic)} for row in emulator.proof],
    }
    if len(names) > 1:
        return figures | {"outputs": [{"name": name, **of_output} for name, of_output in by_output.items()]}
    return figures | by_output[names[0]]


def _figures(found: Any, wanted: Any, labels: Any) -> dict[str, Any]:
    """Of one output."""
    figures: dict[str, Any] = {"values": int(found.size), "different": int((found != wanted).sum())}
    if labels is not None and worth.tells_classes(found, labels):
        predictions = found.argmax(axis=1)
        figures["top1"] = float((predictions == labels).mean())
        figures["different_predictions"] = int((predictions != wanted.argmax(axis=1)).sum())
    return figures


def _expected(quantized: Quantized, samples: Any) -> tuple[Any, str]:
    """Outputs of the model: Keras' where these are exact, else the exact evaluation's."""
    outputs = graph.output_names(quantized.model)
    if not set(outputs) & quantized.arithmetic.inexact().keys():
        found = reference.computed(quantized.model, samples, outputs, _BATCH)
        arrays = (np.asarray(one, np.float64) for one in found)
        return tensors.joined(dict(zip(outputs, arrays, strict=True))), "Keras"
    parts = [
        reference.evaluate(quantized.model, quantized.arithmetic, samples[start : start + _BATCH])
        for start in range(0, len(samples), _BATCH)
    ]
    return np.concatenate([part.outputs for part in parts]), parts[0].source


def emulate_design(
    read: Callable[[], Any], inputs: Any, count: int, arranged: Callable[[Any], Any] = lambda x: x
) -> tuple[Any, dict[str, Any]]:
    """What a design makes of samples, and how long that took.

    Args:
        read: gives the design, a `Network` or a `ModelGraph`.
        inputs: samples x input shape, for several inputs a list; the path of a .npy file of them, for several inputs a
            .npz file, with their names; None: seeded random numbers of the input types.
        count: of random samples.
        arranged: gives inputs as hardware takes them.

    Returns:
        The outputs, for several a list, and figures.

    Raises:
        ConversionError: the design or the file of inputs cannot be read.
        EmulationError: inputs that the network cannot take.
    """
    started = time.perf_counter()
    emulator = Emulator(read())
    given: Any = inputs
    told = "as given"
    if inputs is None:
        given, told = random_inputs(emulator.network, count), "seeded random numbers"
    elif isinstance(inputs, str | Path):
        given, told = _read(Path(inputs), emulator.network), str(inputs)
    if inputs is not None:
        given = arranged(given)
    emulator([one[:1] for one in given] if isinstance(given, list) else given[:1])
    prepared = time.perf_counter()
    found = emulator(given)
    seconds = time.perf_counter() - prepared
    every = found if isinstance(found, list) else [found]
    samples = len(every[0])
    return found, {
        "samples": samples,
        "inputs": told,
        "output_names": list(emulator.network.outputs),
        "values": sum(int(one.size) for one in every),
        "kernels": emulator.kernels,
        "seconds": round(seconds, 3),
        "preparation_seconds": round(prepared - started, 3),
        "images_per_second": round(samples / seconds, 1),
        "layers": [asdict(row) | {"arithmetic": str(row.arithmetic)} for row in emulator.proof],
    }


def save_outputs(outputs: Any, names: Sequence[str], path: Path) -> None:
    """Write the outputs of a design as .npy; of several as .npz, by their names.

    Raises:
        ConversionError: there are several, and the file is not called .npz.
    """
    _write(path, dict(zip(names, as_sequence(outputs), strict=True)))


def random_inputs(wanted: Network, count: int, seed: int = 0) -> list[Any]:
    """Numbers all over the types of a network's inputs; seeded."""
    rng = np.random.default_rng(seed)
    size = sum(wanted.streams[name].words * wanted.streams[name].channels for name in wanted.inputs)
    if 8 * count * size > bounds.machine_bytes() // 4:
        raise ConversionError(
            f"--samples: fewer than {count} wanted, of {size} numbers each: more memory than there is"
        )
    found = []
    for name in wanted.inputs:
        stream = wanted.streams[name]
        low, high = max(stream.kind.min_mantissa, -(1 << 52)), min(stream.kind.max_mantissa, 1 << 52)
        mantissas = rng.integers(low, high, (count, stream.words * stream.channels), endpoint=True)
        found.append(np.ldexp(mantissas.astype(np.float64), -stream.kind.fraction_bits))
    return found


def _write(path: Path, outputs: Mapping[str, Any]) -> None:
    if len(outputs) > 1 and path.suffix != ".npz":
        raise ConversionError(f"{path}: a .npz file wanted for {len(outputs)} outputs ({', '.join(outputs)})")
    if path.suffix == ".npz":
        files.write_npz(path, {name or "output": one for name, one in outputs.items()})
        return
    with files.replacing(path) as stream:
        np.save(stream, *outputs.values())


def _read(path: Path, network: Network) -> Any:
    """The array in a .npy file; of a .npz file those of a network's inputs, by their names."""
    suffix = ".npz" if path.suffix == ".npz" else ".npy"
    try:
        with bounds.open_plain(path) as stream:
            found: Any = bounds.load_npz(stream) if suffix == ".npz" else bounds.load_npy(stream)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConversionError(f"{path}: a {suffix} file of numbers wanted: {reason}") from None
    if suffix == ".npz":
        missing = [name for name in network.inputs if name not in found]
        if missing:
            got = ", ".join(sorted(found)) or "nothing"
            raise ConversionError(f"{path}: an array for input {missing[0]} wanted, not {got}")
        return [_checked(found[name], f"{path}: {name}") for name in network.inputs]
    return _checked(found, str(path))


def _checked(found: Any, where: str) -> Any:
    if found.dtype.kind not in "fiub" or found.ndim < 1 or found.size == 0:
        raise ConversionError(f"{where}: samples of numbers wanted, not {found.dtype} {found.shape}")
    return found
