"""Image data sets as arrays of raw pixels: x is the pixel times the last bit of its fixed-point type, exactly.

No mean is subtracted: it could not be folded past the zero padding of the first convolution.

CIFAR and SVHN are looked for in `$NONRESNET_DATA`, then in Keras' cache (`~/.keras/datasets`), laid out as their
authors publish them; what is found nowhere is downloaded into the first of the two that is set. The files are not
trusted: pickles are read without running anything that they name.
"""

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonresnet_hls import bounds, progress, recipe
from nonresnet_hls.errors import DatasetError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.recipe import DatasetName

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_DIGIT = FixedPointType(5, 1, signed=False)
_BYTE = FixedPointType(8, 0, signed=False)
_DIGITS_TEST = 360
_MOST_CLASSES = 1 << 16


@dataclass(frozen=True)
class Spec:
    """What a network must know of a data set."""

    shape: tuple[int, ...]
    """Of one sample, channels last."""
    classes: int
    input_type: FixedPointType
    greatest_label: str = dataclasses.field(default="", compare=False)
    """File and key where it stands, for data of the user's own: there it decides how many classes there are."""
    factor: Fraction = Fraction(1)
    """As in `Data`."""


@dataclass(frozen=True, eq=False)
class Data:
    """A data set in memory: x (samples, *shape) float32 on the grid of `input_type`, y (samples,) int64.

    Of data without class labels y is None and there are 0 classes.
    """

    x_train: "npt.NDArray[np.float32]"
    y_train: "npt.NDArray[np.int64] | None"
    x_test: "npt.NDArray[np.float32]"
    y_test: "npt.NDArray[np.int64] | None"
    input_type: FixedPointType
    classes: int
    source: str
    """Where it came from, in words."""
    greatest_label: str = ""
    """As in `Spec`."""
    factor: Fraction = Fraction(1)
    """What the file's own values are of x: other than 1 where the file holds bytes / 255, of which no fixed-point type
    holds any but 0 and 1. A model that was trained on the file's values must multiply by it first."""
    x_test_given: "npt.NDArray[np.float32] | None" = None
    """The file's own x_test, where it had to be rounded to the grid; else None."""

    @property
    def labels(self) -> "tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]":
        """Those of the training samples, and those of the test samples.

        Raises:
            DatasetError: there are none.
        """
        if self.y_train is None or self.y_test is None:
            raise DatasetError(f"{self.source}: labels (one class for each sample) wanted, there are none")
        return self.y_train, self.y_test

    @property
    def x_test_float(self) -> "npt.NDArray[np.float32]":
        """What a float network is to be judged on: x_test before it was rounded."""
        return self.x_test if self.x_test_given is None else self.x_test_given


_SPECS = {
    DatasetName.DIGITS: Spec((8, 8, 1), 10, _DIGIT),
    DatasetName.CIFAR10: Spec((32, 32, 3), 10, _BYTE),
    DatasetName.CIFAR100: Spec((32, 32, 3), 100, _BYTE),
    DatasetName.SVHN: Spec((32, 32, 3), 10, _BYTE),
}


def spec(dataset: recipe.Dataset) -> Spec:
    """Shape, classes and input type; reads nothing for our own data sets, the file for npz.

    Raises:
        DatasetError: the `.npz` file is not what it should be.
    """
    if dataset.name is not DatasetName.NPZ:
        return _SPECS[dataset.name]
    data = load(dataset)
    return Spec(tuple(data.x_train.shape[1:]), data.classes, data.input_type, data.greatest_label, data.factor)


def load(dataset: recipe.Dataset) -> Data:
    """The whole data set.

    Raises:
        DatasetError: it cannot be found, downloaded or read, or a value does not lie on the grid of its type.
    """
    if dataset.name is DatasetName.NPZ:
        if dataset.file is None or dataset.input_type is None:
            raise DatasetError("npz: a file and its input_type wanted, not None")
        return _npz(dataset.file, dataset.input_type)
    return _own(dataset.name)


