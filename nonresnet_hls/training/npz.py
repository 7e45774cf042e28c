"""A user's own data: `.npz` files with arrays of samples, labels and targets. They are not trusted."""

import dataclasses
import functools
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonresnet_hls import bounds, progress, samples
from nonresnet_hls.errors import DatasetError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.training.data import Data, Targets, as_labels, made, scaled

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_MOST_CLASSES = 1 << 16


def read_arrays(path: Path) -> "dict[str, np.ndarray[Any, Any]]":
    """All arrays of a file, by name.

    Raises:
        DatasetError: it cannot be read, or holds what is no plain array.
    """
    try:
        with bounds.open_plain(path) as stream:
            return bounds.load_npz(stream)
    except (OSError, ValueError, MemoryError) as error:
        raise DatasetError(f"{path}: cannot be read as .npz of plain arrays: {error}") from None


def _check_type(path: Path, input_type: FixedPointType, key: str = "input_type") -> None:
    if input_type.width > 24:
        raise DatasetError(f"{path}: {key}: at most 24 bits (those of float32) wanted, not {input_type}")


def _check_samples(path: Path, name: str, x: Any) -> None:
    if x.dtype.kind not in "fiub" or x.ndim < 2 or len(x) == 0:
        raise DatasetError(f"{path}: {name}: (samples, ...) numbers wanted, not {x.dtype} {x.shape}")


def _is_test(count: int) -> Any:
    """Which samples are those of the test, where a file does not tell: every fifth."""
    import numpy as np

    return np.arange(count) % 5 == 4


def single(path: Path, input_type: FixedPointType) -> Data:
    """A file with x_train, x_test (or x), and y_train, y_test (or y) where there are labels.

    Raises:
        DatasetError: it cannot be read, or a value does not lie on the grid of its type.
    """
    import numpy as np

    _check_type(path, input_type)
    arrays = read_arrays(path)
    names: list[str] = [name for name in ("x_train", "x_test") if name in arrays] or ["x"]
    if len(names) == 1 and "x" not in arrays:
        wanted = "x_train and x_test (or x), with y_train and y_test (or y) where there are labels,"
        raise DatasetError(f"{path}: {wanted} wanted, not {', '.join(sorted(arrays)) or 'nothing'}")
    found = [arrays[name] for name in names]
    for name, x in zip(names, found, strict=True):
        _check_samples(path, name, x)
    labels = [_labels(path, name.replace("x", "y"), arrays, len(x)) for name, x in zip(names, found, strict=True)]
    if any(y is None for y in labels):
        labels = [None for _ in labels]
    if len(names) == 1:
        (x,), (y,) = found, labels
        test = _is_test(len(x))
        x_train, x_test = x[~test], x[test]
        y_train, y_test = (None, None) if y is None else (y[~test], y[test])
        names = ["x", "x"]
    else:
        (x_train, x_test), (y_train, y_test) = found, labels
    if len(x_train) == 0 or len(x_test) == 0:
        raise DatasetError(f"{path}: x: 5 or more samples wanted, of which every fifth is a test sample, not {len(x)}")
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DatasetError(f"{path}: x_test: samples of shape {x_train.shape[1:]} wanted, not {x_test.shape[1:]}")
    factor, given = Fraction(1), None
    if input_type.width == 8 and not input_type.signed and all(are_bytes_by_255(x) for x in (x_train, x_test)):
        factor = 1 / (255 * input_type.lsb)
        _say_once(f"{path}: x is bytes / 255, which no fixed-point type holds: the hardware gets bytes as {input_type}")
        mantissas = [np.rint(np.multiply(x, 255.0)) for x in (x_train, x_test)]
    else:
        mantissas = [_on_grid(path, name, x, input_type) for name, x in zip(names, (x_train, x_test), strict=True)]
        if _is_rounded(x_test, mantissas[1], input_type):
            given = _read_only(np.array(x_test, np.float32))
    classes, key = 0, ""
    if y_train is not None and y_test is not None:
        classes, key = max(
            (int(y.max()) + 1, name.replace("x", "y")) for name, y in zip(names, (y_train, y_test), strict=True)
        )
    data = made(mantissas[0], y_train, mantissas[1], y_test, input_type, classes, str(path))
    greatest = f"{path}: {key}" if key else ""
    targets = _targets(path, arrays, {"x"}, len(x_train), len(x_test))
    return dataclasses.replace(data, greatest_label=greatest, factor=factor, x_test_given=given, targets=targets)


