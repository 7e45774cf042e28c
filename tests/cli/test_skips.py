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


@pytest.mark.parametrize("style", [SkipStyle.SHORT, SkipStyle.PLAIN])
def test_all_that_are_none_is_said_and_status_1(tmp_path, capsys, style):
    path, out = tmp_path / "model.keras", tmp_path / "out.keras"
    saved.save(networks.resnet(style, (8, 8, 1), 10, (4, 6), 1), path)
    change = "--shorten" if style is SkipStyle.SHORT else "--remove"
    assert main(["skips", str(path), change, "all", "-o", str(out)]) == 1
    told = capsys.readouterr().out
    if style is SkipStyle.SHORT:
        assert "0 of 2 skips shortened\n" in told
        assert "  2 into g2b1_add stays: it bypasses no more than one convolution already\n" in told
    else:
        assert "0 of 0 skips removed: the model has none\n" in told
    assert told.endswith(f"{out}: not written, since nothing would be changed\n")
    assert not out.exists()
    assert main(["skips", "--json", str(path), change, "all", "-o", str(out)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["changed"], len(found["unchanged"]), "written" in found) == ([], len(found["skips"]), False)


def _half(tmp_path):
    """A model of one skip that can be removed or shortened and of one that cannot."""
    from tensorflow import keras

    def conv():
        return keras.layers.Conv2D(4, 3, padding="same")

    image = keras.Input((8, 8, 4))
    x = keras.layers.Add(name="whole")([conv()(conv()(image)), image])
    x = keras.layers.Concatenate(name="joined")([conv()(conv()(x)), x])
    saved.save(keras.Model(image, x), tmp_path / "half.keras")
    return tmp_path / "half.keras"


@pytest.mark.parametrize(("change", "verb"), [("--remove", "removed"), ("--shorten", "shortened")])
def test_what_stays_of_all_is_said(tmp_path, capsys, change, verb):
    path = _half(tmp_path)
    assert main(["skips", str(path), change, "all", "-o", str(tmp_path / "out.keras")]) == 0
    told = capsys.readouterr().out
    assert f"1 of 2 skips {verb}\n  2 into joined stays: it joins at a Concatenate: " in told
    assert (tmp_path / "out.keras").exists()


def test_a_skip_that_was_asked_for_and_stays(tmp_path, capsys):
    path, out = _half(tmp_path), tmp_path / "out.keras"
    for change, verb in (("--remove", "removed"), ("--shorten", "shortened")):
        assert main(["skips", str(path), change, "1,2", "-o", str(out)]) == 2
        assert f"skip 2 into 'joined' cannot be {verb}: it joins at a Concatenate" in capsys.readouterr().err
        # Nothing at all would be changed.
        assert main(["skips", str(path), change, "2", "-o", str(out)]) == 1
        told = capsys.readouterr().out
        assert f"0 of 1 skips {verb}\n  2 into joined stays: it joins at a Concatenate" in told
        assert not out.exists()
