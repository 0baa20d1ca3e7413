"""The gate of a network on a table: what is planned, what is judged, and that nothing passes unjudged."""

import copy
import dataclasses
import json
import shutil
import tomllib

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import gates
from modelcheck.__main__ import main
from modelcheck.cli.limits import Questions, find_questions, missing_rows, starter_criteria
from modelcheck.cli.start import Paths, write_configuration
from modelcheck.comparison import METRICS
from modelcheck.gate.contradictions import find_contradiction, find_unplanned
from modelcheck.gate.evidence import check_answers
from modelcheck.gate.plan import make_plan
from modelcheck.gate.settings import Settings
from modelcheck.judgement.criteria import find_never_failing, read_criteria
from modelcheck.panel import TablePanel
from modelcheck.signature import read_manifest
from modelcheck.signature.counterparts import CompareError
from signatures import make_panel
from table_networks import PlantedNetwork, make_table_panel, make_table_signature

HONEST = PlantedNetwork()
FORBIDDEN = PlantedNetwork(weights={"x1": 1.0, "x3": 0.6}, name="forbidden")
FILES = {"same.keras": "half_filters", "other.keras": "shortcut"}
MUST_NOT_DRIVE = """
[[criterion]]
metric = "driver_share"
about = "x3"
at_most = 0.05
why = "x3 must not decide"
"""


def build(folder, *, panel, released=HONEST, candidate=None, rows="", **changes):
    """Write a project as ``modelcheck init`` does, with an invented release, and it and another one in its cache."""
    folder.mkdir(parents=True)
    panel.save(folder / "heldout.npz")
    release = make_table_signature(panel, released, seed=1)
    release.write(folder / "baselines" / "mine")
    paths = Paths(candidate="same.keras", baseline="baselines/mine", panel="heldout.npz")
    (folder / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\naddopts = "-p no:cacheprovider -p no:hypothesispytest"\n'
    )
    write_configuration(folder, paths, questions=find_questions(panel, release), release=release)
    with (folder / "suites" / "criteria.toml").open("a") as file:
        file.write(rows)
    for name, network, parts in (("same.keras", released, {}), ("other.keras", candidate, changes)):
        shutil.copy(gates.ROOT / "networks" / f"{FILES[name]}.keras", folder / name)
        if network is not None:
            made = make_table_signature(panel, network, seed=2, stimuli=release, **parts)
            gates.keep(folder, name, gates.as_measured_of(folder / name, made))
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return a project of two classes, one division and subjects; the other candidate reads what it must not."""
    folder = tmp_path_factory.mktemp("tables") / "project"
    return build(folder, panel=make_table_panel(subjects=30), candidate=FORBIDDEN, rows=MUST_NOT_DRIVE)


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


@pytest.mark.slow
def test_a_variable_that_must_not_drive_is_red(project):
    """A network that reads a forbidden variable fails by name, and the verdict passes its own check."""
    done, document = gates.gate(project, "--candidate", "other.keras", "--modelcheck-report", "report/other")
    assert done.returncode == 1
    document = json.loads((project / "report" / "other" / "verdict.json").read_text())
    red = {row["key"] for row in document["findings"] if row["verdict"] == "fail"}
    assert "driver_share[x3]" in red
    assert "driver_change[x3]" in red
    assert find_contradiction(document) == ""
    assert "x3" in done.stdout


def drop(metric, about):
    """Return an edit that takes a finding and its number away."""

    def edit(document):
        document["findings"] = [row for row in document["findings"] if row["key"] != f"{metric}[{about}]"]
        document["metrics"][metric].pop(about, None)

    return edit


def set_panel(**parts):
    """Return an edit of the row of the panel."""
    return lambda document: document["panel"].update(parts)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (drop("effect_gap", "x2|sex"), "effect_gap[x2|sex] was never measured"),
        (drop("driver_change", "x3"), "driver_change[x3] was never measured"),
        (drop("by_group_accuracy", "sex=m"), "by_group_accuracy[sex=m] was never measured"),
        (drop("accuracy_difference", "sex"), "accuracy_difference[sex] was never measured"),
        (set_panel(small_populations=["sex=x"]), "its reasons are not all there"),
        (lambda document: document["recipe"].update(seed=7), "its recipe does not match its digest"),
        (lambda document: document["findings"][0].update(value=0.5), "was not measured as 0.5"),
    ],
)
def test_a_verdict_that_contradicts_itself_is_found(passed, edit, says):
    """What was cut or edited in one place of a document of a table is found, as in one of pictures."""
    document = copy.deepcopy(passed[1])
    edit(document)
    assert says in find_contradiction(document)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (set_panel(target="sold"), "another target"),
        (set_panel(divisions=[]), "another set of divisions"),
        (set_panel(columns=[]), "another table of variables"),
        (set_panel(populations=[]), "another set of sub-populations"),
        (set_panel(classes_without_rows=["yes"]), "another set of classes without rows"),
        (drop("effect_gap", "x2|sex"), "does not judge effect_gap[x2|sex]"),
    ],
)
def test_a_verdict_of_another_table_releases_nothing(project, passed, edit, says):
    """Target, variables, divisions and sub-populations are those of the baseline's manifest, all of it judged."""
    document = copy.deepcopy(passed[1])
    edit(document)
    assert says in find_unplanned(document, read_manifest(project / "baselines" / "mine"))


