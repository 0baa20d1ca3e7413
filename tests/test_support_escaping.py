"""Names from outside, wherever they are printed: nothing acts, on a terminal, in a build's log, in Markdown."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import judge
from modelcheck.judgement.measured import Measured
from modelcheck.support.escaping import clean, clean_lines, markdown
from reports import CORPUS

PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            ["::", ":", "##[", "#", "[", "error", "add-mask", "STOP-COMMANDS", " ", "file=x", "\n", "\x1b[2K"]
        ),
        st.text(max_size=6),
    ),
    max_size=14,
).map("".join)


def obeyed(line):
    """Say, slowly, whether a build's runner would take a line for a command (actions/runner, ActionCommand.cs)."""
    start = line.lstrip()
    if start.startswith("::") and "::" in start[2:]:
        name = start[2 : start.index("::", 2)].split(" ")[0]
        if re.fullmatch(r"[A-Za-z][A-Za-z-]*", name):
            return True
    return "##[" in line


@given(PIECES)
def test_nothing_acts_on_a_terminal_or_in_a_log(text):
    """Whatever the text, its cleaned form is one line without control signs that no runner obeys, wherever it folds."""
    safe = clean(text)
    assert len(safe) <= 400
    assert not any(unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for sign in safe)
    assert not any(obeyed(safe[start:]) for start in range(len(safe)))


@given(PIECES)
def test_cleaning_twice_changes_nothing(text):
    """What was cleaned once stays as it is."""
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize("text", ["::error::x", "  ::add-mask::x", "a ##[group]b", "::error file=a.py,line=1::x"])
def test_the_oracle_can_fail(text):
    """The slow reader obeys real commands, so that the law above is no formality."""
    assert obeyed(text)
    assert not obeyed(clean(text))


@given(PIECES)
def test_several_lines_are_cleaned_one_by_one(text):
    """Lines stay lines, and each is harmless."""
    assert not any(obeyed(line) for line in clean_lines(text).split("\n"))
    assert clean_lines("a\n::error::b").split("\n") == ["a", ": :error::b"]


@given(PIECES)
def test_markdown_shows_text(text):
    """Escaped text holds no bare sign of Markdown, no tag, no mention and no address."""
    safe = re.sub(r"\\[\\`*_{}\[\]()#+!|~$]", "", markdown(text))
    assert not re.search(r"[\\`*_{}\[\]()+!|~$<>@]", safe)
    assert not re.search(r"(?i)(https?|ftp):|www\.", safe)
    assert not re.search(r"#(?!\d+;)", safe)


@pytest.mark.parametrize("hostile", [*CORPUS, "::error::x", "##[add-mask]x", "two\nlines"])
def test_the_sentence_of_a_finding_is_harmless(hostile):
    """A finding whose name and evidence were written by somebody else is still one harmless line."""
    row = Criterion(metric="transfer", at_least=0.5, why=hostile)
    line = judge(Measured(metric="transfer", about=hostile, value=0.1, evidence=hostile), row).sentence()
    assert line == clean(line, longest=10_000)
    assert "transfer" in line
