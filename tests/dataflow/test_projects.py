"""Whole designs: analysis of models and projects, depths written into them, proofs, the command line."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

from nonresnet_hls import dataflow
from nonresnet_hls.cli import main
from nonresnet_hls.errors import ConversionError
from tests.dataflow.nets import convert, resnet


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A hls4ml model with two skips, one behind a projection, and its project."""
    return convert(resnet(), tmp_path_factory.mktemp("resnet") / "project", "Vitis", "Resource")


@pytest.fixture(scope="module")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same with one skip and smaller images, of which a proof is compiled sooner."""
    return convert(resnet(4, 2, 1), tmp_path_factory.mktemp("small") / "project", "Vitis", "Resource")


@pytest.fixture
def project(model: Any, tmp_path: Path) -> Path:
    """A copy of the project that a test may change."""
    return Path(shutil.copytree(model.config.get_output_dir(), tmp_path / "project"))


@pytest.fixture(params=["small_model", pytest.param("model", marks=pytest.mark.nightly)])
def proved(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a project for a proof."""
    made = request.getfixturevalue(request.param)
    return Path(shutil.copytree(made.config.get_output_dir(), tmp_path / "project"))


def test_a_model_and_its_project_are_the_same_design(model: Any, project: Path) -> None:
    before = sorted(Path(model.config.get_output_dir()).rglob("*"))
    from_model, from_project = dataflow.analyse(model), dataflow.analyse_project(project)
    assert from_model.streams == from_project.streams
    assert [p.name for p in from_model.processes] == [p.name for p in from_project.processes]
    assert (from_model.part, from_model.clock_ns) == (from_project.part, from_project.clock_ns)
    assert sorted(Path(model.config.get_output_dir()).rglob("*")) == before


def test_skips_are_the_shorter_branches(project: Path) -> None:
    flow = dataflow.analyse_project(project)
    skips = [stream for stream in flow.internal if stream.on_skip]
    assert [(s.source, s.sink) for s in skips] == [
        ("clone_q_activation", "add"),
        ("clone_q_activation_2", "q_conv2d_3"),
        ("q_conv2d_3", "add_1"),
    ]


def test_streams_beside_an_unknown_layer_keep_their_depth(project: Path) -> None:
    path = project / "firmware" / "myproject.cpp"
    text = path.read_text()
    assert text.count("nnet::relu<") == 5
    path.write_text(text.replace("nnet::relu<", "nnet::swish<", 1))
    flow = dataflow.analyse_project(project)
    assert flow.unknown_layers == ("q_activation (swish)",)
    depths = dataflow.size_fifos(flow)
    (process,) = [p for p in flow.processes if not p.known]
    for name in process.streams:
        assert depths.sized[name] == depths.least[name] == flow.streams[name].depth
    assert dataflow.fifo_report(flow, depths).after.bits < dataflow.fifo_report(flow, depths).before.bits


def test_depths_written_into_a_project_are_read_back_and_stay(project: Path) -> None:
    flow = dataflow.analyse_project(project)
    depths = dataflow.size_fifos(flow)
    path = dataflow.write_depths(project, flow, depths.sized)
    text = path.read_text()
    assert dataflow.analyse_project(project).depths() == depths.sized
    # One of the skips' FIFOs is too deep for shift registers, wide shallow ones are bound to them.
    assert text.count("BIND_STORAGE") > 0
    dataflow.write_depths(project, flow, depths.sized)
    assert path.read_text() == text
    assert dataflow.whole_tensors(dataflow.analyse_project(project)).depths() == depths.tensor
    assert not list(path.parent.glob("*.partial"))


def test_depths_set_in_a_model_are_written_by_hls4ml(tmp_path: Path) -> None:
    model = convert(resnet(blocks=1), tmp_path / "project", "Vivado")
    flow = dataflow.analyse(model)
    depths = dataflow.size_fifos(flow)
    dataflow.set_depths(model, flow, depths.sized)
    assert dataflow.analyse(model).depths() == depths.sized


