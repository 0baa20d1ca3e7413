"""The process that measures: ``python -P -m modelcheck.cli.child REQUEST.json FOLDER``.

The gate starts it within limits, without secrets. It reads what to measure from a file, tells its
progress line by line, writes the signature and, beside it, how long an answer took, and ends with
exit code 4 and one message where what it was given cannot be measured.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from modelcheck.cli.shared import progress
from modelcheck.gate.request import Request
from modelcheck.gate.timing import write_timing
from modelcheck.support.escaping import clean_lines
from modelcheck.support.files import read_file

if TYPE_CHECKING:
    from modelcheck.signature import Signature

__all__ = ["main"]


def main(path: str, folder: str) -> int:
    """Measure what a request asks for, write the signature, and return the exit code.

    Parameters
    ----------
    path : str
        The request's file; see `modelcheck.gate.request.Request`.
    folder : str
        Where the signature goes.
    """
    seconds: list[float] = []
    try:
        request = Request.from_json(read_file(path).decode("utf-8"))
        if request.custom_objects:
            # A class of the project's own may lie in the working folder, which is looked at last: a
            # file there must not be imported in the place of a library.
            sys.path.append(str(Path.cwd()))
        with progress(plain=True) as tell:
            signature = _measure(request, tell=tell, timed=seconds.append)
        signature.write(folder)
        write_timing(Path(folder), seconds[-1] if seconds else None)
    except (ValueError, OSError) as error:
        print(f"modelcheck: {clean_lines(error)}", file=sys.stderr)  # noqa: T201 - its parent reads this
        return 4
    return 0


def _measure(request: Request, *, tell: Callable[[str, float], None], timed: Callable[[float], None]) -> Signature:
    from modelcheck.modelfile import tell_format
    from modelcheck.panel import Panel
    from modelcheck.signature import read_signature

    like = read_signature(request.like) if request.like else None
    panel, recipe = Panel.load(request.panel, max_gib=request.panel_size), like.recipe if like else request.recipe
    if tell_format(request.network) != "keras":
        from modelcheck.answers.measuring import measure_shipped

        return measure_shipped(
            request.network, panel, recipe, stimuli=like, interface=request.interface, progress=tell, timed=timed
        )
    from modelcheck.measurement.exchange import ExchangePartner
    from modelcheck.measurement.measuring import measure_network

    partner = None
    if like is not None:
        partner = ExchangePartner(signature=like, model=request.baseline_model, layers=request.layers)
    return measure_network(
        request.network,
        panel,
        recipe,
        stimuli=partner,
        interface=request.interface,
        twins=request.twins,
        stop_where_misread=request.stop_where_misread,
        custom_objects=request.custom_objects,
        progress=tell,
        timed=timed,
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
