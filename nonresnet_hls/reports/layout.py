"""Where in a project a report lies, and what the project is called.

<root>/<name>_prj/<solution>/{syn,sim,impl,csim}/...        Vivado HLS, Vitis HLS
<root>/hls_component/<name>/hls/{syn,sim,impl}/...          Vitis' unified flow
<root>/hls_component/<name>/reports/hls_compile.rpt
<root>/<name>_prj/<solution>/<solution>.log
<root>/<name>.runs/{synth_1,impl_1,...}/                     Vivado's own projects
<root>/vivado_hls.log, <root>/vivado_synth.rpt              beside the HLS project (hls4ml)

All that lies below the folder of an hls4ml project is of that project: its HLS solution, the board's Vivado project,
the reports that its scripts collect.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_STEPS = frozenset({"syn", "sim", "impl", "csim"})
_BELOW_STEP = frozenset({"report", "verilog", "vhdl", "autowrap", "wrapc", "systemc"})
# These name no project.
_GENERIC = frozenset({"hls_component", "vitis_unified_project", "vitis_workspace", "hls", "solution", "solutions"})
_OF_THE_FOLDER_ABOVE = frozenset({"firmware", "report", "reports", "final_reports"})
_SCRIPTS = ("hls4ml_config.yml", "build_prj.tcl", "vivado_synth.tcl")
_HIGHEST = 12  # folders above a report in which its hls4ml project is looked for
_SOURCE_BYTES = 65_536


@dataclass(frozen=True)
class Place:
    """The project's root, the folder of the solution if the report lies in one, the folder it is called after."""

    root: Path
    solution: Path | None
    title: Path


def place_of(path: Path) -> Place:
    """Root, solution and title of the report at `path` (absolute).

    >>> place_of(Path("/p/my_prj/solution1/syn/report/top_csynth.rpt")).title
    PosixPath('/p')
    >>> place_of(Path("/p/lenet/solution1/syn/report/top_csynth.rpt")).title
    PosixPath('/p/lenet')
    >>> place_of(Path("/p/hls_component/top/hls/syn/report/top_csynth.rpt")).title
    PosixPath('/p')
    >>> place_of(Path("/p/vivado_synth.rpt"))
    Place(root=PosixPath('/p'), solution=None, title=PosixPath('/p'))
    """
    place = _by_path(path)
    project = _hls4ml_project(path.parent)
    return place if project is None else Place(project, place.solution, project)


def _by_path(path: Path) -> Place:
    parts = path.parts
    for i in range(len(parts) - 2, 2, -1):
        if parts[i] in _STEPS and (parts[i + 1] in _BELOW_STEP or i + 1 == len(parts) - 1):
            if parts[i - 1] == "hls" and len(parts[: i - 1]) > 1:
                return _unified(Path(*parts[: i - 1]))
            if i >= 3:
                return _classic(Path(*parts[:i]))
    for i, part in enumerate(parts):
        if part.endswith(".runs") and i:
            folder = Path(*parts[:i])
            return Place(folder, None, folder)
    if path.parent.name == "reports" and path.name.startswith("hls_"):
        return _unified(path.parent.parent)
    if path.name == "hls_data.json" and path.parent.name == "hls":
        return _unified(path.parent.parent)
    # Logs and data of the solution or component itself.
    for folder in (path.parent, path.parent.parent):
        if (folder / "syn" / "report").is_dir() and len(folder.parts) > 3:
            return _unified(folder.parent) if folder.name == "hls" else _classic(folder)
        if (folder / "hls" / "syn").is_dir():
            return _unified(folder)
    # `report` names no design; a run may have been started in the folder of the sources.
    folder = path.parent.parent if path.parent.name in _OF_THE_FOLDER_ABOVE else path.parent
    return Place(folder, None, folder)


def _classic(solution: Path) -> Place:
    """`<root>/<project>/<solution>`; hls4ml calls the project after the top, and one calls it after its folder."""
    project = solution.parent
    root = project.parent
    of_root = project.name == "myproject_prj" or (project.name.endswith("_prj") and _speaks_of_hls(root))
    return Place(root, solution, root if of_root else project)


# What hls4ml, and runs of HLS, leave beside `<name>_prj`.
_BESIDE_A_PROJECT = ("vivado_hls.log", "vitis_hls.log", "project.tcl", "build_prj.tcl", "vivado_synth.rpt", "tb_data")


@lru_cache(maxsize=4096)
def _speaks_of_hls(folder: Path) -> bool:
    """Whether the folder that holds `<name>_prj` is the design's own: it holds little else, or what HLS left there."""
    if len(folder.parts) < 2:
        return False
    try:
        entries = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError:  # a path that is given only by name
        return True
    return any(name in entries for name in _BESIDE_A_PROJECT) or all(
        name.endswith(("_prj", ".log", ".rpt", ".tcl", ".jou")) for name in entries
    )


def _unified(component: Path) -> Place:
    root = component.parent
    if root.name == "hls_component":
        return Place(root.parent, component, root.parent)
    workspace = next((folder for folder in component.parents if folder.name == "vitis_workspace"), None)
    if workspace is not None:  # hls4ml's; beside it lie the final reports
        return Place(workspace.parent, component, workspace.parent)
    title = component
    while title.name in _GENERIC and len(title.parts) > 2:
        title = title.parent
    return Place(root, component, title)


def _hls4ml_project(folder: Path) -> Path | None:
    """The nearest folder from `folder` upwards in which hls4ml wrote a project."""
    for _ in range(_HIGHEST):
        if is_hls4ml(folder):
            return folder
        if folder == folder.parent:
            return None
        folder = folder.parent
    return None


@lru_cache(maxsize=16_384)
def is_hls4ml(folder: Path) -> bool:
    """Whether hls4ml wrote a project into the folder."""
    try:
        if any((folder / name).is_file() for name in _SCRIPTS[:1]):
            return True
        firmware = folder / "firmware"
        if not firmware.is_dir():
            return False
        if (firmware / "nnet_utils").is_dir() or all((folder / name).is_file() for name in _SCRIPTS[1:]):
            return True
        for source in sorted(firmware.glob("*.cpp")):
            with source.open("rb") as file:
                if b"nnet::" in file.read(_SOURCE_BYTES):
                    return True
    except OSError:
        return False
    return False


def project_root(path: Path) -> Path:
    """The root, or the nearest folder above the report that holds `firmware/` (at most five up)."""
    root = place_of(path).root
    if (root / "firmware").is_dir():
        return root
    for folder in list(path.parents)[:5]:
        if (folder / "firmware").is_dir():
            return folder
    return root