def broken(project, tmp_path, change):
    """Return what a gate of a copy of the project comes to after something was changed in it."""
    folder = tmp_path / "project"
    shutil.copytree(project, folder)
    change(folder)
    return gates.gate(folder)


def another_panel(**options):
    """Return a change to another panel."""
    return lambda folder: make_table_panel(**options).save(folder / "heldout.npz")


def another_columns(*, rename=None, leave_out="", words=None, numbers="", turned=False):
    """Return a change to a panel of other columns."""

    def change(folder):
        panel = make_table_panel(subjects=30)
        values = {(rename or {}).get(name, name): part for name, part in panel.values.items() if name != leave_out}
        for name, word in (words or {}).items():
            values[name] = np.where(np.arange(len(panel)) == 5, word, values[name])
        if numbers:
            values[numbers] = np.arange(len(panel), dtype=float)
        values = dict(reversed(values.items())) if turned else values
        units = {name: unit for name, unit in panel.units.items() if name in values}
        dataclasses.replace(panel, values=values, units=units).save(folder / "heldout.npz")

    return change


def add_row(text):
    """Return a change that adds a line to the file of limits."""

    def change(folder):
        path = folder / "suites" / "criteria.toml"
        path.write_text(path.read_text() + text)

    return change


def set_candidate(name):
    """Return a change to a candidate of another file."""

    def change(folder):
        (folder / name).write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(64))
        text = (folder / "pyproject.toml").read_text()
        (folder / "pyproject.toml").write_text(text.replace("same.keras", name))

    return change


def name_source(folder):
    """Name a network that the candidate was converted from."""
    path = folder / "pyproject.toml"
    path.write_text(path.read_text() + 'baseline_model = "same.keras"\n')


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (another_panel(subjects=30, seed=4), "is not the one the baseline was measured on"),
        (another_columns(rename={"x1": "X1"}), "'x1' is missing; 'X1' is new: was it renamed?"),
        (another_columns(leave_out="x3"), "'x3' is missing"),
        (another_columns(words={"shift": "dawn"}), "categories that were never seen (1): 'dawn'"),
        (another_columns(numbers="shift"), "'shift' holds numbers, and held categories"),
        (another_columns(turned=True), "the order is another: column 1 is 'sex', and was 'x1'"),
        (lambda folder: make_panel().save(folder / "heldout.npz"), "It holds pictures, and the baseline is of rows"),
        (lambda folder: (folder / "suites" / "test_same_for_everyone.py").unlink(), "planned checks were never judged"),
        (add_row('[[criterion]]\nmetric = "place_distance"\nat_most = 1\nwhy = "x"\n'), "is asked of pictures"),
        (add_row('[[criterion]]\nmetric = "error"\nat_most = 1\nwhy = "x"\n'), "a table with a target of numbers"),
        (
            add_row('[[criterion]]\nmetric = "driver_share"\nabout = "postcode"\nat_most = 0\nwhy = "x"\n'),
            "matches nothing; there is: x1, x2, x3, shift, sex",
        ),
        (set_candidate("phone.tflite"), "which is measured on pictures alone"),
        (name_source, "baseline_model is asked of pictures alone"),
    ],
)
def test_what_does_not_fit_is_an_error(project, tmp_path, change, says):
    """Another panel, limits on something else, files that are not asked, suites that are gone: red, with the reason."""
    done, document = broken(project, tmp_path, change)
    assert done.returncode in (3, 4), done.stdout
    assert document["verdict"] == "error"
    assert says in " ".join(reason.get("text", "") for reason in document["reasons"]) or says in " ".join(
        done.stdout.split()
    )


