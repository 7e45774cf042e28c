"""Pages that are made of what the program itself says, and links that lead where they say.

`{command-line}` shows every subcommand and its options, of the parser; `{recipe-keys}` every key of a recipe, of the
dataclasses that read it. Once the pages are written, each link within them is followed; others are listed.
"""

import os
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import told
from docutils import nodes
from sphinx.addnodes import download_reference, pending_xref
from sphinx.application import Sphinx
from sphinx.ext.napoleon import GoogleDocstring
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

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

    lines = staticmethod(told.command_line)


class RecipeKeys(_Generated):
    """Every key of a recipe."""

    lines = staticmethod(told.recipe_keys)


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
