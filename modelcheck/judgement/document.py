"""The verdict document: each part of it as a type, its schema version and the digest that seals it.

The gate writes the document, the report shows it and a deploy job reads it again; all three know it
from here. `docs/verdict.schema.json` says the same for other languages.
"""

# Annotations are evaluated here: Python 3.11 does not see NotRequired in one that is kept as text.
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict, final

from modelcheck.support.provenance import Difference

__all__ = [
    "SCHEMA",
    "Action",
    "AnyPanelRow",
    "ApprovalRow",
    "ClassOrderReason",
    "ColumnRow",
    "ConversionRow",
    "CriteriaRow",
    "CriterionRow",
    "DocumentError",
    "FindingRow",
    "InterfaceRow",
    "LimitRow",
    "MisreadingReason",
    "NetworkRow",
    "NextStep",
    "NoSubjectsReason",
    "PanelRow",
    "PreprocessingReason",
    "ProvenanceRow",
    "Reason",
    "SettingsRow",
    "TablePanelRow",
    "TimingsRow",
    "UnaskedRow",
    "UnseenReason",
    "VerdictDocument",
    "VolatileRow",
    "WaiverRow",
    "WaiverUseRow",
    "WaiversRow",
    "check_schema",
    "seal",
]

SCHEMA = 3

Action = Literal["rerun", "approve"]


class DocumentError(ValueError):
    """A file that is no verdict of this gate; the message says why and what to do."""


class ApprovalRow(TypedDict):
    """What a baseline's history says of the signature beside it; see `modelcheck.signature.Approval`."""

    state: str
    when: str
    by: str
    even_so: str


class InterfaceRow(TypedDict, total=False):
    """What a network's ``interface`` holds: what was said of its inputs and outputs."""

    outputs: list[str]
    output: str
    input: str
    inputs: dict[str, float]
    label: str
    threshold: float
    preprocessing: str | dict[str, Any]


class InputUseRow(TypedDict):
    """What pictures use of an input of whole numbers; see `modelcheck.runtimes.pictures.InputUse`."""

    levels: int
    clipped: float
    reached: float
    low: float
    high: float


class HiddenLayersRow(TypedDict):
    """How many of a network's hidden layers were looked at, where the recipe did not look at all of them."""

    looked_at: int
    total: int


class NetworkRow(TypedDict):
    """A network: its file, the folder and digest of its signature where there is one, a baseline's approval.

    And its layers that augment in a plain call, how many hidden layers were looked at, and how its
    inputs and outputs were understood (`modelcheck.interface.Interface`), where there is something to
    say. Of a file that ships, what
    runs it, in what numbers it computes, the share of pictures whose scores lie at the end of what
    its outputs can say, what pictures use of its input, and why the runtime's plain kernels run it
    or its layers cannot be read.
    """

    name: str
    file: str
    sha256: str
    parameters: int
    bytes: int
    augments: NotRequired[list[str]]
    hidden_layers: NotRequired[HiddenLayersRow]
    folder: NotRequired[str]
    signature: NotRequired[str]
    approval: NotRequired[ApprovalRow]
    interface: NotRequired[InterfaceRow]
    runtime: NotRequired[str]
    precision: NotRequired[str]
    saturation: NotRequired[float]
    probabilities: NotRequired[bool]
    input_use: NotRequired[InputUseRow]
    fallback: NotRequired[str]
    unreadable: NotRequired[str]


class FidelityRow(TypedDict):
    """A layer of a file that ships beside its source's: signal to noise in decibels, and cosine."""

    source: str
    file: str
    snr: float
    cosine: float


class ConversionRow(TypedDict):
    """A file that ships beside the network that it was converted from.

    ``breaks`` is the first layer that is no longer what it was, empty for none; ``changed`` of so
    many ``pictures`` are answered differently.
    """

    layers: list[FidelityRow]
    breaks: str
    changed: int
    pictures: int


@final  # so that its keys tell it from the other
class PanelRow(TypedDict):
    """The held-out pictures that were judged on.

    Without subjects each picture counts by itself. Classes that no picture shows are named where
    there are any, ``regions`` is False where the panel does not say where the evidence may lie, and
    ``conversion`` says what was done to the pictures when they were read, where it was anything.
    """

    digest: str
    pictures: int
    subjects: list[str]
    classes: list[str]
    classes_without_pictures: NotRequired[list[str]]
    regions: NotRequired[bool]
    conversion: NotRequired[str]


