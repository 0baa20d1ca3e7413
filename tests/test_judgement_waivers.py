"""Waivers: they excuse what they were granted for, until their day, and nothing else."""

import datetime
import hashlib
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates import ROOT, gate
from modelcheck.comparison import METRICS
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import Verdict, judge, overall
from modelcheck.judgement.measured import Measured
from modelcheck.judgement.waiver_file import check_waivers, read_waivers
from modelcheck.judgement.waivers import (
    LONGEST,
    Waiver,
    WaiverError,
    WaiverState,
    apply_waivers,
    recheck_waivers,
)
from modelcheck.report.reasons import describe_reason

SHA = "a" * 64
TODAY = datetime.date(2026, 3, 10)
LIMIT = Criterion(metric="subject_accuracy", at_least=0.75, why="nobody is left behind")


def made(**changes):
    row = {
        "metric": "subject_accuracy",
        "about": "ben",
        "candidate": SHA,
        "owner": "mona",
        "reason": "a known stranger",
        "created": TODAY - datetime.timedelta(days=5),
        "expires": TODAY + datetime.timedelta(days=30),
        "value": 0.5,
    }
    return Waiver(**{**row, **changes})


def judged(value, limit=LIMIT, *, about=""):
    return judge(Measured(metric=limit.metric, about=about, value=value), limit)


def red(value=0.5, about="ben", **changes):
    return judged(value, Criterion(**{**vars(LIMIT), **changes}), about=about)


def applied(*findings, waiver, **options):
    return apply_waivers(findings, [waiver], **{"candidate": SHA, "today": TODAY, **options})


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, WaiverState.USED),
        ({"about": "b*"}, WaiverState.USED),
        ({"expires": TODAY}, WaiverState.USED),
        ({"created": TODAY}, WaiverState.USED),
        ({"value": 0.51}, WaiverState.WORSE),
        ({"expires": TODAY - datetime.timedelta(days=1)}, WaiverState.EXPIRED),
        ({"created": TODAY + datetime.timedelta(days=1)}, WaiverState.EARLY),
        ({"candidate": "b" * 64}, WaiverState.STRANGER),
        ({"about": "ada"}, WaiverState.UNMATCHED),
        ({"metric": "kappa", "about": ""}, WaiverState.UNMATCHED),
    ],
    ids=lambda value: value.name if isinstance(value, WaiverState) else "-".join(value) or "plain",
)
def test_what_becomes_of_a_waiver(changes, state):
    """Only what is granted for this finding, this file and this day excuses; all else leaves it red, and says so."""
    rows, uses = applied(red(), waiver=made(**changes))
    assert uses[0].state is state
    assert (rows[0].verdict is Verdict.WAIVED) == (state is WaiverState.USED)
    assert rows[0].red != (state is WaiverState.USED)
    assert describe_reason({"kind": "waiver", "use": uses[0].to_dict()}).startswith("The waiver of ")


def test_waived_is_neither_pass_nor_red():
    """An excused finding keeps its number and carries who answers for it; over all it stands in nobody's way."""
    rows, _ = applied(red(), judged(1.0, about="ada"), waiver=made())
    assert [row.verdict for row in rows] == [Verdict.WAIVED, Verdict.PASS]
    assert rows[0].to_dict()["waiver"]["owner"] == "mona"
    assert rows[0].measured.value == 0.5
    assert overall(rows) is Verdict.PASS


@pytest.mark.parametrize("finding", [judged(0.9, about="ben"), red(advisory=True)], ids=["pass", "advisory"])
def test_an_excuse_that_nobody_needs_is_unmatched(finding):
    """A waiver of what passes, or has no say, excuses nothing and is a failure of its own."""
    rows, uses = applied(finding, waiver=made())
    assert rows == [finding]
    assert uses[0].state is WaiverState.UNMATCHED


def test_what_was_not_measured_cannot_be_waived():
    """NaN stays unmeasured, whatever was granted."""
    rows, uses = applied(red(math.nan), waiver=made())
    assert rows[0].verdict is Verdict.UNMEASURED
    assert uses[0].state is WaiverState.WORSE


