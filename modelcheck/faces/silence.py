"""Keep a library's chatter from a reader, and its errors for them."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO

__all__ = ["silence"]

_ERROR = re.compile(rb"^[EF]\d{4} .*$", re.M)  # a line of Abseil's log that is no remark


@contextmanager
def silence() -> Iterator[None]:
    """Drop what is said on standard output and error, by Python and by C++, but for the errors in TensorFlow's log.

    Exceptions pass. It is for a command of one thread: the streams are those of the whole process.

    Examples
    --------
    >>> with silence():
    ...     written = os.write(1, b"heard by nobody")
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(stream) for stream in (1, 2)]
    with tempfile.TemporaryFile() as heard:
        try:
            for stream in (1, 2):
                os.dup2(heard.fileno(), stream)
            with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                warnings.simplefilter("ignore")
                yield
        finally:
            for stream, ours in zip((1, 2), kept, strict=True):
                os.dup2(ours, stream)
                os.close(ours)
            heard.seek(0)
            for line in _ERROR.findall(heard.read()):
                sys.stderr.write(line.decode(errors="replace") + "\n")
