"""Recipes and projects of strangers at the command line: one line and status 2, or what was asked for."""

import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nonresnet_hls import recipe, tools
from nonresnet_hls.cli import main
from nonresnet_hls.errors import DatasetError, RecipeError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.pipeline import convert, runner
from nonresnet_hls.recipe import Dataset, DatasetName
from nonresnet_hls.training import curves, datasets
from nonresnet_hls.training.algorithm1 import Phase


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 2
    err = capsys.readouterr().err
    lines = [line for line in err.splitlines() if not line.startswith("[")]
    assert len(lines) == 1, err
    assert lines[0].isprintable()
    assert len(lines[0]) <= 2100
    assert lines[0].startswith("nonresnet-hls: ")
    return lines[0].removeprefix("nonresnet-hls: ")


ODD_RECIPES = {
    "5000 digits": "[training]\nepochs = " + "9" * 5000,
    "hexadecimal": "[training]\nepochs = 0x" + "f" * 5000,
    "hexadecimal seed": "[training]\nseed = 0x" + "f" * 5000,
    "a milliard blocks": '[architecture]\nfamily = "resnet"\nskips = "plain"\nblocks_per_group = 1000000000\n'
    '[dataset]\nname = "digits"',
    "a milliard channels": '[architecture]\nfamily = "resnet"\nskips = "plain"\nfilters = [1000000000]\n'
    '[dataset]\nname = "digits"',
    "a megabyte": "# " + "x" * (1 << 20),
    "hexadecimal rate": "[training]\nlearning_rate = 0x" + "f" * 5000,
    "deep list": "title = " + "[" * 5000 + "]" * 5000,
    "deeper than we want": "title = " + "[" * 50 + "]" * 50,
    "deep tables": "[" + ".".join("a" * 5000) + "]\nx = 1",
    "unknown key": "k" * 100_000 + " = 1",
    "long value": 'title = 1\ndescription = "' + "d" * 100_000 + '"',
    "long part": '[hls]\npart = "' + "!" * 100_000 + '"',
    "NUL": 'extends = "a\\u0000b"',
    "NUL in a file": '[architecture]\nfile = "a\\u0000b"',
    "a name too long for a file": f'extends = "{"x" * 5000}"',
    "a network's name too long for a file": f'[architecture]\nfamily = "block"\nnetwork = "{"x" * 5000}"',
    "escape": 'extends = "\\u001b[2J"',
    "width": '[dataset]\nname = "npz"\nfile = "x"\ninput_type = "ufixed<99999999999,0>"',
    "integer bits": '[dataset]\nname = "npz"\nfile = "x"\ninput_type = "ufixed<4,999999999999>"',
    "digits of a type": f'[dataset]\nname = "npz"\nfile = "x"\ninput_type = "ufixed<{"9" * 5000},0>"',
}


@pytest.mark.parametrize("kind", ODD_RECIPES)
@pytest.mark.parametrize("command", ["train", "quantize", "csim", "table2"])
def test_odd_recipes_are_one_line(kind: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "odd.toml").write_text(ODD_RECIPES[kind])
    refused(capsys, command, str(tmp_path / "odd.toml"), "--workspace", str(tmp_path))


def test_names_too_long_for_a_file_are_errors_of_recipes(tmp_path: Path) -> None:
    for text in (f'[distillation]\nstart = "{"x" * 5000}"', f'extends = "{"x" * 5000}.toml"'):
        (tmp_path / "odd.toml").write_text(text)
        with pytest.raises(RecipeError):
            recipe.load(str(tmp_path / "odd.toml"), tmp_path)


def test_a_circle_of_recipes_over_paths_is_a_short_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.toml").write_text('extends = "sub/../sub/b"')
    (tmp_path / "sub" / "b.toml").write_text('extends = "../sub/../a"')
    line = refused(capsys, "train", str(tmp_path / "a.toml"))
    assert line.endswith("a.toml: extends itself, over a -> b")


