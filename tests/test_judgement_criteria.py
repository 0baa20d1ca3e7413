"""A number passes only when it was measured and lies within its limits; everything else is told apart."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from modelcheck.comparison import METRICS
from modelcheck.judgement.criteria import (
    FARTHEST,
    CriteriaError,
    Criterion,
    criterion_for,
    find_never_failing,
    inform_where_calibrated,
    read_criteria,
)
from modelcheck.judgement.findings import Finding, Verdict, judge, overall
from modelcheck.judgement.measured import Measured

few = settings(max_examples=150, deadline=None)
numbers = st.one_of(st.integers(-3, 3), st.floats(-3, 3))
anything = st.floats(allow_nan=True, allow_infinity=True)
ends = st.none() | st.tuples(st.one_of(numbers, anything), st.one_of(numbers, anything))


@st.composite
def criteria(draw):
    """Return any criterion that can be written."""
    low, high = sorted(draw(st.tuples(numbers, numbers)))
    which = draw(st.sampled_from(["low", "high", "both"]))
    return Criterion(
        metric="accuracy",
        why="as agreed",
        at_least=None if which == "high" else low,
        at_most=None if which == "low" else high,
        judged_by=draw(st.sampled_from(["value", "interval"])),
        advisory=draw(st.booleans()),
        calibrated_by=draw(st.sampled_from(["", "likeness"])),
    )


def slow_verdict(value, criterion, interval):
    """Return the verdict by cases, one sentence of the documentation each."""
    low = criterion.at_least if criterion.at_least is not None else -math.inf
    high = criterion.at_most if criterion.at_most is not None else math.inf
    sound = interval is not None and all(math.isfinite(end) for end in interval) and interval[0] <= interval[1]
    if math.isnan(value) or math.isinf(value):
        return "unmeasured"
    touches = sound and max(interval[0], low) <= min(interval[1], high)
    if criterion.judged_by == "interval":
        if not sound:
            return "unmeasured"
        if low <= interval[0] and interval[1] <= high:
            return "pass"
        return "inconclusive" if touches else "fail"
    if low <= value <= high:
        return "pass"
    return "inconclusive" if touches else "fail"


def finding(verdict, *, advisory=False, metric="accuracy"):
    """Return a finding with a verdict."""
    return Finding(
        measured=Measured(metric=metric, value=0.5),
        criterion=Criterion(metric=metric, why="as agreed", at_least=0.5, advisory=advisory),
        verdict=verdict,
    )


def judged(value, criterion, **known):
    """Return what a criterion says about a value of its metric."""
    return judge(Measured(metric=criterion.metric, value=value, **known), criterion)


@few
@given(value=st.one_of(numbers, anything), criterion=criteria(), interval=ends)
def test_verdict_is_the_documented_one(value, criterion, interval):
    """`judge` agrees with the slow reading of its documentation, whatever it is given."""
    assert judged(value, criterion, interval=interval).verdict.value == slow_verdict(value, criterion, interval)


def test_the_slow_verdict_can_disagree():
    """The oracle is no echo: it tells a passing value from a failing one."""
    criterion = Criterion(metric="accuracy", at_least=0.5, why="as agreed")
    assert slow_verdict(0.5, criterion, None) != slow_verdict(0.4, criterion, None)


@few
@given(criterion=criteria(), interval=ends, value=st.sampled_from([math.nan, math.inf, -math.inf]))
def test_what_was_not_measured_never_passes(criterion, interval, value):
    """NaN and infinity are unmeasured under every criterion and interval."""
    assert judged(value, criterion, interval=interval).verdict is Verdict.UNMEASURED


@pytest.mark.slow
@few
@given(value=numbers, criterion=criteria(), interval=ends)
def test_a_pass_lies_within_the_limits(value, criterion, interval):
    """Whatever passes has its value, or its whole interval, within both limits."""
    found = judged(value, criterion, interval=interval)
    assume(found.verdict is Verdict.PASS)
    held = interval if criterion.judged_by == "interval" else (value,)
    assert all(criterion.at_least is None or end >= criterion.at_least for end in held)
    assert all(criterion.at_most is None or end <= criterion.at_most for end in held)


@pytest.mark.parametrize(
    ("value", "interval", "judged_by", "verdict"),
    [
        (0.9, None, "value", "pass"),
        (0.9 - 1e-12, None, "value", "fail"),
        (0.8, (0.7, 0.9), "value", "inconclusive"),
        (0.8, (0.7, 0.89), "value", "fail"),
        (0.95, (0.1, 0.2), "value", "pass"),
        (0.95, None, "interval", "unmeasured"),
        (0.95, (0.9, 0.99), "interval", "pass"),
        (0.95, (0.89, 0.99), "interval", "inconclusive"),
        (0.85, (0.8, 0.89), "interval", "fail"),
        (0.95, (0.99, 0.9), "interval", "unmeasured"),
        (0.95, (0.9, math.nan), "interval", "unmeasured"),
        (0.8, (math.nan, 0.95), "value", "fail"),
    ],
    ids=str,
)
def test_limits_are_inclusive_and_intervals_leave_room_for_doubt(value, interval, judged_by, verdict):
    """The boundary passes; an interval across it is inconclusive; one upside down or with NaN is none."""
    criterion = Criterion(metric="accuracy", at_least=0.9, why="as agreed", judged_by=judged_by)
    assert judged(value, criterion, interval=interval).verdict.value == verdict


def test_judge_carries_what_explains_the_verdict():
    """What it is about, interval, baseline, number and evidence reach the finding and its sentence."""
    found = judged(
        0.75,
        Criterion(metric="subject_accuracy", at_least=0.8, at_most=1, why="as agreed"),
        about="glickman",
        interval=(0.6, 0.79),
        baseline=0.9375,
        n=32,
        evidence="8 of 32 wrong.",
    )
    assert found.key == "subject_accuracy[glickman]"
    assert found.sentence() == (
        "FAIL: subject_accuracy[glickman] = 0.750 [0.600, 0.790], must be at least 0.8 and at most 1; "
        "baseline 0.938; 32 observations. 8 of 32 wrong."
    )
    assert "; 32 pictures. 8 of" in found.sentence(("picture", "pictures"))
    assert "; 1 picture. 8 of" in replace(found, measured=replace(found.measured, n=1)).sentence(
        ("picture", "pictures")
    )


def test_sentence_of_an_unmeasured_value_says_so():
    """A value that is missing reads 'not measured', not 'nan'."""
    found = judged(math.nan, Criterion(metric="accuracy", at_least=0.8, why="as agreed"))
    assert found.sentence() == "UNMEASURED: accuracy = not measured, must be at least 0.8."


@pytest.mark.parametrize("about", ["", "conv1"], ids=["network", "layer"])
def test_measured_and_finding_share_their_key(about):
    """A metric has one flat name before and after it is judged."""
    criterion = Criterion(metric="same_features", at_least=0.5, why="as agreed")
    key = Measured(metric="same_features", about=about, value=0.7).key
    assert key == judged(0.7, criterion, about=about).key == ("same_features[conv1]" if about else "same_features")


@few
@given(verdicts=st.lists(st.tuples(st.sampled_from(Verdict), st.booleans()), max_size=6))
def test_overall_is_the_gravest_gating_verdict(verdicts):
    """Over all: advisory findings have no say, the gravest counts, and nothing at all is unmeasured."""
    gating = [verdict for verdict, advisory in verdicts if not advisory]
    gating = [Verdict.PASS if verdict is Verdict.WAIVED else verdict for verdict in gating]
    gravity = [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.UNMEASURED, Verdict.FAIL]
    expected = max(gating, key=gravity.index) if gating else Verdict.UNMEASURED
    assert overall(finding(verdict, advisory=advisory) for verdict, advisory in verdicts) is expected


def test_gravity_is_one_order():
    """From a pass, which is nothing, to a failure: waived is graver than passed, unmeasured graver than in doubt."""
    order = sorted(Verdict, key=lambda verdict: verdict.gravity)
    assert [verdict.value for verdict in order] == ["pass", "waived", "inconclusive", "unmeasured", "fail"]
    assert [verdict.gravity for verdict in order] == [0, 1, 2, 3, 4]


def test_a_criterion_judges_its_own_metric_alone():
    """A limit on another metric is an error, never a verdict."""
    with pytest.raises(ValueError, match="The criterion on 'kappa' cannot judge 'accuracy'"):
        judge(Measured(metric="accuracy", value=1.0), Criterion(metric="kappa", at_least=0, why="as agreed"))


def test_what_is_silent_has_no_say():
    """A measure that its own calibration silences is unmeasured, stands in nobody's way, and keeps its criterion."""
    limit = Criterion(metric="accuracy", at_least=0.5, why="as agreed")
    found = judged(math.nan, limit, silent=True)
    assert (found.verdict, found.gating, found.red) == (Verdict.UNMEASURED, False, False)
    assert found.criterion is limit


