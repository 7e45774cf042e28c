"""Tables that are pandas' own, with what else there is to be said of them. Imports pandas; import it in functions."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nonresnet_hls.reports import Report


class Table(pd.DataFrame):
    """A DataFrame; what is made of it (rows, columns, sums) is a plain one."""

    @property
    def frame(self) -> pd.DataFrame:
        """The table as a plain DataFrame."""
        return pd.DataFrame(self)


class Reports(Table):
    """Tools' reports, a row per design and stage."""

    _metadata = ("reports",)
    reports: Sequence[Report]
    """The same as typed values."""


class Hardware(Table):
    """Table II."""

    _metadata = ("costs",)
    costs: pd.DataFrame
    """What skips cost: each design beside the one without; the rows bear the index of the table's."""

    def _repr_html_(self) -> str:
        """The table, and below it what skips cost."""
        costs = getattr(self, "costs", None)
        below = "" if costs is None or costs.empty else f"<p>What the skips cost:</p>{costs.to_html(notebook=True)}"
        return f"{self.frame.to_html(notebook=True, na_rep='')}{below}"


def with_details(table: Table, **details: Any) -> Any:
    """A table with what else is known of it."""
    for name, value in details.items():
        object.__setattr__(table, name, value)
    return table
