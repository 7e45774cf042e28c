"""Truncated, mixed-up, corrupted and hostile reports: refused with file and line, or read whole."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonresnet_hls import reports
from nonresnet_hls.errors import ReportError
from nonresnet_hls.reports import Kind
from nonresnet_hls.reports.grid import read_grid
from nonresnet_hls.reports.reader import read_bytes
from nonresnet_hls.reports.source import LARGEST_FILE, Source
from tests.reports.report_fixtures import EXPECTED, OWN

# Nothing marks their end: a log may be cut anywhere, `stat` after any module, `lat.rb` before its last line.
ENDLESS = {
    *("yosys/stat_modules_only.txt", "yosys/stat_old.txt", "yosys/stat_new.txt", "yosys/run.log"),
    "vitis_hls_2024/tiny_prj/solution1/sim/verilog/tiny.result.lat.rb",
}
LOGS = {Kind.HLS_LOG, Kind.NEXTPNR_LOG}
# They end with any of their lines.
LISTS = {Kind.QUARTUS_SUMMARY, Kind.QUARTUS_TIMING, Kind.ONEAPI_SUMMARY}
CLOSED = [path for path, figures in EXPECTED.items() if figures["kind"] not in LOGS | LISTS and path not in ENDLESS]


def outcome(data: bytes) -> reports.Report | ReportError | None:
    """The record, the refusal, or None for a file that is passed over."""
    try:
        return read_bytes(data, "folder/file.rpt")
    except ReportError as error:
        message = str(error)
        assert message.startswith("folder/file.rpt:")
        assert message.split(":")[1].isdigit()
        assert message.isprintable()
        return error


@pytest.mark.parametrize("path", CLOSED)
def test_a_truncated_report_is_refused_or_read_whole(path):
    data = (OWN / path).read_bytes()
    whole = read_bytes(data, "folder/file.rpt")
    ends = {0}
    for start, line in zip([0, *accumulated(data)], data.splitlines(keepends=True), strict=False):
        ends |= {start, start + len(line) // 2, start + len(line) - 1}
    refused = 0
    for end in sorted(ends):
        got = outcome(data[:end])
        refused += isinstance(got, ReportError)
        assert got is None or isinstance(got, ReportError) or got == whole, f"{end} of {len(data)} bytes"
    assert refused > 0


def accumulated(data: bytes) -> list[int]:
    positions, total = [], 0
    for line in data.splitlines(keepends=True):
        total += len(line)
        positions.append(total)
    return positions


@pytest.mark.parametrize("pair", [("FF", "LUT"), ("BRAM_18K", "LUT"), ("BRAM_18K", "DSP48E")])
def test_swapped_headings_are_refused(own, pair):
    """No device has more LUTs than registers, and the summary's rows are totals of the detailed tables."""
    path = own / "vivado_hls_2019/tiny_prj/solution1/syn/report/tiny_csynth.rpt"
    lines = path.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if line.strip("| ").startswith("Name "))
    cells = lines[number].split("|")
    a, b = ([cell.strip() for cell in cells].index(name) for name in pair)
    cells[a], cells[b] = cells[b].strip().center(len(cells[a])), cells[a].strip().center(len(cells[b]))
    lines[number] = "|".join(cells)
    assert isinstance(outcome("\n".join(lines).encode()), ReportError)


def test_whole_columns_may_change_places(own):
    """Figures are read by label: the same table with its columns in another order says the same."""
    path = own / "vivado/board.runs/impl_1/board_utilization_placed.rpt"
    lines = path.read_text().splitlines()
    changed = []
    for line in lines:
        mark = line[:1]
        cells = line.strip(mark).split(mark) if mark in {"|", "+"} and line.count(mark) == 7 else None
        changed.append(mark + mark.join([cells[0], *reversed(cells[1:])]) + mark if cells else line)
    assert changed != lines
    assert read_bytes("\n".join(changed).encode(), "a") == read_bytes("\n".join(lines).encode(), "a")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (
            "|Total                |         9",
            "|Total                |         8",
            "Total bram_18k is 8, its parts add up to 9",
        ),
        ("     |  640|", "     |  600|", "minimum 612 is above the maximum 600"),
        ("Target device:  xcu250-figd2104-2L-e", "Target device:", "Target device"),
        ("2019.2 (Build", "2O19.2 (Build", "Version"),
        ("|   0.101 us|", "|   0.1O1 us|", "clock estimate: wanted a time, got '0.1O1 us'"),
        ("16384|", "16385|", "FIFO size 16385 is not depth 1024 times bits 16"),
        ("|    4100|", "|99999999999999999999|", "wanted a count"),
    ],
)
def test_corrupted_figures_name_the_line(own, old, new, why):
    path = own / "vivado_hls_2019/tiny_prj/solution1/syn/report/tiny_csynth.rpt"
    text = path.read_text()
    if old not in text:
        # The widths of the columns follow the figures; look for the figure alone.
        old, new = old.strip("| "), new.strip("| ")
    assert old in text
    got = outcome(text.replace(old, new, 1).encode())
    assert isinstance(got, ReportError), why
    assert why in str(got)


