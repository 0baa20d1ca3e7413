"""Which tests took long and are not marked so: information, since a busy machine is no fault of a test."""

from collections.abc import Iterable

import pytest

SECONDS = 2.0
QUICK = 'pytest tests -n 2 -m "not slow"'
HOW_LONG = (
    "how long: all tests take 17 to 32 minutes on two cores, by their kind; "
    f"the quick part, four to six, leaves out what is marked slow: {QUICK}"
)


def find_unmarked(reports: Iterable[pytest.TestReport], *, seconds: float = SECONDS) -> list[tuple[float, str]]:
    """Return seconds and name of each unmarked test that took longer, slowest first; shared fixtures do not count."""
    calls = [report for report in reports if report.when == "call" and "slow" not in report.keywords]
    return sorted(((report.duration, report.nodeid) for report in calls if report.duration > seconds), reverse=True)
