"""Where the reports for the tests lie."""

from pathlib import Path

import pytest

OWN = Path(__file__).parents[1] / "data" / "reports"
SHARED = Path(__file__).parents[3] / "shared" / "reports"


@pytest.fixture
def own() -> Path:
    """Small reports of our own, one per kind and oddity."""
    return OWN


@pytest.fixture
def shared() -> Path:
    """The real reports, where they are."""
    if not (SHARED / "INDEX.csv").is_file():
        pytest.skip(
            "the real reports are no part of the repository; they are looked for in ../shared/reports"
        )
    return SHARED
