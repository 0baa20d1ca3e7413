"""Write docs/notebooks/quickstart.ipynb from the page of the same steps: ``python docs/make_notebook.py``.

The page is written by hand. Its Python blocks become cells of code and the prose between them cells
of text; the notebook holds no outputs.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "how-to" / "quickstart_python.md"
NOTEBOOK = Path(__file__).parent / "notebooks" / "quickstart.ipynb"
# A notebook runs in its own folder, a page's blocks where their reader is.
PLACE = """\
# The paths below start at the top of the repository.
import os
from pathlib import Path

while not Path("networks").is_dir() and Path.cwd() != Path.cwd().parent:
    os.chdir("..")"""
_BLOCK = re.compile(r"^```python\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
# The link to the notebook itself.
_SELF = "(../notebooks/quickstart.ipynb)"


def main() -> None:
    """Write the notebook of today's page."""
    NOTEBOOK.parent.mkdir(exist_ok=True)
    NOTEBOOK.write_text(make(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def make(page: str) -> str:
    """Return a page as the text of a notebook."""
    parts = _BLOCK.split(page.replace(_SELF, "(quickstart.ipynb)"))
    if len(parts) == 1:
        raise ValueError("The page has no Python block: write ```python on a line of its own.")
    kinds = ["markdown", "code"] * len(parts)
    cells = [(kind, part.strip()) for kind, part in zip(kinds, parts, strict=False) if part.strip()]
    first = next(place for place, (kind, _) in enumerate(cells) if kind == "code")
    cells.insert(first, ("code", PLACE))
    document = {
        "cells": [_cell(k, kind, source) for k, (kind, source) in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _cell(number: int, kind: str, source: str) -> dict[str, Any]:
    made: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}}
    if kind == "code":
        made |= {"execution_count": None, "outputs": []}
    return made | {"source": source.splitlines(keepends=True)}


if __name__ == "__main__":
    main()
