"""Make the tables of ``docs/blind.md`` from the committed results: nothing is measured here.

    python benchmarks/blind/tables.py benchmarks/blind/results

Pairs whose accuracy differs by more than a point on the panel are left out, and so are networks that
did not take the shortcut they were offered; both are counted.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pandas as pd
from scipy.stats import beta
from sklearn.metrics import average_precision_score

OURS = "place_distance"
GATE_STATISTICS = ("place_distance", "likeness", "map_agreement", "content_distance", "trigger", "accuracy_change")
STATISTICS = (OURS, "content_distance", "score_distance", "disagreement", "accuracy_change")
OCCLUSION = ("occlusion_distance", "occlusion_distance_by_donor")
PAIR = ["set", "panel", "baseline", "candidate"]
MOST_CHANGE, LEAST_RELIANCE, LIMIT = 0.0101, 0.05, 1.75
_DRAWS, _SEED = 1000, 0


def keep_blind(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the pairs of equal accuracy whose network did what it was trained to do, and what was left out."""
    equal = table["accuracy_change"] <= MOST_CHANGE
    took = ~((table["honest"] == 0) & (table["reliance"] < LEAST_RELIANCE))
    words = (
        f"{len(table)} pairs; {int((~equal).sum())} differ by more than a point, {int((equal & ~took).sum())} took no"
    )
    return table[equal & took], f"{words} shortcut"


def precision(table: pd.DataFrame, statistic: str, weights: np.ndarray) -> float:
    """Return the area under precision and recall of different networks by one statistic."""
    return float(average_precision_score(1 - table["honest"], table[statistic], sample_weight=weights))


def draw_weights(table: pd.DataFrame) -> np.ndarray:
    """Return ``(draws, pairs)``: how often each pair's network is drawn; networks are drawn, not pairs."""
    names, rows = np.unique(table["candidate"], return_inverse=True)
    honest = table.groupby("candidate")["honest"].first().loc[names].to_numpy() == 1
    rng = np.random.Generator(np.random.Philox(key=[_SEED, len(names)]))
    counts = np.zeros((_DRAWS, len(names)))
    for side in (honest, ~honest):
        members = np.flatnonzero(side)
        counts[:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=_DRAWS)
    return counts[:, rows]


def bound(k: int, n: int) -> str:
    """Return a count with its one-sided 95 % bound (Clopper and Pearson): ``0 of 56, at most 5 %``."""
    most = 1.0 if k == n else float(beta.ppf(0.95, k + 1, n - k))
    return f"{k} of {n}, at most {100 * most:.0f} %"


def bound_both(k: int, n: int) -> str:
    """Return a count with both one-sided 95 % bounds: ``9 of 9, 72 to 100 %``."""
    least = 0.0 if k == 0 else float(beta.ppf(0.05, k, n - k + 1))
    most = 1.0 if k == n else float(beta.ppf(0.95, k + 1, n - k))
    return f"{k} of {n}, {100 * least:.0f} to {100 * most:.0f} %"


def family_of(labels: pd.Series) -> pd.Series:
    """Return the family of each network, of ``KIND_FAMILY_SEED``."""
    return labels.str.rsplit("_", n=2).str[1]