class ColumnRow(TypedDict):
    """A variable of a table: its name, its kind (`modelcheck.panel.columns.ColumnKind`), rows that lack it."""

    name: str
    kind: str
    missing: int


@final
class TablePanelRow(TypedDict):
    """The held-out rows of a table that were judged on, and what they are of.

    A target of numbers has no classes. ``populations`` are the sub-populations that are measured, as
    ``division=population``; ``small_populations`` have too few rows for that. ``divisions`` have two
    measured ones or more. The rest is as in `PanelRow`.
    """

    digest: str
    rows: int
    subjects: list[str]
    target: str
    classes: list[str]
    columns: list[ColumnRow]
    populations: list[str]
    small_populations: list[str]
    divisions: list[str]
    classes_without_rows: NotRequired[list[str]]
    conversion: NotRequired[str]


AnyPanelRow = PanelRow | TablePanelRow


class CriterionRow(TypedDict):
    """One limit as it held, but for the metric, which the finding names.

    A row whose ``calibrated_by`` names a metric is ``advisory`` where that one gates.
    """

    about: str
    at_least: float | None
    at_most: float | None
    judged_by: str
    advisory: bool
    optional: bool
    calibrated_by: str
    why: str


class LimitRow(CriterionRow):
    """One row of the file of limits, and whether any value of its metric can fail it."""

    metric: str
    can_fail: bool


class CriteriaRow(TypedDict):
    """The file of limits, and its rows: of several that match, the last counts."""

    file: str
    sha256: str
    rows: list[LimitRow]


class SettingsRow(TypedDict):
    """What the settings decide beside the files: what inputs and outputs mean, pairs of layers, how strict it is.

    A layer of the baseline whose partner is None has none, on purpose. Of the interface
    (`modelcheck.interface.Interface`) only the outputs stand there where nothing is said.
    ``subject_name`` is what one and several of the panel's subjects are called, where the settings
    say.
    """

    outputs: list[str]
    output: NotRequired[str]
    input: NotRequired[str]
    inputs: NotRequired[dict[str, float]]
    label: NotRequired[str]
    threshold: NotRequired[float]
    preprocessing: NotRequired[str | dict[str, Any]]
    layers: dict[str, str | None]
    custom_objects: list[str]
    inconclusive: str
    subject_name: NotRequired[list[str]]


class WaiverRow(TypedDict):
    """One waiver as it is written; days are like 2026-01-31."""

    metric: str
    about: str
    candidate: str
    owner: str
    reason: str
    created: str
    expires: str
    value: float


class WaiverUseRow(WaiverRow):
    """A waiver, what became of it, and the findings that it excuses; if ``worse``, does not."""

    state: str
    findings: list[str]


class WaiversRow(TypedDict):
    """The file of waivers, and what became of each."""

    file: str
    sha256: str
    rows: list[WaiverUseRow]


class FindingRow(TypedDict):
    """One judgement; what could not be measured is None.

    ``off_scale`` stands where no network of the scale has the candidate's kind of layers, and names it.
    """

    key: str
    metric: str
    about: str
    verdict: str
    gating: bool
    value: float | None
    interval: list[float | None] | None
    baseline: float | None
    n: int | None
    evidence: str
    criterion: CriterionRow
    waiver: WaiverRow | None
    off_scale: NotRequired[str]


class ErrorReason(TypedDict):
    """Something raised an error: its text."""

    kind: Literal["error"]
    text: str


class InterruptedReason(TypedDict):
    """A person stopped the run."""

    kind: Literal["interrupted"]


class StoppedReason(TypedDict):
    """pytest gave up: its exit status."""

    kind: Literal["stopped"]
    exit_status: int


class FlakyReason(TypedDict):
    """A test passed only when it was run again."""

    kind: Literal["flaky"]
    test: str


class MarkedXfailReason(TypedDict):
    """A test of the gate is marked xfail."""

    kind: Literal["marked_xfail"]
    test: str


class UnwrittenReason(TypedDict):
    """Report or verdict could not be written to the folder."""

    kind: Literal["unwritten"]
    what: Literal["report", "verdict"]
    folder: str
    text: str


class FailedTestReason(TypedDict):
    """A test failed by itself, beside what was judged."""

    kind: Literal["test_failed"]
    test: str
    text: str


class PytestStatusReason(TypedDict):
    """pytest's exit status, which no failed test explains: a plugin or a hook set it."""

    kind: Literal["pytest_status"]
    exit_status: int


class WaiverReason(TypedDict):
    """A waiver that is a failure of its own."""

    kind: Literal["waiver"]
    use: WaiverUseRow