def test_escapes_of_a_description_do_not_reach_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "odd.toml").write_text(
        'extends = "resnet8"\ndescription = "\\u001b]0;evil\\u0007\\u202e\\u009b2J\\nnonresnet-hls: all is well"'
    )
    assert main(["models", "--workspace", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    (line,) = (line for line in out.splitlines() if line.startswith("odd"))
    assert line.endswith(r"\x1b]0;evil\x07\u202e\x9b2J\nnonresnet-hls: all is well")


def test_escapes_of_a_name_do_not_get_into_tables(tiny: Path) -> None:
    from nonresnet_hls.reports.render import Format, Table, render

    odd = Table(("network",), (("\x1b[2Ja\nb\u202e",),), (False,), ("note\x07",))
    for form in (Format.TABLE, Format.MARKDOWN, Format.LATEX):
        text = render(odd, (), form)
        assert text.replace("\n", "").isprintable()
        assert "2Ja" in text
    recipe = tiny / "models" / "tiny.toml"
    recipe.write_text(recipe.read_text().replace('"Tiny"', '"\\u001b[2JTiny\\n\\u202e"'))
    assert main(["table1", "tiny"]) == 0
    for file in (tiny / "tables").iterdir():
        assert file.read_text().replace("\n", "").isprintable(), file.name


@pytest.mark.parametrize("title", ["$x^$", "$$", r"\frac{", "$\\alpha$ \x1b", "漢字", "\ue000" * 3])
def test_a_title_costs_no_training(title: str, tmp_path: Path) -> None:
    phase = Phase("training", (), 1.0, ({"epoch": 1.0, "top1": 0.5, "test_top1": 0.5},))
    curves.plot(tmp_path / "curve.svg", title, [phase])
    assert (tmp_path / "curve.svg").is_file()


def test_a_picture_that_cannot_be_drawn_costs_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from matplotlib.figure import Figure

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no fonts")

    monkeypatch.setattr(Figure, "savefig", fail)
    curves.plot(tmp_path / "curve.svg", "title", [Phase("training", (), 1.0, ({"epoch": 1.0, "top1": 0.5},))])
    assert "curve.svg was not drawn: RuntimeError: no fonts" in capsys.readouterr().err
    assert not (tmp_path / "curve.svg").exists()


def config(project: Path, key: str, value: str) -> None:
    path = project / "hls4ml_config.yml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(f"{key}:")]
    path.write_text("\n".join([*lines, f"{key}: {value}"]) + "\n")


@pytest.mark.parametrize("clock", ["9" * 400, "0", "-5", ".nan", ".inf", "true", "5000000", "text", "[1]", "9" * 5000])
def test_a_clock_period_that_is_none_is_refused(clock: str, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tiny / "hls_projects" / "tiny"
    config(project, "ClockPeriod", clock)
    assert "hls4ml_config.yml: " in refused(capsys, "fifos", str(project))


@pytest.mark.parametrize("name", ["../../../evil", "a b", "", "x" * 200, "/etc/passwd", 'x"'])
def test_a_project_name_that_is_a_path_is_refused(name: str, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tiny / "hls_projects" / "tiny"
    config(project, "ProjectName", json.dumps(name))
    assert "ProjectName: a C++ identifier wanted" in refused(capsys, "fifos", str(project))


ODD_YAML = {
    "deep": "[" * 5000 + "]" * 5000,
    "merges": "a: &a {x: 1}\nb: {<<: [*a, *a]}",
    "integer": "x: " + "9" * 5000,
    "empty integer": "x: !!int ''",
    "no date": "x: !!timestamp x",
    "no key": "? [a]\n: b",
    "bytes": "x: !!binary é",
}


@pytest.mark.parametrize("command", ["fifos", "emulate"])
@pytest.mark.parametrize("kind", ODD_YAML)
def test_odd_yaml_is_one_line(kind: str, command: str, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tiny / "hls_projects" / "tiny"
    (project / "hls4ml_config.yml").write_text(ODD_YAML[kind])
    assert "hls4ml_config.yml: " in refused(capsys, command, str(project))


ODD_CPP = {
    "depth": ("myproject.cpp", "depth=", f"depth={'9' * 5000}"),
    "depth 0": ("myproject.cpp", "depth=", "depth=0 //"),
    "width": ("defines.h", "fixed<", f"fixed<{'9' * 5000}"),
    "elements": ("defines.h", ">, ", f">, {'9' * 50}*"),
    "no elements": ("defines.h", ">, ", ">, 0*"),
    "empty factor": ("defines.h", ">, ", ">, *"),
    "memory": ("parameters.h", "in_height = ", "in_height = 99999999"),
    "more memory": ("parameters.h", "n_in = ", "n_in = 999999999999"),
    "product": ("parameters.h", "in_height = ", "in_height = 99999999*99999999*99999999*99999999*"),
    "text": ("parameters.h", "in_height = ", "in_height = 'x'*"),
    "negative": ("parameters.h", "in_width = ", "in_width = -"),
    "deep": ("parameters.h", "in_width = ", "in_width = " + "(" * 5000),
}
# What `fifos` does not read, or knows how to bear.
ODD_FOR_EMULATION = {name: ODD_CPP[name] for name in ODD_CPP if not name.startswith("depth")} | {
    "words": ("defines.h", ">, ", f">, {'9' * 5000}*"),
    "no arguments": ("myproject.cpp", "(layer9_out, layer2_out", "("),
    "itself": ("parameters.h", "in_height = ", "in_height = in_height + "),
    "windows": ("parameters.h", "filt_height = ", "filt_height = 99999999*"),
}


@pytest.mark.parametrize("kind", ODD_FOR_EMULATION)
def test_odd_sizes_in_the_cpp_are_one_line_to_the_emulator(
    kind: str, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tiny / "hls_projects" / "tiny"
    file, old, new = ODD_FOR_EMULATION[kind]
    path = project / "firmware" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    refused(capsys, "emulate", str(project), "--samples", "2")


def odd_inputs() -> dict[str, bytes]:
    def saved(values: object) -> bytes:
        stream = io.BytesIO()
        np.save(stream, values)
        return stream.getvalue()

    header = io.BytesIO()
    wanted = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 32)}
    np.lib.format.write_array_header_1_0(header, wanted)
    archive = io.BytesIO()
    np.savez(archive, x=np.zeros((2, 32)))
    return {
        "a lie": header.getvalue(),
        "an archive": archive.getvalue(),
        "objects": saved(np.array([None])),
        "texts": saved(np.array(["x"])),
        "one number": saved(np.float64(1)),
        "nothing": saved(np.zeros((0, 32))),
        "empty": b"",
        "a long header": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f",
    }


@pytest.mark.parametrize("kind", odd_inputs())
def test_odd_inputs_are_one_line(kind: str, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tiny / "x.npy").write_bytes(odd_inputs()[kind])
    assert "x.npy: " in refused(capsys, "emulate", str(tiny / "hls_projects" / "tiny"), "--inputs", "x.npy")


@pytest.mark.parametrize("kind", ODD_CPP)
def test_odd_sizes_in_the_cpp_are_one_line(kind: str, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tiny / "hls_projects" / "tiny"
    file, old, new = ODD_CPP[kind]
    path = project / "firmware" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    refused(capsys, "fifos", str(project))


def test_a_link_beside_the_source_is_not_written_through(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project, precious = tiny / "project", tiny / "precious"
    shutil.copytree(tiny / "hls_projects" / "tiny", project)
    (project / "stage.json").unlink()
    precious.write_text("precious")
    for name in ("myproject.cpp.partial", f".myproject.cpp.partial-{os.getpid()}"):
        (project / "firmware" / name).symlink_to(precious)
    assert main(["fifos", str(project), "--write"]) == 0
    assert precious.read_text() == "precious"
    (project / "firmware").rename(tiny / "elsewhere")
    (project / "firmware").symlink_to(tiny / "elsewhere")
    capsys.readouterr()
    assert "not a link to elsewhere" in refused(capsys, "fifos", str(project), "--write")


def test_a_strangers_project_runs_only_if_it_is_trusted(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tiny / "hls_projects" / "tiny"
    source = project / "firmware" / "myproject.cpp"
    source.write_text(
        source.read_text() + '\n#include <cstdlib>\nstatic int evil = std::system("touch ran");\n', encoding="utf-8"
    )
    assert "--prove runs the C++ of this project with all your rights; --trust wanted" in refused(
        capsys, "fifos", str(project), "--prove"
    )
    assert not list(tiny.rglob("ran"))


def forged(project: Path) -> None:
    """A project with code of a stranger's, and a record as if it had been made so."""
    source = project / "firmware" / "myproject.cpp"
    source.write_text(source.read_text() + '\n#include <cstdlib>\nstatic int evil = std::system("touch ran");\n')
    record = json.loads((project / runner.RECORD).read_text())
    record["outputs"]["firmware/myproject.cpp"] = runner.file_digest(source)
    del record["seal"]
    (project / runner.RECORD).write_text(json.dumps(record | {"seal": runner._digest(record)}))
    assert runner.load(project) is not None


@pytest.mark.parametrize("change", ["none", "forged", "a header beside"])
def test_a_project_is_ours_if_we_remember_it(
    change: str, tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nonresnet_hls import made_here

    project = tiny / "hls_projects" / "tiny"
    monkeypatch.setenv("XDG_STATE_HOME", str(tiny / "state"))
    monkeypatch.setattr(made_here, "_kept", False)
    made_here.keep_notes()  # as the command line does
    assert not made_here.is_known("a")
    shutil.rmtree(project)
    assert main(["convert", "tiny"]) == 0
    if change == "forged":
        forged(project)
    elif change == "a header beside":
        (project / "firmware" / "cmath").write_text('#error "evil"')
    if change == "none":
        assert convert.is_made_here(project)
        return
    capsys.readouterr()
    for named in (str(project), "tiny"):
        assert "--trust wanted" in refused(capsys, "fifos", named, "--prove")
    assert not list(tiny.rglob("ran"))


LINKED = {"a recipe's folder": "models/tiny", "all projects": "hls_projects", "the tables": "tables"}


@pytest.mark.parametrize("kind", LINKED)
def test_nothing_is_written_over_a_link_out_of_the_workspace(
    kind: str, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside, folder = tmp_path / "outside", tiny / LINKED[kind]
    outside.mkdir()
    for name in ("table2.txt", "tiny", "quantize"):
        (outside / name).write_text("precious")
    shutil.rmtree(folder, ignore_errors=True)
    folder.symlink_to(outside)
    command = ["table2", "tiny"] if kind == "the tables" else ["convert", "tiny"]
    assert "a folder within . wanted, not over a link to elsewhere" in refused(capsys, *command)
    assert sorted(path.name for path in outside.iterdir()) == ["quantize", "table2.txt", "tiny"]
    # Within the workspace a link is as good as a folder.
    folder.unlink()
    (tiny / "other").mkdir()
    folder.symlink_to(tiny / "other")
    if kind != "a recipe's folder":
        assert main(["convert", "tiny"]) == 0


def test_a_circle_of_links_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    (tmp_path / "loop.npz").symlink_to("loop.npz")
    (tmp_path / "a.toml").write_text('extends = "loop.toml"')
    (tmp_path / "b.toml").write_text('extends = "resnet8"\n[dataset]\nname = "npz"\nfile = "loop.npz"\n'
                                     'input_type = "ufixed<4,0>"')  # fmt: skip
    (tmp_path / "loop").symlink_to("loop")
    for arguments in (["a.toml"], ["b.toml"], ["resnet8", "--workspace", str(tmp_path / "loop")]):
        refused(capsys, "convert", *(str(tmp_path / one) if one.endswith(".toml") else one for one in arguments))


@pytest.mark.nightly
def test_quotes_and_backslashes_in_a_folders_name(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tiny / 'a "quoted" \\folder\\ ?? é'
    place.mkdir()
    for name in ("models", "hls_projects"):
        shutil.copytree(tiny / name, place / name)
    shutil.rmtree(place / "models" / "tiny" / "csim")
    assert main(["csim", "tiny", "--workspace", str(place), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["equal"] is True
    assert main(["fifos", "tiny", "--workspace", str(place), "--prove", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["proof"]["holds"] is True


def test_a_path_as_a_c_string(tmp_path: Path) -> None:
    odd = tmp_path / 'a"b\\n\n??/é'
    (tmp_path / "x.c").write_text("#include <stdio.h>\nint main() { fputs(NAME, stdout); return 0; }\n")
    tools.run(["gcc", f"-DNAME={tools.c_string(odd)}", "x.c", "-o", "x"], tmp_path)
    ran = subprocess.run([tmp_path / "x"], capture_output=True, check=True)
    assert ran.stdout == os.fsencode(odd)


def test_an_up_to_date_csim_works_where_nothing_can_be_written(tiny: Path) -> None:
    program = (
        "import os, sys; sys.argv = ['nonresnet-hls', 'csim', 'tiny']\n"
        "for name in ('models', 'hls_projects'):\n"
        "    for folder, _, _ in os.walk(name):\n"
        "        os.chmod(folder, 0o555)\n"
        "opened = os.open\n"
        "def read_only(path, flags, *more, **named):\n"
        "    if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR) and 'workspace' in os.path.abspath(path):\n"
        "        raise OSError(30, 'Read-only file system', str(path))\n"
        "    return opened(path, flags, *more, **named)\n"
        "os.open = read_only\n"
        "from nonresnet_hls.cli import main\n"
        "sys.exit(main(['csim', 'tiny']))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    before = sorted(tiny.rglob("*"))
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tiny, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "tiny: equal" in ran.stdout
    assert sorted(tiny.rglob("*")) == before


def array_file(shape: tuple[int, ...], content: int, odd: bool = False) -> Iterator[bytes]:
    """A `.npy` file that says it has a shape, and has so many MiB of zeros."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    yield header.getvalue().replace(b"(1,)", b"((((") if odd else header.getvalue()
    for _ in range(content):
        yield bytes(1 << 20)


ODD_ARRAYS = {
    "bomb": (array_file((256 << 20,), 256), "at most 200 bytes for a byte of the file wanted"),
    "lie": (array_file((1 << 50,), 1), "bytes as its header says wanted"),
    "no header": (array_file((1,), 1, odd=True), "no array of NumPy's"),
    "long header": (
        itertools.chain([b"\x93NUMPY\x02\x00\xff\xff\xff\x7f"], itertools.repeat(bytes(1 << 20), 256)),
        "at most 200 bytes for a byte of the file wanted",
    ),
    "shape": (array_file((0, 1 << 70), 0), "no .npz file, or damaged|cannot be read"),
}


@pytest.mark.parametrize("kind", ODD_ARRAYS)
def test_odd_data_sets_are_one_line(kind: str, tmp_path: Path) -> None:
    content, wanted = ODD_ARRAYS[kind]
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:  # noqa: SIM117
        with archive.open("x.npy", "w") as entry:
            for part in content:
                entry.write(part)
    dataset = Dataset(DatasetName.NPZ, tmp_path / "x.npz", FixedPointType(8, 0, signed=False))
    with pytest.raises(DatasetError, match=f"x.npz: cannot be read as .npz of plain arrays: .*{wanted}"):
        datasets.load(dataset)
