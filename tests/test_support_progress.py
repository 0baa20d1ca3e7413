"""The bar of a measurement: seen in terminals and notebooks alone, one line that leaves nothing behind."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcheck.support.progress import progress_bar

LONG = "x" * 300


class Terminal(io.StringIO):
    """A stream that is a terminal, and the line that it shows."""

    def isatty(self):
        return True

    @property
    def line(self):
        shown = ""
        for part in self.getvalue().split("\r"):
            shown = part + shown[len(part) :]
        return shown


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(sys, "stderr", Terminal())
    return sys.stderr


@given(st.lists(st.tuples(st.text() | st.just(LONG), st.floats(0, 0.99)), max_size=5))
def test_a_line_is_written_over(calls):
    """Whatever is being done, a terminal shows one line, the last one, and in the end a blank one."""
    stream, kept = Terminal(), sys.stderr
    sys.stderr = stream
    try:
        for what, share in calls:
            progress_bar(what, share)
            assert f"{share:4.0%}" in stream.line
            assert stream.line.startswith("measuring [")
        progress_bar("done", 1.0)
    finally:
        sys.stderr = kept
    assert stream.line.strip() == ""
    assert len(stream.line) == 79
    assert "\n" not in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_an_error_is_written_over_the_bar(terminal):
    """What is printed next begins at the start of the line, as a traceback must."""
    progress_bar("loading", 0.1)
    terminal.write("Traceback")
    assert terminal.line.startswith("Traceback")


def test_a_log_stays_as_it_was(monkeypatch):
    """Where nobody looks, in a pipe or a file, nothing is written."""
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    progress_bar("loading", 0.1)
    assert sys.stderr.getvalue() == ""


def test_a_notebook_shows_it_as_output(monkeypatch, terminal):
    """In a notebook's kernel the bar goes to the output, not to the errors."""
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    progress_bar("loading", 0.5)
    assert " 50% loading" in sys.stdout.getvalue()
    assert terminal.getvalue() == ""
