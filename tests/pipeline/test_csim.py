"""The comparison with Keras: equal where it is, and a difference is found, counted and located."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow import keras

from nonresnet_hls import cli, samples
from nonresnet_hls.errors import RecipeError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.hls import csim
from nonresnet_hls.networks import saved
from nonresnet_hls.pipeline import quantize, runner
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.quantization import arithmetic
from nonresnet_hls.quantization.quantized import Quantized
from nonresnet_hls.recipe import Csim
from tests.quantization import nets


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    own=st.builds(FixedPointType, st.integers(1, 20), st.integers(-4, 24), st.booleans()),
    seed=st.integers(0, 2**32 - 1),
)
def test_adversarial_inputs_are_of_the_type_and_reach_its_ends(own: FixedPointType, seed: int) -> None:
    sets = csim.adversarial(own, (2, 3), seed)
    assert list(sets) == ["all minimum", "all maximum", "random extremes", "random"]
    for values in sets.values():
        own.mantissas(values)
        assert values.shape[1:] == (2, 3)
    assert set(sets["all minimum"].ravel()) == {float(own.min)}
    assert set(sets["all maximum"].ravel()) == {float(own.max)}
    assert set(sets["random extremes"].ravel()) <= {float(own.min), float(own.max)}
    again = csim.adversarial(own, (2, 3), seed)
    assert all((sets[name] == again[name]).all() for name in sets)


def test_several_inputs_and_outputs_are_compared_one_by_one() -> None:
    x, y = keras.Input((4, 4, 2), name="x"), keras.Input((4, 4, 2), name="y")
    both = keras.layers.Add(name="sum")([keras.layers.ReLU()(x), keras.layers.ReLU()(y)])
    model = keras.Model([x, y], [both, keras.layers.GlobalMaxPooling2D(name="most")(both)], name="two")
    kinds = {"x": nets.UNSIGNED, "y": FixedPointType(6, 2)}
    rng = np.random.default_rng(0)
    values = {name: kind.quantize_array(rng.uniform(-1, 1, (6, 4, 4, 2))) for name, kind in kinds.items()}
    given = samples.joined(values)
    outputs = samples.joined({"all of it": np.zeros((6, 4, 4, 2)), "best": np.zeros((6, 2))})
    made = Quantized(model, kinds, given, arithmetic.infer(model, kinds), outputs, {"best": np.arange(6) % 2})
    asked = csim.question(made, Csim(samples=4), "samples")
    assert [len(one) for one in asked.sets.values()] == [4, 1, 1, 8, 8]
    for name, kind in kinds.items():
        assert (asked.sets["all minimum"][name] == float(kind.min)).all()
    expected = asked.expected.outputs
    inputs = np.concatenate(list(asked.sets.values()))
    assert (expected["sum"] == np.maximum(inputs["x"], 0) + np.maximum(inputs["y"], 0)).all()
    assert (expected["most"] == expected["sum"].max((1, 2))).all()
    wrong = expected.copy()
    wrong["most"][5, 1] += 1
    project: Any = _Project(expected, wrong)
    result = csim.compare(project, asked, lambda _: "sum")
    assert (result.different, result.values, result.worth) == (1, 2 * 22 * 34, None)
    told = [(one.name, one.values, one.library_different, one.bench_different) for one in result.outputs]
    assert told == [("all of it", 22 * 32, 0, 0), ("best", 22 * 2, 0, 1)]
    (mismatch,) = result.mismatches
    assert (mismatch.output, mismatch.inputs, mismatch.sample, mismatch.index) == ("best", "all maximum", 0, (1,))
    assert [one.worth.metric for one in result.outputs] == ["mean error", "top-1"]


class _Project:
    """Stands for a compiled project whose two simulations give these outputs."""

    def __init__(self, library: Any, bench: Any) -> None:
        self._outputs = library, bench

    def library(self, inputs: Any, output_shape: tuple[int, ...], jobs: int = 1) -> Any:
        return self._outputs[0]

    def bench(self, inputs: Any, expected: Any, jobs: int = 1) -> Any:
        return self._outputs[1]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(wrong=st.sets(st.tuples(st.booleans(), st.integers(0, 21), st.integers(0, 3)), max_size=12))
def test_every_difference_is_counted_and_the_first_five_shown(wrong: set[tuple[bool, int, int]]) -> None:
    expected = np.arange(22 * 4, dtype=np.float64).reshape(22, 4)
    inputs = {"given": np.zeros((4, 2)), "all minimum": np.ones((1, 2)), "random": np.full((17, 2), 2.0)}
    asked = csim.Question(inputs, _reference(expected))
    library, bench = expected.copy(), expected.copy()
    for in_bench, sample, index in wrong:
        (bench if in_bench else library)[sample, index] += 2.0**-40
    looked: list[Any] = []
    project: Any = _Project(library, bench)
    result = csim.compare(project, asked, lambda x: looked.append(x) or "conv7")
    assert result.equal == (not wrong)
    assert result.different == len(wrong)
    assert result.values == 2 * expected.size
    assert len(result.mismatches) == min(len(wrong), 5)
    assert result.first_layer == ("conv7" if wrong else None)
    assert len(looked) == bool(wrong)
    assert sum(one.library_different for one in result.input_sets) == sum(not in_bench for in_bench, _, _ in wrong)
    assert sum(one.bench_different for one in result.input_sets) == sum(in_bench for in_bench, _, _ in wrong)
    starts = {"given": 0, "all minimum": 4, "random": 5}
    for one in result.mismatches:
        sample = starts[one.inputs] + one.sample
        assert one.expected == expected[sample, *one.index]
        assert one.got == one.expected + 2.0**-40
        assert one.input_values == tuple(inputs[one.inputs][one.sample])


def _reference(outputs: Any) -> Any:
    from nonresnet_hls.quantization.reference import Reference

    return Reference(outputs, "Keras", outputs.size)


def _tamper(workspace: Path, path: str, change: Any, hide: bool) -> None:
    """Change a file of the project; with `hide`, let its record say that this is what was written."""
    project = workspace / "hls_projects" / "tiny"
    file = project / path
    file.write_text(change(file.read_text()))
    if hide:
        record = json.loads((project / "stage.json").read_text())
        record["outputs"][path] = runner.file_digest(file)
        del record["seal"]  # as records were before they had one
        (project / "stage.json").write_text(json.dumps(record))


def _other_sign(text: str) -> str:
    first, _, rest = text.partition(",")
    return f"{-float(first) or 1.0}, {rest}"


def test_an_equal_project_says_so(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["csim", "tiny", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["equal"] is True
    assert found["different"] == 0
    assert found["mismatches"] == []
    assert found["first_layer"] is None
    assert found["reference"] == "Keras"
    assert found["weights"] == "trained"
    samples = [(one["inputs"], one["samples"]) for one in found["input_sets"]]
    assert samples[0][1] == 4
    assert samples[1:] == [("all minimum", 1), ("all maximum", 1), ("random extremes", 8), ("random", 8)]
    assert found["values"] == 2 * 3 * 22
    assert cli.main(["csim", "tiny"]) == 0
    assert "tiny: equal, 132 values" in capsys.readouterr().out


def test_it_says_what_the_design_is_worth(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["csim", "tiny", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    data = np.load(tiny / "models" / "tiny-data.npz")
    x, y = data["x"][4::5][:4], data["y"][4::5][:4]
    model = saved.load(tiny / "models" / "tiny-net.keras")
    quantized = saved.load(tiny / "models" / "tiny" / "quantize" / "model.keras")
    shares = [float((one(x).numpy().argmax(1) == y).mean()) for one in (model, quantized, quantized)]
    names = ("float_network", "quantized", "hardware")
    assert found["worth"] == {"metric": "top-1", "samples": 4, **dict(zip(names, shares, strict=True))}
    assert cli.main(["csim", "tiny"]) == 0
    told = ", ".join(f"{share:.2%} {name}" for share, name in zip(shares, ("float", *names[1:]), strict=True))
    assert f"  top-1 on 4 samples: {told}\n" in capsys.readouterr().out


def test_worth_is_counted_on_as_many_samples_as_are_asked_for(tiny: Path) -> None:
    """More than are kept with the model: their labels and float outputs are had anew."""
    place = Workspace(tiny)
    recipe = place.recipe("tiny")
    whole = quantize.load(quantize.run(recipe, place))
    labels = whole.labels[""]
    few = replace(whole, samples=whole.samples[:3], float_outputs=whole.float_outputs[:3], labels={"": labels[:3]})
    assert quantize.with_samples(recipe, place, few, 3) is few
    found = quantize.with_samples(recipe, place, few, 7)
    assert (found.samples == whole.samples[:7]).all()
    assert (found.labels[""] == labels[:7]).all()
    assert (found.float_outputs.argmax(1) == whole.float_outputs[:7].argmax(1)).all()
    with pytest.raises(RecipeError, match="10000 samples wanted, there are"):
        quantize.with_samples(recipe, place, few, 10000)


def test_weights_of_which_few_levels_are_left_are_told_with_layer_and_cure(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = (tiny / "models" / "tiny.toml").read_text()
    (tiny / "models" / "tiny.toml").write_text(recipe.replace("weight_bits = 4", "weight_bits = 3"))
    assert cli.main(["csim", "tiny"]) == 0
    warning = (
        r"  warning: layer logits: only \d different weights are left of 6; .* more weight_bits, would keep more\n"
    )
    assert re.search(warning, capsys.readouterr().out)


def test_a_tampered_weight_is_found_counted_and_located(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = sorted((tiny / "hls_projects" / "tiny" / "firmware" / "weights").glob("w*.txt"))
    dense = f"firmware/weights/{weights[-1].name}"
    _tamper(tiny, dense, _other_sign, hide=True)
    assert cli.main(["csim", "tiny"]) == 1
    out = capsys.readouterr().out
    assert "tiny: DIFFERENT, 132 values" in out
    assert "values differ; first layer that does: logits" in out
    shown = [line for line in out.splitlines() if " wanted, " in line and " got; input starts " in line]
    assert len(shown) == 5
    # The verdict stands, with the same status, when nothing has changed since.
    assert cli.main(["csim", "tiny", "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["equal"], found["first_layer"], len(found["mismatches"])) == (False, "logits", 5)
    assert 0 < found["different"] <= found["values"]


@pytest.mark.nightly
def test_a_tampered_top_function_is_told_from_a_layer(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _tamper(tiny, "firmware/myproject.cpp", lambda text: text.replace("w7, b7)", "w7 + 1, b7)"), hide=True)
    assert cli.main(["csim", "tiny"]) == 1
    out = capsys.readouterr().out
    assert "first layer that does: none, so the top function or the test bench is not as it was generated" in out


def test_a_changed_project_is_refused_by_the_file(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _tamper(tiny, "firmware/weights/w2.txt", _other_sign, hide=False)
    assert cli.main(["csim", "tiny"]) == 2
    captured = capsys.readouterr()
    assert "firmware/weights/w2.txt: changed since stage convert wrote it; delete" in captured.err
    assert "equal" not in captured.out
