"""Reports as plain rows, for the formats that are written without pandas."""

from collections.abc import Iterable
from typing import Any

from nonresnet_hls.reports.compare import Comparison
from nonresnet_hls.reports.values import Fifo, Loop, Module, Report


def report_rows(reports: Iterable[Report]) -> list[dict[str, Any]]:
    """One row per record: `COLUMNS` and `DERIVED`, ready for JSON."""
    return [{**report.figures(), **report.derived()} for report in reports]


def module_rows(reports: Iterable[Report]) -> list[dict[str, Any]]:
    """One row per module of each record, with the record's design, stage and path."""
    return [_row(report, module) for report in reports for module in report.modules]


def loop_rows(reports: Iterable[Report]) -> list[dict[str, Any]]:
    """One row per loop of each record, with the record's design, stage and path."""
    return [
        {**_row(report, loop), "ii_violated": loop.ii_violated, **_remarks(report)}
        for report in reports
        for loop in report.loops
    ]


def fifo_rows(reports: Iterable[Report]) -> list[dict[str, Any]]:
    """One row per FIFO of each record, with the record's design, stage and path."""
    return [_row(report, fifo) for report in reports for fifo in report.fifos]


def _row(report: Report, part: Module | Loop | Fifo) -> dict[str, Any]:
    stage = report.stage.value if report.stage else None
    return {"design": report.design, "stage": stage, "path": report.path, **vars(part), **_remarks(report)}


def _remarks(report: Report) -> dict[str, Any]:
    """What a reader of the figures must know, and where reports disagree."""
    return {"note": report.note, "choices": report.choices}


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
            "note": note,
        }
        for comparison in comparisons
        for design, value, change, note in zip(
            comparison.designs, comparison.values, comparison.changes_percent, comparison.notes, strict=True
        )
    ]
