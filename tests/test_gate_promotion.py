"""`modelcheck verdict`: only a full pass for exactly that file releases it; whatever was touched does not."""

import copy
import datetime
import hashlib
import json
import shutil

import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gates import ROOT, gate
from modelcheck.cli.verdict import verdict
from modelcheck.gate.promotion import Demands, promotable, refusal
from modelcheck.gate.reading import read_verdict
from modelcheck.judgement.document import DocumentError, seal

SCHEMA = json.loads((ROOT / "docs" / "verdict.schema.json").read_text())
TODAY = datetime.date(2026, 3, 10)
BECAUSE = {"kind": "error", "text": "because"}


@pytest.fixture(scope="module")
def passed(light, tmp_path_factory):
    """Return a project with the verdict of a full pass, and that verdict."""
    folder = tmp_path_factory.mktemp("passed") / "project"
    shutil.copytree(light, folder)
    done, document = gate(folder)
    assert done.returncode == 0, done.stdout
    return folder, document


@pytest.fixture(scope="module")
def waived(passed):
    """Return the same pass with one finding that somebody answers for."""
    document = copy.deepcopy(passed[1])
    row = next(row for row in document["findings"] if row["metric"] == "subject_accuracy")
    excuse = {"metric": "subject_accuracy", "about": row["about"], "candidate": document["candidate"]["sha256"]}
    excuse |= {"owner": "mona", "reason": "known", "created": "2026-03-01", "expires": "2026-03-31", "value": 0.5}
    set_finding(document, row, value=0.5, interval=[0.2, 0.8], verdict="waived", waiver=excuse)
    said = next(reason for reason in document["reasons"] if reason["kind"] == "passed")
    said |= {"passed": said["total"] - 1, "waived": 1}
    use = {**excuse, "state": "used", "findings": [row["key"]]}
    document["waivers"] = {"file": "waivers.toml", "sha256": "c" * 64, "rows": [use]}
    return sealed(document)


def set_finding(document, row, **changes):
    """Change a finding, and all else in the document that must say the same of it."""
    row |= changes
    document["metrics"][row["metric"]][row["about"]] = row["value"]
    limit = {"metric": row["metric"], **row["criterion"], "about": row["about"] or "*", "can_fail": True}
    document["criteria"]["rows"].append(limit)
    row["criterion"] = {name: value for name, value in limit.items() if name not in ("metric", "can_fail")}


def sealed(document):
    """Return a document as somebody who knows how its digest is made would write it."""
    return {**document, "digest": seal(document)}


def asked(passed, document, *options, candidate="same.keras"):
    """Return exit code and output of the command on a document."""
    folder, _ = passed
    path = folder / "asked.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    from modelcheck.__main__ import main

    done = CliRunner().invoke(main, ["verdict", str(path), "--candidate", str(folder / candidate), *map(str, options)])
    return done.exit_code, done.output


def test_a_full_pass_of_that_file_is_released(passed):
    """Exit 0, and one sentence that names the file and its digest."""
    code, said = asked(passed, passed[1], "--criteria", passed[0] / "suites/criteria.toml")
    assert code == 0, said
    assert "same.keras" in said
    assert hashlib.sha256((passed[0] / "same.keras").read_bytes()).hexdigest()[:12] in said
    assert said.count("\n") == 1
    assert asked(passed, passed[1], "--baseline", passed[0] / "baselines" / "mine")[0] == 0


def test_another_file_is_not(passed):
    """One byte more, or another network: exit 1. No file at all: exit 4."""
    (passed[0] / "longer.keras").write_bytes((passed[0] / "same.keras").read_bytes() + b"\0")
    for candidate in ("longer.keras", "other.keras"):
        code, said = asked(passed, passed[1], candidate=candidate)
        assert (code, "is not the file that was judged" in said) == (1, True)
    assert asked(passed, passed[1], candidate="missing.keras")[0] == 4


