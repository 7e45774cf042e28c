"""The header that all of Vivado's reports share, their sections and their stage.

| Tool Version : Vivado v.2019.2 (lin64) Build 2708876 Wed Nov  6 21:39:14 MST 2019
| Command      : report_utilization -file util.rpt
| Design       : design_1_wrapper
| Device       : 7z020clg400-1
| Design State : Routed
"""

import re
from dataclasses import dataclass
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Stage

_FIELD = re.compile(r"\|\s*([A-Z][A-Za-z ]{0,40}?)\s*:\s(.*)")
_NUMBERED = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})*)\.?\s+(\S.*)")
_LONGEST_FIELD = 2000
_UNDERLINE = re.compile(r"-{3,}")


@dataclass(frozen=True)
class Header:
    """What the header says; `end` is the line after it."""

    tool_version: str
    command: str
    design: str | None
    device: str | None
    state: str | None
    end: int


def read_header(source: Source) -> Header:
    """The first header in the file.

    Raises:
        ReportError: no header, none of a known version, or a second one (two reports in one file).
    """
    lines = source.lines
    starts = [number for number, line in enumerate(lines) if line.startswith("| Tool Version")]
    if not starts:
        raise source.error(0, "no line '| Tool Version'")
    if len(starts) > 1:
        raise source.error(starts[1], "a second report starts here; one file holds one report")
    fields: dict[str, tuple[int, str]] = {}
    number = starts[0]
    while number < len(lines) and lines[number].startswith("|"):
        match = _FIELD.fullmatch(lines[number][:_LONGEST_FIELD].strip())
        if match:
            fields.setdefault(match[1].lower(), (number, match[2].strip()))
        number += 1
    line, tool = fields.get("tool version", (starts[0], ""))
    version = q.version(tool)
    if version is None or "vivado" not in tool.lower():
        raise source.error(line, f"Tool Version: wanted Vivado and its version, got {q.quote(tool)}")
    for needed in ("command", "design", "device"):
        if not fields.get(needed, (0, ""))[1]:
            raise source.error(starts[0], f"the header has no {needed.capitalize()!r}; truncated or corrupted")
    return Header(
        tool_version=version,
        command=fields["command"][1],
        design=fields["design"][1],
        device=fields["device"][1],
        state=fields.get("design state", (0, ""))[1] or None,
        end=number,
    )


def stage_of(source: Source, header: Header) -> Stage | None:
    """The stage by the header's "Design State"; without one, by what the report says of its nets."""
    if header.state:
        state = " ".join(header.state.lower().split())
        for word, stage in (
            ("physopt", Stage.PHYSOPT),
            ("routed", Stage.ROUTED),
            ("placed", Stage.PLACED),
            ("optimized", Stage.OPTIMIZED),
            ("synthesized", Stage.SYNTHESIZED),
            ("elaborated", None),
        ):
            if word in state:
                return stage
        return None
    # Delay types in the paths: "net (fo=16, unplaced)", "(fo=2, estimated)", "(fo=4, routed)".
    for line in source.lines:
        if "net (fo=" in line:
            for word, stage in (
                ("unplaced)", Stage.SYNTHESIZED),
                ("estimated)", Stage.PLACED),
                ("routed)", Stage.ROUTED),
            ):
                if word in line:
                    return stage
    for word, stage in (("routed", Stage.ROUTED), ("placed", Stage.PLACED), ("synth", Stage.SYNTHESIZED)):
        if word in header.command.lower():
            return stage
    return None


def origin(source: Source, header: Header) -> dict[str, Any]:
    """The fields of a `Report` that say where its figures come from."""
    return {
        "path": source.name,
        "stage": stage_of(source, header),
        "tool": "Vivado",
        "tool_version": header.tool_version,
        "part": header.device,
        "top": header.design,
    }


def sections(source: Source, start: int) -> dict[str, int]:
    """Section titles in lower case and the line of each, checked against the table of contents.

    Raises:
        ReportError: the table of contents names a section that does not follow.
    """
    lines = source.lines
    number = start
    promised: list[tuple[int, str]] = []
    found: dict[str, int] = {}
    while number < len(lines) and lines[number].strip() != "Table of Contents":
        number += 1
    if number == len(lines):
        raise source.truncated("the table of contents")
    number += 1
    if number < len(lines) and _UNDERLINE.fullmatch(lines[number].strip()):
        number += 1
    while number < len(lines) and lines[number].strip():
        match = _NUMBERED.fullmatch(lines[number].strip())
        if not match:
            raise source.error(number, f"contents: wanted a numbered section, got {q.quote(lines[number])}")
        promised.append((number, " ".join(match[2].split()).lower()))
        number += 1
    while number + 1 < len(lines):
        match = _NUMBERED.fullmatch(lines[number].strip())
        if match and _UNDERLINE.fullmatch(lines[number + 1].strip()):
            found.setdefault(" ".join(match[2].split()).lower(), number)
        number += 1
    if not promised:
        raise source.truncated("the table of contents")
    for line, title in promised:
        if title not in found:
            raise source.error(line, f"the contents promise {q.quote(title)}, which does not follow; truncated")
    return found
