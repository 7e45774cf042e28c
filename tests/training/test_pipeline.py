import numpy as np
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
