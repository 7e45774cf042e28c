"""The cache: an entry that does not hold is none."""

import json

import pytest

from nonresnet_hls.rtl import place_and_route, yosys
from nonresnet_hls.rtl.cache import cached, cached_file

STAT = json.dumps({"design": {"num_cells": 3, "num_cells_by_type": {"LUT2": 1, "FDRE": 2}}})


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NONRESNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Maker:
    def __init__(self, text=STAT):
        self.text, self.calls = text, 0

    def __call__(self):
        self.calls += 1
        return self.text


def test_what_was_made_is_found_again():
    make = Maker()
    assert [cached("a.json", make, yosys._counts) for _ in range(3)] == [{"LUT2": 1, "FDRE": 2}] * 3
    assert make.calls == 1


DAMAGES = {
    "emptied": lambda path: path.write_text(""),
    "cells gone": lambda path: path.write_text(path.read_text().replace('"LUT2": 1', '"LUT2": 0')),
    "as before there were digests": lambda path: path.write_text(STAT),
    "of another name": lambda path: path.write_bytes(path.with_name("b.json").read_bytes()),
    "binary": lambda path: path.write_bytes(b"\xff\x00"),
    "cut": lambda path: path.write_text(path.read_text()[:-1]),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_what_does_not_hold_is_made_anew(cache, how):
    cached("b.json", Maker('{"design": {"num_cells": 0, "num_cells_by_type": {}}}'), yosys._counts)
    make = Maker()
    cached("a.json", make, yosys._counts)
    DAMAGES[how](cache / "a.json")
    for _ in range(2):
        assert cached("a.json", make, yosys._counts) == {"LUT2": 1, "FDRE": 2}
    assert make.calls == 2


def test_a_link_in_the_cache_is_not_written_through(cache, tmp_path):
    cache.mkdir()
    (tmp_path / "precious").write_text("precious")
    (cache / "a.json").symlink_to(tmp_path / "precious")
    cached("a.json", Maker(), yosys._counts)
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_cache_that_cannot_be_written_costs_only_time(cache):
    cache.write_text("a file where the folder should be")
    make = Maker()
    assert [cached("a.json", make, yosys._counts) for _ in range(2)] == [{"LUT2": 1, "FDRE": 2}] * 2
    assert make.calls == 2


@pytest.mark.parametrize(
    "text",
    [
        '{"design": {"num_cells": 4, "num_cells_by_type": {"LUT2": 3}}}',
        '{"design": {"num_cells": 0, "num_cells_by_type": {"LUT2": -1, "FDRE": 1}}}',
    ],
)
def test_cells_that_do_not_add_up_are_refused(text):
    with pytest.raises(ValueError, match="add up"):
        yosys._counts(text)


@pytest.mark.parametrize("clock", ["0", "-1", "NaN", "Infinity"])
def test_a_clock_that_is_none_is_refused(clock):
    with pytest.raises(ValueError, match="no clock"):
        place_and_route._figures('{"utilization": {}, "fmax": {"clk": {"achieved": ' + clock + "}}}")


def test_a_file_that_was_changed_is_made_anew(tmp_path):
    path = tmp_path / "kept" / "x.o"
    calls = []

    def make(target):
        calls.append(target)
        target.write_bytes(b"object")

    for _ in range(2):
        assert cached_file(path, make).read_bytes() == b"object"
    assert len(calls) == 1
    path.write_bytes(b"evil")
    assert cached_file(path, make).read_bytes() == b"object"
    path.with_name("x.o.sha256").unlink()
    assert cached_file(path, make).read_bytes() == b"object"
    assert len(calls) == 3
