"""What the subcommands that work on recipes share."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonresnet_hls import progress
from nonresnet_hls.errors import RecipeError

if TYPE_CHECKING:
    import pandas as pd

    from nonresnet_hls.pipeline.workspace import Workspace
    from nonresnet_hls.recipe import Recipe
    from nonresnet_hls.reports.render import Table


def add_recipes(
    parser: argparse.ArgumentParser, every: bool = False, models: bool = False, files: bool = False
) -> None:
    """RECIPE..., --workspace and --json; with `every` also --all; with `models` also model files and --data.

    With `files` model files by themselves.
    """
    count = "*" if every else "+"
    file = (
        "path of a .toml file; or, with --data, of a .keras, .h5, .onnx or .pt2 file"
        if models
        else "path of a .toml file"
    )
    file = "path of a .toml, .keras, .h5, .onnx or .pt2 file" if files else file
    parser.add_argument("recipes", nargs=count, metavar="RECIPE", help=f"name of a recipe, or {file}")
    if models:
        parser.add_argument("--data", type=Path, metavar="FILE", help=".npz for a model file (see `recipe --help`)")
    if every:
        parser.add_argument("--all", action="store_true", help="every recipe, built in and in models/")
    add_workspace(parser)
    add_json(parser)


def add_workspace(parser: argparse.ArgumentParser) -> None:
    """--workspace."""
    where = "folder of models/, hls_projects/ and tables/ (default: the current one)"
    parser.add_argument("--workspace", type=Path, default=Path(), metavar="DIR", help=where)


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def workspace(args: argparse.Namespace) -> "Workspace":
    """The workspace that the arguments name."""
    from nonresnet_hls.pipeline.workspace import Workspace

    return Workspace(args.workspace)


def recipes(args: argparse.Namespace) -> "list[Recipe]":
    """The recipes that the arguments name.

    Raises:
        RecipeError: one cannot be read, or none is named.
    """
    from nonresnet_hls import recipe

    place = workspace(args)
    names = recipe.names(place.models) if getattr(args, "all", False) else args.recipes
    if not names:
        raise RecipeError("no recipe named; a name, the path of a .toml file or --all wanted")
    models = hasattr(args, "data") and any(Path(name).suffix in (".keras", ".h5") for name in names)
    if models or getattr(args, "data", None) is not None:
        from nonresnet_hls.api.stages import recipe_of

        if len(names) != 1:
            raise RecipeError(f"--data: one model file wanted, not {len(names)} recipes")
        return [recipe_of(names[0], args.data, args.workspace)]
    return place.load_recipes(names)


def print_json(value: Any) -> None:
    """Figures as JSON on stdout."""
    # NumPy's numbers know how to become Python's.
    json.dump(value, sys.stdout, indent=2, default=lambda number: number.item())
    print()


def table_text(text: "Table", notes: Sequence[str] = ()) -> str:
    """A table as people read it, notes below it."""
    from nonresnet_hls.reports.render import Format, render

    return render(text, (), Format.TABLE) + _below(notes)


def save_table(frame: "pd.DataFrame", text: "Table", path: Path, notes: Sequence[str] = ()) -> None:
    """Save a table as `path`.txt, .csv and .md, notes below it where people read it."""
    from nonresnet_hls.pipeline import runner
    from nonresnet_hls.reports.render import Format, render

    runner.write_text(path.with_suffix(".txt"), table_text(text, notes))
    runner.write_text(path.with_suffix(".md"), render(text, (), Format.MARKDOWN) + _below(notes))
    runner.write_text(path.with_suffix(".csv"), progress.printable(frame.to_csv(index=False), "\r\n\t"))


def _below(notes: Sequence[str]) -> str:
    return progress.printable("".join(f"\n{note}\n" for note in notes), "\n")


def remove_table(path: Path) -> None:
    """Remove what `save_table` left."""
    for suffix in (".txt", ".csv", ".md"):
        path.with_suffix(suffix).unlink(missing_ok=True)


def print_rows(frame: "pd.DataFrame") -> None:
    """The rows of a table as JSON on stdout."""
    # Not `to_json`: it rounds to 10 digits.
    print_json(frame.astype(object).where(frame.notna(), None).to_dict("records"))


def fixed(value: float | None, digits: int) -> str:
    """A figure with so many digits behind the point; nothing where there is none."""
    return "" if _missing(value) else f"{value:.{digits}f}"


def whole(value: float | None) -> str:
    """A count, or a mean of counts with two digits; nothing where there is none."""
    if value is None or _missing(value):
        return ""
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


def _missing(value: Any) -> bool:
    import pandas as pd

    return value is None or bool(pd.isna(value))