def test_one_of_several_that_is_worse_voids_the_waiver():
    """A pattern excuses each of its findings only as far as it was granted, and fails when one is beyond."""
    rows, uses = applied(red(0.5), red(0.4, about="bob"), waiver=made(about="b*"))
    assert [row.verdict for row in rows] == [Verdict.WAIVED, Verdict.FAIL]
    assert (uses[0].state, uses[0].keys) == (WaiverState.WORSE, ("subject_accuracy[bob]",))


def test_a_narrowed_run_leaves_waivers_of_other_parts_alone():
    """Where the finding was left out on purpose its waiver is not called unmatched; elsewhere it is."""
    assert applied(waiver=made(), unjudged={("subject_accuracy", "ben")})[1][0].state is WaiverState.USED
    assert applied(waiver=made(), unjudged={("subject_accuracy", "ada")})[1][0].state is WaiverState.UNMATCHED


@pytest.mark.parametrize(
    "about", ["*", "**", "?*", "*?", "[!x]*", "[a-z]*", "*[a-z]*", "*e*", "?", "???", "[!x]", "?e*", "[[]*"], ids=str
)
def test_a_pattern_that_could_match_everything_is_refused(about):
    """A glob has to begin or end with letters of what it is for; otherwise any name fits."""
    with pytest.raises(WaiverError, match="could excuse everything"):
        made(about=about)


@pytest.mark.parametrize("about", ["", "ben", "visitor_*", "*_zoe", "visitor_?", "conv[12]", "[[]ben]", "ben]", "b[en"])
def test_a_name_or_a_pattern_with_a_fixed_end_is_a_waivers(about):
    """Names are taken as they are, and a few of a family may be excused in one row."""
    assert made(about=about).about == about


THINGS = {"subject_accuracy": ["ada", "anna", "ben"], "coverage": ["conv1", "conv2"], "trigger": [""], "kappa": [""]}
BOUNDS = {
    "subject_accuracy": (0.0, 1.0),
    "coverage": (0.0, 1.0),
    "trigger": (-math.inf, math.inf),
    "kappa": (-1.0, 1.0),
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value": -1e308}, "subject_accuracy lies between 0 and 1"),
        ({"value": -0.01}, "value is -0.01"),
        ({"value": 2}, "value is 2"),
        ({"metric": "kappa", "about": "", "value": -1.5}, "between -1 and 1"),
        ({"metric": "trigger", "about": "", "value": 1e6}, "between -1000 and 1000"),
        ({"metric": "coverage", "about": "conv*"}, "matches all 2"),
    ],
    ids=str,
)
def test_a_waiver_that_could_excuse_everything_is_refused(changes, words):
    """A value that the metric cannot have, or a glob that leaves none of the layers out, is no waiver."""
    with pytest.raises(WaiverError, match=words):
        check_waivers([made(**changes)], things=THINGS, bounds=BOUNDS)


@pytest.mark.parametrize("changes", [{}, {"about": "a*"}, {"value": 0}, {"metric": "trigger", "about": "", "value": 7}])
def test_a_waiver_of_something_is_taken(changes):
    """What was measured may be waived, also the worst that there is, and for two of three people at once."""
    check_waivers([made(**changes)], things=THINGS, bounds=BOUNDS)


@pytest.mark.parametrize(
    ("granted", "state"),
    [(0.5, "used"), (0.45, "used"), (0.38, "granted for more"), (0.0, "granted for more"), (0.52, "worse")],
)
def test_a_waiver_is_granted_for_what_was_measured(granted, state):
    """A value far worse than the measured one would excuse what nobody has seen: a failure of its own."""
    rows, uses = applied(red(0.5), waiver=made(value=granted))
    assert uses[0].state.value == state
    assert uses[0].keys == ("subject_accuracy[ben]",)
    assert describe_reason({"kind": "waiver", "use": uses[0].to_dict()})
    assert (rows[0].verdict is Verdict.WAIVED) == (state != "worse")


def test_a_waiver_is_granted_for_one_side():
    """Too much is not excused by a waiver of too little, however far that was beyond its limit."""
    limit = Criterion(metric="kappa", at_least=0.2, at_most=0.8, why="both ends")
    for value, granted, excused in ((0.9, 0.1, False), (0.1, 0.9, False), (0.9, 0.9, True), (0.1, 0.1, True)):
        (row,), _ = applied(judged(value, limit), waiver=made(metric="kappa", about="", value=granted))
        assert (row.verdict is Verdict.WAIVED) is excused


