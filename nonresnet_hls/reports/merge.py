"""One row per design and stage, from all the reports that speak of it.

A design is a top in a solution (`layout`). Where reports of the same run disagree, the first in `_BELIEVED`
that gives a figure is believed and the row's `choices` say so. The XML of a C synthesis comes before its
text, because it is not rounded, and because for a top that is not pipelined Vivado HLS 2019.2 and 2020.1
print interval = latency in the text, where the next start is one cycle after the end (latency + 1, as the
XML has it).
"""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from nonresnet_hls import bounds
from nonresnet_hls.reports.export import IMPLEMENTED, SYNTHESIZED
from nonresnet_hls.reports.hls_log import logs_of_the_run
from nonresnet_hls.reports.layout import Place, place_of
from nonresnet_hls.reports.values import COLUMNS, Kind, Loop, Module, Report, Stage

_BELIEVED = (
    Kind.CSYNTH_XML,
    Kind.CSYNTH_TEXT,
    Kind.CSYNTH_SUMMARY,
    Kind.HLS_DATA,
    Kind.EXPORT_XML,
    Kind.EXPORT_TEXT,
    Kind.COSIM,
    Kind.COSIM_TRANSACTIONS,
    Kind.COSIM_LATENCY,
    Kind.UTILIZATION,
    Kind.UTILIZATION_SLR,
    Kind.UTILIZATION_HIERARCHICAL,
    Kind.UTILIZATION_KERNELS,
    Kind.TIMING_SUMMARY,
    Kind.TIMING_PATHS,
    Kind.POWER,
    Kind.NEXTPNR_LOG,
    Kind.QUARTUS_SUMMARY,
    Kind.QUARTUS_TIMING,
    Kind.ONEAPI_SUMMARY,
    Kind.YOSYS_JSON,
    Kind.YOSYS_TEXT,
    Kind.FINN_PERFORMANCE,
    Kind.FINN_RESOURCES,
    Kind.FINN_CYCLES,
    Kind.FINN_HLS,
    Kind.FINN_RTLSIM,
    Kind.FINN_POST_SYNTH,
    Kind.FINN_OUT_OF_CONTEXT,
    Kind.FINN_ALTERNATIVES,
    Kind.HLS_LOG,
)
_STAGES = tuple(Stage)
_CSYNTH = frozenset({Kind.CSYNTH_XML, Kind.CSYNTH_TEXT, Kind.CSYNTH_SUMMARY, Kind.HLS_DATA})
# These do not differ because reports disagree.
_OWN = frozenset(
    {"path", "kind", "design", "stage", "top", "note", "sources", "choices", "part", "tool", "product_family"}
)
# They say nothing of the design's hardware: instructions that HLS counts, layers as they might have been.
NO_FIGURES = frozenset({Kind.DESIGN_SIZE, Kind.FINN_ALTERNATIVES})
# A run may have several, with other settings.
_SEVERAL_OF_A_RUN = frozenset({Kind.POWER, Kind.TIMING_PATHS})
_OF_THE_WHOLE = re.compile(r"(?:^|/)(?:csynth\.(?:xml|rpt)|hls_compile\.rpt)$")
_INSTANCE = re.compile(r"(?:_fu_[0-9]+|_U[0-9]+)$")
_IP_RUN = re.compile(r"\.runs/[^/]+_synth_[0-9]+/")
# Words in file names that tell the kind of report, not the design.
_KIND_WORDS = re.compile(
    r"(?i)(?:^|[_.-])(?:report|reports|utilization|utilisation|util|timing|summary|power|csynth|synthed|synth|syn|impl|"
    r"export|cosim|hierarchical|hier|full|slr|kernel|optimized|opt|placed|routed|performance|result|transaction|"
    r"lat|estimate|layer|network|resources|cycles|stat|vivado|vitis|hls|design|size|[0-9])(?=$|[_.-])"
)
# What is said together, by the logs of one run's steps, and by reports with columns of their own.
_TOGETHER: dict[str, Callable[[list[Any]], Any]] = {
    "finished": all,
    "error_count": sum,
    "steps": lambda several: tuple(dict.fromkeys(text for texts in several for text in texts)),
    "other_columns": lambda several: tuple(dict.fromkeys(text for texts in several for text in texts)),
}
_APP_TOP = re.compile(r'<(?:\w+:)?project\b[^>]{0,2000}?\btop="([^"]{1,200})"')


