"""A baseline that is misread, or that its own gate refuses: what speaks against it is said, and kept in the history."""

import dataclasses
import datetime
import itertools
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from modelcheck.__main__ import main
from modelcheck.approval import carry_out, faults, parse_history, proposal, propose
from modelcheck.approval.misreading import find_misreading
from modelcheck.approval.trial import judge_again
from modelcheck.comparison import compare
from modelcheck.gate.cache import Loaded
from modelcheck.gate.settings import Settings
from modelcheck.interface import Interface
from modelcheck.panel import PanelError
from modelcheck.signature import find_approval, read_signature
from reports import make_document
from signatures import make_panel, make_signature, show

ROOT = Path(__file__).parents[1]
NAMES = ("straight", "left", "right", "up")
SMALL = (("conv1", "conv", 2), ("decision", "decision", 2))
PANEL = make_panel(size=(6, 5), per_subject=16)


def answering(scores, *, names=("other", "left"), labels):
    """Return a signature of a network that gave these scores."""
    subjects = tuple(f"person{k}" for k in range(4))
    panel = make_panel(subjects=subjects, class_names=names, size=(6, 5), per_subject=len(labels) // 4, regions=False)
    layers = (("conv1", "conv", 2), ("decision", "decision", len(names)))
    made = make_signature("network", panel=panel, layers=layers, twins=0, responses=False)
    return dataclasses.replace(
        made, scores=np.asarray(scores, np.float32), pictures={**made.pictures, "labels": np.asarray(labels)}
    )


def one_output(values, labels):
    return answering(np.stack([np.zeros(len(values)), values], axis=1), labels=labels)


TWO, FOUR = np.arange(80) % 2, np.arange(160) % 4
NOISE = np.random.default_rng(0)
SURE = 4.0 * np.eye(4)[FOUR] + NOISE.normal(size=(160, 4))


@pytest.mark.parametrize(
    "signature",
    [
        one_output(np.where(TWO, 3.0, -3.0) + NOISE.normal(size=80), TWO),
        one_output(np.where(TWO, 0.5, -0.5) + NOISE.normal(size=80), TWO),
        one_output(NOISE.normal(size=80), TWO),
        answering(NOISE.normal(size=(160, 4)), names=NAMES, labels=FOUR),
        answering(SURE, names=NAMES, labels=FOUR),
        answering(np.zeros((160, 4)), names=NAMES, labels=FOUR),
        one_output(1.0 + TWO[:8], TWO[:8]),
    ],
    ids=["good", "weak", "guesses", "guesses of four", "good of four", "constant", "too few to tell"],
)
def test_a_network_that_is_read_as_it_answers_raises_no_doubt(signature):
    """Good, weak or worthless: what no other reading would mend is not called misread."""
    assert find_misreading(signature) is None


def test_the_embedded_default_is_not_misread():
    """Experiment 0 on drawn faces, right on most people and wrong on a few, answers best as it is read."""
    assert find_misreading(read_signature(ROOT / "baselines" / "drawn-faces")) is None


@pytest.mark.parametrize("order", [order for order in itertools.permutations(range(4)) if order != (0, 1, 2, 3)])
def test_classes_in_another_order_are_put_right(order):
    """Of all orders of four classes the one that fits is named, with what it would bring."""
    said = find_misreading(answering(SURE[:, order], names=NAMES, labels=FOUR)).sentence
    fitting = ", ".join(NAMES[k] for k in order)
    assert f"in the order of the outputs ({fitting})." in said
    moved = sum(k != place for place, k in enumerate(order))
    assert said.count("what it calls") == min(moved, 3)
    assert ("one more is moved" in said) == (moved == 4)


def test_many_classes_in_another_order_are_put_right():
    """Twelve classes have too many orders to try them all; the one that fits is found."""
    labels = np.arange(480) % 12
    names = tuple(f"class{k:02d}" for k in range(12))
    order = np.random.default_rng(3).permutation(12)
    said = find_misreading(answering(4.0 * np.eye(12)[labels][:, order], names=names, labels=labels)).sentence
    assert f"in the order of the outputs ({', '.join(names[k] for k in order)})." in said


def test_two_of_many_classes_exchanged_are_seen_far_from_chance():
    """Half of the answers are right, which is no chance level, and the order is wrong all the same."""
    said = find_misreading(answering(SURE[:, [0, 1, 3, 2]], names=NAMES, labels=FOUR)).sentence
    assert "(straight, left, up, right)" in said


def test_an_output_that_was_trained_to_0_and_1_is_named():
    """Read as log odds it answers one class for nearly everything; the threshold that fits lies at a half."""
    said = find_misreading(one_output(TWO + 0.1 * NOISE.normal(size=80), TWO)).sentence
    assert "wrong threshold" in said
    assert "leads by more than 0." in said


@pytest.mark.parametrize(
    ("head", "scores", "said", "border"),
    [
        ("linear", TWO + 0.1 * NOISE.normal(size=80), Interface(), 0.5),
        ("linear", TWO + 0.4 + 0.1 * NOISE.normal(size=80), Interface(threshold=-0.4), 0.5),
        ("linear", 20 + 10 * TWO + NOISE.normal(size=80), Interface(), 25.0),
        ("linear", TWO - 1.1 + 0.01 * NOISE.normal(size=80), Interface(threshold=-0.1, label="other"), 0.5),
        ("sigmoid", 3.0 + 4 * TWO + 0.1 * NOISE.normal(size=80), Interface(), 0.9933),
        ("sigmoid", 1.0 + 4 * TWO + 0.1 * NOISE.normal(size=80), Interface(threshold=0.88), 0.9932),
    ],
)
def test_the_border_of_a_single_unit_is_proposed(head, scores, said, border):
    """In the units of the network's own output, whatever border and side it was read with."""
    made = one_output(scores, TWO)
    made = dataclasses.replace(made, model={**made.model, "head": head}, interface=said)
    sentence = find_misreading(made).sentence
    proposed = float(sentence.split("--threshold ")[1])
    assert proposed == pytest.approx(border, rel=2e-2 if head == "linear" else 1e-3)


def test_near_chance_with_scores_that_separate_is_named_without_a_cure():
    """Four classes of which one wins always, because of an offset: no order mends that, and it is said."""
    said = find_misreading(answering(SURE + np.array([50.0, 0, 0, 0]), names=NAMES, labels=FOUR)).sentence
    assert "near chance" in said
    assert "tell the classes apart" in said


def fed(now, **others):
    """Return a signature of a network that answers so as it is fed, and so with other preprocessings."""
    kept = {"rows": np.arange(80)}
    for name, (answers, sure) in others.items():
        kept |= {f"{name}/answers": answers.astype(np.int64), f"{name}/likelihoods": np.full(80, sure, np.float32)}
    return dataclasses.replace(one_output(now, TWO), fed_otherwise=kept)


BLACK = np.ones(80)  # one answer for everything


def test_the_preprocessing_with_which_a_network_answers_is_named():
    """What it was fed with is wrong, what it wants is said with its option and what that would bring."""
    said = find_misreading(fed(BLACK, tf=(TWO, -0.1), caffe=(BLACK, -3.0))).sentence
    assert "balanced accuracy is 0.50 now, and 1.00 with 'tf' (values from -1 to 1)." in said
    assert said.endswith("Mend the file, or, where it was trained so, say it: --preprocessing tf")


def test_of_two_that_answer_as_well_the_surer_is_named_and_the_other_is_mentioned():
    """Accuracy cannot part them; the likelihood of the labels does."""
    said = find_misreading(fed(BLACK, torch=(TWO, -0.5), tf=(TWO, -0.1))).sentence
    assert "with 'tf' (values from -1 to 1), or as good with 'torch'." in said
    assert "--preprocessing torch" in find_misreading(fed(BLACK, torch=(TWO, -0.1), tf=(TWO, -0.5))).sentence


def test_no_preprocessing_is_named_where_none_is_surely_better():
    """A network that is as bad in every way gets no advice, nor one that is hardly worse than in another."""
    assert find_misreading(fed(BLACK, tf=(BLACK, -0.1))) is None
    nearly = np.where(np.arange(80) < 2, 1 - TWO, TWO)
    assert find_misreading(fed(np.where(nearly, 3.0, -3.0), tf=(TWO, -0.1))) is None


def test_a_preprocessing_that_only_brings_chance_is_no_advice():
    """Worse than chance as it is fed, chance in another way: that is another fault, and its own cure is named."""
    assert "another order" in find_misreading(fed(np.where(TWO, -3.0, 3.0), tf=(BLACK, -0.1))).sentence


CRITERIA = """
[[criterion]]
metric = "subject_accuracy"
at_least = 0.75
why = "nobody is left behind"

[[criterion]]
metric = "mapped_units"
at_least = 0.0
why = "never fails"
"""


@pytest.fixture
def approving(monkeypatch, tmp_path):
    """Answer the measurements of an approval with an invented network; return what approves it."""
    PANEL.save(tmp_path / "panel.npz")
    (tmp_path / "criteria.toml").write_text(CRITERIA)
    (tmp_path / "network.keras").touch()

    def approve(signature, *, panel=tmp_path / "panel.npz", criteria="criteria.toml", **settings):
        def candidate(request, **_):
            return Loaded(signature=show(signature, read_signature(request.like)), measured="now")

        monkeypatch.setattr(proposal, "measure_once", lambda *_, **__: signature)
        monkeypatch.setattr("modelcheck.gate.evidence.load_or_measure", candidate)
        return propose(
            tmp_path / "network.keras",
            panel,
            tmp_path / "mine",
            settings=Settings(criteria=tmp_path / criteria, **settings),
        )

    return approve


def small(accuracy=1.0, **options):
    return make_signature("network", panel=PANEL, layers=SMALL, twins=0, accuracy=accuracy, **options)


def test_the_verdict_of_the_same_file_is_always_shown(approving, tmp_path):
    """What the gate would say of this very file stands among the lines, and in the history."""
    made = approving(small())
    assert any("against itself, by criteria.toml: PASS, 5 checks that gate the release." in line for line in made.lines)
    assert any("The limit on mapped_units, at least 0, can never fail." in line for line in made.lines)
    assert made.doubts == ()
    carry_out(made, reason="first", even_so="nothing to say")
    (entry,) = parse_history((tmp_path / "mine" / "HISTORY.md").read_text())
    assert entry.facts["against itself"] == "pass, by criteria.toml"
    assert "even so" not in entry.facts
    assert faults(tmp_path / "mine") == []


def test_a_network_that_its_own_gate_refuses_needs_a_word(approving, tmp_path):
    """A person on whom it fails: no baseline, unless somebody says why, and the history keeps that."""
    made = approving(small({"ben": 0.5}))
    assert any("FAIL: subject_accuracy[ben] = 0.500" in line for line in made.lines)
    with pytest.raises(ValueError, match="The gate refuses this very file: FAIL"):
        carry_out(made, reason="first")
    for nothing in (" \n", "\u200b", "\u2800\u3164"):
        with pytest.raises(ValueError, match="--even-so 'why'"):
            carry_out(made, reason="first", even_so=nothing)
        with pytest.raises(ValueError, match="needs a reason"):
            carry_out(made, reason=nothing, even_so="known")
    assert not (tmp_path / "mine").exists()
    carry_out(made, reason="first", even_so="ben is a known stranger")
    (entry,) = parse_history((tmp_path / "mine" / "HISTORY.md").read_text())
    assert entry.facts["even so"] == "ben is a known stranger"
    assert entry.facts["against itself"] == "fail, by criteria.toml: subject_accuracy[ben]"
    found = find_approval(tmp_path / "mine", signature=read_signature(tmp_path / "mine").digest())
    assert found.even_so == "ben is a known stranger"


@pytest.mark.slow
def test_what_only_waits_for_twins_needs_no_word(approving, tmp_path):
    """Before it is calibrated nothing can search it for triggers: the verdict says so, and is no reason against it."""
    row = '[[criterion]]\nmetric = "trigger"\nat_most = 1.0\nwhy = "x"\n'
    (tmp_path / "criteria.toml").write_text(CRITERIA + row)
    waiting = approving(dataclasses.replace(small(), stickers={"dark": np.zeros((1, 2, 2, 2), np.float32)}))
    text = "\n".join(waiting.lines)
    assert "UNMEASURED, 1 of 6 checks did not pass." in text
    assert "Retrained twins are what it takes for trigger: modelcheck calibrate." in text
    assert waiting.doubts == ()
    assert approving(small()).doubts  # no sticker was stamped: twins would not help
    failing = dataclasses.replace(small({"ben": 0.5}), stickers={"dark": np.zeros((1, 2, 2, 2), np.float32)})
    assert approving(failing).doubts


def test_what_the_gate_cannot_judge_needs_a_word(approving):
    """Criteria that are not there, or a network that gives one answer to everything: the reason is shown."""
    missing = approving(small(), criteria="none.toml")
    assert missing.doubts == ("The gate refuses this very file: ERROR.",)
    assert any("nothing would be judged" in line for line in missing.lines)
    constant = approving(dataclasses.replace(small(), scores=np.ones((48, 2), np.float32)))
    assert any("the same scores" in line for line in constant.lines)
    assert constant.doubts


def test_a_panel_that_the_gate_refuses_is_refused_before_a_minute_of_measuring(approving, tmp_path):
    """One person only: the same words as the gate's, and nothing is measured."""
    make_panel(subjects=("ada",), size=(6, 5)).save(tmp_path / "one.npz")
    with pytest.raises(PanelError, match="holds one subject only"):
        approving(small(), panel=tmp_path / "one.npz")


def test_waivers_of_this_file_count_and_others_do_not_matter(approving, tmp_path):
    """As in the gate; a waiver of another file is no fault of this one."""
    signature = small({"ben": 0.5})
    rows = "".join(
        f'[[waiver]]\nmetric = "subject_accuracy"\nabout = "ben"\ncandidate = "{sha}"\nowner = "mona"\nreason = "x"\n'
        f"created = {{day}}\nexpires = {{day}}\nvalue = 0.5\n"
        for sha in (signature.model["sha256"], "b" * 64)
    )
    (tmp_path / "w.toml").write_text(rows.format(day=datetime.datetime.now(datetime.UTC).date()))
    assert approving(signature, waivers=tmp_path / "w.toml").doubts == ()


@pytest.mark.slow
def test_a_report_is_judged_again_against_its_own_candidate():
    """What the run measured against a baseline that goes says nothing; what is the candidate's own counts."""
    good = make_signature("network", panel=PANEL, layers=SMALL)
    other = make_signature("other", panel=PANEL, layers=SMALL, seed=5, accuracy={"ben": 0.25})
    document = make_document(compare(other, good))
    found = judge_again(document, good)
    assert all(item.verdict.value == "pass" for item in found.findings if item.measured.metric == "subject_change")
    worse = judge_again(make_document(compare(good, other)), other)
    assert not worse.passed
    assert any("subject_accuracy[ben]" in line for line in worse.lines())


def test_a_dry_run_says_what_speaks_against_it(approving, monkeypatch, tmp_path):
    """The command names the doubts and ends well; without the dry run it ends with 4, and even so with 0."""
    made = approving(small({"ben": 0.5}))
    monkeypatch.setattr("modelcheck.cli.baselines._proposal", lambda *_, **__: made)
    arguments = ["approve", "a.keras", "--panel", "p.npz", "--to", str(tmp_path / "mine"), "--reason", "first"]
    dry = CliRunner().invoke(main, [*arguments, "--dry-run"])
    assert dry.exit_code == 0
    assert "Speaks against it: The gate refuses this very file: FAIL." in dry.output
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 4
    assert not (tmp_path / "mine").exists()
    empty = CliRunner().invoke(main, [*arguments, "--even-so", " "])
    assert empty.exit_code == 4
    even_so = CliRunner().invoke(main, [*arguments, "--even-so", "known"])
    assert even_so.exit_code == 0, even_so.output
    shown = CliRunner().invoke(main, ["history", str(tmp_path / "mine")])
    assert "even so: known" in shown.output
    assert "against itself: fail" in shown.output
