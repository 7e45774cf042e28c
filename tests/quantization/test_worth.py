"""What a quantized design is worth beside its float network."""

import numpy as np
import pytest

from nonresnet_hls.quantization import worth
from nonresnet_hls.quantization.worth import Kernel, Metric


def test_classes_with_labels_are_counted() -> None:
    outputs = np.eye(4)
    wrong = np.roll(outputs, 1, axis=1)
    mixed = np.where(np.arange(4)[:, None] < 3, outputs, wrong)
    found = worth.of(outputs, mixed, wrong, np.arange(4))
    assert found == worth.Worth(Metric.TOP1, 4, 1.0, 0.75, 0.0)
    assert found.points_lost == 25.0


def test_without_labels_the_float_network_is_what_counts() -> None:
    outputs = np.eye(4)
    assert worth.of(outputs, outputs, np.roll(outputs, 1, axis=1), None) == worth.Worth(Metric.AGREEMENT, 4, 1, 1, 0)


def test_other_outputs_have_a_mean_error_in_their_range() -> None:
    outputs = np.array([[[-1.0, 3.0]]])
    found = worth.of(outputs, outputs + 1, outputs, None)
    assert found == worth.Worth(Metric.MEAN_ERROR, 1, 0.0, 0.25, 0.0)
    assert found.points_lost == 25.0


def test_nothing_is_said_without_samples() -> None:
    assert worth.of(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3)), None) is None


@pytest.mark.parametrize(
    ("levels", "before", "bits", "coarse"),
    [
        (7, 200, 8, True),
        (8, 200, 8, False),
        (3, 3, 8, False),
        (4, 100, 3, False),
        (3, 100, 3, True),
        (2, 100, 2, False),
    ],
)
def test_few_levels_are_told_where_there_could_be_more(levels: int, before: int, bits: int, coarse: bool) -> None:
    kernel = Kernel("conv", levels, before, bits, 0.1)
    assert kernel.is_coarse is coarse
    assert len(worth.warnings(None, [kernel])) == coarse


def test_a_loss_of_more_than_two_points_names_the_roughest_layer_and_a_cure() -> None:
    kernels = [Kernel("fine", 200, 300, 8, 0.01), Kernel("rough", 9, 300, 8, 0.2)]
    (line,) = worth.warnings(worth.Worth(Metric.TOP1, 1000, 0.90, 0.87, 0.87), kernels)
    assert line.startswith("quantization costs 3.0 points of top-1; layer rough changed most (20.0% of its weights); ")
    assert "quantization.epochs" in line
    assert worth.warnings(worth.Worth(Metric.TOP1, 1000, 0.90, 0.885, 0.885), kernels) == []
    assert worth.warnings(worth.Worth(Metric.TOP1, 1000, 0.90, 0.95, 0.95), kernels) == []
