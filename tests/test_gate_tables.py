"""The gate of a network on a table: what is planned, what is judged, and that nothing passes unjudged."""

import shutil

import pytest

import gates
from modelcheck.cli.limits import find_questions
from modelcheck.cli.start import Paths, write_configuration
from modelcheck.gate.contradictions import find_contradiction, find_unplanned
from modelcheck.signature import read_manifest
from table_networks import PlantedNetwork, make_table_panel, make_table_signature

HONEST = PlantedNetwork()
SHORTCUT = PlantedNetwork(weights={"x3": 1.5}, interactions=(), name="shortcut")
LIMIT = '\n[[criterion]]\nmetric = "{}"\nabout = "{}"\n{} = {}\nwhy = "as agreed"\n'


def build(folder, *, panel, released=HONEST, candidates=(), rows=""):
    """Write a project as ``modelcheck init`` does, with an invented release and candidates in its cache."""
    folder.mkdir(parents=True)
    panel.save(folder / "heldout.npz")
    release = make_table_signature(panel, released, seed=1)
    release.write(folder / "baselines" / "mine")
    paths = Paths(candidate="same.keras", baseline="baselines/mine", panel="heldout.npz")
    (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = "-p no:cacheprovider"\n')
    write_configuration(folder, paths, questions=find_questions(panel, release), release=release)
    with (folder / "suites" / "criteria.toml").open("a") as file:
        file.write(rows)
    for name, network, change in (("same.keras", released, {}), *candidates):
        shutil.copy(gates.ROOT / "networks" / "half_filters.keras", folder / name)
        with (folder / name).open("ab") as file:
            file.write(b"")
        made = make_table_signature(panel, network, seed=2, stimuli=release, **change)
        gates.keep(folder, name, gates.as_measured_of(folder / name, made))
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return a project of two classes, one division and subjects, whose candidate is the release."""
    return build(tmp_path_factory.mktemp("tables") / "project", panel=make_table_panel(subjects=30))


@pytest.fixture(scope="module")
def passed(project):
    """Return what a gate of the release itself comes to."""
    return gates.gate(project, "-W", "error", "-W", "ignore::pytest.PytestAssertRewriteWarning", "-rs")


def test_a_release_passes_its_own_gate(passed):
    """Every planned pair is judged, of every kind of thing that a table has, and the suites are all asked."""
    done, document = passed
    assert done.returncode == 0, done.stdout
    assert (document["verdict"], document["scope"]) == ("pass", "full")
    keys = {row["key"] for row in document["findings"]}
    assert {"driver_distance", "driver_change[x1]", "effect_change[sex]", "effect_gap[x2|sex]"} <= keys
    assert {"by_group_accuracy[sex=f]", "accuracy_difference[sex]", "class_accuracy[yes]"} <= keys
    assert {"subject_accuracy[p00]", "profile_transfer[decision]"} <= keys
    panel = document["panel"]
    assert (panel["rows"], panel["target"], panel["divisions"]) == (300, "bought", ["sex"])


def test_an_acceptable_verdict_is_released_and_told_from_others(project, passed):
    """A document of a table holds no contradiction, and is one of its own baseline."""
    _, document = passed
    assert find_contradiction(document) == ""
    assert find_unplanned(document, read_manifest(project / "baselines" / "mine")) == ""
