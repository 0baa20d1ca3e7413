"""The process that plans: ``python -P -m modelcheck.planning REQUEST.json ANSWER.json``.

`modelcheck.gate.child.plan_in_child` starts it within limits, without secrets. It ends with exit
code 4 and one message where what it was given cannot be measured.
"""

from __future__ import annotations

import sys
from pathlib import Path

from modelcheck.gate.request import Request, RequestError
from modelcheck.support.escaping import clean_lines
from modelcheck.support.files import read_file
from modelcheck.support.folders import place

__all__ = ["main"]


def main(path: str, answer: str) -> int:
    """Plan the measurement of a network, write the plan, and return the exit code.

    Parameters
    ----------
    path : str
        The request's file; see `modelcheck.gate.request.Request`.
    answer : str
        Where the plan goes, as JSON; see `modelcheck.planning.plan.Plan`.
    """
    from modelcheck.panel import Panel
    from modelcheck.planning.estimate import plan_gate
    from modelcheck.recipe import Recipe

    try:
        request = Request.from_json(read_file(path).decode("utf-8"))
        if request.custom_objects:
            # A class of the project's own may lie in the working folder, which is looked at last.
            sys.path.append(str(Path.cwd()))
        if request.minutes is None or not isinstance(request.recipe, Recipe | None):
            raise RequestError("A plan is made for pictures, and for some minutes: give minutes in the request.")
        plan = plan_gate(
            request.network,
            Panel.load(request.panel, max_gib=request.panel_size),
            request.recipe or Recipe(),
            minutes=request.minutes,
            interface=request.interface,
            custom_objects=request.custom_objects,
        )
        place(Path(answer), plan.to_json().encode())
    except (ValueError, OSError) as error:
        print(f"modelcheck: {clean_lines(error)}", file=sys.stderr)  # noqa: T201 - its parent reads this
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
