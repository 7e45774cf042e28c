"""The function that makes a page to look at."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonresnet_hls import extras
from nonresnet_hls.api.stages import told
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Hls

if TYPE_CHECKING:
    from nonresnet_hls.page.values import Page


@dataclass(frozen=True, eq=False)
class PageFile:
    """A page, which shows itself in a notebook."""

    found: "Page"
    """What it shows, as typed values."""

    @property
    def figures(self) -> dict[str, Any]:
        """The same as plain values: what the page carries as JSON."""
        from nonresnet_hls.page.values import as_json

        return as_json(self.found)

    @cached_property
    def html(self) -> str:
        """The whole page."""
        from nonresnet_hls.page import html

        return html.render(self.found)

    def save(self, path: str | Path) -> Path:
        """Write the page.

        Raises:
            ArtefactError: its name does not end in .html.
        """
        from nonresnet_hls.pipeline import page as stage

        return stage.save(self.html, Path(path))

    def _repr_html_(self) -> str:
        import html

        # In a frame of its own, so that neither sees the other's styles and scripts.
        style = "width:100%;height:820px;border:0;border-radius:8px"
        text = html.escape(self.html, quote=True)
        return f'<iframe sandbox="allow-scripts" srcdoc="{text}" style="{style}"></iframe>'


@told
def page(
    *designs: Any,
    workspace: str | Path = ".",
    study: str | Path | None = None,
    title: str = "",
    output: str | Path | None = None,
) -> PageFile:
    """A page to look at: network and skips, FIFOs over time, deadlocks, resources, values, tables, trade-offs.

    Args:
        designs: recipes, project directories, models of Keras, ONNX or PyTorch or their files, or a `ModelGraph`.
        workspace: where recipes, and what stages found, are.
        study: the file of a study that was run, or its folder.
        title: of the page.
        output: where it is written, a .html file; None: nowhere. In a notebook it shows itself.

    Raises:
        RecipeError: nothing is named, or one twice.
        ConversionError: a design cannot be analysed.
        ArtefactError: what a stage or a study left was changed or is not what it should be.
        MissingExtraError: a page is to be written, and what writes it is not installed.
    """
    from nonresnet_hls.pipeline import page as stage

    if output is not None:  # before anything is done
        stage.check_target(Path(output))
        extras.require("altair", "vl-convert-python", "igraph", "Jinja2")
    found = PageFile(
        stage.gather(designs, Workspace(Path(workspace)), Hls(), None if study is None else Path(study), title)
    )
    if output is not None:
        found.save(output)
    return found