class NotJudgedReason(TypedDict):
    """Checks that were planned, of so many, and never judged."""

    kind: Literal["not_judged"]
    keys: list[str]
    planned: int


class FindingReason(TypedDict):
    """A finding that stands in the way of a release."""

    kind: Literal["finding"]
    key: str


class BaselineReason(TypedDict):
    """The baseline is not as its last approval left it, or was approved against its own verdict."""

    kind: Literal["baseline"]
    approval: ApprovalRow


class NoCounterpartReason(TypedDict):
    """Layers of the baseline, of so many with the decision, to which no layer of the candidate corresponds."""

    kind: Literal["no_counterpart"]
    layers: list[str]
    total: int


class HiddenLayersReason(TypedDict):
    """The recipe looks at so many of the candidate's hidden layers; of the others nothing is known."""

    kind: Literal["hidden_layers"]
    looked_at: int
    total: int


class UnseenReason(TypedDict):
    """Classes that no picture, or row (``of``), of the panel shows: nothing was judged of them each."""

    kind: Literal["unseen_classes"]
    classes: list[str]
    of: NotRequired[Literal["rows"]]


class NoSubjectsReason(TypedDict):
    """Criteria on subjects that ask nothing: the panel has none, every picture, or row (``of``), counts by itself."""

    kind: Literal["no_subjects"]
    metrics: list[str]
    of: NotRequired[Literal["rows"]]


class SmallGroupsReason(TypedDict):
    """Sub-populations of a table, ``division=population``, of fewer than ``least`` rows: nothing was judged of them."""

    kind: Literal["small_groups"]
    populations: list[str]
    least: int


class UnaskedRow(TypedDict):
    """A question of the report, by its area, that had no say, and what asking it needs."""

    area: str
    needs: Literal["regions", "twins", "criteria", "divisions"]


class QuestionsReason(TypedDict):
    """How many of the report's questions were asked, where not all of them were."""

    kind: Literal["questions"]
    asked: int
    total: int
    unasked: list[UnaskedRow]


class NeverFailingReason(TypedDict):
    """Criteria that gate the release and that no value can fail."""

    kind: Literal["never_failing"]
    limits: list[str]


class AllAdvisoryReason(TypedDict):
    """No criterion that was judged has a say."""

    kind: Literal["all_advisory"]


class UncalibratedReason(TypedDict):
    """Metrics judged by absolute limits, for want of the retrained twins that would calibrate them."""

    kind: Literal["uncalibrated"]
    metrics: list[str]


class OffScaleReason(TypedDict):
    """Metrics that gate, and whose scale is made of networks without the candidate's kind of layers: ``lacking``."""

    kind: Literal["off_scale"]
    metrics: list[str]
    lacking: str


class PreprocessingReason(TypedDict):
    """The candidate surely answers better with its pictures preprocessed in another way, which has this name.

    ``now`` and ``reached`` are balanced accuracies; with those in ``alike`` it does as well.
    ``own_scaling`` names its layers that scale pictures.
    """

    kind: Literal["preprocessing"]
    name: str
    now: float
    reached: float
    alike: list[str]
    own_scaling: list[str]


class ClassOrderReason(TypedDict):
    """The candidate surely answers better with its outputs in another order.

    By output, ``classes`` is what it is read as, the panel's classes, and ``order`` what it seems to
    stand for. ``now`` and ``reached`` are balanced accuracies.
    """

    kind: Literal["class_order"]
    classes: list[str]
    order: list[str]
    now: float
    reached: float


MisreadingReason = PreprocessingReason | ClassOrderReason


class InputUseReason(TypedDict):
    """Pictures use little of what a file's input can hold, or more than it: it was calibrated on others."""

    kind: Literal["input_use"]
    levels: int
    clipped: float
    reached: float
    low: float
    high: float


class SaturatedReason(TypedDict):
    """A file answers with probabilities so coarse that on this share of the pictures nothing is known of margins."""

    kind: Literal["saturated"]
    share: float


class ConversionReason(TypedDict):
    """The first layer of a file that ships that is no longer what it was in its source, and answers that changed."""

    kind: Literal["conversion"]
    layer: str
    snr: float
    changed: int
    pictures: int


class BlackBoxReason(TypedDict):
    """What criteria that gate ask for, and a file that ships cannot be asked: ``runtime`` runs it.

    ``source`` is whether the network was given that it was converted from.
    """

    kind: Literal["black_box"]
    runtime: str
    metrics: list[str]
    source: bool


