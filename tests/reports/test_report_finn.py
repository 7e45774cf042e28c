"""FINN's builds: estimates, HLS, simulation and synthesis as one design, layer by layer."""

import json

import pytest

from nonresnet_hls import reports
from nonresnet_hls.errors import ReportError
from nonresnet_hls.reports import Kind, Stage
from nonresnet_hls.reports.reader import read_bytes

BUILD = "finn_build"


def document(own, name: str) -> dict:
    return json.loads((own / BUILD / "report" / f"{name}.json").read_text())


def read(content: object, name: str = "a.json") -> reports.Report | None:
    return read_bytes(json.dumps(content).encode(), name)


def test_a_build_is_one_design_called_after_its_folder(own):
    for path in (own / BUILD, own / BUILD / "report"):
        rows = reports.merge(reports.read(path))
        assert [(row.design, row.stage) for row in rows] == [
            (BUILD, stage) for stage in (Stage.ESTIMATE, Stage.CSYNTH, Stage.SYNTHESIZED, Stage.COSIM)
        ]
        assert [row.lut for row in rows] == [1891, 2380, 4100, None]


def test_a_layer_has_one_name_at_every_stage(own):
    rows = reports.merge(reports.read(own / BUILD))
    luts = {
        (module.name, row.stage): (module.lut, module.bram_18k, module.srl) for row in rows for module in row.modules
    }
    assert luts == {
        ("MVAU_hls_0", Stage.ESTIMATE): (1800, 24, None),
        ("MVAU_hls_0", Stage.CSYNTH): (2050, 22, None),
        ("MVAU_hls_0", Stage.SYNTHESIZED): (1900, 22, 40),
        ("StreamingFIFO_rtl_0", Stage.ESTIMATE): (91, 2, None),
        ("StreamingFIFO_rtl_0", Stage.SYNTHESIZED): (80, 2, 64),
        ("Thresholding_hls_0", Stage.CSYNTH): (330, 0, None),
    }


def test_alternatives_are_listed_but_are_none_of_the_designs_layers(own):
    (report,) = reports.read(own / BUILD / "report/estimate_layer_config_alternatives.json")
    assert [(m.name, m.instance, m.lut, m.dsp) for m in report.modules] == [
        ("MVAU_hls_0", "alternative 1", 1800, 4),
        ("MVAU_hls_0", "alternative 2", 3100, 0),
        ("StreamingFIFO_rtl_0", "alternative 1", 91, 0),
    ]
    assert reports.merge([report]) == []


@pytest.mark.parametrize("key", ["DSP", "DSP48", "DSP48E", "DSP48E2", "DSP58", "DSP58E2"])
@pytest.mark.parametrize("text", [False, True])
def test_the_dsp_of_every_family_and_figures_as_text(key, text):
    figures = {"BRAM_18K": 1, "LUT": 2, "FF": 3, key: 4, "Carry": 5}
    report = read({"MVAU_hls_0": {name: str(n) if text else n for name, n in figures.items()}})
    assert report is not None
    (module,) = report.modules
    assert (module.bram_18k, module.lut, module.ff, module.dsp, module.uram) == (1, 2, 3, 4, None)
    assert module.other_columns == ("Carry: 5",)
    assert report.kind is (Kind.FINN_HLS if text else Kind.FINN_RESOURCES)


@pytest.mark.parametrize("figure", ["many", "-3", "1e400", "", True, None, -1, [1]])
def test_what_is_no_figure_is_refused_by_layer(figure):
    with pytest.raises(ReportError, match=r"MVAU_hls_0\.LUT.*wanted a figure"):
        read({"MVAU_hls_0": {"BRAM_18K": 1, "LUT": figure}})


def test_new_operators_are_known_by_the_file(own, tmp_path):
    report = read({"Quaternion_rtl_0": 12, "Fold_7": 30}, "build/report/estimate_layer_cycles.json")
    assert report is not None
    assert [(m.name, m.interval_max_cycles) for m in report.modules] == [("Quaternion_rtl_0", 12), ("Fold_7", 30)]
    assert read({"Quaternion_rtl_0": 12, "Fold_7": 30}, "counts.json") is None


def test_a_single_frame_has_no_interval(own):
    content = document(own, "rtlsim_performance") | {"N": 1, "cycles": 20001}
    report = read(content)
    assert report is not None
    assert (report.latency_max_cycles, report.interval_max_cycles, report.total_cycles) == (20000, None, 20001)


@pytest.mark.parametrize("failed", ["TIMEOUT", "UNFINISHED_INS", "UNFINISHED_OUTS"])
def test_a_simulation_that_did_not_end_has_no_figures(own, failed):
    report = read(document(own, "rtlsim_performance") | {failed: 1})
    assert report is not None
    assert (report.latency_max_cycles, report.throughput_fps, report.total_cycles) == (None, None, None)
    assert (report.finished, report.note) == (False, f"the simulation did not end: {failed}")


OUT_OF_CONTEXT = {
    **{"vivado_proj_folder": "/tmp/a", "LUT": 8265.0, "LUTRAM": 12.0, "FF": 9000.0, "DSP": 2.0, "BRAM": 16.5},
    **{"BRAM_18K": 3.0, "BRAM_36K": 15.0, "URAM": 0.0, "Carry": 700.0, "WNS": -0.5, "Delay": 0.0, "fmax_mhz": 200.0},
    "estimated_throughput_fps": 1234.5,
}


def test_place_and_route_of_the_design_alone():
    report = read(OUT_OF_CONTEXT)
    assert report is not None
    assert (report.stage, report.lut, report.lutram, report.dsp, report.bram_18k) == (Stage.ROUTED, 8265, 12, 2, 33)
    assert (report.wns_ns, report.clock_estimate_ns, report.clock_target_ns) == (-0.5, 5.0, 4.5)
    assert "estimated_throughput_fps: 1234.5" in report.other_columns
    older = {name: value for name, value in OUT_OF_CONTEXT.items() if name not in {"BRAM_18K", "BRAM_36K"}}
    report = read(older)
    assert report is not None
    assert report.bram_18k == 33


def test_a_synthesis_that_failed_took_no_resources():
    report = read(dict.fromkeys(OUT_OF_CONTEXT, 0))
    assert report is not None
    assert (report.lut, report.bram_18k, report.wns_ns, report.finished) == (None, None, None, False)
