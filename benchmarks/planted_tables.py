"""What the gate finds in tables whose truth is planted, and what retraining alone moves (docs/explanation/tables.md).

Run ``python benchmarks/planted_tables.py``: some minutes. Networks are trained many at once and
recorded without Keras (`table_records.py`); what is compared and judged is what the gate compares
and judges, under the limits that ``modelcheck init`` writes for a table. It writes a row for each
network and each gap into ``benchmarks/results/planted_tables.csv`` and
``planted_gaps.csv``, and prints what they come to.

The limits were chosen on the tables `CHOSEN_ON`, and are tried on `TRIED_ON`: other kinds, other
seeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np
import pandas as pd
from batched_networks import train_all
from table_records import RECIPE, Trained, record_of

from modelcheck.comparison import METRICS, TableComparison, compare_tables
from modelcheck.comparison.tables.gaps import measure_effect_gaps
from modelcheck.judgement.criteria import Criterion, criterion_for, read_criteria
from modelcheck.judgement.findings import Verdict, judge
from modelcheck.panel import TablePanel
from modelcheck.signature import TableSignature
from modelcheck.tables import Planted, plant
from modelcheck.tables.planted import PROXY

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
CRITERIA = ROOT / "modelcheck" / "cli" / "starter" / "criteria_table.toml"
FORBIDDEN = Criterion(metric="driver_share", about=PROXY, at_most=0.05, why="Where somebody lives must not decide.")
TWINS, AGAIN, SMALLER = 3, 1, 1
GAPS = (0.0, 0.5, 0.75, 1.0)  # of the weight of the strongest driver, for everybody
GAP_ROWS = (200, 500, 1000)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A kind of table, and how much there is of it."""

    kind: str
    columns: int
    trained_on: int
    rows: int
    first_seed: int
    numbers: bool = False

    @property
    def name(self) -> str:
        """In one word."""
        return f"{self.kind}-{self.columns}-{self.trained_on}{'-numbers' if self.numbers else ''}"

    def plant(self, seed: int, *, training: bool, tells: bool) -> Planted:
        """Return its rows of one seed."""
        return plant(
            self.kind,
            rows=self.trained_on if training else self.rows,
            seed=seed,
            part="training" if training else "held_out",
            columns=self.columns,
            numbers=self.numbers,
            tells=tells,
        )


CHOSEN_ON = (
    Setting(kind="linear", columns=8, trained_on=2000, rows=500, first_seed=0),
    Setting(kind="linear", columns=20, trained_on=1000, rows=300, first_seed=0),
    Setting(kind="proxy", columns=8, trained_on=2000, rows=500, first_seed=0),
)
TRIED_ON = (
    Setting(kind="noise", columns=12, trained_on=1000, rows=300, first_seed=400),
    Setting(kind="linear", columns=10, trained_on=1500, rows=400, first_seed=400, numbers=True),
    Setting(kind="proxy", columns=10, trained_on=2000, rows=500, first_seed=400),
)


def train_networks(setting: Setting, seeds: Sequence[int]) -> dict[str, list[Trained]]:
    """Return by role a network for each seed."""
    honest = [setting.plant(seed, training=True, tells=False).rows for seed in seeds]
    told = [setting.plant(seed, training=True, tells=True).rows for seed in seeds]
    roles = {f"again{k}": ("release", honest) for k in range(1 + TWINS + AGAIN)}
    roles |= {f"smaller{k}": ("smaller", honest) for k in range(SMALLER)}
    if setting.kind == "proxy":
        roles["shortcut"] = ("shortcut", told)
    found = {}
    for number, (role, (name, tables)) in enumerate(roles.items()):
        weights = train_all(name, tables, [100 * seed + number for seed in seeds])
        found[role] = [Trained.on(role, table, part) for table, part in zip(tables, weights, strict=True)]
    return found


