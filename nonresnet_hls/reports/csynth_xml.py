"""`csynth.xml`, `<module>_csynth.xml` and `csynth_design_size.xml` of Vivado HLS and Vitis HLS.

    <profile>
      <ReportVersion><Version>2024.1</Version></ReportVersion>
      <UserAssignments><Part/><TopModelName/><TargetClockPeriod/>...</UserAssignments>
      <PerformanceEstimates>...</PerformanceEstimates>
      <AreaEstimates><Resources/><AvailableResources/></AreaEstimates>
      <ModuleInformation><Module>...</Module></ModuleInformation>      (csynth.xml of Vitis HLS)

The XML does not name the tool. It writes "undef" where the text writes "?".
"""

from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.csynth_text import check_device
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import RESOURCES, Kind, Module, Report, Stage
from nonresnet_hls.reports.xmltree import Element

RESOURCE_TAGS = {
    "bram_18k": ("BRAM_18K", "BRAM"),
    "dsp": ("DSP", "DSP48E", "DSP48", "DSP48E1", "DSP48E2", "DSP58"),
    "ff": ("FF",),
    "lut": ("LUT",),
    "uram": ("URAM",),
}


def is_csynth(root: Element) -> bool:
    """Whether the tree is a C synthesis report."""
    return root.tag == "profile" and any(
        root.find(path) for path in ("AreaEstimates", "PerformanceEstimates", "UserAssignments")
    )


def read_csynth_xml(source: Source, root: Element) -> Report:
    """The whole report.

    Raises:
        ReportError: an element that the tool always writes is missing, or is no figure.
    """
    user = _needed(source, root, "UserAssignments")
    version = _needed(source, root, "ReportVersion/Version")
    tool_version = q.version(version.text)
    if tool_version is None:
        raise source.error(version.line, f"wanted the tool's version, got {q.quote(version.text)}")
    latency = _needed(source, root, "PerformanceEstimates/SummaryOfOverallLatency")
    estimate = _needed(source, root, "PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod")
    target = _needed(source, user, "TargetClockPeriod")
    uncertainty = _needed(source, user, "ClockUncertainty")
    unit_element = user.find("unit")
    unit = unit_element.text if unit_element else "ns"
    if unit not in {"ps", "ns", "us"}:
        raise source.error(user.line, f"unit: wanted ps, ns or us, got {q.quote(unit)}")
    pipeline = root.find("PerformanceEstimates/PipelineType") or latency.find("PipelineType")
    used = resources_of(source, _needed(source, root, "AreaEstimates/Resources"))
    available = resources_of(source, _needed(source, root, "AreaEstimates/AvailableResources"))
    if (used["uram"] is None) != (available["uram"] is None):
        raise source.error(root.line, "<URAM> among the used or the available resources only; truncated or mixed up")
    check_device(source, root.line, available)
    modules = root.find("ModuleInformation")
    return Report(
        path=source.name,
        kind=Kind.CSYNTH_XML,
        stage=Stage.CSYNTH,
        tool_version=tool_version,
        part=_text(source, _needed(source, user, "Part")),
        product_family=_text(source, _needed(source, user, "ProductFamily")),
        top=_text(source, _needed(source, user, "TopModelName")),
        pipeline_type=pipeline.text or None if pipeline else None,
        clock_target_ns=_period(source, target, unit),
        clock_uncertainty_ns=_period(source, uncertainty, unit),
        clock_estimate_ns=_period(source, estimate, unit),
        **_cycles(source, latency),
        **used,
        **{f"available_{name}": value for name, value in available.items()},
        modules=tuple(_module(source, m, unit) for m in modules.each("Module")) if modules else (),
    )


def read_design_size_xml(source: Source, root: Element) -> Report:
    """`csynth_design_size.xml`: how many instructions each compilation phase left; no hardware figures.

    Raises:
        ReportError: no tables in it.
    """
    if not any(True for _ in root.each("item")):
        raise source.error(root.line, "a design size report without tables")
    return Report(path=source.name, kind=Kind.DESIGN_SIZE, stage=Stage.CSYNTH)


