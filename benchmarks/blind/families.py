"""Ask what maps say of candidates of another family than the baseline's twins, and beside twins of their own.

    python benchmarks/blind/families.py digits --out blind --results benchmarks/blind/results --kinds glyph75

One row a network: likeness and agreement on the scale of the baseline's three plain twins, and on that
of three of the candidate's own family where there are any. Signatures in the output folder are kept,
and so are rows of other networks.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click
from gate import RECIPE, TWINS, make_gate_panel, measure_baseline, read_value
from kinds import KINDS
from pictures import SETS, load_set

from modelcheck.comparison import compare, reduce_twin
from modelcheck.signature import Signature, read_signature

VALUES = ("likeness", "map_agreement", "place_distance")
COLUMNS = ("set", "panel", "candidate", "honest", *VALUES, "likeness_own", "map_agreement_own")


def mark_family(signature: Signature, family: str) -> Signature:
    """Return a network with its family: records in the output folder may be older than that fact."""
    retrained = tuple(mark_family(twin, family) for twin in signature.retrained)
    return replace(signature, model={**signature.model, "normalises": family == "normed"}, retrained=retrained)


def measure_all(folder: Path, where: Path, labels: Iterable[str], *, kind: str, baseline: Signature) -> None:
    """Measure the networks that are there and were not measured yet."""
    from modelcheck.measurement import measure

    panel = make_gate_panel(folder, kind, folder.name, None)
    for label in labels:
        if (folder / f"{label}.keras").exists() and not (where / label / "manifest.json").exists():
            measure(folder / f"{label}.keras", panel, RECIPE, stimuli=baseline).write(where / label)


@click.command()
@click.argument("set_name", type=click.Choice(list(SETS)))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--results", type=click.Path(path_type=Path), required=True)
@click.option("--kinds", required=True, help="Whose panels, and whose networks, comma-separated.")
@click.option("--families", default="normed,strided", show_default=True)
@click.option("--honest", default=10, show_default=True, help="Clean networks of each family, its three twins too.")
@click.option("--seeds", default=3, show_default=True, help="Networks of each kind.")
def main(set_name: str, *, out: Path, results: Path, kinds: str, families: str, honest: int, seeds: int) -> None:
    """Measure, compare, and write the table."""
    load_set(set_name, None)
    rows = []
    for kind in kinds.split(","):
        folder, where = out / set_name, out / set_name / "families" / kind
        panel = make_gate_panel(folder, kind, set_name, None)
        at = folder / "gate" / KINDS[kind].panel / "baseline"
        baseline = mark_family(measure_baseline(folder, at, panel, family="plain", honest="clean"), "plain")
        for family in families.split(","):
            labels = [f"clean_{family}_{k}" for k in range(1, honest + 1)]
            labels += [f"{kind}_{family}_{k}" for k in range(seeds)]
            measure_all(folder, where, labels, kind=kind, baseline=baseline)
            found = {
                label: mark_family(read_signature(where / label), family)
                for label in labels
                if (where / label / "manifest.json").exists()
            }
            own = [label for label in (f"clean_{family}_{k}" for k in TWINS) if label in found]
            kin = tuple(reduce_twin(baseline, replace(found[label], twins=())) for label in own)
            wider = replace(baseline, retrained=(*baseline.retrained, *kin))
            for label, candidate in found.items():
                plain, beside = compare(baseline, candidate), compare(wider, candidate)
                scaled = family == "normed" and label not in own and len(kin) > 1
                rows.append(
                    {
                        **{"set": set_name, "panel": kind, "candidate": label},
                        "honest": int(label not in {f"{kind}_{family}_{k}" for k in range(seeds)}),
                        **{name: read_value(plain, name) for name in VALUES},
                        **{f"{name}_own": read_value(beside, name) if scaled else math.nan for name in VALUES[:2]},
                    }
                )
    target = results / "families.csv"
    known = []
    if target.exists():
        with target.open(newline="") as file:
            known = list(csv.DictReader(file))
    made = {(set_name, row["panel"], row["candidate"]) for row in rows}
    kept = [row for row in known if (row["set"], row["panel"], row["candidate"]) not in made]
    with target.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, *rows])


if __name__ == "__main__":
    main()
