"""Second opinions on a network on a table: other libraries find what was planted, and say so when they are missing."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest

from modelcheck.answers.cross_checks import (
    MissingExtraError,
    ShapDrivers,
    effector_curve,
    regress_interaction,
    shap_drivers,
)
from modelcheck.panel.table_panel import TablePanel
from modelcheck.runtimes import NetworkError
from modelcheck.tables import plant


@dataclass(frozen=True)
class Formula:
    """A network that is a formula of the columns."""

    answer: object
    name: str = "formula"
    n_outputs: int = 1

    def scores(self, values):
        made = np.asarray(self.answer(values), np.float32)
        return made[:, None] if made.ndim == 1 else made


def sum_of(weights):
    return Formula(lambda values: sum(weight * values[name] for name, weight in weights.items()))


def panel_of(kind="linear", rows=300, **options):
    planted = plant(kind, rows=rows, seed=5, numbers=True, **options)
    return planted, planted.rows.panel()


@pytest.mark.slow
def test_shap_finds_the_shares_of_a_sum():
    """Of a sum a column's Shapley value is its weight times its distance from the background, by the formula."""
    pytest.importorskip("shap")
    planted, panel = panel_of()
    before = np.random.get_state()[1].copy()  # noqa: NPY002 (SHAP draws from it)
    found = shap_drivers(sum_of(planted.drivers), panel, rows=40, background=300)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002 (as above)
    strengths = []
    for name in panel.values:
        part = panel.values[name]
        strengths.append(planted.drivers.get(name, 0.0) * np.abs(part[found.rows] - part.mean()).mean())
    assert found.shares == pytest.approx(np.array(strengths) / np.sum(strengths), abs=0.005)
    assert found.columns == tuple(panel.values)
    assert found.correlate(np.array(strengths) / np.sum(strengths)) == 1.0
    assert found.correlate(found.shares[::-1]) < 0.9


@pytest.mark.slow
def test_shap_takes_categories_and_several_classes():
    """A category is exchanged as a whole word, and every class has its view."""
    pytest.importorskip("shap")
    _, panel = panel_of(words=True)
    seasons = {"autumn": (3, 0, 0), "spring": (0, 0, 0), "summer": (0, 2, 0), "winter": (0, 0, 1)}
    network = Formula(lambda values: [seasons[word] for word in values["season"].tolist()], n_outputs=3)
    found = shap_drivers(network, panel, rows=20, background=20, permutations=1)
    assert found.values.shape == (20, len(panel.values), 3)
    assert found.shares[found.columns.index("season")] == pytest.approx(1.0)


def test_shap_says_nothing_of_a_constant_and_refuses_nan():
    """A network that answers every row alike has no shares; one that answers NaN is refused."""
    pytest.importorskip("shap")
    _, panel = panel_of(rows=30)
    flat = shap_drivers(Formula(lambda values: np.zeros(len(values["sex"]))), panel, rows=5)
    assert np.isnan(flat.shares).all()
    assert np.isnan(ShapDrivers.correlate(flat, np.full(8, 1 / 8)))
    with pytest.raises(NetworkError, match="NaN or infinity"):
        shap_drivers(Formula(lambda values: np.full(len(values["sex"]), np.nan)), panel, rows=5)


@pytest.mark.parametrize("clustered", [False, True])
def test_the_regression_finds_a_planted_interaction(clustered):
    """The slopes by group are the planted ones, the test rejects; without a gap it does not."""
    pytest.importorskip("statsmodels")
    noise = np.random.Generator(np.random.Philox(key=[1, 2])).normal(0, 0.3, 400)
    for gap in (1.0, 0.0):
        planted, panel = panel_of("interaction", rows=400, gap=gap)
        if clustered:
            panel = TablePanel(
                panel.values,
                panel.truth,
                target="amount",
                groups=panel.groups,
                subjects=[f"s{k // 4}" for k in range(400)],
            )
        ((name, _),) = planted.in_group.items()
        (driver,) = planted.drivers
        part = panel.values[name]
        answers = panel.values[driver] + gap * part * (panel.groups["sex"] == "f") + noise
        found = regress_interaction(answers[:, None], panel, name, "sex")
        assert (found.p < 1e-6) is (gap > 0)
        assert found.slopes == pytest.approx({"f": gap * part.std(), "m": 0.0}, abs=0.06)
        assert (found.n, found.clusters) == (400, 100 if clustered else 400)


def test_the_regression_takes_categories_and_leaves_out_what_is_missing():
    """A category that counts in one group alone is found; rows with something missing do not count."""
    pytest.importorskip("statsmodels")
    _, panel = panel_of(words=True)
    values = {**panel.values, "x01": np.where(np.arange(300) < 9, np.nan, panel.values["x01"])}
    panel = TablePanel(values, panel.truth, target="amount", groups=panel.groups)
    noise = np.random.Generator(np.random.Philox(key=[3, 4])).normal(0, 0.3, (300, 2))
    scores = noise + 0.0
    scores[:, 1] += (values["season"] == "winter") & (panel.groups["sex"] == "m")
    found = regress_interaction(scores, panel, "season", "sex")
    assert found.p < 1e-6
    assert (found.n, found.slopes) == (291, {})
    assert regress_interaction(noise, panel, "season", "sex").p > 0.01


@pytest.mark.parametrize(
    ("column", "division", "rows", "said"),
    [
        ("age", "sex", 30, "has no 'age'"),
        ("x01", "region", 30, "has no 'region'"),
        ("x01", "sex", 9, "30 rows|has 30"),
        ("x01", "whole", 30, "cannot be tested"),
    ],
)
def test_what_cannot_be_regressed_is_said(column, division, rows, said):
    """Unknown names, scores of other rows, a division that does not divide."""
    pytest.importorskip("statsmodels")
    _, panel = panel_of(rows=30)
    panel = TablePanel(panel.values, panel.truth, target="amount", groups={**panel.groups, "whole": ["x"] * 30})
    with pytest.raises(ValueError, match=said):
        regress_interaction(np.zeros((rows, 1)), panel, column, division)


@pytest.mark.filterwarnings("ignore")  # effector's own libraries warn
@pytest.mark.parametrize("method", ["ale", "rhale"])
def test_effector_traces_a_known_curve(method):
    """Of a square plus something else the effect is the square, centred."""
    pytest.importorskip("effector")
    _, panel = panel_of(rows=600)
    grid = np.linspace(-1.5, 1.5, 7)
    network = Formula(lambda values: values["x01"] ** 2 + 3 * values["x02"])
    found = effector_curve(network, panel, "x01", grid, method=method)[:, 0]
    assert found == pytest.approx(grid**2 - (grid**2).mean(), abs=0.35)
    assert np.abs(effector_curve(network, panel, "x03", grid, method=method)).max() < 1e-3
    with pytest.raises(ValueError, match="no column of numbers"):
        effector_curve(network, panel, "x99", grid, method=method)


def test_a_missing_library_is_named(monkeypatch):
    """Without the extra each cross-check says what to install."""
    _, panel = panel_of(rows=30)
    network = sum_of({"x01": 1.0})
    for module in ("shap", "effector", "statsmodels.regression.linear_model"):
        monkeypatch.setitem(sys.modules, module, None)
    for ask in (
        lambda: shap_drivers(network, panel),
        lambda: effector_curve(network, panel, "x01", np.zeros(2)),
        lambda: regress_interaction(np.zeros((30, 1)), panel, "x01", "sex"),
    ):
        with pytest.raises(MissingExtraError, match=r"pip install 'modelcheck\[tables\]'"):
            ask()
