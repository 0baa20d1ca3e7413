"""Every reason and every next step of a verdict is told in terminal, Markdown and page."""

import datetime
import html
import io
import re
import shlex
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from modelcheck.gate.reading import find_mismatch
from modelcheck.gate.settings import Settings
from modelcheck.gate.verdict import Outcome, verdict_document
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.document import SCHEMA, Action, DocumentError, Reason
from modelcheck.judgement.findings import Finding, Verdict
from modelcheck.judgement.measured import Measured
from modelcheck.judgement.waivers import WaiverState
from modelcheck.metrics.triggers import MIN_TWINS
from modelcheck.report import print_summary, summary_markdown, write_report
from modelcheck.report.reasons import describe_action, describe_reason, main_reason
from modelcheck.signature import ApprovalState
from reports import CORPUS, empty_document

WAIVER = {
    "metric": "subject_accuracy",
    "about": "ben",
    "candidate": "a" * 64,
    "owner": "mona",
    "reason": "a known stranger",
    "created": "2026-01-01",
    "expires": "2026-02-01",
    "value": 0.5,
}
USE = {**WAIVER, "state": "worse", "findings": ["subject_accuracy[ben]"]}
# One of each kind, and what a reader must learn from it.
APPROVAL = {"state": "unknown", "when": "", "by": "", "even_so": ""}
REASONS = {
    "error": ({"text": "no such panel"}, ["no such panel"]),
    "interrupted": ({}, ["was interrupted", "Run it again"]),
    "stopped": ({"exit_status": 7}, ["exit status 7"]),
    "flaky": ({"test": "suites/test_a.py"}, ["suites/test_a.py", "flaky"]),
    "marked_xfail": ({"test": "suites/test_a.py"}, ["suites/test_a.py", "xfail"]),
    "unwritten": (
        {"what": "verdict", "folder": "out", "text": "disk full"},
        ["verdict", "out", "disk full", "--modelcheck-report"],
    ),
    "test_failed": ({"test": "suites/test_a.py", "text": "assert 0"}, ["suites/test_a.py", "failed", "assert 0"]),
    "pytest_status": ({"exit_status": 6}, ["exit status is 6", "no failed test explains"]),
    "waiver": ({"use": USE}, ["waiver of subject_accuracy[ben]", "granted for 0.5"]),
    "not_judged": ({"keys": list("abcdefgh"), "planned": 12}, ["8 of 12", "a, b, c, d, e, f and 2 more"]),
    "finding": ({"key": "subject_accuracy[ben]"}, ["1 of 1 check did not pass", "ccuracy"]),
    "all_advisory": ({}, ["is advisory"]),
    "preprocessing": (
        {"name": "tf", "now": 0.5, "reached": 0.97, "alike": ["torch"], "own_scaling": ["scaling"]},
        ["0.50 now", "0.97 with 'tf'", "as good with 'torch'", "by 'scaling'", "--modelcheck-preprocessing tf"],
    ),
    "class_order": (
        {"classes": ["a", "b", "c"], "order": ["b", "a", "c"], "now": 0.02, "reached": 0.97},
        ["what it calls 'a' is 'b', and what it calls 'b' is 'a'.", "0.02 as it is read", "0.97", "outputs (b, a, c)"],
    ),
    "baseline": ({"approval": APPROVAL}, ["The baseline was never approved", "modelcheck history"]),
    "no_counterpart": (
        {"layers": ["conv3", "dense1"], "total": 5},
        ["No counterpart for 2 of 5 layers, so that nothing is said of them: conv3, dense1."],
    ),
    "hidden_layers": (
        {"looked_at": 8, "total": 52},
        ["8 of 52 hidden layers were looked at", "hidden_layers", "of the others nothing is known"],
    ),
    "unseen_classes": ({"classes": list("abcdefgh")}, ["Of 8 classes", "no picture", "a, b, c, d, e, f and 2 more"]),
    "no_subjects": ({"metrics": ["subject_accuracy"]}, ["no subjects", "subject_accuracy is not asked"]),
    "small_groups": (
        {"populations": ["sex=x", "site=B"], "least": 10},
        ["2 sub-populations have fewer than 10 rows", "nothing was judged", "sex=x, site=B"],
    ),
    "questions": (
        {
            "asked": 3,
            "total": 5,
            "unasked": [{"area": "attention", "needs": "regions"}, {"area": "triggers", "needs": "twins"}],
        },
        [
            "3 of 5 questions were asked",
            "Attention: the panel does not say where",
            f"it takes {('one', 'two', 'three')[MIN_TWINS - 2]} retrained twins of the baseline",
        ],
    ),
    "never_failing": ({"limits": ["kappa at least -1"]}, ["can fail 1 of the criteria", "kappa at least -1"]),
    "uncalibrated": (
        {"metrics": ["recognition", "worst_recognition"]},
        ["Uncalibrated", "recognition, worst recognition", "modelcheck calibrate BASELINE --twin"],
    ),
    "off_scale": (
        {"metrics": ["likeness", "map_agreement"], "lacking": "normalisation"},
        ["likeness, map agreement", "kind of layers, normalisation", "calibrate BASELINE --twin", "--twin NEW"],
    ),
    "input_use": (
        {"levels": 2, "clipped": 0.0, "reached": 0.004, "low": 0.0, "high": 255.0},
        ["values from 0 to 255", "use 0.4 % of that, 2 stored values", "Convert it again"],
    ),
    "saturated": ({"share": 0.92}, ["probabilities of whole numbers", "92%", "Convert it with its scores"]),
    "conversion": (
        {"layer": "dense1", "snr": -3.2, "changed": 4, "pictures": 24},
        ["breaks first at 'dense1'", "keeps \N{MINUS SIGN}3 dB", "4 of 24 answers changed"],
    ),
    "black_box": (
        {"runtime": "litert", "metrics": ["mapped_units", "reach"], "source": False},
        ["2 criteria are not asked: mapped units and reach.", "a LiteRT file", "--source PARENT.keras"],
    ),
    "passed": ({"passed": 3, "waived": 1, "total": 4}, ["3 of 4", "1 waived"]),
}
KINDS = [get_args(get_type_hints(shape)["kind"])[0] for shape in get_args(Reason)]
RED = Finding(
    measured=Measured(metric="subject_accuracy", about="ben", value=0.5, interval=(0.4, 0.6), baseline=0.9, n=8),
    criterion=Criterion(metric="subject_accuracy", at_least=0.75, why="nobody is left behind"),
    verdict=Verdict.FAIL,
)


