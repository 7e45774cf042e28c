"""Pages that are made of what the program itself says, and links that lead where they say.

`{command-line}` shows every subcommand and its options, of the parser; `{recipe-keys}` every key of a recipe, of the
dataclasses that read it. Once the pages are written, each link within them is followed; others are listed.
"""

import argparse
import ast
import dataclasses
import inspect
import os
import re
import types
import typing
from collections.abc import Iterator
from enum import Enum
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from docutils import nodes
from sphinx.addnodes import download_reference, pending_xref
from sphinx.application import Sphinx
from sphinx.ext.napoleon import GoogleDocstring
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

from nonresnet_hls import cli, recipe
from nonresnet_hls.fixed.types import FixedPointType

_LOG = logging.getLogger(__name__)

PAGES = {
    "README.md": "index",
    "CONTRIBUTING.md": "contributing",
    "CHANGELOG.md": "changelog",
    "models/README.md": "trained",
}
"""Files outside of this folder that are pages of the site."""


class _Generated(SphinxDirective):
    """Markdown that is written while the site is built."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """The nodes of that Markdown."""
        return self.parse_text_to_nodes("\n".join(self.lines()), allow_section_headings=True)

    def lines(self) -> Iterator[str]:
        """Its lines."""
        raise NotImplementedError


class CommandLine(_Generated):
    """Every subcommand."""

    def lines(self) -> Iterator[str]:
        """A section for each."""
        parser = cli.parser()
        (commands,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
        for name in cli.COMMANDS:
            sub = commands.choices[name]
            sub.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=100)
            yield from ("", f"## {name}", "", _text(sub.description or ""), "", "```text")
            yield from (sub.format_usage().removeprefix("usage: ").rstrip(), "```", "")
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


class RecipeKeys(_Generated):
    """Every key of a recipe."""

    def lines(self) -> Iterator[str]:
        """A section for each table."""
        module = inspect.getmodule(recipe.Recipe)
        assert module is not None
        told = _attribute_docs(inspect.getsource(module))
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
    return next((one for one in tables if one.__module__ == recipe.Recipe.__module__), None)


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


def _lead_to_pages(app: Sphinx, doctree: nodes.document) -> None:
    """Have links to files that are pages here lead to these."""
    for node in [*doctree.findall(download_reference), *doctree.findall(pending_xref)]:
        target = str(node.get("reftarget", "")).partition("#")[0]
        if Path(target).is_absolute():  # a file outside of this folder, without its suffix
            target = os.path.relpath(f"{target}.md", app.srcdir.parent)
        page = PAGES.get(target.removeprefix("../"))
        if page is not None:
            link = pending_xref("", refdomain="std", reftype="doc", reftarget=f"/{page}", refexplicit=True)
            link["refwarn"], link["refdoc"] = True, app.env.docname
            link += nodes.inline("", node.astext())
            node.replace_self(link)


def _find_by_last_name(app: Sphinx, env: Any, node: pending_xref, contnode: nodes.Element) -> nodes.Element | None:
    """Names as they stand in the code: those that are imported for types alone, and those of a package's front."""
    if node.get("refdomain") != "py":
        return None
    last = node["reftarget"].rpartition(".")[2]
    found = [one for one in env.domains["py"].get_objects() if one[0].rpartition(".")[2] == last]
    places = {(docname, anchor) for _, _, _, docname, anchor, _ in found}
    if len(places) != 1:
        return None
    ((docname, anchor),) = places
    return make_refnode(app.builder, node["refdoc"], docname, anchor, contnode)


def _escape(*given: Any) -> None:
    """Stars in docstrings multiply, or stand for more of the same; they emphasise nothing."""
    lines: list[str] = given[-1]
    for number, line in enumerate(lines):
        if not line.lstrip().startswith(">>>"):
            parts = line.split("`")  # every other one is code
            lines[number] = "`".join(
                part if place % 2 else part.replace("*", r"\*") for place, part in enumerate(parts)
            )


def _told_as_it_is(self: GoogleDocstring) -> list[str]:
    told: list[str] = self._consume_to_end()
    return told


class _Links(HTMLParser):
    """Where a page's links lead, and to what of it others can lead."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  # as HTMLParser calls it
        """Note one element's."""
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.targets.append(value)
            if name == "id" and value:
                self.anchors.add(value)


def _follow(app: Sphinx, failed: Exception | None) -> None:
    """Follow every link within the site; write those that lead out of it to `external-links.txt`, not visited."""
    if failed is not None or app.builder.format != "html":
        return
    site = Path(app.outdir)
    pages = {}
    for path in sorted(site.rglob("*.html")):
        pages[path] = _Links()
        pages[path].feed(path.read_text(encoding="utf-8"))
    outside = set()
    for path, page in pages.items():
        for target in page.targets:
            url = urlsplit(target)
            if url.scheme or url.netloc:
                if url.scheme != "data":
                    outside.add(target)
                continue
            place = Path(os.path.normpath(path.parent / unquote(url.path))) if url.path else path
            other = pages.get(place)
            if not place.exists():
                _LOG.warning("%s: a link to %s, which is not there", path.relative_to(site), target)
            elif url.fragment and other is not None and unquote(url.fragment) not in other.anchors | {"top"}:
                _LOG.warning("%s: a link to %s, and no such place there", path.relative_to(site), target)
    listing = "".join(f"{target}\n" for target in sorted(outside))
    (site.parent / "external-links.txt").write_text(f"# Not visited by the build.\n{listing}", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx asks for."""
    # The text below a field says what it is; what stands before its first colon is no type.
    GoogleDocstring._parse_attribute_docstring = _told_as_it_is  # type: ignore[method-assign]
    app.add_directive("command-line", CommandLine)
    app.add_directive("recipe-keys", RecipeKeys)
    app.connect("autodoc-process-docstring", _escape, priority=400)
    app.connect("doctree-read", _lead_to_pages)
    app.connect("missing-reference", _find_by_last_name)
    app.connect("build-finished", _follow)
    return {"version": "1", "parallel_read_safe": True}