@pytest.mark.parametrize(("scores", "says"), [(np.nan, "NaN or infinity on 300 of 300 rows"), (0.5, "gives every row")])
def test_answers_that_say_nothing_are_refused(scores, says):
    """NaN and a constant are no answers, whatever the criteria ask."""
    candidate = make_table_signature(scores=np.full((300, 2), scores, np.float32))
    with pytest.raises(CompareError, match=says):
        check_answers(candidate)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["numbers", "three classes", "no division"])
def test_every_kind_of_table_passes_what_init_writes_for_it(tmp_path, target):
    """A target of numbers, three classes, a table that nothing divides: the release passes, and nothing is left out."""
    panel = {
        "numbers": make_table_panel(target="numbers"),
        "three classes": make_table_panel(classes=("low", "middle", "high")),
        "no division": dataclasses.replace(make_table_panel(), groups={}),
    }[target]
    network = PlantedNetwork(n_outputs=len(panel.class_names) or 1)
    done, document = gates.gate(build(tmp_path / "project", panel=panel, released=network))
    assert (done.returncode, document["verdict"]) == (0, "pass"), done.stdout
    assert find_contradiction(document) == ""
    judged = {row["metric"] for row in document["findings"]}
    assert ("error" in judged) == (target == "numbers")
    assert ("equalized_odds_difference" in judged) == (target == "two classes")
    assert ("effect_gap" in judged) == (target != "no division")
    needs = {
        row["needs"] for reason in document["reasons"] if reason["kind"] == "questions" for row in reason["unasked"]
    }
    assert needs == ({"divisions"} if target == "no division" else set())


@pytest.mark.slow
def test_a_small_sub_population_is_named(tmp_path):
    """Nine rows of a sub-population are not judged, and the verdict, its panel and its words say so."""
    panel = make_table_panel()
    words = np.where(np.arange(len(panel)) < 9, "x", panel.groups["sex"])
    panel = dataclasses.replace(panel, groups={"sex": words})
    done, document = gates.gate(build(tmp_path / "project", panel=panel))
    assert done.returncode == 0, done.stdout
    assert document["panel"]["small_populations"] == ["sex=x"]
    assert {"kind": "small_groups", "populations": ["sex=x"], "least": 10} in document["reasons"]
    assert "1 sub-population has fewer than 10 rows" in " ".join(done.stdout.split())
    assert not any("sex=x" in row["key"] for row in document["findings"])


def test_suites_of_pictures_ask_nothing_of_a_table(project):
    """A test for each group or method of pictures is skipped with the reason, and one for each variable is not."""
    plan = make_plan(
        Settings(
            candidate=project / "same.keras",
            baseline=project / "baselines" / "mine",
            criteria=project / "suites" / "criteria.toml",
        )
    )
    assert plan.columns == ("x1", "x2", "x3", "shift", "sex")
    assert plan.effects == ("x1|sex", "x2|sex", "x3|sex", "shift|sex")
    assert (plan.populations, plan.divisions) == (("sex=f", "sex=m"), ("sex",))
    assert (plan.groups, plan.methods, set(plan.nothing_to_ask)) == ((), (), {"group", "method"})


