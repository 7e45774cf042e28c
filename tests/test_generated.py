"""Generated text of anybody is read in time that grows as the text does, and what it says is not believed unchecked."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nonresnet_hls import bounds, generated
from nonresnet_hls.dataflow.cpp_source import parse_source
from nonresnet_hls.errors import ConversionError, RecipeError, shown
from nonresnet_hls.hls import firmware
from tests.watch import watched

# Of each some that open what they never close, or could be read in many ways; a pattern that turns back takes hours.
BLANKS, MANY = " " * 20_000, 20_000
TEXTS = {
    "a stream": "hls::stream<" + BLANKS + "x",
    "streams": "hls::stream<" * MANY,
    "a port": "void top(hls::stream<" + BLANKS + "&",
    "ports": "void top(" * MANY,
    "calls": "nnet::a<> " * MANY,
    "a call": "nnet::a<" + ">" * MANY + BLANKS,
    "comments": "/*" * MANY,
    "structs": "struct a {" * MANY,
    "a struct": "struct a" + BLANKS + ":" + BLANKS,
    "typedefs": "typedef a " * MANY,
    "a typedef": "typedef " + "a " * MANY,
    "typedefs of structs": "typedef struct a {" * MANY,
    "constants": "static const a b = " * MANY,
    "a constant": "static const" + BLANKS + "a" + BLANKS + "b" + BLANKS,
    "lists": "unsigned a[1] = {1, " * MANY,
    "a depth": "#pragma HLS STREAM variable=a" + BLANKS + "depth" + BLANKS,
    "an alias": "auto&" + BLANKS + "a" + BLANKS + "=" + BLANKS,
    "members": "const a b::c = " * MANY,
    "kernels": "using a = b::" * MANY,
    "arrays": "top(" + "a b[" * MANY,
    "definitions": "#define a " * MANY,
}
GOOD = "void top(hls::stream<a> &x, hls::stream<a> &y) {\nnnet::relu<a, a, c>(x, y); // r\n}\n"


def by_dataflow(cpp: str, defines: str, parameters: str) -> object:
    return parse_source("top", cpp, defines, parameters)


def by_emulation(cpp: str, defines: str, parameters: str) -> object:
    return firmware.parse("top", "x", cpp, defines, parameters, lambda _: None)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("read", [by_dataflow, by_emulation])
@pytest.mark.parametrize("kind", TEXTS)
def test_texts_are_read_in_time(kind: str, read: Callable[[str, str, str], object], tmp_path: Path) -> None:
    with watched(tmp_path, seconds=10.0):
        for at in range(3):
            texts = [GOOD, "typedef nnet::array<ap_fixed<8,2>, 1*1> a;\n", "struct c {\n};\n"]
            texts[at] += TEXTS[kind]
            with contextlib.suppress(ConversionError):
                read(*texts)
            texts[at] = TEXTS[kind]
            with contextlib.suppress(ConversionError):
                read(*texts)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(12)
)


@pytest.mark.parametrize("key", ["ProjectName", "Backend", "IOType"])
def test_what_yaml_repeats_is_not_written_out(key: str, tmp_path: Path) -> None:
    settings = "" if key == "ProjectName" else "ProjectName: x\n"
    (tmp_path / generated.SETTINGS).write_text(f"{BOMB}{settings}{key}: *m\n")
    with watched(tmp_path, seconds=10.0), pytest.raises(ConversionError, match=key) as caught:
        generated.read_settings(tmp_path)
    assert len(str(caught.value)) < 1000
    nested: list[object] = ["x"]
    for _ in range(40):
        nested = [nested] * 10
    assert len(shown(nested)) < 250


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    from nonresnet_hls import recipe

    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(OSError, match="a file wanted, not a folder, pipe or device"):
        bounds.read_text(tmp_path / "pipe.toml")
    (tmp_path / "a.toml").write_text('extends = "pipe.toml"')
    with watched(tmp_path, seconds=10.0), pytest.raises(RecipeError, match="a file wanted"):
        recipe.load(str(tmp_path / "a.toml"), tmp_path)
