"""Results that show themselves in a notebook, and those that stages leave."""

import abc
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nonresnet_hls.api import charts
from nonresnet_hls.pipeline.runner import Artefact

if TYPE_CHECKING:
    import pandas as pd


class Shown(abc.ABC):
    """A result that is a table too: `frame`, which a notebook shows below a line that says what it is."""

    @property
    @abc.abstractmethod
    def rows(self) -> list[dict[str, Any]]:
        """The rows of the table."""

    @property
    def caption(self) -> str:
        """The line above it."""
        return ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a notebook shows; none: all. `frame` has all of them."""
        return ()

    @property
    def chart(self) -> str:
        """A small chart for a notebook, as SVG; empty: none."""
        return ""

    @property
    def frame(self) -> "pd.DataFrame":
        """The result as a pandas table."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002  # as IPython calls it
        """What IPython shows on a terminal."""
        printer.text(f"{self.caption}\n{self._brief().to_string(index=False, na_rep='')}")

    def _brief(self) -> "pd.DataFrame":
        frame = self.frame
        return frame[[*self.columns] or [*frame.columns]] if len(frame) else frame

    def _repr_html_(self) -> str:
        import html

        above = f"<p>{html.escape(self.caption)}</p>\n" if self.caption else ""
        frame = self._brief()
        table = frame.to_html(index=False, na_rep="", notebook=True) if len(frame) else ""
        return f'{above}{self.chart}\n<div style="max-height:26em;overflow:auto">{table}</div>'


@dataclass(frozen=True)
class Stage(Artefact, Shown):
    """What a stage left for a recipe: an artefact, and its figures as a table of one row."""

    name: str
    """Of the recipe."""

    @classmethod
    def of(cls, name: str, artefact: Artefact) -> "Stage":
        """The artefact of a recipe."""
        return cls(name=name, **cls.parts(artefact))

    @staticmethod
    def parts(artefact: Artefact) -> dict[str, Any]:
        """The fields of an artefact, by name."""
        return {field.name: getattr(artefact, field.name) for field in dataclasses.fields(Artefact)}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One: the name, and all figures that are single values."""
        plain = {k: v for k, v in self.figures.items() if v is None or isinstance(v, str | int | float | bool)}
        return [{"name": self.name, **plain}]

    @property
    def caption(self) -> str:
        """Stage, recipe, and where the files lie."""
        return f"{self.stage} of {self.name}: {self.directory}"


@dataclass(frozen=True)
class Training(Stage):
    """A trained float network."""

    metrics: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """`metrics.json`: top-1, epochs, seconds, ..."""

    @property
    def chart(self) -> str:
        """The loss over the epochs."""
        from nonresnet_hls.pipeline.train import losses_by_epoch

        return charts.curve("loss, epoch by epoch", losses_by_epoch(self))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One: the name and the metrics."""
        plain = {k: v for k, v in self.metrics.items() if v is None or isinstance(v, str | int | float | bool)}
        return [{"name": self.name, **plain}]


@dataclass(frozen=True)
class Comparison(Stage):
    """A C simulation beside Keras; a row for each kind of input."""

    @property
    def equal(self) -> bool:
        """Whether every value is."""
        return bool(self.figures["equal"])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Name, kind of inputs, samples, values and how many of them differ."""
        return [{"name": self.name, **part} for part in self.figures["input_sets"]]

    @property
    def caption(self) -> str:
        """The verdict."""
        verdict = "equal" if self.equal else f"{self.figures['different']} DIFFERENT"
        return f"{self.name}: {self.figures['values']} values, {verdict}; compared with {self.figures['reference']}"
