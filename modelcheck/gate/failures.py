"""What explains pytest's exit status: failed reports, counted as pytest does, and which of them findings account for.

An exit status of 1 may also be set by a plugin or a hook, which no report shows. Whoever turns it
into another one must know that nothing hides behind it.
"""

from __future__ import annotations

import pytest

from modelcheck.gate.run import RUN, Run

__all__ = ["EXPLAINED", "FailureCount", "WorkerNotes", "explain", "is_explained"]

EXPLAINED = pytest.StashKey[BaseException]()
"""On a test: the error by which `check` failed it, whose meaning the findings decide."""

_AS_ABOVE = "Not judged: the evidence could not be gathered, for the reason that the first of these errors gives."
_MARK = "modelcheck_explained"  # pytest carries attributes of a report from worker to controller


def explain(report: pytest.TestReport, *, item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport:
    """Return a report, marked where it failed by the findings of `check` and by nothing else.

    Evidence that could not be gathered fails every test; only the first says why.

    Parameters
    ----------
    report : pytest.TestReport
        Of one phase of a test.
    item : pytest.Item
        The test.
    call : pytest.CallInfo
        How the phase ended.
    """
    error = call.excinfo.value if call.excinfo is not None else None
    if error is None:
        return report
    if error is item.stash.get(EXPLAINED, None):
        setattr(report, _MARK, True)
    run = item.config.stash[RUN]
    if error is run.unmeasured:
        if run.unmeasured_told:
            report.longrepr = _AS_ABOVE
        run.unmeasured_told = True
    return report


def is_explained(report: pytest.TestReport) -> bool:
    """Say whether findings explain why this phase of a test failed."""
    return bool(getattr(report, _MARK, False))


class FailureCount:
    """Counts failed reports in one process of pytest, as pytest itself does."""

    def __init__(self) -> None:
        self.failed = 0

    def add(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        """Count a report, if it failed."""
        self.failed += report.failed and not hasattr(report, "wasxfail")

    def unexplained_status(self, session: pytest.Session, exitstatus: int) -> int:
        """Return an exit status that no report explains; 0 where there is none.

        Parameters
        ----------
        session : pytest.Session
            After its plugins have finished: they may have set another status than pytest's.
        exitstatus : int
            As pytest came to it.
        """
        if session.testsfailed > self.failed or (exitstatus == 1 and not self.failed):
            return 1
        changed = int(session.exitstatus)
        return changed if changed not in (0, exitstatus) else 0


class WorkerNotes:
    """Registered on workers: tells the controller what was seen of the suites, and how the worker ended."""

    def __init__(self, config: pytest.Config, *, run: Run) -> None:
        self.output = config.workeroutput  # type: ignore[attr-defined]  # pytest-xdist's
        self.run = run
        self.count = FailureCount()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count it."""
        self.count.add(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count it."""
        self.count.add(report)

    def pytest_keyboard_interrupt(self) -> None:
        """Remember that the worker was stopped."""
        self.run.interrupted = True

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Tell the controller."""
        self.output["modelcheck"] = {
            "active": self.run.active,
            "deselected": self.run.deselected,
            "interrupted": self.run.interrupted,
            "notes": self.run.notes,
            "unexplained": self.count.unexplained_status(session, int(exitstatus)),
        }