@pytest.mark.parametrize("target", ["classes", "numbers"])
@pytest.mark.parametrize("subjects", [True, False])
@pytest.mark.parametrize("divisions", [True, False])
@pytest.mark.parametrize("drivers", [True, False])
def test_every_metric_of_a_table_has_a_row_or_is_named(tmp_path, target, subjects, divisions, drivers):
    """No metric that a table can be asked is left without a limit, or a word that it has none; each limit can fail."""
    questions = Questions(table=target, subjects=subjects, divisions=divisions, populations=divisions, drivers=drivers)
    text = starter_criteria(questions)
    head, rows = text.split("\n[[criterion]]")[0], {row["metric"] for row in tomllib.loads(text)["criterion"]}
    named = {name for name in METRICS if f" {name}," in head or f" {name}." in head}
    asked = {
        name
        for name, metric in METRICS.items()
        if target in metric.of
        and (subjects or metric.domain != "subject")
        and (divisions or metric.domain not in ("effect", "population", "division"))
        and (drivers or (metric.area != "drivers" and metric.domain != "column"))
    }
    assert rows | named == asked | named
    assert not rows & named
    (tmp_path / "criteria.toml").write_text(text)
    limits, _ = read_criteria(tmp_path / "criteria.toml", metrics=METRICS)
    assert find_never_failing(limits, {name: (row.lowest, row.highest) for name, row in METRICS.items()}) == ()
    assert missing_rows(text, questions) == {}


def command(*arguments):
    """Run a command and return its exit code and what it printed."""
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def save_network(path, weights):
    """Save a Keras network on one vector of numbers, whose second class leads by a weighted sum of them."""
    import keras
    from keras import layers

    network = keras.Sequential(
        [layers.Input((len(weights),)), layers.Dense(2, activation="tanh", name="dense1"), layers.Dense(2, name="two")]
    )
    first, second = np.zeros((len(weights), 2)), np.array([[-2.0, 2.0], [0.0, 0.1]])
    first[:, 0] = weights
    network.set_weights([first, np.array([0.0, 0.3]), second, np.zeros(2)])
    network.save(path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras saves so
def test_from_two_files_to_a_verdict(tmp_path, monkeypatch):
    """Approve, init and gate a Keras network; at equal accuracy one that reads what it must not is red by name."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    age, income, noise = draw.normal(size=(3, 120)).round(3)
    truth = (age + 0.5 * income > 0).astype(int)
    values = {"age": age, "income": income, "noise": noise, "proxy": (truth - 0.5 + 0.1 * noise).round(3)}
    groups = {"sex": np.where(draw.random(120) < 0.5, "f", "m")}
    TablePanel(values, truth, target="bought", class_names=("no", "yes"), groups=groups).save("heldout.npz")
    save_network("release.keras", [1.0, 0.5, 0.0, 0.0])
    save_network("proxy.keras", [0.2, 0.1, 0.0, 2.0])
    (tmp_path / "recipe.toml").write_text(
        "profile_values = 5\nprobe_rows = 60\nexchange_rows = 60\nuntrained_twins = 1\n"
    )
    given = ("--panel", "heldout.npz", "--to", "baselines/mine", "--recipe", "recipe.toml")
    code, said = command("approve", "release.keras", *given, "--reason", "first", "--picture", "sheet.png")
    assert code == 0, said
    assert "What drives the model, by share of its evidence: age" in said
    assert "PASS" in said
    with Image.open("sheet.png") as sheet:
        assert sheet.size[0] > 300
    assert command("init", "--candidate", "release.keras", "--baseline", "baselines/mine")[0] == 0
    add_row(MUST_NOT_DRIVE.replace("x3", "proxy"))(tmp_path)
    done, document = gates.gate(tmp_path)
    assert (done.returncode, document["verdict"]) == (0, "pass"), done.stdout
    assert (
        command("verdict", "report/verdict.json", "--candidate", "release.keras", "--baseline", "baselines/mine")[0]
        == 0
    )
    done, document = gates.gate(tmp_path, "--candidate", "proxy.keras")
    assert done.returncode == 1
    assert "driver_share[proxy]" in {row["key"] for row in document["findings"] if row["verdict"] == "fail"}
    assert document["metrics"]["accuracy_change"][""] >= -0.05
    code, said = command("diff", "baselines/mine", "report/candidate")
    assert (code, "proxy 0% ->" in said) == (0, True), said
    assert command("history", "baselines/mine")[0] == 0
    code, said = command("gc")
    assert (code, said) == (0, "Nothing to remove.\n"), said
