"""Image data sets as arrays of raw pixels: x is the pixel times the last bit of its fixed-point type, exactly.

No mean is subtracted: it could not be folded past the zero padding of the first convolution.

CIFAR and SVHN are looked for in `$NONRESNET_DATA`, then in Keras' cache (`~/.keras/datasets`), laid out as their
authors publish them; what is found nowhere is downloaded into the first of the two that is set. The files are not
trusted: pickles are read without running anything that they name.
"""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonresnet_hls import recipe, samples
from nonresnet_hls.errors import DatasetError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.recipe import DatasetName
from nonresnet_hls.training import npz
from nonresnet_hls.training.data import Data, Spec, as_labels, made, scaled

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_DIGIT = FixedPointType(5, 1, signed=False)
_BYTE = FixedPointType(8, 0, signed=False)
_DIGITS_TEST = 360


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
    return Spec(samples.shapes(data.x_train), data.classes, data.input_type, data.greatest_label, data.factor)


def load(dataset: recipe.Dataset) -> Data:
    """The whole data set.

    Raises:
        DatasetError: it cannot be found, downloaded or read, or a value does not lie on the grid of its type.
    """
    if dataset.name is DatasetName.NPZ:
        if dataset.file is not None and dataset.input_types is not None:
            return npz.several(dataset.file, dataset.input_types)
        if dataset.file is None or dataset.input_type is None:
            raise DatasetError("npz: a file and its input_type wanted, not None")
        return npz.single(dataset.file, dataset.input_type)
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
    return scaled(x, _SPECS[dataset.name].type), as_labels(y)


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
    return made(x_train, y_train, x_test, y_test, found.type, found.classes, f"{name} from {folder}")


def _joined(parts: "list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]") -> Any:
    import numpy as np

    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def _digits() -> Data:
    import sklearn.datasets
    import sklearn.model_selection

    x, y = sklearn.datasets.load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8, 1)
    x_train, x_test, y_train, y_test = sklearn.model_selection.train_test_split(
        x, y, test_size=_DIGITS_TEST, stratify=y, random_state=0
    )
    return made(x_train, y_train, x_test, y_test, _DIGIT, 10, "digits of scikit-learn")


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
