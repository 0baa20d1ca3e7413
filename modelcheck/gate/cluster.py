"""Dask's workers as an executor; the library is an extra and is imported where it is asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from modelcheck.gate.settings import SettingsError

__all__ = ["connect", "is_lost"]

_WAIT = 10.0  # seconds for a scheduler to answer
_PATIENCE = 60.0  # seconds for a worker to come where there is none


@contextmanager
def connect(address: str) -> Iterator[tuple[Executor, Callable[[], bool]]]:
    """Yield the executor of a Dask scheduler, and what says that its workers are lost; leave the scheduler running.

    Dask itself waits for ever for a worker: one that cannot import what it is sent ends, and nobody
    is told.

    Parameters
    ----------
    address : str
        Such as ``tcp://192.0.2.1:8786``.

    Raises
    ------
    SettingsError
        When Dask is not installed, or no scheduler answers, or it has no worker.
    """
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise SettingsError(
            f"The scheduler {address!r} takes Dask, which is not installed: pip install 'modelcheck[dask]'"
        ) from error
    try:
        client = Client(address, timeout=_WAIT, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise SettingsError(
            f"No Dask scheduler answers at {address!r} ({type(error).__name__}). Start one with 'dask scheduler', and "
            "give the address that it prints: --modelcheck-scheduler tcp://HOST:8786"
        ) from error
    # A network travels with each task: a copy that was scattered is gone with the worker that holds it.
    with client, dask.config.set({"distributed.admin.large-graph-warning-threshold": "8GB"}):
        if not client.scheduler_info()["workers"]:
            raise SettingsError(
                f"The Dask scheduler at {address!r} has no worker. Start one on each machine: dask worker {address} "
                "--nthreads 1"
            )
        yield client.get_executor(retries=0), _watch(client)


def _watch(client: Any) -> Callable[[], bool]:
    """Return what says whether there has been no worker for so long that none will come."""
    seen = time.monotonic()

    def is_deserted() -> bool:
        nonlocal seen
        try:
            workers = client.scheduler_info()["workers"]
        except OSError:  # the scheduler is gone, too
            workers = {}
        if workers:
            seen = time.monotonic()
        return time.monotonic() - seen > _PATIENCE

    return is_deserted


def is_lost(error: BaseException) -> bool:
    """Say whether an error of Dask means that the workers which had a task were lost."""
    distributed = sys.modules.get("distributed")
    return distributed is not None and isinstance(error, distributed.KilledWorker)
