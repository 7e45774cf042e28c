"""The product from Python: a function for each subcommand, and results that show themselves."""

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest

import nonresnet_hls as nr
from nonresnet_hls import api, cli
from nonresnet_hls.api.results import Emulation, Fifos, Rows
from nonresnet_hls.errors import ModelError, RecipeError, ToolError

# `eval` is a function of Python's own, `recipe` one of our rooms.
FUNCTION_OF = {name: {"eval": "evaluate", "recipe": "make_recipe"}.get(name, name) for name in cli.COMMANDS}


def test_every_subcommand_has_its_function_and_calls_it() -> None:
    others = {"emulator", "gather", "load_recipe", "quantized_model"}
    assert set(api.__all__) - others == set(FUNCTION_OF.values())
    for command, function in FUNCTION_OF.items():
        source = (Path(cli.__file__).parent / f"{command}.py").read_text()
        called = {
            node.attr
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "api"
        }
        assert called & {function, "gather"}, command
        assert command == "report" or function in called, command


@pytest.mark.parametrize("name", api.__all__)
def test_every_function_is_typed_and_told_of(name: str) -> None:
    function = getattr(api, name)
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(one.annotation is not inspect.Parameter.empty for one in signature.parameters.values())
    assert function.__doc__
    assert callable(getattr(nr, name))
    assert name in dir(nr)


def test_skips_is_a_library_and_a_function() -> None:
    from nonresnet_hls import skips

    assert nr.skips is skips
    assert callable(nr.skips.find)
    with pytest.raises(ModelError, match="a Keras model or the path of one wanted, not an object of int"):
        nr.skips(7)


def test_what_is_no_design_is_refused_by_its_kind(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="a Keras model or a ModelGraph wanted, not an object of int"):
        nr.fifos(7, tmp_path)
    with pytest.raises(RecipeError, match="the name or path of a recipe, or a Recipe, wanted, not an object of int"):
        nr.train(7, tmp_path)
    with pytest.raises(ToolError, match="engine: auto, vendor or rtl wanted, not 'intel'"):
        nr.synth("resblock", tmp_path, engine="intel")  # type: ignore[arg-type]
    with pytest.raises(ToolError, match="--cosim: an option of the vendor engine, not of the rtl engine"):
        nr.synth("resblock", tmp_path, cosim=True, engine="rtl")
    with pytest.raises(RecipeError, match="--samples: at least 1 wanted, not 0"):
        nr.csim("resblock", tmp_path, samples=0)


def test_results_are_tables_that_show_themselves(tmp_path: Path) -> None:
    found = nr.models(tmp_path)
    assert isinstance(found, Rows)
    assert list(found.frame.columns) == ["name", "description", "dataset", "weight_bits", "activation_bits", "file"]
    assert len(found.frame) == len(found.rows)
    text = found._repr_html_()
    assert "resblock" in text
    assert text.startswith(f"<p>{len(found.rows)} recipes</p>")


def test_names_of_others_are_escaped_where_a_notebook_shows_them() -> None:
    text = Rows([{"name": "<script>"}], "<b>")._repr_html_()
    assert "<script>" not in text
    assert "<b>" not in text


def test_a_report_is_a_pandas_table_with_its_values(tmp_path: Path) -> None:
    import pandas as pd

    path = Path(__file__).parents[1] / "data/reports/vivado_hls_2019"
    table = nr.report(path)
    assert isinstance(table, pd.DataFrame)
    assert type(table.frame) is pd.DataFrame
    assert [report.design for report in table.reports] == list(table["design"])
    assert len(nr.report(tmp_path)) == 0
    assert [str(error) for error in nr.gather(tmp_path).refused] == [f"{tmp_path}: no report among 0 files"]


def test_a_project_gives_its_figures_and_exact_outputs(tiny: Path) -> None:
    project = tiny / "hls_projects/tiny"
    sized = nr.fifos(project)
    assert isinstance(sized, Fifos)
    assert list(sized.frame["stream"]) == [row.stream for row in sized.report.rows]
    assert "cycles an image (modelled)" in sized.caption
    inputs = np.random.default_rng(0).uniform(0, 0.99, (3, 4, 4, 2))
    found = nr.emulate(project, inputs=inputs)
    assert isinstance(found, Emulation)
    assert (found.outputs == nr.emulator(project)(inputs)).all()
    assert list(found.frame["layer"]) == [row["layer"] for row in found.figures["layers"]]


def test_a_model_object_goes_in_and_figures_come_out(tiny: Path) -> None:
    from nonresnet_hls.networks import saved

    model = saved.load(tiny / "models/tiny-net.keras")
    assert nr.skips(model).found == ()
    sized = nr.fifos(model)
    assert sized.report == nr.fifos(tiny / "models/tiny-net.keras").report
    inputs = np.random.default_rng(0).uniform(0, 0.99, (3, 4, 4, 2))
    found = nr.emulate(model, inputs=inputs)
    assert isinstance(found, Emulation)
    assert found.outputs is not None
    assert found.outputs.shape == (3, 3)


def test_a_model_graph_is_a_design_and_is_left_as_it_was(tiny: Path, tmp_path: Path) -> None:
    from nonresnet_hls.hls import plain
    from nonresnet_hls.networks import saved
    from nonresnet_hls.recipe import Hls

    model = saved.load(tiny / "models/tiny-net.keras")
    graph, notes = plain.to_graph(model, Hls(), tmp_path / "mine")
    assert notes == ()
    assert nr.fifos(graph).report.rows == nr.fifos(model).report.rows
    inputs = np.random.default_rng(0).uniform(0, 0.99, (3, 4, 4, 2))
    assert (nr.emulate(graph, inputs=inputs).outputs == nr.emulate(model, inputs=inputs).outputs).all()  # type: ignore[union-attr]
    assert graph.config.get_output_dir() == str(tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_stages_come_as_artefacts_and_as_tables(tiny: Path) -> None:
    compared = nr.csim("tiny")
    assert compared.equal
    assert compared.figures["equal"]
    assert list(compared.frame["inputs"]) == [part["inputs"] for part in compared.figures["input_sets"]]
    (again,) = nr.csim(["tiny"])
    assert again == nr.csim(nr.load_recipe("tiny"))
    assert nr.convert("tiny").frame.loc[0, "name"] == "tiny"
    assert nr.train("tiny").metrics["top1"] == nr.train("tiny").frame.loc[0, "top1"]
    hardware = nr.table2(["tiny"])
    assert list(hardware["design"]) == ["tiny"]
    assert len(hardware.costs) == 0
