"""Dask's workers as an executor; the library is an extra and is imported where it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from modelcheck.gate.settings import SettingsError

__all__ = ["connect", "is_lost"]

_WAIT = 10.0  # seconds for a scheduler to answer


@contextmanager
def connect(address: str) -> Iterator[Executor]:
    """Yield the executor of a Dask scheduler, and leave the scheduler running.

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
        yield client.get_executor(retries=0)


def is_lost(error: BaseException) -> bool:
    """Say whether an error of Dask means that the workers which had a task were lost."""
    distributed = sys.modules.get("distributed")
    return distributed is not None and isinstance(error, distributed.KilledWorker)
