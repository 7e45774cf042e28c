"""Batches of training samples out of arrays in memory, augmented, in an order that only depends on seed and epoch.

Everything random is drawn by a counter-based generator from (seed, epoch, step): a run that goes on from a
checkpoint sees the very batches that it would have seen.
"""

from typing import Any

from nonresnet_hls import samples
from nonresnet_hls.recipe import Training


def batches(x: Any, y: Any, config: Training, first_epoch: int, epochs: int) -> Any:
    """A `tf.data.Dataset` of (x, y) batches for the epochs from `first_epoch` to `epochs`, one after another.

    x (samples, *shape) float32, of several inputs records; y (samples,) int, or a tuple of arrays, one for each output;
    every epoch has `steps(len(x), config)` batches, the last one
    may be shorter.
    """
    import tensorflow as tf

    several = samples.several(x)
    images = tuple(tf.constant(part) for part in samples.parts(x).values()) if several else tf.constant(x)
    labels = tuple(tf.constant(part) for part in y) if isinstance(y, tuple) else tf.constant(y)
    count, per_epoch = len(x), steps(len(x), config)
    augmented = config.augment and x.ndim == 4

    def epoch_batches(epoch: Any) -> Any:
        order = tf.random.experimental.stateless_shuffle(tf.range(count), seed=tf.stack([config.seed, epoch]))
        chunks = tf.data.Dataset.from_tensor_slices(order).batch(config.batch_size)
        return chunks.enumerate(start=tf.cast(epoch, tf.int64) * per_epoch)

    def gathered(step: Any, chosen: Any) -> Any:
        batch = tf.nest.map_structure(lambda part: tf.gather(part, chosen), images)
        if augmented:
            batch = augment(batch, tf.stack([tf.constant(config.seed, tf.int64), step]), config.flip)
        return batch, tf.nest.map_structure(lambda part: tf.gather(part, chosen), labels)

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


def _offset(uniform: Any, most: int) -> Any:
    """Uniform numbers in [0, 1) as integers in 0..2*most."""
    import tensorflow as tf

    return tf.cast(uniform * float(2 * most + 1), tf.int32)