def in_terminal(document, folder):
    file = io.StringIO()
    print_summary(document, Console(file=file, width=500), report="report/index.html")
    return file.getvalue()


def in_markdown(document, folder):
    return html.unescape(re.sub(r"\\(?=[\W_])", "", summary_markdown(document)))


def in_page(document, folder):
    text = write_report(folder, document).read_text(encoding="utf-8")
    text = re.sub(r"</?span[^>]*>", "", text)  # those stand within a command
    return html.unescape(re.sub(r"<(?:style|script).*?</(?:style|script)>|<[^>]*>", " ", text, flags=re.DOTALL))


READERS = pytest.mark.parametrize("read", [in_terminal, in_markdown, in_page])


def told(read, document, folder):
    """Return what a reader sees, in one line."""
    return " ".join(read(document, folder).split())


@READERS
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_reason_is_told_everywhere(read, kind, tmp_path):
    """The facts of each kind of reason reach every reader; a new kind needs an example here."""
    facts, words = REASONS[kind]
    findings = [RED.to_dict()] if kind == "finding" else []
    document = empty_document(reasons=[{"kind": kind, **facts}], findings=findings)
    seen = told(read, document, tmp_path)
    for word in words:
        assert word in seen


@READERS
@pytest.mark.parametrize("verdict", ["pass", "fail", "inconclusive", "unmeasured", "error"])
@pytest.mark.parametrize("action", get_args(Action))
def test_every_next_step_is_told_everywhere(read, action, verdict, tmp_path):
    """A step's command stands whole behind the words that say what it is good for."""
    command = "pytest suites/ --candidate 'my network.keras' --baseline baselines/mine"
    document = empty_document(verdict=verdict, next=[{"action": action, "command": command}])
    assert f"{describe_action(action, verdict=verdict)} {command}" in told(read, document, tmp_path)


@READERS
def test_augmentation_in_a_plain_call_is_told_everywhere(read, tmp_path):
    """A network that augments when it is called plainly says so to every reader, and one that does not says nothing."""
    network = {"name": "net", "file": "net.keras", "sha256": "a" * 64, "parameters": 7, "bytes": 9}
    words = "In a plain call this network augments (layer 'flip'): serve it with predict or training=False."
    assert words in told(read, empty_document(candidate={**network, "augments": ["flip"]}), tmp_path)
    assert "plain call" not in told(read, empty_document(candidate=network), tmp_path)


@READERS
def test_after_a_failure_the_candidate_is_fixed_first(read, tmp_path):
    """Running the gate again is told before an approval, which is for a wanted change only."""
    steps = [{"action": "rerun", "command": "pytest suites/"}, {"action": "approve", "command": "modelcheck approve x"}]
    seen = told(read, empty_document(verdict="fail", next=steps), tmp_path)
    assert 0 < seen.index("Fix the candidate and run the gate again: pytest suites/") < seen.index("Only if the change")


@pytest.mark.parametrize("state", WaiverState)
def test_every_state_of_a_waiver_has_words(state):
    """Whatever became of a waiver, one sentence says which waiver and what."""
    line = describe_reason({"kind": "waiver", "use": {**USE, "state": state.value}})
    assert re.fullmatch(r"The waiver of subject_accuracy\[ben\] \w.+\.", line)


