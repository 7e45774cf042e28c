"""Reports as plain rows, for the formats that are written without pandas."""

from collections.abc import Iterable
from typing import Any

from nonresnet_hls.reports.compare import Comparison
from nonresnet_hls.reports.values import Fifo, Module, Report


def report_rows(reports: Iterable[Report]) -> list[dict[str, Any]]:
    """One row per record: the fields of `COLUMNS`, ready for JSON."""
    return [report.figures() for report in reports]


def module_rows(reports: Iterable[Report]) -> list[dict[str, Any]]:
    """One row per module of each record, with the record's design, stage and path."""
    return [_row(report, module) for report in reports for module in report.modules]


def fifo_rows(reports: Iterable[Report]) -> list[dict[str, Any]]:
    """One row per FIFO of each record, with the record's design, stage and path."""
    return [_row(report, fifo) for report in reports for fifo in report.fifos]


def _row(report: Report, part: Module | Fifo) -> dict[str, Any]:
    stage = report.stage.value if report.stage else None
    return {"design": report.design, "stage": stage, "path": report.path, **vars(part)}


def comparison_rows(comparisons: Iterable[Comparison]) -> list[dict[str, Any]]:
    """One row per stage, metric and design; the change is relative to the first design, in percent."""
    return [
        {
            "stage": comparison.stage.value,
            "metric": comparison.metric,
            "design": design,
            "value": value,
            "baseline": comparison.designs[0],
            "change_percent": change,
        }
        for comparison in comparisons
        for design, value, change in zip(comparison.designs, comparison.values, comparison.changes_percent, strict=True)
    ]
