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
from nonresnet_hls.reports import COLUMNS


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    status = main(["report", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_json_is_one_record_per_file_with_numbers_and_nulls(own, capsys):
    status, out, err = run(capsys, own / "vivado_hls_2019", "--format", "json")
    records = json.loads(out)
    assert (status, err) == (0, "")
    assert all(list(record) == list(COLUMNS) for record in records)
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


def test_the_same_columns_in_every_format(own, capsys):
    path = own / "vivado_hls_2019"
    _, table, _ = run(capsys, path)
    heading = ["design", "stage", "tool", "latency [cycles]", "interval [cycles]", "clock [ns]", "WNS [ns]"]
    heading += ["BRAM18", "DSP", "FF", "LUT", "URAM", "cosim", "run"]
    assert re.split(r"\s{2,}", table.splitlines()[0].strip()) == heading
    _, markdown, _ = run(capsys, path, "--format", "markdown")
    assert [cell.strip() for cell in markdown.splitlines()[0].strip("|").split("|")] == heading
    _, latex, _ = run(capsys, path, "--format", "latex")
    assert latex.startswith("\\begin{tabular}{lllrrrrrrrrrll}")
    assert "vivado\\_hls\\_2019 & csynth & Vivado HLS 2019.2 & 612-640 & 613-641 & 100.983" in latex
    assert latex.endswith("\\end{tabular}\n")
    _, text, _ = run(capsys, path, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == list(COLUMNS)
    assert (rows[0]["lut"], rows[0]["wns_ns"]) == ("4100", "")


def test_the_table_names_choices_below(own, capsys):
    _, out, _ = run(capsys, own / "vivado_hls_2019")
    assert "vivado_hls_2019, csynth: interval_max_cycles: 641 of tiny_prj/solution1/syn/report/csynth.xml" in out


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


def test_a_folder_without_reports_is_empty_and_fine(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("nothing\n")
    assert run(capsys, tmp_path, "--json") == (0, "[]\n", "")


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
