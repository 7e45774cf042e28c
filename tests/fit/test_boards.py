"""Boards by name, from files, and parts."""

from pathlib import Path

import pytest

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fit.boards import board, board_names


def test_every_board_has_a_part_that_is_known() -> None:
    assert set(board_names()) == {"pynq-z1", "pynq-z2", "ultra96-v2", "zcu104", "kv260", "alveo-u250", "ulx3s-85f"}
    for name in board_names():
        found = board(name)
        assert found.clock_ns is not None
        assert min(found.resources.lut, found.resources.ff, found.resources.dsp, found.resources.bram_18k) > 0
    assert board("ulx3s-85f").is_lattice
    assert not board("kv260").is_lattice


def test_a_part_stands_for_itself() -> None:
    found = board("xczu7ev-ffvc1156-2-e")
    assert (found.part, found.clock_ns, found.resources.uram) == ("xczu7ev-ffvc1156-2-e", None, 96)


def test_a_board_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[mine]\npart = "xc7z020clg400-1"\nclock_ns = 8\n'
        '[small]\npart = "abc1"\nlut = 9\nff = 9\ndsp = 0\nbram_18k = 1\n'
    )
    assert board(f"{path}:mine").resources.dsp == 220
    assert board(f"{path}:small").resources.dsp == 0
    with pytest.raises(ConversionError, match="one board wanted, not 2"):
        board(str(path))
    with pytest.raises(ConversionError, match=r"a board 'none' wanted, one of mine, small"):
        board(f"{path}:none")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "a table of a board wanted, not 1"),
        ("[b]\nclock_ns = 5", "part: the name of a part wanted, not None"),
        ('[b]\npart = "x; rm"', "part: the name of a part wanted"),
        ('[b]\npart = "unheard"', "lut wanted: what unheard has is not known"),
        ('[b]\npart = "xc7z020"\nluts = 5', "unknown key 'luts'"),
        ('[b]\npart = "xc7z020"\nlut = -5', "lut: a count wanted, not -5"),
        ('[b]\npart = "xc7z020"\nlut = true', "lut: a count wanted, not True"),
        ('[b]\npart = "xc7z020"\nclock_ns = nan', "clock_ns: nanoseconds above 0"),
        ('[b]\npart = "xc7z020"\nclock_ns = 0', "clock_ns: nanoseconds above 0"),
        ("[b", "cannot be read as TOML"),
        ("", "a board wanted, none is there"),
    ],
)
def test_files_that_are_no_boards_are_refused_by_key(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConversionError) as caught:
        board(str(path))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_unknown_is_told_with_the_known(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"did you mean pynq-z2\? one of pynq-z1, .*, a .toml file, or a part"):
        board("pynq-z22")
    with pytest.raises(ConversionError, match="a file of boards wanted"):
        board(str(tmp_path / "none.toml"))
