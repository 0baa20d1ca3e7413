"""Run the cells of a notebook in order, as a kernel does, and print as JSON what each would show.

A program of its own: ``python run_notebook.py NOTEBOOK``, in the folder where the notebook is to
run. Of each cell of code it prints the name of what its last line gives, the HTML of that and its
text; the first cell that raises ends it.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any


def run(source: str, space: dict[str, Any]) -> object:
    """Run a cell and return what its last line gives, None where that is no expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), space)
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), space) if last is not None else None


def main(path: str) -> None:
    """Run a notebook's cells and print what they show."""
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    space: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for cell in cells:
        if cell["cell_type"] == "code":
            value = run("".join(cell["source"]), space)
            made = value._repr_html_() if hasattr(value, "_repr_html_") else ""
            shown.append({"kind": type(value).__name__, "html": made, "text": repr(value)})
    sys.stdout.write("\n" + json.dumps(shown) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
