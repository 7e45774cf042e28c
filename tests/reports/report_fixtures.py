"""What our own small reports in tests/data/reports say, one per kind and oddity."""

from pathlib import Path

from nonresnet_hls.reports import Kind, Stage

OWN = Path(__file__).parents[1] / "data" / "reports"
SHARED = Path(__file__).parents[3] / "shared" / "reports"

HLS_2019 = "vivado_hls_2019/tiny_prj/solution1"
VITIS = "vitis_hls_2024/tiny_prj/solution1"
UNIFIED = "vitis_unified/hls_component/tiny"
AVAILABLE_VU = {
    "available_bram_18k": 5376,
    "available_dsp": 12288,
    "available_ff": 3456000,
    "available_lut": 1728000,
    "available_uram": 1280,
}
AVAILABLE_ZU7 = {
    "available_bram_18k": 624,
    "available_dsp": 1728,
    "available_ff": 460800,
    "available_lut": 230400,
    "available_uram": 96,
}
SLR_VU = {
    "slr_available_bram_18k": 1344,
    "slr_available_dsp": 3072,
    "slr_available_ff": 864000,
    "slr_available_lut": 432000,
    "slr_available_uram": 320,
}
TINY_2019 = {"bram_18k": 9, "dsp": 12, "ff": 2400, "lut": 4100, "uram": 0}
TINY_VITIS = {"bram_18k": 735, "dsp": 1, "ff": 4400, "lut": 5200, "uram": 0}
YOSYS = {"lut": 33, "ff": 32, "bram_18k": 6, "dsp": 3, "uram": 0, "srl": 3}


def vivado(version: str, part: str, top: str, stage: Stage | None) -> dict[str, object]:
    return {"tool": "Vivado", "tool_version": version, "part": part, "top": top, "stage": stage}


def vivado_hls(version: str, part: str, family: str, top: str = "tiny") -> dict[str, object]:
    named = {
        "tool": "Vivado HLS",
        "tool_version": version,
        "part": part,
        "product_family": family,
        "top": top,
    }
    return {**named, "stage": Stage.CSYNTH}


def clock(target: float, estimate: float, uncertainty: float) -> dict[str, float]:
    return {"clock_target_ns": target, "clock_estimate_ns": estimate, "clock_uncertainty_ns": uncertainty}


def averages(latency: float, interval: float | None = None) -> dict[str, float | None]:
    return {"latency_avg_cycles": latency, "interval_avg_cycles": interval}


def cycles(low: int, high: int, interval_low: int | None = None, interval_high: int | None = None):
    return {
        "latency_min_cycles": low,
        "latency_max_cycles": high,
        "interval_min_cycles": interval_low,
        "interval_max_cycles": interval_high,
    }


