"""Tables with planted truth, networks on them that are plain arithmetic, and signatures of these, without Keras."""

from dataclasses import dataclass, field, replace

import numpy as np

from modelcheck.answers.tables import (
    choose_rows,
    describe_rows,
    find_profiles,
    make_asker,
    measure_answers,
    read_decision,
)
from modelcheck.metrics.tables.encoding import encode_rows, find_typical_row, list_trials
from modelcheck.panel.table_panel import TablePanel
from modelcheck.signature import LayerRecord, ProfileExchange, TableSignature
from modelcheck.table_recipe import TableRecipe

LIGHT = TableRecipe(
    units_per_layer=4, profile_values=5, profile_starts=2, probe_rows=60, exchange_rows=60, effect_bins=6, shuffles=3
)
SHIFTS = ("day", "late", "night")


def make_table_panel(
    n=300, seed=0, *, target="classes", classes=("no", "yes"), subjects=0, missing=0, noise=0.3, weight_of_f=1.0
):
    """Return a panel whose truth is planted: y = x1 + weight_of_f * x2 * [sex is f] + noise.

    Its features are the numbers ``x1``, ``x2`` and ``x3``, and the categories ``shift`` and ``sex``, which
    divides the rows, too. The target is y itself ("numbers"), or in which of equally frequent parts it lies
    ("classes"). Every `subjects` rows in turn are of one subject each; in so many rows ``x3`` and
    ``shift`` are missing.
    """
    draw = np.random.default_rng(seed)
    x1, x2, x3 = draw.normal(size=(3, n)).round(3)
    shift, sex = draw.choice(SHIFTS, size=n), draw.choice(["f", "m"], size=n)
    y = x1 + weight_of_f * x2 * (sex == "f") + noise * draw.normal(size=n)
    if missing:
        x3[:missing], shift[:missing] = np.nan, ""
    truth = y
    if target == "classes":
        truth = np.searchsorted(np.quantile(y, np.linspace(0, 1, len(classes) + 1)[1:-1]), y)
    return TablePanel(
        {"x1": x1, "x2": x2, "x3": x3, "shift": shift, "sex": sex},
        truth,
        target="bought" if target == "classes" else "spent",
        class_names=tuple(classes) if target == "classes" else (),
        subjects=[f"p{k % subjects:02d}" for k in range(n)] if subjects else None,
        groups={"sex": sex},
        units={"x1": "euros"},
    )


@dataclass(frozen=True)
class PlantedNetwork:
    """A `TableClassifier`: a weighted sum of columns and of products of a column and a category.

    `weights` are by column of numbers, `words` by column of categories and word, and `interactions`
    ``(column, category column, word, weight)``. With one output it answers the sum, with two the
    second class has it for its score, with more each class a multiple of it.
    """

    weights: dict = field(default_factory=lambda: {"x1": 1.0})
    words: dict = field(default_factory=dict)
    interactions: tuple = (("x2", "sex", "f", 1.0),)
    n_outputs: int = 2
    name: str = "planted"

    def answer(self, values):
        """Return ``(n,)`` the weighted sum; what is missing counts for nothing."""
        total = np.zeros(len(next(iter(values.values()))))
        for column, weight in self.weights.items():
            total += weight * np.nan_to_num(values[column])
        for column, weights in self.words.items():
            total += np.array([weights.get(word, 0.0) for word in values[column].tolist()])
        for column, category, word, weight in self.interactions:
            total += weight * np.nan_to_num(values[column]) * (values[category] == word)
        return total

    def scores(self, values):
        """Return ``(n, outputs)`` float32."""
        total = self.answer(values)[:, None]
        return (total if self.n_outputs == 1 else total * np.arange(self.n_outputs)).astype(np.float32)

    def jitter(self, seed, amount):
        """Return a network like it, whose weights differ by chance: as if it had been trained again."""
        draw = np.random.default_rng(seed + 1000)
        shift = lambda weight: weight + amount * draw.normal()  # noqa: E731 - short, and used below alone
        return replace(
            self,
            weights={name: shift(self.weights.get(name, 0.0)) for name in sorted({*self.weights, "x1", "x2", "x3"})},
            words={name: {word: shift(w) for word, w in words.items()} for name, words in self.words.items()},
            interactions=tuple((*rest, shift(weight)) for *rest, weight in self.interactions),
            name=f"{self.name}-{seed}",
        )


