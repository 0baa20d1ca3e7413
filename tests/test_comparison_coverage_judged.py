"""Coverage of invented answers: what is said of it, what is planned, and who may be shown whose maps."""

import hashlib
import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gates
from modelcheck.comparison import compare
from modelcheck.gate.settings import read_settings
from modelcheck.signature import read_manifest, read_signature
from signatures import make_panel, make_signature, show

PANEL = make_panel()


def invented(*, back=True, **options):
    """Return an invented pair whose units answered each other's maps with numbers of a fixed seed."""
    baseline = make_signature(panel=PANEL, seed=1, twins=0)
    candidate = make_signature("candidate", panel=PANEL, twins=0, **{"seed": 2, **options})
    return baseline, answered(show(candidate, baseline), back=back)


def answered(candidate, *, back):
    """Return an invented candidate with invented answers of layers of the same names and sizes."""
    generator = np.random.Generator(np.random.Philox(7))
    sizes = {record.name: len(candidate.units[record.name]) for record in candidate.layers[:-1]}
    there, again = (
        {name: generator.uniform(0, 5, (size, size)).astype(np.float32) for name, size in sizes.items()}
        for _ in range(2)
    )
    return with_exchange(
        candidate,
        counterparts={name: name for name in sizes},
        unit_answers=there,
        unit_answers_back=again if back else {},
        class_scores_back=dict(candidate.exchange.class_scores) if back else {},
    )


def with_exchange(candidate, **parts):
    """Return the candidate with other parts of its exchange."""
    return replace(candidate, exchange=replace(candidate.exchange, **parts))


def test_an_older_record_says_nothing_and_keeps_its_digest(tmp_path):
    """Records without answers hold no trace of them, are compared, and are unmeasured in what they did not answer."""
    baseline, candidate = (make_signature(panel=PANEL, seed=seed) for seed in (1, 2))
    candidate = show(candidate, baseline)
    candidate.write(tmp_path / "s")
    assert "partners" not in read_manifest(tmp_path / "s")
    comparison = compare(baseline, read_signature(tmp_path / "s"))
    for metric in ("coverage", "coverage_back"):
        measured = comparison.find(metric, "conv1")
        assert math.isnan(measured.value)
        assert measured.n == 0
    assert "was not shown the baseline's maps" in comparison.find("coverage", "conv1").evidence
    for metric, about in (("coverage_back", "conv1"), ("transfer_back", "decision")):
        assert "set baseline_model" in comparison.find(metric, about).evidence
    assert math.isnan(comparison.metrics["transfer_back[decision]"])


BOTH_WAYS = ("unit_answers", "unit_answers_back")


@pytest.mark.parametrize(
    "damage",
    [
        lambda a, b: (replace(a, activations={**a.activations, "conv1": np.full(4, np.nan)}), b),
        lambda a, b: (a, replace(b, activations={**b.activations, "conv1": np.full(4, np.nan)})),
        lambda a, b: (a, with_exchange(b, stimuli_sha256="0" * 64)),
        lambda a, b: (a, with_exchange(b, stimuli_sha256="")),
        lambda a, b: (a, with_exchange(b, counterparts={"conv1": "dense1"})),
        lambda a, b: (a, with_exchange(b, class_scores={"free": np.ones((3, 2))})),
        lambda a, b: (a, with_exchange(b, unit_answers={}, unit_answers_back={})),
        lambda a, b: (a, with_exchange(b, **{p: {"conv1": np.ones((2, 4))} for p in BOTH_WAYS})),
        lambda a, b: (a, with_exchange(b, **{p: {"conv1": np.full((4, 4), np.nan)} for p in BOTH_WAYS})),
        lambda a, b: (a, replace(b, exchange=None)),
    ],
    ids=[
        *("no map", "no unit", "other maps", "unknown maps", "another layer", "other classes", "never asked"),
        *("another size", "no answer", "no exchange"),
    ],
)
def test_of_nothing_nothing_is_said(damage):
    """No map, no unit, no answer, or answers about something else: NaN in both directions, never a share."""
    baseline, candidate = invented()
    before = compare(baseline, candidate).metrics
    metrics = compare(*damage(baseline, candidate)).metrics
    for key in ("coverage[conv1]", "coverage_back[conv1]"):
        assert math.isfinite(before[key])
        assert math.isnan(metrics[key]), key


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.permutations(range(6)), st.floats(0.1, 10), st.floats(-5, 5))
def test_order_and_unit_of_the_answers_do_not_matter(order, scale, offset):
    """Units in another order, or activations in another unit, change no coverage."""
    baseline, candidate = invented()
    name, order = "dense1", list(order)
    other = replace(
        candidate,
        units={**candidate.units, name: candidate.units[name][order]},
        activations={**candidate.activations, name: candidate.activations[name][order] * scale + offset},
        at_rest={**candidate.at_rest, name: candidate.at_rest[name][order] * scale + offset},
    )
    there, back = candidate.exchange.unit_answers, candidate.exchange.unit_answers_back
    other = with_exchange(
        other,
        unit_answers={**there, name: there[name][:, order] * scale + offset},
        unit_answers_back={**back, name: back[name][order]},
    )
    one, two = (compare(baseline, side).metrics for side in (candidate, other))
    for metric in ("coverage", "coverage_back"):
        assert one[f"{metric}[{name}]"] == two[f"{metric}[{name}]"]