# Everything that each report says; all other columns are None.
EXPECTED: dict[str, dict[str, object]] = {
    # No URAM column, headings of 2016, "~0" percentages.
    "vivado_hls_2016/tiny_csynth.rpt": {
        "kind": Kind.CSYNTH_TEXT,
        **vivado_hls("2016.4", "xc7vx485tffg1761-2", "virtex7"),
        **cycles(11, 11, 2, 2),
        "pipeline_type": "function",
        **clock(5.0, 4.33, 0.62),
        **{"bram_18k": 3, "dsp": 9, "ff": 812, "lut": 1044},
        **{
            "available_bram_18k": 2060,
            "available_dsp": 2800,
            "available_ff": 607200,
            "available_lut": 303600,
        },
    },
    # Several SLRs; a clock in us; the text says interval = latency, the XML latency + 1.
    f"{HLS_2019}/syn/report/tiny_csynth.rpt": {
        "kind": Kind.CSYNTH_TEXT,
        **vivado_hls("2019.2", "xcu250-figd2104-2L-e", "virtexuplus"),
        **cycles(612, 640, 612, 640),
        "pipeline_type": "none",
        **clock(5.0, 101.0, 0.62),
        **TINY_2019,
        **AVAILABLE_VU,
        **SLR_VU,
    },
    f"{HLS_2019}/syn/report/csynth.xml": {
        "kind": Kind.CSYNTH_XML,
        **{**vivado_hls("2019.2", "xcu250-figd2104-2L-e", "virtexuplus"), "tool": None},
        **cycles(612, 640, 613, 641),
        "pipeline_type": "none",
        **clock(5.0, 100.983, 0.62),
        **TINY_2019,
        **AVAILABLE_VU,
    },
    # A single transaction has no interval, whichever way the file says so.
    f"{HLS_2019}/sim/report/tiny_cosim.rpt": {
        "kind": Kind.COSIM,
        "stage": Stage.COSIM,
        **cycles(633, 633),
        **averages(633.0),
        "cosim_status": "Verilog Pass",
    },
    f"{HLS_2019}/sim/report/verilog/lat.rpt": {
        "kind": Kind.COSIM_LATENCY,
        "stage": Stage.COSIM,
        **cycles(633, 633),
        **averages(633.0),
    },
    f"{HLS_2019}/sim/verilog/tiny.performance.result.transaction.xml": {
        "kind": Kind.COSIM_TRANSACTIONS,
        "stage": Stage.COSIM,
        **cycles(633, 633),
        **averages(633.0),
        "transactions": 1,
    },
    f"{HLS_2019}/impl/report/verilog/tiny_export.rpt": {
        "kind": Kind.EXPORT_TEXT,
        "stage": Stage.EXPORT,
        "tool": "Vivado",
        "tool_version": "2019.2",
        "part": "xcu250-figd2104-2L-e",
        "clock_target_ns": 5.0,
        "clock_estimate_ns": 4.303,
        **{"bram_18k": 5, "dsp": 12, "ff": 2050, "lut": 3100, "uram": 0, "srl": 64},
        "note": "after synthesis",
    },
    f"{HLS_2019}/impl/report/verilog/tiny_export.xml": {
        "kind": Kind.EXPORT_XML,
        "stage": Stage.EXPORT,
        "clock_target_ns": 5.0,
        "clock_estimate_ns": 4.303,
        **{"bram_18k": 5, "dsp": 12, "ff": 2050, "lut": 3100, "uram": 0, "srl": 64},
        **AVAILABLE_VU,
    },
    # Halves of 36 Kbit tiles.
    "vivado_hls_2019/vivado_synth.rpt": {
        "kind": Kind.UTILIZATION,
        **vivado("2019.2", "xcu250figd2104-2L", "tiny", Stage.SYNTHESIZED),
        **{"bram_18k": 5, "dsp": 12, "ff": 2050, "lut": 3100, "uram": 0},
        **{"ramb36": 1, "ramb18": 3, "lutram": 0, "srl": 64},
        **AVAILABLE_VU,
    },
    "vivado_hls_2019/vivado_hls.log": {
        "kind": Kind.HLS_LOG,
        "tool": "Vivado HLS",
        "tool_version": "2019.2",
        "part": "xcu250-figd2104-2L-e",
        "clock_target_ns": 5.0,
        "finished": True,
        "error_count": 0,
        "steps": ("C synthesis: done", "validation: done"),
    },
    # Latency that depends on the data; more than the device has.
    f"{VITIS}/syn/report/tiny_csynth.rpt": {
        "kind": Kind.CSYNTH_TEXT,
        **{**vivado_hls("2024.1", "xczu7ev-ffvc1156-2-e", "zynquplus"), "tool": "Vitis HLS"},
        "pipeline_type": "dataflow",
        **clock(10.0, 7.282, 2.7),
        **TINY_VITIS,
        **AVAILABLE_ZU7,
    },
    f"{VITIS}/syn/report/csynth.xml": {
        "kind": Kind.CSYNTH_XML,
        **{**vivado_hls("2024.1", "xczu7ev-ffvc1156-2-e", "zynquplus"), "tool": None},
        "pipeline_type": "dataflow",
        **clock(10.0, 7.282, 2.7),
        **TINY_VITIS,
        **AVAILABLE_ZU7,
    },
    # "-" is no 0.
    f"{VITIS}/syn/report/csynth.rpt": {
        "kind": Kind.CSYNTH_SUMMARY,
        **{**vivado_hls("2024.1", "xczu7ev-ffvc1156-2-e", "zynquplus"), "tool": "Vitis HLS"},
        "pipeline_type": "dataflow",
        **{"bram_18k": 735, "dsp": 1, "ff": 4400, "lut": 5200},
    },
    f"{VITIS}/syn/report/csynth_design_size.rpt": {
        "kind": Kind.DESIGN_SIZE,
        "stage": Stage.CSYNTH,
        "tool": "Vitis HLS",
        "top": "tiny",
    },
    f"{VITIS}/sim/report/tiny_cosim.rpt": {
        "kind": Kind.COSIM,
        "stage": Stage.COSIM,
        **cycles(1900, 2700, 470, 1435),
        **averages(2300.0, 950.0),
        "cosim_status": "Verilog Pass",
        "total_cycles": 9410,
    },
    f"{VITIS}/sim/verilog/tiny.performance.result.transaction.xml": {
        "kind": Kind.COSIM_TRANSACTIONS,
        "stage": Stage.COSIM,
        **cycles(1900, 2700, 470, 1435),
        **averages(2300.0, 952.5),
        "transactions": 3,
    },
    f"{VITIS}/sim/verilog/tiny.result.lat.rb": {
        "kind": Kind.COSIM_LATENCY,
        "stage": Stage.COSIM,
        **cycles(1900, 2700, 470, 1435),
        **averages(2300.0, 952.0),
        "total_cycles": 9410,
    },
    f"{VITIS}/impl/report/verilog/export_syn.rpt": {
        "kind": Kind.EXPORT_TEXT,
        "stage": Stage.EXPORT,
        "tool": "Vivado",
        "tool_version": "2024.1",
        "part": "xczu7ev-ffvc1156-2-e",
        "product_family": "zynquplus",
        "clock_target_ns": 10.0,
        "clock_estimate_ns": 7.1,
        **{"bram_18k": 731, "dsp": 1, "ff": 4150, "lut": 5000, "uram": 0, "srl": 12},
        "note": "after synthesis",
    },
    f"{VITIS}/impl/report/verilog/export_impl.rpt": {
        "kind": Kind.EXPORT_TEXT,
        "stage": Stage.EXPORT,
        "tool": "Vivado",
        "tool_version": "2024.1",
        "part": "xczu7ev-ffvc1156-2-e",
        "clock_target_ns": 10.0,
        "clock_estimate_ns": 8.25,
        **{"bram_18k": 730, "dsp": 1, "ff": 4100, "lut": 4900, "uram": 0, "srl": 12},
        "note": "after place and route",
    },
    f"{VITIS}/impl/report/verilog/export_impl.xml": {
        "kind": Kind.EXPORT_XML,
        "stage": Stage.EXPORT,
        "tool": "Vivado",
        "tool_version": "2024.1",
        "clock_target_ns": 10.0,
        "clock_estimate_ns": 8.25,
        "wns_ns": 1.75,
        **{"bram_18k": 730, "dsp": 1, "ff": 4100, "lut": 4900, "uram": 0, "srl": 12},
        **AVAILABLE_ZU7,
        "note": "after place and route",
    },
    "vitis_hls_2024/vitis_hls.log": {
        "kind": Kind.HLS_LOG,
        "tool": "Vitis HLS",
        "tool_version": "2024.1",
        "part": "xczu7ev-ffvc1156-2-e",
        "top": "tiny",
        "clock_target_ns": 10.0,
        "finished": False,
        "error_count": 1,
        "first_error": "ERROR: [HLS 200-1715] Encountered problem during source synthesis",
        "steps": ("C synthesis: not done",),
        "note": "C synthesis failed: ERROR: [HLS 200-1715] Encountered problem during source synthesis",
    },
    f"{UNIFIED}/reports/hls_compile.rpt": {
        "kind": Kind.CSYNTH_SUMMARY,
        **{**vivado_hls("2025.1", "xczu7ev-ffvc1156-2-e", "zynquplus"), "tool": "Vitis HLS"},
        # One latency and one interval are printed: the worst.
        "latency_max_cycles": 17,
        "interval_max_cycles": 1,
        "pipeline_type": "yes",
        **{"bram_18k": 48, "dsp": 4, "ff": 1381, "lut": 3548},
    },
    f"{UNIFIED}/reports/hls_cosim.rpt": {
        "kind": Kind.COSIM,
        "stage": Stage.COSIM,
        "cosim_status": "Verilog Fail",
    },
    # Another heading, other columns in another order; figures of a design with one function.
    "vitis_hls_2025/csynth.rpt": {
        "kind": Kind.CSYNTH_SUMMARY,
        **{**vivado_hls("2025.2", "xczu7ev-ffvc1156-2-e", "zynquplus", "small"), "tool": "Vitis HLS"},
        "latency_max_cycles": 906,
        "interval_max_cycles": 907,
        "pipeline_type": "no",
        **{"bram_18k": 6, "dsp": 2, "ff": 800, "lut": 1300},
    },
    "vitis_hls_2025/csynth_design_size.rpt": {
        "kind": Kind.DESIGN_SIZE,
        "stage": Stage.CSYNTH,
        "tool": "Vitis HLS",
        "top": "small",
    },
    "vitis_data/small/hls/hls_data.json": {
        "kind": Kind.HLS_DATA,
        "stage": Stage.CSYNTH,
        "tool": "Vitis HLS",
        "tool_version": "2024.2",
        "part": "xczu7ev-ffvc1156-2-e",
        "product_family": "zynquplus",
        "top": "small",
        **cycles(906, 906, 907, 907),
        "pipeline_type": "no",
        **clock(5.0, 3.45, 1.35),
        **{"bram_18k": 6, "dsp": 2, "ff": 800, "lut": 13000, "uram": 0},
        **AVAILABLE_ZU7,
    },
    # Tiles of 36 Kbit, halves included; the device is what the platform takes and what it leaves.
    "vitis_platform/kernel_util_routed.rpt": {
        "kind": Kind.UTILIZATION_KERNELS,
        **vivado("2022.2", "xcu250", "small", Stage.ROUTED),
        **{"bram_18k": 25, "dsp": 614, "ff": 32640, "lut": 24000, "uram": 2},
        **{**AVAILABLE_VU, "available_ff": 3456000, "available_lut": 1728000},
        "note": "what the kernels take, without the platform",
        "other_columns": (
            "user budget lut: 1600000",
            "user budget ff: 3264000",
            "user budget bram_18k: 5000",
            "user budget uram: 1280",
            "user budget dsp: 12280",
            "lutasmem: 1200 [  0.16%]",
        ),
    },
    "vivado_versal/core_utilization_placed.rpt": {
        "kind": Kind.UTILIZATION,
        **vivado("2024.1", "xcvc1902-vsva2197-2MP-e-S", "core", Stage.PLACED),
        **{"bram_18k": 19, "dsp": 10, "ff": 8998, "lut": 4499, "uram": 1, "lutram": 200, "srl": 299},
        **{"ramb36": 7, "ramb18": 5},
        **{"available_bram_18k": 1934, "available_dsp": 1968, "available_ff": 1799680},
        **{"available_lut": 899840, "available_uram": 463},
    },
    # ALMs are no LUTs, blocks of 10 Kbit none of 18.
    "quartus/small.fit.summary": {
        "kind": Kind.QUARTUS_SUMMARY,
        "stage": Stage.ROUTED,
        "tool": "Quartus Prime",
        "tool_version": "21.1.0",
        "part": "5CSEBA6U23I7",
        "product_family": "Cyclone V",
        "top": "small_top",
        **{"alm": 2549, "available_alm": 41910, "ff": 3931, "dsp": 1, "available_dsp": 112},
        **{"ram_blocks": 61, "available_ram_blocks": 553, "finished": True},
        "other_columns": (
            "Total pins: 31 / 314 ( 10 % )",
            "Total virtual pins: 0",
            "Total block memory bits: 374,291 / 5,662,720 ( 7 % )",
            "Total PLLs: 1 / 6 ( 17 % )",
        ),
    },
    # The worst of all corners; pulse widths are no slack of a path.
    "quartus/small.sta.summary": {
        "kind": Kind.QUARTUS_TIMING,
        "stage": Stage.ROUTED,
        "tool": "Quartus",
        **{"wns_ns": -0.481, "tns_ns": -3.25, "whs_ns": 0.213, "ths_ns": 0.0},
        "note": "the worst of all corners",
    },
    "oneapi/acl_quartus_report.txt": {
        "kind": Kind.ONEAPI_SUMMARY,
        "stage": Stage.ROUTED,
        "tool": "oneAPI",
        "clock_estimate_ns": 4.0,
        **{"alm": 90304, "available_alm": 427200, "ff": 199683, "dsp": 299, "available_dsp": 1518},
        **{"ram_blocks": 1065, "available_ram_blocks": 2713},
        "other_columns": (
            "ALUTs: 88149",
            "I/O pins: 310 / 826 ( 38 % )",
            "Memory bits: 12,490,792 / 55,562,240 ( 22 % )",
            "Actual clock freq: 240",
            "1x clock fmax: 250.00",
            "2x clock fmax: 10000",
            "Highest non-global fanout: 19237",
        ),
    },
    # Of the clocks after placing and after routing, the last.
    "nextpnr/ecp5.log": {
        "kind": Kind.NEXTPNR_LOG,
        "stage": Stage.ROUTED,
        "tool": "nextpnr",
        **{"lut": 2210, "ff": 980, "bram_18k": 4, "dsp": 2},
        **{"available_lut": 24288, "available_ff": 24288, "available_bram_18k": 56, "available_dsp": 28},
        **{"clock_target_ns": 40.0, "clock_estimate_ns": 16.0, "wns_ns": 24.0, "finished": True, "error_count": 0},
        "other_columns": ("TRELLIS_IO: 21 of 197", "DCCA: 1 of 56"),
    },
    # What `hls4ml report` prints: cut short, with the co-simulation after it.
    "hls4ml_print/csynth.txt": {
        "kind": Kind.CSYNTH_TEXT,
        **vivado_hls("2019.2.1", "xcvu9p-flgb2104-2-i", "virtexuplus"),
        **cycles(1748, 1750, 1204, 1210),
        "pipeline_type": "dataflow",
        **clock(5.0, 4.299, 0.62),
        **{"bram_18k": 137, "dsp": 195, "ff": 4386, "lut": 8745, "uram": 0},
        **{"available_bram_18k": 4320, "available_dsp": 6840, "available_ff": 2364480},
        **{"available_lut": 1182240, "available_uram": 960},
        **{"slr_available_bram_18k": 1440, "slr_available_dsp": 2280, "slr_available_ff": 788160},
        **{"slr_available_lut": 394080, "slr_available_uram": 320},
        "cosim_status": "Verilog Pass",
        "note": "co-simulated: latency 1415 to 2329 cycles, interval 476 to 1368 cycles",
    },
    # 7 series, "Prohibited", decimal commas.
    "vivado/board.runs/impl_1/board_utilization_placed.rpt": {
        "kind": Kind.UTILIZATION,
        **vivado("2025.1", "xc7z020clg400-1", "board", Stage.PLACED),
        **{"bram_18k": 33, "dsp": 110, "ff": 5126, "lut": 3455, "ramb36": 0, "ramb18": 33, "lutram": 0, "srl": 2},
        **{"available_bram_18k": 280, "available_dsp": 220, "available_ff": 106400, "available_lut": 53200},
    },
    "vivado/board.runs/impl_1/board_timing_summary_routed.rpt": {
        "kind": Kind.TIMING_SUMMARY,
        **vivado("2025.1", "7z020-clg400", "board", Stage.ROUTED),
        **{"wns_ns": 0.784, "tns_ns": 0.0, "whs_ns": 0.021, "ths_ns": 0.0, "clock_target_ns": 10.0},
    },
    "vivado/board.runs/impl_1/board_power_routed.rpt": {
        "kind": Kind.POWER,
        **vivado("2025.1", "xc7z020clg400-1", "board", Stage.ROUTED),
        **{"power_total_w": 1.603, "power_dynamic_w": 1.462, "power_static_w": 0.141},
    },
    # No "Design State": the nets are "unplaced"; two clocks; decimal commas.
    "vivado_loose/a_timing.rpt": {
        "kind": Kind.TIMING_SUMMARY,
        **vivado("2019.2.1", "xcvu9p-flgb2104", "core", Stage.SYNTHESIZED),
        **{"wns_ns": -1.791, "tns_ns": -3552.662, "whs_ns": 0.066, "ths_ns": 0.0},
    },
    # No constraints: no slack.
    "vivado_loose/b_timing.rpt": {
        "kind": Kind.TIMING_SUMMARY,
        **vivado("2019.2.1", "xcvu9p-flgb2104", "core", Stage.SYNTHESIZED),
    },
    # The paths that were asked for need not hold the worst one.
    "vivado_paths/core_timing.rpt": {
        "kind": Kind.TIMING_PATHS,
        **vivado("2018.2", "xcvu9p-flgb2104", "core", Stage.SYNTHESIZED),
        "path_slack_ns": 1.093,
    },
    "vivado_hierarchical/util.rpt": {
        "kind": Kind.UTILIZATION_HIERARCHICAL,
        **vivado("2022.2", "xczu7ev-ffvc1156-2-e", "board", Stage.ROUTED),
        **{
            "bram_18k": 7,
            "dsp": 12,
            "ff": 2050,
            "lut": 3100,
            "uram": 0,
            "ramb36": 2,
            "ramb18": 3,
            "lutram": 0,
            "srl": 64,
        },
    },
    "vivado_slr/slr_util.rpt": {
        "kind": Kind.UTILIZATION_SLR,
        **vivado("2022.2", "xcu55c-fsvh2892-2L-e", "shell", Stage.PLACED),
        **{"bram_18k": 1705, "dsp": 104, "ff": 202734, "lut": 178931, "uram": 0},
        **{"ramb36": 827, "ramb18": 51, "srl": 4059},
        "note": "the sum over the SLRs",
    },
    "logs/vivado_hls_2016.log": {
        "kind": Kind.HLS_LOG,
        "tool": "Vivado HLS",
        "tool_version": "2016.4",
        "part": "xc7vx690tffg1927-2",
        "clock_target_ns": 3.33,
        "finished": True,
        "error_count": 0,
        "note": "by the log, no step ran",
    },
    # Cut off at both ends: killed while it ran.
    "logs/no_banner.log": {
        "kind": Kind.HLS_LOG,
        "tool": "Vivado HLS",
        "tool_version": "2019.2",
        "part": "xczu5ev-sfvc784-2LV-e",
        "finished": False,
        "error_count": 0,
        "steps": ("C synthesis: not done",),
        "note": "the log ends within C synthesis: killed, or still running",
    },
    "finn/estimate_layer_resources.json": {
        "kind": Kind.FINN_RESOURCES,
        "stage": Stage.ESTIMATE,
        "tool": "FINN",
        **{"bram_18k": 6, "dsp": 0, "lut": 1415, "uram": 0},
    },
    "finn/estimate_layer_cycles.json": {"kind": Kind.FINN_CYCLES, "stage": Stage.ESTIMATE, "tool": "FINN"},
    "finn/estimate_network_performance.json": {
        "kind": Kind.FINN_PERFORMANCE,
        "stage": Stage.ESTIMATE,
        "tool": "FINN",
        **cycles(40000, 40000, 36864, 36864),
        "clock_target_ns": 10.0,
        "throughput_fps": 2712.673611111111,
    },
    "finn_build/report/estimate_layer_resources.json": {
        "kind": Kind.FINN_RESOURCES,
        "stage": Stage.ESTIMATE,
        "tool": "FINN",
        **{"bram_18k": 26, "dsp": 4, "lut": 1891, "uram": 0},
    },
    # What might have been has no figure of the design.
    "finn_build/report/estimate_layer_config_alternatives.json": {
        "kind": Kind.FINN_ALTERNATIVES,
        "stage": Stage.ESTIMATE,
        "tool": "FINN",
    },
    # Figures as text.
    "finn_build/report/estimate_layer_resources_hls.json": {
        "kind": Kind.FINN_HLS,
        "stage": Stage.CSYNTH,
        "tool": "FINN",
        **{"bram_18k": 22, "dsp": 4, "ff": 2610, "lut": 2380, "uram": 0},
        "note": "the sum of the 2 layers that HLS makes; layers in RTL are not among them",
    },
    # Blocks of both sizes: 2 * 12 + 3.
    "finn_build/report/post_synth_resources.json": {
        "kind": Kind.FINN_POST_SYNTH,
        "stage": Stage.SYNTHESIZED,
        "tool": "FINN",
        **{"bram_18k": 27, "dsp": 4, "ff": 5200, "lut": 4100, "srl": 220, "ramb36": 12, "ramb18": 3},
    },
    "finn_build/report/rtlsim_performance.json": {
        "kind": Kind.FINN_RTLSIM,
        "stage": Stage.COSIM,
        "tool": "FINN",
        **cycles(20000, 20000, 10000, 10000),
        "clock_target_ns": 5.0,
        "transactions": 4,
        "total_cycles": 50000,
        "throughput_fps": 16000.0,
        "other_columns": ("N_IN_TXNS: 4096", "N_OUT_TXNS: 4", "stable_throughput[images/s]: 20000.0"),
    },
    # The same netlist in four forms; RAM32M takes 4 LUTs, INV and SRL16E one each, RAMB36E1 two blocks.
    "yosys/stat_old.txt": {"kind": Kind.YOSYS_TEXT, "tool": "Yosys", "top": "top", **YOSYS},
    "yosys/stat_new.txt": {"kind": Kind.YOSYS_TEXT, "tool": "Yosys", "top": "top", **YOSYS},
    "yosys/stat_modules_only.txt": {"kind": Kind.YOSYS_TEXT, "tool": "Yosys", "top": "top", **YOSYS},
    "yosys/stat.json": {
        "kind": Kind.YOSYS_JSON,
        "tool": "Yosys",
        "tool_version": "0.70",
        "top": "top",
        **YOSYS,
    },
    # 20 LUT4 + 4 CCU2C * 2 + 3 TRELLIS_DPR16X4 * 6.
    "yosys/ecp5.txt": {
        "kind": Kind.YOSYS_TEXT,
        "tool": "Yosys",
        "top": "top",
        **{"lut": 46, "ff": 12, "bram_18k": 2, "dsp": 1, "uram": 0, "srl": 0},
    },
    # A clock manager and I/O cells take none of these; memories of another size leave the block RAM open.
    "yosys/ecp5_pll.txt": {
        "kind": Kind.YOSYS_TEXT,
        "tool": "Yosys",
        "top": "top",
        **{"lut": 58, "ff": 16, "bram_18k": 0, "dsp": 0, "uram": 0, "srl": 0},
    },
    "yosys/ice40.txt": {
        "kind": Kind.YOSYS_TEXT,
        "tool": "Yosys",
        "top": "top",
        **{"lut": 20, "ff": 5, "dsp": 2, "srl": 0},
        "note": "no blocks of 18 Kbit: 3 SB_RAM40_4K of 4 Kbit",
    },
    # An incomplete sum would look whole.
    "yosys/unmapped.txt": {
        "kind": Kind.YOSYS_TEXT,
        "tool": "Yosys",
        "top": "top",
        "note": "cells that are not counted: $_AND_",
    },
    # Of several in a log, the last.
    "yosys/run.log": {
        "kind": Kind.YOSYS_TEXT,
        "tool": "Yosys",
        "tool_version": "0.38",
        "top": "top",
        **{"lut": 5, "ff": 4, "bram_18k": 0, "dsp": 0, "uram": 0, "srl": 0},
    },
}
for figures in EXPECTED.values():
    if figures.get("tool") == "Yosys":
        figures["stage"] = Stage.SYNTHESIZED
