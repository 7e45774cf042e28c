"""For all tests: one Keras, whichever test module imports QKeras first (see `nonresnet_hls.one_keras`)."""

import pytest

import nonresnet_hls  # noqa: F401  # installs the alias of tf_keras
from tests.tiny import built, tiny

__all__ = ["built", "tiny"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules that take the workspace of `built` come last: of two processes none waits while the other makes it."""
    users = {item.path for item in items if "built" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path in users)
