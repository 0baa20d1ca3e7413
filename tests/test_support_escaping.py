"""Names from outside, wherever they are printed: nothing acts, on a terminal, in a build's log, in Markdown."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

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


ACTIVE = (
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    *(
                        "@",
                        "#",
                        "GH-",
                        "gh-",
                        "1",
                        "23",
                        "me",
                        "o/r",
                        "deadbee",
                        "1234567",
                        "&#64;",
                        "&commat;",
                        "&",
                        ";",
                    ),
                    *(
                        "http://",
                        "https:",
                        "//",
                        "www.",
                        "a.b",
                        "mailto:",
                        ":x:",
                        ":",
                        "$",
                        "$$",
                        "\\",
                        "`",
                        "``",
                        "~",
                        "!",
                    ),
                    *(
                        "<!--",
                        "-->",
                        "<b>",
                        "<",
                        "[^1]",
                        "[ ] ",
                        "[x](y)",
                        "- ",
                        "1. ",
                        "1) ",
                        "---",
                        "===",
                        "+ ",
                        "> ",
                    ),
                    *(
                        "|",
                        "\\|",
                        "*",
                        "**",
                        "_",
                        "~~",
                        " ",
                        "  ",
                        "\n",
                        "\n\n",
                        "%",
                        "^",
                        '"',
                        "-",
                        ".",
                        "\u200b",
                        "\u00e9",
                    ),
                ]
            ),
            st.text(max_size=3),
        ),
        max_size=10,
    )
    .map("".join)
    .filter(clean)
)
PLACES = ("{}", "## A: {}", "- {}", "| a | b |\n|---|---|\n| {} | c |")
_RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])

# As the documents of GitHub ("Autolinked references and URLs") and GitLab ("References") give them;
# both look at text outside of code and links, piece by piece.
_RULES = {
    "mention": r"(?<!\w)@[A-Za-z0-9]",
    "issue": r"(?i)#\d|\bgh-\d",
    "commit": r"(?i)(?<![0-9a-z])(?:(?=\d*[a-f])|(?<!\d\.))[0-9a-f]{7,40}(?![0-9a-z])",
    "address": r"(?i)[a-z]://|www\.|[\w.+-]@[a-z0-9]",
    "emoji": r":[\w+-]+:",
    "formula": r"\$.+\$",
    "gitlab": r"[@#!~%&^$]\w",
}


def rendered(text):
    """Return what a renderer of Markdown makes of a text: its tokens, those of a line among the others."""
    return [inner for token in _RENDERER.parse(text) for inner in (token, *(token.children or ()))]


def built(tokens):
    """Return how a page is built: its blocks, and any link, picture, emphasis or HTML other than a span."""
    inline = {"text", "code_inline", "inline", "text_special"}
    spans = ("<span>", "</span>")
    return [(token.type, token.tag) for token in tokens if token.type not in inline and token.content not in spans]


def pieces(tokens):
    """Yield runs of text that stand in one element, as what looks for references sees them."""
    run = ""
    for token in tokens:
        if token.type in ("text", "text_special"):
            run += token.content
        else:
            yield run
            run = ""
    yield run


def read(tokens):
    """Yield what a reader sees: text and code, without signs of no width."""
    for token in tokens:
        if token.type in ("text", "text_special", "code_inline"):
            yield token.content.replace("\u200b", "")


def references(tokens):
    """Return the kinds of references that are found in a page."""
    return [name for name, rule in _RULES.items() if any(re.search(rule, run) for run in pieces(tokens))]


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


@pytest.mark.parametrize("place", PLACES)
@given(ACTIVE)
def test_markdown_shows_text(place, text):
    """In a paragraph, a heading, a list or a cell, a reader sees the cleaned text, and the page is built as planned."""
    tokens = rendered(place.format(markdown(text)))
    plain = rendered(place.format("x"))
    assert "".join(read(tokens)) == "".join(read(plain)).replace("x", clean(text, longest=1000))
    assert built(tokens) == built(plain)


@pytest.mark.parametrize("place", PLACES)
@given(ACTIVE)
def test_nothing_in_markdown_refers(place, text):
    """GitHub and GitLab find no person, issue, commit, emoji, address or formula in what Markdown makes of a text."""
    assert references(rendered(place.format(markdown(text)))) == []


REFERENCES = {
    "@me": "mention",
    "#1": "issue",
    ":x:": "emoji",
    "&#64;me": "mention",
    "&commat;me": "mention",
    "\\#1": "issue",
    "o/r#1": "issue",
    "fixes GH-1": "issue",
    "o/r@1234abc": "commit",
    "deadbee": "commit",
    "&#100;eadbee": "commit",
    "https://github.com/o/r/issues/1": "address",
    "www.a.b": "address",
    "a@b.c": "address",
    "\\:x\\:": "emoji",
    "$a$": "formula",
    "\\$a\\$": "formula",
    "!1": "gitlab",
    "&#126;5": "gitlab",
}


@pytest.mark.parametrize("text", REFERENCES)
def test_the_oracle_of_references_can_fail(text):
    """What is searched for is found in unescaped Markdown, behind entities and backslashes too, and not in escaped."""
    assert REFERENCES[text] in references(rendered(text))
    assert references(rendered(markdown(text))) == []


@pytest.mark.parametrize("text", ["conv2d_1:7", "0.8333333", "-0.05 to 1e-05", "46 of 46, 58%", "2026-11-26", "a, b"])
def test_what_refers_to_nothing_is_copied_as_it_is(text):
    """Names of units, numbers and days hold no sign of no width: who copies them from the summary has them whole."""
    assert "200B" not in markdown(text)
    assert "`" not in markdown(text)


@pytest.mark.parametrize("hostile", [*CORPUS, "::error::x", "##[add-mask]x", "two\nlines"])
def test_the_sentence_of_a_finding_is_harmless(hostile):
    """A finding whose name and evidence were written by somebody else is still one harmless line."""
    row = Criterion(metric="transfer", at_least=0.5, why=hostile)
    line = judge(Measured(metric="transfer", about=hostile, value=0.1, evidence=hostile), row).sentence()
    assert line == clean(line, longest=10_000)
    assert "transfer" in line
