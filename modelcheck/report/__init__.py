"""The report: one self-contained page, a Markdown summary and the lines in the terminal.

Everything that comes from outside, a layer's name or a reason, is text and stays text: templates escape, the page's
policy allows its own style and script alone, and nothing is ever fetched.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelcheck.report.markdown import summary_markdown
from modelcheck.report.page import ReportError, comparison_page, gallery_page, verdict_page
from modelcheck.report.terminal import print_summary

if TYPE_CHECKING:
    import jinja2

    from modelcheck.compare import Comparison
    from modelcheck.panel import Panel
    from modelcheck.signature import Signature

__all__ = ["ReportError", "print_summary", "summary_markdown", "write_comparison", "write_gallery", "write_report"]

_HERE = Path(__file__).parent


def write_report(
    folder: str | os.PathLike[str],
    document: Mapping[str, Any],
    *,
    comparison: Comparison | None = None,
    panel: Panel | None = None,
    redact_inputs: bool = False,
) -> Path:
    """Write the report of a judged run: ``index.html`` and ``summary.md``.

    Parameters
    ----------
    folder : path
        Made where it is not there; other files in it are left alone.
    document : mapping
        The verdict document.
    comparison : Comparison, optional
        The two networks; without it the page holds verdict, reasons, findings and next commands alone.
    panel : Panel, optional
        The pictures that were judged on.
    redact_inputs : bool
        Leave photographs out; HappyMaps, regions and attributions stay.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    ReportError
        When the panel is not the one that was measured.
    """
    page = verdict_page(document, comparison, panel, redact_inputs=redact_inputs)
    _place(Path(folder) / "summary.md", summary_markdown(document))
    return _place(Path(folder) / "index.html", _render(page))


def write_comparison(
    folder: str | os.PathLike[str], comparison: Comparison, *, panel: Panel | None = None, redact_inputs: bool = False
) -> Path:
    """Write the page of two networks beside each other, without criteria and without a verdict.

    Parameters and errors are those of `write_report`.
    """
    return _place(Path(folder) / "index.html", _render(comparison_page(comparison, panel, redact_inputs=redact_inputs)))


def write_gallery(
    folder: str | os.PathLike[str], signature: Signature, *, panel: Panel | None = None, redact_inputs: bool = False
) -> Path:
    """Write the page of one network alone, which shows what each layer learned.

    Parameters and errors are those of `write_report`.
    """
    return _place(Path(folder) / "index.html", _render(gallery_page(signature, panel, redact_inputs=redact_inputs)))


def _render(page: dict[str, Any]) -> str:
    from markupsafe import Markup

    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            page=page,
            # Our own two files, the only text that enters the page as it is; the policy names their digests.
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
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _place(path: Path, text: str) -> Path:
    """Write aside, then replace: a reader finds the old file or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        # A lone surrogate in somebody's file name must not cost the report.
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    return path