def test_the_worst_of_several_decides_what_a_waiver_was_granted_for():
    """One row for a family holds the value of its worst member; the others may be much better."""
    rows, uses = applied(red(0.5), red(0.74, about="bob"), waiver=made(about="b*"))
    assert [row.verdict for row in rows] == [Verdict.WAIVED, Verdict.WAIVED]
    assert uses[0].state is WaiverState.USED


def rechecked(findings, uses, *, candidate=SHA, today=TODAY):
    rows = [use.to_dict() if hasattr(use, "to_dict") else use for use in uses]
    lapsed, bare = recheck_waivers(findings, rows, candidate=candidate, today=today)
    return [use.state.value for use in lapsed], bare


def test_waivers_of_a_document_are_held_against_it_again():
    """What holds holds again; a day later, another file, a better grant or none at all: each is named."""
    rows, uses = applied(red(), judged(1.0, about="ada"), waiver=made())
    assert rechecked(rows, uses) == ([], [])
    key = ["subject_accuracy[ben]"]
    assert rechecked(rows, uses, today=made().expires + datetime.timedelta(days=1)) == (["expired"], key)
    assert rechecked(rows, uses, candidate="b" * 64) == (["for another candidate"], key)
    assert rechecked(rows, []) == ([], key)
    assert rechecked(rows, [{**uses[0].to_dict(), "value": 0.6}]) == (["worse"], key)
    assert rechecked(rows, [{**uses[0].to_dict(), "value": 0.0}])[0] == ["granted for more"]
    assert rechecked(rows, [{**uses[0].to_dict(), "owner": "nobody"}]) == ([], key)
    assert rechecked([red(math.nan)], uses) == (["worse"], [])


@pytest.mark.parametrize(
    "change",
    [{"about": "*"}, {"expires": "2027-01-01"}, {"created": "yesterday"}, {"owner": " "}, {"value": math.inf}],
    ids=str,
)
def test_a_row_that_no_file_can_hold_is_refused_in_a_document_too(change):
    """An edited document cannot bring a waiver that its file could not have brought."""
    rows, uses = applied(red(), waiver=made())
    with pytest.raises(WaiverError):
        rechecked(rows, [{**uses[0].to_dict(), **change}])


@given(
    value=st.floats(-2, 2),
    granted=st.floats(-2, 2),
    low=st.floats(-1, 0),
    high=st.floats(0, 1),
    today=st.dates(TODAY - datetime.timedelta(days=40), TODAY + datetime.timedelta(days=80)),
)
def test_no_waiver_excuses_more_than_it_grants(value, granted, low, high, today):
    """Whatever is excused is red without it, lies no further beyond the limits than granted, and within its days."""
    limit = Criterion(metric="kappa", at_least=low, at_most=high, why="both ends")
    waiver = made(metric="kappa", about="", value=granted)
    (row,), (use,) = applied(judged(value, limit), waiver=waiver, today=today)
    below = low - round(value, 6) >= round(value, 6) - high
    beyond, allowed = (low - round(x, 6) if below else round(x, 6) - high for x in (value, granted))
    excused = not low <= value <= high and beyond <= allowed and waiver.created <= today <= waiver.expires
    assert (row.verdict is Verdict.WAIVED) == excused == (use.state in (WaiverState.USED, WaiverState.WIDE))
    assert (use.state is WaiverState.WIDE) == (excused and allowed > max(beyond, 0) * 1.25 + 0.05)


TEXT = f"""
[[waiver]]
metric = "subject_accuracy"
about = "ben"
candidate = "{SHA}"
owner = "mona"
reason = "a known stranger"
created = 2026-03-05
expires = 2026-04-09
value = 0.5
"""


def test_a_file_is_read(tmp_path):
    """The rows of a file, and the digest of its bytes."""
    (tmp_path / "w.toml").write_text(TEXT)
    rows, digest = read_waivers(tmp_path / "w.toml", metrics=["subject_accuracy"])
    assert rows == (made(),)
    assert digest == hashlib.sha256(TEXT.encode()).hexdigest()
    (tmp_path / "w.toml").write_text("")
    assert read_waivers(tmp_path / "w.toml", metrics=["subject_accuracy"])[0] == ()