def test_other_criteria_or_another_baseline_are_not(passed):
    """Where the job names them, the verdict must be of these very criteria and this very baseline."""
    other = passed[0] / "other.toml"
    other.write_text((passed[0] / "suites/criteria.toml").read_text() + "\n")
    assert "other criteria" in asked(passed, passed[1], "--criteria", other)[1]
    from signatures import make_signature

    make_signature(seed=5).write(passed[0] / "elsewhere")
    code, said = asked(passed, passed[1], "--baseline", passed[0] / "elsewhere")
    assert (code, "another baseline" in said) == (1, True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"verdict": "fail", "reasons": [BECAUSE]}, "The verdict is fail, not pass. because"),
        ({"verdict": "error"}, "The verdict is error"),
        ({"verdict": "inconclusive"}, "The verdict is inconclusive, not pass"),
        ({"scope": "partial"}, "Only a part"),
        ({"not_judged": ["transfer[decision]"]}, "Only a part"),
        ({"enforced": False}, "--modelcheck-report-only"),
        ({"baseline": None}, "does not say which baseline"),
        ({"criteria": None}, "does not say which criteria"),
        ({"findings": []}, "contradicts itself"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_anything_less_is_refused(passed, change, words):
    """A document that is whole, and no full enforced pass: exit 1, with the reason."""
    code, said = asked(passed, sealed({**passed[1], **change}))
    assert (code, words in said) == (1, True), said


def test_inconclusive_only_where_asked_for(passed):
    """--require inconclusive takes what is not settled, and never a failure."""
    document = copy.deepcopy(passed[1])
    row = [row for row in document["findings"] if row["gating"]][-1]
    low = row["criterion"]["at_least"]
    outside = low - 0.1 if low is not None else 2.0
    set_finding(document, row, verdict="inconclusive", value=outside, interval=[-5.0, 5.0])
    reasons = [{"kind": "finding", "key": row["key"]}]
    reasons += [reason for reason in document["reasons"] if reason["kind"] != "passed"]
    document = sealed({**document, "verdict": "inconclusive", "exit_code": 1, "reasons": reasons})
    assert asked(passed, document)[0] == 1
    assert asked(passed, document, "--require", "inconclusive")[0] == 0
    assert asked(passed, sealed({**passed[1], "verdict": "fail"}), "--require", "inconclusive")[0] == 1


def test_a_finding_that_does_not_hold_is_found(passed):
    """Each number is judged once more: a failure that was relabelled, twice written or loosened is refused."""
    limit = {"criterion": {**passed[1]["findings"][0]["criterion"], "at_least": 3.0, "at_most": None}}
    for change in ({"value": -3.0}, {"value": None}, {"verdict": "fail"}, limit):
        document = copy.deepcopy(passed[1])
        document["findings"][0] |= change
        code, said = asked(passed, sealed(document))
        assert (code, "contradicts itself" in said) == (1, True), change
    twice = {**passed[1], "findings": [*passed[1]["findings"], passed[1]["findings"][0]]}
    assert "stands in it twice" in asked(passed, sealed(twice))[1]


def test_numbers_at_the_limit_survive_rounding(passed):
    """A document holds six digits: a value that met its limit by less than that is no contradiction."""
    document = copy.deepcopy(passed[1])
    row = next(row for row in document["findings"] if row["metric"] == "subject_accuracy")
    limit = {**row["criterion"], "at_least": 0.66666666667}
    set_finding(document, row, value=0.666666, criterion=limit)
    assert asked(passed, sealed(document))[0] == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is damaged"),
        ("null", "no verdict of this gate"),
        ("[]", "no verdict of this gate"),
        ('{"verdict": "pass"}', "no verdict of this gate"),
        ('{"schema": 4}', "has schema 4, of a newer modelcheck"),
        ('{"schema": 2}', "has schema 2, of an older modelcheck; this one reads schema 3. Run the gate again"),
        ("[" * 100_000, "is damaged"),
    ],
    ids=["empty", "null", "list", "bare", "newer", "older", "deep"],
)
def test_what_is_no_verdict_is_unreadable(passed, text, words):
    """Exit 4, and a sentence that says what it is not."""
    code, said = asked(passed, text)
    assert (code, words in said) == (4, True), said


