"""Conversion: every layer kind bit for bit, and what cannot be is refused by name."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from tensorflow import keras

from nonresnet_hls.errors import ConversionError, NonResNetError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.hls import convert, reuse
from nonresnet_hls.recipe import Backend, Hls, Strategy
from tests.hls import projects
from tests.quantization import nets

REFUSED = (
    "depthwise multiplier 2",
    "reshape that splits pixels",
    "up-sampling bilinear",
    "max pool same with a rest",
    "max pool 3 stride 2",
    "average pool stride 1",
    "average flattened",
)
_VIVADO = Hls(reuse_factor=4)
_VITIS = Hls(reuse_factor=4, backend=Backend.VITIS, strategy=Strategy.RESOURCE)


def _equal(body: nets.Tensors, hls: Hls, directory: Path, own: FixedPointType = nets.SIGNED) -> None:
    result = projects.simulate(projects.quantized(nets.model(body, (8, 8, 3)), own), hls, directory)
    assert result.equal, result
    assert result.different == 0
    assert result.values == 2 * sum(one.values for one in result.input_sets)
    assert [one.inputs for one in result.input_sets] == [
        "random samples", "all minimum", "all maximum", "random extremes", "random"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "hls"),
    [
        pytest.param(nets.nets()["W5A4"], _VIVADO, id="W5A4 vivado latency", marks=pytest.mark.nightly),
        pytest.param(nets.nets()["W5A6"], _VITIS, id="W5A6 vitis resource", marks=pytest.mark.nightly),
        pytest.param(nets.nets()["W1A2"], _VIVADO, id="W1A2 vivado latency", marks=pytest.mark.nightly),
        pytest.param(nets.one_bit_block, _VIVADO, id="W1A2 block vivado latency"),
        pytest.param(nets.nets()["W16A16"], _VITIS, id="W16A16 vitis resource"),
    ],
)
def test_projects_equal_keras(body: nets.Tensors, hls: Hls, tmp_path: Path) -> None:
    _equal(body, hls, tmp_path / "project")


@pytest.mark.nightly
@pytest.mark.parametrize("own", [nets.SIGNED, nets.UNSIGNED], ids=str)
@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("backend", Backend)
@pytest.mark.parametrize("net", nets.nets())
def test_all_projects_equal_keras(
    net: str, backend: Backend, strategy: Strategy, own: FixedPointType, tmp_path: Path
) -> None:
    hls = Hls(backend=backend, strategy=strategy, reuse_factor=9)
    _equal(nets.nets()[net], hls, tmp_path / "project", own)


@pytest.mark.nightly
@pytest.mark.parametrize("name", nets.bodies())
def test_each_layer_kind_equals_keras_or_is_refused_by_name(name: str, tmp_path: Path) -> None:
    model = nets.model(nets.bodies()[name])
    if name in REFUSED:
        with pytest.raises(NonResNetError, match=r"^layer \w+: "):
            projects.simulate(projects.quantized(model, nets.SIGNED), _VIVADO, tmp_path / "project")
    else:
        result = projects.simulate(projects.quantized(model, nets.SIGNED), _VIVADO, tmp_path / "project")
        assert result.equal, result


@pytest.mark.parametrize("backend", Backend)
def test_the_project_says_what_the_recipe_says(backend: Backend, tmp_path: Path) -> None:
    hls = Hls(backend=backend, part="xcvu9p-flga2104-2L-e", clock_ns=3.5, reuse_factor=2)
    made = projects.quantized(nets.model(nets.bodies()["conv valid"]), nets.UNSIGNED)
    folder = tmp_path / "new"
    final = tmp_path / "final"
    graph = convert.to_model_graph(made.model, made.arithmetic, reuse.resolve(made.arithmetic, hls), hls, folder)
    convert.write(graph, made.samples, made.samples, final)
    script = (folder / "project.tcl").read_text()
    assert 'set part "xcvu9p-flga2104-2L-e"' in script
    assert "set clock_period 3.5" in script
    assert f'set backend "{backend}"' in script
    config = (folder / "hls4ml_config.yml").read_text()
    assert str(folder) not in config
    assert str(final) in config
    assert "io_stream" in config
    defines = (folder / "firmware" / "defines.h").read_text()
    assert "63,31" not in defines  # the type that says that nobody set one
    assert len((folder / "tb_data" / "tb_input_features.dat").read_text().splitlines()) == len(made.samples)
    for file in folder.rglob("*"):
        assert file.suffix in (".dat", ".keras", ".yml") or not file.is_file() or str(tmp_path) not in (
            file.read_text(errors="replace")
        )  # fmt: skip


def test_equal_designs_make_equal_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """hls4ml names its library by chance, and a name that is a number too stands in quotes in its configuration."""
    made = projects.quantized(nets.model(nets.bodies()["conv valid"]), nets.UNSIGNED)
    found = []
    for chance in ("12345678", "123e4567", "abcdef01"):
        monkeypatch.setattr("uuid.uuid4", lambda chance=chance: chance)
        folder = tmp_path / "new"
        factors = reuse.resolve(made.arithmetic, Hls())
        graph = convert.to_model_graph(made.model, made.arithmetic, factors, Hls(), folder)
        convert.write(graph, made.samples, made.samples, tmp_path / "final")
        found.append({path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
        shutil.rmtree(folder)
    assert found[0] == found[1] == found[2]


def test_rows_are_written_with_all_digits(tmp_path: Path) -> None:
    import numpy as np

    values = np.array([[1 / 3, 2.0**-50], [1e17 + 16, -0.1]])
    convert.write_rows(tmp_path / "rows", values)
    assert np.loadtxt(tmp_path / "rows").tolist() == values.tolist()


def test_streams_and_weights_are_told(tmp_path: Path) -> None:
    body = nets.chain(nets.conv(4, 1, bits=1, bias=False), nets.batch_norm(), nets.relu(2, 2), nets.conv(2, 1, bits=5))
    made = projects.quantized(nets.model(body, (4, 4, 3)), nets.UNSIGNED)
    graph = convert.to_model_graph(
        made.model, made.arithmetic, reuse.resolve(made.arithmetic, _VIVADO), _VIVADO, tmp_path
    )
    found = convert.figures(graph, made.arithmetic)
    norm = next(layer for layer in made.arithmetic.layers.values() if layer.node.kind == "BatchNormalization")
    assert norm.kernel is not None
    assert norm.bias is not None
    scales = 4 * (norm.kernel.type.width + norm.bias.type.width)
    assert found["weight_bits"] == 12 * 1 + scales + 8 * 5 + 2 * 8
    assert found["multiplications_per_image"] == 16 * (12 + 4 + 8)
    assert [(s["depth"], s["channels"]) for s in found["streams"]] == [(16, 4)] * 3
    assert found["streams"][-1]["bits"] == 2


def _named(name: str) -> Any:
    x = keras.Input((4, 4, 2), name=name)
    return nets.finish(keras.Model(x, nets.relu()(x)))


@pytest.mark.parametrize(
    "name",
    ["input", "a-b", "a/b", "1a", "a b", 'a"b', "int", "float", "class", "template", "nnet", "hls", "std", "main",
     "myproject", "layer2_out", "w2", "b2", "config2", "input_t", "result_t", "ap_fixed"],
)  # fmt: skip
def test_names_that_cannot_stand_in_the_cpp_are_refused(name: str, tmp_path: Path) -> None:
    made = projects.quantized(_named(name), nets.UNSIGNED)
    with pytest.raises(ConversionError) as error:
        convert.to_model_graph(made.model, made.arithmetic, {}, _VIVADO, tmp_path)
    assert str(error.value).startswith(f"layer {name!r}: a C++ identifier ")
    assert "rename the layer" in str(error.value)


@pytest.mark.parametrize("name", ["max pool 3 stride 2", "average pool stride 1"])
def test_overlapping_pools_are_refused_by_layer(name: str, tmp_path: Path) -> None:
    made = projects.quantized(nets.model(nets.bodies()[name]), nets.UNSIGNED)
    with pytest.raises(ConversionError, match=r"^layer (max|average)_pooling2d\S*: strides \(\d, \d\) as the size"):
        convert.to_model_graph(made.model, made.arithmetic, {}, _VIVADO, tmp_path)


def test_a_reshape_that_splits_pixels_is_refused_by_layer(tmp_path: Path) -> None:
    made = projects.quantized(nets.model(nets.bodies()["reshape that splits pixels"]), nets.UNSIGNED)
    with pytest.raises(ConversionError, match=r"^layer reshape\S*: a multiple or divisor of the 3 channels .* not 2$"):
        convert.to_model_graph(made.model, made.arithmetic, {}, _VIVADO, tmp_path)


def test_what_reads_a_row_of_pixels_as_one_is_refused_by_layer(tmp_path: Path) -> None:
    made = projects.quantized(nets.model(nets.bodies()["average flattened"]), nets.UNSIGNED)
    with pytest.raises(ConversionError, match=r"^layer q_activation\S*: before the Flatten wanted, not behind it; "):
        convert.to_model_graph(made.model, made.arithmetic, {}, _VIVADO, tmp_path)


def test_a_depth_multiplier_is_refused_by_layer(tmp_path: Path) -> None:
    made = projects.quantized(nets.model(nets.bodies()["depthwise multiplier 2"]), nets.UNSIGNED)
    with pytest.raises(ConversionError, match=r"^layer q_depthwise_conv2d\S*: depth_multiplier 1 wanted, not 2$"):
        convert.to_model_graph(made.model, made.arithmetic, {}, _VIVADO, tmp_path)


def test_what_hls4ml_raises_becomes_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hls4ml

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("first line\nsecond line")

    made = projects.quantized(nets.model(nets.bodies()["conv valid"]), nets.UNSIGNED)
    monkeypatch.setattr(hls4ml.converters, "convert_from_keras_model", fail)
    with pytest.raises(ConversionError, match=r"^model small: hls4ml cannot take it: first line") as error:
        convert.to_model_graph(made.model, made.arithmetic, {}, _VIVADO, tmp_path)
    assert not re.search(r"\n", str(error.value))


def test_streams_are_those_of_the_layers_that_are_there(tmp_path: Path) -> None:
    """A reshape becomes another layer, of which hls4ml's list of outputs keeps the first."""
    import hls4ml

    layers = keras.layers
    image = keras.Input((4, 4, 2), name="image")
    x = layers.Conv2D(2, 3, padding="same", name="conv")(image)
    x = layers.Conv1D(2, 3, name="line")(layers.Reshape((16, 2), name="reshape")(x))
    model = keras.Model(image, layers.Flatten(name="last")(x))
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vivado")
    graph = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(tmp_path / "project"), backend="Vivado", io_type="io_stream"
    )
    found = convert.streams(graph)
    variables = {variable.name: variable for node in graph.get_layers() for variable in node.get_variables()}
    ends = {variable.name for variable in (*graph.get_input_variables(), *graph.get_output_variables())}
    assert {stream.name for stream in found} == variables.keys() - ends
    assert [stream.channels for stream in found if stream.name == "layer2_out"] == [2]
