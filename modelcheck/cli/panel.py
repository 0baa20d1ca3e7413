"""Commands that make a panel of held-out pictures or rows, and show what one holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from modelcheck.cli.shared import FILE, say
from modelcheck.gate.settings import split_names
from modelcheck.support.commands import as_argument, can_be_typed, write_command

if TYPE_CHECKING:
    from modelcheck.panel import Panel, TablePanel
    from modelcheck.panel.rows import Rows

__all__ = ["panel"]


@click.group()
def panel() -> None:
    """Make a panel of held-out pictures or of the rows of a table, or show one.

    \b
    Examples:
      modelcheck panel from-folder pictures --size 96x96 --out heldout.npz
      modelcheck panel from-table table.csv --classes cat,dog --out heldout.npz
      modelcheck panel from-rows survey.csv --target bought --groups sex --out heldout.npz
      modelcheck panel show heldout.npz
    From arrays, in Python: modelcheck.Panel(images, labels, class_names=[...]).save("heldout.npz");
    from a tf.data.Dataset: modelcheck.Panel.from_dataset(dataset);
    of a DataFrame's rows: modelcheck.TablePanel.from_frame(frame, target=...)
    """


def _read_size(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """Return height and width of HEIGHTxWIDTH."""
    if value is None:
        return None
    sides = value.lower().split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdigit() and len(side) < 6 for side in sides):
        raise click.BadParameter(f"{value!r} is not HEIGHTxWIDTH in pixels, for example 96x128.", ctx, param)
    return int(sides[0]), int(sides[1])


def _reading(command: Callable[..., Rows]) -> Callable[..., None]:
    """Make a command of what lists pictures: they are read, held against a training list, and written."""

    @wraps(command)
    def read(
        source: Path,
        *,
        classes: str | None,
        size: tuple[int, int] | None,
        fit: str,
        colours: str | None,
        exif: str | None,
        skip_bad: bool,
        training_list: Path | None,
        out: Path,
    ) -> None:
        from modelcheck.panel import Conversion, Panel
        from modelcheck.panel.reading import read_rows
        from modelcheck.panel.training import check_training_list

        with _next_command():
            conversion = Conversion(size=size, fit=fit, colours=colours, exif=exif)
            listed = command(source, class_names=None if classes is None else split_names(classes))
            parts, remarks = read_rows(listed, conversion, skip_bad=skip_bad)
            made = Panel(**parts)
            trained = None
            if training_list is not None:
                trained = check_training_list(training_list, made, conversion, skip_bad=skip_bad)
        _save(made, out)
        for remark in remarks:
            for line in f"Note: {remark}".splitlines():
                say(line)
        if training_list is not None and trained is not None:
            for sentence in trained.sentences(training_list):
                say(sentence)
        say(f"Next: {write_command(['modelcheck', 'init', '--panel', out])}")

    for option in reversed(_READING):
        read = option(read)
    return read


_READING = (
    click.argument("source", type=FILE),
    click.option("--classes", help="Comma-separated, in the order of the network's outputs; sorted by default."),
    click.option(
        "--size",
        metavar="HEIGHTxWIDTH",
        callback=_read_size,
        help="Scale all pictures to this size, by Pillow's bilinear filter.",
    ),
    click.option(
        "--fit",
        type=click.Choice(["stretch", "crop", "pad"]),
        default="stretch",
        show_default=True,
        help="How a picture of another aspect comes to --size.",
    ),
    click.option("--colours", type=click.Choice(["grey", "rgb"]), help="Make all pictures grey, or in colour."),
    click.option(
        "--exif",
        type=click.Choice(["apply", "ignore"]),
        help="Turn pictures that are stored turned upright, or take them as they are stored.",
    ),
    click.option("--skip-bad", is_flag=True, help="Leave out pictures that cannot be read, and count them."),
    click.option(
        "--training-list",
        type=FILE,
        help="A folder, or a CSV file with a column path: refuse a panel that holds pictures of it.",
    ),
    click.option("--out", type=FILE, required=True, help="The panel file to write."),
)


@panel.command("from-folder")
@_reading
def from_folder(source: Path, *, class_names: list[str] | None) -> Rows:
    """Make a panel of a folder that holds a folder for each class.

    In each class lie pictures, or a folder for each subject. It is the layout of Keras'
    image_dataset_from_directory, with the same order of classes: the names of the folders, sorted.

    \b
    Examples:
      modelcheck panel from-folder pictures --out heldout.npz
      modelcheck panel from-folder pictures --size 96x96 --training-list train --out heldout.npz
    """
    from modelcheck.panel.folders import list_folder

    return list_folder(source, class_names=class_names)


@panel.command("from-table")
@_reading
def from_table(source: Path, *, class_names: list[str] | None) -> Rows:
    """Make a panel of a CSV file with a row for each picture.

    Columns: path (from the table's folder) and label (a class, or its position in --classes);
    optional subject, group, name; and row, column, height, width in pixels, or mask (the path of a
    grey picture), for where the evidence may lie.

    \b
    Examples:
      modelcheck panel from-table table.csv --out heldout.npz
      modelcheck panel from-table table.csv --classes cat,dog --size 96x96 --out heldout.npz
    """
    from modelcheck.panel.tables import list_table

    return list_table(source, class_names=class_names)


@panel.command("from-rows")
@click.argument("source", type=FILE)
@click.option("--target", required=True, help="The column of what the network is to say.")
@click.option(
    "--features",
    help="Comma-separated columns, in the order of the network's inputs; by default all but the target, subjects and "
    "names.",
)
@click.option("--groups", help="Comma-separated columns that divide the rows into sub-populations.")
@click.option("--subjects", help="The column of whom or what a row is, where several are of one.")
@click.option("--names", help="The column of a distinct name for each row.")
@click.option("--classes", help="Comma-separated, in the order of the network's outputs; sorted by default.")
@click.option(
    "--task",
    type=click.Choice(["classification", "regression"]),
    help="Whether the target is classes or numbers, where its column leaves it open.",
)
@click.option(
    "--missing",
    type=click.Choice(["refuse", "drop", "keep"]),
    default="refuse",
    show_default=True,
    help="What is done where values are missing: drop leaves those rows out, keep keeps missing features.",
)
@click.option("--like", type=FILE, help="A panel file whose columns are taken: their order, kinds and units.")
@click.option("--out", type=FILE, required=True, help="The panel file to write.")
def from_rows(  # noqa: PLR0913 - one for each option
    source: Path,
    *,
    target: str,
    features: str | None,
    groups: str | None,
    subjects: str | None,
    names: str | None,
    classes: str | None,
    task: str | None,
    missing: str,
    like: Path | None,
    out: Path,
) -> None:
    """Make a panel of a CSV file with a row for each case.

    A column holds numbers where all its cells are written so, and categories otherwise; numbers
    with leading zeros are codes, and so categories.

    \b
    Examples:
      modelcheck panel from-rows survey.csv --target bought --out heldout.npz
      modelcheck panel from-rows survey.csv --target bought --features age,sex --groups sex \\
        --subjects patient --missing drop --out heldout.npz
    """
    from modelcheck.panel import TablePanel

    with _next_command():
        made = TablePanel.from_frame(
            source,
            target=target,
            features=None if features is None else split_names(features),
            groups=[] if groups is None else split_names(groups),
            subjects=subjects,
            names=names,
            class_names=None if classes is None else split_names(classes),
            task=task,
            missing=missing,
            features_like=None if like is None else TablePanel.load(like),
        )
    _save(made, out)
    say(f"Next: {write_command(['modelcheck', 'init', '--panel', out])}")


@panel.command()
@click.argument("file", type=FILE)
def show(file: Path) -> None:
    """Print what a panel holds, and what speaks against it.

    \b
    Example:
      modelcheck panel show heldout.npz
    """
    from modelcheck.panel import load_panel

    _show(load_panel(file))


@panel.command()
@click.argument("folder", type=FILE)
@click.option("--resolution", type=click.Choice(["1", "2", "4"]), default="2", show_default=True)
@click.option("--subjects", help="Comma-separated; everybody by default.")
@click.option("--task", default="left", show_default=True, help="left, right, four or sunglasses.")
@click.option("--out", type=FILE, required=True, help="The panel file to write.")
def cmu(folder: Path, *, resolution: str, subjects: str | None, task: str, out: Path) -> None:
    """Make a panel from CMU Faces as distributed.

    \b
    Example:
      modelcheck panel cmu faces --resolution 2 --subjects an2i,glickman --task left --out panel.npz
    """
    from modelcheck.faces.cmu import cmu_panel

    names = split_names(subjects) if subjects else None
    _save(cmu_panel(folder, resolution=int(resolution), subjects=names, task=task), out)


@panel.command()
@click.option("--task", default="left", show_default=True, help="left, right, four or sunglasses.")
@click.option("--repeats", default=1, show_default=True, help="How often each picture is drawn anew.")
@click.option("--seed", default=0, show_default=True)
@click.option("--out", type=FILE, required=True, help="The panel file to write.")
def drawn(*, task: str, repeats: int, seed: int, out: Path) -> None:
    """Make a panel of drawn people whom the drawn training set does not hold.

    \b
    Example:
      modelcheck panel drawn --task left --out panel.npz
    """
    from modelcheck.faces.drawn import colleagues, draw_panel, visitors

    _save(draw_panel((*colleagues(), *visitors()), task=task, repeats=repeats, seed=seed), out)


@contextmanager
def _next_command() -> Iterator[None]:
    """Put the whole command that would work behind an error that knows which options are lacking."""
    from modelcheck.panel import PanelError

    try:
        yield
    except PanelError as error:
        words = _command_again(error.options)
        if not error.options or not can_be_typed(words):
            raise
        raise PanelError(f"{error}\nFor example: {write_command(words)}") from error


def _command_again(options: Sequence[str]) -> list[str]:
    """Return the words of the command that runs, with options added or in the place of those that were given."""
    ctx = click.get_current_context()
    words = ["modelcheck", "panel", str(ctx.info_name), as_argument(ctx.params["source"]), *options]
    for option in ctx.command.params:
        name, value = option.opts[0], ctx.params[str(option.name)]
        given = ctx.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE
        if not isinstance(option, click.Option) or not given or name in options:
            continue
        text = "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
        words += [name] if option.is_flag else [name, text]
    return words


def _save(made: Panel | TablePanel, out: Path) -> None:
    made.save(out)
    say(f"Wrote {out}, digest {made.digest()[:12]}:")
    _show(made)


def _show(made: Panel | TablePanel) -> None:
    from modelcheck.panel import Panel
    from modelcheck.panel.remarks import list_contents
    from modelcheck.panel.row_remarks import list_row_contents

    for line in list_contents(made) if isinstance(made, Panel) else list_row_contents(made):
        say(line)
    for remark in made.remarks:
        say(f"Note: {remark}")
