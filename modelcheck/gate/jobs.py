"""Several networks measured together: each found in the cache or made, and one that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from modelcheck.gate.cache import Loaded, load_or_measure
from modelcheck.gate.child import ChildError
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings

__all__ = ["Job", "measure_all"]


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
    jobs: Sequence[Job], *, settings: Settings, tell: Callable[[str], None] | None = None
) -> list[Loaded | ChildError]:
    """Measure networks, each under the limits of a measuring process.

    Parameters
    ----------
    jobs : sequence of Job
        The networks.
    settings : Settings
        The cache's folder, and the limits of time and memory.
    tell : callable, optional
        Receives lines of progress.

    Returns
    -------
    list of Loaded or ChildError
        In the order of the jobs: what was measured, or why it could not be.

    Raises
    ------
    SettingsError, UnsafePathError
        When the key in the environment is too short; when a link lies in the cache's way.
    """
    found: list[Loaded | ChildError] = []
    for job in jobs:
        try:
            found.append(load_or_measure(job.request, digests=job.digests, settings=settings, tell=tell))
        except ChildError as error:
            found.append(error)
    return found
