"""Every activation, over every number of its input's type, as hls4ml's C++ computes it."""

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nonresnet_hls.emulation import Emulator
from tests.emulation.nets import c_simulation

TYPES = {
    "wide tables": ("fixed<10,4>", "fixed<24,6,RND_CONV,SAT>", "fixed<26,6>"),
    "as by default": ("fixed<10,6>", "fixed<18,8>", "fixed<16,6>"),
    "narrow": ("fixed<8,2>", "fixed<7,2,TRN_ZERO,SAT_SYM>", "ufixed<6,1,RND_INF,SAT_ZERO>"),
}
NAMES = ("sigmoid", "tanh", "softplus", "softsign", "elu", "selu", "hard_sigmoid", "linear", "relu")


def _model(part: int) -> Any:
    """A third of the activations, each of the input and an output: hls4ml copies a tensor seven times at most."""
    from tensorflow import keras

    layers = keras.layers
    x = keras.Input((16,), name="data")
    prelu = layers.PReLU(name="a_prelu")
    made = [layers.Activation(name, name=f"a_{name}") for name in NAMES if name != "elu"]
    made += [layers.ELU(0.7, name="a_elu"), layers.LeakyReLU(0.3, name="a_leaky"), prelu]
    made += [layers.ThresholdedReLU(0.4, name="a_threshold"), layers.ReLU(6.0, name="a_relu6")]
    made += [layers.Activation("softmax", name="a_softmax")]
    outputs = [layer(x) for layer in made[part::3]]
    if prelu.built:
        prelu.set_weights([np.random.default_rng(0).normal(0, 1, 16)])
    return keras.Model(x, outputs)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("types", TYPES)
@pytest.mark.parametrize("implementation", ["stable", "latency", "legacy", "argmax"])
@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_every_activation_is_that_of_the_cpp(
    tmp_path: Path, io_type: str, implementation: str, types: str, part: int
) -> None:
    import hls4ml

    data, table, result = TYPES[types]
    if implementation != "stable" and part != 1:
        return  # the softmax is in the second part
    model = _model(part)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vivado")
        for name, settings in config["LayerName"].items():
            precision = settings["Precision"]
            for key in precision:
                precision[key] = table if "table" in key else result
            if name == "data":
                precision["result"] = data
            if "softmax" in name:
                settings["Implementation"] = implementation
                settings["TableSize"] = 64 if types == "narrow" else 1024
        graph = hls4ml.converters.convert_from_keras_model(
            model, hls_config=config, output_dir=str(tmp_path), io_type=io_type, backend="Vivado"
        )
    variable = graph.get_input_variables()[0].type.precision
    low, high = -(1 << (variable.width - 1)), (1 << (variable.width - 1)) - 1
    every = np.arange(low, high + 1)
    inputs = np.ldexp(np.resize(every, (-(-len(every) // 16), 16)).astype(np.float64), -int(variable.fractional))
    inputs = np.concatenate([inputs, np.random.default_rng(0).permuted(inputs.ravel()).reshape(-1, 16)])
    found, wanted = Emulator(graph)(inputs), c_simulation(graph, tmp_path, inputs)
    names = [variable.name for variable in graph.get_output_variables()]
    different = {name: int((one != two).sum()) for name, one, two in zip(names, found, wanted, strict=True)}
    assert not any(different.values()), different
