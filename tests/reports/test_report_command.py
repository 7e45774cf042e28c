"""The command `nonresnet-hls report`: formats, exit status, what is printed where."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from nonresnet_hls.cli import main
from nonresnet_hls.reports import COLUMNS, DERIVED


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    status = main(["report", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_json_is_one_record_per_file_with_numbers_and_nulls(own, capsys):
    status, out, err = run(capsys, own / "vivado_hls_2019", "--format", "json")
    records = json.loads(out)
    assert (status, err) == (0, "")
    assert all(list(record) == [*COLUMNS, *DERIVED] for record in records)
    paths = [record["path"] for record in records]
    assert len(set(paths)) == len(paths)
    assert paths == sorted(paths)
    by_path = {record["path"]: record for record in records}
    synth = by_path["vivado_synth.rpt"]
    assert (synth["lut"], synth["latency_max_cycles"], synth["cosim_status"]) == (3100, None, None)
    for record in records:
        for name, value in record.items():
            if name.endswith(("_cycles", "_ns", "_18k")) or name in {"dsp", "ff", "lut", "uram"}:
                assert value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def test_json_merged_is_one_record_per_design_and_stage(own, capsys):
    _, out, _ = run(capsys, own / "vivado_hls_2019", "--json", "--merge")
    records = json.loads(out)
    assert [record["stage"] for record in records] == ["csynth", "export", "synthesized", "routed", "cosim"]
    assert records[0]["interval_max_cycles"] == 641
    assert records[0]["choices"][0].startswith("interval_min_cycles: 613 of ")


def test_a_single_file_is_called_by_its_name(own, capsys):
    _, out, _ = run(capsys, own / "vivado_hls_2016/tiny_csynth.rpt", "--json")
    (record,) = json.loads(out)
    assert (record["path"], record["lut"]) == ("tiny_csynth.rpt", 1044)


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    """As without a terminal; who runs the tests may have told of one."""
    monkeypatch.setenv("COLUMNS", "250")


HEADING = (
    *("design", "stage", "tool", "latency [cycles]", "latency [us]", "interval [cycles]", "images [1/s]"),
    *("target [ns]", "clock [ns]", "Fmax [MHz]", "BRAM18", "DSP", "FF", "LUT", "URAM", "LUTRAM", "SRL", "outcome"),
)


def test_the_same_columns_in_every_format(own, capsys):
    path = own / "vivado_hls_2019"
    _, table, _ = run(capsys, path)
    upper, lower = table.splitlines()[:2]
    # The units have a line of their own, at the right of their columns.
    ends = [match.end() for match in re.finditer(r"\S+", upper)]
    units = {match.end(): match[0] for match in re.finditer(r"\S+", lower)}
    assert [
        f"{word} {units[end]}" if end in units else word for word, end in zip(upper.split(), ends, strict=True)
    ] == [*HEADING]
    _, markdown, _ = run(capsys, path, "--format", "markdown")
    assert [cell.strip() for cell in markdown.splitlines()[0].strip("|").split("|")] == [*HEADING]
    _, latex, _ = run(capsys, path, "--format", "latex")
    assert latex.startswith("\\begin{tabular}{lllrrrrrrrrrrrrrrl}")
    assert (
        "vivado\\_hls\\_2019 & csynth & Vivado HLS 2019.2 & 612-640 & 64.63 & 613-641 & 15449 & 5 & 100.983 !" in latex
    )
    _, text, _ = run(capsys, path, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == [*COLUMNS, *DERIVED]
    assert (rows[0]["lut"], rows[0]["wns_ns"], rows[0]["latency_us"]) == ("4100", "", "64.62912")


DISAGREE = (
    "vivado_hls_2019, csynth: interval_min_cycles, interval_max_cycles, clock_estimate_ns: 613, 641, 100.983 of "
    "tiny_prj/solution1/syn/report/csynth.xml, not 612, 640, 101.0 of tiny_csynth.rpt"
)


def test_every_format_names_notes_and_choices(own, capsys):
    path = own / "vivado_hls_2019"
    for what in ([], ["--per-module"], ["--fifos"]):
        _, out, _ = run(capsys, path, *what)
        assert DISAGREE in out.splitlines()
        _, out, _ = run(capsys, path, *what, "--format", "markdown")
        assert f"- {DISAGREE}" in out.splitlines()
        _, out, _ = run(capsys, path, *what, "--format", "latex")
        escaped = DISAGREE.replace("_", "\\_")
        assert f"\\par\\noindent{{\\footnotesize {escaped}\\par}}" in out.splitlines()
        _, out, _ = run(capsys, path, *what, "--format", "csv")
        (row, *_) = csv.DictReader(io.StringIO(out))
        assert row["choices"].startswith(
            "interval_min_cycles: 613 of tiny_prj/solution1/syn/report/csynth.xml, not 612"
        )
    log = own / "vitis_hls_2024"
    why = "C synthesis failed: ERROR: [HLS 200-1715] Encountered problem during source synthesis"
    for form in ("table", "markdown", "csv", "json"):
        _, out, _ = run(capsys, log, "--format", form, "--merge")
        assert why in out, form
    _, out, _ = run(capsys, own / "vivado_hls_2016", log, "--compare", "--format", "csv")
    assert why in {row["note"] for row in csv.DictReader(io.StringIO(out))}
    _, out, _ = run(capsys, own / "vivado_hls_2016", log, "--compare")
    assert f"vitis_hls_2024, csynth: {why}" in out.splitlines()


def test_modules_and_fifos(own, capsys):
    _, out, _ = run(capsys, own / "vivado_hls_2019", "--per-module", "--json")
    assert {row["name"]: row["lut"] for row in json.loads(out)} == {
        "conv_2d_cl_ap_fixed_config2_s": 2500,
        "clone_stream_ap_fixed_64_s": 40,
        "add_ap_fixed_config7_s": 90,
    }
    _, out, _ = run(capsys, own / "vivado_hls_2019", "--fifos", "--json")
    rows = json.loads(out)
    assert [row["name"] for row in rows if row["on_skip"]] == ["layer3_cpy2_V_data_0_V_U"]
    _, out, _ = run(capsys, own / "vivado_hls_2019", "--fifos")
    assert "clone_conv1  yes" in out


def test_comparison(own, capsys):
    status, out, _ = run(capsys, own / "vivado_hls_2016", own / "vivado_hls_2019", "--compare", "--json")
    assert status == 0
    change = {(row["metric"], row["design"]): row["change_percent"] for row in json.loads(out)}
    assert change["dsp", "vivado_hls_2019"] == 100 * (12 - 9) / 9
    _, out, _ = run(capsys, own / "vivado_hls_2016", own / "vivado_hls_2019", "--compare")
    assert "+33.3 %" in out
    status, _, err = run(capsys, own / "vivado_hls_2016", "--compare")
    assert (status, err.count("\n")) == (2, 1)
    # Why there is only one is said, too.
    status, out, err = run(capsys, own / "vivado_hls_2016", own / "typo", "--compare")
    assert (status, out, err.count("\n")) == (2, "", 2)
    assert "typo: " in err
    assert "two designs" in err


def test_broken_reports_in_a_folder_are_listed_at_the_end_and_the_others_are_shown(own, tmp_path, capsys):
    shutil.copytree(own / "vivado_hls_2016", tmp_path / "a")
    text = (own / "vivado_hls_2016/tiny_csynth.rpt").read_text()
    (tmp_path / "a" / "cut_csynth.rpt").write_text(text[: len(text) // 2])
    status, out, err = run(capsys, tmp_path, "--json")
    assert status == 1
    assert [record["path"] for record in json.loads(out)] == ["a/tiny_csynth.rpt"]
    (line,) = err.splitlines()
    assert line.startswith("nonresnet-hls: a/cut_csynth.rpt:")
    assert "truncated" in line


def test_what_is_no_report_is_refused_by_name(own, tmp_path, capsys):
    other = tmp_path / "notes.txt"
    other.write_text("nothing\n")
    status, out, err = run(capsys, other)
    assert (status, out) == (2, "")
    assert str(other) in err
    status, out, err = run(capsys, own / "vivado_hls_2016", other, tmp_path / "absent", "--json")
    assert status == 2
    assert len(json.loads(out)) == 1
    assert [line.split(":")[1].strip() for line in err.splitlines()] == [str(other), str(tmp_path / "absent")]


def test_where_nothing_is_found_it_is_said_what_was_looked_at(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("nothing\n")
    (tmp_path / "below").mkdir()
    (tmp_path / "below/rtl.rpt").write_text("-- Catapult Ultra Synthesis: Report\n-- Design Totals\n")
    status, out, err = run(capsys, tmp_path)
    assert (status, out) == (2, "")
    assert err == (f"nonresnet-hls: {tmp_path}: no report among 2 files; not read: Catapult HLS (below/rtl.rpt)\n")
    status, out, err = run(capsys, tmp_path, "--json")
    assert (status, out, err.count("\n")) == (2, "[]\n", 1)


def test_a_project_that_was_never_built_is_named(own, tmp_path, capsys):
    shutil.copytree(own / "vivado_hls_2019/firmware", tmp_path / "new/firmware")
    (tmp_path / "new/build_prj.tcl").write_text("open_project\n")
    _, _, err = run(capsys, tmp_path)
    assert "new: an hls4ml project in which no tool has left a log or a report; was it built?" in err
    shutil.copytree(own / "vivado_hls_2019", tmp_path / "old")
    status, out, err = run(capsys, tmp_path)
    assert (status, err) == (0, "")
    assert "new: an hls4ml project in which no tool has left a log or a report" in out
    assert "old: an hls4ml project" not in out


def test_reports_without_hardware_figures_are_no_blank_table(own, capsys):
    status, out, err = run(capsys, own / "vitis_hls_2025/csynth_design_size.rpt")
    assert (status, out, err) == (0, "no hardware figures in csynth_design_size.rpt (design_size)\n", "")
    _, out, _ = run(capsys, own / "vivado_paths", "--loops")
    assert out == "no loops in core_timing.rpt (timing_paths)\n"


def test_odd_names_are_printed_under_any_locale(own, tmp_path):
    shutil.copytree(own / "vivado_hls_2016", tmp_path / "größe é")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "nonresnet_hls", "report", str(tmp_path)],
        capture_output=True,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"gr\\xf6\\xdfe" in done.stdout


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown", "latex"])
def test_reading_imports_nothing_heavy(own, form):
    """So that one report is shown in well under a second."""
    code = (
        "import sys; from nonresnet_hls.cli import main; "
        f"main(['report', {str(own / 'vivado_hls_2019')!r}, '--format', {form!r}]); "
        "heavy = {'tensorflow', 'pandas', 'numpy', 'hls4ml'}; "
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
