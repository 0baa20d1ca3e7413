"""The report: one self-contained page, a Markdown summary and the lines in the terminal.

Everything that comes from outside, a layer's name or a reason, is text and stays text: templates
escape, the page's policy allows its own style and script alone, and nothing is ever fetched.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelcheck.judgement.document import VerdictDocument
from modelcheck.report.markdown import step_summary, summary_markdown
from modelcheck.report.page import ReportError, comparison_page, gallery_page, verdict_page
from modelcheck.report.pictures import Sheet
from modelcheck.report.ranking_page import ranking_page
from modelcheck.report.terminal import print_summary
from modelcheck.support.folders import place

if TYPE_CHECKING:
    import jinja2

    from modelcheck.comparison import Comparison
    from modelcheck.comparison.tables.comparison import TableComparison
    from modelcheck.panel import Panel
    from modelcheck.panel.table_panel import TablePanel
    from modelcheck.report.ranking import Ranking
    from modelcheck.signature import Signature, TableSignature

__all__ = [
    "ReportError",
    "append_step_summary",
    "print_summary",
    "summary_markdown",
    "write_comparison",
    "write_gallery",
    "write_ranking",
    "write_report",
]

_TEMPLATES = Path(__file__).parent / "templates"


def write_report(
    folder: str | os.PathLike[str],
    document: VerdictDocument,
    *,
    comparison: Comparison | TableComparison | None = None,
    panel: Panel | TablePanel | None = None,
    redact_inputs: bool = False,
    as_files: bool = False,
) -> Path:
    """Write the report of a judged run: ``index.html`` and ``summary.md``.

    Parameters
    ----------
    folder : path
        Made where it is not there; other files in it are left alone.
    document : VerdictDocument
        What the run came to.
    comparison : Comparison or TableComparison, optional
        The two networks; without it the page holds verdict, reasons, findings and next commands
        alone.
    panel : Panel or TablePanel, optional
        The pictures, or the rows, that were judged on.
    redact_inputs : bool
        Leave the panel's pictures out, or what shows single rows of a table; all else stays.
    as_files : bool
        Write the pictures into ``pictures/`` beside the page, which then needs them, instead of
        into the page.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    ReportError
        When the panel is not the one that was measured.
    DocumentError
        When the document is of another schema: run the gate again.
    """
    page = verdict_page(document, comparison, panel, redact_inputs=redact_inputs)
    _place(Path(folder) / "summary.md", summary_markdown(document, comparison=comparison))
    return _page(Path(folder), page, as_files=as_files)


def append_step_summary(
    path: str | os.PathLike[str],
    document: VerdictDocument,
    *,
    comparison: Comparison | TableComparison | None = None,
) -> None:
    """Append a verdict's Markdown to the summary of a build's step, within what one step may hold.

    Parameters
    ----------
    path : path
        What ``GITHUB_STEP_SUMMARY`` names; other steps' words in it stay.
    document : VerdictDocument
        What the run came to.
    comparison : Comparison or TableComparison, optional
        The two networks, for what the reasons name of them.

    Raises
    ------
    OSError
        When it cannot be written, or is full.
    """
    used = Path(path).stat().st_size if Path(path).exists() else 0
    text = step_summary(document, used=used, comparison=comparison)
    if not text:
        raise OSError(f"it already holds {used} bytes")
    with Path(path).open("a", encoding="utf-8", errors="replace", newline="\n") as file:
        file.write(f"\n{text}" if used else text)


def write_comparison(
    folder: str | os.PathLike[str],
    comparison: Comparison | TableComparison,
    *,
    panel: Panel | TablePanel | None = None,
    redact_inputs: bool = False,
    as_files: bool = False,
    subject_name: Sequence[str] = (),
) -> Path:
    """Write the page of two networks beside each other, without criteria and without a verdict: ``index.html``.

    Parameters
    ----------
    folder : path
        Made where it is not there; other files in it are left alone.
    comparison : Comparison or TableComparison
        The two networks.
    panel : Panel or TablePanel, optional
        What both were measured on; the page then shows its pictures.
    redact_inputs : bool
        Leave the panel's pictures out, or what shows single rows of a table; all else stays.
    as_files : bool
        Write the pictures into ``pictures/`` beside the page, which then needs them, instead of
        into the page.
    subject_name : sequence of str
        What one and several subjects of the panel are called, for example person and people.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    ReportError
        When the panel is not the one that was measured.

    Examples
    --------
    >>> import tempfile
    >>> from modelcheck import compare
    >>> comparison = compare("baselines/drawn-faces", "baselines/drawn-faces")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_comparison(folder, comparison).name
    'index.html'
    """
    page = comparison_page(comparison, panel, redact_inputs=redact_inputs, subject_name=subject_name)
    return _page(Path(folder), page, as_files=as_files)


def write_gallery(
    folder: str | os.PathLike[str],
    signature: Signature | TableSignature,
    *,
    panel: Panel | TablePanel | None = None,
    redact_inputs: bool = False,
    as_files: bool = False,
    subject_name: Sequence[str] = (),
) -> Path:
    """Write the page of one network alone, which shows what each layer learned: ``index.html``.

    Parameters
    ----------
    folder : path
        Made where it is not there; other files in it are left alone.
    signature : Signature or TableSignature
        The network.
    panel, redact_inputs, as_files, subject_name
        As of `write_comparison`.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    ReportError
        When the panel is not the one that was measured.

    Examples
    --------
    >>> import tempfile
    >>> from modelcheck import read_signature
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_gallery(folder, read_signature("baselines/drawn-faces")).name
    'index.html'
    """
    page = gallery_page(signature, panel, redact_inputs=redact_inputs, subject_name=subject_name)
    return _page(Path(folder), page, as_files=as_files)


def write_ranking(folder: str | os.PathLike[str], ranking: Ranking) -> Path:
    """Write the page that ranks many candidates beside one baseline: ``index.html``.

    Parameters
    ----------
    folder : path
        Made where it is not there; other files in it are left alone.
    ranking : Ranking
        The candidates, the best first.

    Returns
    -------
    Path
        Of the page.
    """
    return _place(Path(folder) / "index.html", _render(ranking_page(ranking), template="ranking.html.jinja"))


def _page(folder: Path, page: dict[str, Any], *, as_files: bool) -> Path:
    """Write a page, with its pictures inside or beside it; pictures first, so that no page waits for them."""
    if as_files:
        page = {**page, "sheets": [_beside(folder, sheet) for sheet in page["sheets"]]}
    return _place(folder / "index.html", _render(page))


def _beside(folder: Path, sheet: Sheet) -> Sheet:
    kind, _, data = sheet.uri.removeprefix("data:image/").partition(";base64,")
    name = f"pictures/{sheet.name}.{kind}"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    place(folder / name, base64.b64decode(data))
    return replace(sheet, uri=name)


def _render(page: dict[str, Any], *, template: str = "page.html.jinja") -> str:
    from markupsafe import Markup

    style, script = ((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return (
        _environment()
        .get_template(template)
        .render(
            page=page,
            # Our own two files, the only text that enters the page as it is; the policy names their
            # digests.
            style=Markup(style),
            script=Markup(script),
            style_hash=_hash(style),
            script_hash=_hash(script),
        )
    )


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _place(path: Path, text: str) -> Path:
    """Write a text, whole or not at all; a lone surrogate in somebody's file name must not cost the report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place(path, text.encode("utf-8", errors="replace"))
    return path
