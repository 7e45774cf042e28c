"""Batches of training samples out of arrays in memory, augmented, jittered and mixed, in an order that only depends on
seed and epoch.

Everything random is drawn by a counter-based generator from (seed, epoch, step): a run that goes on from a
checkpoint sees the very batches that it would have seen.
"""

from typing import Any

from nonresnet_hls import samples
from nonresnet_hls.errors import DatasetError
from nonresnet_hls.recipe import Training
from nonresnet_hls.training.data import Data

_JITTER, _PARTNERS = 1, 2
"""What a draw is for: each has numbers of its own (those of `augment` have the plain seed)."""


def check(data: Data, config: Training) -> None:
    """Refuse data that cannot be jittered.

    Raises:
        DatasetError: jitter is wanted of what are no images of 1 or 3 channels.
    """
    x = data.x_train
    if config.jitter and (x.ndim != 4 or x.shape[-1] not in (1, 3)):
        wanted = "images of 1 or 3 channels wanted for training.jitter"
        raise DatasetError(f"{data.source}: {wanted}, not samples of shape {x.shape[1:]}")


def batches(x: Any, y: Any, config: Training, first_epoch: int, epochs: int, classes: int = 0) -> Any:
    """A `tf.data.Dataset` of (x, y) batches for the epochs from `first_epoch` to `epochs`, one after another.

    x (samples, *shape) float32, of several inputs records; y (samples,) int, or a tuple of arrays, one for each output;
    every epoch has `steps(len(x), config)` batches, the last one may be shorter. With mixup the labels of all epochs
    are shares of the classes (batch, classes) float32, whose sum is 1; targets that are numbers stay such.
    """
    import tensorflow as tf

    several = samples.several(x)
    images = tuple(tf.constant(part) for part in samples.parts(x).values()) if several else tf.constant(x)
    labels = tuple(tf.constant(part) for part in y) if isinstance(y, tuple) else tf.constant(y)
    count, per_epoch = len(x), steps(len(x), config)
    augmented = config.augment and x.ndim == 4
    least, greatest = (float(x.min()), float(x.max())) if config.jitter else (0.0, 0.0)
    own = tf.constant(_shares(config, per_epoch)) if config.mixup else None

    def seed(step: Any, use: int = 0) -> Any:
        plain = tf.stack([tf.constant(config.seed, tf.int64), step])
        return tf.random.experimental.stateless_fold_in(plain, use) if use else plain

    def epoch_batches(epoch: Any) -> Any:
        order = tf.random.experimental.stateless_shuffle(tf.range(count), seed=tf.stack([config.seed, epoch]))
        chunks = tf.data.Dataset.from_tensor_slices(order).batch(config.batch_size)
        return chunks.enumerate(start=tf.cast(epoch, tf.int64) * per_epoch)

    def gathered(step: Any, chosen: Any) -> Any:
        batch = tf.nest.map_structure(lambda part: tf.gather(part, chosen), images)
        targets = tf.nest.map_structure(lambda part: tf.gather(part, chosen), labels)
        if config.jitter:
            batch = jittered(batch, seed(step, _JITTER), config.jitter, least, greatest)
        if augmented:
            batch = augment(batch, seed(step), config.flip)
        if own is None:
            return batch, targets
        targets = tf.nest.map_structure(
            lambda part: tf.one_hot(part, classes) if part.dtype.is_integer else part, targets
        )
        partners = tf.random.experimental.stateless_shuffle(tf.range(tf.shape(chosen)[0]), seed(step, _PARTNERS))
        share = own[step]
        return tf.nest.map_structure(
            lambda part: share * part + (1.0 - share) * tf.gather(part, partners), (batch, targets)
        )

    options = tf.data.Options()
    options.deterministic = True
    options.threading.private_threadpool_size = 1  # the cores belong to the convolutions
    options.autotune.enabled = False
    return (
        tf.data.Dataset.range(first_epoch, epochs, output_type=tf.int32)
        .flat_map(epoch_batches)
        .map(gathered)
        .prefetch(4)
        .with_options(options)
    )


def steps(samples: int, config: Training) -> int:
    """Batches in an epoch."""
    return -(-samples // config.batch_size)


def augment(images: Any, seed: Any, flip: bool) -> Any:
    """Shift each image of (batch, height, width, channels) by up to an eighth, zeros moving in; flip half of them.

    Zero is a value of every pixel's type, so the images stay on their grid.
    """
    import tensorflow as tf

    height, width = images.shape[1], images.shape[2]
    count = tf.shape(images)[0]
    down, right = -(-height // 8), -(-width // 8)
    draw = tf.random.stateless_uniform([3, count], seed)
    padded = tf.pad(images, [[0, 0], [down, down], [right, right], [0, 0]])
    columns = tf.range(width)[tf.newaxis]
    if flip:
        columns = tf.where(draw[2][:, tf.newaxis] < 0.5, columns, width - 1 - columns)
    rows = _offset(draw[0], down)[:, tf.newaxis] + tf.range(height)[tf.newaxis]
    columns = _offset(draw[1], right)[:, tf.newaxis] + columns
    shifted = tf.gather(padded, rows, axis=1, batch_dims=1)
    return tf.gather(shifted, columns, axis=2, batch_dims=1)


def jittered(images: Any, seed: Any, strength: float, least: float, greatest: float) -> Any:
    """Brightness, contrast and saturation of each image of (batch, height, width, channels), changed in this order.

    Each by a factor of its own from [1 - strength, 1 + strength): of the distance to black (`least`), to the mean grey
    of the image, and to the grey of the pixel (luma of ITU-R BT.601; of 1 channel, the pixel itself: nothing changes).
    After each, values are clipped to `least`..`greatest`.
    """
    import tensorflow as tf

    factors = tf.random.stateless_uniform([3, tf.shape(images)[0], 1, 1, 1], seed, 1.0 - strength, 1.0 + strength)

    def grey(pixels: Any) -> Any:
        if images.shape[-1] == 1:
            return pixels
        return tf.reduce_sum(pixels * tf.constant([0.299, 0.587, 0.114]), axis=-1, keepdims=True)

    def scaled(pixels: Any, centre: Any, factor: Any) -> Any:
        return tf.clip_by_value(centre + factor * (pixels - centre), least, greatest)

    bright = scaled(images, least, factors[0])
    contrasted = scaled(bright, tf.reduce_mean(grey(bright), axis=[1, 2, 3], keepdims=True), factors[1])
    return scaled(contrasted, grey(contrasted), factors[2])


def _shares(config: Training, per_epoch: int) -> Any:
    """Which share of itself each batch of a training keeps in mixup: (epochs * per_epoch,) float32."""
    import numpy as np

    total, mixed = (per_epoch * epochs for epochs in (config.epochs, max(config.epochs - config.mixup_tail, 0)))
    drawn = np.random.default_rng(config.seed).beta(config.mixup, config.mixup, mixed)
    return np.concatenate([drawn, np.ones(total - mixed)]).astype(np.float32)


def _offset(uniform: Any, most: int) -> Any:
    """Uniform numbers in [0, 1) as integers in 0..2*most."""
    import tensorflow as tf

    return tf.cast(uniform * float(2 * most + 1), tf.int32)
