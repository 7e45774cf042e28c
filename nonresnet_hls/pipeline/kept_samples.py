"""The test samples that are kept with a quantized model, in the names of its inputs and outputs.

The file holds `x`, integers (samples, *shape) in units of the input type's last bit, and `input_type`; `float_outputs`,
those of the float network for them; `y`, their labels where there are any. Of several inputs it holds `inputs`, their
names in the user's model, and `x_0`, `x_1`, ... with a type each; of several outputs `outputs`, their names,
`float_outputs_0`, ... and `y_0`, ...
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls import bounds, files, progress
from nonresnet_hls import samples as tensors
from nonresnet_hls.errors import ArtefactError, ModelError
from nonresnet_hls.fixed.types import FixedPointError, FixedPointType
from nonresnet_hls.training import npz
from nonresnet_hls.training.data import Data, Types


@dataclass(frozen=True, eq=False)
class Kept:
    """What the file holds, as `Quantized` has it."""

    input_type: Types
    values: Any
    float_outputs: Any
    labels: Mapping[str, Any]
    input_names: tuple[str, ...]


def inputs_of(model: Any) -> list[str]:
    """The names of a model's inputs, in their order."""
    return [str(tensor._keras_history.layer.name) for tensor in model.inputs]


def fed(samples: Any, names: Sequence[str], model: Any) -> Any:
    """Samples of several inputs, of these names, in the order and under the names that another model has for them."""
    return tensors.renamed(samples, inputs_of(model), names) if tensors.several(samples) else samples


def labels_of(data: Data, outputs: Any) -> dict[str, Any]:
    """What the test samples' outputs shall be, by output; see `Quantized`."""
    import numpy as np

    found: dict[str, Any] = {}
    if tensors.several(outputs) and "y" in data.targets and "y" not in tensors.parts(outputs):
        names = ", ".join(tensors.parts(outputs))
        progress.say(f"{data.targets['y'].where}: not used: targets called as the outputs are ({names}) wanted")
    for name, values in tensors.parts(outputs).items():
        of_file = data.targets.get(name or "y")
        classes = values.ndim == 2 and values.shape[1] > 1
        if classes and not name and data.y_test is not None:
            found[name] = data.y_test
        elif of_file is not None:
            own = npz.classes_of(of_file) if classes else None
            if own is not None:
                found[name] = own[1]
            elif math.prod(of_file.test.shape[1:]) == math.prod(values.shape[1:]):
                found[name] = np.asarray(of_file.test, np.float64).reshape(-1, *values.shape[1:])
            else:
                wanted, got = values.shape[1:], of_file.test.shape[1:]
                progress.say(f"{of_file.where}: not used: for each sample {wanted} wanted, as the output, not {got}")
    return found


def as_files_hold(values: Any) -> Any:
    """Numbers of a model that computes in bfloat16, which NumPy's files do not know, in float32, which holds them."""
    import numpy as np

    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float32)


def read(path: Path, model: Any) -> Kept:
    """What was kept with a model.

    Raises:
        ArtefactError: it cannot be read.
    """
    import numpy as np

    try:
        with path.open("rb") as stream:
            arrays = bounds.load_npz(stream)
        names = [str(name) for name in arrays.get("inputs", ())]
        texts = [str(text) for text in np.atleast_1d(arrays["input_type"])]
        own = [FixedPointType.parse(text) for text in texts]
        mantissas = [arrays[f"x_{number}"] for number in range(len(names))] or [arrays["x"]]
        values = [
            np.ldexp(one.astype(np.float64), -kind.fraction_bits) for one, kind in zip(mantissas, own, strict=True)
        ]
        input_names = inputs_of(model) if names else [""]
        samples = tensors.joined(dict(zip(input_names, values, strict=True)))
        input_type: Types = dict(zip(input_names, own, strict=True)) if names else own[0]
        ends = {str(name): f"_{number}" for number, name in enumerate(arrays.get("outputs", ()))} or {"": ""}
        outputs = tensors.joined({name: arrays[f"float_outputs{end}"] for name, end in ends.items()})
        labels = {name: arrays[f"y{end}"] for name, end in ends.items() if f"y{end}" in arrays}
    except (OSError, ValueError, KeyError, FixedPointError) as error:
        raise ArtefactError(f"{path}: {error}") from None
    return Kept(input_type, samples, outputs, labels, tuple(names))


def save(
    path: Path, names: list[str], samples: Any, input_type: Types, outputs: Any, labels: Mapping[str, Any]
) -> None:
    """Keep samples (on the grids of their types) with a model.

    Args:
        path: the file.
        names: of the inputs in the user's model.
        samples: (samples, *shape) float64; of several inputs records.
        input_type: of the input, or of each by name.
        outputs: what the float network makes of them; of several outputs records.
        labels: by output.

    Raises:
        ModelError: a sample lies beyond its type.
    """
    import numpy as np

    kinds = list(input_type.values()) if isinstance(input_type, dict) else [input_type]
    several = len(kinds) > 1
    arrays: dict[str, Any] = {}
    try:
        for number, (kind, values) in enumerate(zip(kinds, tensors.parts(samples).values(), strict=True)):
            smallest = np.min_scalar_type(kind.min_mantissa if kind.signed else kind.max_mantissa)
            arrays[f"x_{number}" if several else "x"] = kind.mantissas(values).astype(smallest)
    except FixedPointError as error:
        raise ModelError(f"test data: {error}") from None
    texts = [str(kind) for kind in kinds]
    arrays["input_type"] = np.array(texts if several else texts[0])
    if several:
        arrays["inputs"] = np.array(names)
    if tensors.several(outputs):
        arrays["outputs"] = np.array(list(tensors.parts(outputs)))
    for number, (name, values) in enumerate(tensors.parts(outputs).items()):
        end = f"_{number}" if tensors.several(outputs) else ""
        arrays[f"float_outputs{end}"] = values
        if name in labels:
            arrays[f"y{end}"] = labels[name]
    files.write_npz(path, arrays, compressed=True)
