"""hls4ml models end to end: the RTL against the C simulation of the same model."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.rtl import Stalls, generate
from nonresnet_hls.rtl.flow import SimulationFigures, build
from nonresnet_hls.rtl.prediction import predict
from nonresnet_hls.rtl.simulation import compile_simulator
from nonresnet_hls.rtl.sizing import idle_run, least_depths, size_fifos
from tests.rtl.nets import draw, draw_dense, draw_options


@pytest.fixture(scope="module", autouse=True)
def backend() -> None:
    from nonresnet_hls.rtl.plugin import ensure_registered

    ensure_registered()


def agrees(seed: int, directory: Path, images: int = 4) -> None:
    """Build a random network and compare, without and with stalls (`build` raises at the first difference)."""
    rng = np.random.default_rng(seed)
    model = (draw_dense if seed % 4 == 0 else draw)(rng, directory)
    x = rng.uniform(-4, 4, (images, *model.get_input_variables()[0].shape))
    report = build(model, directory, x=x, synth=False, stalls=Stalls(50, seed), options=draw_options(rng))
    assert report.simulation is not None
    assert report.simulation.values_compared > 0
    as_predicted(report.simulation)


def as_predicted(simulation: SimulationFigures) -> None:
    """Every cycle and every level is what the units' contracts say."""
    predicted = simulation.predicted
    for name in ("first_output_cycles", "latency_cycles", "interval_cycles"):
        assert getattr(simulation, name) == getattr(predicted, name), name
    assert {use.stream: use.high_water for use in simulation.fifos} == predicted.high_water


# One of convolutions, one of dense layers.
@pytest.mark.parametrize("seed", [1, pytest.param(4, marks=pytest.mark.nightly)])
def test_random_networks_equal_their_c_simulation(seed: int, tmp_path: Path) -> None:
    agrees(seed, tmp_path / "project")


@pytest.mark.nightly
@settings(derandomize=True, deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))
@given(st.integers(100, 100_000))
def test_fifty_random_networks_equal_their_c_simulation(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    agrees(seed, tmp_path_factory.mktemp("net") / "project", images=50)


def residual_block(directory: Path):
    """A residual block of 2 channels, 1-bit weights and 2-bit activations, on 8x8 pixels."""
    import hls4ml
    import qkeras
    from tensorflow import keras

    x = image = keras.Input((8, 8, 2), name="image")
    types = {"image": {"result": "ufixed<2,2>"}}
    for name in ("c1", "c2"):
        quantizer = qkeras.binary(alpha=1)
        x = qkeras.QConv2D(2, 3, padding="same", use_bias=False, kernel_quantizer=quantizer, name=name)(x)
        types[name] = {"result": "fixed<7,7>", "accum": "fixed<7,7>", "weight": "uint<1>", "bias": "fixed<2,2>"}
        types[f"{name}_linear"] = {"result": "fixed<7,7>"}
        if name == "c2":
            x = keras.layers.Add(name="add")([x, image])
            types["add"] = {"result": "fixed<8,8>"}
        x = qkeras.QActivation(qkeras.quantized_relu(2, 2), name=f"{name}_relu")(x)
        types[f"{name}_relu"] = {"result": "ufixed<2,2,RND_CONV,SAT>"}
    model = keras.Model(image, x)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        layer.set_weights([rng.normal(size=weights.shape) for weights in layer.get_weights()])
    config = {
        "Model": {"Precision": {"default": "fixed<30,15>"}, "ReuseFactor": 1, "Strategy": "Latency"},
        "LayerName": {name: {"Precision": precision} for name, precision in types.items()},
    }
    return hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(directory), backend="OpenRTL", io_type="io_stream"
    )


@pytest.mark.nightly
def test_the_plugin_builds_a_residual_block(tmp_path: Path) -> None:
    project = tmp_path / 'a "quoted" \\folder'
    model = residual_block(project)
    report = model.build(least=True)
    assert report["simulation"]["interval_cycles"] == 81
    # The first output of the second convolution needs two rows and three pixels; the fork holds one of them.
    least = {entry["stream"]: entry["depth"] for entry in report["simulation"]["least_depths"]}
    assert least["image_cpy2"] == 18
    (entry,) = (entry for entry in report["simulation"]["least_depths"] if entry["stream"] == "image_cpy2")
    assert "stream image_cpy2 is full" in entry["deadlock"]
    assert "is empty" in entry["deadlock"]
    parts = report["synthesis"]["parts"]
    totals = {key: sum(part["resources"][key] for part in parts) for key in ("lut", "ff", "bram_18k", "dsp")}
    assert totals == report["synthesis"]["total"]
    assert totals["dsp"] == 0
    assert totals["lut"] > 100
    saved = json.loads((project / "rtl" / "report.json").read_text(encoding="utf-8"))
    assert saved["synthesis"]["total"] == totals
    assert saved["synthesis"]["tools"]["pyosys"]


