"""Recipes in files: found by name or path, read, and refused with file and key named."""

import dataclasses
import difflib
import os
import re
import sys
import tomllib
import types
import typing
from enum import StrEnum
from pathlib import Path
from typing import Any

from nonresnet_hls import bounds
from nonresnet_hls.errors import RecipeError, shown
from nonresnet_hls.fixed.types import FixedPointError, FixedPointType
from nonresnet_hls.recipe.values import Family, Recipe, Training

_PACKAGED = Path(__file__).parent.parent / "_models"
BUILT_IN = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parent.parent.parent / "models"
"""Where the recipes that ship with the package are (the repository's `models/` in a checkout)."""

MAX_BYTES = 1 << 20
"""Of a recipe; those that ship have 1 kB."""

GENTLE = 1e-5
"""Learning rate with which a model of the user's own is fine-tuned at 6 bits or more where its recipe says none."""

# Names end up in C++ identifiers, Tcl and folder names.
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


def find(name_or_path: str, models: Path) -> Path:
    """The file of a recipe: a path ending in `.toml`, or a name looked up in `models`, then among the built-in.

    Raises:
        RecipeError: there is none; the message offers the nearest names.
    """
    if name_or_path.endswith(".toml"):
        path = Path(name_or_path)
        if "\0" in name_or_path or not _is_file(path):
            raise RecipeError(f"{path}: no such recipe file")
        return path
    for folder in (models, BUILT_IN):
        path = folder / f"{name_or_path}.toml"
        if _NAME.fullmatch(name_or_path) and _is_file(path):
            return path
    close = difflib.get_close_matches(name_or_path, names(models), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else "see 'nonresnet-hls models'"
    raise RecipeError(f"recipe {shown(name_or_path)}: no {models / '<name>.toml'} and none built in; {hint}")


def names(models: Path) -> list[str]:
    """The names of all recipes in `models` and built in, sorted."""
    found = {path.stem for folder in (models, BUILT_IN) for path in folder.glob("*.toml") if _is_file(path)}
    return sorted(name for name in found if _NAME.fullmatch(name))


def load(name_or_path: str, models: Path | None = None) -> Recipe:
    """Read a recipe by name or path; `models` (default: `./models`) is looked into before the built-in ones.

    Raises:
        RecipeError: not found, no TOML, an unknown key, a value that does not fit, or a name that another recipe
            has; names file and key.
    """
    models = Path("models") if models is None else models
    path = find(name_or_path, models)
    chain = _chain(path, models)
    recipe = _build(path, _merged(chain))
    _refuse_taken_name(recipe, path, models)
    trained_as = tuned_as = recipe.name
    for i in range(1, len(chain)):
        base = _build(chain[i][0], _merged(chain[i:]))
        # Weights are kept by name: those of a recipe that this name does not find are not shared.
        if _training(base) != _training(recipe) or _namesake(base, chain[i][0], models) is not None:
            break
        if tuned_as == trained_as and base.quantization == recipe.quantization:
            tuned_as = base.name
        trained_as = base.name
    return dataclasses.replace(recipe, trained_as=trained_as, tuned_as=tuned_as)


def check(path: Path, text: str) -> None:
    """Refuse the text of a recipe that would not be read from a file.

    Raises:
        RecipeError: as `load`, of a recipe that extends none.
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{path}: cannot be read as TOML: {error}") from None
    _check(table, path)
    _build(path, table)


def _is_file(path: Path) -> bool:
    """Whether there is a file; what no file can be called is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, one with NUL
        return False


def _same_file(one: Path, other: Path) -> bool:
    # Unlike `Path.resolve` it takes circles of links.
    return os.path.realpath(one) == os.path.realpath(other)


def _namesake(recipe: Recipe, path: Path, models: Path) -> Path | None:
    """The file of another recipe that the name of the one in `path` finds, the user's before the built-in ones."""
    files = (folder / f"{recipe.name}.toml" for folder in (models, BUILT_IN))
    holder = next((file for file in files if _is_file(file)), None)
    if holder is None or _same_file(holder, path):
        return None
    try:
        copy = _build(holder, _merged(_chain(holder, models))) == recipe
    except RecipeError:
        copy = False
    return None if copy else holder


def _refuse_taken_name(recipe: Recipe, path: Path, models: Path) -> None:
    """Artefacts are kept by name: one name must not mean two recipes.

    Raises:
        RecipeError: the name finds another recipe.
    """
    if _same_file(path.parent, models) and recipe.name != path.stem:
        wanted = f"{path.stem!r} wanted, as the file is called by which the recipe is found"
        raise RecipeError(f"{path}: name: {wanted}, not {recipe.name!r}")
    other = _namesake(recipe, path, models)
    if other is not None:
        kept = f"what is made of both would be kept in {models / recipe.name}"
        raise RecipeError(f"{path}: name: one that no other recipe has wanted, not {recipe.name!r} as {other}: {kept}")


def _training(recipe: Recipe) -> tuple[Any, ...]:
    """What decides about the float weights."""
    return recipe.architecture, recipe.dataset, recipe.training.identity, recipe.distillation


_NAMING = (("architecture", "network"), ("distillation", "start"), ("distillation", "network"))
"""The keys that name another recipe."""


def _named(said: str, path: Path, models: Path) -> str:
    """The recipe that the one in `path` names: its path where it lies beside, else the name as it is said.

    In `models` and among the built-in recipes a name is a name, and the user's comes first.
    """
    if said.endswith(".toml"):
        return str(path.parent / said)
    beside = path.parent / f"{said}.toml"
    by_name = any(_same_file(path.parent, folder) for folder in (models, BUILT_IN))
    return str(beside) if not by_name and _NAME.fullmatch(said) and _is_file(beside) else said


def _chain(path: Path, models: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The recipe's table and those that it extends, itself first."""
    chain: list[tuple[Path, dict[str, Any]]] = []
    while True:
        # However the path is written: by `..` a circle can be told in ever longer ones.
        if any(_same_file(path, seen) for seen, _ in chain):
            over = [p.stem for p, _ in chain]
            told = over if len(over) <= 5 else [*over[:4], f"{len(over) - 4} more"]
            raise RecipeError(f"{chain[0][0]}: extends itself, over {' -> '.join(told)}")
        if len(chain) >= _LONGEST_CHAIN:
            raise RecipeError(f"{chain[0][0]}: extends: at most {_LONGEST_CHAIN} recipes in a row wanted")
        try:
            table = tomllib.loads(bounds.read_text(path, MAX_BYTES))
        except (OSError, ValueError) as error:  # integers of more digits than Python takes, too
            raise RecipeError(f"{path}: cannot be read as TOML: {error}") from None
        except RecursionError:
            raise RecipeError(f"{path}: cannot be read as TOML: nested too deeply") from None
        _check(table, path)
        base = table.pop("extends", None)
        # A relative file name means: beside the recipe that says it.
        for part in ("architecture", "dataset"):
            section = table.get(part)
            if isinstance(section, dict) and isinstance(section.get("file"), str):
                section["file"] = str(path.parent / section["file"])
        for part, key in _NAMING:
            section = table.get(part)
            if isinstance(section, dict) and isinstance(section.get(key), str):
                section[key] = _named(section[key], path, models)
        chain.append((path, table))
        if base is None:
            return chain
        if not isinstance(base, str):
            raise RecipeError(f"{path}: extends: the name of a recipe wanted, not {shown(base)}")
        # Of the built-in recipes, too, those beside: a user's of this name has keys of its own.
        beside = path.parent / (base if base.endswith(".toml") else f"{base}.toml")
        try:
            path = beside if _is_file(beside) or base.endswith(".toml") else find(base, models)
        except OSError as error:
            raise RecipeError(f"{path}: extends: {shown(base)}: {error.strerror}") from None
        except RecipeError as error:
            raise RecipeError(f"{path}: extends: {error}") from None


_LONGEST_CHAIN = 50
_DEEPEST = 20


def _check(value: Any, path: Path, where: str = "", depth: int = 0) -> None:
    """Refuse what no recipe has reason for: depth, and characters that end file names and C strings.

    Raises:
        RecipeError: the table has such.
    """
    if depth > _DEEPEST:
        raise RecipeError(f"{path}: at most {_DEEPEST} tables and lists within one another wanted")
    if isinstance(value, dict):
        for key, item in value.items():
            _check(key, path, "a key", depth)
            _check(item, path, f"{where}.{key}" if where else key, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, path, where, depth + 1)
    elif isinstance(value, str) and "\0" in value:
        raise RecipeError(f"{path}: {shown(where)[1:-1]}: text without NUL characters wanted, not {shown(value)}")


def _merged(chain: list[tuple[Path, dict[str, Any]]]) -> dict[str, Any]:
    def merge(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
        result = dict(base)
        for key, value in own.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merge(result[key], value) if both else value
        return result

    table: dict[str, Any] = {}
    for _, own in reversed(chain):
        # These belong to one recipe and are not taken over.
        table = merge({k: v for k, v in table.items() if k not in ("name", "description", "title")}, own)
    return table


def _build(path: Path, table: dict[str, Any]) -> Recipe:
    table = {"name": path.stem, **table}
    if not (isinstance(table["name"], str) and _NAME.fullmatch(table["name"])):
        wanted = "lower-case letters and digits, parts joined by '-' or '_'"
        raise RecipeError(f"{path}: name: {wanted} wanted, not {shown(table['name'])}")
    recipe: Recipe = _from_table(Recipe, table, str(path), "")
    if recipe.architecture.family is Family.KERAS:
        # A model of the user's own keeps its weights unless the recipe says how to train it ...
        if "training" not in table:
            recipe = dataclasses.replace(recipe, training=Training(epochs=0))
        # ... and is moved little by fine-tuning, which knows nothing of how it was trained, unless its bits are few.
        bits = recipe.quantization
        if "learning_rate" not in table.get("quantization", {}) and min(bits.weight_bits, bits.activation_bits) >= 6:
            recipe = dataclasses.replace(recipe, quantization=dataclasses.replace(bits, learning_rate=GENTLE))
    return recipe


def _from_table(cls: type, table: dict[str, Any], file: str, prefix: str) -> Any:
    hints = typing.get_type_hints(cls)
    # `trained_as` and `tuned_as` are found out, not said.
    fields = {f.name: f for f in dataclasses.fields(cls) if f.name not in ("trained_as", "tuned_as")}
    for key in table:
        if key not in fields:
            close = difflib.get_close_matches(key, fields, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"one of {', '.join(fields)} wanted"
            raise RecipeError(f"{file}: unknown key {shown(prefix + key)}; {hint}")
    for name, f in fields.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and name not in table:
            raise RecipeError(f"{file}: key {prefix + name!r} is missing")
    values = {key: _value(hints[key], value, file, prefix + key) for key, value in table.items()}
    try:
        return cls(**values)
    except RecipeError as error:
        raise RecipeError(f"{file}: {prefix}{error}") from None


def _value(hint: Any, value: Any, file: str, key: str) -> Any:
    """`value` as TOML gave it, as the type that the dataclass wants."""
    if isinstance(hint, types.UnionType):
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))

    def refuse(wanted: str) -> RecipeError:
        return RecipeError(f"{file}: {shown(key)[1:-1]}: {wanted} wanted, not {shown(value)}")

    origin = typing.get_origin(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and hint is not FixedPointType:
        if not isinstance(value, dict):
            raise refuse("a table")
        return _from_table(hint, value, file, f"{key}.")
    if origin is tuple:
        if not isinstance(value, list):
            raise refuse("a list")
        return tuple(_value(typing.get_args(hint)[0], item, file, key) for item in value)
    if origin is dict:
        if not isinstance(value, dict):
            raise refuse("a table")
        return {k: _value(typing.get_args(hint)[1], item, file, f"{key}.{k}") for k, item in value.items()}
    if hint is FixedPointType:
        try:
            return FixedPointType.parse(value if isinstance(value, str) else shown(value))
        except FixedPointError as error:
            raise RecipeError(f"{file}: {key}: {error}") from None
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        if not isinstance(value, str) or value not in list(hint):
            raise refuse(" or ".join(repr(str(member)) for member in hint))
        return hint(value)
    if hint is Path:
        if not isinstance(value, str):
            raise refuse("a path")
        return Path(value)
    if hint is float and type(value) in (int, float):
        if not abs(value) <= sys.float_info.max:  # so written, NaN is refused too
            raise refuse("a finite number")
        return float(value)
    if type(value) is not hint:
        names = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}
        raise refuse(names[hint])
    return value