def load_test(dataset: recipe.Dataset) -> "tuple[npt.NDArray[np.float32], npt.NDArray[np.int64] | None]":
    """x_test and y_test of `load`, without the memory that the training samples take where these need not be read.

    Raises:
        DatasetError: as `load`.
    """
    if dataset.name in (DatasetName.NPZ, DatasetName.DIGITS):
        data = load(dataset)
        return data.x_test, data.y_test
    from nonresnet_hls.training import downloads

    x, y = _test_part(dataset.name, downloads.find(dataset.name))
    return _scaled(x, _SPECS[dataset.name].input_type), _as_labels(y)


def _training_part(name: DatasetName, folder: Path) -> Any:
    if name is DatasetName.SVHN:
        return _svhn(folder / "train_32x32.mat")
    if name is DatasetName.CIFAR10:
        return _joined([_cifar(folder / f"data_batch_{i}", "labels", 10) for i in range(1, 6)])
    return _cifar(folder / "train", "fine_labels", 100)


def _test_part(name: DatasetName, folder: Path) -> Any:
    if name is DatasetName.SVHN:
        return _svhn(folder / "test_32x32.mat")
    if name is DatasetName.CIFAR10:
        return _cifar(folder / "test_batch", "labels", 10)
    return _cifar(folder / "test", "fine_labels", 100)


# The arrays are shared by all callers in a process; they are marked read-only below.
@functools.lru_cache(maxsize=2)
def _own(name: DatasetName) -> Data:
    if name is DatasetName.DIGITS:
        return _digits()
    from nonresnet_hls.training import downloads

    folder = downloads.find(name)
    (x_train, y_train), (x_test, y_test) = _training_part(name, folder), _test_part(name, folder)
    found = _SPECS[name]
    return _data(x_train, y_train, x_test, y_test, found.input_type, found.classes, f"{name} from {folder}")


def _joined(parts: "list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]") -> Any:
    import numpy as np

    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def _data(
    x_train: Any, y_train: Any, x_test: Any, y_test: Any, input_type: FixedPointType, classes: int, source: str
) -> Data:
    """Scale integer pixels to the grid of their type."""
    return Data(
        _scaled(x_train, input_type), _as_labels(y_train), _scaled(x_test, input_type), _as_labels(y_test), input_type,
        classes, f"{source}: {len(x_train)} training and {len(x_test)} test samples",
    )  # fmt: skip


def _scaled(raw: Any, input_type: FixedPointType) -> Any:
    import numpy as np

    # An integer of at most 24 bits times a power of two is exact in float32.
    x = np.multiply(raw, np.float32(input_type.lsb), dtype=np.float32)
    x.flags.writeable = False
    return x


def _as_labels(raw: Any) -> Any:
    import numpy as np

    if raw is None:
        return None
    y = np.array(raw, dtype=np.int64)
    y.flags.writeable = False
    return y


def _digits() -> Data:
    import sklearn.datasets
    import sklearn.model_selection

    x, y = sklearn.datasets.load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8, 1)
    x_train, x_test, y_train, y_test = sklearn.model_selection.train_test_split(
        x, y, test_size=_DIGITS_TEST, stratify=y, random_state=0
    )
    return _data(x_train, y_train, x_test, y_test, _DIGIT, 10, "digits of scikit-learn")


def _cifar(path: Path, labels_key: str, classes: int) -> Any:
    import numpy as np

    from nonresnet_hls.training import pickles

    record = pickles.load(path)
    try:
        pixels, found = record["data"], np.asarray(record[labels_key])
        if found.ndim != 1 or found.dtype.kind not in "iu":
            raise ValueError(f"a list of integers wanted as labels, not {found.dtype} {found.shape}")
        labels = found.astype(np.int64)
    except (LookupError, TypeError, ValueError, ArithmeticError, RecursionError, MemoryError) as error:
        reason = f"{type(error).__name__}: {error!s:.200}"
        raise DatasetError(f"{path}: 'data' and {labels_key!r} wanted: {reason}") from None
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape != (len(labels), 3072):
        shape = getattr(pixels, "shape", type(pixels).__name__)
        raise DatasetError(f"{path}: data: one row of 3072 bytes for each of {len(labels)} labels wanted, not {shape}")
    _check_labels(path, labels, classes)
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels


