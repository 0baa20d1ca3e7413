"""Comparisons of networks on a table to report on, put together by hand: each part is chosen, not measured."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from modelcheck.comparison import METRICS
from modelcheck.comparison.tables.comparison import TableComparison
from modelcheck.comparison.tables.drivers import Drivers
from modelcheck.comparison.tables.effects import EffectComparison
from modelcheck.comparison.tables.gaps import EffectGap
from modelcheck.comparison.tables.groups import GroupRates
from modelcheck.comparison.tables.layers import TableLayer
from modelcheck.comparison.tables.profiles import ProfilePair
from modelcheck.judgement.criteria import Criterion, criterion_for
from modelcheck.judgement.document import seal
from modelcheck.judgement.findings import judge, overall
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.matching import Matching
from modelcheck.panel.columns import Column, ColumnKind
from modelcheck.signature import LayerRecord, TableSignature
from modelcheck.table_recipe import TableRecipe
from reports import empty_document

ROWS = 240
NUMBERS = (
    ("age", "years", 18.0, 90.0),
    ("income", "€", 8200.0, 143000.0),
    ("tenure", "months", 0.0, 118.0),
    ("balance", "€", -4100.0, 25600.0),
    ("visits", "", 0.0, 41.0),
)
CATEGORIES = (
    ("postcode", ("10115", "20095", "50667", "60311", "80331")),
    ("job", ("clerk", "doctor", "nurse", "retired", "student")),
)
LIMITS = (
    Criterion(metric="driver_share", about="postcode", at_most=0.05, why="A proxy for origin must not decide."),
    Criterion(metric="driver_change", at_least=-0.2, at_most=0.2, why="No variable drives it otherwise than before."),
    Criterion(metric="driver_rank_agreement", at_least=0.7, why="The same variables matter."),
    Criterion(metric="effect_change", at_most=0.3, why="Each variable moves it as before."),
    Criterion(metric="effect_gap", at_most=0.25, why="The model's effect is the same for everyone."),
    Criterion(metric="accuracy_difference", at_most=0.15, why="Nobody is answered worse."),
    Criterion(metric="error_difference", at_most=0.3, why="Nobody is answered worse."),
    Criterion(metric="balanced_accuracy", at_least=0.7, why="As agreed."),
    Criterion(metric="class_accuracy", at_least=0.6, why="No class is given up."),
    Criterion(metric="error", at_most=0.8, why="As agreed."),
    Criterion(metric="profile_transfer", at_least=0.5, why="It looks for the same rows."),
)


def make_columns(n=7, *, names=None):
    """Return the columns of a table: numbers in their units, then categories, then as many more numbers as asked."""
    rows = [
        Column(name=name, kind=ColumnKind.NUMBER, low=low, high=high, unit=unit) for name, unit, low, high in NUMBERS
    ]
    rows += [Column(name=name, kind=ColumnKind.CATEGORY, values=values) for name, values in CATEGORIES]
    rows += [
        Column(name=f"measure_{k:02d}", kind=ColumnKind.NUMBER, low=0.0, high=10.0 * k)
        for k in range(1, n - len(rows) + 1)
    ]
    rows = rows[:n]
    return tuple(dataclasses.replace(row, name=(names or {}).get(row.name, row.name)) for row in rows)


def make_table_signature(
    name, columns, *, class_names=("no", "yes"), target="bought", divisions=True, seed=0, good=0.9
):
    """Return a record of a network on a table whose answers are right in a share of the rows."""
    draw = np.random.default_rng(seed)
    outputs = len(class_names) or 1
    truth = np.arange(ROWS) % outputs if class_names else np.linspace(100.0, 400.0, ROWS)
    scores = np.zeros((ROWS, outputs), np.float32)
    if class_names:
        answers = np.where(draw.random(ROWS) < good, truth, (truth + 1) % outputs)
        scores[np.arange(ROWS), answers] = draw.uniform(0.5, 3, ROWS)
    else:
        scores[:, 0] = truth + draw.normal(0, 120 * (1 - good) + 20, ROWS)
    rows = {"truth": truth, "names": np.array([f"row-{k:04d}" for k in range(ROWS)])}
    if divisions:
        rows["groups/sex"] = np.array((["f"] * 12 + ["m"] * 12) * (ROWS // 24))
        rows["groups/sex"][:4] = "x"
        rows["groups/region"] = np.array((["north", "south", "west"] * ROWS)[:ROWS])
    units = {"dense": np.arange(4), "decision": np.arange(max(outputs, 2))}
    kinds = {"dense": "dense", "decision": "decision"}
    empty = {layer: np.zeros((len(shown), len(columns))) for layer, shown in units.items()}
    return TableSignature(
        model={"name": name, "file": f"{name}.keras", "sha256": "ab" * 32, "parameters": 900, "bytes": 40_000},
        recipe=TableRecipe(),
        panel_digest="cd" * 32,
        target=target,
        class_names=class_names,
        columns=columns,
        layers=tuple(
            LayerRecord(name=x, kind=kind, n_units=len(units[x]), objective="mean", patch=False)
            for x, kind in kinds.items()
        ),
        units=units,
        typical=np.zeros(len(columns)),
        profiles=empty,
        happiness={layer: np.ones(len(shown)) for layer, shown in units.items()},
        at_rest={layer: np.zeros(len(shown)) for layer, shown in units.items()},
        gains=empty,
        features={layer: np.zeros((4, len(shown))) for layer, shown in units.items()},
        scores=scores,
        rows=rows,
        probes=np.arange(4),
    )


def make_table_comparison(
    *, n=7, proxy=False, gap=0.1, change=0.06, class_names=("no", "yes"), divisions=True, names=None, good=0.9, twins=2
):
    """Return a comparison; `proxy` lets the postcode drive the candidate, `gap` and `change` are what age shows."""
    draw = np.random.default_rng(3)
    columns = make_columns(n, names=names)
    kept = {"class_names": class_names, "divisions": divisions, "target": (names or {}).get("target", "bought")}
    baseline = make_table_signature("baseline", columns, **kept)
    candidate = make_table_signature((names or {}).get("candidate", "candidate"), columns, seed=1, good=good, **kept)
    drivers = _make_drivers(columns, draw, proxy=proxy, twins=twins)
    views = (class_names[1],) if len(class_names) == 2 else class_names or (kept["target"],)
    effects = tuple(_make_effect(column, k, views, draw, change) for k, column in enumerate(columns))
    gaps, groups = [], []
    for division, words in baseline.groups.items():
        populations = tuple(x for x in np.unique(words).tolist() if (words == x).sum() >= 10)
        gaps += [
            _make_gap(column, division, populations, effects[k], gap if k == 0 else 0.02)
            for k, column in enumerate(columns)
        ]
        for k, x in enumerate(np.unique(words).tolist()):
            rates = _make_rates(class_names, 0.9 - 0.02 * k)
            groups.append(
                GroupRates(
                    division=division,
                    population=x,
                    n=int((words == x).sum()),
                    measured=x in populations,
                    baseline=rates if x in populations else {},
                    candidate=_make_rates(class_names, good - 0.04 * k) if x in populations else {},
                    interval=(0.8, 0.96) if x in populations else (math.nan, math.nan),
                )
            )
    comparison = TableComparison(
        baseline=baseline,
        candidate=candidate,
        layers=tuple(TableLayer(baseline=x, candidate=x, matching=Matching((), (), ())) for x in baseline.layers),
        measures={},
        drivers=drivers,
        effects=effects,
        gaps=tuple(gaps),
        groups=tuple(groups),
        profiles=_make_profiles(columns, class_names, draw),
    )
    measures = _make_measures(comparison, good)
    return dataclasses.replace(comparison, measures={(item.metric, item.about): item for item in measures})


def _make_drivers(columns, draw, *, proxy, twins):
    weights = np.array([0.4, 0.25, 0.15, 0.1, 0.06, 0.02, 0.02, *([0.01] * 40)])[: len(columns)]
    before = weights / weights.sum()
    after = np.abs(before + draw.normal(0, 0.008, len(columns)))
    if proxy:
        after[[x.kind == "category" for x in columns].index(True)] = 0.7
    after = after / after.sum()
    spread = 0.02 + 0.1 * after
    shuffled = {
        role: np.stack([share * 0.4, share * 0.35, share * 0.46], axis=1)
        for role, share in (("baseline", before), ("candidate", after))
    }
    return Drivers(
        columns=tuple(x.name for x in columns),
        baseline=before,
        candidate=after,
        intervals=np.stack([np.maximum(after - spread, 0), after + spread], axis=1),
        twins=np.abs(before + draw.normal(0, 0.01, (twins, len(columns)))),
        shuffled=shuffled,
        relevance={"integrated_gradients": np.stack([before, after]), "deeplift": np.stack([before, after])},
    )


def _make_effect(column, k, views, draw, change):
    size = 2.0 / (1 + k)
    if column.kind == "number":
        grid = np.linspace(column.low, column.high, 13)
        shape = np.sin(np.linspace(-1.5, 1.5 + 0.4 * k, 13)) * size
        weights = np.exp(-(np.linspace(-1.5, 2, 13) ** 2))
    else:
        grid = np.arange(len(column.values), dtype=float)
        shape = draw.normal(0, size / 2, len(grid))
        weights = np.linspace(1, 3, len(grid))
    curves = np.stack([shape * (1 - 0.4 * v) for v in range(len(views))], axis=1)
    curves = curves - curves.mean(axis=0)
    moved = change if k == 0 else 0.05
    return EffectComparison(
        column=column.name,
        grid=grid,
        weights=weights / weights.sum(),
        baseline=curves,
        candidate=curves * (1 + moved) + draw.normal(0, 0.04, curves.shape),
        views=tuple(views),
        change=moved,
        twins=(0.04, 0.07),
    )


def _make_gap(column, division, populations, effect, gap):
    curves = np.stack([effect.candidate * (1 + gap * (1 if k else -1)) for k in range(len(populations))])
    return EffectGap(
        column=column.name,
        division=division,
        populations=populations,
        counts=tuple(100 - 10 * k for k in range(len(populations))),
        grid=effect.grid,
        curves=curves,
        gap=gap,
        baseline_gap=0.02,
        p=0.001 if gap > 0.2 else 0.4,
        p_adjusted=0.007 if gap > 0.2 else 1.0,
    )


def _make_rates(class_names, right):
    if not class_names:
        return {"error": 1.3 - right}
    rates = {"accuracy": right}
    if len(class_names) == 2:
        rates |= {"selection_rate": 0.4, "true_positive_rate": right - 0.02, "false_positive_rate": 0.11}
    return rates


def _make_profiles(columns, class_names, draw):
    made = []
    outputs = class_names or ("highest", "lowest")
    for layer, units in (("decision", outputs), ("dense", tuple("0123"))):
        for k, unit in enumerate(units):
            rows = [
                np.array(
                    [draw.integers(len(x.values)) if x.values else draw.uniform(x.low, x.high) for x in columns],
                    float,
                )
                for _ in range(2)
            ]
            gains = np.maximum(draw.normal(0.2, 0.6, len(columns)), 0) * np.linspace(3, 0, len(columns))
            made.append(
                ProfilePair(
                    layer=layer,
                    unit=unit,
                    counterpart=f"{layer}:{k}",
                    baseline=rows[0],
                    candidate=np.where(gains > 0.4, rows[0], rows[1]),
                    baseline_gains=gains,
                    candidate_gains=gains * 0.9,
                    transfer=0.93 if layer == "decision" else math.nan,
                    correlation=0.9 - 0.1 * k,
                )
            )
    return tuple(made)


def _make_measures(comparison, good):
    made = []
    add = lambda metric, value, about="", **more: made.append(  # noqa: E731
        Measured(metric=metric, value=float(value), about=about, **{"n": ROWS, **more})
    )
    drivers, n = comparison.drivers, len(comparison.drivers.columns)
    add("profile_transfer", 0.93, n=2, about="decision")
    add("driver_rank_agreement", 0.93, n=n)
    add("driver_distance", 1.1)
    for k, name in enumerate(drivers.columns):
        before, after = float(drivers.baseline[k]), float(drivers.candidate[k])
        add("driver_share", after, name, baseline=before, interval=tuple(drivers.intervals[k].tolist()))
        add("driver_change", after - before, name)
        add("effect_change", comparison.effects[k].change, name)
    for row in comparison.gaps:
        add("effect_gap", row.gap, f"{row.column}|{row.division}", baseline=row.baseline_gap)
    classes = comparison.baseline.class_names
    for division in comparison.baseline.groups:
        add("accuracy_difference" if classes else "error_difference", 0.08, division, n=2, baseline=0.05)
    if classes:
        add("balanced_accuracy", good, baseline=0.9)
        add("kappa", 0.8)
        for name in classes:
            add("class_accuracy", good, name, baseline=0.9, n=ROWS // len(classes))
    else:
        add("error", 1.3 - good, baseline=0.4)
    for row in comparison.groups:
        if row.measured:
            rate = "accuracy" if classes else "error"
            about = f"{row.division}={row.population}"
            add(f"by_group_{rate}", row.candidate[rate], about, n=row.n, interval=row.interval)
    return [item for item in made if item.metric in METRICS]


def make_table_document(comparison, *, limits=LIMITS, why=None, **changes):
    """Return the verdict on a comparison of a table, as far as a report reads it."""
    judged = [(item, criterion_for(limits, item.metric, item.about)) for item in comparison.measures.values()]
    findings = [
        judge(item, dataclasses.replace(limit, why=why or limit.why)) for item, limit in judged if limit is not None
    ]
    findings.sort(key=lambda found: (not found.gating, -found.verdict.gravity))
    metrics = {}
    for item in comparison.measures.values():
        metrics.setdefault(item.metric, {})[item.about] = item.value if math.isfinite(item.value) else None
    red = [found for found in findings if found.red]
    reasons = [{"kind": "finding", "key": found.key} for found in red] or [
        {"kind": "passed", "passed": len(findings), "waived": 0, "total": len(findings)}
    ]
    kept = comparison.baseline
    panel = {
        "digest": kept.panel_digest,
        "rows": len(kept.scores),
        "subjects": list(kept.subjects),
        "target": kept.target,
        "classes": list(kept.class_names),
        "columns": [{"name": x.name, "kind": str(x.kind), "missing": x.missing} for x in kept.columns],
        "populations": [],
        "small_populations": [],
        "divisions": sorted(kept.groups),
    }
    document = empty_document(
        verdict=overall(findings).value,
        scope="full",
        exit_code=1 if red else 0,
        reasons=reasons,
        candidate=dict(comparison.candidate.model),
        baseline={"folder": "baselines/mine", **kept.model, "signature": "ef" * 32},
        panel=panel,
        metrics=metrics,
        findings=[found.to_dict() for found in findings],
        next=[{"action": "rerun", "command": "modelcheck gate"}],
        **changes,
    )
    document.pop("digest")
    return {**document, "digest": seal(document)}