def test_the_main_reason_has_all_that_is_known():
    """As the one sentence, a finding comes with value and limit; no reason gives no sentence."""
    document = empty_document(reasons=[{"kind": "finding", "key": RED.key}], findings=[RED.to_dict()])
    assert main_reason(document) == RED.describe(("picture", "pictures"))
    assert "= 0.500 [0.400, 0.600], must be at least 0.75; baseline 0.900; 8 pictures" in main_reason(document)
    assert main_reason({**document, "findings": []}) == "subject_accuracy[ben] did not pass."
    assert main_reason(empty_document()) == ""


@pytest.mark.parametrize("state", ApprovalState)
def test_every_state_of_a_baseline_has_words(state):
    """However the baseline came to be there, one sentence says so; an approval says by whom, and why all the same."""
    approval = {**APPROVAL, "state": state.value, "by": "mona", "even_so": "the camera changed"}
    line = describe_reason({"kind": "baseline", "approval": approval})
    assert line.startswith("The baseline ")
    assert ("by mona against its own verdict: the camera changed" in line) == (state is ApprovalState.APPROVED)


@READERS
@pytest.mark.parametrize("schema", [1, SCHEMA - 1, SCHEMA + 1, None, True, str(SCHEMA)])
def test_a_document_of_another_schema_is_refused(read, schema, tmp_path):
    """No reader shows a document that it may misunderstand: refused by name, with what to do."""
    document = {**empty_document(), "schema": schema}
    with pytest.raises(DocumentError, match=r"schema.*un the gate again"):
        read(document, tmp_path)
    assert not (tmp_path / "index.html").exists()


NAMES = st.sampled_from(["", "ben", "conv1", "decision", "a]b[c", "x[y]", *CORPUS]) | st.text(max_size=8)
METRICS = st.sampled_from(
    ["subject_accuracy", "recognition", "map_ssim", "mass_lift", "answers", "trigger", "own_metric"]
)
VALUES = st.floats(-3, 3) | st.sampled_from([float("nan"), float("inf"), 1e300, 1e-300, -0.0])
DAYS = st.dates(datetime.date(2026, 1, 1), datetime.date(2026, 12, 31)).map(str)


@st.composite
def a_finding(draw):
    """Return any finding that a gate can write, and some that it would not."""
    metric, about = draw(METRICS), draw(NAMES)
    verdict = draw(st.sampled_from(Verdict))
    low, high = sorted(draw(st.tuples(st.floats(-3, 3), st.floats(-3, 3))))
    which = draw(st.sampled_from(["low", "high", "both"]))
    waiver = {**WAIVER, "metric": metric, "about": about, "owner": draw(NAMES), "expires": draw(DAYS)}
    return Finding(
        measured=Measured(
            metric=metric,
            about=about,
            value=draw(VALUES),
            interval=draw(st.none() | st.tuples(VALUES, VALUES)),
            baseline=draw(st.none() | VALUES),
            n=draw(st.none() | st.integers(0, 10**6)),
            evidence=draw(NAMES),
        ),
        criterion=Criterion(
            metric=metric,
            why=draw(NAMES) + "because",
            about=draw(NAMES),
            at_least=None if which == "high" else low,
            at_most=None if which == "low" else high,
            judged_by=draw(st.sampled_from(["value", "interval"])),
            advisory=draw(st.booleans()),
            calibrated_by=draw(st.sampled_from(["", "likeness"])),
        ),
        verdict=verdict,
        waiver=waiver if verdict is Verdict.WAIVED else None,
    )


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(a_finding(), max_size=12),
    st.sampled_from(["pass", "fail", "inconclusive", "unmeasured", "error"]),
    st.sampled_from(["full", "partial", "incomplete"]),
)
def test_no_list_of_findings_breaks_a_reader(tmp_path_factory, findings, verdict, scope):
    """Whatever was judged and however it is called, the document fits and every reader shows it."""
    metrics = {}
    for found in findings:
        metrics.setdefault(found.measured.metric, {})[found.about] = found.to_dict()["value"]
    document = empty_document(
        verdict=verdict,
        scope=scope,
        metrics=metrics,
        findings=[found.to_dict() for found in findings],
        reasons=[{"kind": "finding", "key": found.key} for found in findings if found.red],
    )
    assert find_mismatch(document) == ""
    folder = tmp_path_factory.mktemp("any")
    for read in (in_terminal, in_markdown, in_page):
        assert verdict.upper() in read(document, folder).upper() or read is in_page


def test_commands_are_quoted_for_a_shell():
    """A candidate whose name has a space or a quote is one word of the next command."""
    candidate = Path("it's my net.keras")
    outcome = Outcome(today=datetime.date(2026, 1, 1))
    document = verdict_document(Settings(candidate=candidate), outcome, plan=None, findings=(), evidence=None)
    (step,) = document["next"]
    assert step["action"] == "rerun"
    assert shlex.split(step["command"])[3] == str(candidate)


def test_the_oracle_of_readers_can_fail(tmp_path):
    """What is searched for is not there by itself: another reason's words are not told."""
    for read in (in_terminal, in_markdown, in_page):
        assert "no such panel" not in told(read, empty_document(reasons=[{"kind": "interrupted"}]), tmp_path)
