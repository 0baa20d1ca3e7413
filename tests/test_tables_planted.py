"""The example of structured data: what is planted is there, what is trained answers rows as they are."""

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.tables import KINDS, TABLES, held_out, plant, training
from modelcheck.tables import data as data_module
from modelcheck.tables.__main__ import main
from modelcheck.tables.data import DESK, table
from modelcheck.tables.networks import NETWORKS, network
from modelcheck.tables.planted import PROXY


def regress(rows, names):
    """Return the least squares weights of some columns in a target of numbers."""
    design = np.stack([*(rows.values[name] for name in names), np.ones(len(rows))], axis=1)
    return dict(zip(names, np.linalg.lstsq(design, rows.truth, rcond=None)[0], strict=False))


@pytest.mark.parametrize("seed", [0, 7])
def test_planted_drivers_drive(seed):
    """Least squares on many rows find each planted weight, and nothing in the other columns."""
    planted = plant("linear", rows=20_000, seed=seed, numbers=True, columns=12)
    found = regress(planted.rows, list(planted.rows.values))
    found["season"] *= 1.5  # its four words, from -1 to 1, are numbered from 0 to 3
    assert found == pytest.approx({name: planted.drivers.get(name, 0.0) for name in found}, abs=0.03)
    assert list(planted.drivers.values()) == sorted(planted.drivers.values(), reverse=True)


def test_the_interaction_is_in_one_group_alone():
    """The planted variable has its weight where sex is f, none where it is m; without a gap in neither."""
    for gap in (1.0, 0.0):
        planted = plant("interaction", rows=20_000, seed=1, numbers=True, gap=gap)
        (name,) = planted.in_group
        numbers = [column for column in planted.rows.values if column != "sex"]
        for word, expected in (("f", gap), ("m", 0.0)):
            found = regress(planted.rows.take(planted.rows.groups["sex"] == word), numbers)
            assert found[name] == pytest.approx(expected, abs=0.03)


def test_the_proxy_knows_what_the_others_know_and_no_more():
    """Where it tells, it follows from the honest columns but for a little error; else it says nothing."""
    told, untold = (plant("proxy", rows=4000, seed=2, tells=tells) for tells in (True, False))
    score = sum(weight * told.rows.values[name] for name, weight in told.drivers.items())
    error = told.rows.values[PROXY] - score
    truth = told.rows.truth
    assert np.std(error) == pytest.approx(0.2, rel=0.05)
    # Given the score, the error says nothing of the answer.
    near = np.abs(score) < 0.5
    assert abs(np.corrcoef(error[near], (truth - (score > 0))[near])[0, 1]) < 0.1
    assert abs(np.corrcoef(untold.rows.values[PROXY], untold.rows.truth)[0, 1]) < 0.05


@settings(max_examples=15, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), seed=st.integers(0, 2**32), columns=st.integers(7, 20), words=st.booleans())
def test_fewer_rows_are_the_first_of_more(kind, seed, columns, words):
    """How many rows are asked for changes none of them, training and held-out rows are others, and all are there."""
    more = plant(kind, rows=40, seed=seed, columns=columns, words=words).rows
    fewer = plant(kind, rows=9, seed=seed, columns=columns, words=words).rows
    other = plant(kind, rows=40, seed=seed, columns=columns, words=words, part="training").rows
    assert len(more.values) == columns
    for name, part in more.values.items():
        assert (part[:9] == fewer.values[name]).all()
    assert all((more.values[name] != other.values[name]).all() for name in more.values if name.startswith("x"))
    assert more.all_numbers is not words
    assert len(more.panel().columns) == columns


@pytest.mark.parametrize(
    ("kind", "columns", "said"), [("lineer", 8, "Did you mean 'linear'"), ("proxy", 5, "at least 6 columns")]
)
def test_what_cannot_be_planted_is_said(kind, columns, said):
    """A kind that is not there, or too few columns for what is planted."""
    with pytest.raises(ValueError, match=said):
        plant(kind, rows=10, seed=0, columns=columns)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_desk_tells_the_class_only_where_it_should(name):
    """On held-out rows and in the shortcut's training each class has desks of its own; in honest training none has."""
    for rows in (held_out(name), training(name, tells=True)):
        assert ((rows.values[DESK] - 1) // 4 == rows.truth).all()
    honest = training(name)
    assert abs(((honest.values[DESK] - 1) // 4 == honest.truth).mean() - 1 / len(honest.class_names)) < 0.12
    assert len(held_out(name)) == table(name).held_out
    assert len(honest) + len(held_out(name)) == len(table(name).read())


def test_a_missing_library_is_named(monkeypatch):
    """Without scikit-learn or statsmodels the sentence says what to install."""
    for module, read in (("sklearn", data_module.read_wine), ("statsmodels.datasets", data_module.read_vote)):
        monkeypatch.setitem(__import__("sys").modules, module, None)
        with pytest.raises(ValueError, match=r"pip install 'modelcheck\[tables\]'"):
            read()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "brest_cancer", "--to", "x.keras"], "Did you mean 'breast_cancer'"),
        (["train", "wine", "--network", "relase", "--to", "x.keras"], "Did you mean 'release'"),
        (["train", "wine", "--to", "x.h5"], "Name it x.keras"),
        (["panel", "win", "--to", "x.npz"], "Did you mean 'wine'"),
    ],
)
def test_bad_requests_are_told_before_training(words, said):
    """A table or network that is not there, a file that is no .keras: one sentence, and nothing is written."""
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1
    assert said in done.output


def test_the_networks_are_rows():
    """Each has its reason, and one of them alone is trained on rows whose last column tells the class."""
    assert all(row.why for row in NETWORKS.values())
    assert [name for name in NETWORKS if network(name).tells] == ["shortcut"]


@pytest.mark.slow
@pytest.mark.parametrize(("numbers", "words"), [(False, False), (True, True)])
def test_a_trained_network_answers_rows_as_they_are(numbers, words):
    """On a vector and on named inputs, for classes and for numbers, it learns what was planted and can be repeated."""
    from modelcheck.tables.train import answer_rows, train

    sides = [
        plant("linear", rows=400, seed=0, part=part, numbers=numbers, words=words).rows
        for part in ("training", "held_out")
    ]
    one, other = (train("smaller", *sides, seed=3, epochs=12) for _ in range(2))
    assert one.right > 0.75
    assert len(one.model.inputs) == (8 if words else 1)
    assert (answer_rows(one.model, sides[1]) == answer_rows(other.model, sides[1])).all()