def test_what_is_asked_for_by_name_is_never_silent():
    """A row that names a thing requires it: unmeasured is then red; a glob, however narrow, does not name it."""
    silent = Measured(metric="map_ssim", about="conv1", value=math.nan, silent=True)
    rows = {
        about: Criterion(metric="map_ssim", at_least=0.5, why="as agreed", about=about) for about in ("conv1", "conv?")
    }
    assert [judge(silent, rows[about]).red for about in rows] == [True, False]
    advisory = replace(rows["conv1"], advisory=True)
    assert not judge(silent, advisory).red
    silenced = judge(silent, rows["conv1"]).to_dict() | {"gating": False}
    with pytest.raises(ValueError, match="contradicts itself"):
        Finding.from_dict(silenced)


@pytest.mark.parametrize(
    "change",
    [{"key": "other"}, {"about": "x"}, {"gating": True}, {"verdict": "waived"}],
    ids=["key", "about", "gating", "waived by nobody"],
)
def test_a_row_that_contradicts_itself_is_no_finding(change):
    """Key, say in the release and waiver follow from the rest of the row; where they do not, it is refused."""
    row = judged(1.0, Criterion(metric="accuracy", at_least=0.5, why="as agreed", advisory=True)).to_dict()
    with pytest.raises(ValueError, match="contradicts itself"):
        Finding.from_dict({**row, **change})


