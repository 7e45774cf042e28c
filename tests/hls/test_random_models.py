"""Random models through everything: each is refused in one line, or its compiled C++ is equal in every value."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.hls import random_models as models

_COMPILED = 150
_LEAST = 3
"""Models in which each kind of layer is, at least."""
_KINDS = frozenset({
    "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv1D", "DepthwiseConv1D", "Dense", "BatchNormalization", "ReLU",
    "LeakyReLU", "PReLU", "ELU", "Activation", "MaxPooling2D", "AveragePooling2D", "MaxPooling1D", "AveragePooling1D",
    "GlobalMaxPooling2D", "GlobalAveragePooling2D", "ZeroPadding2D", "ZeroPadding1D", "UpSampling2D", "UpSampling1D",
    "Flatten", "Reshape", "Dropout", "Rescaling", "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum",
    "Concatenate", "relu", "elu", "sigmoid", "tanh", "hard_sigmoid", "softplus", "softsign", "softmax", "groups",
    "depth multiplier", "dilation", "padded pool", "overlapping pool",
})  # fmt: skip


# Of kinds that are rare.
@pytest.mark.parametrize(
    "seed",
    [
        *(5013, 5021),
        *(pytest.param(seed, marks=pytest.mark.nightly) for seed in (5005, 5006, 5008, 5011, 5020, 5023)),
    ],
)
def test_a_random_model_is_equal(seed: int, tmp_path: Path) -> None:
    drawn = models.draw(seed)
    assert drawn.refusal == ""
    found = models.compared(drawn, seed, tmp_path)
    assert not isinstance(found, str)
    values, different = found
    assert values > 0
    assert different == 0


@pytest.mark.nightly
def test_a_hundred_and_fifty_random_models_of_all_kinds_are_equal(tmp_path: Path) -> None:
    """Drawn one after the other; once there are many, only those with a kind that is still rare are compiled."""
    refused: Counter[str] = Counter()
    compiled: Counter[str] = Counter()
    equal = values = drawn_models = 0
    seed = 10_000
    while equal < _COMPILED or any(compiled[kind] < _LEAST for kind in _KINDS):
        assert drawn_models < 4000, {kind: compiled[kind] for kind in _KINDS if compiled[kind] < _LEAST}
        drawn, seed, drawn_models = models.draw(seed), seed + 1, drawn_models + 1
        if drawn.refusal:
            refused[_reason(drawn.refusal)] += 1
            continue
        rarest = min((compiled[kind] for kind in drawn.kinds), default=0)
        if rarest >= (_LEAST if equal >= _COMPILED else 10):
            continue
        folder = tmp_path / str(seed)
        found = models.compared(drawn, seed, folder)
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(found, str):
            refused[_reason(found)] += 1
            continue
        assert found[1] == 0, f"seed {seed - 1}: {found[1]} of {found[0]} values differ"
        compiled.update(drawn.kinds)
        equal, values = equal + 1, values + found[0]
    print(f"{drawn_models} models drawn, {equal} compiled and equal in {values} values, {refused.total()} refused:")
    for reason, count in refused.most_common():
        print(f"  {count} {reason}")
    print(", ".join(f"{kind} {count}" for kind, count in compiled.most_common()))


def _reason(text: str) -> str:
    """A refusal without the name of the layer, or of the model if it has none to quantize."""
    assert text.startswith(("layer ", "model "))
    return text.split(": ", 1)[1][:100]
