"""What this installation has and what it lacks: libraries, programs, data sets, each with what needs it."""

import contextlib
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nonresnet_hls import extras, tools
from nonresnet_hls.errors import ToolError
from nonresnet_hls.hls.vendor import Tool
from nonresnet_hls.recipe import DatasetName


@dataclass(frozen=True)
class Finding:
    """One thing that is there or is not."""

    what: str
    found: str
    """Version or place; empty where it is missing."""
    fits: bool
    """Whether it can be used as it is."""
    needed_by: str
    """The commands that need it."""
    cure: str
    """What brings it, where it is missing or does not fit."""


def findings(version: str) -> Iterator[Finding]:
    """All of them, each as soon as it is looked at; of this package the version is given."""
    wanted = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield Finding("Python", platform.python_version(), wanted, "everything", "Python 3.11 to 3.13")
    yield Finding(extras.PACKAGE, version, True, "", "")
    for library in (*extras.CORE, *extras.LIBRARIES):
        cure = extras.install(library.extra) if library.extra else f"pip install {extras.PACKAGE}"
        if library.installed is not None and library.version:
            cure += " in an environment of its own"
        yield Finding(library.title, library.installed or "", library.fits, library.needed_by, cure)
    yield _program("g++", "csim, fifos --prove, synth --engine rtl --simulate", "the package g++", "-dumpfullversion")
    for tool in Tool:
        yield _program(tool, "synth --engine vendor", "AMD Vivado or Vitis, and its settings64.sh")
    yield _program("vivado", "synth --engine vendor --vsynth", "AMD Vivado, and its settings64.sh")
    for name in DatasetName:
        if name is not DatasetName.NPZ:
            yield _data_set(name)


def _program(name: str, needed_by: str, cure: str, *asked: str) -> Finding:
    path = shutil.which(name)
    found = path or ""
    if path is not None and asked:
        with contextlib.suppress(ToolError):
            status, output, _ = tools.finished([path, *asked], Path.cwd())
            found = f"{output.strip()}, {path}" if status == 0 else path
    return Finding(name, found, path is not None, needed_by, cure)


def _data_set(name: DatasetName) -> Finding:
    from nonresnet_hls.training import downloads

    needed_by = f"recipes on {name}"
    if name is DatasetName.DIGITS:
        library = extras.of_module("sklearn")
        version = library.installed if library is not None else None
        found = "" if version is None else f"in scikit-learn {version}"
        return Finding(f"data set {name}", found, version is not None, needed_by, extras.install("keras2"))
    folder = downloads.local(name)
    cure = "set NONRESNET_DATA to the folder that holds it; else it is downloaded when it is needed"
    return Finding(f"data set {name}", "" if folder is None else str(folder), folder is not None, needed_by, cure)
