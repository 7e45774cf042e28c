"""The open RTL engine: an hls4ml model as SystemVerilog, simulated by Verilator and synthesised by Yosys.

`generate(hls_model, directory)` gives a design, `simulate(design, x)` its outputs and cycles, and
`synthesise(design, Target.XC7)` its resources; `flow.build` does all of it.
"""

from nonresnet_hls.recipe import Multipliers, Padding, RtlOptions, Skips, WeightMemory
from nonresnet_hls.rtl.design import RtlDesign, generate
from nonresnet_hls.rtl.simulation import Simulation, Stalls, simulate
from nonresnet_hls.rtl.yosys import Synthesis, Target, synthesise

__all__ = [
    "Multipliers",
    "Padding",
    "RtlDesign",
    "RtlOptions",
    "Simulation",
    "Skips",
    "Stalls",
    "Synthesis",
    "Target",
    "WeightMemory",
    "generate",
    "simulate",
    "synthesise",
]
