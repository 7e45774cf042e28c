"""What a report says, as values.

A field is None where the report does not say; it is never 0 for want of a figure. BRAM is always counted in
blocks of 18 Kbit (a 36 Kbit tile counts two), clocks and slacks are in ns, latencies and intervals in clock
cycles, whatever the report prints.
"""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Which report a record was read from."""

    CSYNTH_TEXT = "csynth_text"  # <module>_csynth.rpt
    CSYNTH_XML = "csynth_xml"  # csynth.xml, <module>_csynth.xml
    CSYNTH_SUMMARY = "csynth_summary"  # csynth.rpt, hls_compile.rpt: all modules in one table
    HLS_DATA = "hls_data"  # hls_data.json, <solution>_data.json
    DESIGN_SIZE = "design_size"  # csynth_design_size.rpt, .xml: instructions, no hardware figures
    UTILIZATION = "utilization"  # report_utilization
    UTILIZATION_HIERARCHICAL = "utilization_hierarchical"  # report_utilization -hierarchical
    UTILIZATION_SLR = "utilization_slr"  # report_utilization -slr
    UTILIZATION_KERNELS = "utilization_kernels"  # report_accelerator_utilization
    TIMING_SUMMARY = "timing_summary"  # report_timing_summary
    TIMING_PATHS = "timing_paths"  # report_timing
    POWER = "power"  # report_power
    EXPORT_TEXT = "export_text"  # <top>_export.rpt, export_syn.rpt, export_impl.rpt
    EXPORT_XML = "export_xml"
    COSIM = "cosim"  # <top>_cosim.rpt, hls_cosim.rpt
    COSIM_TRANSACTIONS = "cosim_transactions"  # <top>.performance.result.transaction.xml
    COSIM_LATENCY = "cosim_latency"  # lat.rpt, <top>.result.lat.rb
    HLS_LOG = "hls_log"  # vivado_hls.log, vitis_hls.log
    FINN_RESOURCES = "finn_resources"  # estimate_layer_resources.json
    FINN_CYCLES = "finn_cycles"  # estimate_layer_cycles.json
    FINN_PERFORMANCE = "finn_performance"  # estimate_network_performance.json
    FINN_ALTERNATIVES = "finn_alternatives"  # estimate_layer_config_alternatives.json: what was not chosen, too
    FINN_HLS = "finn_hls"  # estimate_layer_resources_hls.json
    FINN_RTLSIM = "finn_rtlsim"  # rtlsim_performance.json
    FINN_OUT_OF_CONTEXT = "finn_out_of_context"  # ooc_synth_and_timing.json
    FINN_POST_SYNTH = "finn_post_synth"  # post_synth_resources.json
    YOSYS_TEXT = "yosys_text"  # stat
    YOSYS_JSON = "yosys_json"  # stat -json
    NEXTPNR_LOG = "nextpnr_log"
    QUARTUS_SUMMARY = "quartus_summary"  # <revision>.fit.summary, .map.summary
    QUARTUS_TIMING = "quartus_timing"  # <revision>.sta.summary
    ONEAPI_SUMMARY = "oneapi_summary"  # acl_quartus_report.txt
    MERGED = "merged"  # one design at one stage, from all its reports


class Stage(StrEnum):
    """How far the design had come through the tools."""

    ESTIMATE = "estimate"  # a model's figures, before any synthesis (FINN)
    CSYNTH = "csynth"
    EXPORT = "export"
    SYNTHESIZED = "synthesized"
    OPTIMIZED = "optimized"
    PLACED = "placed"
    PHYSOPT = "physopt"
    ROUTED = "routed"
    COSIM = "cosim"


@dataclass(frozen=True, kw_only=True)
class Module:
    """One module (or one instance of it) of a design."""

    name: str
    instance: str | None = None
    latency_min_cycles: int | None = None
    latency_max_cycles: int | None = None
    interval_min_cycles: int | None = None
    interval_max_cycles: int | None = None
    pipeline_type: str | None = None
    clock_target_ns: float | None = None
    clock_estimate_ns: float | None = None
    bram_18k: int | None = None
    dsp: int | None = None
    ff: int | None = None
    lut: int | None = None
    uram: int | None = None
    lutram: int | None = None
    srl: int | None = None
    slack_ns: float | None = None  # of the C synthesis' estimate
    issue: str | None = None  # "Timing", "II: Resource Limitation"
    other_columns: tuple[str, ...] = ()  # "label: text" of columns that are not known


@dataclass(frozen=True, kw_only=True)
class Loop:
    """One loop of a module; a figure that depends on the data has a minimum and a maximum."""

    name: str
    module: str | None = None
    depth: int = 0  # loops around it in the module
    trip_count_min: int | None = None
    trip_count_max: int | None = None
    latency_min_cycles: int | None = None
    latency_max_cycles: int | None = None
    iteration_latency_min_cycles: int | None = None
    iteration_latency_max_cycles: int | None = None
    ii_achieved_cycles: int | None = None
    ii_target_cycles: int | None = None
    pipelined: bool | None = None
    slack_ns: float | None = None
    issue: str | None = None  # "II: Resource Limitation"
    other_columns: tuple[str, ...] = ()

    @property
    def ii_violated(self) -> bool:
        """Whether iterations start less often than was wanted."""
        if self.ii_achieved_cycles is not None and self.ii_target_cycles is not None:
            return self.ii_achieved_cycles > self.ii_target_cycles
        return self.issue is not None and self.issue.partition(":")[0] == "II"


@dataclass(frozen=True, kw_only=True)
class Fifo:
    """One FIFO; `layer` and `on_skip` are known only where an hls4ml project lies beside the report."""

    name: str
    depth: int | None = None
    bits: int | None = None
    bram_18k: int | None = None
    ff: int | None = None
    lut: int | None = None
    uram: int | None = None
    layer: str | None = None  # hls4ml layer that writes the FIFO
    on_skip: bool | None = None  # lies on the branch that skips, between clone and Add


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one report says, or (kind `merged`) what all reports of one design at one stage say."""

    path: str  # relative to the argument of `read`
    kind: Kind
    design: str | None = None  # merged rows: the project's folder, with its top where there are several
    stage: Stage | None = None
    tool: str | None = None  # "Vivado HLS", "Vitis HLS", "Vivado", "FINN", "Yosys", "nextpnr-ecp5", "Quartus Prime"
    tool_version: str | None = None
    part: str | None = None  # as printed
    product_family: str | None = None
    top: str | None = None
    latency_min_cycles: int | None = None
    latency_avg_cycles: float | None = None
    latency_max_cycles: int | None = None
    interval_min_cycles: int | None = None
    interval_avg_cycles: float | None = None
    interval_max_cycles: int | None = None
    pipeline_type: str | None = None
    clock_target_ns: float | None = None
    clock_uncertainty_ns: float | None = None
    clock_estimate_ns: float | None = None  # HLS: estimated; export: achieved
    assumed_clock_ns: float | None = None  # merged co-simulations, which tell none: the clock of the C synthesis
    wns_ns: float | None = None  # worst negative slack of the whole design (setup)
    tns_ns: float | None = None
    whs_ns: float | None = None  # worst hold slack
    ths_ns: float | None = None
    path_slack_ns: float | None = None  # worst slack among the paths that report_timing lists
    bram_18k: int | None = None
    dsp: int | None = None
    ff: int | None = None
    lut: int | None = None
    uram: int | None = None
    ramb36: int | None = None  # 36 Kbit and 18 Kbit blocks where the report tells them apart
    ramb18: int | None = None
    lutram: int | None = None  # LUTs used as memory (part of `lut`)
    srl: int | None = None  # LUTs used as shift registers (part of `lut`)
    alm: int | None = None  # Intel's adaptive logic modules, which are no LUTs
    ram_blocks: int | None = None  # block memories of another size than 18 Kbit (Intel's M10K, M20K)
    available_bram_18k: int | None = None
    available_dsp: int | None = None
    available_ff: int | None = None
    available_lut: int | None = None
    available_uram: int | None = None
    available_alm: int | None = None
    available_ram_blocks: int | None = None
    slr_available_bram_18k: int | None = None
    slr_available_dsp: int | None = None
    slr_available_ff: int | None = None
    slr_available_lut: int | None = None
    slr_available_uram: int | None = None
    power_total_w: float | None = None
    power_dynamic_w: float | None = None
    power_static_w: float | None = None
    cosim_status: str | None = None  # "Verilog Pass"; both languages: "VHDL Fail, Verilog Pass"
    transactions: int | None = None  # co-simulated
    total_cycles: int | None = None  # of the whole co-simulation
    throughput_fps: float | None = None  # as printed (FINN)
    finished: bool | None = None  # logs: the run came to its end
    error_count: int | None = None  # logs: lines that begin with ERROR
    first_error: str | None = None
    steps: tuple[str, ...] = ()  # logs: the steps that began, "C synthesis: done" or "co-simulation: not done"
    out_of_context: bool | None = None  # merged rows: an IP that Vivado synthesized on its own for a board's design
    note: str | None = None  # what a reader of the figures must know
    sources: tuple[str, ...] = ()  # merged rows: the reports they were made from
    choices: tuple[str, ...] = ()  # merged rows: where reports disagree, which one was believed
    other_columns: tuple[str, ...] = ()  # "label: text" of what the tool says beside, and we do not know
    argument: str = ""  # the argument of `read`
    modules: tuple[Module, ...] = ()
    loops: tuple[Loop, ...] = ()
    fifos: tuple[Fifo, ...] = ()

    @property
    def clock_ns(self) -> float | None:
        """The longer of the periods asked for and estimated.

        The design cannot run faster than the one, and is not clocked faster than the other.
        """
        periods = [period for period in (self.clock_target_ns, self.clock_estimate_ns) if period is not None]
        return max(periods, default=None)

    @property
    def latency_us(self) -> float | None:
        """The longest latency at `clock_ns`."""
        clock_ns = self.clock_ns or self.assumed_clock_ns
        return None if clock_ns is None or self.latency_max_cycles is None else self.latency_max_cycles * clock_ns / 1e3

    @property
    def fmax_mhz(self) -> float | None:
        """The fastest clock: by the tool's estimate, or by the worst slack to the only clock wanted."""
        if self.clock_estimate_ns:
            return 1e3 / self.clock_estimate_ns
        if self.clock_target_ns is None or self.wns_ns is None or self.clock_target_ns <= self.wns_ns:
            return None
        return 1e3 / (self.clock_target_ns - self.wns_ns)

    @property
    def images_per_s(self) -> float | None:
        """As printed (FINN), or by the longest interval at `clock_ns`."""
        if self.throughput_fps is not None:
            return self.throughput_fps
        khz = throughput_khz(self.interval_max_cycles, self.clock_ns or self.assumed_clock_ns)
        return None if khz is None else 1e3 * khz

    @property
    def ii_violations(self) -> int | None:
        """Loops whose iterations start less often than was wanted; None where no loop is listed."""
        return sum(loop.ii_violated for loop in self.loops) if self.loops else None

    def derived(self) -> dict[str, Any]:
        """The columns `DERIVED`: what follows from the figures."""
        found: dict[str, Any] = {name: getattr(self, name) for name in DERIVED[:3]}
        for name in PERCENT_OF:
            found[f"{name}_percent"] = percent(getattr(self, name), getattr(self, f"available_{name}"))
        found = {name: None if value is None else float(f"{value:.9g}") for name, value in found.items()}
        return {**found, "ii_violations": self.ii_violations}

    def figures(self) -> dict[str, Any]:
        """The columns of the record: everything but modules, loops, FIFOs and the argument."""
        return {name: getattr(self, name) for name in COLUMNS}

    def at(self, path: str, argument: str) -> "Report":
        """The same record under another path and argument."""
        return replace(self, path=path, argument=argument)


def throughput_khz(interval_cycles: float | None, clock_ns: float | None) -> float | None:
    """Images per millisecond: 10^6 / (interval_cycles * clock_ns); None where a figure is missing."""
    return 1e6 / (interval_cycles * clock_ns) if interval_cycles and clock_ns else None


def percent(count: int | None, available: int | None) -> float | None:
    """Share of what the device has; None where a figure is missing."""
    return 100 * count / available if count is not None and available else None


COLUMNS: tuple[str, ...] = tuple(
    field.name for field in fields(Report) if field.name not in {"modules", "loops", "fifos", "argument"}
)
PERCENT_OF: tuple[str, ...] = ("bram_18k", "dsp", "ff", "lut", "uram", "alm", "ram_blocks")
DERIVED: tuple[str, ...] = (
    *("latency_us", "fmax_mhz", "images_per_s"),
    *(f"{name}_percent" for name in PERCENT_OF),
    "ii_violations",
)
RESOURCES: tuple[str, ...] = ("bram_18k", "dsp", "ff", "lut", "uram")
