"""What a deploy job asks: may this very file be released, by this verdict? One sentence, and an exit code.

Nothing is taken on trust that can be checked again. The document must be whole and of the known schema, its digest must
hold, its findings must give its verdict when they are judged once more, and every file that is named must be the one
that was judged. A signature against forgers it is not: see `modelcheck.gate.verdict.seal`.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from modelcheck.gate.verdict import SCHEMA, seal
from modelcheck.judgement.criteria import Criterion, Finding, Verdict, judge, overall
from modelcheck.judgement.waivers import LONGEST
from modelcheck.support.escaping import clean

__all__ = ["DocumentError", "promotable", "read_verdict", "refusal"]

_MOST = 64 * 2**20  # bytes


class DocumentError(ValueError):
    """A file that is no verdict of this gate; the message says why and what to do."""


def read_verdict(path: Path) -> dict[str, Any]:
    """Read a verdict document, strictly.

    Raises
    ------
    DocumentError
        When it is missing, truncated, of another schema, or does not match its own digest.
    """
    name = repr(str(path))
    try:
        if path.stat().st_size > _MOST:
            raise DocumentError(f"{name} is larger than {_MOST} bytes, too large for a verdict.")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DocumentError(
            f"There is no verdict {name} ({error.strerror}). Run the gate first: pytest suites/"
        ) from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{name} is not valid UTF-8. {_AGAIN}") from error
    try:
        document = json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_no_twice)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{name} is damaged: {error}. {_AGAIN}") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if isinstance(document, dict) and type(schema) is int and schema != SCHEMA:
        raise DocumentError(f"{name} has schema {schema}; this modelcheck reads schema {SCHEMA}. Update the older one.")
    wrong = _mismatch(document) or _unusable(document)
    if wrong:
        raise DocumentError(f"{name} is no verdict of this gate: {wrong}. {_AGAIN}")
    if document["digest"] != seal(document):
        raise DocumentError(f"{name} was changed after it was written: it does not match its digest. {_AGAIN}")
    return dict(document)


def refusal(
    document: Mapping[str, Any],
    candidate: Path,
    *,
    today: datetime.date,
    require: str = "pass",
    criteria: Path | None = None,
    baseline: Path | None = None,
    waivers: bool = True,
) -> str:
    """Return why a verdict does not release a file, in one sentence; empty where it does.

    Parameters
    ----------
    document : mapping
        From `read_verdict`.
    candidate : Path
        The file to be released.
    today : datetime.date
        In UTC; what waivers are held against.
    require : {'pass', 'inconclusive'}
        The least verdict that is enough.
    criteria : Path, optional
        The criteria file that must have been judged by.
    baseline : Path, optional
        The baseline's folder that must have been compared with.
    waivers : bool
        Whether waived findings may be released.

    Raises
    ------
    OSError, SignatureError
        When a file that is named cannot be read.
    """
    return (
        _standing(document, {"pass": ("pass",), "inconclusive": ("pass", "inconclusive")}[require])
        or _other_file(document, candidate, criteria=criteria, baseline=baseline)
        or _contradiction(document)
        or _find_lapsed(document, today, allowed=waivers)
    )


def promotable(document: Mapping[str, Any]) -> str:
    """Return the sentence on a release that is granted."""
    rows = [row for row in document["findings"] if row["gating"]]
    waived = sorted(row["waiver"]["expires"] for row in rows if row["verdict"] == "waived")
    tail = f"; {len(waived)} of them waived, the first until {waived[0]}" if waived else ""
    network = document["candidate"]
    return f"{network['file']} (sha256 {network['sha256'][:12]}) may be released: {len(rows)} checks judged{tail}."


_AGAIN = "Run the gate again: pytest suites/"


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"it holds {word}, which no verdict does")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _no_constant(digits)


def _no_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _mismatch(document: object) -> str:
    """Return in what a document differs from the schema, or nothing."""
    import jsonschema

    schema = json.loads(Path(__file__).with_name("verdict.schema.json").read_text(encoding="utf-8"))
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(document))
    if error is None:
        return ""
    where = "/".join(str(part) for part in error.absolute_path) or "the document"
    return clean(f"{where}: {error.message}", longest=200)


def _unusable(document: Mapping[str, Any]) -> str:
    """Return why the findings cannot be read as findings, or nothing."""
    try:
        for row in document["findings"]:
            Finding.from_dict(row)
    except ValueError as error:
        return clean(error, longest=200)
    return ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _signature(folder: Path) -> str:
    from modelcheck.signature import read_signature

    return read_signature(folder).digest()


def _standing(document: Mapping[str, Any], allowed: Sequence[str]) -> str:
    word = document["verdict"]
    if word not in allowed:
        reason = f" {document['reasons'][0]}" if document["reasons"] else ""
        return f"The verdict is {word}, not {' or '.join(allowed)}.{reason}"
    if document["scope"] != "full" or document["not_judged"]:
        return f"Only a part of the suite was judged (scope: {document['scope']}). Run all of it: pytest suites/"
    if not document["enforced"]:
        return "The verdict is of a run with --modelcheck-report-only, which does not decide a release. Run without it."
    missing = [name for name in ("candidate", "baseline", "panel", "recipe", "criteria") if document[name] is None]
    return f"The verdict does not say which {missing[0]} was judged." if missing else ""


def _other_file(document: Mapping[str, Any], candidate: Path, *, criteria: Path | None, baseline: Path | None) -> str:
    sha, judged = _sha256(candidate), document["candidate"]
    if sha != judged["sha256"]:
        return (
            f"{str(candidate)!r} (sha256 {sha[:12]}) is not the file that was judged: "
            f"{judged['file']!r} ({judged['sha256'][:12]})."
        )
    if criteria is not None and _sha256(criteria) != document["criteria"]["sha256"]:
        return f"The verdict was judged by other criteria than {str(criteria)!r}."
    if baseline is not None and _signature(baseline) != document["baseline"].get("signature"):
        return f"The verdict was judged against another baseline than the one in {str(baseline)!r}."
    return ""


def _contradiction(document: Mapping[str, Any]) -> str:
    """Judge every finding once more: a document whose rows do not give its verdict releases nothing."""
    rows = [Finding.from_dict(row) for row in document["findings"]]
    if len({row.key for row in rows}) != len(rows):
        return "The document contradicts itself: a finding stands in it twice."
    for row in rows:
        again = judge(row.value, _loosen(row.criterion), interval=row.interval).verdict
        said = row.verdict
        if said is Verdict.WAIVED:
            fits = row.gating and row.waiver is not None and again is not Verdict.UNMEASURED
        else:
            fits = _GRAVITY.index(again) <= _GRAVITY.index(said)
        if not fits:
            return f"The document contradicts itself: {row.key} is said to be {said.value}, and is {again.value}."
    found = overall(rows).value
    word = document["verdict"]
    return "" if found == word else f"The document contradicts itself: it says {word}, and its findings say {found}."


_GRAVITY = [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL, Verdict.UNMEASURED]


def _loosen(criterion: Criterion) -> Criterion:
    """Return limits that numbers with six digits meet where the measured ones did."""
    low, high = criterion.at_least, criterion.at_most
    return dataclasses.replace(
        criterion,
        at_least=None if low is None else low - 1e-6 * max(1.0, abs(low)),
        at_most=None if high is None else high + 1e-6 * max(1.0, abs(high)),
    )


def _find_lapsed(document: Mapping[str, Any], today: datetime.date, *, allowed: bool) -> str:
    waived = [row for row in document["findings"] if row["verdict"] == "waived"]
    if waived and not allowed:
        return f"{len(waived)} findings are waived, the first {waived[0]['key']}, and --no-waivers refuses that."
    for row in waived:
        waiver = row["waiver"]
        created, expires = (datetime.date.fromisoformat(waiver[name]) for name in ("created", "expires"))
        if not created <= today <= expires or (expires - created).days > LONGEST:
            return f"The waiver of {row['key']} holds from {created} to {expires} only, and today is {today}."
        if waiver["candidate"] != document["candidate"]["sha256"]:
            return f"The waiver of {row['key']} is for another candidate."
    return ""
