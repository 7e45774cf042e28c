"""Where TensorFlow pads what a window slides over."""


def same_padding(shape: tuple[int, ...], size: tuple[int, ...], strides: tuple[int, ...]) -> list[tuple[int, int]]:
    """Zeros before and behind each axis with padding "same": the odd pixel goes below and to the right.

    >>> same_padding((8, 8), (3, 3), (2, 1))
    [(0, 1), (1, 1)]
    """
    result = []
    for n, k, s in zip(shape, size, strides, strict=True):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        result.append((total // 2, total - total // 2))
    return result
