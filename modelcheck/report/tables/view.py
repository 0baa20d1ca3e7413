"""The sections of a table's page, put together: of two networks, or of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcheck.comparison.tables.comparison import TableComparison, compare_tables
from modelcheck.judgement.findings import Finding
from modelcheck.report.tables.drivers import drivers_view
from modelcheck.report.tables.effects import effects_view
from modelcheck.report.tables.held_out import held_out_view
from modelcheck.report.tables.hero import hero_view
from modelcheck.report.tables.populations import populations_view
from modelcheck.report.tables.profiles import profiles_view
from modelcheck.report.words import Noun
from modelcheck.signature import TableSignature

__all__ = ["gallery_view", "table_view"]


def table_view(
    comparison: TableComparison, findings: Mapping[str, Finding], *, noun: Noun, of: str, redact_inputs: bool = False
) -> dict[str, Any]:
    """Return what the page shows of two networks on a table.

    Parameters
    ----------
    comparison : TableComparison
        The two networks.
    findings : mapping
        What was judged, by key; empty where there is no gate.
    noun : tuple of str
        What one and several of the panel's independent units are called.
    of : str
        What the panel holds: see `modelcheck.comparison.tell_material`.
    redact_inputs : bool
        Leave out what shows single rows.
    """
    return {
        "alone": False,
        "hero": hero_view(comparison, findings),
        "drivers": drivers_view(comparison, findings, noun=noun, of=of),
        "effects": effects_view(comparison, findings),
        "populations": populations_view(comparison, findings, noun=noun, of=of),
        "features": profiles_view(comparison, findings, noun=noun, of=of),
        "accuracy": held_out_view(comparison, findings, noun=noun, of=of, redact_inputs=redact_inputs),
    }


def gallery_view(signature: TableSignature, *, noun: Noun, of: str, redact_inputs: bool = False) -> dict[str, Any]:
    """Return what the page shows of one network on a table: what drives it, how, for whom, and its profiles.

    A network beside itself says of each side what is to be said of it alone.

    Parameters
    ----------
    signature : TableSignature
        The network.
    noun, of, redact_inputs
        As of `table_view`.
    """
    itself = compare_tables(signature, signature)
    return table_view(itself, {}, noun=noun, of=of, redact_inputs=redact_inputs) | {"alone": True, "hero": None}
