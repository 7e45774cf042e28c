"""What `export_design -flow syn` or `-flow impl` writes: Vivado's figures for the exported design.

Implementation tool: Xilinx Vivado v.2019.2
Device target:       xczu5ev-sfvc784-2LV-e
#=== Post-Synthesis Resource usage ===          or Post-Implementation
LUT:          26083
BRAM:            54                             blocks of 18 Kbit
#=== Final timing ===
CP required:    5.000
CP achieved post-synthesis:    4.303
CP achieved post-implementation:    4.840       after -flow impl only
Timing met
"""

import re
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.csynth_xml import RESOURCE_TAGS
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Kind, Report, Stage
from nonresnet_hls.reports.xmltree import Element

_KEY = re.compile(r"([A-Za-z][A-Za-z -]{0,40}?)\s*:\s*(.*)")
RESOURCES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM", "uram": "URAM", "srl": "SRL"}
NEEDED = ("lut", "ff", "dsp", "bram_18k", "srl")
_LONGEST_KEY = 1000
_VERDICTS = {"timing met", "timing not met", "no sequential path"}
IMPLEMENTED = "after place and route"
SYNTHESIZED = "after synthesis"


def read_export_text(source: Source) -> Report:
    """`<top>_export.rpt`, `export_syn.rpt`, `export_impl.rpt`.

    Raises:
        ReportError: truncated, mixed up or corrupted.
    """
    values: dict[str, tuple[int, str]] = {}
    usage = None
    verdict = False
    for number, text in enumerate(line.strip() for line in source.lines):
        match = _KEY.fullmatch(text[:_LONGEST_KEY])
        if text.startswith("#==="):
            if "resource usage" in text.lower():
                usage = text.lower()
        elif match:
            key = " ".join(match[1].split()).lower()
            if key.startswith("cp achieved post-impl"):  # "post-implemetation" in old versions
                key = "cp achieved post-implementation"
            if key in values:
                raise source.error(number, f"a second {match[1]!r}; mixed up")
            values[key] = (number, match[2].strip())
        elif text.lower() in _VERDICTS:
            verdict = True
    line, tool = values.get("implementation tool", (0, ""))
    version = q.version(tool)
    if version is None or "vivado" not in tool.lower():
        raise source.error(line, f"Implementation tool: wanted Vivado and its version, got {q.quote(tool)}")
    if usage is None:
        raise source.truncated("the resource usage")
    used: dict[str, Any] = {}
    for field, key in RESOURCES.items():
        if key.lower() in values:
            line, text = values[key.lower()]
            used[field] = source.required(line, key, q.count, text)
        elif field in NEEDED or (field == "uram" and version >= "2018.2"):  # before, only where it is not 0
            raise source.truncated(f"{key!r}")
    if "cp required" not in values or "cp achieved post-synthesis" not in values or not verdict:
        raise source.truncated("the final timing")
    routed = "post-implementation" in usage
    achieved = "cp achieved post-implementation" if routed else "cp achieved post-synthesis"
    if achieved not in values:
        raise source.truncated(achieved)
    device = values.get("device target", (0, ""))[1]
    if not device:
        raise source.error(0, "no line 'Device target:'")
    return Report(
        path=source.name,
        kind=Kind.EXPORT_TEXT,
        stage=Stage.EXPORT,
        tool="Vivado",
        tool_version=version,
        part=device,
        clock_target_ns=source.required(values["cp required"][0], "CP required", q.decimal, values["cp required"][1]),
        clock_estimate_ns=source.figure(values[achieved][0], achieved, q.decimal, values[achieved][1]),
        note=IMPLEMENTED if routed else SYNTHESIZED,
        **used,
    )


def is_export(root: Element) -> bool:
    """Whether the tree is the report of an export."""
    return root.tag == "profile" and (root.find("AreaReport") or root.find("TimingReport")) is not None


def read_export_xml(source: Source, root: Element) -> Report:
    """`<top>_export.xml`, `export_syn.xml`, `export_impl.xml`.

    Raises:
        ReportError: an element that the tool always writes is missing, or is no figure.
    """
    timing, used = root.find("TimingReport"), root.find("AreaReport/Resources")
    limits = root.find("AreaReport/AvailableResources")
    if timing is None or used is None or limits is None:
        raise source.error(
            root.line,
            "wanted <TimingReport>, <AreaReport>, <Resources>, <AvailableResources>; truncated",
        )
    figures: dict[str, Any] = {}
    for field, key in RESOURCES.items():
        element = used.find(key)
        if element is not None:
            figures[field] = source.required(element.line, key, q.count, element.text)
        elif field in NEEDED:
            raise source.error(used.line, f"<Resources> has no <{key}>")
    for field, tags in RESOURCE_TAGS.items():
        element = next((e for e in limits.children if e.tag in tags), None)
        if element is not None:
            figures[f"available_{field}"] = source.required(element.line, element.tag, q.count, element.text)
        elif field in figures and field != "uram":  # not every device has it
            raise source.error(limits.line, f"<AvailableResources> has no <{tags[0]}>; truncated or mixed up")
        if element is not None and field not in figures:
            raise source.error(used.line, f"<Resources> has no <{tags[0]}>; truncated or mixed up")
    target, achieved = timing.find("TargetClockPeriod"), timing.find("AchievedClockPeriod")
    if target is None or achieved is None:
        raise source.error(timing.line, "<TimingReport> has no <TargetClockPeriod> or no <AchievedClockPeriod>")
    slack = timing.find("WNS_FINAL")
    version, run = root.find("RunData/VIVADO_VERSION"), root.find("RunData/RUN_TYPE")
    return Report(
        path=source.name,
        kind=Kind.EXPORT_XML,
        stage=Stage.EXPORT,
        tool="Vivado" if version else None,
        tool_version=q.version(version.text) if version else None,
        clock_target_ns=source.required(target.line, target.tag, q.decimal, target.text),
        clock_estimate_ns=source.figure(achieved.line, achieved.tag, q.decimal, achieved.text),
        wns_ns=source.figure(slack.line, slack.tag, q.decimal, slack.text) if slack else None,
        note={"impl": IMPLEMENTED, "synth": SYNTHESIZED, "syn": SYNTHESIZED}.get(run.text.lower()) if run else None,
        **figures,
    )
