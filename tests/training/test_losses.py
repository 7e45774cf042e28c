"""The losses against their formulas, written out in plain Python."""

import math

import numpy as np
import pytest

from nonresnet_hls.recipe import Distillation, DistillationLoss
from nonresnet_hls.training import losses

STUDENT, TEACHER, LABEL = [0.5, -1.0, 2.0], [1.5, 0.25, -0.5], 1


def softmax(logits, temperature=1.0):
    powers = [math.exp(value / temperature) for value in logits]
    return [power / sum(powers) for power in powers]


def cross_entropy(logits, smoothing):
    wanted = [(1 - smoothing) * (i == LABEL) + smoothing / 3 for i in range(3)]
    return -sum(w * math.log(p) for w, p in zip(wanted, softmax(logits), strict=True))


def loss_of(loss, outputs):
    """Of a batch with the sample twice: both must cost the same."""
    one, other = loss(np.array([LABEL, LABEL]), np.array([outputs] * 2, np.float32)).numpy()
    assert one == other
    return f"{one:.4f}"


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_with_labels(smoothing):
    assert loss_of(losses.labels(3, smoothing), STUDENT) == f"{cross_entropy(STUDENT, smoothing):.4f}"


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_share_of_each_label_costs_its_share_of_the_cross_entropies(smoothing):
    loss, logits = losses.labels(3, smoothing), np.array([STUDENT], np.float32)
    mixed = float(loss(np.array([[0.0, 0.25, 0.75]], np.float32), logits)[0])
    one, two = (float(loss(np.array([label]), logits)[0]) for label in (1, 2))
    assert f"{mixed:.4f}" == f"{0.25 * one + 0.75 * two:.4f}"


def test_whole_labels_are_shares_of_the_same_cost_to_the_bit():
    logits = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    y = np.arange(50) % 7
    one_hot = np.eye(7, dtype=np.float32)[y]
    for loss in (losses.labels(7, 0.0), losses.labels(7, 0.1), losses.top1(7)):
        assert (loss(one_hot, logits).numpy() == loss(y, logits).numpy()).all()
        assert (loss(y[:, None], logits).numpy() == loss(y, logits).numpy()).all()


def test_top1_of_mixed_labels_is_that_of_the_greater_share():
    shares = np.array([[0.0, 0.7, 0.3], [0.6, 0.0, 0.4]], np.float32)
    outputs = np.array([[0.0, 2.0, 1.0], [3.0, 2.0, 9.0]], np.float32)
    assert losses.top1(3)(shares, outputs).numpy().tolist() == [1.0, 0.0]


@pytest.mark.parametrize("weight", [0.0, 0.35, 1.0])
def test_tailors_distillation(weight):
    squares = sum((s - t) ** 2 for s, t in zip(STUDENT, TEACHER, strict=True)) / 3
    wanted = (1 - weight) * cross_entropy(STUDENT, 0) + weight * squares
    loss = losses.distilled(3, 0.0, Distillation("any", loss=DistillationLoss.LOGIT_MSE, weight=weight))
    assert loss_of(loss, STUDENT + TEACHER) == f"{wanted:.4f}"


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_hintons_distillation(temperature):
    teacher, student = softmax(TEACHER, temperature), softmax(STUDENT, temperature)
    divergence = sum(t * math.log(t / s) for t, s in zip(teacher, student, strict=True))
    wanted = 0.5 * cross_entropy(STUDENT, 0) + 0.5 * temperature**2 * divergence
    config = Distillation("any", loss=DistillationLoss.TEMPERATURE_KL, weight=0.5, temperature=temperature)
    assert loss_of(losses.distilled(3, 0.0, config), STUDENT + TEACHER) == f"{wanted:.4f}"


def test_top1_looks_at_the_student_alone():
    outputs = np.array([[0.0, 2.0, 1.0, 9.0, 0.0, 0.0], [3.0, 2.0, 1.0, 0.0, 9.0, 0.0]], np.float32)
    assert losses.top1(3)(np.array([1, 1]), outputs).numpy().tolist() == [1.0, 0.0]
