"""What asks a process to end, as a build does whose job is cancelled, stops it as Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stop_like_ctrl_c"]


@contextmanager
def stop_like_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt in the block where the process is asked to end (SIGTERM).

    By itself Python ends at once then: nothing is cleared up, and nobody writes a verdict. Where the
    signal is already handled, or outside the main thread, nothing is changed.

    Examples
    --------
    >>> import signal
    >>> with stop_like_ctrl_c():
    ...     try:
    ...         signal.raise_signal(signal.SIGTERM)
    ...     except KeyboardInterrupt:
    ...         print("cleared up")
    cleared up
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