Part = TypeVar("Part", Module, Loop)


def merge(reports: Iterable[Report]) -> list[Report]:
    """One record of kind `merged` per design and stage, in the order of designs and stages.

    `design` is the project's folder relative to the argument, with solution or top where it holds several.
    Records of different arguments are never merged.
    """
    rows: list[Report] = []
    by_argument: dict[str, list[Report]] = defaultdict(list)
    for report in reports:
        if report.kind is Kind.MERGED:
            raise ValueError(f"{report.design}: already merged")
        by_argument[report.argument].append(report)
    for argument, group in by_argument.items():
        rows += _merged(argument, group)
    return _told_apart(rows)


def _merged(argument: str, group: Sequence[Report]) -> list[Report]:
    base = Path(os.path.abspath(argument))  # noqa: PTH100 (links stay as they are)
    file = base.is_file()
    places = {report.path: place_of(base if file else base / report.path) for report in group}
    places |= _copies(group, places)
    solutions: dict[Path, set[Path]] = defaultdict(set)
    for place in places.values():
        if place.solution is not None:
            solutions[place.root].add(place.solution)
    # What lies beside the only solution of a project speaks of that solution.
    groups: dict[Place, list[Report]] = defaultdict(list)
    for report in group:
        place = places[report.path]
        if place.solution is None and len(solutions[place.root]) == 1:
            solution = next(iter(solutions[place.root]))
            place = next(other for other in places.values() if other.solution == solution)
        groups[place].append(report)
    rows: list[Report] = []
    for place, members in groups.items():
        if place.solution is not None:
            alone = len({s for other in groups if other.title == place.title and (s := other.solution)}) == 1
            name = _folder(base, place.title if alone else place.solution)
        else:
            name = base.stem if file else _folder(base, place.title)
        rows += _rows(name, place, members)
    return _told_apart_by_path(
        sorted(rows, key=lambda row: (row.design or "", _STAGES.index(row.stage or Stage.CSYNTH)))
    )


def _copies(group: Sequence[Report], places: Mapping[str, Place]) -> dict[str, Place]:
    """Where reports that lie outside of every solution, and say what one in the only such solution says, belong.

    Vitis copies the reports of a solution into folders of its own (`hls_reports`), hls4ml into `final_reports`.
    """
    inside: dict[tuple[object, ...], set[Place]] = defaultdict(set)
    for report in group:
        if report.kind in _CSYNTH and places[report.path].solution is not None:
            inside[report.kind, report.top, *_figures_key(report)].add(places[report.path])
    found = {}
    for report in group:
        if report.kind in _CSYNTH and places[report.path].solution is None:
            originals = inside.get((report.kind, report.top, *_figures_key(report)), set())
            if len(originals) == 1:
                found[report.path] = next(iter(originals))
    return found


def _folder(base: Path, folder: Path) -> str:
    relative = Path(os.path.relpath(folder, base))
    if relative == Path():
        return base.name or str(base)
    return folder.name if relative.parts[0] == ".." else relative.as_posix()


def _rows(name: str, place: Place, members: Sequence[Report]) -> list[Report]:
    """The rows of one solution, or of one folder of loose reports."""
    tops = _tops(place, members)
    if not tops:
        others = {report.top for report in members if report.top}
        tops = list(others) if len(others) == 1 else []
    main = tops[0] if tops else None
    modules = [report for report in members if report.kind in _CSYNTH and report.top not in tops]
    designs: dict[tuple[str | None, Stage], list[Report]] = defaultdict(list)
    for report in members:
        if report.kind not in NO_FIGURES | {Kind.HLS_LOG} and report not in modules and report.stage:
            designs[_top_of(report, tops, main), report.stage].append(report)
    logs = logs_of_the_run([report for report in members if report.kind is Kind.HLS_LOG])
    if logs:
        # A failed run leaves nothing but its log: a row without figures.
        designs[main, Stage.CSYNTH] += logs
    designs = _with_wrapper(designs, tops, main)
    named = {top for top, _ in designs}
    rows = []
    for (top, stage), group in designs.items():
        label = name if len(named) == 1 or top == main or top is None else f"{name}:{top}"
        for suffix, run in _runs(place, stage, top, group):
            rows.append(_row(f"{label}{suffix}", stage, top, run, modules if top == main else []))
    clocks = {row.clock_ns for row in rows if row.stage is Stage.CSYNTH and row.clock_ns is not None}
    if len(clocks) == 1:
        (clock,) = clocks
        rows = [
            replace(row, assumed_clock_ns=clock) if row.stage is Stage.COSIM and row.clock_ns is None else row
            for row in rows
        ]
    return rows


