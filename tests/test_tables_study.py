"""The study of planted tables: what it records without Keras is what measuring records, and its counts can fail."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from batched_networks import as_keras, train_all
from planted_tables import TRIED_ON, extreme, gaps_of, say_gaps, train_networks
from table_records import RECIPE, Trained, record_of

from modelcheck.tables import plant


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")  # Keras saves so
@pytest.mark.parametrize("numbers", [False, True])
def test_a_record_without_keras_is_that_of_measuring(numbers, tmp_path):
    """Answers, exchanges, effects and profiles of the same weights agree, by numpy and by Keras."""
    from modelcheck.faces.train import save
    from modelcheck.measurement import measure

    table = plant("linear", rows=300, seed=4, part="training", numbers=numbers).rows
    panel = plant("linear", rows=120, seed=4, numbers=numbers).rows.panel()
    (weights,) = train_all("smaller", [table], [3], epochs=5)
    save(as_keras("smaller", table, weights), tmp_path / "smaller.keras")
    recipe = replace(RECIPE, exchange_rows=40, probe_rows=30)
    ours = record_of(Trained.on("smaller", table, weights), panel, recipe=recipe)
    theirs = measure(tmp_path / "smaller.keras", panel, recipe, twins=False)
    near = {"atol": 2e-4, "rtol": 1e-3}
    np.testing.assert_allclose(ours.scores, theirs.scores, **near)
    for part in ("rows", "donors", "falls"):
        np.testing.assert_allclose(ours.exchanges[part], theirs.exchanges[part], **near)
    for name, effect in theirs.effects.items():
        np.testing.assert_allclose(ours.effects[name].changes, effect.changes, **near)
    decision = theirs.decision.name
    np.testing.assert_allclose(ours.happiness["decision"], theirs.happiness[decision], atol=5e-3)
    assert [layer.n_units for layer in ours.layers] == [layer.n_units for layer in theirs.layers]


def test_networks_of_one_seed_do_not_depend_on_those_beside_them():
    """Trained alone or among others, a network has the same weights: nothing is drawn in common."""
    tables = [plant("noise", rows=100, seed=seed, part="training").rows for seed in (1, 2)]
    together = train_all("smaller", tables, [5, 6], epochs=2)
    (alone,) = train_all("smaller", tables[1:], [6], epochs=2)
    for (kernel, bias), (other, beside) in zip(together[1], alone, strict=True):
        np.testing.assert_allclose(kernel, other, atol=1e-6)
        np.testing.assert_allclose(bias, beside, atol=1e-6)


def test_the_shortcut_alone_is_trained_on_rows_that_tell():
    """Honest networks of one architecture, a smaller one and, where there is a proxy, the one that reads it."""
    small = replace(TRIED_ON[-1], trained_on=64)
    assert small.kind == "proxy"
    roles = train_networks(small, [1])
    assert set(roles) == {"again0", "again1", "again2", "again3", "again4", "smaller0", "shortcut"}
    assert set(train_networks(replace(small, kind="noise"), [1])) == set(roles) - {"shortcut"}


@pytest.mark.slow
def test_gaps_are_counted():
    """A planted gap is over the limit and what is not there is not; the line of a size says how often."""
    found = pd.DataFrame(gaps_of([300], trained_on=600))
    assert (found[found["gap"] == 1.0]["planted"] > 0.3).all()
    assert (found[found["gap"] == 0.0]["largest_other"] < 0.25).all()
    lines = list(say_gaps(found, 0.25))
    assert len(lines) == 2 + len(found)
    assert lines[-1].startswith("| 1.0 | 1000 | ")
    assert "| 1.00 |" in lines[-1]


def test_the_farthest_value_is_taken():
    """Of all that a metric is about the value farthest from 0, with its sign; not that of a longer name."""
    values = {"change[a]": -0.3, "change[b]": 0.2, "change_more[a]": 9.0, "alone": 1.0}
    assert (extreme(values, "change"), extreme(values, "alone")) == (-0.3, 1.0)
    assert np.isnan(extreme(values, "none"))