def _read_only(array: Any) -> Any:
    array.flags.writeable = False
    return array


def several(path: Path, types: dict[str, FixedPointType]) -> Data:
    """A file with an entry for each of several inputs: NAME_train and NAME_test, or NAME.

    Raises:
        DatasetError: as `single`.
    """
    import numpy as np

    arrays = read_arrays(path)
    train, test, given, rounded = {}, {}, {}, False
    for name, own in types.items():
        _check_type(path, own, f"input_types.{name}")
        keys = [key for key in (f"{name}_train", f"{name}_test") if key in arrays]
        keys = keys if len(keys) == 2 else [name]
        if keys[0] not in arrays:
            wanted = f"{name}_train and {name}_test (or {name}) wanted for input {name}"
            raise DatasetError(f"{path}: {wanted}, not {', '.join(sorted(arrays)) or 'nothing'}")
        for key in keys:
            _check_samples(path, key, arrays[key])
        if len(keys) == 1:
            is_test = _is_test(len(arrays[name]))
            pair, keys = [arrays[name][~is_test], arrays[name][is_test]], [name, name]
        else:
            pair = [arrays[key] for key in keys]
        if pair[0].shape[1:] != pair[1].shape[1:]:
            wanted = f"samples of shape {pair[0].shape[1:]}"
            raise DatasetError(f"{path}: {keys[1]}: {wanted} wanted, not {pair[1].shape[1:]}")
        mantissas = [_on_grid(path, key, x, own) for key, x in zip(keys, pair, strict=True)]
        train[name], test[name] = (scaled(one, own) for one in mantissas)
        given[name] = np.array(pair[1], np.float32)
        rounded = rounded or _is_rounded(pair[1], mantissas[1], own)
    first = next(iter(types))
    for name in types:
        counts, wanted_counts = (len(train[name]), len(test[name])), (len(train[first]), len(test[first]))
        if counts != wanted_counts:
            wanted = f"{wanted_counts[0]} training and {wanted_counts[1]} test samples as of {first}"
            raise DatasetError(f"{path}: {name}: {wanted} wanted, not {counts[0]} and {counts[1]}")
    if not len(train[first]) or not len(test[first]):
        raise DatasetError(f"{path}: {first}: 5 or more samples wanted, of which every fifth is a test sample")
    counts = (len(train[first]), len(test[first]))
    x_train, x_test = (_read_only(samples.joined(parts)) for parts in (train, test))
    targets = _targets(path, arrays, set(types), *counts)
    labels = classes_of(targets["y"]) if "y" in targets else None
    return Data(
        x_train, labels and as_labels(labels[0]), x_test, labels and as_labels(labels[1]),
        types if len(types) > 1 else types[first],
        0 if labels is None else int(max(one.max() for one in labels)) + 1,
        f"{path}: {counts[0]} training and {counts[1]} test samples",
        greatest_label=f"{path}: y" if labels else "",
        x_test_given=_read_only(samples.joined(given)) if rounded else None,
        targets=targets,
    )  # fmt: skip


def _targets(path: Path, arrays: Mapping[str, Any], inputs: set[str], train: int, test: int) -> dict[str, Targets]:
    """The entries of a file that are no inputs and have a number, or more, for each sample."""
    found = {}
    for base in {key.removesuffix("_train").removesuffix("_test") for key in arrays} - inputs:
        pair: list[Any] = [arrays.get(f"{base}_train"), arrays.get(f"{base}_test")]
        whole = arrays.get(base)
        alone = pair[0] is None and pair[1] is None
        if whole is not None and alone and whole.ndim and len(whole) == train + test:
            is_test = _is_test(train + test)
            pair = [whole[~is_test], whole[is_test]]
        shapes = [one.shape for one in pair if one is not None and one.dtype.kind in "fiub" and one.ndim]
        counts = [shape[0] for shape in shapes]
        if counts == [train, test] and shapes[0][1:] == shapes[1][1:]:
            found[base] = Targets(pair[0], pair[1], f"{path}: {base}")
    return found


