"""What the keys of a recipe are held to."""

from nonresnet_hls.errors import RecipeError, shown


def want(condition: bool, key: str, wanted: str, got: object) -> None:
    """Raise a `RecipeError` that names the key where a condition does not hold."""
    if not condition:
        raise RecipeError(f"{shown(key)[1:-1]}: {wanted} wanted, not {shown(got)}")


def want_count(count: int, key: str, least: int = 1) -> None:
    """A number of things: at least so many."""
    want(count >= least, key, "a positive integer" if least else "0 or more", count)
    # What TensorFlow and C++ both take.
    want(count < 1 << 31, key, "an integer below 2^31", count)


def want_seed(seed: int) -> None:
    """What random numbers start from."""
    # What Keras and NumPy both take.
    want(0 <= seed < 1 << 32, "seed", "0..4294967295", seed)
