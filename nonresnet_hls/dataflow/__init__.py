"""Streams of an hls4ml io_stream design: when their tokens move, how deep they must be, what they cost."""

from nonresnet_hls.dataflow.analysis import analyse, analyse_project, as_hls4ml_writes, whole_tensors
from nonresnet_hls.dataflow.graph import Dataflow, Process, Stream, Toolchain
from nonresnet_hls.dataflow.project import size_project
from nonresnet_hls.dataflow.proof import Proof, prove
from nonresnet_hls.dataflow.report import FifoReport, fifo_report
from nonresnet_hls.dataflow.sizing import FifoDepths, size_fifos
from nonresnet_hls.dataflow.template import Template
from nonresnet_hls.dataflow.writing import set_depths, write_depths

__all__ = [
    "Dataflow",
    "FifoDepths",
    "FifoReport",
    "Process",
    "Proof",
    "Stream",
    "Template",
    "Toolchain",
    "analyse",
    "analyse_project",
    "as_hls4ml_writes",
    "fifo_report",
    "prove",
    "set_depths",
    "size_fifos",
    "size_project",
    "whole_tensors",
    "write_depths",
]