def test_sized_fifos_cost_no_cycle_and_least_ones_do_not_stop(tmp_path: Path) -> None:
    whole = generate(residual_block(tmp_path / "project"))
    sized = size_fifos(whole).design
    assert predict(sized).interval_cycles == predict(whole).interval_cycles == 81
    simulator = compile_simulator(sized.write(tmp_path / "rtl"), tmp_path / "build")
    first, second, third = idle_run(simulator).image_ends
    assert third - second == second - first == 81
    found = least_depths(simulator)
    assert all(least.depth == least.predicted for least in found)
    tight = {least.stream: least.depth for least in found}
    assert tight["image_cpy2"] > 1
    levels = {use.stream: use.high_water for use in idle_run(simulator, tight).fifos}
    assert levels == predict(sized, limits=tight).high_water
    short = tight | {"image_cpy2": tight["image_cpy2"] - 1}
    assert not predict(sized, limits=short).finished
    run = idle_run(simulator, short)
    assert not run.finished
    assert run.deadlock is not None
    assert len(run.deadlock.circle) > 1


def refused(layer, match: str, tmp_path: Path, precision: str = "fixed<12,6>") -> None:
    import hls4ml
    from tensorflow import keras

    image = keras.Input((4, 4, 2), name="image")
    model = keras.Model(image, layer(image))
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", default_precision=precision)
    with pytest.raises(ConversionError, match=match):
        generate(
            hls4ml.converters.convert_from_keras_model(
                model, hls_config=config, output_dir=str(tmp_path), backend="OpenRTL", io_type="io_stream"
            )
        )


def test_what_is_not_built_is_refused_by_name(tmp_path: Path) -> None:
    from tensorflow import keras

    layers = keras.layers
    refused(layers.Activation("selu", name="bent"), r"layer 'bent': selu is no activation that OpenRTL", tmp_path)
    refused(layers.Permute((2, 1, 3), name="turned"), r"layer 'turned': Transpose is no layer that OpenRTL", tmp_path)
    wraps = r"an accumulator that wraps, or is wide enough for any sum, wanted, not "
    kinds = "fixed<12,6,TRN,SAT_SYM>"
    refused(layers.Conv2D(2, 3, name="odd"), rf"layer 'odd': {wraps}", tmp_path, kinds)
    refused(layers.AveragePooling2D(2, name="odd"), rf"layer 'odd': {wraps}", tmp_path, kinds)


def test_io_parallel_is_refused(tmp_path: Path) -> None:
    import hls4ml
    from tensorflow import keras

    image = keras.Input((4, 4, 2), name="image")
    model = keras.Model(image, keras.layers.ReLU(name="relu")(image))
    with pytest.raises(ConversionError, match="io_type='io_stream' wanted, not 'io_parallel'"):
        hls4ml.converters.convert_from_keras_model(
            model, output_dir=str(tmp_path), backend="OpenRTL", io_type="io_parallel"
        )


def test_what_hls4ml_loses_is_refused_by_name(tmp_path: Path) -> None:
    from tensorflow import keras

    layers = keras.layers
    refused(layers.Conv2D(2, 2, dilation_rate=2, name="wide"), r"layer 'wide': dilation_rate 1 wanted", tmp_path)
    refused(layers.ReLU(6.0, name="clip"), r"layer 'clip': max_value None wanted, not 6\.0", tmp_path)
    refused(layers.MaxPooling2D(3, 1, name="pool"), r"layer 'pool': strides \(3, 3\) as the size of the pool", tmp_path)
    refused(layers.Flatten(name="flat"), r"layer 'flat': OpenRTL builds a flatten before dense layers", tmp_path)
    refused(layers.Reshape((8, 4), name="line"), r"layer 'line': OpenRTL builds a flatten before dense", tmp_path)


