"""Where a study's trials run: worker processes of this machine, or a Dask scheduler of the user's own."""

import asyncio
import contextlib
import importlib
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nonresnet_hls import extras, files, guardian
from nonresnet_hls.errors import ToolError, shown

_ANSWER_S = 20
_SAY_S = 3
"""Until connecting has said what it timed out at, which says more than that nothing came."""
_START_S = 120
_WORKER_S = 120
"""Until a worker has joined, or has come back."""
_GONE = "the scheduler has gone; run again with --resume to go on"
_LOOK_S = 2.0
_ASK_S = 30.0
"""Without news, until it is asked for workers."""


class LostError(ToolError):
    """A job was lost: the workers that had it died."""


@contextlib.contextmanager
def local(workers: int, log: Path) -> Iterator[Any]:
    """A client of so many worker processes of this machine, which end with the block or with this process.

    Args:
        workers: how many.
        log: what they say goes there.

    Raises:
        MissingExtraError: Dask is not installed.
        ToolError: no worker starts.
    """
    extras.require("distributed")
    import dask
    import distributed

    _be_quiet()
    with contextlib.ExitStack() as scope:
        scratch = scope.enter_context(tempfile.TemporaryDirectory(prefix="nonresnet-explore-"))
        # Workers are started by `guardian`, so that none outlives us: all that Dask starts itself might.
        # A training may keep a worker from answering for long; whether it lives its process tells.
        scope.enter_context(dask.config.set({"distributed.scheduler.worker-ttl": None}))
        cluster = distributed.LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL)
        scope.callback(_close, cluster)
        said = scope.enter_context(files.open_lock(log))  # which no link leads elsewhere
        said.seek(0, os.SEEK_END)
        for _ in range(workers):
            scope.enter_context(_worker(cluster.scheduler_address, Path(scratch), said))
        client = scope.enter_context(_client(cluster.scheduler_address, "here", _START_S))
        _wait_for_workers(client, f"no worker has started; see {log}")
        yield client


@contextlib.contextmanager
def remote(address: str) -> Iterator[Any]:
    """A client of a scheduler.

    Raises:
        MissingExtraError: Dask is not installed.
        ToolError: no scheduler answers there, or it has no worker.
    """
    extras.require("distributed")
    _be_quiet()
    where = f"--scheduler {shown(address)[1:-1]}"
    with _client(address, where, _ANSWER_S) as client:
        _wait_for_workers(client, f"{where}: one or more workers wanted, none has joined it")
        yield client


def _be_quiet() -> None:
    """What Dask says of its own of lost connections is said in a line of ours."""
    importlib.import_module("distributed")  # which sets the levels
    for name in ("distributed", *logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _close(cluster: Any) -> None:
    with contextlib.suppress(Exception):  # what is wrong with it by now is nobody's concern
        cluster.close(timeout=10)


@contextlib.contextmanager
def _worker(scheduler: str, scratch: Path, log: Any) -> Iterator[None]:
    # `-P`: modules in the current folder are none of its business.
    command = [sys.executable, "-P", "-m", "distributed.cli.dask_worker", scheduler]
    command += ["--nworkers", "1", "--nthreads", "1", "--no-dashboard", "--memory-limit", "0"]
    command += ["--local-directory", str(scratch), "--death-timeout", "60"]
    package = str(Path(__file__).parents[2])
    paths = os.pathsep.join(path for path in (package, os.environ.get("PYTHONPATH", "")) if path)
    environment = {**os.environ, "PYTHONPATH": paths}
    with guardian.started(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment
    ) as process:
        try:
            yield
        finally:
            guardian.kill_tree(process.pid)


@contextlib.contextmanager
def _client(address: str, where: str, answer_s: float) -> Iterator[Any]:
    import distributed

    wanted = f"{where}: a Dask scheduler that answers within {answer_s} s wanted"
    try:
        # In a thread, since there may be an event loop in this one, as in a notebook.
        with ThreadPoolExecutor(1) as pool:
            kind = pool.submit(asyncio.run, _kind(address, answer_s)).result()
        if kind != "Scheduler":
            raise ToolError(f"{wanted}, not a {kind}")
        client = distributed.Client(address, timeout=answer_s, set_as_default=False)
    except ToolError:
        raise
    except (
        Exception
    ) as error:  # of what is no scheduler anything may come: what a web server says is a size of exabytes
        reason = " ".join(str(error).split())[:200] or "nothing came"
        if isinstance(error, MemoryError):
            reason = "what answers is something else"
        raise ToolError(f"{wanted}: {reason}") from None
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):
            client.close(timeout=10)


async def _kind(address: str, answer_s: float) -> str:
    """What answers at an address, if anything does in time (which a `Client` would wait for without end)."""
    import distributed

    async def ask() -> str:
        async with distributed.rpc(address, timeout=answer_s) as there:
            return str((await there.identity())["type"])

    return await asyncio.wait_for(ask(), answer_s + _SAY_S)


def _wait_for_workers(client: Any, told: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_WORKER_S)
    except TimeoutError:
        raise ToolError(f"{told} ({_WORKER_S} s)") from None


def ended(client: Any, futures: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The jobs of futures as they end: their keys and results, of a lost one a `LostError`.

    Raises:
        ToolError: the scheduler has gone, or no worker has been there for long.
    """
    import distributed

    left = dict(futures)
    last_seen = time.monotonic()
    while left:
        try:
            with client.as_current():
                distributed.wait(list(left.values()), timeout=_LOOK_S, return_when="FIRST_COMPLETED")
        except TimeoutError:
            pass
        except (asyncio.CancelledError, CancelledError):
            raise ToolError(_GONE) from None
        over = [key for key, future in left.items() if future.status in ("finished", "error")]
        for key in over:
            yield key, _result(left.pop(key))
        if any(future.status in ("cancelled", "lost") for future in left.values()):
            raise ToolError(_GONE)
        waited_s = time.monotonic() - last_seen
        if over or (waited_s > _ASK_S and _has_workers(client)):
            last_seen = time.monotonic()
        elif waited_s > _WORKER_S:
            raise ToolError(f"no worker has been there for {_WORKER_S} s; run again with --resume to go on")


def _result(future: Any) -> Any:
    import distributed

    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, distributed.KilledWorker):
        return LostError("the workers that had it died, one after the other")
    return LostError(f"{type(error).__name__}: {' '.join(str(error).split())[:500]}")


def _has_workers(client: Any) -> bool:
    try:
        return bool(client.nthreads())
    except (OSError, TimeoutError, LookupError, RuntimeError):
        return False