def test_damage_is_unreadable(passed):
    """Truncated anywhere, NaN, a key twice, or changed by hand without its digest: exit 4."""
    text = json.dumps(passed[1])
    for cut in (1, 40, len(text) // 2, len(text) - 1):
        assert asked(passed, text[:cut])[0] == 4
    key = next(iter(passed[1]["metrics"]))
    assert "holds NaN" in asked(passed, json.dumps({**passed[1], "metrics": {key: {"": float("nan")}}}))[1]
    assert (
        "holds 1e400"
        in asked(passed, text.replace('"n": 2', '"n": 1e400').replace('"value": 1.0', '"value": 1e400'))[1]
    )
    assert "stands twice" in asked(passed, '{"verdict": "pass", ' + text[1:])[1]
    code, said = asked(passed, text.replace('"reasons": [', f'"reasons": [{json.dumps(BECAUSE)}, '))
    assert (code, "was changed after it was written" in said) == (4, True)
    assert asked(passed, {**passed[1], "extra": 1})[0] == 4


def test_missing_is_unreadable(passed, tmp_path):
    """No document, no release."""
    with pytest.raises(DocumentError, match="There is no verdict"):
        read_verdict(tmp_path / "verdict.json")


def test_waived_passes_are_said_and_can_be_refused(passed, waived):
    """A pass with waivers is released and says until when; --no-waivers refuses it."""
    file = passed[0] / "same.keras"
    assert refusal(waived, file, today=TODAY) == ""
    assert "1 of them waived, the first until 2026-03-31" in promotable(waived)
    assert "--no-waivers refuses" in refusal(waived, file, today=TODAY, demands=Demands(waivers=False))
    assert asked(passed, waived, "--no-waivers")[0] == 1


@pytest.mark.parametrize("today", ["2026-02-28", "2026-04-01"])
def test_a_waiver_ends_for_the_deploy_job_too(passed, waived, today):
    """The day counts on which the file is to be released, not the one on which it was judged."""
    words = refusal(waived, passed[0] / "same.keras", today=datetime.date.fromisoformat(today))
    assert "from 2026-03-01 to 2026-03-31, does not hold" in words


@pytest.mark.parametrize(
    "change", [{"candidate": "b" * 64}, {"created": "2025-03-01", "expires": "2026-12-31"}], ids=["stranger", "endless"]
)
def test_a_waiver_that_was_never_good_releases_nothing(passed, waived, change):
    """For another file, or for longer than a waiver may last: refused whatever the document says."""
    document = copy.deepcopy(waived)
    next(row for row in document["findings"] if row["waiver"])["waiver"] |= change
    document["waivers"]["rows"][0] |= change
    assert "waiver" in refusal(sealed(document), passed[0] / "same.keras", today=TODAY)


def test_a_waiver_is_held_against_its_finding_again(passed, waived):
    """Granted for a better value, for somebody else, or in no row at all: it excuses nothing."""
    file = passed[0] / "same.keras"
    for change in ({"value": 0.7}, {"about": "nobody"}, {"metric": "transfer"}):
        document = copy.deepcopy(waived)
        next(row for row in document["findings"] if row["waiver"])["waiver"] |= change
        document["waivers"]["rows"][0] |= change
        assert "waive" in refusal(sealed(document), file, today=TODAY), change
    document = copy.deepcopy(waived)
    document["waivers"]["rows"] = []
    assert "no waiver in the document excuses it" in refusal(sealed(document), file, today=TODAY)


def test_a_finding_has_the_value_that_was_measured_and_the_limits_that_were_planned(passed):
    """Better than its metric says, for something unmeasured, or by limits that no row gives: refused."""
    for change, words in (
        ({"value": 0.99}, "was not measured as 0.99"),
        ({"about": "zoe", "key": "subject_accuracy[zoe]"}, "subject_accuracy[zoe] was not measured as"),
    ):
        document = copy.deepcopy(passed[1])
        next(row for row in document["findings"] if row["metric"] == "subject_accuracy").update(change)
        code, said = asked(passed, sealed(document))
        assert (code, words in said) == (1, True), said
    document = copy.deepcopy(passed[1])
    document["findings"][0]["criterion"]["at_least"] = -0.3
    assert "limits that its criteria do not give" in asked(passed, sealed(document))[1]


def test_the_suites_that_judged_must_stand(passed):
    """With --project, a suite that was changed or deleted since, and a verdict that names none, release nothing."""
    folder, document = passed
    assert "suites/test_same_features.py" in document["suites"]
    assert asked(passed, document, "--project", folder)[0] == 0
    suite = folder / "suites" / "test_same_features.py"
    text = suite.read_text()
    try:
        suite.write_text(text + "\n")
        assert "is gone or another" in asked(passed, document, "--project", folder)[1]
        suite.unlink()
        assert asked(passed, document, "--project", folder)[0] == 1
    finally:
        suite.write_text(text)
    assert "does not say which suites" in asked(passed, sealed({**document, "suites": {}}), "--project", folder)[1]


def test_the_run_is_the_one_that_is_named(passed):
    """With --run-id, a verdict of another run, or of one without a name, releases nothing."""
    named = sealed({**passed[1], "run_id": "build 41"})
    assert asked(passed, named, "--run-id", "build 41")[0] == 0
    assert "was named 'build 41'" in asked(passed, named, "--run-id", "build 42")[1]
    assert "had no name" in asked(passed, passed[1], "--run-id", "build 42")[1]


def test_a_cached_measurement_can_be_refused(passed):
    """With --measured-now, only a run that measured the candidate itself releases it."""
    now = {**passed[1], "volatile": {**passed[1]["volatile"], "measured": "now"}}
    assert passed[1]["volatile"]["measured"] == "cached"
    assert asked(passed, now, "--measured-now")[0] == 0
    assert "found in the cache" in asked(passed, passed[1], "--measured-now")[1]


def places(part, path=()):
    """Yield the path of every node of a document."""
    yield path
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_touched_document_is_released(passed, data):
    """Any node replaced: without its digest unreadable; with it, released only while it is still a valid full pass."""
    folder, document = passed
    document = copy.deepcopy(document)
    path = data.draw(
        st.sampled_from([path for path in places(document) if path and path[0] not in ("volatile", "digest")])
    )
    values = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(-2, 2), st.text(max_size=3), st.just([]))
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    before = parent[path[-1]]
    parent[path[-1]] = data.draw(values.filter(lambda value: json.dumps(value) != json.dumps(before)))
    target = folder / "touched.json"
    target.write_text(json.dumps(document))
    with pytest.raises(DocumentError):
        read_verdict(target)
    target.write_text(json.dumps(sealed(document)))
    try:
        released = not refusal(read_verdict(target), folder / "same.keras", today=TODAY)
    except DocumentError:
        released = False
    if released:
        jsonschema.validate(document, SCHEMA)
        assert (document["verdict"], document["scope"], document["enforced"]) == ("pass", "full", True)
        assert document["candidate"]["sha256"] == hashlib.sha256((folder / "same.keras").read_bytes()).hexdigest()


def test_the_command_is_there():
    """The command line has it, with an example."""
    done = CliRunner().invoke(verdict, ["--help"])
    assert "modelcheck verdict report/verdict.json --candidate mine.keras" in done.output