@pytest.mark.nightly
def test_repeated_pixels_equal_their_c_simulation(tmp_path: Path) -> None:
    import hls4ml
    from tensorflow import keras

    layers = keras.layers
    image = keras.Input((4, 4, 2), name="image")
    x = layers.UpSampling2D((2, 3), name="larger")(layers.Conv2D(2, 3, name="conv")(image))
    pixel = layers.Reshape((1, 1, 2), name="pixel")(layers.GlobalMaxPooling2D(name="most")(x))
    pixel = layers.UpSampling2D((4, 6), name="filled")(pixel)
    model = keras.Model(image, layers.Multiply(name="both")([x, pixel]))
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", default_precision="fixed<10,5>")
    simulation = build(convert(model, config, tmp_path), tmp_path, synth=False).simulation
    assert simulation is not None
    assert simulation.values_compared > 0
    as_predicted(simulation)


def convert(model, config: dict, directory: Path):
    import hls4ml

    return hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(directory), backend="OpenRTL", io_type="io_stream"
    )


def test_a_flatten_that_no_dense_layer_reads_is_refused_by_name(tmp_path: Path) -> None:
    import hls4ml
    from tensorflow import keras

    layers = keras.layers
    image = keras.Input((4, 4, 2), name="image")
    x = layers.ReLU(name="bent")(layers.Flatten()(layers.Conv2D(2, 3, name="conv")(image)))
    model = keras.Model(image, layers.Dense(2)(x))
    config = hls4ml.utils.config_from_keras_model(model, granularity="name")
    with pytest.raises(ConversionError, match=r"layer 'bent': 1 words of 8 numbers wanted as its input, not 4 of 2"):
        generate(convert(model, config, tmp_path))


def test_pools_that_end_the_process_are_refused_without_a_keras_model(tmp_path: Path) -> None:
    import hls4ml
    from tensorflow import keras

    image = keras.Input((8, 8, 3), name="image")
    model = keras.Model(image, keras.layers.MaxPooling2D(3, 2, name="pool")(image))
    config = hls4ml.utils.config_from_keras_model(model, granularity="name")
    graph = convert(model, config, tmp_path)
    graph.config.config["KerasModel"] = None
    with pytest.raises(
        ConversionError, match=r"layer 'pool': strides \(3, 3\) as the pool's size wanted, not \(2, 2\)"
    ):
        graph.build(synth=False)


def numbers(model, config: dict, directory: Path, x: np.ndarray) -> dict:
    """What the simulation of a dense network says."""
    return convert(model, config, directory).build(synth=False, x=x)["simulation"]


@pytest.mark.nightly
def test_numbers_of_more_bits_than_a_double_are_equal_in_every_bit(tmp_path: Path) -> None:
    import hls4ml
    from tensorflow import keras

    line = keras.Input((4,), name="line")
    model = keras.Model(line, keras.layers.Dense(3)(keras.layers.Dense(4)(keras.layers.Dense(4)(line))))
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vivado")
    graph = convert(model, config, tmp_path)
    assert graph.get_output_variables()[0].type.precision.width > 64
    found = graph.build(synth=False, x=np.random.default_rng(0).uniform(-30, 30, (8, 4)))["simulation"]
    assert found["values_compared"] == 2 * 8 * 3
    assert found["keras"]["values"] == 8 * 3
    assert found["keras"]["rms_difference"] < 0.1 * found["keras"]["rms"]
    assert graph.build(synth=False)["simulation"]["values_compared"] == 2 * 4 * 3  # mantissas of our own


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore:.product. is deprecated:DeprecationWarning")  # hls4ml writes such scales with it
def test_scales_that_are_powers_of_two_are_built(tmp_path: Path) -> None:
    import hls4ml
    import qkeras
    from tensorflow import keras

    image = keras.Input((6, 6, 2), name="image")
    quantizers = {
        "kernel_quantizer": qkeras.quantized_bits(4, 0, alpha="auto_po2"),
        "bias_quantizer": qkeras.quantized_bits(4, 0, alpha=1),
    }
    conv = qkeras.QConv2D(4, 3, name="conv", **quantizers)
    model = keras.Model(image, qkeras.QActivation(qkeras.quantized_relu(6, 3))(conv(image)))
    rng = np.random.default_rng(0)
    conv.set_weights([rng.normal(0, [0.02, 0.3, 2.0, 9.0], (3, 3, 2, 4)), rng.normal(0, 0.3, 4)])
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vivado")
    found = numbers(model, config, tmp_path, rng.integers(0, 16, (6, 6, 6, 2)) / 16)
    assert found["values_compared"] == 2 * 6 * 4 * 4 * 4
