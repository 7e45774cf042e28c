"""A network that others trained, on all kinds of pixels: the hardware's top-1 is the float network's."""

import json
from pathlib import Path

import numpy as np
import pytest

from nonresnet_hls.cli import main
from nonresnet_hls.networks import saved
from nonresnet_hls.recipe import Dataset, DatasetName
from nonresnet_hls.training import datasets, downloads

MODEL = Path(__file__).parents[2] / ".." / "shared" / "models" / "mlperf_resnet8.h5"
RECIPE = """
[architecture]
family = "keras"
file = "net.keras"
[training]
epochs = 0
[dataset]
name = "npz"
file = "pixels.npz"
input_type = "{}"
[quantization]
epochs = 0
"""


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("divisor", "input_type"), [(1, "ufixed<8,8>"), (255, "ufixed<8,0>"), (256, "ufixed<8,0>")], ids=["1", "255", "256"]
)
def test_mlperfs_resnet8_keeps_its_top1_at_8_bits(
    divisor: int, input_type: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not MODEL.is_file():
        pytest.skip("../shared/models, with models of others, is not here")
    if downloads.local(DatasetName.CIFAR10) is None:
        pytest.skip("cifar10 is not on this machine")
    monkeypatch.chdir(tmp_path)
    data = datasets.load(Dataset(DatasetName.CIFAR10))
    pixels = [np.rint(256 * x).astype(np.float32) for x in (data.x_train[:512], data.x_test[:1000])]
    assert {one.max() for one in pixels} == {255.0}
    x_train, x_test = (one / np.float32(divisor) for one in pixels)
    np.savez("pixels.npz", x_train=x_train, y_train=data.y_train[:512], x_test=x_test, y_test=data.y_test[:1000])
    model = saved.load(MODEL)  # trained on pixels from 0 to 255
    first = next(layer for layer in model.layers if layer.weights)
    kernel, *others = first.get_weights()
    first.set_weights([kernel * divisor, *others])
    saved.save(model, Path("net.keras"))
    Path("net.toml").write_text(RECIPE.format(input_type))
    assert main(["quantize", "net.toml", "--json"]) == 0
    (quantized,) = json.loads(capsys.readouterr().out)
    assert main(["emulate", "net.toml", "--json"]) == 0
    hardware = json.loads(capsys.readouterr().out)
    assert (hardware["samples"], hardware["different"]) == (1000, 0)
    assert hardware["top1"] == quantized["top1_quantized"]
    assert hardware["top1"] >= 0.87
    assert abs(hardware["top1"] - quantized["top1_float"]) <= 0.01
