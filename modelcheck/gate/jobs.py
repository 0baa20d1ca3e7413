"""Several networks measured together: each found in the cache or made, and one that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from modelcheck.gate import child
from modelcheck.gate.cache import Loaded, load_or_measure, scan
from modelcheck.gate.child import ChildError
from modelcheck.gate.progress import JoinedProgress
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings
from modelcheck.gate.workers import Workers, open_workers
from modelcheck.signature import Record, read_record

__all__ = ["Job", "measure_all", "measure_once"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One network to measure.

    Parameters
    ----------
    request : Request
        What to measure.
    digests : mapping of str to str
        By name, the digest of everything that the request names by a path, apart from the network;
        see `modelcheck.gate.cache.load_or_measure`.
    """

    request: Request
    digests: Mapping[str, str]


def measure_all(
    jobs: Sequence[Job],
    *,
    settings: Settings,
    tell: Callable[[str], None] | None = None,
    executor: Executor | None = None,
) -> list[Loaded | ChildError]:
    """Measure networks, each under the limits of a measuring process, as many at once as the settings have workers.

    Parameters
    ----------
    jobs : sequence of Job
        The networks.
    settings : Settings
        The cache's folder, the limits of time and memory, and the workers.
    tell : callable, optional
        Receives lines of progress, whose share is that of all networks together.
    executor : concurrent.futures.Executor, optional
        What measures instead of the workers of the settings: it is sent
        `modelcheck.gate.worker.work` and bytes, and is not shut down.

    Returns
    -------
    list of Loaded or ChildError
        In the order of the jobs: what was measured, or why it could not be.

    Raises
    ------
    SettingsError, UnsafePathError
        When the key in the environment is too short, or Dask's scheduler does not answer; when a
        link lies in the cache's way.
    """
    joined = JoinedProgress(tell, [job.request.network.name if len(jobs) > 1 else "" for job in jobs])

    def measure(number: int, workers: Workers | None) -> Loaded | ChildError:
        job = jobs[number]
        try:
            return load_or_measure(
                job.request,
                digests=job.digests,
                settings=settings,
                workers=workers,
                tell=joined.teller(number),
            )
        except ChildError as error:
            return error
        finally:
            joined.finish(number)

    with open_workers(settings, executor) as workers:
        if workers is None:
            return [measure(number, None) for number in range(len(jobs))]
        # Each of these threads waits for one network; what is measured has its own.
        with ThreadPoolExecutor(min(workers.at_once, max(len(jobs), 1))) as pool:
            futures = [pool.submit(measure, number, workers) for number in range(len(jobs))]
            try:
                return [future.result() for future in futures]
            except BaseException:
                workers.stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def measure_once(
    request: Request, folder: Path, *, settings: Settings, tell: Callable[[str], None] | None = None
) -> Record:
    """Measure a network into a folder, past the cache, in the workers of the settings where there are any.

    Parameters
    ----------
    request : Request
        What to measure.
    folder : Path
        Where the signature goes.
    settings : Settings
        The limits of time and memory, and the workers.
    tell : callable, optional
        Receives lines of progress.

    Raises
    ------
    ChildError, SettingsError
        See `modelcheck.gate.child.measure_in_child`; when Dask's scheduler does not answer.
    """
    with open_workers(settings) as workers:
        if workers is None:
            return child.measure_in_child(request, folder, settings=settings, tell=tell)
        report = scan(request.network, request.custom_objects, settings)
        workers.measure(request, folder, report=report, settings=settings, tell=tell)
        return read_record(folder)