def classes_of(targets: Targets) -> "tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None":
    """The classes that the targets of an output tell, of training and test samples; None where they tell others."""
    path, _, key = targets.where.rpartition(": ")
    pair = [_labels(Path(path), key, {key: one}, len(one)) for one in (targets.train, targets.test)]
    return None if any(one is None for one in pair) else (pair[0], pair[1])


def _labels(path: Path, name: str, arrays: Mapping[str, Any], samples: int) -> Any:
    """The classes (samples,) that an array of labels tells, by number or one-hot; None where it tells something else.

    Raises:
        DatasetError: there are not as many labels as samples, or they are no numbers.
    """
    import numpy as np

    y = arrays.get(name)
    if y is None:
        return None
    if y.dtype.kind not in "fiub" or y.ndim < 1 or len(y) != samples:
        raise DatasetError(f"{path}: {name}: {samples} labels wanted, not {y.dtype} {y.shape}")
    if y.ndim == 2 and y.shape[1] > 1 and ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all():
        return y.argmax(axis=1)
    if y.size != samples or (y.dtype.kind == "f" and (y != np.rint(y)).any()):
        _say_once(
            f"{path}: {name} {y.dtype} {y.shape[1:]} tells no classes: taken as the numbers that the output shall give"
        )
        return None
    if int(y.min()) < 0:
        raise DatasetError(f"{path}: {name}: labels from 0 on wanted, not {int(y.min())}")
    if int(y.max()) >= _MOST_CLASSES:
        raise DatasetError(f"{path}: {name}: labels below {_MOST_CLASSES} wanted, not {int(y.max())}")
    return y.ravel().astype(np.int64)


def are_bytes_by_255(x: Any) -> bool:
    """Whether all values are those of bytes / 255 in floating point, some of them neither 0 nor 1."""
    import numpy as np

    if x.dtype.kind != "f" or not np.isfinite(x).all() or x.min() < 0 or x.max() > 1:
        return False
    scaled = np.multiply(x, 255.0, dtype=np.float64)
    # Divided, or multiplied by 1/255: two roundings, each of half an epsilon of the value; those of float32 may be in
    # float64 now.
    epsilon = max(float(np.finfo(kind).eps) for kind in (x.dtype, np.float32))
    near = np.abs(scaled - np.rint(scaled)) <= 1.01 * epsilon * scaled
    return bool(near.all() and ((x > 0) & (x < 1)).any())


def _on_grid(path: Path, name: str, x: Any, input_type: FixedPointType) -> Any:
    """The integers of the values of a type that are nearest to x (ties to even), which must not lie beyond its bounds.

    What is rounded is told.
    """
    import numpy as np

    scaled = np.ldexp(np.asarray(x, dtype=np.float64), input_type.fraction_bits)
    nearest = np.rint(scaled)
    bad = ~((nearest >= input_type.min_mantissa) & (nearest <= input_type.max_mantissa))
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        wanted = f"values in {input_type.min}..{input_type.max} ({input_type})"
        raise DatasetError(f"{path}: {name}{list(where)}: {wanted} wanted, not {x[where]}{_holding(x, input_type)}")
    changed = nearest != scaled
    if changed.any():
        worst = float(np.ldexp(np.abs(nearest - scaled).max(), -input_type.fraction_bits))
        _say_once(
            f"{path}: {name}: {int(changed.sum())} of {changed.size} values are rounded to {input_type},"
            f" by {worst:.3g} at most"
        )
    return nearest.astype(np.int64)


def _holding(x: Any, input_type: FixedPointType) -> str:
    """The type of as many bits that would hold all of x, in words; nothing where none does."""
    import numpy as np

    if not np.isfinite(x).all():
        return ""
    low, high = float(x.min()), float(x.max())
    signed = low < 0
    for integer_bits in range(input_type.integer_bits - 24, input_type.integer_bits + 64):
        other = dataclasses.replace(input_type, integer_bits=integer_bits, signed=signed)
        if other.min <= low and high <= other.max:
            return f"; input_type {other} would hold all"
    return ""


@functools.cache
def _say_once(text: str) -> None:
    """Data are read again by every stage."""
    progress.say(text)


def _is_rounded(x: Any, mantissas: Any, input_type: FixedPointType) -> bool:
    import numpy as np

    return bool((np.ldexp(mantissas.astype(np.float64), -input_type.fraction_bits) != x).any())
