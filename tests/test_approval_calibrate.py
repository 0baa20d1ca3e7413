"""Calibrating a baseline: twins are measured, reduced and kept; what is no twin is refused, and nothing is written."""

from dataclasses import replace
from pathlib import Path

import pytest

from modelcheck.approval import TwinError, carry_out, parse_history, plan_replacement, propose_twins, twins
from modelcheck.gate.settings import Settings
from modelcheck.panel import PanelError
from modelcheck.signature import read_signature
from signatures import make_panel, make_signature, show

PANEL = make_panel(groups=("straight", "left"))


@pytest.fixture
def folder(tmp_path):
    """Return an approved baseline with its panel."""
    base = tmp_path / "mine"
    baseline = make_signature("release", panel=PANEL, twins=0, seed=1)
    carry_out(plan_replacement(base, baseline, facts={"platform": "here"}), reason="first")
    PANEL.save(base / "panel.npz")
    return base


@pytest.fixture
def measured(monkeypatch):
    """Answer measurements with invented signatures by the file's name."""
    known = {f"{name}.keras": make_signature(name, panel=PANEL, twins=0, seed=k) for k, name in enumerate("abc", 5)}
    known["release.keras"] = make_signature("release", panel=PANEL, twins=0, seed=1)
    child = replace(
        make_signature("child", panel=PANEL, twins=0, seed=9), fingerprint=known["release.keras"].fingerprint
    )
    known["child.keras"] = child
    shown = {name: show(signature, known["release.keras"]) for name, signature in known.items()}
    monkeypatch.setattr(twins, "measure_once", lambda request, *_, **__: shown[request.network.name])
    return shown


@pytest.mark.slow
def test_twins_are_kept_with_what_they_reach(folder, measured):
    """The baseline keeps each twin's decision and its metrics, what it shows is unchanged, and the history says so."""
    before = read_signature(folder)
    carry_out(propose_twins(folder, [Path(f"{name}.keras") for name in "abc"]), reason="calibrated")
    after = read_signature(folder)
    assert [twin.model["file"] for twin in after.retrained] == ["a.keras", "b.keras", "c.keras"]
    assert all("recognition[decision]" in twin.against for twin in after.retrained)
    assert all([layer.name for layer in twin.layers] == ["decision"] for twin in after.retrained)
    assert replace(after, retrained=()).digest() == before.digest()
    last = parse_history((folder / "HISTORY.md").read_text(encoding="utf-8"))[-1]
    assert "b.keras" in last.facts["retrained twins"]
    again = propose_twins(folder, [Path("a.keras"), Path("b.keras")])
    assert len(again.new.retrained) == 2  # they replace the three, and do not join them


@pytest.mark.slow
def test_clean_networks_of_another_architecture_come_along(folder, measured):
    """They are kept beside at least two twins of the baseline's architecture, and told apart from them."""
    odd = {"0:5x5x1x4": next(iter(measured["c.keras"].fingerprint.values()))}
    measured["phone.keras"] = replace(measured["c.keras"], model={**measured["c.keras"].model, "file": "phone.keras"})
    measured["phone.keras"] = replace(measured["phone.keras"], fingerprint=odd)
    proposal = propose_twins(folder, [Path(f"{name}.keras") for name in ("a", "b", "phone")])
    assert "Clean network of another architecture phone.keras:" in proposal.lines[2]
    assert "mass_change[left]" in proposal.lines[2]
    assert "mass_change" not in proposal.lines[0]
    assert proposal.facts["clean networks"].startswith("phone.keras ")
    measured["copy.keras"] = replace(
        measured["phone.keras"], model={**measured["phone.keras"].model, "sha256": "0" * 64, "file": "copy.keras"}
    )
    with pytest.raises(TwinError, match=r"'copy\.keras' descends from phone\.keras"):
        propose_twins(folder, [Path(f"{name}.keras") for name in ("a", "b", "phone", "copy")])
    assert [twin.model["file"] for twin in proposal.new.twins_like(proposal.new)] == ["a.keras", "b.keras"]
    with pytest.raises(TwinError, match="Of 2 networks 1 have the baseline's architecture"):
        propose_twins(folder, [Path("a.keras"), Path("phone.keras")])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a"], "at least two"),
        (["a", "a"], "given twice"),
        (["release", "a"], "is the baseline itself"),
        (["a", "child"], "descends from the baseline"),
    ],
)
def test_what_is_no_twin_is_refused(folder, measured, names, words):
    """Too few, a copy or a relative would move the ceiling: an error, and the folder stays as it was."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(TwinError, match=words):
        propose_twins(folder, [Path(f"{name}.keras") for name in names])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_twins_are_measured_on_the_baselines_panel(folder, measured):
    """Another panel would make another scale."""
    make_panel().save(folder / "panel.npz")
    with pytest.raises(PanelError, match="is not the one the baseline was measured on"):
        propose_twins(folder, [Path("a.keras"), Path("b.keras")])


@pytest.mark.slow
def test_a_new_release_takes_the_twins_away_and_says_so(folder, measured):
    """Twins belong to the network they were trained like."""
    carry_out(propose_twins(folder, [Path("a.keras"), Path("b.keras")]), reason="calibrated")
    proposal = plan_replacement(folder, measured["c.keras"], facts={"platform": "here"})
    assert any("Its retrained twins go with it" in line for line in proposal.lines)
    assert proposal.new.retrained == ()


CRITERIA = """
[[criterion]]
metric = "subject_accuracy"
at_least = 0.75
why = "x"

