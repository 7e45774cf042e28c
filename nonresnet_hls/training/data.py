"""Data sets in memory: samples, labels and targets, and what a network must know of them."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from nonresnet_hls.errors import DatasetError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.samples import Shapes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Types = FixedPointType | dict[str, FixedPointType]
"""Of a network's input, or of several by name."""


@dataclass(frozen=True)
class Spec:
    """What a network must know of a data set."""

    shape: Shapes
    """Of one sample, channels last; of several inputs by name."""
    classes: int
    input_type: Types
    greatest_label: str = dataclasses.field(default="", compare=False)
    """File and key where it stands, for data of the user's own: there it decides how many classes there are."""
    factor: Fraction = Fraction(1)
    """As in `Data`."""

    @property
    def type(self) -> FixedPointType:
        """Of the one input that data of ours have."""
        if isinstance(self.input_type, dict):
            raise DatasetError(f"data of one input wanted, not of {', '.join(self.input_type)}")
        return self.input_type


@dataclass(frozen=True, eq=False)
class Targets:
    """What an output is to be for each sample: (samples, ...) numbers."""

    train: "npt.NDArray[Any]"
    test: "npt.NDArray[Any]"
    where: str
    """File and key."""


@dataclass(frozen=True, eq=False)
class Data:
    """A data set in memory: x (samples, *shape) float32 on the grid of `input_type`, y (samples,) int64.

    Of several inputs x has records (see `nonresnet_hls.samples`). Of data without class labels y is None and there are
    0 classes.
    """

    x_train: "npt.NDArray[np.float32]"
    y_train: "npt.NDArray[np.int64] | None"
    x_test: "npt.NDArray[np.float32]"
    y_test: "npt.NDArray[np.int64] | None"
    input_type: Types
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
    targets: "Mapping[str, Targets]" = dataclasses.field(default_factory=dict)
    """What the outputs are to be, as the file says it: of several outputs by name, of one called `y`."""

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


def made(
    x_train: Any, y_train: Any, x_test: Any, y_test: Any, input_type: FixedPointType, classes: int, source: str
) -> Data:
    """Data of integer pixels, scaled to the grid of their type."""
    return Data(
        scaled(x_train, input_type), as_labels(y_train), scaled(x_test, input_type), as_labels(y_test), input_type,
        classes, f"{source}: {len(x_train)} training and {len(x_test)} test samples",
    )  # fmt: skip


def scaled(raw: Any, input_type: FixedPointType) -> Any:
    """Integers times the last bit of a type, float32, read-only: callers share them."""
    import numpy as np

    # An integer of at most 24 bits times a power of two is exact in float32.
    x = np.multiply(raw, np.float32(input_type.lsb), dtype=np.float32)
    x.flags.writeable = False
    return x


def as_labels(raw: Any) -> Any:
    """Class numbers, int64, read-only; None for none."""
    import numpy as np

    if raw is None:
        return None
    y = np.array(raw, dtype=np.int64)
    y.flags.writeable = False
    return y
