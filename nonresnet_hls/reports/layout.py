"""Where in a project a report lies.

<root>/<name>_prj/<solution>/{syn,sim,impl,csim}/...        Vivado HLS, Vitis HLS
<root>/hls_component/<name>/hls/{syn,sim,impl}/...          Vitis' unified flow
<root>/hls_component/<name>/reports/hls_compile.rpt
<root>/<name>_prj/<solution>/<solution>.log
<root>/<name>.runs/{synth_1,impl_1,...}/                     Vivado's own projects
<root>/vivado_hls.log, <root>/vivado_synth.rpt              beside the HLS project (hls4ml)
"""

from dataclasses import dataclass
from pathlib import Path

_STEPS = frozenset({"syn", "sim", "impl", "csim"})
_BELOW_STEP = frozenset({"report", "verilog", "vhdl", "autowrap", "wrapc", "systemc"})


@dataclass(frozen=True)
class Place:
    """The project's root, and the folder of the solution if the report lies in one."""

    root: Path
    solution: Path | None


def place_of(path: Path) -> Place:
    """Root and solution of the report at `path` (absolute).

    >>> place_of(Path("/p/my_prj/solution1/syn/report/top_csynth.rpt"))
    Place(root=PosixPath('/p'), solution=PosixPath('/p/my_prj/solution1'))
    >>> place_of(Path("/p/hls_component/top/hls/syn/report/top_csynth.rpt"))
    Place(root=PosixPath('/p'), solution=PosixPath('/p/hls_component/top'))
    >>> place_of(Path("/p/vivado_synth.rpt"))
    Place(root=PosixPath('/p'), solution=None)
    """
    parts = path.parts
    for i in range(len(parts) - 2, 2, -1):
        if parts[i] in _STEPS and (parts[i + 1] in _BELOW_STEP or i + 1 == len(parts) - 1):
            if parts[i - 1] == "hls" and len(parts[: i - 1]) > 1:
                return _unified(Path(*parts[: i - 1]))
            if i >= 3:
                return Place(Path(*parts[: i - 2]), Path(*parts[:i]))
    for i, part in enumerate(parts):
        if part.endswith(".runs") and i:
            return Place(Path(*parts[:i]), None)
    if path.parent.name == "reports" and path.name.startswith("hls_"):
        return _unified(path.parent.parent)
    # Logs of the solution or component itself.
    for folder in (path.parent, path.parent.parent):
        if (folder / "syn" / "report").is_dir() and len(folder.parts) > 3:
            return _unified(folder.parent) if folder.name == "hls" else Place(folder.parent.parent, folder)
        if (folder / "hls" / "syn").is_dir():
            return _unified(folder)
    # A run that was started in the folder of the sources.
    return Place(path.parent.parent if path.parent.name == "firmware" else path.parent, None)


def _unified(component: Path) -> Place:
    root = component.parent
    return Place(root.parent if root.name == "hls_component" else root, component)


def project_root(path: Path) -> Path:
    """The root, or the nearest folder above the report that holds `firmware/` (at most five up)."""
    root = place_of(path).root
    if (root / "firmware").is_dir():
        return root
    for folder in list(path.parents)[:5]:
        if (folder / "firmware").is_dir():
            return folder
    return root