def test_one_deaf_layer_shows():
    """By hand: two of four maps reach half of what the units' own maps do; half is enough, a little less is not."""
    baseline, candidate = invented()
    answers = np.zeros((4, 4), np.float32)
    answers[0, 3], answers[1, 0], answers[2, 1] = 2.5, 5.0, 2.4  # at rest 0, own maps 5
    found = compare(baseline, with_exchange(candidate, unit_answers={"conv1": answers})).find("coverage", "conv1")
    assert found.value == 0.5
    assert found.evidence == "2 of 4 maps; least: conv1:3 0.00, conv1:2 0.48, conv1:0 0.50."


ROWS = "".join(
    f'\n[[criterion]]\nmetric = "{metric}"\nat_least = 0.0\nadvisory = true\noptional = true\nwhy = "information"\n'
    for metric in ("coverage", "coverage_back", "transfer_back")
)


PLANNED = {"coverage[conv1]", "coverage[dense1]", "coverage_back[conv1]", "coverage_back[dense1]"}


def released(folder, *, file="same.keras"):
    """Let the invented baseline be approved from a file of the project, which is its baseline_model."""
    path = folder / "baselines" / "mine"
    baseline = read_signature(path)
    sha = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    replace(baseline, model={**baseline.model, "sha256": sha}).write(path)
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(f'{text}baseline_model = "same.keras"\n')


@pytest.mark.slow
@pytest.mark.parametrize("back", [False, True], ids=["without", "with"])
def test_everything_planned_is_judged(project, back):
    """With and without the baseline's network a run is full and passes; without it the way back has no say."""
    with (project / "suites" / "criteria.toml").open("a") as file:
        file.write(ROWS)
    panel = make_panel(subjects=("ada", "ben"))
    if back:
        released(project)
    shutil.rmtree(project / ".modelcheck")  # so that what is measured is what has answers
    gates.measured(
        *(project, "same.keras"),
        change=lambda made: answered(made, back=back),
        panel=panel,
        learned=0.95,
        seed=3,
        baseline_model=project / "same.keras" if back else None,
    )
    done, verdict = gates.gate(project)
    assert done.returncode == 0, done.stdout
    assert (verdict["scope"], verdict["not_judged"]) == ("full", [])
    rows = {row["key"]: row for row in verdict["findings"]}
    assert rows.keys() >= PLANNED | {"transfer_back[decision]"}
    for key in PLANNED | {"transfer_back[decision]"}:
        assert not rows[key]["gating"]
        measured = back or key.startswith("coverage[")
        assert rows[key]["verdict"] == ("pass" if measured else "unmeasured"), key
    summary = (project / "report" / "summary.md").read_text()
    assert "| Coverage back |" in summary


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("other.keras", "is not the network that the baseline"),
        ("none.keras", "cannot be read"),
        (".", "it is a folder"),
    ],
)
def test_the_wrong_network_is_a_configuration_error(project, name, words):
    """Another file than the approved one, or none: exit code 4 before anything is measured, with what to do."""
    with (project / "pyproject.toml").open("a") as file:
        file.write(f'baseline_model = "{name}"\n')
    done, verdict = gates.gate(project)
    assert done.returncode == 4, done.stdout
    assert verdict["verdict"] == "error"
    assert words in json.dumps(verdict["reasons"])
    assert "take baseline_model out" in json.dumps(verdict["reasons"])


def test_the_files_network_belongs_to_the_files_baseline(tmp_path, monkeypatch):
    """Another baseline on the command line comes without the configured network, unless that is given as well."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.modelcheck]\nbaseline = "a"\nbaseline_model = "a.keras"\n')
    assert str(read_settings(tmp_path).baseline_model) == "a.keras"
    assert read_settings(tmp_path, {"baseline": "b"}).baseline_model is None
    assert str(read_settings(tmp_path, {"baseline": "b", "baseline_model": "b.keras"}).baseline_model) == "b.keras"
