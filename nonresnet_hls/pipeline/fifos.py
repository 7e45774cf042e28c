"""Sizing the FIFOs of a design: no artefact, since it takes seconds; what is written is the project that is named."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls import dataflow
from nonresnet_hls.dataflow import FifoReport, Proof
from nonresnet_hls.errors import ConversionError
from nonresnet_hls.pipeline import convert, designs, runner
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Hls


@dataclass(frozen=True)
class Sizing:
    """What was found of a design."""

    report: FifoReport
    proof: Proof | None
    notes: tuple[str, ...]
    """What hls4ml dropped of a model, a line each."""
    seconds: Mapping[str, float]


def size(design: Any, workspace: Workspace, hls: Hls, prove: bool, trust: bool, write: bool) -> Sizing:
    """Size the FIFOs of a design.

    Args:
        design: as `designs.find` takes it.
        workspace: where recipes are.
        hls: how a model is converted.
        prove: run the C++ on these depths.
        trust: with `prove`: also that of a project which was not made here.
        write: write the depths into the project directory.

    Raises:
        ConversionError: the design cannot be analysed, or must not be run or written.
        NonResNetError: as `designs.find`.
    """
    path = Path(design) if isinstance(design, str | Path) else None
    if write and (path is None or not path.is_dir() or (path / runner.RECORD).exists()):
        named = "--write" if path is None else f"{path}: --write"
        wanted = f"{named} wants a project directory that hls4ml wrote"
        raise ConversionError(f"{wanted}; for the project of a recipe use convert --fifos sized")
    if prove and path is not None and not trust and is_foreign(path):
        raise ConversionError(f"{path}: {RUNS}; --trust wanted")
    with tempfile.TemporaryDirectory(prefix="nonresnet-fifos-") as folder:
        scratch = Path(folder)
        started = time.monotonic()
        found = designs.find(design, workspace, hls, scratch / "project")
        # Of a recipe, too: its project may have come with the workspace.
        if prove and not trust and found.recipe is not None and is_foreign(found.directory):
            raise ConversionError(f"{found.directory}: {RUNS}; --trust wanted")
        converted = time.monotonic()
        flow = dataflow.analyse_project(found.directory)
        with dataflow.as_hls4ml_writes(found.directory):
            if found.sized:
                flow = dataflow.whole_tensors(flow)
            depths = dataflow.size_fifos(flow)
            report = dataflow.fifo_report(flow, depths)
        seconds = {"conversion": converted - started, "sizing": time.monotonic() - converted}
        proof = None
        if prove:
            work = scratch / "proof"
            work.mkdir()
            proof = dataflow.prove(found.directory, flow, depths, work)
        if write:
            dataflow.write_depths(found.directory, flow, depths.sized)
    return Sizing(report, proof, found.notes, seconds)


RUNS = "--prove runs the C++ of this project with all your rights"


def is_foreign(path: Path) -> bool:
    """Whether a path is a project directory that we did not write, or that was changed since."""
    return path.is_dir() and not convert.is_made_here(path)
