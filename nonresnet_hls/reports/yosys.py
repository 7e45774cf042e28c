"""Yosys' `stat`, text and `-json`, of `synth_xilinx` and `synth_ecp5`; cells become resources as `yosys_cells` says.

Clock managers, I/O cells and transceivers take none of the resources. Where there is a cell that may take some and is
not known (generic `$_AND_` gates before mapping, another vendor's cells, a black box), the figures stay open and the
note names it: an incomplete sum would look whole.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Kind, Module, Report, Stage
from nonresnet_hls.yosys_cells import COSTS, FREE, HARD_BLOCK, OTHER_MEMORIES, SRL

_LARGEST_JSON = 8 * 2**20  # as objects it takes a dozen times as much
_VERSION = re.compile(r"Yosys ([0-9]+\.[0-9]+(?:\+[0-9]+)?)")
_SECTION = re.compile(r"=== (\S.*\S|\S) ===")
# "   Number of cells:    209" and "     LUT2     16" (to 0.4x); "  205 cells" and "  16   LUT2" (later). With
# -hierarchy two columns: with and without submodules; with a liberty file an area column follows the count.
_OLD = re.compile(r"(?:Number of )?(\S.{0,300}?):?\s{2,60}([0-9]{1,15})")
_NEW = re.compile(r"([0-9]{1,15}|-)((?:\s+(?:[0-9.e+]{1,20}|-))*)\s+(\S+(?: \S+){0,3})")


@dataclass
class _Counts:
    """One section of `stat`."""

    line: int
    cells: int | None = None
    by_type: dict[str, int] = field(default_factory=dict)


def read_yosys_json(source: Source, document: dict[str, Any]) -> Report:
    """`stat -json`.

    Raises:
        ReportError: not of the form that Yosys writes.
    """
    modules = document.get("modules")
    if not isinstance(modules, dict) or not modules:
        raise source.error(0, "wanted 'modules', Yosys' counts per module")
    counts = {_plain(name): _json_counts(source, name, value) for name, value in modules.items()}
    design = None
    if "design" in document:
        design = _json_counts(source, "design", document["design"])
    creator = document.get("creator")
    version = _VERSION.match(creator) if isinstance(creator, str) else None
    return _report(source, Kind.YOSYS_JSON, counts, design, version[1] if version else None, None)


def is_yosys(document: object) -> bool:
    """Whether a JSON document is Yosys' `stat -json` (and not its netlist, which has modules too)."""
    if not isinstance(document, dict) or not str(document.get("creator", "")).startswith("Yosys"):
        return False
    modules = document.get("modules")
    return "invocation" in document or (
        isinstance(modules, dict) and any(isinstance(m, dict) and "num_cells" in m for m in modules.values())
    )


def _plain(name: str) -> str:
    return name.removeprefix("\\")


def _json_counts(source: Source, name: str, value: object) -> _Counts:
    if not isinstance(value, dict) or not isinstance(value.get("num_cells_by_type"), dict):
        raise source.error(0, f"{q.quote(name)}: wanted num_cells_by_type")
    counts = _Counts(0)
    for cell, number in [("", value.get("num_cells")), *value["num_cells_by_type"].items()]:
        if isinstance(number, str) and number.isascii() and number.isdigit():  # with -hierarchy
            number = int(number) if len(number) < 17 else q.LARGEST
        if isinstance(number, dict):  # later versions with a liberty file: {"count": 3, "area": 1.5}
            number = number.get("count")
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < q.LARGEST:
            raise source.error(
                0, f"{q.quote(name)}: {cell or 'num_cells'}: wanted a count, got {q.quote(repr(number))}"
            )
        if cell:
            counts.by_type[_plain(cell)] = number
        else:
            counts.cells = number
    return counts


def read_yosys_text(source: Source) -> Report:
    """`stat` as text, alone or at the end of a log; of several, the last one.

    Raises:
        ReportError: truncated or corrupted.
    """
    lines = source.lines
    starts = [n for n, line in enumerate(lines) if line.rstrip().endswith("Printing statistics.")]
    start = starts[-1] if starts else 0
    version = next((m[1] for line in lines[:50] if (m := _VERSION.search(line))), None)
    modules: dict[str, _Counts] = {}
    tree: str | None = None
    design: _Counts | None = None
    here: _Counts | None = None
    for number in range(start, len(lines)):
        text = lines[number].strip()
        title = _SECTION.fullmatch(text)
        if title:
            if title[1] == "design hierarchy":
                here = design = _Counts(number)
            elif _plain(title[1]) in modules:
                raise source.error(number, f"a second section {q.quote(title[1])}; mixed up")
            else:
                here = modules[_plain(title[1])] = _Counts(number)
            continue
        if here is None or not text or text.startswith(("+--", "|")):
            continue
        entry = _entry(source, number, text)
        if entry is None:
            if here is design or not lines[number].startswith(" "):
                break  # the log goes on
            continue
        name, count = entry
        if here is design and design.cells is None and name in modules and tree is None:
            tree = name
        elif name == "cells":
            here.cells = count
        elif here.cells is not None and name not in {"submodules", "Estimated number of LCs"}:
            here.by_type[_plain(name)] = count
    if not modules:
        raise source.truncated("the first module of 'stat'")
    for name, counts in [*modules.items(), *([("design hierarchy", design)] if design else [])]:
        if counts.cells is None:
            raise source.error(counts.line, f"{q.quote(name)} has no number of cells; truncated or corrupted")
    return _report(source, Kind.YOSYS_TEXT, modules, design, version, tree)


