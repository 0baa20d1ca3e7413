"""The record of a small network on a table, made without Keras: the same arithmetic as in `measure`, in numpy.

A study asks hundreds of networks, each of which Keras would load and trace for seconds.
`tests/test_tables_study.py` holds one against `measure`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

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
from modelcheck.tables import Rows

RECIPE = TableRecipe(untrained_twins=0, shuffles=0, attribution_methods=())


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A dense network of numbers with its normalisation: a `TableClassifier`."""

    name: str
    weights: Sequence[tuple[np.ndarray, np.ndarray]]
    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def on(cls, name: str, rows: Rows, weights: Sequence[tuple[np.ndarray, np.ndarray]]) -> Trained:
        """Return the network that was trained on some rows."""
        vector = rows.vector()
        spread = np.maximum(vector.std(axis=0), np.float32(1e-6))
        return cls(name=name, weights=weights, mean=vector.mean(axis=0), spread=spread)

    @property
    def n_outputs(self) -> int:
        """How many scores it gives a row."""
        return len(self.weights[-1][1])

    def activations(self, vector: np.ndarray) -> list[np.ndarray]:
        """Return ``(n, units)`` of every layer; of the last before softmax."""
        found = [((vector - self.mean) / self.spread).astype(np.float32)]
        for number, (kernel, bias) in enumerate(self.weights, start=1):
            z = found[-1] @ kernel + bias
            found.append(z if number == len(self.weights) else np.maximum(z, 0))
        return found[1:]

    def scores(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return ``(n, outputs)`` float32."""
        return self.activations(np.stack(list(values.values()), axis=1))[-1].astype(np.float32)


def record_of(
    network: Trained, panel: TablePanel, *, recipe: TableRecipe = RECIPE, stimuli: TableSignature | None = None
) -> TableSignature:
    """Return the record of a network: profiles of the decision alone, features of every layer."""
    columns, classes = panel.columns, bool(panel.class_names)
    encoded, ask = encode_rows(panel.values, columns), make_asker(network, columns)
    scores, typical = ask(encoded), find_typical_row(encoded, columns)
    trials = list_trials(encoded, columns, most=recipe.profile_values)

    def decide(rows: np.ndarray) -> np.ndarray:
        return read_decision(ask(rows), classes=classes)

    best = find_profiles(decide, encoded, typical=typical, trials=trials, starts=recipe.profile_starts)
    probes = choose_rows(panel, recipe.probe_rows, seed=recipe.seed)
    layers = network.activations(encoded[probes])
    layers[-1] = layers[-1] if classes else read_decision(layers[-1], classes=False)
    names = [*(f"dense{k}" for k in range(1, len(layers))), "decision"]
    exchange = None
    if stimuli is not None:
        answers = decide(np.concatenate([stimuli.profiles["decision"], stimuli.typical[None]]))
        exchange = ProfileExchange(
            profiles_sha256=stimuli.profiles_sha256(), happiness=np.diag(answers[:-1]), at_rest=answers[-1]
        )
    none = np.empty((0, len(columns)))
    size = sum(kernel.size + bias.size for kernel, bias in network.weights)
    sha = hashlib.sha256(b"".join(part.tobytes() for pair in network.weights for part in pair)).hexdigest()
    return TableSignature(
        model={"name": network.name, "file": network.name, "sha256": sha, "parameters": size, "bytes": 0},
        recipe=recipe,
        panel_digest=panel.digest(),
        target=panel.target,
        class_names=panel.class_names,
        columns=columns,
        layers=tuple(
            LayerRecord(
                name=name,
                kind="decision" if name == "decision" else "dense",
                n_units=features.shape[1],
                objective="lead" if name == "decision" else "pre-activation",
                patch=False,
            )
            for name, features in zip(names, layers, strict=True)
        ),
        units={name: np.arange(len(best.rows) if name == "decision" else 0) for name in names},
        typical=typical,
        profiles={name: best.rows if name == "decision" else none for name in names},
        happiness={name: best.happiness if name == "decision" else np.empty(0) for name in names},
        at_rest={name: best.at_rest if name == "decision" else np.empty(0) for name in names},
        gains={name: best.gains if name == "decision" else none for name in names},
        features={name: part.astype(np.float32) for name, part in zip(names, layers, strict=True)},
        scores=scores,
        rows=describe_rows(panel),
        probes=probes,
        fingerprint={
            f"{k}:{before}x{after}": network.weights[k][0].ravel()
            for k, (before, after) in enumerate(pairwise([len(columns), *(len(bias) for _, bias in network.weights)]))
        },
        exchange=exchange,
        **measure_answers(ask, panel, encoded, scores=scores, recipe=recipe),
    )