def test_the_documented_row_is_one(tmp_path):
    """The example of docs/gate.md is a waiver that is read."""
    page = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
    (tmp_path / "w.toml").write_text(
        next(text for text in re.findall(r"```toml\n(.*?)```", page, re.S) if "waiver" in text)
    )
    assert len(read_waivers(tmp_path / "w.toml", metrics=METRICS)[0]) == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[[waiver]]", "[[waver]]", "Did you mean 'waiver'"),
        ("[[waiver]]", "[waiver]", "must hold"),
        ("owner", "ownr", "Did you mean 'owner'"),
        ("about", "where", "'where', which is called 'about' now"),
        ("value = 0.5", "", "lacks value"),
        ("value = 0.5", "value = nan", "NaN cannot be waived"),
        ("value = 0.5", "value = true", "value must be a number"),
        ("0.5", '"0.5"', "value must be a number"),
        ('"mona"', '" "', "needs an owner"),
        ('"mona"', '"\\u200b"', "needs an owner"),
        ('"a known stranger"', '"\\u202e\\u3164"', "needs an owner and a reason"),
        ('"mona"', "7", "owner must be text"),
        ('"a known stranger"', '""', "needs an owner and a reason"),
        (SHA, SHA[:-1], "64 hex digits"),
        (SHA, SHA.upper(), "64 hex digits"),
        ("2026-04-09", '"2026-04-09"', "a day without quotes"),
        ("2026-04-09", "2026-04-09T00:00:00Z", "a day without quotes"),
        ("2026-04-09", "2026-06-04", f"within {LONGEST} days"),
        ("2026-04-09", "2026-03-04", "end on or after"),
        ("subject_accuracy", "subject_acuracy", "Did you mean 'subject_accuracy'"),
        ("owner", "owner = 1\nowner", "not valid TOML"),
        (TEXT, TEXT + TEXT, "holds a row twice"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path, old, new, words):
    """Unknown, missing, mistyped, endless: an error that says which, never a waiver that is left out."""
    (tmp_path / "w.toml").write_text(TEXT.replace(old, new))
    with pytest.raises(WaiverError, match=words.replace("[", r"\[")):
        read_waivers(tmp_path / "w.toml", metrics=["subject_accuracy"])


def test_ninety_days_and_no_more():
    """The longest waiver is accepted; a day more is not."""
    made(created=TODAY, expires=TODAY + datetime.timedelta(days=LONGEST))
    with pytest.raises(WaiverError, match="within 90 days"):
        made(created=TODAY, expires=TODAY + datetime.timedelta(days=LONGEST + 1))


def grant(project, *, expires="2026-04-09", value=0.5):
    """Waive what is red about the other candidate."""
    sha = hashlib.sha256((project / "other.keras").read_bytes()).hexdigest()
    rows = (("subject_accuracy", "ben", value), ("accuracy_change", "", -0.25))
    text = "".join(
        f'[[waiver]]\nmetric = "{metric}"\nabout = "{about}"\ncandidate = "{sha}"\nowner = "mona"\n'
        f'reason = "a known stranger"\ncreated = 2026-03-05\nexpires = {expires}\nvalue = {number}\n'
        for metric, about, number in rows
    )
    (project / "suites" / "waivers.toml").write_text(text)


@pytest.mark.slow
def test_a_waived_run_is_amber_everywhere(project):
    """Exit 0 and verdict pass, with the waivers listed; terminal, summary and page say waived, and how many days."""
    grant(project)
    done, verdict = gate(project, "--candidate", "other.keras", "--modelcheck-today", "2026-03-10", "--color", "yes")
    assert done.returncode == 0, done.stdout
    assert (verdict["verdict"], verdict["exit_code"]) == ("pass", 0)
    assert [row["state"] for row in verdict["waivers"]["rows"]] == ["used", "used"]
    waived = {row["key"] for row in verdict["findings"] if row["verdict"] == "waived"}
    assert waived == {"subject_accuracy[ben]", "accuracy_change"}
    assert {"kind": "passed", "passed": 13, "waived": 2, "total": 15} in verdict["reasons"]
    assert "13 of 15 checks that gate the release passed; 2 waived." in done.stdout
    assert "\x1b[33mPASS\x1b[0m" in done.stdout
    assert "2 waived" in done.stdout
    assert "30 days left" in " ".join(done.stdout.split())
    summary = (project / "report" / "summary.md").read_text()
    assert summary.startswith("## \N{LARGE YELLOW CIRCLE} PASS")
    assert "30 days left" in summary.replace("\u2009", " ")
    assert "decide soon" not in summary
    page = (project / "report" / "index.html").read_text()
    assert 'class="page-waived"' in page
    assert "Pass, with waivers" in page
    assert "30 days left" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("today", "code", "words"),
    [("2026-03-27", 0, "13 days left; decide soon"), ("2026-04-10", 1, "expired on 2026-04-09")],
    ids=["soon", "expired"],
)
def test_the_end_is_announced_and_kept(project, today, code, words):
    """Two weeks before its end everybody is told; the day after, the run fails by name."""
    grant(project)
    done, verdict = gate(project, "--candidate", "other.keras", "--modelcheck-today", today)
    assert done.returncode == code == verdict["exit_code"], done.stdout
    assert words in " ".join(done.stdout.split())
    assert (verdict["verdict"] == "pass") == (code == 0)