Designs = dict[tuple[str | None, Stage], list[Report]]


def _with_wrapper(designs: Designs, tops: Sequence[str], main: str | None) -> Designs:
    """The stages of the one other top that Vivado built around (or from) the design, as the design's own.

    A board's project wraps the design that HLS made (`design_1_wrapper`): what is placed and routed is the wrapper.
    Where both have reached the same stage, they stay apart.
    """
    others = {top for (top, _), group in designs.items() if top not in tops and not all(map(_is_of_an_ip, group))}
    if main is None or len(others) != 1:
        return designs
    (other,) = others
    stages = {stage for top, stage in designs if top == other}
    if any((main, stage) in designs for stage in stages):
        return designs
    found: Designs = {}
    for (top, stage), group in designs.items():
        if top == other:
            remark = f"the figures are of the top {other}, not of {main} alone"
            found[main, stage] = [replace(r, note="; ".join(filter(None, (remark, r.note)))) for r in group]
        else:
            found[top, stage] = group
    return found


def _is_of_an_ip(report: Report) -> bool:
    """Whether Vivado synthesized an IP on its own, for a board's design: `project.runs/<ip>_synth_1/`."""
    return _IP_RUN.search(report.path) is not None


def _tops(place: Place, members: Sequence[Report]) -> list[str]:
    """The tops among the modules that the C synthesis reports speak of, the project's own first."""
    csynth = [report for report in members if report.kind in _CSYNTH and report.top]
    named = list(dict.fromkeys(report.top for report in csynth if report.top))
    if place.solution is not None:
        # csynth.xml and csynth.rpt are called after no module: they are the solution's.
        whole = [r.top for r in csynth if r.top and (r.kind is Kind.HLS_DATA or _OF_THE_WHOLE.search(r.path))]
        told = _top_in_app(place.solution)
        if whole:
            return [whole[0]]
        if told in named:
            return [told]
    inner = {module.name for report in csynth for module in report.modules}
    outer = [top for top in named if top not in inner]
    return outer or named


@lru_cache(maxsize=256)
def _top_in_app(solution: Path) -> str:
    """The top that the project's own file (`vivado_hls.app`, `hls.app`) names."""
    for name in ("hls.app", "vivado_hls.app"):
        file = solution.parent / name
        try:
            with bounds.open_plain(file) as stream:
                text = stream.read(20_000).decode("utf-8", "replace")
        except OSError:
            text = ""
        match = _APP_TOP.search(text)
        if match:
            return match[1]
    return ""


def _top_of(report: Report, tops: Sequence[str], main: str | None) -> str | None:
    """The design's top: Vivado wraps an exported design in `bd_0_wrapper`; some reports name none."""
    if report.top is not None and report.top not in tops:
        # In the folders of Vivado's runs the wrapper and the design in it have reports of their own.
        wrapped = report.top == "bd_0_wrapper" and ".runs/" not in report.path
        return main if wrapped and main else report.top
    if report.top is not None:
        return report.top
    stem = report.path.rsplit("/", 1)[-1]
    longest_first = sorted(tops, key=len, reverse=True)
    return next((top for top in longest_first if stem.startswith((f"{top}_", f"{top}."))), main)


def _runs(place: Place, stage: Stage, top: str | None, group: Sequence[Report]) -> list[tuple[str, list[Report]]]:
    """Reports of several runs that lie side by side, told apart by their folders, or by the rest of their names.

    `a_util.rpt`, `a_timing.rpt`, `b_util.rpt` of the same top at the same stage are two runs. Within a
    solution HLS ran once: a second report of a kind (of the export, say) speaks of the same. So do two power
    reports or two lists of paths: Vivado writes as many of them as one asks for.
    """
    if place.solution is not None and stage in {Stage.CSYNTH, Stage.EXPORT, Stage.COSIM}:
        return [("", list(group))]
    if _is_one_run(group):
        return [("", list(group))]
    by_folder: dict[str, list[Report]] = defaultdict(list)
    for report in group:
        by_folder[report.path.rpartition("/")[0]].append(report)
    shared = os.path.commonpath(list(by_folder))
    found = []
    for folder, members in by_folder.items():
        suffix = folder.removeprefix(shared).strip("/")
        found += [(f"/{suffix}{more}" if suffix else more, run) for more, run in _runs_by_name(top, members)]
    return found


