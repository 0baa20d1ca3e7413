"""``modelcheck help TOPIC``: the pages that messages name, and every metric, for who has no checkout."""

from __future__ import annotations

import difflib
from importlib.resources import files

import click
from rich.console import Console

from modelcheck.comparison import METRICS

__all__ = ["help_on"]

# Copies of the pages of docs/ that messages name; the others stay in the documentation.
_PAGES = files("modelcheck.cli") / "pages"


@click.command("help")
@click.argument("topic", required=False)
def help_on(topic: str | None) -> None:
    """Print a page of the documentation, or what a metric says.

    Without TOPIC the topics are listed.
    """
    pages = sorted(page.name.removesuffix(".md") for page in _PAGES.iterdir() if page.name.endswith(".md"))
    if topic is None:
        click.echo("Pages:    " + ", ".join(pages))
        click.echo("Metrics:  " + ", ".join(METRICS))
        click.echo("Commands: modelcheck COMMAND --help")
        return
    name = topic.removeprefix("docs/").removesuffix(".md")
    if name in pages:
        _show((_PAGES / f"{name}.md").read_text(encoding="utf-8"))
    elif name in METRICS:
        metric = METRICS[name]
        click.echo(f"{metric.title} ({name})\n\n{metric.explanation}")
    else:
        near = difflib.get_close_matches(name, [*pages, *METRICS], n=1)
        meant = f" Did you mean: modelcheck help {near[0]}" if near else " All topics: modelcheck help"
        raise click.UsageError(f"There is no page and no metric {topic!r} here.{meant}")


def _show(page: str) -> None:
    """Print a page, drawn where a person reads it and as it is where it is piped."""
    console = Console()
    if not console.is_terminal:
        click.echo(page, nl=False)
        return
    from rich.markdown import Markdown

    with console.pager(styles=True):
        console.print(Markdown(page))