def _svhn(path: Path) -> Any:
    import numpy as np
    import scipy.io

    try:
        record = scipy.io.loadmat(path, variable_names=("X", "y"))
        pixels, labels = record["X"], record["y"].ravel().astype(np.int64)
    except Exception as error:  # scipy raises whatever a broken file makes it stumble over
        raise DatasetError(f"{path}: cannot be read as SVHN: {type(error).__name__}: {error}") from None
    if pixels.dtype != np.uint8 or pixels.shape != (32, 32, 3, len(labels)):
        raise DatasetError(f"{path}: X: 32x32x3x{len(labels)} bytes wanted, not {pixels.dtype} {pixels.shape}")
    _check_labels(path, labels, 11)
    # The digit 0 is labelled 10.
    return pixels.transpose(3, 0, 1, 2), labels % 10


def _check_labels(path: Path, labels: "npt.NDArray[np.int64]", classes: int) -> None:
    bad = (labels < 0) | (labels >= classes)
    if bad.any():
        raise DatasetError(f"{path}: labels 0..{classes - 1} wanted, not {int(labels[bad][0])}")


def _npz(path: Path, input_type: FixedPointType) -> Data:
    import numpy as np

    if input_type.width > 24:
        raise DatasetError(f"{path}: input_type: at most 24 bits (those of float32) wanted, not {input_type}")
    try:
        with bounds.open_plain(path) as stream:
            arrays = bounds.load_npz(stream)
    except (OSError, ValueError, MemoryError) as error:
        raise DatasetError(f"{path}: cannot be read as .npz of plain arrays: {error}") from None
    names: list[str] = [name for name in ("x_train", "x_test") if name in arrays] or ["x"]
    if len(names) == 1 and "x" not in arrays:
        wanted = "x_train and x_test (or x), with y_train and y_test (or y) where there are labels,"
        raise DatasetError(f"{path}: {wanted} wanted, not {', '.join(sorted(arrays)) or 'nothing'}")
    samples = [arrays[name] for name in names]
    for name, x in zip(names, samples, strict=True):
        if x.dtype.kind not in "fiub" or x.ndim < 2 or len(x) == 0:
            raise DatasetError(f"{path}: {name}: (samples, ...) numbers wanted, not {x.dtype} {x.shape}")
    targets = [_labels(path, name.replace("x", "y"), arrays, len(x)) for name, x in zip(names, samples, strict=True)]
    if any(y is None for y in targets):
        targets = [None for _ in targets]
    if len(names) == 1:
        (x,), (y,) = samples, targets
        test = np.arange(len(x)) % 5 == 4
        x_train, x_test = x[~test], x[test]
        y_train, y_test = (None, None) if y is None else (y[~test], y[test])
        names = ["x", "x"]
    else:
        (x_train, x_test), (y_train, y_test) = samples, targets
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
            given = np.array(x_test, np.float32)
            given.flags.writeable = False
    classes, key = 0, ""
    if y_train is not None and y_test is not None:
        classes, key = max(
            (int(y.max()) + 1, name.replace("x", "y")) for name, y in zip(names, (y_train, y_test), strict=True)
        )
    data = _data(mantissas[0], y_train, mantissas[1], y_test, input_type, classes, str(path))
    greatest = f"{path}: {key}" if key else ""
    return dataclasses.replace(data, greatest_label=greatest, factor=factor, x_test_given=given)


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
            f"{path}: {name} {y.dtype} {y.shape} tells no classes: outputs are compared with the float model's alone"
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