def rows_of(setting: Setting, seeds: Sequence[int], criteria: tuple[Criterion, ...]) -> Iterator[dict[str, object]]:
    """Yield a row for each candidate: what was measured, and what the limits say."""
    networks = train_networks(setting, seeds)
    for at, seed in enumerate(seeds):
        planted = setting.plant(seed, training=False, tells=True)
        panel = planted.rows.panel()
        first = record_of(networks["again0"][at], panel)
        twins = [record_of(networks[f"again{k}"][at], panel, stimuli=first) for k in range(1, 1 + TWINS)]
        # How each twin compares is left out: it calibrates metrics that judge nothing here, and takes the most time.
        baseline = replace(first, retrained=tuple(twin.reduce_to_twin({}) for twin in twins))
        for role, row in networks.items():
            if role in ("again0", *(f"again{k}" for k in range(1, 1 + TWINS))):
                continue
            candidate = record_of(row[at], panel, stimuli=first)
            comparison = compare_tables(baseline, candidate)
            facts = {**asdict(setting), "seed": seed, "network": role.rstrip("0123456789")}
            yield facts | summarise(comparison, panel, planted, criteria)


def summarise(
    comparison: TableComparison, panel: TablePanel, planted: Planted, criteria: tuple[Criterion, ...]
) -> dict[str, object]:
    """Return the extremes of each metric, and which of them are red."""
    metrics = comparison.metrics
    truth = max(planted.drivers, key=lambda name: planted.drivers[name])
    strongest = comparison.drivers.columns[int(comparison.drivers.candidate.argmax())]
    judged = [(item, criterion_for(criteria, item.metric, item.about)) for item in comparison.measures.values()]
    red = {
        item.metric
        for item, limit in judged
        if limit is not None and not limit.advisory and judge(item, limit).verdict is not Verdict.PASS
    }
    share = comparison.measures.get(("driver_share", PROXY))
    return {
        "right": round(right_of(comparison.candidate), 4),
        "first_driver": strongest == truth,
        **{
            name: round(extreme(metrics, name), 4)
            for name in ("profile_transfer", "driver_distance", "driver_rank_agreement", "driver_change")
        },
        **{name: round(extreme(metrics, name), 4) for name in ("effect_change", "effect_gap")},
        "proxy_share": math.nan if share is None else round(share.value, 4),
        "proxy_red": share is not None and judge(share, FORBIDDEN).verdict is not Verdict.PASS,
        "red": " ".join(sorted(red)),
        "smallest_p": round(min((gap.p_adjusted for gap in comparison.gaps), default=math.nan), 4),
    }


def right_of(record: TableSignature) -> float:
    """Return the share of right answers, or the correlation with the truth."""
    truth = record.rows["truth"]
    if record.class_names:
        return float(np.mean(record.scores.argmax(axis=1) == truth))
    return float(np.corrcoef(record.scores[:, 0], truth)[0, 1])


def extreme(metrics: dict[str, float], name: str) -> float:
    """Return the value of a metric that is farthest from 0, over all that it is about."""
    found = [value for key, value in metrics.items() if key == name or key.startswith(f"{name}[")]
    return max(found, key=abs, default=math.nan)


def gaps_of(seeds: Sequence[int], *, trained_on: int = 2000) -> Iterator[dict[str, object]]:
    """Yield a row for each network and each number of rows: gaps of the planted variable, and of the others."""
    for size in GAPS:
        # Without a gap the second variable counts the same for everybody.
        kind = "interaction" if size else "noise"
        tables = [plant(kind, rows=trained_on, seed=seed, part="training", gap=size) for seed in seeds]
        weights = train_all("release", [table.rows for table in tables], [7 + seed for seed in seeds])
        for table, part, seed in zip(tables, weights, seeds, strict=True):
            network = Trained.on("network", table.rows, part)
            for rows in GAP_ROWS:
                panel = plant(kind, rows=rows, seed=seed, gap=size).rows.panel()
                record = record_of(network, panel, recipe=replace(RECIPE, exchange_rows=0))
                gaps = {gap.column: gap for gap in measure_effect_gaps(record, record)[1]}
                own = [gaps.pop(name) for name in table.in_group]
                yield {
                    "gap": size,
                    "seed": seed,
                    "rows": rows,
                    "planted": round(own[0].gap, 4) if own else math.nan,
                    "planted_p": own[0].p_adjusted if own else math.nan,
                    "largest_other": round(max(gap.gap for gap in gaps.values()), 4),
                    "smallest_other_p": min(gap.p_adjusted for gap in gaps.values()),
                }


