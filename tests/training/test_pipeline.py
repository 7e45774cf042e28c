import dataclasses
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonresnet_hls.recipe import Training
from nonresnet_hls.training import pipeline


def epochs_of(x, y, config, first, last):
    return [(a.numpy(), b.numpy()) for a, b in pipeline.batches(x, y, config, first, last)]


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(1, 40), st.integers(1, 17), st.integers(0, 5))
def test_every_epoch_has_every_sample_once(count, batch_size, seed):
    config = Training(batch_size=batch_size, seed=seed)
    x, y = np.arange(count, dtype=np.float32)[:, None], np.arange(count)
    batches = epochs_of(x, y, config, 0, 2)
    per_epoch = pipeline.steps(count, config)
    assert len(batches) == 2 * per_epoch
    for epoch in range(2):
        of_epoch = batches[epoch * per_epoch : (epoch + 1) * per_epoch]
        assert sorted(np.concatenate([b for _, b in of_epoch])) == list(range(count))
        assert all((a[:, 0] == b).all() for a, b in of_epoch)


def test_batches_depend_on_the_epoch_but_not_on_where_a_run_began():
    config = Training(batch_size=4, augment=True, seed=3)
    x = np.random.default_rng(0).random((12, 8, 8, 1), dtype=np.float32)
    whole = epochs_of(x, np.arange(12), config, 0, 3)
    later = epochs_of(x, np.arange(12), config, 2, 3)
    for (x_a, y_a), (x_b, y_b) in zip(whole[6:], later, strict=True):
        assert (x_a == x_b).all()
        assert (y_a == y_b).all()
    assert not all((a[0] == b[0]).all() for a, b in zip(whole[:3], later, strict=True))