def _is_one_run(group: Sequence[Report]) -> bool:
    """Whether no two reports of a kind that a run has one of say something else."""
    kinds: dict[Kind, set[object]] = defaultdict(set)
    for report in group:
        if report.kind is not Kind.HLS_LOG and report.kind not in _SEVERAL_OF_A_RUN:  # `logs_of_the_run` has chosen
            kinds[report.kind].add(_figures_key(report))
    return all(len(figures) == 1 for figures in kinds.values())


def _runs_by_name(top: str | None, group: Sequence[Report]) -> list[tuple[str, list[Report]]]:
    if _is_one_run(group):
        return [("", list(group))]
    by_stem: dict[str, list[Report]] = defaultdict(list)
    for report in group:
        stem = _KIND_WORDS.sub("", report.path.rsplit("/", 1)[-1].rsplit(".", 1)[0]).strip("_.-")
        by_stem["" if stem == top or report.kind is Kind.HLS_LOG else stem].append(report)
    unnamed = by_stem.pop("", [])
    if len(by_stem) <= 1:
        candidates = [("", [report for runs in by_stem.values() for report in runs] + unnamed)]
    else:
        candidates = [(f"/{stem}", runs) for stem, runs in sorted(by_stem.items())]
        candidates += [("", unnamed)] if unnamed else []
    found = []
    for suffix, run in candidates:
        if _is_one_run(run):
            found.append((suffix, run))
        else:
            found += [(f"/{report.path.rsplit('/', 1)[-1]}", [report]) for report in run]
    return found


def _figures_key(report: Report) -> tuple[object, ...]:
    return tuple(getattr(report, name) for name in COLUMNS if name not in _OWN)


def _row(name: str, stage: Stage, top: str | None, group: Sequence[Report], modules: Sequence[Report]) -> Report:
    ordered = sorted(group, key=_belief)
    first = ordered[0]
    figures: dict[str, Any] = {}
    choices: list[str] = []
    for column in COLUMNS:
        if column in {"path", "kind", "design", "stage", "top", "note", "sources", "choices", "out_of_context"}:
            continue
        given = [(r, getattr(r, column)) for r in ordered if getattr(r, column) not in (None, ())]
        if not given:
            continue
        source, value = given[0]
        figures[column] = value
        if column in _TOGETHER:
            figures[column] = _TOGETHER[column]([value for _, value in given])
            continue
        others = (r for r, v in given[1:] if _differ(column, value, v) and r.kind is not Kind.HLS_LOG)
        # After synthesis and after place and route an export has other figures; nothing disagrees.
        other = next((r for r in others if not {source.note, r.note} >= {IMPLEMENTED, SYNTHESIZED}), None)
        if other is not None and column not in _OWN:
            choices.append(f"{column}: {value} of {source.path}, not {getattr(other, column)} of {other.path}")
    figures.setdefault("tool", _tool_by_version(figures.get("tool_version")) if stage is Stage.CSYNTH else None)
    notes = dict.fromkeys(report.note for report in ordered if report.note)
    if first.note == IMPLEMENTED:
        notes.pop(SYNTHESIZED, None)
    return Report(
        path=first.path,
        kind=Kind.MERGED,
        design=name,
        stage=stage,
        top=top,
        note="; ".join(notes) or None,
        out_of_context=all(map(_is_of_an_ip, ordered)),
        sources=tuple(report.path for report in ordered),
        choices=tuple(choices),
        argument=first.argument,
        modules=_all_modules(ordered, modules if stage is Stage.CSYNTH else []),
        loops=_all_loops([*sorted([*ordered, *modules], key=_belief)] if stage is Stage.CSYNTH else ordered),
        fifos=_all_fifos([*ordered, *modules] if stage is Stage.CSYNTH else ordered),
        **figures,
    )


