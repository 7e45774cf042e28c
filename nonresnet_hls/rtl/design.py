"""The netlist: units and the FIFOs between them, as files that Verilator and Yosys read."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from nonresnet_hls import files as own_files
from nonresnet_hls.fixed.network import Network, Stream
from nonresnet_hls.hls import model_graph
from nonresnet_hls.recipe import RtlOptions
from nonresnet_hls.rtl import units
from nonresnet_hls.rtl.contracts import Kind
from nonresnet_hls.rtl.unit_draft import Unit
from nonresnet_hls.rtl.unit_text import identifier, port_range

LEAST_DEPTH = 2
"""Words of a FIFO that costs no throughput: it takes none while it is full, though it give one away."""


@dataclass(frozen=True)
class Fifo:
    """The FIFO of one stream."""

    stream: Stream
    depth: int
    """Words."""
    source: str
    """Unit that writes, or `port NAME` of the design."""
    target: str
    """Unit that reads, or the port."""
    joins: bool
    """Whether the unit that reads has another input that words must wait for here."""

    @property
    def name(self) -> str:
        """Of its instance."""
        return "fifo_" + identifier(self.stream.name)

    @property
    def style(self) -> int:
        """The `STYLE` of `stream_fifo`: registers, shift registers, distributed RAM, block RAM."""
        if self.depth <= LEAST_DEPTH:
            return 0
        if self.depth <= 16:
            return 1
        # Some 130 LUTs at most, which are less of a device than a block RAM, and faster.
        bits = self.depth * self.stream.bits
        return 2 if self.depth <= 64 or bits <= 1024 or (self.depth <= 128 and bits <= 4096) else 3

    @property
    def parameters(self) -> dict[str, int]:
        """Of the instance."""
        return {"WIDTH": self.stream.bits, "DEPTH": self.depth, "STYLE": self.style}


@dataclass(frozen=True)
class RtlDesign:
    """A network as SystemVerilog."""

    network: Network
    units: tuple[Unit, ...]
    fifos: tuple[Fifo, ...]
    directory: Path | None = field(default=None, compare=False)
    """Where it was written; None before."""

    @property
    def top(self) -> str:
        """The name of the top module."""
        return identifier(self.network.name) + "_top"

    @property
    def digest(self) -> str:
        """Of every file of its own (see `files`)."""
        content = hashlib.sha256()
        for name, text in sorted(self.files().items()):
            content.update(f"{name}\0{text}\0".encode())
        return content.hexdigest()

    def files(self) -> dict[str, str]:
        """The netlist's own files by name; the library comes beside them."""
        result = {f"{name}.sv": text for unit in self.units for name, text in unit.modules}
        result[f"{self.top}.sv"] = self.top_module()
        return result

    def with_depths(self, depths: Mapping[str, int]) -> "RtlDesign":
        """The same with other FIFO depths, by stream; not yet written."""
        fifos = tuple(replace(fifo, depth=depths.get(fifo.stream.name, fifo.depth)) for fifo in self.fifos)
        return replace(self, fifos=fifos, directory=None)

    def write(self, directory: Path) -> "RtlDesign":
        """Write all files into a folder, in place of what is there, and say so in the result."""
        with own_files.replacing_folder(directory) as fresh:
            (fresh / "library").mkdir()
            for name, text in self.files().items():
                (fresh / name).write_text(text, encoding="utf-8")
            for name, text in library().items():
                (fresh / "library" / name).write_text(text, encoding="utf-8")
        return replace(self, directory=directory)

    def top_module(self) -> str:
        """The SystemVerilog of the top module: one instance for every unit and FIFO."""
        network = self.network
        pins = ["input wire clk", "input wire rst"]
        for names, data_in in ((network.inputs, True), (network.outputs, False)):
            for name in names:
                stream, own = network.streams[name], identifier(name)
                there, back = ("input", "output") if data_in else ("output", "input")
                pins += [
                    f"{there} wire {port_range(stream.bits)} {own}_data",
                    f"{there} wire {own}_valid",
                    f"{back} wire {own}_ready",
                ]
        # A stream has two ends, the one that is written into its FIFO and the one that is read.
        lines: list[str] = []
        for fifo in self.fifos:
            own = identifier(fifo.stream.name)
            for end in ("w", "r"):
                lines.append(f"wire {port_range(fifo.stream.bits)} {own}_{end}_data;")
                lines.append(f"wire {own}_{end}_valid, {own}_{end}_ready;")
        for name in network.inputs:
            own = identifier(name)
            lines += [f"assign {own}_w_{side} = {own}_{side};" for side in ("data", "valid")]
            lines.append(f"assign {own}_ready = {own}_w_ready;")
        for name in network.outputs:
            own = identifier(name)
            lines += [f"assign {own}_{side} = {own}_r_{side};" for side in ("data", "valid")]
            lines.append(f"assign {own}_r_ready = {own}_ready;")
        for unit in self.units:
            connections = [".clk(clk)", ".rst(rst)"]
            read = ["in"] if len(unit.inputs) == 1 else [f"in{index}" for index in range(len(unit.inputs))]
            for ports, names, end in ((read, unit.inputs, "r"), (unit.output_ports, unit.outputs, "w")):
                for port, name in zip(ports, names, strict=True):
                    wire = f"{identifier(name)}_{end}"
                    connections += [f".{port}_{side}({wire}_{side})" for side in ("data", "valid", "ready")]
            lines.append(f"{unit.name} {unit.name}_i ({', '.join(connections)});")
        for fifo in self.fifos:
            own = identifier(fifo.stream.name)
            settings = ", ".join(f".{key}({value})" for key, value in fifo.parameters.items())
            sides = [f".in_{s}({own}_w_{s}), .out_{s}({own}_r_{s})" for s in ("data", "valid", "ready")]
            lines.append(f"stream_fifo #({settings}) {fifo.name} (.clk(clk), .rst(rst), {', '.join(sides)});")
        head = ",\n".join("    " + port for port in pins)
        body = "\n".join("    " + line for line in lines)
        return f"// {network.name}: {len(self.units)} units.\nmodule {self.top} (\n{head}\n);\n{body}\nendmodule\n"


