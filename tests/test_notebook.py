"""What a notebook shows: results, how far work is, and errors."""

import importlib
import inspect
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from nonresnet_hls import api, notebook, recipe
from nonresnet_hls.api import charts
from nonresnet_hls.emulation import Emulator
from nonresnet_hls.errors import NonResNetError, RecipeError
from nonresnet_hls.quantization.quantized import Quantized

CELLS = [
    """
from nonresnet_hls import progress
done = [0]
progress.say("<one>")
with progress.watched("count <x>", 4, lambda: done[0], "steps"):
    import time
    while done[0] < 4:
        time.sleep(0.6)
        done[0] += 2
        progress.say(f"step {done[0]}")
""",
    "import nonresnet_hls as nr\nnr.load_recipe('nonesuch')",
    "%tb",
    "raise KeyError('not ours')",
    "progress.say('another cell')\nnr.load_recipe('resblock')",
]


@pytest.fixture(scope="module")
def outputs() -> list[list[Any]]:
    nbclient, nbformat = importlib.import_module("nbclient"), importlib.import_module("nbformat")
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    book = nbformat.v4.new_notebook(cells=cells)
    folder = str(Path(__file__).parents[1])
    nbclient.NotebookClient(book, allow_errors=True, resources={"metadata": {"path": folder}}).execute()
    return [cell.outputs for cell in book.cells]


@pytest.mark.nightly
def test_progress_has_one_place_for_lines_and_one_for_the_bar(outputs: list[list[Any]]) -> None:
    lines, bar = outputs[0]
    shown = lines.data["text/html"]
    assert "&lt;one&gt;" in shown
    assert "step 2\n" in shown
    assert "step 4<" in shown
    assert re.search(r"count &lt;x&gt;: \d steps in \d s", bar.data["text/html"])
    assert "<progress" not in bar.data["text/html"]  # it is over
    (one, _) = outputs[4]
    assert "step 4" not in one.data["text/html"]


@pytest.mark.nightly
def test_an_error_of_ours_is_one_line_with_its_traceback_folded(outputs: list[list[Any]]) -> None:
    folded, error = outputs[1]
    assert folded.data["text/html"].startswith("<details><summary>")
    assert "load_recipe" in folded.data["text/html"]
    assert error.output_type == "error"
    (line,) = error.traceback
    assert "RecipeError" in line
    assert "did you mean" in line
    assert "\n" not in line


@pytest.mark.nightly
def test_tb_shows_all_of_it_and_errors_of_others_stay_as_they_are(outputs: list[list[Any]]) -> None:
    (again,) = outputs[2]
    assert "load_recipe" in "".join(again.traceback)
    (other,) = outputs[3]
    assert len(other.traceback) > 1


@pytest.mark.nightly
def test_a_recipe_shows_its_keys(outputs: list[list[Any]]) -> None:
    assert "weight_bits = 1" in outputs[4][-1].data["text/html"]


def test_a_terminal_has_one_line_and_the_way_to_the_rest() -> None:
    try:
        raise RecipeError("key \x1b[2J: a number wanted, not 'x'")
    except NonResNetError as error:
        first, second = error._render_traceback_(), error._render_traceback_()
    assert first == ["\x1b[31mRecipeError\x1b[39m: key \\x1b[2J: a number wanted, not 'x'", "(%tb shows the traceback)"]
    assert "Traceback (most recent call last)" in second[0]
    assert "\x1b" not in second[0]


def test_kernels_of_others_are_notebooks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not notebook.is_shown()
    base = type("ZMQInteractiveShell", (), {})
    module = types.ModuleType("IPython")
    for kind, shown in ((type("Shell", (base,), {}), True), (type("TerminalInteractiveShell", (), {}), False)):
        module.get_ipython = kind  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "IPython", module)
        assert notebook.is_shown() is shown


def test_every_result_shows_itself() -> None:
    names = ("shown", "results", "fittings", "tables", "pages")
    rooms = [importlib.import_module(f"nonresnet_hls.api.{name}") for name in names]
    kinds = {name: kind for room in rooms for name, kind in vars(room).items() if isinstance(kind, type)}
    shown = {name for name, kind in kinds.items() if hasattr(kind, "_repr_html_")} | {"Recipe"}
    objects = {"emulator": "Emulator", "quantized_model": "Quantized"}  # say in a line what they are
    for name in api.__all__:
        told = inspect.signature(getattr(api, name)).return_annotation
        parts = set(re.findall(r"\w+", told if isinstance(told, str) else repr(told)))
        assert parts & shown or objects[name] in parts, name
    assert hasattr(recipe.Recipe, "_repr_html_")
    assert all("__repr__" in vars(kind) for kind in (Emulator, Quantized))


def test_doctor_shows_a_table_and_a_terminal_has_it_too() -> None:
    found = api.models()
    page = found._repr_html_()
    assert "<p>" in page
    assert page.count("<tr") == len(found.rows) + 1
    texts: list[str] = []
    found._repr_pretty_(types.SimpleNamespace(text=texts.append), False)
    assert "resblock" in texts[0]


def test_charts_escape_scale_and_end() -> None:
    rows = [charts.Bar("<script>", (10, 5)), charts.Bar("b", (20, 0), bold=True)]
    drawn = charts.bars("t & u", ("before", "after"), rows, mark=15)
    assert "<script>" not in drawn
    assert "t &amp; u" in drawn
    widths = [
        float(one)
        for one in re.findall(r'height="8" .*?|<rect x="\d+" y="\d+" width="([\d.]+)" height="8"', drawn)
        if one
    ]
    assert widths[2] == max(widths) == 2 * widths[0]
    assert 0 < widths[1] < widths[0]
    assert widths[3] == 0
    assert "stroke-dasharray" in drawn
    assert charts.bars("t", ("",), []) == charts.bars("t", ("",), [charts.Bar("x", (0,))]) == ""
    many = charts.bars("t", ("",), [charts.Bar(str(i), (1,)) for i in range(100)])
    assert "and 60 more" in many
    assert charts.curve("t", [1.0]) == ""
    assert charts.curve("t", [3, 1, 2]).count("polyline") == 1
