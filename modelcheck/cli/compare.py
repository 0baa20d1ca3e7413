"""The command that compares two networks: files, or signatures."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelcheck.cli.interface import interface_options
from modelcheck.cli.settings import find_settings
from modelcheck.cli.shared import FILE, child_progress, recipe_from, say
from modelcheck.support.escaping import clean

if TYPE_CHECKING:
    import pandas as pd

    from modelcheck.comparison import Comparison, TableComparison
    from modelcheck.gate.pair import Pair
    from modelcheck.interface import Interface

__all__ = ["compare"]


@click.command()
@click.argument("one", metavar="A", type=FILE)
@click.argument("other", metavar="B", type=FILE)
@click.option("--panel", "panel_path", type=FILE, help="The held-out panel (.npz), on which files are measured.")
@click.option("--recipe", "recipe_path", type=FILE, help="Recipe settings (.toml or .json), for two files.")
@interface_options
@click.option("--html", "page", type=FILE, help="Also write an HTML report to this folder.")
def compare(
    one: Path,
    other: Path,
    *,
    panel_path: Path | None,
    recipe_path: Path | None,
    interface: Interface,
    page: Path | None,
) -> None:
    """Compare A, in the role of the baseline, with B, and print a table by layer, or by variable. Nothing is judged.

    Each is a network file or the folder of a signature. A is a Keras network; B may be a LiteRT or
    ONNX file, and is then compared with A as the network that it was converted from as well. Files
    are measured on the panel, beside a signature with its recipe; a project's cache is used.

    \b
    Examples:
      modelcheck compare baselines/mine signatures/candidate
      modelcheck compare parent.keras phone.tflite --panel heldout.npz --html report
    """
    from modelcheck.cli.recipes import recipe_on
    from modelcheck.gate.outputs import check_outputs
    from modelcheck.gate.pair import compare_pair
    from modelcheck.gate.settings import read_settings
    from modelcheck.panel import load_panel

    if page is not None:
        inputs = {"first network": one, "second network": other, "panel": panel_path, "recipe": recipe_path}
        check_outputs({page / "index.html": "--html", page / "pictures": "--html"}, inputs=inputs)
    recipe = None
    if recipe_path is not None and panel_path is not None:
        recipe = recipe_on(load_panel(panel_path, max_gib=read_settings(Path.cwd()).panel_size), recipe_path)
    elif recipe_path is not None:
        recipe = recipe_from(recipe_path)
    with child_progress() as tell, tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
        settings = find_settings(Path(aside))
        pair = compare_pair(
            one,
            other,
            panel=panel_path,
            recipe=recipe,
            interface=interface,
            settings=settings,
            aside=Path(aside),
            tell=tell,
        )
    for line in _lines(pair):
        say(line)
    if page is not None:
        from modelcheck.report import write_comparison

        path = write_comparison(page, pair.comparison, panel=pair.panel, subject_name=settings.subject_name)
        say(f"Wrote {path}.")


def _lines(pair: Pair) -> Iterator[str]:
    from modelcheck.comparison import TableComparison

    if isinstance(pair.comparison, TableComparison):
        yield from _lines_of_table(pair.comparison)
    else:
        yield from _lines_of_pictures(pair, pair.comparison)
    if pair.seconds:
        told = ", ".join(f"{clean(name)} {1000 * seconds:.3g} ms" for name, seconds in pair.seconds.items())
        yield f"one answer, where it was measured: {told}"


def _lines_of_table(comparison: TableComparison) -> Iterator[str]:
    """Yield one row a variable, one a sub-population, and the numbers of the networks as a whole."""
    import pandas as pd

    from modelcheck.comparison import METRICS, shown_in, tell_record

    of = tell_record(comparison.baseline)
    yield from _write_table(comparison.table())
    for about in ("layer", "population", "division"):
        wanted = shown_in("column", about=about, of=of)
        rows: dict[str, dict[str, float]] = {}
        for item in comparison.measures.values():
            if item.metric in wanted:
                rows.setdefault(clean(item.about, longest=40), {})[METRICS[item.metric].head] = item.value
        if rows:
            yield from _write_table(pd.DataFrame.from_dict(rows, orient="index").rename_axis(about))
    for metric in shown_in("summary", about="", of=of):
        if (metric, "") in comparison.measures:
            yield f"{metric}: {comparison.measures[metric, ''].value:.3f}"


def _write_table(table: pd.DataFrame) -> Iterator[str]:
    shown = table.dropna(axis="columns", how="all")
    for line in shown.to_string(float_format=lambda value: f"{value:.2f}", na_rep="-").splitlines():
        yield line.rstrip()


def _lines_of_pictures(pair: Pair, comparison: Comparison) -> Iterator[str]:
    from modelcheck.comparison import shown_in

    yield from _write_table(comparison.table())
    for metric in shown_in("summary", about=""):
        measured = comparison.find(metric)
        if measured.asked:
            yield f"{metric}: {measured.value:.3f}"
    if alike := comparison.layers_as_retrained:
        yield f"as alike as a second training leaves them, so that they could be frozen: {', '.join(map(clean, alike))}"
    if pair.unrelated:
        yield f"{clean(pair.unrelated, longest=400)} It is compared as any other network."
    yield from _describe_conversion(comparison)


def _describe_conversion(comparison: Comparison) -> Iterator[str]:
    """Yield what became of a file's source: signal to noise by layer, the first that breaks, and changed answers."""
    found = comparison.conversion
    if found is None:
        return
    listed = ", ".join(f"{clean(layer.source)} {layer.snr:.0f} dB" for layer in found.layers)
    yield f"signal to noise of the conversion: {listed or 'no layer of the file could be compared'}"
    yield f"first layer that breaks: {clean(found.breaks) or 'none'}"
    yield f"answers that changed: {len(found.changed)} of {found.n}"
