"""How sure a panel is, in words: what an inconclusive finding lacks, and the smallest drop that shows."""

import dataclasses
import io
import math

import pytest
from rich.console import Console

import reports
from modelcheck.approval.trial import judge_again
from modelcheck.comparison import Sureness, compare, count_missing
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import judge
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.accuracy import wilson
from modelcheck.report import summary_markdown, write_report
from modelcheck.report.sureness import describe_drop, say_sureness
from modelcheck.report.terminal import print_summary
from modelcheck.report.words import PICTURES, plain, what_decides
from reports import make_case, make_document
from signatures import make_signature


def found(metric, value, interval, n, *, about="", **limits):
    """Return the judgement of one measure by one limit."""
    item = Measured(metric=metric, about=about, value=value, interval=interval, n=n)
    return judge(item, Criterion(metric=metric, why="x", **limits))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            found("subject_accuracy", 0.7, wilson(0.7, 20), 20, about="ada", at_least=0.75),
            "270 more pictures of this subject",
        ),
        (
            found("class_accuracy", 0.6, wilson(0.6, 20), 20, about="left", at_least=0.75),
            "13 more pictures of this class",
        ),
        (found("accuracy_change", -0.1, (-0.25, 0.05), 10, at_least=-0.05), "81 more subjects would decide it"),
        (found("accuracy_change", 0.0, (-0.1, 0.1), 10, at_least=-0.05, judged_by="interval"), "31 more subjects"),
        (
            found("accuracy_change", -0.05, (-0.1, 0.0), 10, at_least=-0.05, judged_by="interval"),
            "more subjects alone would not",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_inconclusive_finding_says_what_would_decide_it(row, words):
    """So many more pictures or subjects, of whom or what; on the limit itself no number would."""
    assert words in what_decides(row)
    assert plain(row).endswith("would decide it.") or plain(row).endswith("would not decide it.")


@pytest.mark.parametrize(
    "row",
    [
        found("subject_accuracy", 0.7, (0.6, 0.72), 20, at_least=0.75),
        found("subject_accuracy", 0.8, (0.6, 0.9), 20, at_least=0.75),
        found("recognition", 0.65, (0.5, 0.8), 2, at_least=0.7),
        found("kappa", 0.3, None, 20, at_least=0.4),
        found("a metric of another version", 0.3, (0.1, 0.6), 20, at_least=0.4),
    ],
    ids=["fail", "pass", "spread of retraining", "no interval", "unknown"],
)
def test_other_findings_lack_no_observations(row):
    """What is settled, what pictures do not narrow, and what is not known: nothing is said."""
    assert count_missing(row) == 0
    assert what_decides(row) == ""


@pytest.fixture(scope="module")
def undecided():
    """Return a panel, a comparison and its verdict, with a person just below a limit."""
    panel, comparison = make_case()
    limits = (
        Criterion(metric="subject_accuracy", at_least=0.6, why="x"),
        Criterion(metric="class_change", at_least=-0.5, why="x"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reports, "LIMITS", limits)
        patch.setattr(reports, "_LIMIT_ROWS", [{"metric": x.metric, **x.to_dict(), "can_fail": True} for x in limits])
        document = make_document(comparison)
    assert document["verdict"] == "inconclusive"
    return panel, comparison, document


def test_terminal_markdown_and_page_say_how_many_pictures_would_decide(undecided, tmp_path):
    """The same words for every reader, with the person's own finding."""
    panel, comparison, document = undecided
    file = io.StringIO()
    print_summary(document, Console(file=file, width=500))
    page = write_report(tmp_path, document, comparison=comparison, panel=panel).read_text()
    for text in (file.getvalue(), summary_markdown(document), page):
        assert "more pictures of this subject would decide it" in text


def test_the_page_shows_classes_and_the_smallest_drops(undecided, tmp_path):
    """A plot for each metric of classes, and for each class its drop; none for people, on whom no limit stands."""
    panel, comparison, document = undecided
    page = write_report(tmp_path, document, comparison=comparison, panel=panel).read_text()
    assert "Class by class" in page
    assert "How sure can this panel be?" in page
    assert '<th scope="row">class left</th>' in page
    assert '<th scope="row">subject ada</th>' not in page


def test_an_approval_from_a_report_says_the_smallest_drops(undecided):
    """By the run's own limits: each class with its drop, and that no limit stands on a person."""
    _, comparison, document = undecided
    lines = judge_again(document, comparison.candidate).lines()
    assert any("that this panel finds red, four times in five" in line for line in lines)
    assert any(line.startswith("  class left: 0.") and "class change at least" in line for line in lines)
    assert "  subject: none, for no criterion that gates limits the loss on one." in lines


def test_a_drop_that_is_no_number_has_words():
    """Nothing to lose, or red whatever happens: neither is shown as a figure. Long lists are cut and counted."""
    limit = Criterion(metric="class_change", at_least=-0.1, why="x")
    row = Sureness(metric="class_change", about="a", pictures=8, accuracy=0.1, criterion=limit, drop=math.nan)
    assert "too little to lose" in describe_drop(row)
    assert "even a loss of nothing is red" in describe_drop(dataclasses.replace(row, drop=0.0))
    assert describe_drop(dataclasses.replace(row, drop=0.234)) == "0.23"
    assert "  and 3 more, with as small a drop or a smaller one." in say_sureness([row] * 11)
    subject = dataclasses.replace(row, metric="subject_change", about="ada")
    # Subjects that somebody calls pictures are subjects all the same.
    assert any("picture ada:" in line for line in say_sureness([subject], noun=PICTURES))
    assert not any("picture" in line for line in say_sureness([], noun=PICTURES))


def test_a_comparison_without_limits_promises_nothing(tmp_path):
    """`modelcheck compare` judges nothing, so no drop is red."""
    from modelcheck.report import write_comparison

    same = make_signature()
    assert "How sure can this" not in write_comparison(tmp_path, compare(same, same)).read_text()
