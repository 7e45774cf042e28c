"""What `make docs` makes the site of, besides the pages; the build itself fails at every warning."""

import argparse
import dataclasses
import importlib.util
import json
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from nonresnet_hls import cli, recipe
from tests import container_steps

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def told() -> ModuleType:
    spec = importlib.util.spec_from_file_location("told", DOCS / "_ext/told.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_and_option_is_in_the_reference(told: ModuleType) -> None:
    page = "\n".join(told.command_line())
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == list(cli.COMMANDS)
    parser = cli.parser()
    (commands,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    for name, sub in commands.choices.items():
        (section,) = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        for action in sub._actions:
            spelled = action.option_strings or [action.dest]
            assert "-h" in spelled or all(one in section for one in spelled), (name, spelled)
    assert "%(" not in page


def test_every_key_of_a_recipe_is_in_the_reference_with_its_default_and_choices(told: ModuleType) -> None:
    page = "\n".join(told.recipe_keys())
    for table in dataclasses.fields(recipe.Recipe):
        kind = getattr(recipe, {"rtl": "RtlOptions"}.get(table.name, table.name.capitalize()), None)
        if not dataclasses.is_dataclass(kind):
            continue
        (section,) = re.findall(rf"^## \[{table.name}\]\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        assert re.findall(r"^`(\w+)`$", section, re.MULTILINE) == [one.name for one in dataclasses.fields(kind)]
    assert "`weight_bits`\n: integer; default `8`. 1: binary weights" in page
    assert all(f'`"{choice.value}"`' in page for choice in recipe.SkipStyle)
    assert "`family`\n: one of those below; required." in page
    assert '  - `"packed"`: As `auto`, but two products' in page  # of another module than the recipe


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_committed_as_plain_jupyter_opens_them_and_without_outputs(path: Path) -> None:
    book = json.loads(path.read_text(encoding="utf-8"))
    assert (book["nbformat"], book["metadata"]["kernelspec"]["name"]) == (4, "python3")
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert book["cells"][0]["source"][0].startswith("# ")
    assert code[0]["source"][0].startswith("import nonresnet_hls as nr")
    assert f"notebooks/{path.stem}\n" in (DOCS / "index.md").read_text()
    # What has to be installed stands at the top, and is to be had.
    (extras,) = re.findall(r"pip install 'nonresnet-hls\[(.*)\]' jupyter", "".join(book["cells"][0]["source"]))
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras.split(",")) <= set(known)


def test_every_page_is_in_the_site() -> None:
    index = (DOCS / "index.md").read_text()
    assert all(re.search(rf"^{page.stem}$", index, re.MULTILINE) for page in DOCS.glob("*.md") if page.stem != "index")


def test_the_container_file_has_the_steps_that_are_tried() -> None:
    text = (ROOT / "Containerfile").read_text()
    steps = list(container_steps.steps(text))
    assert [name for name, _ in steps] == ["FROM", "RUN", "WORKDIR", "COPY", "RUN", "CMD"]
    assert container_steps.packages(steps[1][1]) == ["g++", "git", "make"]
    assert "ever built here" in text.partition("FROM")[0]
    assert json.loads(steps[-1][1]) == ["make"]


def test_what_a_build_leaves_is_ignored() -> None:
    assert "/docs/_build/" in (ROOT / ".gitignore").read_text().splitlines()
