"""A Dask cluster within the test's own process: workers that are threads."""

import contextlib
import fcntl
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nonresnet_hls import api
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


STUDY = """
network = "tiny"
objectives = ["top1", "lut", "energy_proxy"]
[axes]
bits = [4, [3, 5]]
board = ["pynq-z2", "zcu104"]
"""


def patch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have studies run in this process."""
    monkeypatch.setattr(explore, "_client", _here)
    monkeypatch.setattr(trials, "_threads", 1)  # TensorFlow runs already, with as many as it likes


def count(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often networks and hardware are worked on from now on."""
    seen: Counter[str] = Counter()

    def counting(name: str) -> None:
        work: Callable[..., Any] = getattr(trials, name)

        def within(*arguments: Any) -> Any:
            seen[name] += 1
            return work(*arguments)

        monkeypatch.setattr(trials, name, within)

    counting("_counted")
    counting("_fitted")
    return seen


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    patch(monkeypatch)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    return count(monkeypatch)


@pytest.fixture(scope="session")
def explored(built: Path) -> Path:
    """The workspace `built` with a study that has ended, `studies/small.toml`. Not to be changed."""
    pytest.importorskip("distributed", reason="the extra explore is not installed")
    pytest.importorskip("pyarrow", reason="the extra explore is not installed")
    folder = built.with_name("explored-workspace")
    with built.with_name("explored-workspace.lock").open("w") as lock, pytest.MonkeyPatch.context() as monkeypatch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "counts.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(built, folder)
            (folder / "studies").mkdir()
            (folder / "studies" / "small.toml").write_text(STUDY)
            patch(monkeypatch)
            seen = count(monkeypatch)
            monkeypatch.chdir(folder)
            api.explore("studies/small.toml")
            (folder / "counts.json").write_text(json.dumps(seen))
    return folder


@pytest.fixture
def study(explored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the study, whose networks are there and whose trials are not; the workspace is the current folder."""
    folder = tmp_path / "workspace"
    shutil.copytree(explored, folder)
    shutil.rmtree(folder / "studies" / "small" / "trials")
    monkeypatch.chdir(folder)
    return folder / "studies" / "small.toml"
