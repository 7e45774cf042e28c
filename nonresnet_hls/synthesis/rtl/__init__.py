"""The open RTL engine: an hls4ml model as SystemVerilog, simulated by Verilator and synthesised by Yosys.

design = generate(hls_model, directory)
simulation = simulate(design, x)
synthesis = synthesise(design, Target.XC7)
"""

from nonresnet_hls.synthesis.rtl.design import RtlDesign, generate
from nonresnet_hls.synthesis.rtl.simulation import Simulation, Stalls, simulate
from nonresnet_hls.synthesis.rtl.unit_kinds import Multipliers, Options, Weights

__all__ = [
    "Multipliers",
    "Options",
    "RtlDesign",
    "Simulation",
    "Stalls",
    "Weights",
    "generate",
    "simulate",
]
