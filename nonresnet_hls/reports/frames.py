"""Reports as pandas tables with documented, typed columns.

Columns are the fields of `Report`, `Module`, `Loop` and `Fifo`, and what follows from them; their names carry the
units. Counts are `Int64`, times and powers `Float64`, texts `string`, truths `boolean`; what a report does
not say is `pandas.NA`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_type_hints

import pandas as pd

from nonresnet_hls.reports.compare import Comparison
from nonresnet_hls.reports.rows import fifo_rows, loop_rows, module_rows, report_rows
from nonresnet_hls.reports.values import COLUMNS, DERIVED, Fifo, Loop, Module, Report

_OF_WHICH = {"design": "string", "stage": "string", "path": "string"}
_REMARKS = {"note": "string", "choices": "string"}


def _dtypes(kind: type) -> dict[str, str]:
    types = {}
    for name, hint in get_type_hints(kind).items():
        text = str(hint)
        types[name] = (
            "boolean" if "bool" in text else "Int64" if "int" in text else "Float64" if "float" in text else "string"
        )
    return types


REPORT_DTYPES: Mapping[str, str] = {
    **{name: dtype for name, dtype in _dtypes(Report).items() if name in COLUMNS},
    **{name: "Int64" if name == "ii_violations" else "Float64" for name in DERIVED},
}
MODULE_DTYPES: Mapping[str, str] = {**_OF_WHICH, **_dtypes(Module), **_REMARKS}
LOOP_DTYPES: Mapping[str, str] = {**_OF_WHICH, **_dtypes(Loop), "ii_violated": "boolean", **_REMARKS}
FIFO_DTYPES: Mapping[str, str] = {**_OF_WHICH, **_dtypes(Fifo), **_REMARKS}


def _frame(rows: Sequence[Mapping[str, Any]], dtypes: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: pd.array([_cell(row[name]) for row in rows], dtype=dtype) for name, dtype in dtypes.items()}  # type: ignore[call-overload]
    )


def _cell(value: object) -> object:
    if value is None:
        return pd.NA
    return "; ".join(value) if isinstance(value, tuple) else value


def frame(reports: Iterable[Report]) -> pd.DataFrame:
    """One row per record, columns `COLUMNS` and `DERIVED` (`sources` and `choices` joined by semicolons)."""
    return _frame(report_rows(reports), REPORT_DTYPES)


def module_frame(reports: Iterable[Report]) -> pd.DataFrame:
    """`module_rows` as a table."""
    return _frame(module_rows(reports), MODULE_DTYPES)


def loop_frame(reports: Iterable[Report]) -> pd.DataFrame:
    """`loop_rows` as a table."""
    return _frame(loop_rows(reports), LOOP_DTYPES)


def fifo_frame(reports: Iterable[Report]) -> pd.DataFrame:
    """`fifo_rows` as a table."""
    return _frame(fifo_rows(reports), FIFO_DTYPES)


def comparison_frame(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Rows: stage and metric; columns: each design's value, and its change from the first in percent."""
    table: dict[str, list[object]] = {
        "stage": [comparison.stage.value for comparison in comparisons],
        "metric": [comparison.metric for comparison in comparisons],
    }
    designs = comparisons[0].designs if comparisons else ()
    for number, design in enumerate(designs):
        table[design] = [comparison.values[number] for comparison in comparisons]
        if number:
            table[f"{design} change_percent"] = [comparison.changes_percent[number] for comparison in comparisons]
    dtypes = {name: "string" if name in {"stage", "metric"} else "Float64" for name in table}
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    return _frame(rows, dtypes)