@pytest.mark.parametrize("heading", ["latency interval\xb2", "latency\ninterval", "latency interval latency"])
def test_transactions_want_their_heading(heading):
    assert isinstance(outcome(f"{heading}\ntransaction 0: 28 x\n".encode("latin-1")), ReportError)


@pytest.mark.parametrize("path", [path for path in CLOSED if path.endswith(".rpt")])
def test_two_reports_in_one_file_are_refused(path):
    data = (OWN / path).read_bytes()
    got = outcome(data + data)
    assert isinstance(got, ReportError) or EXPECTED[path]["kind"] in {Kind.DESIGN_SIZE, Kind.TIMING_PATHS}


@pytest.mark.parametrize(
    "prologue",
    [
        '<!DOCTYPE profile [<!ENTITY a "1">]>',
        '<!DOCTYPE profile [<!ENTITY a "1"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE profile [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE profile SYSTEM "http://localhost/x.dtd">',
    ],
)
def test_entities_are_refused(own, prologue):
    data = (own / "vitis_hls_2024/tiny_prj/solution1/syn/report/csynth.xml").read_bytes()
    got = outcome(prologue.encode() + data.replace(b"<FF>4400</FF>", b"<FF>&a;</FF>"))
    assert isinstance(got, ReportError)
    assert "refused" in str(got)


def test_a_file_larger_than_any_report_is_refused_by_name(own, tmp_path):
    path = tmp_path / "big_csynth.rpt"
    with path.open("wb") as file:
        file.write((own / "vivado_hls_2016/tiny_csynth.rpt").read_bytes() + b"\n" * 40_000)
        file.truncate(LARGEST_FILE + 1)  # sparse
    with pytest.raises(ReportError, match=f"big_csynth.rpt:1: {LARGEST_FILE + 1} bytes"):
        reports.read(path)
    # Among other files of that size: passed over where it is no report.
    path.write_bytes(b"")
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    assert reports.read(tmp_path) == []


