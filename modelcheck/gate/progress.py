"""The progress of a measurement as lines between two processes, and the time that is left."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence

from modelcheck.support.progress import draw_bar

__all__ = ["Estimate", "JoinedProgress", "progress_line", "read_progress"]

_LINE = re.compile(r"measuring: +(\d{1,3})% ?(.*)")
_EVERY = 60.0  # seconds between two lines of a log
_SOON = 0.02  # of the work: before that, an estimate would be a guess


def progress_line(what: str, share: float) -> str:
    """Return what a measuring process prints."""
    return f"measuring: {share:4.0%} {what}"


def read_progress(line: str) -> tuple[str, float] | None:
    """Return what is being done and the share that is done, None for a line that says neither."""
    found = _LINE.fullmatch(line.strip())
    return (found[2], min(int(found[1]), 100) / 100) if found else None


class JoinedProgress:
    """The lines of several pieces of work as lines of the whole: its share is the mean of theirs, and never falls.

    Parameters
    ----------
    tell : callable or None
        Receives the lines, one at a time whatever thread they come from.
    names : sequence of str
        What each piece is called in its lines; empty for none.

    Examples
    --------
    >>> joined = JoinedProgress(print, ["one.keras", "other.keras"])
    >>> joined.teller(1)(progress_line("HappyMaps of conv1", 0.5))
    measuring:  25% other.keras: HappyMaps of conv1
    """

    def __init__(self, tell: Callable[[str], None] | None, names: Sequence[str]) -> None:
        self._tell, self._names = tell, names
        self._shares = [0.0] * len(names)
        self._lock = threading.Lock()

    def teller(self, number: int) -> Callable[[str], None]:
        """Return what receives the lines of one piece."""

        def tell(line: str) -> None:
            read = read_progress(line)
            if read is not None:
                self._show(number, *read)

        return tell

    def finish(self, number: int) -> None:
        """Count one piece as done."""
        self._show(number, "done", 1.0)

    def _show(self, number: int, what: str, share: float) -> None:
        with self._lock:
            self._shares[number] = max(self._shares[number], share)  # what is measured again has been there before
            if self._tell is not None:
                name = f"{self._names[number]}: " if self._names[number] else ""
                self._tell(progress_line(name + what, sum(self._shares) / len(self._shares)))


class Estimate:
    """A bar with the time that is left, as one line of text.

    A share that falls is that of other work, which begins now.

    Parameters
    ----------
    clock : callable
        Seconds, from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = self._told = clock()
        self._share = 0.0

    def _follow(self, share: float) -> None:
        if share < self._share:
            self._started = self._clock()
        self._share = share

    def left(self, share: float) -> float | None:
        """Return the seconds left when this share is done at the pace so far; None where it is too early to say."""
        self._follow(share)
        if not _SOON <= share <= 1:
            return None
        return (self._clock() - self._started) * (1 - share) / share

    def words(self, what: str, share: float) -> str:
        """Return the time left, where it can be told, and what is being done."""
        left = self.left(share)
        return what if left is None else f"about {_spoken(left)} left: {what}"

    def bar(self, what: str, share: float) -> str:
        """Return the line to show: a bar, the share, the time left, and what is being done."""
        return draw_bar(self.words(what, share), share)

    def log(self, what: str, share: float) -> str:
        """Return a line for a log that nobody watches, once a minute; empty in between."""
        now = self._clock()
        self._follow(share)
        if now - self._told < _EVERY:
            return ""
        self._told = now
        return f"measuring: {share:.0%}, {self.words(what, share)}"


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