def make_table_signature(
    panel=None,
    network=None,
    *,
    recipe=LIGHT,
    untrained=0,
    retrained=0,
    amount=0.05,
    hidden=6,
    seed=0,
    stimuli=None,
    model=None,
    **changes,
):
    """Return the whole signature of a `TableClassifier` on a panel.

    Its one hidden layer, ``dense``, has so many units: random sums of the columns and of the answer,
    the same for every network of a seed but for their order. `untrained` twins have weights by
    chance, `retrained` ones weights that differ by `amount` and reduced signatures. `stimuli` is
    another signature whose profiles are shown to the network.
    """
    panel = make_table_panel() if panel is None else panel
    network = PlantedNetwork(n_outputs=len(panel.class_names) or 1) if network is None else network
    made = _measure(panel, network, recipe=recipe, hidden=hidden, seed=seed, stimuli=stimuli)
    name = network.name
    facts = {"name": name, "file": f"{name}.keras", "sha256": f"{seed:x}".rjust(64, "0"), "parameters": 99}
    twins = []
    for number in range(1, untrained + 1):
        chance = replace(network, weights={}, words={}, interactions=()).jitter(number, 1.0)
        twin = _measure(panel, chance, recipe=recipe, hidden=hidden, seed=seed + 50 + number, stimuli=stimuli)
        twins.append(TableSignature(model={"name": f"untrained twin {number}"}, rows={}, **twin))
    again = []
    for number in range(1, retrained + 1):
        other = make_table_signature(
            panel, network.jitter(number, amount), recipe=recipe, hidden=hidden, seed=seed + number
        )
        again.append(other.reduce_to_twin({"driver_distance": 1.0}))
    kernels = np.random.default_rng(seed)
    parts = {
        **made,
        "model": {**facts, "bytes": 1000, "inputs": "named", **(model or {})},
        "rows": describe_rows(panel),
        "fingerprint": {"0:5x6": kernels.normal(size=30), "1:6x2": kernels.normal(size=12)},
        "twins": tuple(twins),
        "retrained": tuple(again),
        "provenance": {"versions": {"modelcheck": "0"}, "python": "3"},
    }
    return TableSignature(**{**parts, **changes})


def _measure(panel, network, *, recipe, hidden, seed, stimuli):
    columns, classes = panel.columns, bool(panel.class_names)
    encoded = encode_rows(panel.values, columns)
    ask = make_asker(network, columns)
    scores = ask(encoded)
    typical = find_typical_row(encoded, columns)
    trials = list_trials(encoded, columns, most=recipe.profile_values)
    draw = np.random.default_rng(seed)
    mixes = np.random.default_rng(7).normal(size=(len(columns) + 1, hidden))[:, draw.permutation(hidden)]
    scale = np.maximum(np.nanstd(encoded, axis=0), 1e-9)

    def ask_hidden(rows):
        parts = np.nan_to_num((rows - typical) / scale)
        return np.tanh(np.concatenate([parts, ask(rows)[:, -1:]], axis=1) @ mixes * 0.3)

    asked = {"decision": lambda rows: read_decision(ask(rows), classes=classes)}
    if hidden:
        asked = {"dense": lambda rows: ask_hidden(rows)[:, : recipe.units_per_layer]} | asked
    found = {
        layer: find_profiles(of, encoded, typical=typical, trials=trials, starts=recipe.profile_starts)
        for layer, of in asked.items()
    }
    probes = choose_rows(panel, recipe.probe_rows, seed=recipe.seed)
    decided = scores[probes] if classes else read_decision(scores[probes], classes=False)
    features = {"dense": ask_hidden(encoded[probes]), "decision": decided}
    units = {layer: np.arange(len(profiles.rows)) for layer, profiles in found.items()}
    exchange = None
    if stimuli is not None:
        rows = np.concatenate([stimuli.profiles["decision"], stimuli.typical[None]])
        answers = asked["decision"](rows)
        exchange = ProfileExchange(
            profiles_sha256=stimuli.profiles_sha256(), happiness=np.diag(answers[:-1]), at_rest=answers[-1]
        )
    relevance = np.nan_to_num(encoded[probes] - typical)
    return {
        "recipe": recipe,
        "panel_digest": panel.digest(),
        "target": panel.target,
        "class_names": panel.class_names,
        "columns": columns,
        "layers": tuple(
            LayerRecord(
                name=layer,
                kind="decision" if layer == "decision" else "dense",
                n_units=features[layer].shape[1],
                objective="lead" if layer == "decision" else "pre-activation",
                patch=False,
            )
            for layer in found
        ),
        "units": units,
        "typical": typical,
        "profiles": {layer: profiles.rows for layer, profiles in found.items()},
        "happiness": {layer: profiles.happiness for layer, profiles in found.items()},
        "at_rest": {layer: profiles.at_rest for layer, profiles in found.items()},
        "gains": {layer: profiles.gains for layer, profiles in found.items()},
        "features": {layer: features[layer].astype(np.float32) for layer in found},
        "scores": scores,
        "probes": probes,
        "relevance": {"integrated_gradients": relevance.astype(np.float32)},
        "exchange": exchange,
        **measure_answers(ask, panel, encoded, scores=scores, recipe=recipe),
    }
