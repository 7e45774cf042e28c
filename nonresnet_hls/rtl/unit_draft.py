"""A unit, and one that is being written: what all kinds of units share."""

from collections.abc import Sequence
from dataclasses import dataclass

from nonresnet_hls.fixed.arithmetic import Affine, Chain, Wire, signed_digits, staircase
from nonresnet_hls.fixed.network import Clone, Matrix, Network, Pool, Stream
from nonresnet_hls.recipe import Padding, RtlOptions
from nonresnet_hls.rtl.contracts import Contract, axes, can_mask, contract_of
from nonresnet_hls.rtl.groups import Group
from nonresnet_hls.rtl.unit_text import UnitText, port_range, stream_ports, unused
from nonresnet_hls.rtl.verilog import declare

Numbers = list[tuple[str, Wire]]
"""Wires by their names, one a channel."""


@dataclass(frozen=True)
class Unit:
    """One module of the netlist."""

    name: str
    """Of the module and its instance."""
    layers: tuple[str, ...]
    """The hls4ml layers that it computes."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    modules: tuple[tuple[str, str], ...]
    """Name and SystemVerilog of the unit's module, and of those that belong to it alone."""
    interval_cycles: int
    """Cycles an image that the unit cannot go below."""
    contract: Contract
    """When it takes and gives words."""
    dsp: bool
    """Whether synthesis may use DSP blocks."""
    stages: int = 0
    """Registers of its adder graph; 0 where it has none."""
    folds: int = 0
    """Cycles in which it is folded, for each result; 0 where it is not."""
    tail_stages: int = 0
    """Registers behind that, and behind a join."""
    waits: bool = False
    """Whether its window makes steps only while the pipeline behind it moves."""

    @property
    def output_ports(self) -> tuple[str, ...]:
        """The prefixes of the ports of `outputs`: the last one is `tap` where the unit hands its pixels on, too."""
        taps = ("tap",) * self.contract.tapped
        own = len(self.outputs) - len(taps)
        return (*(["out"] if own == 1 else [f"out{index}" for index in range(own)]), *taps)

    @property
    def verilog(self) -> str:
        """All of it."""
        return "\n".join(text for _, text in self.modules)


