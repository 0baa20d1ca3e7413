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
from modelcheck.gate.request import Request, RequestError
from modelcheck.gate.timing import write_timing
from modelcheck.recipe import Recipe
from modelcheck.signature.parts import PART, Part, pack_part
from modelcheck.support.escaping import clean_lines
from modelcheck.support.files import read_file
from modelcheck.support.folders import make_folder, place

if TYPE_CHECKING:
    from modelcheck.panel import TablePanel
    from modelcheck.signature import Record
    from modelcheck.table_recipe import TableRecipe

__all__ = ["main"]


def main(path: str, folder: str) -> int:
    """Measure what a request asks for, write the signature, and return the exit code.

    Parameters
    ----------
    path : str
        The request's file; see `modelcheck.gate.request.Request`.
    folder : str
        Where the signature goes, or of a block the part of it that was measured.
    """
    seconds: list[float] = []
    try:
        request = Request.from_json(read_file(path).decode("utf-8"))
        if request.custom_objects:
            # A class of the project's own may lie in the working folder, which is looked at last: a
            # file there must not be imported in the place of a library.
            sys.path.append(str(Path.cwd()))
        with progress(plain=True) as tell:
            measured = _measure(request, tell=tell, timed=seconds.append)
        if isinstance(measured, Part):
            place(make_folder(Path(folder)) / PART, pack_part(measured))
            return 0
        measured.write(folder)
        write_timing(Path(folder), seconds[-1] if seconds else None)
    except (ValueError, OSError) as error:
        print(f"modelcheck: {clean_lines(error)}", file=sys.stderr)  # noqa: T201 - its parent reads this
        return 4
    return 0


def _measure(request: Request, *, tell: Callable[[str, float], None], timed: Callable[[float], None]) -> Record | Part:
    from modelcheck.modelfile import tell_format
    from modelcheck.panel import TablePanel, load_panel
    from modelcheck.signature import Signature, read_record

    like = read_record(request.like) if request.like else None
    panel = load_panel(request.panel, max_gib=request.panel_size)
    recipe = request.recipe if like is None else like.recipe
    if request.block is not None and (isinstance(panel, TablePanel) or tell_format(request.network) != "keras"):
        raise RequestError("Only a Keras network on pictures is measured in blocks. Leave block out of the request.")
    if isinstance(panel, TablePanel):
        return _measure_table(request, panel, recipe, like=like, tell=tell, timed=timed)
    if not isinstance(like, Signature | None) or not isinstance(recipe, Recipe | None):
        raise RequestError(
            f"{str(request.panel)!r} holds pictures, and the baseline or the recipe is of a table. Give the panel of "
            "that table."
        )
    if tell_format(request.network) != "keras":
        from modelcheck.answers.measuring import measure_shipped

        return measure_shipped(
            request.network, panel, recipe, stimuli=like, interface=request.interface, progress=tell, timed=timed
        )
    from modelcheck.measurement.exchange import ExchangePartner
    from modelcheck.measurement.measuring import measure_block, measure_network

    partner = None
    if like is not None:
        partner = ExchangePartner(
            signature=like, model=request.baseline_model, layers=request.layers, known=request.known
        )
    if request.block is not None:
        return measure_block(
            request.network,
            panel,
            recipe or Recipe(),
            block=request.block,
            stimuli=partner,
            interface=request.interface,
            stop_where_misread=request.stop_where_misread,
            custom_objects=request.custom_objects,
            progress=tell,
        )
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


def _measure_table(
    request: Request,
    panel: TablePanel,
    recipe: Recipe | TableRecipe | None,
    *,
    like: Record | None,
    tell: Callable[[str, float], None],
    timed: Callable[[float], None],
) -> Record:
    from modelcheck.measurement.routing import take_on_table

    how, stimuli = take_on_table(request.network, recipe, like)
    if request.baseline_model is not None:
        raise RequestError(
            "baseline_model is the network to which HappyMaps are shown, and the panel is of a table, whose profiles "
            "are shown from signatures alone. Leave baseline_model out."
        )
    from modelcheck.measurement.tables import measure_table

    return measure_table(
        request.network,
        panel,
        how,
        stimuli=stimuli,
        interface=request.interface,
        twins=request.twins,
        custom_objects=request.custom_objects,
        progress=tell,
        timed=timed,
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
