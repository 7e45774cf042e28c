"""A folder of results that are found again by the digest of all that they depend on."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_directory() -> Path:
    """`$NONRESNET_CACHE`, or `nonresnet_hls` in the user's cache folder."""
    own = os.environ.get("NONRESNET_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nonresnet_hls"


def cached_text(name: str, make: Callable[[], str]) -> str:
    """The text kept under a name that holds a digest, or else made and kept."""
    path = cache_directory() / name
    if path.is_file():
        return path.read_text(encoding="utf-8")
    text = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and renamed, so that no other run ever reads half of it.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="utf-8", delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)
    return text