def keep_plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose candidate and baseline are plain."""
    return table[(family_of(table["baseline"]) == "plain") & (family_of(table["candidate"]) == "plain")]


def table_of(rows: list[list[object]], heads: list[str]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def compare_statistics(table: pd.DataFrame) -> str:
    """Return how well each statistic tells honest networks from others, and by how much ours beats the best other."""
    blind, words = keep_blind(keep_plain(table))
    rows: list[list[object]] = []
    for (name, base), part in blind.groupby(["set", "baseline"]):
        weights = draw_weights(part)
        chance = 1 - part["honest"].mean()
        found = {key: precision(part, key, np.ones(len(part))) for key in STATISTICS}
        drawn = {key: np.array([precision(part, key, row) for row in weights]) for key in STATISTICS}
        rival = max((key for key in STATISTICS if "distance" not in key or key == "score_distance"), key=found.get)  # type: ignore[arg-type]
        lead = np.quantile(drawn[OURS] - drawn[rival], 0.05)
        cells = [f"{found[key]:.2f} ({np.quantile(drawn[key], 0.05):.2f})" for key in STATISTICS]
        counts = f"{int((part['honest'] == 1).sum())} / {int((part['honest'] == 0).sum())}"
        rows.append([name, base.split("_")[0], counts, f"{chance:.2f}", *cells, f"{lead:.2f}"])
    heads = [
        "set",
        "baseline",
        "family",
        "honest / other pairs",
        "chance",
        *(key.replace("_", " ") for key in STATISTICS),
    ]
    return f"{words}.\n\n" + table_of(rows, [*heads, "lead over the best rival, at least"])


def compare_occlusion(table: pd.DataFrame) -> str:
    """Return how well exchange maps and mean occlusion maps tell the same pairs apart, and by how much ours leads."""
    blind, words = keep_blind(keep_plain(table))
    rows: list[list[object]] = []
    for (name, base), part in blind.groupby(["set", "baseline"]):
        weights = draw_weights(part)
        honest, other = part[part["honest"] == 1], part[part["honest"] == 0]
        drawn = {key: np.array([precision(part, key, row) for row in weights]) for key in (OURS, *OCCLUSION)}
        cells = [
            f"{precision(part, key, np.ones(len(part))):.3f} ({np.quantile(found, 0.05):.3f})"
            for key, found in drawn.items()
        ]
        leads = [np.quantile(drawn[OURS] - drawn[key], (0.05, 0.95)) for key in OCCLUSION]
        over = [
            f"{int((honest[key] > LIMIT).sum())} / {int((other[key] > LIMIT).sum())}" for key in (OURS, OCCLUSION[0])
        ]
        counts = f"{len(honest)} / {len(other)}"
        spans = [f"{low:+.3f} to {high:+.3f}" for low, high in leads]
        rows.append([name, base.split("_")[0], counts, *cells, *spans, *over])
    heads = ["set", "baseline", "honest / other pairs", "exchange", "occlusion", "occlusion, donors' classes"]
    heads += ["exchange leads occlusion by", "and by donors' classes by"]
    heads += [f"honest / other above {LIMIT}: exchange", "the same: occlusion"]
    return f"{words}.\n\n" + table_of(rows, heads)


def list_panels(table: pd.DataFrame) -> str:
    """Return one row a panel: what honest networks reach, and what the others do."""
    rows: list[list[object]] = []
    blind, _ = keep_blind(keep_plain(table))
    for (name, base, panel), part in blind.groupby(["set", "baseline", "panel"], sort=False):
        honest, other = part[part["honest"] == 1], part[part["honest"] == 0]
        if len(other) and len(honest):
            rows.append(
                [
                    name,
                    base.split("_")[0],
                    panel,
                    f"{other['reliance'].mean():.2f}" if other["reliance"].notna().any() else "-",
                    f"{len(honest)} / {len(other)}",
                    f"{honest[OURS].median():.2f}, {honest[OURS].max():.2f}",
                    f"{other[OURS].min():.2f}, {other[OURS].median():.2f}",
                    f"{int((other[OURS] > LIMIT).sum())} of {len(other)}",
                ]
            )
    heads = ["set", "baseline", "panel", "reliance", "honest / other", "honest: median, highest"]
    return table_of(rows, [*heads, "other: lowest, median", f"above {LIMIT}"])


def count_gate(table: pd.DataFrame) -> str:
    """Return the verdicts of the whole gate, and of its suites, on networks of equal accuracy."""
    blind, words = keep_blind(keep_plain(table))
    rows: list[list[object]] = []
    for name, part in (*blind.groupby("set"), ("all", blind)):
        honest, other = part[part["honest"] == 1], part[part["honest"] == 0]
        cells = []
        for suite in ("gate", "features", "places", "accuracy", "triggers"):
            red, passed = int((honest[suite] != "pass").sum()), int((other[suite] == "pass").sum())
            told = suite == "gate"
            cells.append(bound(red, len(honest)) if told else f"{red}")
            cells.append(bound(passed, len(other)) if told else f"{passed}")
        rows.append([name, *cells])
    suites = ("features", "places", "accuracy", "triggers")
    heads = ["set", "gate: honest red", "gate: others passed"]
    heads += [f"{suite}: {what}" for suite in suites for what in ("red", "passed")]
    return f"{words}.\n\n" + table_of(rows, heads)


def count_families(table: pd.DataFrame) -> str:
    """Return the verdicts on other families, beside twins of their own family and beside plain ones."""
    table = table.drop(keep_plain(table).index)
    blind, words = keep_blind(table)
    bases, families = family_of(blind["baseline"]), family_of(blind["candidate"])
    rows: list[list[object]] = []
    for (name, base, family), part in blind.groupby(["set", bases, families]):
        honest, other = part[part["honest"] == 1], part[part["honest"] == 0]
        red, passed = int((honest["gate"] != "pass").sum()), int((other["gate"] == "pass").sum())
        counted = honest["red"].fillna("").str.split().explode().value_counts()
        which = ", ".join(f"{metric} {count}" for metric, count in counted.items()) or "none"
        reds = bound(red, len(honest)) if base == family else bound_both(red, len(honest))
        agreement = f"{honest['map_agreement'].min():.2f} to {honest['map_agreement'].max():.2f}"
        rows.append([name, base, family, part["panel"].nunique(), reds, which, agreement, bound(passed, len(other))])
    heads = ["set", "baseline and twins", "candidate", "panels", "honest red", "red rows of honest ones"]
    return f"{words}.\n\n" + table_of(rows, [*heads, "their map agreement", "others passed"])


def rank_gate(table: pd.DataFrame) -> str:
    """Return how well each number of the gate tells honest networks from others, by set, over all panels."""
    blind, _ = keep_blind(keep_plain(table))
    rows: list[list[object]] = []
    for name, part in (*blind.groupby("set"), ("all", blind)):
        less = part.assign(likeness=-part["likeness"], map_agreement=-part["map_agreement"])
        weights = draw_weights(less)
        cells = []
        for key in GATE_STATISTICS:
            known = less.assign(**{key: less[key].fillna(less[key].max())})
            drawn = [precision(known, key, row) for row in weights]
            cells.append(f"{precision(known, key, np.ones(len(known))):.2f} ({np.quantile(drawn, 0.05):.2f})")
        counts = f"{int((part['honest'] == 1).sum())} / {int((part['honest'] == 0).sum())}"
        rows.append([name, counts, f"{1 - part['honest'].mean():.2f}", *cells])
    return table_of(rows, ["set", "honest / other", "chance", *(key.replace("_", " ") for key in GATE_STATISTICS)])


def list_resi(table: pd.DataFrame) -> str:
    """Return ReSi's tests: AUPRC, or the correlation, of every measure, mean over families."""
    shown = table[table["score"].isin(["AUPRC", "Spearman"])]
    tests = list(dict.fromkeys(shown["test"]))
    rows: list[list[object]] = []
    for measure, part in shown.groupby("measure", sort=False):
        cells: list[object] = []
        for test in tests:
            here = part[part["test"] == test]
            low = f" ({here['low'].mean():.2f})" if len(here) else ""
            cells.append(f"{here['value'].mean():.2f}{low}" if len(here) else "-")
        seconds = pd.to_numeric(part["seconds"], errors="coerce").mean()
        rows.append([measure, *cells, f"{seconds:.2g}"])
    chance = {test: shown[shown["test"] == test]["chance"].dropna() for test in tests}
    heads = [f"{test}, chance {float(c.iloc[0]):.2f}" if len(c) else test for test, c in chance.items()]
    return table_of(rows, ["measure", *heads, "seconds a pair"])


@click.command()
@click.argument("results", type=click.Path(path_type=Path, exists=True))
def main(results: Path) -> None:
    """Print every table whose results are there."""
    makers: dict[str, tuple[Callable[[pd.DataFrame], str], ...]] = {
        "blind.csv": (compare_statistics, list_panels),
        "gate.csv": (count_gate, count_families, rank_gate),
        "final.csv": (compare_statistics, list_panels),
        "gate_final.csv": (count_gate, rank_gate),
        "resi.csv": (list_resi,),
    }
    for name, tables in makers.items():
        if (results / name).exists():
            table = pd.read_csv(results / name)
            for make in tables:
                print(f"\n## {name}: {make.__name__.replace('_', ' ')}\n\n{make(table)}")
    if (results / "occlusion.csv").exists():
        pairs = pd.read_csv(results / "blind.csv").merge(
            pd.read_csv(results / "occlusion.csv"), on=PAIR, validate="one_to_one"
        )
        print(f"\n## occlusion.csv: compare occlusion\n\n{compare_occlusion(pairs)}")


if __name__ == "__main__":
    main()
