"""The examples in the package's docstrings."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

import nonresnet_hls

PACKAGE = Path(nonresnet_hls.__file__).parent
WITH_EXAMPLES = sorted(
    ".".join(("nonresnet_hls", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if re.search(r"^ *>>> ", path.read_text(encoding="utf-8"), re.MULTILINE)
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_say_what_happens(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted
    assert not found.failed