class Draft:
    """The unit of a group of layers, being written."""

    def __init__(self, network: Network, group: Group, options: RtlOptions) -> None:
        """Begin with no line in it."""
        self.group, self.head, self.chain, self.options = group, group.head, group.chain, options
        self.sources = [network.streams[name] for name in group.inputs]
        self.source = "in" if len(self.sources) == 1 else "in0"
        """The prefix of the first input's ports."""
        names = self.head.outputs if isinstance(self.head, Clone) else group.layers[-1].outputs
        self.targets = [network.streams[name] for name in names]
        self.tap = None if group.tap is None else network.streams[group.tap.skip]
        self.text = UnitText(self.head.name, self.sources, self.targets, options.most_thresholds, self.tap)
        self.name = self.text.name
        self.extra: list[tuple[str, str]] = []
        """Modules that belong to the unit alone: name and SystemVerilog."""
        self.dsp = self.masked = self.waits = False
        self.stages = self.folds = self.tail_stages = 0
        """As of the `Unit`."""

    def finished(self, interval_cycles: int) -> Unit:
        """The unit, which takes so many cycles an image."""
        members, group = self.group.names, self.group
        delay = None if group.tap is None else (group.tap.rows, group.tap.columns)
        return Unit(
            name=self.name,
            layers=members,
            inputs=self.group.inputs,
            outputs=tuple(stream.name for stream in (*self.targets, *([] if self.tap is None else [self.tap]))),
            modules=((self.name, self.text.module(", ".join(members))), *self.extra),
            interval_cycles=interval_cycles,
            contract=contract_of(self.head, self.sources[0], group.pad, self.masked, delay),
            dsp=self.dsp,
            stages=self.stages,
            folds=self.folds,
            tail_stages=self.tail_stages,
            waits=self.waits,
        )

    def window(
        self, layer: Matrix | Pool, stream: Stream, pixels: str, valid: str, ready: str, moving: bool = False
    ) -> int:
        """The window of a layer, or the whole image; returns the steps that it takes an image.

        `moving`: what reads it is a pipeline that moves whether or not something comes in.
        """
        ports = stream_ports("in", self.source) | {"out_data": pixels, "out_valid": valid, "out_ready": ready}
        if layer.window is None:
            words = stream.words
            self.text.declare(f"wire {port_range(words * stream.bits)} {pixels};", f"wire {valid}, {ready};")
            self.text.instance("gather", {"WIDTH": stream.bits, "WORDS": words}, ports)
            return words
        window = layer.window
        rows, columns = axes(window, self.group.pad)
        size = window.kernel_height * window.kernel_width * stream.bits
        self.text.declare(f"wire {port_range(size)} {pixels};", f"wire {valid}, {ready};")
        if self.tap is None:
            self.text.declare(f"wire {port_range(stream.bits)} no_tap_data;", "wire no_tap_valid;")
            self.text.declare(unused("no_tap_data", "no_tap_valid"))
            ports |= {"tap_data": "no_tap_data", "tap_valid": "no_tap_valid", "tap_ready": "1'b1"}
        else:
            ports |= stream_ports("tap", "tap")
        style = 2 if columns.steps <= 64 else 3
        self.masked = self.options.padding is Padding.MASKED and can_mask(window, self.group.pad)
        # One that waits for a tap, too, or whose zeros are a reset, then hangs on less. Others have no gain of it.
        self.waits = moving and (self.masked or self.tap is not None)
        if self.masked:
            sizes = {
                "PIXEL": stream.bits,
                "HEIGHT": rows.size,
                "WIDTH": columns.size,
                "TOP": rows.before,
                "LEFT": columns.before,
                "KERNEL_HEIGHT": rows.kernel,
                "KERNEL_WIDTH": columns.kernel,
                "STRIDE_HEIGHT": rows.stride,
                "STRIDE_WIDTH": columns.stride,
                "ROWS": len(rows.ends),
                "COLUMNS": len(columns.ends),
                "STYLE": style,
                "TAP_ROWS": 0 if self.group.tap is None else self.group.tap.rows,
                "WAITS": int(self.waits),
            }
            self.text.instance("masked_window", sizes, ports)
            return rows.size * columns.size
        sizes = {
            "PIXEL": stream.bits,
            "HEIGHT": rows.size,
            "WIDTH": columns.size,
            "TOP": rows.before,
            "BOTTOM": rows.behind,
            "LEFT": columns.before,
            "RIGHT": columns.behind,
            "KERNEL_HEIGHT": rows.kernel,
            "KERNEL_WIDTH": columns.kernel,
            "STRIDE_HEIGHT": rows.stride,
            "STRIDE_WIDTH": columns.stride,
            "STYLE": style,
            "TAP_ROWS": 0 if self.group.tap is None else self.group.tap.rows,
            "TAP_COLUMNS": 0 if self.group.tap is None else self.group.tap.columns,
            "WAITS": int(self.waits),
        }
        self.text.instance("window_buffer", sizes, ports)
        return rows.steps * columns.steps

    def begin_tail(self) -> str:
        """Registers behind what the unit computes: the name of what enables them."""
        self.text.declare("wire tail_enable, tail_ready;")
        return "tail_enable"

    def end_tail(self, entering: str) -> None:
        """The control of as many registers as there are by now; `entering` is valid with what goes in."""
        self.text.instance(
            "pipeline_control",
            {"STAGES": self.tail_stages, "WAITS": 1},
            {
                "in_valid": entering,
                "in_ready": "tail_ready",
                "enable": "tail_enable",
                "out_valid": "out_valid",
                "out_ready": "out_ready",
            },
            "tail",
        )

    def multiplications(self, chain: Chain, wires: Sequence[Wire]) -> int:
        """How many operations of a chain end with its first multiplication; 0 where it has none to compute."""
        for index, operation in enumerate(chain):
            if isinstance(operation, Affine) and any(len(signed_digits(scale)) > 1 for scale in operation.scale):
                most = self.options.most_thresholds
                stairs = (staircase(chain, wire, channel, most) for channel, wire in enumerate(wires))
                return 0 if all(found is not None for found in stairs) else index + 1
        return 0

    def registered(self, prefix: str, sources: Numbers, enable: str) -> Numbers:
        """Registers of a pipeline."""
        results = []
        for index, (source, wire) in enumerate(sources):
            name = f"{prefix}{index}_q"
            self.text.declare(f"{declare(name, wire).replace('wire', 'reg', 1)};")
            self.text.declare(f"always @(posedge clk) if ({enable}) {name} <= {source};")
            results.append((name, wire))
        return results
