"""Each kind of report and each oddity, by our own small files: what is read, and what stays open."""

import pytest

from nonresnet_hls import reports
from nonresnet_hls.errors import ReportError
from nonresnet_hls.reports import Kind
from tests.reports.report_fixtures import EXPECTED, HLS_2019, VITIS, cycles

NO_REPORTS = (
    "vivado_hls_2019/README.md",  # quotes one
    "vivado_hls_2019/hls4ml_config.yml",
    "vivado/board.runs/impl_1/board_clock_utilization_routed.rpt",
    "finn/other.json",
    "others/rtl.rpt",
    # The HLS tools' own notes, which begin like a report.
    "vitis_hls_2024/copied/tiny.verbose.rpt",
    "vitis_hls_2024/copied/tiny.verbose.sched.rpt",
)


@pytest.mark.parametrize("path", EXPECTED)
def test_all_that_it_says_and_nothing_else(own, path):
    (report,) = reports.read(own / path)
    said = {name: value for name, value in report.figures().items() if value not in (None, ())}
    del said["path"]
    wanted = {name: value for name, value in EXPECTED[path].items() if value is not None}
    assert said == wanted
    for name, value in said.items():
        assert type(value) is type(wanted[name]), name


@pytest.mark.parametrize("path", NO_REPORTS)
def test_what_is_no_report_is_passed_over_in_a_folder_and_refused_by_name(own, path):
    assert path not in {report.path for report in reports.read(own)}
    with pytest.raises(ReportError, match=path.rsplit("/", 1)[-1]):
        reports.read(own / path)


def test_content_not_name_tells_the_kind(own, tmp_path):
    for number, path in enumerate(EXPECTED):
        (tmp_path / f"file{number}.dat").write_bytes((own / path).read_bytes())
    found = {report.path: report.kind for report in reports.read(tmp_path)}
    assert found == {f"file{number}.dat": figures["kind"] for number, figures in enumerate(EXPECTED.values())}


@pytest.mark.parametrize("change", ["crlf", "utf-16", "bom", "indented", "no last line end"])
def test_other_line_ends_and_encodings_read_the_same(own, change):
    for path in EXPECTED:
        data = (own / path).read_bytes()
        changed = {
            "crlf": data.replace(b"\n", b"\r\n"),
            "utf-16": data.decode().encode("utf-16"),
            "bom": b"\xef\xbb\xbf" + data,
            "indented": b"\n\n" + data,
            "no last line end": data.rstrip(b"\n"),
        }[change]
        if change == "no last line end" and EXPECTED[path]["kind"] is Kind.COSIM_TRANSACTIONS:
            continue  # its last figure might have lost digits
        if change == "indented" and (data.startswith(b"<?xml") or "vivado_hls.log" in path):
            continue
        from nonresnet_hls.reports.reader import read_bytes

        whole, again = read_bytes(data, "a"), read_bytes(changed, "a")
        assert whole is not None
        assert again == whole, path


def test_modules_of_the_top_with_latency_and_resources(own):
    (report,) = reports.read(own / HLS_2019 / "syn/report/tiny_csynth.rpt")
    conv = report.modules[0]
    assert conv == reports.Module(
        name="conv_2d_cl_ap_fixed_config2_s",
        instance="conv_2d_cl_ap_fixed_config2_U0",
        pipeline_type="none",
        **cycles(300, 320, 300, 320),
        **{"bram_18k": 2, "dsp": 8, "ff": 1500, "lut": 2500, "uram": 0},
    )
    assert [module.name for module in report.modules[1:]] == [
        "clone_stream_ap_fixed_64_s",
        "add_ap_fixed_config7_s",
    ]


def test_modules_in_the_xml_of_vitis_hls(own):
    (report,) = reports.read(own / VITIS / "syn/report/csynth.xml")
    (module,) = report.modules
    assert (module.latency_min_cycles, module.latency_max_cycles) == (1167, 1300)
    assert (module.interval_min_cycles, module.interval_max_cycles) == (1167, 1300)
    assert (module.clock_target_ns, module.clock_estimate_ns, module.bram_18k) == (10.0, 7.282, 700)


def test_loops_are_no_modules(own):
    (report,) = reports.read(own / VITIS / "syn/report/csynth.rpt")
    assert [module.name for module in report.modules] == ["conv_2d_cl_array_config2_s"]


def test_instances_of_a_hierarchical_utilization(own):
    (report,) = reports.read(own / "vivado_hierarchical/util.rpt")
    assert [(module.instance, module.lut, module.bram_18k) for module in report.modules] == [
        ("board", 3100, 7),
        ("tiny_0", 3000, 7),
    ]


def test_the_working_memory_of_the_hls_tools_is_left_alone(own):
    assert (own / VITIS / ".autopilot/db/tiny_csynth.rpt").is_file()
    assert not [report for report in reports.read(own) if ".autopilot" in report.path]


def test_layers_of_finn(own):
    (cycles_of,) = reports.read(own / "finn/estimate_layer_cycles.json")
    assert [(m.name, m.interval_max_cycles) for m in cycles_of.modules] == [
        ("MVAU_hls_0", 36864),
        ("StreamingFIFO_rtl_1", 1024),
    ]
    (resources,) = reports.read(own / "finn/estimate_layer_resources.json")
    assert [(m.name, m.bram_18k, m.lut) for m in resources.modules] == [
        ("MVAU_hls_0", 5, 1324),
        ("StreamingFIFO_rtl_1", 1, 91),
    ]


def test_fifos_of_a_report(own):
    (report,) = reports.read(own / VITIS / "syn/report/tiny_csynth.rpt")
    assert report.fifos == (
        reports.Fifo(name="layer10_out_U", depth=1024, bits=400, bram_18k=23, ff=163, lut=0),
        reports.Fifo(name="layer12_cpy2_U", depth=1024, bits=128, bram_18k=8, ff=163, lut=0),
    )


def test_the_fifo_rows_of_the_real_reports(shared):
    """`fifo_rows.csv` was read independently from the same reports."""
    import csv

    by_path = {report.path: report.fifos for report in reports.scan(shared).reports if report.fifos}
    with (shared / "fifo_rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    compared = 0
    for row in rows:
        path = f"{row['repo']}/{row['path']}"
        if not (shared / path).is_file():  # some of its reports were not kept
            continue
        compared += 1
        figures = {name: None if row[name] in {"-", ""} else int(row[name]) for name in ("ff", "lut", "uram")}
        wanted = reports.Fifo(
            name=row["name"],
            depth=int(row["depth"]),
            bits=int(row["bits"]),
            bram_18k=int(row["bram18"]),
            **figures,
        )
        assert wanted in by_path[path]
    assert compared > 200
