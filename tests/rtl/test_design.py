"""Designs on disk, their synthesis, and the figures that come of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nonresnet_hls import reports
from nonresnet_hls.errors import ArtefactError, ToolError
from nonresnet_hls.fixed.arithmetic import Affine, Cast, Positive
from nonresnet_hls.fixed.network import Elementwise, Matrix, Merge, MergeOperation, Network, Pad, Stream, Window
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.rtl import RtlDesign, RtlOptions, stored
from nonresnet_hls.rtl.design import assemble
from nonresnet_hls.rtl.simulation import FifoUse, find_deadlock
from nonresnet_hls.rtl.units import build
from nonresnet_hls.rtl.yosys import Resources, Target, resources, stat_document, synthesise


@pytest.fixture(scope="module")
def design() -> RtlDesign:
    """Padding and a 1-bit convolution."""
    kind = FixedPointType(2, 2, signed=False)
    result = FixedPointType(6, 6)
    streams = {
        "x": Stream("x", 2, 16, kind, 16),
        "padded": Stream("padded", 2, 36, kind, 36),
        "y": Stream("y", 2, 16, result, 16),
    }
    kernel = np.random.default_rng(0).choice([-1, 1], (18, 2))
    window = Window(6, 6, 3, 3, 1, 1)
    layers = (
        Pad("pad", ("x",), ("padded",), 4, 4, 1, 1, 1, 1),
        Matrix("conv", ("padded",), ("y",), window, kernel, 1, 0, True, (Cast(result),), 0, 1),
    )
    network = Network("small", streams, layers, ("x",), ("y",))
    return assemble(network, build(network, RtlOptions()))


def test_a_design_is_read_back_as_it_was_saved(design: RtlDesign, tmp_path: Path) -> None:
    stored.save(design, tmp_path / "rtl")
    found = stored.load(tmp_path / "rtl")
    assert found == replace(design, network=replace(design.network, layers=()))
    assert found.digest == design.digest
    assert found.directory == tmp_path / "rtl"


@pytest.mark.parametrize("text", ["{", '{"format": 2}', '{"format": 3}', '{"format": 4}', "[]"])
def test_a_damaged_design_is_refused(text: str, design: RtlDesign, tmp_path: Path) -> None:
    stored.save(design, tmp_path / "rtl")
    (tmp_path / "rtl" / "design.json").write_text(text, encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"design\.json: cannot be read as a design"):
        stored.load(tmp_path / "rtl")


def test_a_fifo_is_kept_in_what_suits_its_size(design: RtlDesign) -> None:
    (fifo, _) = design.fifos
    styles = [replace(fifo, depth=depth).style for depth in (1, 2, 3, 16, 17, 64, 1000)]
    assert styles == [0, 0, 1, 1, 2, 2, 3]
    wide = replace(fifo, stream=replace(fifo.stream, channels=32 // fifo.stream.kind.width))
    assert [replace(wide, depth=depth).style for depth in (128, 129)] == [2, 3]


def test_a_join_of_few_values_is_thresholds_alone_whatever_scale_is_before_it() -> None:
    pixel, wide = FixedPointType(2, 2, signed=False), FixedPointType(22, 12)
    few = FixedPointType.parse("ufixed<2,4,RND_CONV,SAT>")
    scales = (73101, 89901, 102101)
    layers = (
        Matrix("conv", ("x",), ("sums",), None, np.ones((3, 3), int), 1, 0, True, (Affine(scales, 10, (0,), 0),), 0, 1),
        Elementwise("cast", ("sums",), ("scaled",), (Cast(wide),)),
        Merge("add", ("scaled", "skip"), ("sum",), MergeOperation.ADD, wide),
        Elementwise("relu", ("sum",), ("y",), (Positive(), Cast(few))),
    )
    kinds = {"x": pixel, "sums": wide, "scaled": wide, "skip": pixel, "sum": wide, "y": few}
    streams = {name: Stream(name, 3, 1, kind, 1) for name, kind in kinds.items()}
    (unit,) = build(Network("join", streams, layers, ("x", "skip"), ("y",)), RtlOptions())
    assert unit.inputs == ("x", "skip")
    assert unit.tail_stages == 1
    assert unit.verilog.count("\n    chosen_thresholds #") == len(scales)
    assert "requantize" not in unit.verilog


def test_synthesis_agrees_with_the_reader_of_reports_and_is_found_again(
    design: RtlDesign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NONRESNET_CACHE", str(tmp_path / "cache"))
    sized = design.with_depths({"x": 2})
    first = synthesise(sized, Target.XC7)
    stat = tmp_path / "stat.json"
    stat.write_text(json.dumps(stat_document(first)), encoding="utf-8")
    (report,) = reports.read(stat)
    assert Resources(report.lut, report.ff, report.bram_18k, report.dsp) == first.total
    by_part = {module.name: (module.lut, module.ff, module.bram_18k, module.dsp) for module in report.modules}
    assert by_part == {
        part.name: (part.resources.lut, part.resources.ff, part.resources.bram_18k, part.resources.dsp)
        for part in first.parts
    }
    assert first.total.dsp == 0
    assert first.total.lut > 0
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    # Nothing can be synthesised any more, so what comes must have been kept.
    monkeypatch.setattr("sys.executable", "/nonexistent")
    assert synthesise(sized, Target.XC7) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == kept


def test_a_cell_without_a_known_cost_is_an_error() -> None:
    assert resources({"LUT6": 2, "CARRY4": 5, "RAMB36E1": 1}) == Resources(lut=2, bram_18k=2)
    with pytest.raises(ToolError, match=r"cell 'GTXE2' \(3 of them\) has no known cost"):
        resources({"LUT6": 1, "GTXE2": 3})


def use(stream: str, source: str, target: str, **state: bool | int) -> FifoUse:
    fields = {"depth": 1, "high_water": 1, "level": 0, "writer_blocked": False, "reader_waits": False}
    return FifoUse(stream, source, target, **(fields | state))


def test_a_deadlock_names_the_circle_and_nobody_else() -> None:
    found = find_deadlock(
        [
            use("in", "fork", "conv", reader_waits=True),
            use("skip", "fork", "add", level=1, writer_blocked=True),
            use("long", "conv", "add", reader_waits=True),
            use("out", "add", "after", reader_waits=True),
        ]
    )
    assert set(found.circle) == {
        ("fork", "stream skip is full"),
        ("add", "stream long is empty"),
        ("conv", "stream in is empty"),
    }