def test_a_literal_bracket_is_written_in_brackets():
    """In ``about`` a ``[`` opens a set of letters: the layer ``block[1]`` is named ``block[[]1]``."""
    rows = {
        glob: [Criterion(metric="m", about=glob, at_least=0, why="as agreed")] for glob in ("block[1]", "block[[]1]")
    }
    found = {glob: criterion_for(row, "m", "block[1]") is not None for glob, row in rows.items()}
    assert found == {"block[1]": False, "block[[]1]": True}
    assert criterion_for(rows["block[1]"], "m", "block1") is not None


@few
@given(globs=st.lists(st.sampled_from(["*", "conv*", "conv2d_1", "dense", "visitor_?"]), max_size=5))
def test_last_matching_row_wins(globs):
    """Of the rows that match, the last counts, as in a CODEOWNERS file; rows on other metrics never do."""
    rows = [Criterion(metric="m", about=glob, at_least=row, why="as agreed") for row, glob in enumerate(globs)]
    rows.append(Criterion(metric="other", at_least=99, why="as agreed"))
    matching = [row for row, glob in enumerate(globs) if glob in ("*", "conv*", "conv2d_1")]
    chosen = criterion_for(rows, "m", "conv2d_1")
    assert (chosen is None) if not matching else chosen.at_least == matching[-1]


ABSOLUTE = '[[criterion]]\nmetric = "recognition"\nat_least = 0.7\nwhy = "as agreed"\ncalibrated_by = "likeness"\n'
CALIBRATED = '[[criterion]]\nmetric = "likeness"\nat_least = 0.6\nwhy = "as agreed"\n'


def test_a_limit_yields_to_the_calibrated_one_that_gates(tmp_path):
    """A row that names a calibrated metric informs exactly where that one is judged; the others stay as written."""
    (tmp_path / "criteria.toml").write_text(ABSOLUTE + CALIBRATED)
    rows, _ = read_criteria(tmp_path / "criteria.toml", metrics=["recognition", "likeness"])
    assert [row.advisory for row in inform_where_calibrated(rows, ())] == [False, False]
    assert [row.advisory for row in inform_where_calibrated(rows, {"likeness"})] == [True, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ABSOLUTE, "no row on that metric gates"),
        (ABSOLUTE + CALIBRATED + "advisory = true\n", "no row on that metric gates"),
        (ABSOLUTE + "advisory = true\n" + CALIBRATED, "nothing can take its place"),
        (ABSOLUTE.replace("likeness", "likenes") + CALIBRATED, "no row on that metric gates"),
    ],
    ids=["missing", "advisory", "advisory itself", "misspelled"],
)
def test_no_limit_yields_to_nobody(tmp_path, text, words):
    """Where what takes a row's place would not gate, the file is refused."""
    (tmp_path / "criteria.toml").write_text(text)
    with pytest.raises(CriteriaError, match=words):
        read_criteria(tmp_path / "criteria.toml", metrics=["recognition", "likeness"])


def test_no_row_for_a_metric_is_none():
    """A metric without a row has no criterion, rather than a lenient one."""
    assert criterion_for([], "m", "") is None
    assert criterion_for([Criterion(metric="m", about="dense", at_least=0, why="as agreed")], "m", "conv") is None


