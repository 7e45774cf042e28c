"""The recipe that a fit writes: the one that was fitted, with other reuse factors."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nonresnet_hls import files
from nonresnet_hls.errors import RecipeError
from nonresnet_hls.pipeline.fit_values import Found
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Recipe

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_HEAD = "# Made by `nonresnet-hls fit "


def check_output(output: Path, recipe: Recipe | None) -> Recipe:
    """The recipe that the new one extends.

    Raises:
        RecipeError: there is none, or the new one cannot be written there.
    """
    if recipe is None:
        raise RecipeError(f"{output}: a recipe is written for a recipe alone, not for a model or a project")
    if output.suffix != ".toml" or not _NAME.fullmatch(output.stem):
        wanted = "a .toml file called by lower-case letters and digits, parts joined by '-' or '_'"
        raise RecipeError(f"{output}: {wanted} wanted")
    if output.stem == recipe.name:
        raise RecipeError(f"{output}: another name than that of the recipe {recipe.name} wanted")
    if os.path.lexists(output) and not _is_ours(output):
        raise RecipeError(f"{output}: exists already, and `fit` did not make it; it is not overwritten")
    if not output.parent.is_dir():
        raise RecipeError(f"{output}: the folder {output.parent} is not there")
    return recipe


def _is_ours(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline().startswith(_HEAD)
    except (OSError, ValueError):
        return False


def write(
    output: Path, base: str, recipe: Recipe, found: Found, command: str, hls: Sequence[str], workspace: Workspace
) -> None:
    """The recipe: the one that was fitted, with other reuse factors.

    Args:
        output: its file.
        base: what it extends.
        recipe: the same.
        found: the factors, for which part and clock.
        command: what is behind `fit` on the command line, and what the factors are of.
        hls: lines of `[hls]` beside part and clock.
        workspace: where recipes are.

    Raises:
        RecipeError: it would not be taken under this name.
    """
    lines = [
        f"{_HEAD}{command}.\n",
        f"extends = {_text(base)}\n",
        f"title = {_text(f'{recipe.title or recipe.name} on {found.board.name}')}\n",
        "\n[hls]\n",
        f"part = {_text(found.board.part)}\n",
        f"clock_ns = {found.clock_ns!r}\n",
        *(f"{line}\n" for line in hls),
        "\n[hls.reuse_factors]\n",
        *(f"{_text(layer)} = {factor}\n" for layer, factor in found.found.reuse_factors.items()),
    ]
    files.write_text(output, "".join(lines))
    try:
        workspace.recipe(str(output))
    except RecipeError:
        output.unlink()
        raise


def _text(value: str) -> str:
    # Of what JSON writes, TOML takes all but the halves of characters beyond 16 bits.
    return json.dumps(value, ensure_ascii=False)


def base_of(design: Any, recipe: Recipe, output: Path, workspace: Workspace) -> str:
    """What `extends` must say of a recipe in a file.

    Raises:
        RecipeError: it is a value that no file holds.
    """
    if isinstance(design, str | Path) and str(design).endswith(".toml"):
        return os.path.relpath(design, output.parent)
    try:
        there = workspace.recipe(recipe.name) == recipe
    except RecipeError:
        there = False
    if not there:
        raise RecipeError(f"{output}: a recipe in a file wanted, which the new one extends, not {recipe.name}")
    return recipe.name