def shifted(image, down, right, flip):
    """What `augment` may make of an image, by plain slicing."""
    height, width, _ = image.shape
    padded = np.pad(image, ((height // 8, height // 8), (width // 8, width // 8), (0, 0)))
    cut = padded[down : down + height, right : right + width]
    return cut[:, ::-1] if flip else cut


def test_augmentation_is_a_shift_with_zeros_and_a_flip():
    images = np.random.default_rng(1).random((64, 16, 16, 3), dtype=np.float32)
    seen = set()
    for image, made in zip(images, pipeline.augment(images, [1, 2], True).numpy(), strict=True):
        options = [(d, r, f) for d in range(5) for r in range(5) for f in (False, True)]
        fitting = [option for option in options if (shifted(image, *option) == made).all()]
        assert len(fitting) == 1
        seen.update(fitting)
    assert {flip for _, _, flip in seen} == {False, True}
    assert {down for down, _, _ in seen} == {right for _, right, _ in seen} == set(range(5))


def test_what_must_not_be_flipped_is_not():
    images = np.zeros((200, 8, 8, 1), np.float32)
    images[:, 4, 1] = 1.0
    made = pipeline.augment(images, [0, 0], False).numpy()
    assert set(np.argwhere(made)[:, 2]) <= {0, 1, 2}


IMAGES = (np.arange(10 * 8 * 8 * 3) % 251).astype(np.float32).reshape(10, 8, 8, 3) / 256
MIXED = Training(epochs=3, batch_size=4, augment=True, seed=3, jitter=0.4, mixup=0.4, mixup_tail=1)


def test_what_is_neither_jittered_nor_mixed_has_the_bits_that_it_always_had():
    """Those that the weights in `models/` were trained on."""
    digest = hashlib.sha256()
    for x, y in epochs_of(IMAGES, np.arange(10), Training(batch_size=4, augment=True, seed=3), 0, 2):
        digest.update(x.tobytes() + y.tobytes())
    assert digest.hexdigest() == "d644d7482192554b24feacdafa74e1212ec8878cb4448b9bcba21285d11b8e3d"


def mixed_epochs(config, first, last, classes=10):
    found = pipeline.batches(IMAGES, np.arange(10), config, first, last, classes)
    return [(x.numpy(), y.numpy()) for x, y in found]


def test_jittered_and_mixed_batches_do_not_depend_on_where_a_run_began():
    whole, again, later = (mixed_epochs(MIXED, first, 3) for first in (0, 0, 1))
    for one, other in (*zip(whole, again, strict=True), *zip(whole[3:], later, strict=True)):
        assert all((a == b).all() for a, b in zip(one, other, strict=True))
    other = mixed_epochs(dataclasses.replace(MIXED, seed=4), 0, 3)
    assert not any((a[0] == b[0]).all() for a, b in zip(whole, other, strict=True))


def test_images_and_labels_are_mixed_in_the_same_shares_but_in_the_last_epochs():
    config = dataclasses.replace(MIXED, jitter=0.0)
    plain = epochs_of(IMAGES, np.arange(10), dataclasses.replace(config, mixup=0.0), 0, 3)
    mixed = mixed_epochs(config, 0, 3)
    assert all((shares.sum(axis=1) == 1).all() for _, shares in mixed)
    pairs = 0
    for (x, y), (x_mixed, shares) in zip(plain[:6], mixed[:6], strict=True):
        for image, label, image_mixed, share in zip(x, y, x_mixed, shares, strict=True):
            others = [place for place, other in enumerate(y) if other != label and share[other]]
            if others:  # else it met itself
                (other,) = others
                pairs += 1
                assert (image_mixed == share[label] * image + share[y[other]] * x[other]).all()
    assert pairs > 10
    for (x, y), (x_mixed, shares) in zip(plain[6:], mixed[6:], strict=True):
        assert (x == x_mixed).all()
        assert (shares == np.eye(10)[y]).all()


@pytest.mark.parametrize("alpha", [1e-300, 0.2, 1e300])
def test_labels_of_any_alpha_are_shares(alpha):
    for _, y in mixed_epochs(dataclasses.replace(MIXED, mixup=alpha), 0, 2):
        assert (y.sum(axis=1) == 1).all()
        assert (y >= 0).all()


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.floats(0, 1, width=32), st.sampled_from([1, 3]), st.integers(0, 1000))
def test_jittered_images_stay_in_their_range(strength, channels, seed):
    images = np.random.default_rng(seed).uniform(-1, 2, (4, 6, 6, channels)).astype(np.float32)
    made = pipeline.jittered(images, [seed, 1], strength, -1.0, 2.0).numpy()
    assert made.shape == images.shape
    assert made.min() >= -1
    assert made.max() <= 2


def test_jitter_changes_brightness_contrast_and_saturation_of_each_image():
    """Against factors that are found in the images: a grey one has no saturation, a single grey no contrast."""
    grey = np.full((500, 4, 4, 3), 0.25, np.float32)
    made = pipeline.jittered(grey, [0, 1], 0.4, 0.0, 1.0).numpy().astype(np.float64)
    assert (np.ptp(made.round(5), axis=(1, 2, 3)) == 0).all()
    brightness = made[:, 0, 0, 0] / 0.25
    assert 0.6 <= brightness.min() < 0.61
    assert 1.39 < brightness.max() <= 1.4
    two = grey.copy()
    two[:, :2] += 0.25
    made = pipeline.jittered(two, [0, 1], 0.4, 0.0, 1.0).numpy().astype(np.float64)
    contrast = (made[:, 0, 0, 0] - made[:, 3, 0, 0]) / 0.25 / brightness
    assert 0.6 <= contrast.round(5).min() < 0.62
    assert 1.38 < contrast.round(5).max() <= 1.4
    assert np.ptp(made.round(5), axis=3).max() == 0
    coloured = grey + np.array([0.0, 0.125, 0.0], np.float32)
    made = pipeline.jittered(coloured, [0, 1], 0.4, 0.0, 1.0).numpy().astype(np.float64)
    colour = (made[:, 0, 0, 1] - made[:, 0, 0, 0]) / 0.125 / brightness
    assert np.ptp(np.ptp(made.round(5), axis=1)) == 0
    assert colour.std() > 0.2
    # Each image has factors of its own; without strength nothing changes.
    assert len(set(brightness)) > 490
    assert (pipeline.jittered(IMAGES, [0, 1], 0.0, 0.0, 1.0).numpy().round(5) == IMAGES.round(5)).all()
