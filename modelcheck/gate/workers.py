"""Where networks are measured when one process is not enough: processes of this machine, or of an executor."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modelcheck.gate.child import ChildError, KilledError, carry_out
from modelcheck.gate.cluster import connect, is_lost
from modelcheck.gate.entries import KeptBlocks
from modelcheck.gate.progress import JoinedProgress
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings
from modelcheck.gate.splitting import split
from modelcheck.gate.timing import write_timing
from modelcheck.gate.worker import pack_task, unpack_result, work
from modelcheck.modelfile import ScanReport
from modelcheck.signature import SignatureError
from modelcheck.signature.parts import PART, Part, join_parts, unpack_part
from modelcheck.support.files import MAX_NETWORK_BYTES, read_file

__all__ = ["Workers", "open_workers"]

_GLANCE = 0.5  # seconds after which it is looked whether the run was stopped
_MOST_AT_ONCE = 64  # networks that are prepared for an executor at the same time


@dataclass(frozen=True, kw_only=True, eq=False)
class Workers:
    """Where blocks of networks are measured.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        What runs them.
    here : bool
        Whether it runs them in threads of this process, each of which starts one measuring process;
        any other is sent `modelcheck.gate.worker.work` and bytes.
    at_once : int
        How many networks are best under way at once.
    is_deserted : callable
        Says whether whatever the executor sends tasks to is gone, so that none will ever end.
    stop : threading.Event
        Set when the run ends: measuring processes here end then, too.
    """

    executor: Executor
    here: bool
    at_once: int = _MOST_AT_ONCE
    is_deserted: Callable[[], bool] = lambda: False
    stop: threading.Event = field(default_factory=threading.Event)

    def measure(
        self,
        request: Request,
        folder: Path,
        *,
        report: ScanReport,
        settings: Settings,
        kept: KeptBlocks | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """Measure a network and write its signature, the same for any number of workers.

        The limit of time counts for the network: for the seconds that its blocks took, added up.

        Parameters
        ----------
        request : Request
            What to measure.
        folder : Path
            Where the signature goes.
        report : ScanReport
            What the network's file holds.
        settings : Settings
            The limits of time and memory.
        kept : KeptBlocks, optional
            Blocks that an earlier run measured, and where those of this one are kept.
        tell : callable, optional
            Receives lines of progress.

        Raises
        ------
        ChildError
            As `modelcheck.gate.child.measure_in_child`; a process that is killed is started once
            more before.
        """
        blocks = split(request, report)
        if not blocks:
            self._run([request], [folder], settings=settings, tell=tell)
            return
        parts: list[Part | None] = [kept.load(block, report.sha256) if kept else None for block in blocks]
        missing = [number for number, part in enumerate(parts) if part is None]
        joined = JoinedProgress(tell, [""] * len(blocks))
        for number in set(range(len(blocks))) - set(missing):
            joined.finish(number)

        with tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
            targets = [Path(aside) / str(number) for number in missing]

            def keep(at: int) -> None:
                data = read_file(targets[at] / PART, max_bytes=MAX_NETWORK_BYTES)
                parts[missing[at]] = unpack_part(data)
                if kept is not None:
                    kept.save(blocks[missing[at]], data)

            asked = [replace(request, block=blocks[number]) for number in missing]
            tells = [joined.teller(number) for number in missing]
            self._run(asked, targets, settings=settings, tells=tells, done=keep)
        found = [part for part in parts if part is not None]
        try:
            join_parts(found).write(folder)
        except SignatureError as error:
            raise ChildError(f"The blocks of {str(request.network)!r} do not fit together: {error}") from error
        write_timing(folder, next((part.seconds_per_picture for part in found if part.seconds_per_picture), None))
        if kept is not None:
            kept.clear()

    def _run(
        self,
        requests: Sequence[Request],
        targets: Sequence[Path],
        *,
        settings: Settings,
        tell: Callable[[str], None] | None = None,
        tells: Sequence[Callable[[str], None]] | None = None,
        done: Callable[[int], None] | None = None,
    ) -> None:
        """Carry out requests about one network, each into its folder, and call ``done(number)`` after each."""
        over = threading.Event()  # for this network alone: of one that is refused no other block is measured
        spent = 0.0

        def submit(number: int) -> Future[Any]:
            seconds = max(settings.timeout - spent, 1.0)
            if not self.here:
                task = pack_task(requests[number], settings=settings, seconds=seconds)
                return self.executor.submit(work, task)
            return self.executor.submit(
                self._measure_here,
                requests[number],
                targets[number],
                settings=settings,
                seconds=seconds,
                over=over,
                tell=tells[number] if tells else tell,
            )

        pending: dict[Future[Any], tuple[int, bool]] = {}
        failure: ChildError | None = None

        def take(future: Future[Any]) -> ChildError | None:
            """Keep what a future brings, or start it once more where it was killed; return why neither can be."""
            nonlocal spent
            number, again = pending.pop(future)
            try:
                result = future.result()
                spent += result if self.here else unpack_result(result, targets[number])
                if done is not None:
                    done(number)
            except (Exception, CancelledError) as error:
                if again or not _was_killed(error):
                    return _explain(error, requests[number], again=again)
                pending[submit(number)] = number, True
            return None

        try:
            for number in range(len(requests)):
                pending[submit(number)] = number, False
            while pending and failure is None:
                ready, _ = wait(pending, timeout=_GLANCE, return_when=FIRST_COMPLETED)
                # What was measured is kept, whatever became of the others.
                failed = [error for error in map(take, sorted(ready, key=_has_failed)) if error is not None]
                failure = failed[0] if failed else self._find_end(requests[0], pending, spent, settings=settings)
        except BrokenExecutor as error:  # nothing can be submitted any more
            failure = _explain(error, requests[0], again=False)
        finally:
            over.set()
            for future in pending:
                future.cancel()
            if self.here:
                wait(pending)  # they write to folders that go now
        if failure is not None:
            raise failure

    def _find_end(
        self, request: Request, pending: Collection[Future[Any]], spent: float, *, settings: Settings
    ) -> ChildError | None:
        """Return why a network is not measured to its end: the run was stopped, nobody is left, or its time is over."""
        if self.stop.is_set():
            return ChildError(f"Measuring {str(request.network)!r} was stopped.")
        if pending and self.is_deserted():
            return ChildError(
                f"No worker is left to measure {str(request.network)!r}, and none came back. A worker that cannot "
                "import modelcheck ends at once: install it on each machine, in the same versions as here, look into "
                "the workers' own logs, start them again, and run again."
            )
        if pending and spent > settings.timeout:
            return ChildError(
                f"Measuring {str(request.network)!r} took more than {settings.timeout:g} seconds, all its blocks "
                "together, and was stopped. Raise timeout in [tool.modelcheck], or run again: the blocks are kept."
            )
        return None

    def _measure_here(
        self,
        request: Request,
        target: Path,
        *,
        settings: Settings,
        seconds: float,
        over: threading.Event,
        tell: Callable[[str], None] | None,
    ) -> float:
        def stopped() -> bool:
            return over.is_set() or self.stop.is_set()

        if stopped():
            raise ChildError(f"Measuring {str(request.network)!r} was stopped.")
        start = time.monotonic()
        carry_out(
            request,
            target,
            settings=settings,
            seconds=seconds,
            stopped=stopped,
            tell=tell,
        )
        return time.monotonic() - start


@contextmanager
def open_workers(settings: Settings, executor: Executor | None = None) -> Iterator[Workers | None]:
    """Yield where a run measures: None where it has asked for no workers, for one child process at a time.

    However the block is left, what is still measured here then ends.

    Parameters
    ----------
    settings : Settings
        ``workers``, so many processes of this machine, or ``scheduler``, Dask's.
    executor : concurrent.futures.Executor, optional
        Any other; it is not shut down.

    Raises
    ------
    SettingsError
        When the scheduler cannot be reached, or Dask is not installed.
    """
    if executor is not None:
        yield from _yield_and_stop(Workers(executor=executor, here=False))
    elif settings.scheduler:
        with connect(settings.scheduler) as (found, is_deserted):
            yield from _yield_and_stop(Workers(executor=found, here=False, is_deserted=is_deserted))
    elif settings.workers:
        with ThreadPoolExecutor(settings.workers, thread_name_prefix="modelcheck") as pool:
            # One more than are measured, which is looked at meanwhile.
            workers = Workers(executor=pool, here=True, at_once=settings.workers + 1)
            try:
                yield from _yield_and_stop(workers)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
    else:
        yield None


def _yield_and_stop(workers: Workers) -> Iterator[Workers]:
    try:
        yield workers
    finally:
        workers.stop.set()


def _has_failed(future: Future[Any]) -> bool:
    return future.cancelled() or future.exception() is not None


def _was_killed(error: BaseException) -> bool:
    return isinstance(error, KilledError | BrokenExecutor) or is_lost(error)


def _explain(error: BaseException, request: Request, *, again: bool) -> ChildError:
    """Return why a block was not measured, as an error of a measuring process."""
    twice = " It was started twice, and ended so both times." if again else ""
    if isinstance(error, ChildError):
        return type(error)(f"{error}{twice}")
    told = f"{type(error).__name__}: {error}".splitlines()[0]
    if isinstance(error, CancelledError):
        told = "the executor cancelled it"
    return ChildError(
        f"No worker could measure {str(request.network)!r}: {told}.{twice} Every worker needs modelcheck and "
        "TensorFlow in the same versions as here, and has to stay alive until it is done."
    )
