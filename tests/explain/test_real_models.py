"""Networks that were trained, with hls4ml's own types: explained, cured, and with the fewest bits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nonresnet_hls as nr
from nonresnet_hls.explain.findings import Reason
from nonresnet_hls.recipe import Dataset, DatasetName
from nonresnet_hls.training import datasets, downloads
from tests.explain import nets

MODELS = Path(__file__).parents[2] / ".." / "shared" / "models"
RESNET8 = MODELS / "mlperf_resnet8.h5"


def _cifar10(factor: int) -> tuple[Any, Any]:
    """The test set, pixels times a factor of 1/256, and its labels."""
    if downloads.local(DatasetName.CIFAR10) is None:
        pytest.skip("cifar10 is not on this machine")
    x, y = datasets.load_test(Dataset(DatasetName.CIFAR10))
    return np.asarray(x) * factor, y


def _resnet8() -> Path:
    if not RESNET8.is_file():
        pytest.skip("../shared/models, with models of others, is not here")
    return RESNET8


@pytest.mark.nightly
def test_a_trained_resnet8_with_16_6_everywhere(tmp_path: Path) -> None:
    x, y = _cifar10(256)
    found = nr.explain(_resnet8(), data=(x, y), samples=500)
    assert found.found.first.layer == "input_1"  # pixels up to 255 in a type up to 32
    assert found.found.first.reason is Reason.RESULT_WRAPS
    reasons = {layer.layer: layer.reason for layer in found.found.layers}
    assert reasons["dense_softmax"] is Reason.TABLE
    cure = found.found.cure
    assert cure.before.top1_hardware < 0.2
    assert cure.after.predictions_different == 0
    assert cure.after.top1_hardware == cure.after.top1_keras
    assert found.found.holds
    from nonresnet_hls.emulation import Emulator
    from nonresnet_hls.networks import saved

    few = np.asarray(x[:4], np.float64)
    outputs = nets.simulated(saved.load(_resnet8()), found.config, few, tmp_path / "project")
    assert (outputs == Emulator(cure.network)(few)).all()


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["resnet8", "resnet20"])
def test_the_fewest_bits_for_half_a_point_on_the_whole_test_set(name: str) -> None:
    x, y = _cifar10(256) if name == "resnet8" else (None, None)
    if name == "resnet8":
        found = nr.explain(_resnet8(), data=(x, y), max_loss=0.5)
    else:
        if downloads.local(DatasetName.CIFAR10) is None:
            pytest.skip("cifar10 is not on this machine")
        found = nr.explain("resnet20", max_loss=0.5)
    search = found.found.cure.search
    assert search.samples == 10_000
    assert search.kept
    assert search.keras - search.hardware <= 0.005
    assert max(row.weight_bits for row in search.bits if row.weight_bits) <= 10