def test_a_stream_without_a_pragma_cannot_be_written(project: Path) -> None:
    flow = dataflow.analyse_project(project)
    path = project / "firmware" / "myproject.cpp"
    path.write_text(path.read_text().replace("#pragma HLS STREAM variable=layer4_out", "//"))
    with pytest.raises(ConversionError, match=r"myproject\.cpp: a STREAM pragma of layer4_out wanted"):
        dataflow.write_depths(project, flow, {"layer4_out": 2})


def test_the_command_proves_writes_and_prints(proved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fifos", str(proved), "--prove", "--trust", "--write", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    proof = printed["proof"]
    assert proof["holds"] is True
    assert proof["sized"]["equal_values"] == proof["sized"]["values"] > 0
    assert [one["stream"] for one in proof["shorter"] if one["deadlock"] is None] == []
    assert {row["stream"] for row in printed["rows"] if row["depth_least"] > 1} == {
        one["stream"] for one in proof["shorter"]
    }
    sized = {row["stream"]: row["depth_after"] for row in printed["rows"]}
    assert dataflow.analyse_project(proved).depths() == sized
    assert main(["fifos", str(proved)]) == 0
    assert "cycles per image (modelled)" in capsys.readouterr().out


def test_a_directory_that_we_sized_stands_beside_whole_tensors(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def before(design: str) -> Any:
        assert main(["fifos", design, "--json"]) == 0
        return json.loads(capsys.readouterr().out)["before"]

    whole = before("tiny")
    assert main(["convert", "tiny", "--fifos", "sized"]) == 0
    capsys.readouterr()
    assert before("tiny") == before("hls_projects/tiny") == whole
    # Edited by hand, it is whatever it is now.
    with (tiny / "hls_projects" / "tiny" / "firmware" / "myproject.cpp").open("a") as stream:
        stream.write("// mine\n")
    assert before("hls_projects/tiny")["bits"] < whole["bits"]


@pytest.mark.parametrize("design", ["tiny", "models/tiny-net.keras", "hls_projects/tiny"])
def test_depths_are_not_written_into_what_a_recipe_owns(
    design: str, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fifos", design, "--write"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"nonresnet-hls: {design}: --write wants a project directory that hls4ml wrote; ")
    assert main(["csim", "tiny"]) == 0


def test_the_command_takes_a_model_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # QKeras and Keras warn of each other
        resnet(blocks=1).save(tmp_path / "mine.h5")
        assert main(["fifos", str(tmp_path / "mine.h5"), "--backend", "vitis", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["toolchain"] == "Vitis"
    assert [row["sink"] for row in printed["rows"] if row["on_skip"]] == ["add"]
    assert main(["fifos", str(tmp_path / "mine.h5"), "--reuse-factor", "0"]) == 2
    assert "--reuse-factor: a positive integer wanted" in capsys.readouterr().err


RECIPE = """
[architecture]
family = "resnet"
skips = "residual"
filters = [4]
blocks_per_group = 1

[dataset]
name = "digits"

[training]
on_demand = false

[quantization]
epochs = 0

[hls]
backend = "vitis"
"""


def test_a_recipe_is_converted_with_sized_fifos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text(RECIPE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # QKeras and Keras warn of each other
        assert main(["convert", str(recipe), "--workspace", str(tmp_path), "--fifos", "sized", "--json"]) == 0
    (converted,) = json.loads(capsys.readouterr().out)
    project = Path(converted["project"])
    flow = dataflow.analyse_project(project)
    sized = dataflow.size_fifos(dataflow.whole_tensors(flow)).sized
    assert flow.depths() == sized
    assert converted["fifos"]["after"]["bits"] == sum(s.bits * sized[s.name] for s in flow.internal)
    assert json.loads((project / "fifo_depths.json").read_text())["before"] == converted["fifos"]["before"]
    # The design of a recipe is sized from whole tensors, also where its project is sized already.
    recipe.write_text(RECIPE + 'fifo_depths = "sized"\n')
    assert main(["fifos", str(recipe), "--workspace", str(tmp_path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["stream"]: row["depth_after"] for row in rows} == sized
    assert all(row["depth_before"] == flow.streams[row["stream"]].tokens for row in rows)


def test_what_cannot_be_read_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fifos", str(tmp_path)]) == 2
    assert "hls4ml_config.yml" in capsys.readouterr().err
    (tmp_path / "hls4ml_config.yml").write_text("Backend: Vivado\n")
    assert main(["fifos", str(tmp_path)]) == 2
    assert "key 'ProjectName' wanted" in capsys.readouterr().err
    (tmp_path / "hls4ml_config.yml").write_text("ProjectName: [\n")
    assert main(["fifos", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "YAML wanted" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("file", "old", "new", "wanted"),
    [
        (
            "hls4ml_config.yml",
            "Backend: Vitis",
            "Backend: Vitis\nExtra: 2024-99-99",
            r"hls4ml_config\.yml: YAML wanted",
        ),
        ("firmware/parameters.h", "in_height = ", "in_height = -", r"layer \w+: nnet::\w+ with the streams and sizes"),
        ("firmware/myproject.cpp", "(layer4_out, ", "(", r"layer \w+: nnet::clone_stream with the streams and sizes"),
    ],
)
def test_what_hls4ml_does_not_write_is_refused_by_layer(
    file: str, old: str, new: str, wanted: str, project: Path
) -> None:
    path = project / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ConversionError, match=wanted) as error:
        dataflow.analyse_project(project)
    assert "\n" not in str(error.value)


def test_a_project_of_another_backend_is_refused(project: Path) -> None:
    config = project / "hls4ml_config.yml"
    config.write_text(config.read_text().replace("Backend: Vitis", "Backend: Quartus"))
    with pytest.raises(ConversionError, match="backend Vivado or Vitis wanted, not 'Quartus'"):
        dataflow.analyse_project(project)


@pytest.mark.parametrize(("key", "value"), [("Backend", "Catapult"), ("Backend", "Quartus"), ("IOType", "io_parallel")])
def test_other_cpp_is_refused_by_what_made_it(
    key: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their C++ has no `hls::stream` arguments; what is wanted is another back end, or io_stream."""
    settings = {"Backend": "Vivado", "IOType": "io_stream", "ProjectName": "myproject"} | {key: value}
    (tmp_path / "hls4ml_config.yml").write_text("".join(f"{name}: {text}\n" for name, text in settings.items()))
    firmware = tmp_path / "firmware"
    firmware.mkdir()
    (firmware / "myproject.cpp").write_text("void myproject(ac_channel<input_t> &x, ac_channel<result_t> &y) {}\n")
    for name in ("defines.h", "parameters.h"):
        (firmware / name).write_text("")
    assert main(["fifos", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"not {value!r}" in line
    assert "hls4ml_config.yml" in line


def recurrent(*before: Any) -> Any:
    from tensorflow import keras

    layers = keras.layers
    return keras.Sequential([keras.Input((4, 3), name="line"), *before, layers.LSTM(5, name="memory"), layers.Dense(2)])


def test_cycles_without_those_of_a_layer_are_a_lower_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # QKeras and Keras warn of each other
        recurrent().save(tmp_path / "lstm.h5")
        assert main(["fifos", str(tmp_path / "lstm.h5")]) == 0
        printed = capsys.readouterr().out
        assert "at least 4 cycles per image (modelled), set by dense" in printed
        assert "no model of memory (lstm_stack): its cycles are not counted" in printed
        assert main(["fifos", str(tmp_path / "lstm.h5"), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["interval_is_lower_bound"] is True
        assert main(["fifos", str(tmp_path / "lstm.h5"), "--prove"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("nonresnet-hls: ")]
    assert "no proof: cannot run memory (lstm_stack), of which there is no model" in line


# (That there is no proof where something cannot run is said in the test before, every day.)
@pytest.mark.nightly
def test_a_proof_says_what_it_left_alone_and_what_it_could_not_run(
    proved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = proved / "firmware" / "myproject.cpp"
    text = path.read_text()
    kernels = proved / "firmware" / "nnet_utils" / "nnet_activation_stream.h"
    path.write_text(text.replace("nnet::relu<", "nnet::rectify<", 1))
    assert main(["fifos", str(proved), "--prove", "--trust"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("nonresnet-hls: ")]
    assert "no proof: cannot run q_activation (rectify), of which there is no model: g++" in line
    own = (
        "namespace nnet { template <class A, class B, class C> void rectify(hls::stream<A> &x, hls::stream<B> &y)"
        " { relu<A, B, C>(x, y); } }\n#endif"
    )
    kernels.write_text(own.join(kernels.read_text().rsplit("#endif", 1)))
    assert main(["fifos", str(proved), "--prove", "--trust", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert len(printed["proof"]["not_tried"]) == 2
    assert printed["proof"]["holds"] is True
    assert printed["interval_is_lower_bound"] is True


@pytest.mark.parametrize("kind", ["called twice", "open"])
def test_a_model_of_which_hls4ml_would_make_another_is_refused(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tensorflow import keras

    image = keras.Input((None, None, 4) if kind == "open" else (8, 8, 4), name="image")
    conv = keras.layers.Conv2D(4, 3, padding="same", name="conv")
    keras.Model(image, conv(image) if kind == "open" else conv(conv(image))).save(tmp_path / "model.keras")
    assert main(["fifos", str(tmp_path / "model.keras")]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("nonresnet-hls: ")]
    wanted = {
        "called twice": "layer 'conv': one call wanted, not 2",
        "open": "layer 'image': input of a fixed size wanted",
    }
    assert wanted[kind] in line


def test_a_model_inside_a_model_is_sized_as_if_it_were_flat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tensorflow import keras

    def blocks(flat: bool) -> Any:
        image = keras.Input((6, 6, 2), name="image")
        own = image if flat else keras.Input((6, 6, 2), name="own")
        x = keras.layers.Conv2D(2, 3, padding="same", name="conv")(own)
        x = keras.layers.Add(name="add")([x, own])
        return keras.Model(image, x if flat else keras.Model(own, x, name="block")(image))

    figures = []
    for flat in (True, False):
        blocks(flat).save(tmp_path / f"{flat}.keras")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # QKeras and Keras warn of each other
            assert main(["fifos", str(tmp_path / f"{flat}.keras"), "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)["rows"]
        assert len(rows) > 3
        figures.append([(row["source"], row["sink"], row["depth_least"], row["depth_after"]) for row in rows])
    assert sorted(figures[0]) == sorted(figures[1])


def test_depths_are_set_where_layers_were_replaced(tmp_path: Path) -> None:
    import tensorflow as tf

    layers = tf.keras.layers
    image = tf.keras.Input((4, 4, 2), name="image")
    x = layers.Reshape((16, 2))(layers.Conv2D(2, 3, padding="same")(image))
    model = convert(tf.keras.Model(image, layers.Flatten()(layers.Conv1D(2, 3)(x))), tmp_path / "project", "Vivado")
    flow = dataflow.analyse(model)
    depths = dict.fromkeys(flow.depths(), 3)
    dataflow.set_depths(model, flow, depths)
    assert dataflow.analyse(model).depths() == depths


def test_objects_in_the_yaml_are_not_built(project: Path) -> None:
    config = project / "hls4ml_config.yml"
    config.write_text(config.read_text() + "Extra: !!python/object/apply:os.system ['false']\n")
    assert dataflow.analyse_project(project).name == "myproject"