def _differ(column: str, value: Any, other: Any) -> bool:
    # The table of the co-simulation has whole averages, its list of transactions gives exact ones.
    return bool(abs(value - other) >= 1) if column.endswith("_avg_cycles") else bool(value != other)


def _belief(report: Report) -> tuple[int, int, int, str]:
    routed_first = 0 if report.note == IMPLEMENTED else 1
    by_activity = 0 if report.kind is Kind.POWER and "saif" in report.path.rsplit("/", 1)[-1].lower() else 1
    return (
        routed_first if report.stage is Stage.EXPORT else 0,
        _BELIEVED.index(report.kind),
        by_activity,  # simulated activity is nearer to the truth than Vivado's default
        report.path,
    )


def _tool_by_version(version: str | None) -> str | None:
    """An XML names no tool; but Vivado HLS ends with 2020.1, with which Vitis HLS begins."""
    if version is None or version.startswith("2020.1"):
        return None
    return "Vivado HLS" if version < "2020.1" else "Vitis HLS"


def _all_modules(ordered: Sequence[Report], own: Sequence[Report]) -> tuple[Module, ...]:
    """Every module once: by its own report (believed first), else as an instance in another one's.

    In a hierarchical utilization every instance counts for itself.
    """
    by_instance = any(report.kind is Kind.UTILIZATION_HIERARCHICAL for report in ordered)
    found: dict[str, Module] = {}
    own = sorted(own, key=_belief)
    shared = [name for name in Module.__dataclass_fields__ if name not in {"name", "instance"}]
    for report in own:
        module = Module(
            name=report.top or "", **{name: getattr(report, name) for name in shared if hasattr(report, name)}
        )
        found[module.name] = _completed(found.get(module.name), module)
    listed = [(report, module) for report in [*ordered, *own] for module in report.modules]
    for number, (report, module) in enumerate(listed):
        key = f"{number}" if by_instance else module.name
        if report.kind is Kind.CSYNTH_SUMMARY and key not in found:
            # It names what other reports call modules by their instances: `grp_dense_s_fu_186`, `dense_U0`.
            called = _INSTANCE.sub("", module.name.removeprefix("grp_"))
            if called in found:
                key, module = called, replace(module, name=called)
        found[key] = _completed(found.get(key), module)
    if not by_instance and ordered[0].stage is Stage.CSYNTH:
        found.pop(ordered[0].top or "", None)  # the design is no module of its own
    return tuple(found.values())


def _completed(believed: Part | None, other: Part) -> Part:
    if believed is None:
        return other
    missing = {name for name in vars(believed) if getattr(believed, name) in (None, ())}
    return replace(believed, **{name: getattr(other, name) for name in missing})


def _all_loops(reports: Sequence[Report]) -> tuple[Loop, ...]:
    """Every loop once, in the order of the modules; what the believed report leaves open is another one's."""
    found: dict[tuple[str | None, str, int], Loop] = {}
    for report in reports:
        times: dict[tuple[str | None, str], int] = defaultdict(int)
        for loop in report.loops:
            which = (loop.module, loop.name)
            key = (*which, times[which])
            times[which] += 1
            found[key] = _completed(found.get(key), loop)
    return tuple(found.values())


def _all_fifos(reports: Sequence[Report]) -> tuple[Any, ...]:
    """The FIFOs of the top and of its modules."""
    return tuple(fifo for report in reports for fifo in report.fifos)


def _told_apart_by_path(rows: list[Report]) -> list[Report]:
    """Two designs that would be called alike are called after their reports."""
    times: dict[tuple[str | None, Stage | None], int] = defaultdict(int)
    for row in rows:
        times[row.design, row.stage] += 1
    return [
        row if times[row.design, row.stage] == 1 else replace(row, design=f"{row.design}/{row.path}") for row in rows
    ]


def _told_apart(rows: list[Report]) -> list[Report]:
    """Designs of several arguments that are called alike are called after their arguments."""
    arguments: dict[str | None, set[str]] = defaultdict(set)
    designs: dict[str, set[str | None]] = defaultdict(set)
    for row in rows:
        arguments[row.design].add(row.argument)
        designs[row.argument].add(row.design)
    return [
        row
        if len(arguments[row.design]) == 1
        else replace(row, design=row.argument if len(designs[row.argument]) == 1 else f"{row.argument}:{row.design}")
        for row in rows
    ]