@few
@given(
    value=st.one_of(numbers, anything),
    criterion=criteria(),
    interval=ends,
    n=st.none() | st.integers(0, 99),
)
def test_finding_survives_json(value, criterion, interval, n):
    """A finding sent as strict JSON and rebuilt has the same verdict, key, criterion and row."""
    known = {"about": "an2i", "interval": interval, "baseline": value, "n": n, "evidence": "seen"}
    found = judged(value, criterion, **known)
    sent = json.dumps(found.to_dict(), allow_nan=False)
    rebuilt = Finding.from_dict(json.loads(sent))
    assert json.dumps(rebuilt.to_dict(), allow_nan=False) == sent
    assert (rebuilt.verdict, rebuilt.key, rebuilt.criterion) == (found.verdict, found.key, found.criterion)
    assert (rebuilt.gating, rebuilt.red) == (found.gating, found.red)
    kept = rebuilt.measured.value
    assert kept == pytest.approx(value, abs=1e-6) if math.isfinite(value) else math.isnan(kept)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"metric": "", "at_least": 0, "why": "x"}, "needs a metric and a why"),
        ({"metric": "m", "at_least": 0, "why": "  "}, "needs a metric and a why"),
        ({"metric": "m", "why": "x"}, "needs a finite at_least or at_most"),
        ({"metric": "m", "why": "x", "at_least": math.nan}, "needs a finite at_least or at_most"),
        ({"metric": "m", "why": "x", "at_least": 0, "at_most": math.inf}, "needs a finite at_least or at_most"),
        ({"metric": "m", "why": "x", "at_least": 10**400}, "needs a finite at_least or at_most"),
        ({"metric": "m", "why": "x", "at_least": 1, "at_most": 0.5}, "can never hold: at_least=1 is above"),
        ({"metric": "m", "why": "x", "at_least": 1, "judged_by": "eye"}, "'value' or 'interval', not 'eye'"),
    ],
    ids=["no metric", "no why", "no limit", "nan", "infinite", "too large", "empty", "judged by"],
)
def test_impossible_criterion_is_refused(settings_, message):
    """A criterion that says nothing, or that nothing could meet, does not exist."""
    with pytest.raises(CriteriaError, match=message):
        Criterion(**settings_)


BOUNDS = {name: (metric.lowest, metric.highest) for name, metric in METRICS.items()}
AGREED = Criterion(metric="kappa", at_least=0.4, why="as agreed")


@pytest.mark.parametrize(
    ("metric", "limits", "idle"),
    [
        ("group_accuracy", {"at_least": 0}, True),
        ("group_accuracy", {"at_least": -3.0}, True),
        ("group_accuracy", {"at_most": 1}, True),
        ("group_accuracy", {"at_least": 0, "at_most": 1}, True),
        ("group_accuracy", {"at_least": 1e-9}, False),
        ("group_accuracy", {"at_least": 0, "at_most": 0.99}, False),
        ("map_ssim", {"at_least": -1}, True),
        ("answers", {"at_least": 1}, True),
        ("flipping_gain", {"at_least": 0.0}, False),
        ("trigger", {"at_most": 1.0}, False),
        ("trigger", {"at_most": FARTHEST}, True),
        ("trigger", {"at_most": 1e308}, True),
        ("transfer", {"at_least": -1e308}, True),
        ("mass_over_area", {"at_least": 0}, True),
    ],
    ids=str,
)
def test_a_limit_that_no_value_can_miss_is_named(metric, limits, idle):
    """Limits at or beyond the ends of what a metric can be, or that only something absurd could miss, are found."""
    row = Criterion(metric=metric, why="as agreed", **limits)
    assert find_never_failing([AGREED, row], BOUNDS) == ((row,) if idle else ())


def test_a_limit_that_never_fails_still_wants_a_measurement():
    """It is legal, and what was not measured is red under it as under any other."""
    row = Criterion(metric="kappa", at_least=-1, why="as agreed")
    assert judged(math.nan, row).red


def test_criteria_that_nothing_could_fail_are_refused():
    """Where every row that gates would let everything through there is no gate; an advisory row changes nothing."""
    rows = [Criterion(metric=name, at_least=-1, why="as agreed") for name in ("kappa", "map_ssim")]
    with pytest.raises(CriteriaError, match="No value can fail any of the 2 criteria that gate the release; the first"):
        find_never_failing([*rows, replace(AGREED, advisory=True)], BOUNDS)
    assert find_never_failing([replace(AGREED, advisory=True)], BOUNDS) == ()


