"""The process that looks at a network file: ``python -P -m modelcheck.modelfile NETWORK ANSWER.json``.

Names of allowed classes may follow. `modelcheck.gate.child.scan_in_child` starts it within limits
of memory and time. It writes what it saw, or why the file could not be looked at, as JSON; nothing
of the file is executed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from modelcheck.modelfile import ScanError, scan_model

__all__ = ["main"]


def main(network: str, answer: str, *custom_objects: str) -> int:
    """Scan a file, write the report as JSON, and return the exit code.

    Parameters
    ----------
    network : str
        The file.
    answer : str
        Where the report goes: ``{"report": ...}`` or ``{"error": ...}``.
    *custom_objects : str
        ``module>name`` of classes and functions that are knowingly allowed.
    """
    try:
        told: dict[str, Any] = {"report": scan_model(network, custom_objects=custom_objects).to_dict()}
    except ScanError as error:
        told = {"error": str(error)}
    Path(answer).write_text(json.dumps(told), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