def _needed(source: Source, parent: Element, path: str) -> Element:
    element = parent.find(path)
    if element is None:
        raise source.error(parent.line, f"<{parent.tag}> has no <{path}>; truncated or mixed up")
    return element


def _text(source: Source, element: Element) -> str:
    if not element.text:
        raise source.error(element.line, f"<{element.tag}> is empty")
    return element.text


def _period(source: Source, element: Element, unit: str) -> float | None:
    if not element.text:
        raise source.error(element.line, f"<{element.tag}> is empty")
    return source.figure(element.line, element.tag, lambda text: q.period_ns(text, unit), element.text)


def _count(source: Source, element: Element) -> int | None:
    if not element.text:
        raise source.error(element.line, f"<{element.tag}> is empty")
    return source.figure(element.line, element.tag, q.count, element.text)


def _cycles(source: Source, latency: Element) -> dict[str, Any]:
    """Latency and interval; the interval is written in one of three ways, by version and level."""
    found = {
        "latency_min_cycles": _count(source, _needed(source, latency, "Best-caseLatency")),
        "latency_max_cycles": _count(source, _needed(source, latency, "Worst-caseLatency")),
    }
    low, high = latency.find("Interval-min"), latency.find("Interval-max")
    if low is None or high is None:
        single = latency.find("PipelineInitiationInterval") or latency.find("DataflowPipelineThroughput")
        if single is None:
            raise source.error(latency.line, f"<{latency.tag}> has no interval; truncated or mixed up")
        range_of = single.find("range")
        low, high = (range_of.find("min"), range_of.find("max")) if range_of else (single, single)
        if low is None or high is None:
            raise source.error(single.line, f"<{single.tag}> has no <min> or no <max>")
    found["interval_min_cycles"] = _end(source, low, 0)
    found["interval_max_cycles"] = _end(source, high, -1)
    source.check_order(latency.line, found)
    return found


def _end(source: Source, element: Element, which: int) -> int | None:
    """One end of an interval, which may be written as "1 ~ 5"."""
    text = element.text.split("~")[which]
    if not text:
        raise source.error(element.line, f"<{element.tag}> is empty")
    return source.figure(element.line, element.tag, q.count, text)


def resources_of(source: Source, parent: Element) -> dict[str, Any]:
    """BRAM (18 Kbit), DSP, FF, LUT, URAM under `parent`; URAM is absent before the devices had it."""
    found: dict[str, Any] = {}
    for field, tags in RESOURCE_TAGS.items():
        present = [child for child in parent.children if child.tag in tags]
        if len(present) > 1:
            raise source.error(present[1].line, f"a second <{present[1].tag}>; mixed up")
        if not present:
            if field != "uram":
                raise source.error(parent.line, f"<{parent.tag}> has no <{tags[0]}>; truncated or mixed up")
            found[field] = None
            continue
        found[field] = _count(source, present[0])
        if found[field] is None:
            raise source.error(present[0].line, f"<{present[0].tag}>: wanted a count, got {present[0].text!r}")
    return found


def _module(source: Source, module: Element, unit: str) -> Module:
    name = _text(source, _needed(source, module, "Name"))
    latency = _needed(source, module, "PerformanceEstimates/SummaryOfOverallLatency")
    timing = _needed(source, module, "PerformanceEstimates/SummaryOfTimingAnalysis")
    target, estimate = timing.find("TargetClockPeriod"), timing.find("EstimatedClockPeriod")
    pipeline = latency.find("PipelineType")
    resources = module.find("AreaEstimates/Resources")
    used: dict[str, Any] = dict.fromkeys(RESOURCES)
    if resources is not None:
        for field, tags in RESOURCE_TAGS.items():
            present = next((child for child in resources.children if child.tag in tags), None)
            used[field] = _count(source, present) if present else None
    return Module(
        name=name,
        pipeline_type=pipeline.text or None if pipeline else None,
        clock_target_ns=_period(source, target, unit) if target else None,
        clock_estimate_ns=_period(source, estimate, unit) if estimate else None,
        **_cycles(source, latency),
        **used,
    )