def _entry(source: Source, line: int, text: str) -> tuple[str, int] | None:
    match = _NEW.fullmatch(text)
    if match:
        return match[3], 0 if match[1] == "-" else source.required(line, match[3], q.count, match[1])
    match = _OLD.fullmatch(text)
    if match:
        return match[1], source.required(line, match[1], q.count, match[2])
    return None


def _report(
    source: Source,
    kind: Kind,
    modules: dict[str, _Counts],
    design: _Counts | None,
    version: str | None,
    top: str | None,
) -> Report:
    for name, counts in modules.items():
        _check_sum(source, name, counts, modules)
    if top is None:
        instantiated = {cell for counts in modules.values() for cell in counts.by_type if cell in modules}
        tops = [name for name in modules if name not in instantiated]
        if len(tops) == 1:
            top = tops[0]
        elif design is None:
            raise source.error(0, f"{len(tops)} modules that no other one holds; run 'hierarchy -top' before 'stat'")
    if design is None:
        design = _Counts(0, None, _flattened(source, top or "", modules, {}))
    else:
        _check_sum(source, "design hierarchy", design, modules)
    resources, note = _resources(design.by_type, modules)
    return Report(
        path=source.name,
        kind=kind,
        stage=Stage.SYNTHESIZED,
        tool="Yosys",
        tool_version=version,
        top=top,
        note=note,
        modules=tuple(
            Module(name=name, **{f: v for f, v in _resources(counts.by_type, modules)[0].items() if f != "srl"})
            for name, counts in modules.items()
        ),
        **resources,
    )


def _check_sum(source: Source, name: str, counts: _Counts, modules: Mapping[str, _Counts]) -> None:
    """The types add up to the number of cells; older versions count instances of modules in it."""
    cells = sum(n for cell, n in counts.by_type.items() if cell not in modules)
    instances = sum(n for cell, n in counts.by_type.items() if cell in modules)
    if counts.cells not in {cells, cells + instances}:
        raise source.error(counts.line, f"{q.quote(name)}: {counts.cells} cells, the types add up to {cells}")


def _flattened(
    source: Source, top: str, modules: Mapping[str, _Counts], known: dict[str, dict[str, int]], depth: int = 0
) -> dict[str, int]:
    """The cells of `top` with those of its modules, as the "design hierarchy" would count them."""
    if depth > 100:
        raise source.error(0, f"{q.quote(top)}: modules nested deeper than 100")
    if top in known:
        return known[top]
    total: dict[str, int] = {}
    for cell, number in modules[top].by_type.items():
        inner = _flattened(source, cell, modules, known, depth + 1) if cell in modules else {cell: 1}
        for name, times in inner.items():
            total[name] = total.get(name, 0) + number * times
            if total[name] >= q.LARGEST:
                raise source.error(0, f"{q.quote(name)}: wanted a count below 2^53, got {total[name]:.1e}")
    known[top] = total
    return total


def _resources(by_type: Mapping[str, int], modules: Mapping[str, _Counts]) -> tuple[dict[str, Any], str | None]:
    """What the cells take, and a note on those that are not counted.

    A clock manager, an I/O cell or a transceiver takes none of the resources, known by name or not. Memories of
    another size leave the block RAM open, and a cell of which nothing is known leaves all open.
    """
    found: dict[str, int | None] = dict.fromkeys([*COSTS, "srl"], 0)
    unknown, memories = [], []
    for cell, number in by_type.items():
        costs = {name: cost[cell] for name, cost in COSTS.items() if cell in cost}
        if cell in SRL:
            costs["srl"] = 1
        for name, cost in costs.items():
            found[name] = (found[name] or 0) + cost * number
        if costs or cell in FREE or cell in modules or not number or HARD_BLOCK.fullmatch(cell):
            continue
        if cell in OTHER_MEMORIES:
            memories.append(f"{number} {cell} of {OTHER_MEMORIES[cell]}")
        else:
            unknown.append(cell)
    notes = []
    if memories:
        found["bram_18k"] = found["uram"] = None
        notes.append(f"no blocks of 18 Kbit: {', '.join(sorted(memories))}")
    if unknown:
        found = dict.fromkeys(found)
        named = ", ".join(sorted(unknown)[:5]) + (", ..." if len(unknown) > 5 else "")
        notes.append(f"cells that are not counted: {named}")
    return found, "; ".join(notes) or None


def load_json(source: Source) -> object:
    """The JSON document in a file.

    Raises:
        ReportError: it is none, or it is nested too deep.
    """
    if len(source.data) > _LARGEST_JSON:
        raise source.error(0, f"{len(source.data)} bytes; JSON reports above {_LARGEST_JSON} bytes are not read")
    try:
        return json.loads("\n".join(source.lines))
    except json.JSONDecodeError as error:
        raise source.error(error.lineno - 1, f"not JSON: {error.msg}; truncated or corrupted") from None
    except (RecursionError, ValueError) as error:
        raise source.error(0, f"not readable as JSON: {error}") from None
