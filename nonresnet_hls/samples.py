"""Samples of several tensors in one array: NumPy's records, with a field for each tensor, by its name.

Of one tensor they are its plain array. What counts, cuts, picks or joins samples works on both alike.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Shapes = tuple[int, ...] | Mapping[str, tuple[int, ...]]
"""Of a sample: the shape of one tensor, or those of several by name."""


def joined(parts: Mapping[str, Any]) -> Any:
    """Arrays (samples, *shape) by name as one: that array itself where there is one.

    >>> import numpy as np
    >>> both = joined({"a": np.zeros((5, 2)), "b": np.ones((5, 3, 1))})
    >>> len(both[1:4]), both[1:4]["b"].shape
    (3, (3, 3, 1))
    """
    import numpy as np

    if len(parts) == 1:
        return next(iter(parts.values()))
    arrays = {name: np.asarray(part) for name, part in parts.items()}
    count = len(next(iter(arrays.values())))
    records = np.empty(count, [(name, part.dtype, part.shape[1:]) for name, part in arrays.items()])
    for name, part in arrays.items():
        records[name] = part
    return records


def parts(samples: Any, name: str = "") -> dict[str, Any]:
    """The inverse of `joined`; one tensor is called `name`."""
    names = samples.dtype.names
    return {name: samples} if names is None else {one: samples[one] for one in names}


def several(samples: Any) -> bool:
    """Whether these are samples of several tensors."""
    return samples.dtype.names is not None


def renamed(samples: Any, names: Sequence[str], order: Sequence[str] | None = None) -> Any:
    """Samples of several tensors under other names; `order`: the old ones in the order in which they shall stand."""
    if not several(samples):
        return samples
    found = parts(samples)
    return joined({new: found[old] for new, old in zip(names, order or tuple(found), strict=True)})


def flat(samples: Any) -> Any:
    """(samples, numbers) float64: the tensors of each sample one after the other."""
    import numpy as np

    rows = [np.asarray(part, np.float64).reshape(len(part), -1) for part in parts(samples).values()]
    return rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)


def sizes(shapes: Shapes) -> list[int]:
    """How many numbers each tensor of a sample has."""
    import math

    return [math.prod(shape) for shape in (shapes.values() if isinstance(shapes, Mapping) else (shapes,))]


def shapes(samples: Any) -> Shapes:
    """The shapes of a sample's tensors."""
    found = {name: tuple(part.shape[1:]) for name, part in parts(samples).items()}
    return found if several(samples) else found[""]


def shaped(rows: Any, wanted: Shapes) -> Any:
    """The inverse of `flat`: (samples, numbers) as tensors of some shapes."""
    if not isinstance(wanted, Mapping):
        return rows.reshape(len(rows), *wanted)
    found, start = {}, 0
    for (name, shape), size in zip(wanted.items(), sizes(wanted), strict=True):
        found[name] = rows[:, start : start + size].reshape(len(rows), *shape)
        start += size
    return joined(found)


def for_keras(samples: Any) -> Any:
    """As Keras takes them: an array, or a list of arrays, float32."""
    import numpy as np

    found = [np.asarray(part, np.float32) for part in parts(samples).values()]
    return found if several(samples) else found[0]