def test_what_is_not_there_is_named_and_broken_links_are_passed_over(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    (tmp_path / "folder.rpt").mkdir()
    assert reports.scan(tmp_path).reports == ()
    with pytest.raises(ReportError, match="absent: no such file or folder"):
        reports.read(tmp_path / "absent")


# What takes most memory or time of each reader, scaled up to the largest file that is read.
HUGE = {
    "lines": "TITLE + b'\\n' * n",
    "cells": "TITLE + b'== Utilization Estimates\\n* Summary:\\n+-+-+-+-+\\n|a|b|c|d|\\n+-+-+-+-+\\n'"
    " + b'|1|1|1|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa|\\n' * (n // 40)",
    "wide": "TITLE + b'* Version: ' + ' \\U0001f600'.encode() * (n // 5)",
    "spaces": "b'=== a ===\\n\\n' + (b' a' + b' ' * 150000 + b'b\\n') * (n // 150000)",
    "utf16": "(TITLE.decode() + '\\u4e00\\n' * (n // 5)).encode('utf-16')",
    "elements": "b'<profile><ReportVersion>' + b'<a>1</a>' * (n // 8)",
    "passed over": "b'<profile><ReportVersion/><x>' + b'<a b=\"1\">1</a>' * (n // 14)",
    "deep": "b'<profile><ReportVersion>' + b'<a>' * (n // 3)",
    "text": "b'<profile><ReportVersion><Version>' + b'1' * n",
    "json": 'b\'{"creator": "Yosys 0.70", "invocation": "", "a": \' + b\'[\' * n',
    "json list": 'b\'{"creator": "Yosys 0.70", "invocation": "", "a": [\' + b\'{},\' * (n // 3)',
    "log": "b'****** Vitis HLS - High-Level Synthesis from C, v2024.1\\n' + b'ERROR: [HLS] a\\n' * (n // 15)",
    "transactions": "b' latency interval\\n' + b''.join(b'transaction %d: 1 1\\n' % i for i in range(n // 22))",
    "timing": "b'| Tool Version : Vivado v.2020.1\\n| Command : report_timing\\n'"
    " + b'| Design : a\\n| Device : a\\n\\n' + b'Slack (MET) : 1.0ns\\n' * (n // 20)",
}
READ_HUGE = """
import resource, sys
limit = 500 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from nonresnet_hls.errors import ReportError
from nonresnet_hls.reports.source import LARGEST_FILE
from nonresnet_hls import reports
n = {size}
TITLE = b"\\n== Vivado HLS Report for 'a'\\n"
with open(sys.argv[1], "wb") as file:
    data = {data}
    file.write(data[:LARGEST_FILE])
    del data
try:
    reports.read(sys.argv[1])
except ReportError as error:
    print("refused", len(str(error)) < 500)
else:
    print("read")
"""


def read_huge(content: str, size: str, path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", READ_HUGE.format(size=size, data=HUGE[content]), str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1000:]
    return done.stdout.strip()


@pytest.mark.parametrize("content", HUGE)
def test_no_report_takes_more_than_500_mb(content, tmp_path):
    """The address space itself is limited to 500 MB; here with a small file, at night with the largest."""
    assert read_huge(content, "2**20", tmp_path / "huge.rpt") in {"refused True", "read"}


@pytest.mark.nightly
@pytest.mark.parametrize("content", HUGE)
def test_no_report_of_the_largest_size_takes_more_than_500_mb(content, tmp_path):
    assert read_huge(content, "LARGEST_FILE - 400", tmp_path / "huge.rpt") in {"refused True", "read"}


def test_modules_that_hold_each_other_end(own):
    document = json.loads((own / "yosys/stat.json").read_text())
    document["modules"]["\\fifo"]["num_cells_by_type"] = {"top": 2}
    assert isinstance(outcome(json.dumps(document, indent=1).encode()), ReportError)
    # A hierarchy whose instances double at every level has 2^60 leaves, counted without visiting them.
    level = {"num_cells": 1, "num_cells_by_type": {"LUT1": 1}}
    modules = {"m0": level}
    for number in range(1, 61):
        modules[f"m{number}"] = {"num_cells": 2, "num_cells_by_type": {f"m{number - 1}": 2}}
    got = outcome(json.dumps({"creator": "Yosys 0.70", "invocation": "stat", "modules": modules}).encode())
    assert "below 2^53" in str(got)


CELL = st.text(st.characters(codec="ascii", exclude_characters="|+\n\r\t\x0b\x0c\x1c\x1d\x1e\x1f\x00"), max_size=12)


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=6)))
def test_a_drawn_table_reads_back(rows):
    """Law: drawing a table and reading it gives its cells (without the blanks at their ends)."""
    widths = [max(len(row[i]) for row in rows) + 2 for i in range(len(rows[0]))]
    rule = "+" + "+".join("-" * width for width in widths) + "+"
    lines = [
        "|" + "|".join((" " + cell).ljust(width) for cell, width in zip(row, widths, strict=True)) + "|" for row in rows
    ]
    text = "\n".join([rule, lines[0], rule, *lines[1:], rule])
    grid = read_grid(Source("a", text.encode()), 0)
    assert grid.labels == tuple(" ".join(cell.split()).lower() for cell in rows[0])
    assert [tuple(cell.strip() for cell in row.cells) for row in grid.rows] == [
        tuple(cell.strip() for cell in row) for row in rows[1:]
    ]


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.sampled_from(sorted(CLOSED)), st.data())
def test_reading_is_a_function_of_the_content(path, data):
    """Law: a copy of a report says the same under every name, blank lines at its end included."""
    content = (OWN / path).read_bytes()
    blank = data.draw(st.text("\n ", max_size=5)) if not path.endswith(".json") else ""
    name = data.draw(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8))
    whole, again = (
        read_bytes(content, "a"),
        read_bytes(content.rstrip(b"\n") + b"\n" + blank.encode() + b"\n", name),
    )
    assert whole is not None
    assert again == replace(whole, path=name)
