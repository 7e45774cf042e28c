"""A Dask cluster within the test's own process: workers that are threads."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from nonresnet_hls.pipeline import explore, trials


@contextlib.contextmanager
def _here(*_: object) -> Iterator[Any]:
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="the extra explore is not installed")
    pytest.importorskip("pyarrow", reason="the extra explore is not installed")
    monkeypatch.setattr(explore, "_client", _here)
    monkeypatch.setattr(trials, "_threads", 1)  # TensorFlow runs already, with as many as it likes
