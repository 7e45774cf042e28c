"""Activations of hls4ml, each as the open engine builds it, beside the C simulation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.rtl import generate
from nonresnet_hls.rtl.flow import build

NARROW = ("sigmoid", "tanh", "softplus", "softsign", "elu")
WIDE = ("sigmoid", "tanh", "leaky_relu", "hard_sigmoid", "thresholded_relu")


def _layer(function: str) -> Any:
    from tensorflow import keras

    layers = keras.layers
    own = {
        "leaky_relu": lambda: layers.LeakyReLU(0.3, name="leaky_relu"),
        "elu": lambda: layers.ELU(0.75, name="elu"),
        "thresholded_relu": lambda: layers.ThresholdedReLU(0.7, name="thresholded_relu"),
    }
    return own[function]() if function in own else layers.Activation(function, name=function)


def _model(functions: tuple[str, ...], kind: str, directory: Path) -> Any:
    """All functions of one input, their results side by side."""
    import hls4ml
    from tensorflow import keras

    image = keras.Input((4, 4, 2), name="image")
    parts = [_layer(function)(image) for function in functions]
    joined = parts[0]
    for number, part in enumerate(parts[1:]):
        joined = keras.layers.Concatenate(name=f"joined{number}")([joined, part])
    model = keras.Model(image, joined)
    result = {"Precision": {"result": "fixed<12,5,RND,SAT>", "param": "fixed<7,2>"}}
    config: dict[str, Any] = {
        "Model": {"Precision": {"default": "fixed<12,5,RND,SAT>"}, "ReuseFactor": 1, "Strategy": "Latency"},
        "LayerName": {
            "image": {"Precision": {"result": kind}},
            **{function: {**result, "table_t": "fixed<11,4,RND>", "TableSize": 256} for function in functions},
        },
    }
    return hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(directory), backend="OpenRTL", io_type="io_stream"
    )


@pytest.mark.nightly
@pytest.mark.parametrize(("functions", "kind"), [(NARROW, "fixed<9,4>"), (WIDE, "fixed<24,9>")], ids=["narrow", "wide"])
def test_every_value_is_that_of_the_c_simulation(functions: tuple[str, ...], kind: str, tmp_path: Path) -> None:
    from nonresnet_hls.rtl.plugin import ensure_registered

    ensure_registered()
    model = _model(functions, kind, tmp_path / "project")
    rng = np.random.default_rng(0)
    # All over the type, and near 0, where the functions bend.
    x = np.concatenate([rng.uniform(-16, 16, (20, 4, 4, 2)), rng.normal(0, 1, (20, 4, 4, 2))])
    report = build(model, tmp_path / "project", x=x, synth=False)
    assert report.simulation is not None
    assert report.simulation.values_compared > 0


@pytest.mark.parametrize(
    ("function", "kind", "wanted"),
    [
        ("elu", "fixed<24,9>", "layer 'elu': numbers of at most 14 bits wanted, not of 24, to look them up in a table"),
        ("selu", "fixed<9,4>", "layer 'selu': selu is no activation that OpenRTL builds (linear, relu, "),
    ],
)
def test_what_is_not_built_is_refused_by_its_own_kind_first(
    function: str, kind: str, wanted: str, tmp_path: Path
) -> None:
    from nonresnet_hls.rtl.plugin import ensure_registered

    ensure_registered()
    with pytest.raises(ConversionError) as error:
        generate(_model((function,), kind, tmp_path / "project"))
    assert str(error.value).startswith(wanted)
