"""Vivado HLS and Vitis HLS as engines: called as hls4ml calls them, watched, and held to what they left.

The reports stay where the tool writes them, under `myproject_prj/` in the project; the artefact holds copies.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from nonresnet_hls import files, guardian, tools
from nonresnet_hls.errors import ArtefactError, ToolError
from nonresnet_hls.hls.convert import PROJECT
from nonresnet_hls.recipe import Backend

LOG = "synth.log"


class Tool(StrEnum):
    """The programs, by the name under which they are on PATH."""

    VIVADO_HLS = "vivado_hls"
    VITIS_RUN = "vitis-run"
    """Vitis HLS since 2023.2; what hls4ml 1.3.0 calls."""
    VITIS_HLS = "vitis_hls"


_FOR = {Backend.VIVADO: (Tool.VIVADO_HLS,), Backend.VITIS: (Tool.VITIS_RUN, Tool.VITIS_HLS)}


@dataclass(frozen=True)
class Steps:
    """What the tool is asked to do besides C synthesis."""

    cosim: bool = False
    """C/RTL co-simulation, and that its outputs equal those of the C simulation."""
    vsynth: bool = False
    """Logic synthesis by Vivado."""


def find(backend: Backend) -> Tool | None:
    """The tool on PATH that takes a backend's projects; None if there is none."""
    return next((tool for tool in _FOR[backend] if shutil.which(tool)), None)


def require(backend: Backend) -> Tool:
    """As `find`.

    Raises:
        ToolError: there is none; says so where a tool of the other backend is.
    """
    found = find(backend)
    if found is not None:
        return found
    wanted = " or ".join(_FOR[backend])
    for other in Backend:
        if other is not backend and (has := find(other)) is not None:
            raise ToolError(f'{wanted}: not on PATH, but {has} is; for it, set hls.backend = "{other}" in the recipe')
    raise ToolError(f"{wanted}: not on PATH; install AMD Vivado or Vitis, or source its settings64.sh")


def run(project: Path, backend: Backend, steps: Steps) -> Tool:
    """Run the tool on a project; its output goes to stdout as it comes, and to `synth.log` in the project.

    Raises:
        ToolError: the tool is missing or fails (quotes its first ERROR line), or leaves no report.
    """
    tool = require(backend)
    if steps.vsynth:
        tools.require("vivado", "AMD Vivado, or source its settings64.sh")
    options = {"reset": True, "csim": steps.cosim, "synth": True, "cosim": steps.cosim, "validation": steps.cosim}
    options |= {"export": False, "vsynth": steps.vsynth, "fifo_opt": False}
    if backend is Backend.VIVADO:
        words = " ".join(f"{name}={value}" for name, value in options.items())
        command = [tool, "-f", "build_prj.tcl", words]
    else:
        script = _with_options(project / "build_prj.tcl", options)
        command = [tool, "--mode", "hls", "--tcl", script] if tool is Tool.VITIS_RUN else [tool, "-f", script]
    log = project / LOG
    before = _csynth_reports(project)
    status = _watched(command, project, log)
    first = next((line for line in log.read_text(errors="replace").splitlines() if line.startswith("ERROR")), None)
    if status != 0:
        raise ToolError(f"{tool}: exit status {status}: {first or 'no ERROR line'}; see {log}")
    if not _csynth_reports(project) - before:
        raise ToolError(f"{tool}: ended well but left no csynth report: {first or 'no ERROR line'}; see {log}")
    return tool


def reports(project: Path) -> list[Path]:
    """The reports that the tool left in a project."""
    found = [path for path in (project / f"{PROJECT}_prj").rglob("*") if path.suffix in (".rpt", ".xml", ".rb")]
    found += [path for path in (project / "vivado_synth.rpt", project / LOG) if path.is_file()]
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def _csynth_reports(project: Path) -> set[tuple[Path, int]]:
    """The reports of C synthesis and when they were written: those of an earlier run prove nothing."""
    return {(path, path.stat().st_mtime_ns) for path in (project / f"{PROJECT}_prj").rglob("*csynth.rpt")}


def _with_options(script: Path, options: dict[str, bool]) -> str:
    """Name of a copy of the project's script that holds its options.

    hls4ml keeps them in `build_opt.tcl`, which is the project's own and not ours to change afterwards.
    """
    text = script.read_text(encoding="utf-8")
    table = "array set opt {\n" + "".join(f"    {name} {int(value)}\n" for name, value in options.items()) + "}"
    text, count = re.subn(r"^source \[file join \$tcldir build_opt\.tcl\]$", lambda _: table, text, flags=re.MULTILINE)
    if count != 1:
        raise ArtefactError(f"{script}: one line that sources build_opt.tcl wanted, {count} found")
    own = script.with_name("build_synth.tcl")
    files.write_text(own, text)
    return own.name


def _watched(command: list[str], directory: Path, log: Path) -> int:
    files.remove(log)  # which may be a link
    with (
        log.open("x", encoding="utf-8") as copy,
        guardian.started(
            command,
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
        ) as process,
    ):
        for line in process.stdout or ():
            copy.write(line)
            copy.flush()
            sys.stderr.write(line)
            sys.stderr.flush()
        return process.wait()