[[criterion]]
metric = "accuracy_change"
at_least = -0.05
why = "x"

[[criterion]]
metric = "randomisation"
at_most = 0.7
why = "x"
"""


def told(folder, names, criteria=CRITERIA, **settings):
    """Return what calibrating with twins says of the limits."""
    (folder.parent / "criteria.toml").write_text(criteria)
    given = Settings(criteria=folder.parent / "criteria.toml", **settings)
    lines = propose_twins(folder, [Path(f"{name}.keras") for name in names], settings=given).lines
    return list(lines[len(names) :])


@pytest.mark.slow
def test_how_many_twins_would_be_red_is_said_and_by_what(folder, measured):
    """Each twin is judged as a candidate; metrics that many miss come first, and each names whom and how far."""
    for name, accuracy in (("b", {"ben": 0.5}), ("c", {"ben": 0.5, "eve": 0.5})):
        worse = make_signature(name, panel=PANEL, twins=0, seed=ord(name), accuracy=accuracy)
        measured[f"{name}.keras"] = show(worse, read_signature(folder))
    lines = told(folder, "abc")
    assert lines[0] == "2 of 3 retrained twins would be red by criteria.toml:"
    assert "  2 by subject_accuracy[ben]: b.keras 0.50, c.keras 0.50" in lines
    assert "  1 by subject_accuracy[eve]: c.keras 0.50" in lines
    assert lines.index("  2 by subject_accuracy[ben]: b.keras 0.50, c.keras 0.50") < len(lines) - 2
    assert "takes untrained twins, or more of these: randomisation" in lines[-1]


@pytest.mark.slow
def test_twins_that_all_pass_are_said_to(folder, measured):
    """No limit is missed by any: one line, and what could not be judged."""
    assert told(folder, "abc")[0] == "None of 3 retrained twins would be red by criteria.toml."


@pytest.mark.slow
def test_criteria_that_cannot_be_used_do_not_stop_a_calibration(folder, measured):
    """The twins are kept all the same, and the reason is said."""
    (line,) = told(folder, "ab", criteria="[[criterion]]\nmetric = 'x'\n")
    assert "cannot be said: " in line
    assert "does not exist" in line


@pytest.mark.slow
def test_inconclusive_twins_count_as_the_settings_say(folder, measured):
    """What the gate lets through is not called red here."""
    worse = make_signature("b", panel=PANEL, twins=0, seed=98, accuracy={"ben": 0.75})
    measured["b.keras"] = show(worse, read_signature(folder))
    limit = CRITERIA.replace("0.75", "0.8").replace("-0.05", "-0.9")
    assert told(folder, "ab", limit)[0].startswith("1 of 2")
    assert told(folder, "ab", limit, inconclusive="pass")[0].startswith("None of 2")
