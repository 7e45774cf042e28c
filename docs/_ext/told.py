"""What the program says of itself, as Markdown: its commands, of the parser; the keys of recipes, of their schema."""

import argparse
import ast
import dataclasses
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any

from nonresnet_hls import cli, recipe
from nonresnet_hls.fixed.types import FixedPointType


def command_line() -> Iterator[str]:
    """Every subcommand. A section for each."""
    parser = cli.parser()
    (commands,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    for name in cli.COMMANDS:
        sub = commands.choices[name]
        sub.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=100)
        yield from ("", f"## {name}", "", _text(sub.description or ""), "", "```text")
        yield from (sub.format_usage().removeprefix("usage: ").replace("\n       ", "\n").rstrip(), "```", "")
        for action in sub._actions:
            if isinstance(action, argparse._HelpAction):
                continue
            yield from (f"`{_signature(action)}`", f": {_text(_help(sub, action))}", "")


def _signature(action: argparse.Action) -> str:
    choices = "{" + ",".join(map(str, action.choices or ())) + "}"
    metavar = action.metavar or (choices if action.choices else action.dest.upper())
    if isinstance(metavar, tuple):
        metavar = " ".join(metavar)
    if not action.option_strings:
        return f"{action.dest}{' ...' if action.nargs in ('+', '*') else ''}"
    value = "" if action.nargs == 0 else f" {metavar}"
    return ", ".join(f"{one}{value}" for one in action.option_strings)


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    told = parser._get_formatter()._expand_help(action) if action.help else ""
    choices = ", ".join(map(str, action.choices or ()))
    return told or (f"one of {choices}" if choices else "as it is called")


def recipe_keys() -> Iterator[str]:
    """Every key of a recipe. A section for each table."""
    told = {}
    for module in sorted({one.__module__ for one in vars(recipe).values() if _is_ours(one)}):
        told.update(_attribute_docs(inspect.getsource(sys.modules[module])))
    hints = typing.get_type_hints(recipe.Recipe)
    top = [one for one in dataclasses.fields(recipe.Recipe) if _table(hints[one.name]) is None]
    kept = {"name", "trained_as", "tuned_as"}  # of the file's name, and found out
    yield from ("", "## At the top", "")
    yield from ("`extends`", ": another recipe, by name or path, whose keys this one takes over.", "")
    for one in top:
        if one.name not in kept:
            yield from _key(one, hints[one.name], told.get(("Recipe", one.name), ""))
    for one in dataclasses.fields(recipe.Recipe):
        table = _table(hints[one.name])
        if table is None:
            continue
        told_of = (table.__doc__ or "").partition(": ")[2]
        yield from ("", f"## [{one.name}]", "", _text(told_of[:1].upper() + told_of[1:]), "")
        inside = typing.get_type_hints(table)
        for key in dataclasses.fields(table):
            yield from _key(key, inside[key.name], told.get((table.__name__, key.name), ""), told)


def _table(hint: Any) -> Any:
    tables = (one for one in _parts(hint) if dataclasses.is_dataclass(one))
    return next((one for one in tables if _is_ours(one)), None)


def _is_ours(one: Any) -> bool:
    return isinstance(one, type) and one.__module__.startswith(f"{recipe.__name__}.")


def _parts(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def _key(one: Any, hint: Any, told: str, docs: dict[tuple[str, str], str] | None = None) -> Iterator[str]:
    default = one.default if one.default is not dataclasses.MISSING else None
    if one.default_factory is not dataclasses.MISSING:
        default = one.default_factory() or None
    required = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
    kinds = [part for part in _parts(hint) if part is not type(None)]
    words = ", ".join(_kind(part) for part in kinds)
    after = "required" if required else (f"default `{_value(default)}`" if default not in (None, "") else "optional")
    yield from (f"`{one.name}`", f": {words}; {after}. {_text(told)}".rstrip(), "")
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, Enum):
            for choice in kind:
                said = _text((docs or {}).get((kind.__name__, choice.name), ""))
                yield f'  - `"{choice.value}"`{": " if said else ""}{said}'
            yield ""


def _kind(kind: Any) -> str:
    if typing.get_origin(kind) is dict:
        return f"a table of {_kind(typing.get_args(kind)[1])} by name"
    if typing.get_origin(kind) is tuple:
        return f"a list of {_kind(typing.get_args(kind)[0])}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of those below"
    return {"int": "integer", "float": "number", "str": "text", "bool": "true or false", "Path": "path"}.get(
        kind.__name__, "fixed-point type" if kind is FixedPointType else kind.__name__
    )


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return str(list(value))
    return f'"{value}"' if isinstance(value, str) else str(value)


def _attribute_docs(source: str) -> dict[tuple[str, str], str]:
    """The texts below the fields of the classes of a module."""
    found = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for field, text in zip(node.body, node.body[1:], strict=False):
            targets = field.targets if isinstance(field, ast.Assign) else [getattr(field, "target", None)]
            target = targets[0]
            if isinstance(target, ast.Name) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                found[node.name, target.id] = str(text.value.value)
    return found


def _text(text: str) -> str:
    """Docstrings and help as one paragraph of Markdown."""
    return re.sub(r"([*_<])", r"\\\1", " ".join(text.split())) if "`" not in text else " ".join(text.split())
