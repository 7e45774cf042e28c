"""Finding the reports below a folder."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nonresnet_hls.errors import ReportError
from nonresnet_hls.reports.hls4ml_project import annotate
from nonresnet_hls.reports.layout import is_hls4ml
from nonresnet_hls.reports.other_tools import OtherReport, what_is
from nonresnet_hls.reports.reader import read_file
from nonresnet_hls.reports.source import head_of
from nonresnet_hls.reports.values import Report

TOOLS = ("Vivado HLS", "Vitis HLS", "Vivado", "FINN", "Yosys", "nextpnr", "Quartus")
# `.autopilot` is the working memory of the HLS tools: thousands of files, the reports among them are copies.
_NO_REPORTS_IN = frozenset({".autopilot", ".git", ".hg", ".svn", "__pycache__", "node_modules"})


@dataclass(frozen=True)
class Scan:
    """All reports below one argument, and the errors of those that could not be read."""

    reports: tuple[Report, ...]
    errors: tuple[ReportError, ...]
    files: int = 1  # that were looked at
    others: tuple[OtherReport, ...] = ()  # reports of tools that are not read
    projects: tuple[str, ...] = ()  # folders of hls4ml projects in which no tool has left anything


def scan(path: str | os.PathLike[str]) -> Scan:
    """Every report in `path`, a file or a folder, in the order of the paths.

    A file below a folder that is no report is passed over; a broken report becomes one of `errors`.

    Raises:
        ReportError: `path` does not exist; or it is a file and no report, or a broken one.
    """
    argument = os.fspath(path)
    base = Path(argument)
    if not base.exists():
        raise ReportError(f"{argument}: no such file or folder")
    if not base.is_dir():
        report = read_file(base, argument)
        if report is None:
            other = what_is(head_of(base), base.name)
            said = f"{other}, which is not read" if other else f"not a report of {', '.join(TOOLS)} that is known"
            raise ReportError(f"{argument}: {said}")
        return Scan((annotate(report.at(base.name, argument), base),), ())
    reports: list[Report] = []
    errors: list[ReportError] = []
    others: list[OtherReport] = []
    count = 0
    for file in _files(base):
        count += 1
        # A name that is no UTF-8 is shown with its bytes escaped.
        relative = os.fsencode(file.relative_to(base).as_posix()).decode("utf-8", "backslashreplace")
        try:
            report = read_file(file, relative)
        except ReportError as error:
            errors.append(error)
            continue
        if report is not None:
            reports.append(annotate(report.at(relative, argument), file))
        elif (other := what_is(head_of(file), relative)) is not None:
            others.append(OtherReport(relative, other))
    return Scan(
        tuple(sorted(reports, key=lambda report: report.path)),
        tuple(errors),
        count,
        tuple(others),
        _without_reports(base, reports),
    )


def _without_reports(base: Path, reports: list[Report]) -> tuple[str, ...]:
    """The hls4ml projects in which no tool has left a report or a log."""
    told = [base / report.path for report in reports]
    found = []
    for folder, folders, names in os.walk(base):
        folders[:] = sorted(name for name in folders if name not in _NO_REPORTS_IN)
        if "firmware" in folders and is_hls4ml(Path(folder)) and "build_prj.tcl" in names:
            folders[:] = []
            if not any(Path(folder) in path.parents for path in told):
                found.append(Path(folder).relative_to(base).as_posix())
    return tuple(found)


def read(path: str | os.PathLike[str]) -> list[Report]:
    """Every report in `path`, a file or a folder.

    Raises:
        ReportError: the first that `scan` meets; use `scan` to have the others nevertheless.
    """
    found = scan(path)
    if found.errors:
        raise found.errors[0]
    return list(found.reports)


def _files(base: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(base):
        # `impl/misc/hls_files` is the archive that Vitis packs into an exported kernel: a copy of the component.
        archive = {"hls_files"} if Path(folder).name == "misc" else set()
        folders[:] = sorted(name for name in folders if name not in _NO_REPORTS_IN | archive)
        for name in sorted(names):
            yield Path(folder, name)