@pytest.mark.parametrize("path", ["suites/criteria.toml", "modelcheck/cli/starter/criteria.toml"])
def test_the_limits_that_we_ship_can_fail(path):
    """Neither the suites of the example nor what `init` writes hold a row that means nothing."""
    rows, _ = read_criteria(path, metrics=METRICS)
    assert find_never_failing(rows, {**BOUNDS, "answers": (1.0, 2.0)}) == ()


GOOD = """
[[criterion]]
metric = "accuracy"
at_least = 0.9
why = "the release before had 0.93"

[[criterion]]
metric = "same_features"
about = "dense*"
at_least = 0.5
at_most = 1
judged_by = "interval"
advisory = true
why = "as agreed"
"""


def test_criteria_file_is_read_as_written(tmp_path):
    """Each [[criterion]] table is one row, in order, with the documented defaults."""
    path = tmp_path / "criteria.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert read_criteria(path, metrics=["accuracy", "same_features"])[0] == (
        Criterion(metric="accuracy", at_least=0.9, why="the release before had 0.93"),
        Criterion(
            metric="same_features",
            about="dense*",
            at_least=0.5,
            at_most=1,
            judged_by="interval",
            advisory=True,
            why="as agreed",
        ),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no [[criterion]] row: nothing would be judged"),
        ("criterion = []", "holds no [[criterion]] row"),
        ("criterion = [1]", "holds no [[criterion]] row"),
        ("criterion = ['metric']", "holds no [[criterion]] row"),
        ("[criterion]\nmetric = 'accuracy'", "holds no [[criterion]] row"),
        ("[[criteria]]\nmetric = 'accuracy'", "unknown key 'criteria'. Did you mean 'criterion'?"),
        ("[[criterion", "is not valid TOML"),
        ("criterion = " + "[" * 5000, "is not valid TOML"),
        ("[[criterion]]\nmetric = 'acuracy'\nat_least = 1\nwhy = 'x'", "does not exist. Did you mean 'accuracy'?"),
        ("[[criterion]]\nat_least = 1\nwhy = 'x'", "limits the metric '', which does not exist"),
        ("[[criterion]]\nmetric = 'accuracy'\nat_last = 1\nwhy = 'x'", "'at_last'. Did you mean 'at_least'?"),
        ("[[criterion]]\nmetric = 'accuracy'\nat_least = 1", "needs a metric and a why"),
        (
            "[[criterion]]\nmetric = 'accuracy'\nwhere = 'x'\nat_least = 1\nwhy = 'x'",
            "'where', which is called 'about'",
        ),
        ("[[criterion]]\nmetric = 'accuracy'\nat_least = '1'\nwhy = 'x'", "at_least must be a number, not '1'"),
        ("[[criterion]]\nmetric = 'accuracy'\nat_least = true\nwhy = 'x'", "at_least must be a number, not True"),
        ("[[criterion]]\nmetric = 'accuracy'\nat_least = nan\nwhy = 'x'", "needs a finite at_least or at_most"),
        ("[[criterion]]\nmetric = ['accuracy']\nat_least = 1\nwhy = 'x'", "metric must be text"),
        ("[[criterion]]\nmetric = 'accuracy'\nat_least = 1\nwhy = 2", "why must be text, not 2"),
        ("[[criterion]]\nmetric = 'accuracy'\nat_least = 1\nwhy = 'x'\nadvisory = 'no'", "advisory must be true or"),
    ],
    ids=range(19),
)
def test_bad_criteria_file_is_refused(tmp_path, text, message):
    """A file that would judge nothing, or not what was meant, is an error that says where."""
    path = tmp_path / "criteria.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CriteriaError, match=re.escape(message)):
        read_criteria(path, metrics=["accuracy"])


def test_missing_criteria_file_is_refused(tmp_path):
    """No file, or a folder in its place, judges nothing and says so."""
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(CriteriaError, match="nothing would be judged"):
            read_criteria(path, metrics=["accuracy"])


@settings(max_examples=60, deadline=None)
@given(content=st.one_of(st.binary(max_size=80), st.text(alphabet="[]criteon='\"\n 1.#", max_size=60).map(str.encode)))
def test_any_bytes_are_criteria_or_an_error(tmp_path_factory, content):
    """Whatever the file holds, the answer is rows or a CriteriaError."""
    path = tmp_path_factory.mktemp("criteria") / "criteria.toml"
    path.write_bytes(content)
    with pytest.raises(CriteriaError):
        read_criteria(path, metrics=["accuracy"])
