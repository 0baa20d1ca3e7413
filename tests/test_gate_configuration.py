"""What makes any judgement impossible is said once, before a test is made of it, and not by every test."""

import json

import pytest

import damages
from gates import gate, run

SAID = [
    (damages.unknown_setting, 4, "has an unknown key 'candidat'"),
    (damages.unknown_metric, 4, "limits the metric 'tranfer'"),
    (damages.no_baseline, 1, "There is no signature in"),
    (damages.no_candidate_file, 3, "There is no candidate 'same.keras'"),
    (damages.another_panel, 3, "is not the one the baseline was measured on"),
    (damages.truncated_member, 3, "is damaged: its content does not match"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("damage", "code", "words"), SAID, ids=[row[0].__name__ for row in SAID])
def test_it_is_said_once(project, damage, code, words):
    """One sentence on the terminal, one reason in the verdict, no failing test, and the documented exit code."""
    damage(project)
    done, verdict = gate(project)
    assert done.returncode == code, done.stdout
    assert " ".join(done.stdout.split()).count(words) == 1
    assert "ERROR at setup" not in done.stdout
    assert "ERROR collecting" not in done.stdout
    assert [words in reason["text"] for reason in verdict["reasons"] if reason["kind"] == "error"] == [True]
    assert "test_failed" not in [reason["kind"] for reason in verdict["reasons"]]


@pytest.mark.slow
def test_it_is_said_once_on_workers(project):
    """The controller says it, and its workers make no test of it."""
    damages.another_panel(project)
    done, verdict = gate(project, "-n", "2")
    assert (done.returncode, verdict["exit_code"]) == (3, 3), done.stdout
    assert " ".join(done.stdout.split()).count("is not the one the baseline was measured on") == 1
    assert "ERROR at setup" not in done.stdout


def test_other_tests_go_on(project):
    """A run of the whole project judges its unit tests, and is red because its gate could judge nothing."""
    damages.no_candidate_file(project)
    (project / "test_unit.py").write_text("def test_sum():\n    assert 1 + 1 == 2\n")
    done = run(project, "-q")
    verdict = json.loads((project / "report" / "verdict.json").read_text())
    assert "1 passed" in done.stdout
    assert (done.returncode, verdict["verdict"]) == (3, "error")


def test_a_part_is_told_as_well(project):
    """Chosen by name: the same sentence, the same exit code, and nothing that looks like a choice of the reader's."""
    damages.no_candidate_file(project)
    done = run(project, "suites/", "-q", "-k", "conv1")
    assert done.returncode == 3, done.stdout
    assert " ".join(done.stdout.split()).count("There is no candidate") == 1


def test_collecting_alone_says_it(project):
    """A run that only lists its tests writes no verdict, so it stops with the sentence."""
    damages.unknown_setting(project)
    done = run(project, "suites/", "-q", "--collect-only")
    assert done.returncode == 4
    assert done.stdout.count("has an unknown key 'candidat'") == 1


@pytest.mark.slow
def test_what_fails_while_measuring_is_said_by_the_first_test(project):
    """Later tests fail as well, and refer to it; the verdict has the reason once."""
    damages.child_refuses(project)
    done, verdict = gate(project)
    assert done.returncode == 4
    before, _, _ = done.stdout.partition("ERROR  The gate could not judge")
    assert before.count("Keras refused 'same.keras'") == 1
    assert before.count("for the reason that the first of these errors gives") > 5
    assert sum("Keras refused" in reason["text"] for reason in verdict["reasons"] if reason["kind"] == "error") == 1


@pytest.mark.slow
def test_a_sound_project_is_judged(project):
    """Looking ahead makes nothing red by itself."""
    done, verdict = gate(project)
    assert (done.returncode, verdict["scope"]) == (0, "full"), done.stdout
