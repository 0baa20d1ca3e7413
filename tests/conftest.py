"""Fixtures that several files of tests share."""

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

import durations
import gates

# Some networks are measured in the tests' own process and in one of their own, and must come out the
# same: by as many threads as that has (modelcheck/gate/confine.py). It is read when TensorFlow starts.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "4")

# A busy machine is no counterexample, and a red run is the fault of what changed: the same examples
# every time. New ones are for whoever looks for them: MODELCHECK_FUZZ=20000 pytest
# tests/test_fuzz.py, HYPOTHESIS_SEARCH=1 pytest.
searching = bool({"MODELCHECK_FUZZ", "HYPOTHESIS_SEARCH"} & set(os.environ))
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=not searching
)
settings.load_profile("patient")


def pytest_report_header():
    """Say how long the tests take, and which command runs the quick part."""
    return durations.HOW_LONG


def pytest_terminal_summary(terminalreporter):
    """Name the tests that took long without being marked slow; that fails nothing."""
    reports = [report for name in ("passed", "failed") for report in terminalreporter.stats.get(name, ())]
    found = durations.find_unmarked(reports)
    if found:
        terminalreporter.section(f"took more than {durations.SECONDS:g} seconds and is not marked slow")
    for seconds, name in found:
        terminalreporter.write_line(f"{seconds:6.1f}s {name}")


@pytest.fixture(scope="session")
def light(tmp_path_factory):
    """Build the project without TensorFlow once."""
    folder = tmp_path_factory.mktemp("light") / "project"
    gates.build(folder)
    return folder


@pytest.fixture
def project(light, tmp_path):
    """Return a copy of the project, its cache warm, for a test to break."""
    folder = tmp_path / "project"
    shutil.copytree(light, folder)
    return folder


@pytest.fixture(scope="session")
def converted(tmp_path_factory):
    """Return what gives the bytes of a case of tests/conversions.py, made once for all workers of a session."""
    pytest.importorskip("ai_edge_litert", reason="converted files are looked at with ai-edge-litert")
    import conversions

    base = tmp_path_factory.getbasetemp()
    # A worker's folder lies in that of the session.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "conversions"
    folder.mkdir(exist_ok=True)
    return lambda name: conversions.make(name, folder)