def library() -> dict[str, str]:
    """The module library: file name to text."""
    folder = files("nonresnet_hls.rtl") / "library"
    return {entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".sv")}


def generate(hls_model: Any, directory: Path | None = None, options: RtlOptions | None = None) -> RtlDesign:
    """The RTL of an hls4ml `ModelGraph` (io_stream), FIFOs as deep as the model says.

    Args:
        hls_model: converted by hls4ml with the Vivado, Vitis or OpenRTL backend.
        directory: folder to write it into; None: do not write.
        options: the choices that the model leaves open.

    Raises:
        ConversionError: a layer, type or option that the engine does not build; names the layer.
    """
    network = model_graph.read(hls_model)
    design = assemble(network, units.build(network, options or RtlOptions()))
    return design if directory is None else design.write(directory)


def assemble(network: Network, parts: tuple[Unit, ...]) -> RtlDesign:
    """The netlist of the units, with a FIFO on every stream: between two of them, and at each port."""
    writer = {name: unit.name for unit in parts for name in unit.outputs}
    fifos = []
    for name in network.inputs:
        writer[name] = f"port {name}"
    for unit in parts:
        for index, name in enumerate(unit.inputs):
            stream = network.streams[name]
            # Behind a collector of its own a join keeps the other words waiting, which come by themselves.
            joins = len(unit.inputs) > 1 and (index > 0 or unit.contract.kind is Kind.JOIN)
            depth = LEAST_DEPTH if name in network.inputs else max(LEAST_DEPTH, stream.depth)
            fifos.append(Fifo(stream, depth, writer[name], unit.name, joins))
    fifos += [Fifo(network.streams[name], LEAST_DEPTH, writer[name], f"port {name}", False) for name in network.outputs]
    return RtlDesign(network, parts, tuple(fifos))