@pytest.mark.slow
def test_worse_than_granted_fails(project):
    """A finding beyond what was granted stays red, and the waiver that does not cover it is named."""
    grant(project, value=0.6)
    done, verdict = gate(project, "--candidate", "other.keras", "--modelcheck-today", "2026-03-10")
    assert done.returncode == 1, done.stdout
    assert "was granted for 0.6 and does not cover subject_accuracy[ben]" in done.stdout
    (use,) = [reason["use"] for reason in verdict["reasons"] if reason["kind"] == "waiver"]
    assert (use["state"], use["findings"]) == ("worse", ["subject_accuracy[ben]"])


@pytest.mark.slow
def test_better_than_granted_by_far_fails(project):
    """A waiver that would still hold for a much worse network is named, and the run is red by it alone."""
    grant(project, value=0.1)
    done, verdict = gate(project, "--candidate", "other.keras", "--modelcheck-today", "2026-03-10")
    assert done.returncode == 1, done.stdout
    assert verdict["verdict"] == "fail"
    assert "was granted for 0.1, much further from the limit than subject_accuracy[ben] is" in done.stdout
    assert [row["state"] for row in verdict["waivers"]["rows"]] == ["granted for more", "used"]


@pytest.mark.slow
@pytest.mark.parametrize("value", [-1e308, -0.001, 1.5])
def test_a_waiver_for_no_possible_value_is_a_configuration_error(project, value):
    """Nothing is judged by a row that nothing could fail."""
    grant(project, value=value)
    done, _ = gate(project, "--candidate", "other.keras", "--modelcheck-today", "2026-03-10")
    assert done.returncode == 4, done.stdout
    assert "subject_accuracy lies between 0 and 1" in done.stdout


@pytest.mark.slow
def test_criteria_that_let_everything_through_are_a_configuration_error(project):
    """Limits that no network can miss make no gate."""
    row = '[[criterion]]\nmetric = "subject_accuracy"\nat_least = 0\nwhy = "x"\n'
    (project / "suites" / "criteria.toml").write_text(row)
    done, _ = gate(project, "--candidate", "other.keras")
    assert done.returncode == 4, done.stdout
    assert "No value can fail any of the 1 criteria" in done.stdout


@pytest.mark.slow
def test_waivers_of_another_candidate_fail(project):
    """They do not pass on to the next file: a clean candidate beside them is red until they are removed."""
    grant(project)
    done, verdict = gate(project, "--modelcheck-today", "2026-03-10")
    assert done.returncode == 1, done.stdout
    assert verdict["verdict"] == "fail"
    states = [reason["use"]["state"] for reason in verdict["reasons"] if reason["kind"] == "waiver"]
    assert states == ["for another candidate"] * 2
    assert "is for the candidate" in done.stdout


@pytest.mark.slow
def test_workers_waive_alike(project):
    """On two workers the same findings are waived, and the verdict is the same apart from its volatile block."""
    grant(project)
    options = ("--candidate", "other.keras", "--modelcheck-today", "2026-03-10")
    _, serial = gate(project, *options)
    done, spread = gate(project, *options, "-n", "2")
    assert done.returncode == 0, done.stdout
    assert {**serial, "volatile": 0} == {**spread, "volatile": 0}


def test_a_day_that_is_none_is_refused(project):
    """A clock that cannot be read is an error, not today."""
    done, _ = gate(project, "--modelcheck-today", "tomorrow")
    assert done.returncode == 4
    assert "--modelcheck-today must be a day" in done.stdout