class PassedReason(TypedDict):
    """Of so many checks that gate the release, how many passed and how many are waived."""

    kind: Literal["passed"]
    passed: int
    waived: int
    total: int


Reason = (
    ErrorReason
    | InterruptedReason
    | StoppedReason
    | FlakyReason
    | MarkedXfailReason
    | UnwrittenReason
    | FailedTestReason
    | PytestStatusReason
    | WaiverReason
    | NotJudgedReason
    | FindingReason
    | BaselineReason
    | NoCounterpartReason
    | HiddenLayersReason
    | UnseenReason
    | NoSubjectsReason
    | SmallGroupsReason
    | QuestionsReason
    | NeverFailingReason
    | AllAdvisoryReason
    | UncalibratedReason
    | OffScaleReason
    | PreprocessingReason
    | ClassOrderReason
    | InputUseReason
    | SaturatedReason
    | ConversionReason
    | BlackBoxReason
    | PassedReason
)


class NextStep(TypedDict):
    """What can be done now: what it is good for, and the command, quoted for a shell."""

    action: Action
    command: str


class ProvenanceRow(TypedDict):
    """With what the two networks were measured, and in what that differs."""

    baseline: dict[str, Any]
    candidate: dict[str, Any]
    differences: list[Difference]


class TimingsRow(TypedDict):
    """The median time of an answer to one picture, for information: the candidate's, and its source's."""

    candidate: float
    source: float | None


class VolatileRow(TypedDict):
    """The only part that differs between two runs on the same files.

    ``measured`` says whether this run measured the candidate or found it in the cache; None where
    it did neither. ``seconds_per_picture`` is how long an answer took where it was measured, where
    that was kept.
    """

    written: str
    measured: Literal["now", "cached"] | None
    today: str
    host: str
    seconds: float
    seconds_per_picture: NotRequired[TimingsRow]


class VerdictDocument(TypedDict):
    """What one run of the gate came to; a part is None where the run did not get that far."""

    schema: int
    verdict: str
    scope: str
    enforced: bool
    run_id: str | None
    suites: dict[str, str]
    settings: SettingsRow | None
    reasons: list[Reason]
    exit_code: int
    candidate: NetworkRow | None
    baseline: NetworkRow | None
    panel: AnyPanelRow | None
    recipe: dict[str, Any] | None
    criteria: CriteriaRow | None
    waivers: WaiversRow | None
    metrics: dict[str, dict[str, float | None]]
    findings: list[FindingRow]
    not_judged: list[str]
    next: list[NextStep]
    provenance: ProvenanceRow | None
    digest: str
    volatile: VolatileRow
    source: NotRequired[NetworkRow]
    conversion: NotRequired[ConversionRow]


def check_schema(document: Mapping[str, Any], name: str) -> None:
    """Refuse a document of another schema, by name.

    Parameters
    ----------
    document : mapping
        From outside: nothing of it is trusted yet.
    name : str
        What messages call the document.

    Raises
    ------
    DocumentError
        When the document's schema is not `SCHEMA`.

    Examples
    --------
    >>> check_schema({"schema": SCHEMA}, "The verdict")
    >>> check_schema({}, "The verdict")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    modelcheck.judgement.document.DocumentError: The verdict is no verdict of this gate: ...
    """
    schema = document.get("schema")
    if type(schema) is not int:
        raise DocumentError(f"{name} is no verdict of this gate: it has no schema. Run the gate again: pytest suites/")
    if schema < SCHEMA:
        raise DocumentError(
            f"{name} has schema {schema}, of an older modelcheck; this one reads schema {SCHEMA}. Run the gate again: "
            "pytest suites/"
        )
    if schema > SCHEMA:
        raise DocumentError(
            f"{name} has schema {schema}, of a newer modelcheck; this one reads schema {SCHEMA}. Update modelcheck, or "
            "run the gate again with this one: pytest suites/"
        )


def seal(document: Mapping[str, Any]) -> str:
    """Return the sha256, in hex, over everything but ``digest`` and ``volatile``.

    It shows damage and edits by hand. Whoever wants to forge a verdict can write it anew: keep the
    file where only the gate's job can write.

    Examples
    --------
    >>> seal({"verdict": "pass", "digest": "old"}) == seal({"verdict": "pass"})
    True
    >>> seal({"verdict": "pass"}) == seal({"verdict": "fail"})
    False
    """
    kept = {key: value for key, value in document.items() if key not in ("digest", "volatile")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, allow_nan=False).encode()).hexdigest()