def say_networks(table: pd.DataFrame) -> Iterator[str]:
    """Yield lines of Markdown: what moves each metric, and what is red."""
    names = ("driver_distance", "driver_rank_agreement", "driver_change", "effect_change", "effect_gap")
    yield "| networks | n | right | first driver | " + " | ".join(names) + " | red |"
    yield "|---" * (len(names) + 5) + "|"
    for (tried, network), rows in table.groupby(["tried", "network"]):
        cells = [f"{'tried' if tried else 'chosen'}: {network}", str(len(rows)), f"{rows['right'].mean():.3f}"]
        cells.append(f"{rows['first_driver'].sum()} of {len(rows)}")
        for name in names:
            part = rows[name].abs() if name == "driver_change" else rows[name]
            ends = part.quantile([0.0, 0.5]) if name == "driver_rank_agreement" else part.quantile([0.5, 0.95])
            last = "" if name == "driver_rank_agreement" else f", {part.max():.2f}"
            cells.append(", ".join(f"{end:.2f}" for end in ends) + last)
        cells.append(f"{(rows['red'] != '').sum()} of {len(rows)}")
        yield "| " + " | ".join(cells) + " |"
    for (setting, network), rows in table.groupby(["name", "network"]):
        reds = ", ".join(f"{word} {n}" for word, n in rows["red"].str.split().explode().value_counts().items())
        shares = f"; {PROXY}: {rows['proxy_red'].sum()} red, {rows['proxy_share'].min():.3f} to "
        shares += f"{rows['proxy_share'].max():.3f}"
        yield (
            f"{setting}, {network}: {rows['right'].mean():.3f} right, {rows['first_driver'].sum()} of {len(rows)} "
            f"first driver; red: {(rows['red'] != '').sum()} ({reds})" + (shares if setting.startswith("proxy") else "")
        )


def say_gaps(table: pd.DataFrame, limit: float) -> Iterator[str]:
    """Yield lines of Markdown: how often a gap is found, and how often one that is not there."""
    yield "| planted gap | rows | its gap, median | found by the limit | by p | not there, but over the limit | by p |"
    yield "|---" * 7 + "|"
    for (size, rows), part in table.groupby(["gap", "rows"]):
        found = (part["planted"] > limit).mean(), (part["planted_p"] < 0.05).mean()
        false = (part["largest_other"] > limit).mean(), (part["smallest_other_p"] < 0.05).mean()
        own = (f"{part['planted'].median():.2f}", f"{found[0]:.2f}", f"{found[1]:.2f}") if size else ("", "", "")
        yield f"| {size} | {rows} | {' | '.join(own)} | {false[0]:.2f} | {false[1]:.2f} |"


@click.command()
@click.option("--seeds", type=int, default=20, show_default=True, help="Tables of each kind on which limits are tried.")
@click.option("--chosen-seeds", type=int, default=6, show_default=True, help="Of each on which they were chosen.")
@click.option("--gap-seeds", type=int, default=40, show_default=True, help="Networks for each size of a gap.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Where the tables go.")
def main(*, seeds: int, chosen_seeds: int, gap_seeds: int, out: Path) -> None:
    """Write the two tables, and print what they come to."""
    criteria = read_criteria(CRITERIA, metrics=METRICS)[0]
    limit = float(next(row.at_most for row in criteria if row.metric == "effect_gap" and row.at_most is not None))
    rows: list[dict[str, object]] = []
    for setting in (*reversed(TRIED_ON), *CHOSEN_ON):
        tried = setting in TRIED_ON
        for seed in range(setting.first_seed, setting.first_seed + (seeds if tried else chosen_seeds)):
            rows += [{"tried": tried, "name": setting.name, **row} for row in rows_of(setting, [seed], criteria)]
            pd.DataFrame(rows).to_csv(out / "planted_tables.csv", index=False)
        print(f"{setting.name}: {len(rows)} candidates so far", flush=True)
    print("\n".join(say_networks(pd.DataFrame(rows))), flush=True)
    gaps: list[dict[str, object]] = []
    for seed in range(300, 300 + gap_seeds):
        gaps += gaps_of([seed])
        pd.DataFrame(gaps).to_csv(out / "planted_gaps.csv", index=False)
    print("\n".join(say_gaps(pd.DataFrame(gaps), limit)))


if __name__ == "__main__":
    main()
