"""The process that looks at units: ``python -P -m modelcheck.pruning REQUEST.json ANSWER.json``.

`modelcheck.gate.child.examine_in_child` starts it within limits, without secrets. It tells its
progress line by line, and ends with exit code 4 and one message where what it was given cannot be
looked at.
"""

from __future__ import annotations

import sys
from pathlib import Path

from modelcheck.gate.progress import progress_line
from modelcheck.gate.request import Request, RequestError
from modelcheck.pruning.layer_units import write_layer_units
from modelcheck.support.escaping import clean_lines
from modelcheck.support.files import read_file
from modelcheck.table_recipe import TableRecipe

__all__ = ["main"]


def main(path: str, answer: str) -> int:
    """Look at the units of a network, write what was found, and return the exit code.

    Parameters
    ----------
    path : str
        The request's file; see `modelcheck.gate.request.Request`.
    answer : str
        Where what was found goes, as JSON.
    """
    from modelcheck.panel import Panel
    from modelcheck.pruning.spare import examine_units

    try:
        request = Request.from_json(read_file(path).decode("utf-8"))
        if request.custom_objects:
            # A class of the project's own may lie in the working folder, which is looked at last.
            sys.path.append(str(Path.cwd()))
        if isinstance(request.recipe, TableRecipe):
            raise RequestError("Units are looked at on pictures, and the recipe is for a table.")
        rows = examine_units(
            request.network,
            Panel.load(request.panel, max_gib=request.panel_size),
            request.recipe,
            interface=request.interface,
            custom_objects=request.custom_objects,
            progress=_tell,
        )
        write_layer_units(Path(answer), rows)
    except (ValueError, OSError) as error:
        print(f"modelcheck: {clean_lines(error)}", file=sys.stderr)  # noqa: T201 - its parent reads this
        return 4
    return 0


def _tell(what: str, share: float) -> None:
    print(progress_line(what, share), flush=True)  # noqa: T201 - its parent reads this


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
