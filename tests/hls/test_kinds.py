"""Every kind of layer that is taken, through hls4ml's C++: equal in every value, on test data and at the edges."""

from pathlib import Path

import hls4ml
import numpy as np
import pytest
from tensorflow import keras

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.hls import convert, csim
from nonresnet_hls.hls.simulate import Simulation
from nonresnet_hls.quantization import arithmetic
from nonresnet_hls.quantization.deployment import deployable
from nonresnet_hls.quantization.quantize import finish, quantize
from nonresnet_hls.quantization.quantized import Quantized
from nonresnet_hls.recipe import Backend, Csim, Hls, Quantization
from tests.hls import projects, random_models
from tests.quantization import test_kinds as kinds


@pytest.mark.nightly
@pytest.mark.parametrize("name", kinds.KINDS)
def test_a_kind_is_equal_in_its_c_simulation(name: str, tmp_path: Path) -> None:
    number = list(kinds.KINDS).index(name)
    # Both back ends and other bits take turns.
    bits = (8, 6, 12, 4)[number % 4]
    model, x = kinds.made(name)
    made = finish(quantize(model, Quantization(bits, bits), x))
    made = deployable(made, arithmetic.infer(made, kinds.INPUT))
    own = Quantized(made, kinds.INPUT, x.astype(np.float64), arithmetic.infer(made, kinds.INPUT))
    hls = Hls(backend=list(Backend)[number % 2])
    projects.write(own, hls, tmp_path / "project")
    asked = csim.question(own, Csim(samples=12), "samples")
    with Simulation(tmp_path / "project") as simulation:
        result = csim.compare(simulation, asked, lambda _: None)
    assert result.different == 0
    assert result.values > 0


def test_values_finer_than_any_default_are_equal(tmp_path: Path) -> None:
    """Weights of depthwise convolutions and what pools compare have types of their own, however fine."""
    fine = FixedPointType.parse("fixed<8,-20>")
    x = np.random.default_rng(0).integers(-128, 128, (16, 12, 3)) * float(fine.lsb)
    inputs = keras.Input((12, 3))
    y = keras.layers.DepthwiseConv1D(3, padding="same", bias_initializer="zeros")(inputs)
    y = keras.layers.MaxPooling1D(2)(y)
    model = keras.Model(inputs, keras.layers.GlobalMaxPooling1D()(y))
    model.layers[1].set_weights([np.random.default_rng(1).normal(size=(3, 3, 1)), np.zeros(3)])
    made = finish(quantize(model, Quantization(8, 8), x.astype(np.float32)))
    made = deployable(made, arithmetic.infer(made, fine))
    types = arithmetic.infer(made, fine)
    assert max(layer.output.fraction_bits for layer in types.layers.values()) > 32
    drawn = random_models.Drawn(frozenset(), "", Quantized(made, fine, x, types))
    found = random_models.compared(drawn, 0, tmp_path)
    assert isinstance(found, tuple), found
    values, different = found
    assert (values > 0, different) == (True, 0)
    for header in ("defines.h", "parameters.h"):
        assert "model_default_t" not in (tmp_path / "firmware" / header).read_text()


def test_a_type_that_nobody_set_is_refused(tmp_path: Path) -> None:
    with convert.quiet():
        graph = hls4ml.converters.convert_from_keras_model(
            keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="fc")]),
            hls_config={"Model": {"Precision": "fixed<63,31>", "ReuseFactor": 1}},
            output_dir=str(tmp_path / "project"),
            io_type="io_stream",
        )
    with pytest.raises(ConversionError, match="layer fc: hls4ml has a type there that was not set"):
        convert.write(graph, np.zeros((1, 4)), np.zeros((1, 2)), tmp_path / "project")
