"""Where the reports for the tests lie."""

from pathlib import Path

import pytest

from tests.reports.report_fixtures import OWN, SHARED


@pytest.fixture
def own() -> Path:
    """Small reports of our own, one per kind and oddity."""
    return OWN


@pytest.fixture
def shared() -> Path:
    """The real reports, where they are."""
    if not (SHARED / "INDEX.csv").is_file():
        pytest.skip("the real reports are no part of the repository; they are looked for in ../shared/reports")
    return SHARED
