import json

import pytest

from nonresnet_hls import networks
from nonresnet_hls.cli import main
from nonresnet_hls.networks import saved
from nonresnet_hls.recipe import SkipStyle


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.keras"
    saved.save(networks.resnet(SkipStyle.RESIDUAL, (8, 8, 1), 10, (4, 6), 2), path)
    return path


def listed(capsys, *arguments):
    assert main(["skips", "--json", *map(str, arguments)]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_skips_of_a_model_are_listed(model, capsys):
    found = listed(capsys, model)["skips"]
    assert [(skip["number"], skip["group"], skip["buffer_elements"]) for skip in found] == [
        (1, 1, 256), (2, 1, 256), (3, 2, 96), (4, 2, 96)]  # fmt: skip
    assert main(["skips", str(model)]) == 0
    assert "3 group 2: g1b2_relu2 -> g2b1_add" in capsys.readouterr().out


@pytest.mark.parametrize(("which", "left"), [("all", 0), ("1,3", 2), ("group:2", 2)])
def test_skips_are_removed(model, capsys, which, left):
    out = model.with_name("out.keras")
    before = model.read_bytes()
    assert listed(capsys, model, "--remove", which, "-o", out)["skips_left"] == left
    assert len(listed(capsys, out)["skips"]) == left
    assert model.read_bytes() == before


def test_skips_are_shortened(model, capsys):
    out = model.with_name("out.keras")
    listed(capsys, model, "--shorten", "all", "-o", out)
    assert listed(capsys, out)["skips"][0]["bypasses"] == ["g1b1_conv1", "g1b1_bn1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--remove", "all"], "goes together with -o"),
        (["--remove", "all", "-o", "x.h5"], "ending in .keras wanted"),
        (["--remove", "some", "-o", "x.keras"], "not 'some'"),
        (["--remove", "group:7", "-o", "x.keras"], "(1, 2) wanted, not 'group:7'"),
        (["--remove", "9", "-o", "x.keras"], "skips 1..4 wanted, not 9"),
    ],
)
def test_what_does_not_fit_is_one_line_and_status_2(model, capsys, arguments, message, monkeypatch):
    monkeypatch.chdir(model.parent)
    assert main(["skips", str(model), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_file_that_is_there_is_not_overwritten(model, capsys):
    assert main(["skips", str(model), "--remove", "all", "-o", str(model)]) == 2
    assert "not overwritten" in capsys.readouterr().err
