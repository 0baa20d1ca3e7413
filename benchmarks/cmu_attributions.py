"""Ask every method where the networks of the story look on CMU Faces, and how far its maps can be believed.

Run it where CMU Faces and trained networks are (`benchmarks/gate_study.py` trains them)::

    python benchmarks/cmu_attributions.py faces networks

Printed are Markdown tables: how much of each network's relevance lies on the face, on pictures of
held-out people who look left; what the gate's limits would say if that method spoke; and what each
method's maps are worth on the baseline. The label is explained, and magnitudes count
(``reduce='absolute_sum'``), as in the gate.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

from modelcheck.answers.probes import choose_probe_rows
from modelcheck.attributions import SLOPES, attribute
from modelcheck.faces.cmu import cmu_panel
from modelcheck.measurement import make_untrained_twin
from modelcheck.metrics.faithfulness import map_similarity, mu_fidelity, pixel_flipping, sparseness
from modelcheck.metrics.localisation import chance, pointing_game, relevance_mass, relevance_rank
from modelcheck.network import flatten
from modelcheck.network.loading import load_network
from modelcheck.panel import Panel

BASELINE = "experiment0_0"
NETWORKS = (BASELINE, "half_filters_3", "untrained_3", "shuffled_labels_3", "shortcut_3", "face_shortcut_3")
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "gradient": ("gradient", {}),
    "gradient_x_input": ("gradient_x_input", {}),
    "smoothgrad": ("smoothgrad", {"samples": 25}),  # as the gate runs it
    "integrated_gradients": ("integrated_gradients", {"steps": 25}),
    "guided_backprop": ("guided_backprop", {}),
    "lrp_epsilon_plus": ("lrp_epsilon_plus", {}),
    "lrp_epsilon_gamma_box": ("lrp_epsilon_gamma_box", {}),
    "deep_taylor": ("deep_taylor", {}),
    "deeplift": ("deeplift", {}),
    "grad_cam": ("grad_cam", {}),
    "layer_cam": ("layer_cam", {}),
    "occlusion, black": ("occlusion", {"window": 8, "stride": 4}),
    "occlusion, grey": ("occlusion", {"window": 12, "stride": 4, "reference": 0.5}),  # as the gate runs it
    "rise, black": ("rise", {"samples": 500}),
    "rise, grey": ("rise", {"samples": 500, "reference": 0.5}),
}
TWINS = (1, 2, 3)  # seeds of untrained weights, as the gate has them
FLIPS, FLIPPED, PATCH = 6, 0.3, 4  # the gate's flipping curve


def maps_of(model: Any, panel: Panel, method: str) -> np.ndarray:
    """Return a method's maps of the panel's labels."""
    name, options = METHODS[method]
    return attribute(model, panel.inputs((0, 1)), panel.labels, method=name, **options)


def mean(values: np.ndarray) -> str:
    """Return the mean over pictures with a value, and how many have none."""
    known = values[np.isfinite(values)]
    missing = f" ({len(values) - len(known)} empty)" if len(known) < len(values) else ""
    return f"{known.mean():.2f}{missing}" if len(known) else "empty"


def regions_table(models: dict[str, Any], panel: Panel) -> None:
    """Print mass, rank and pointing, method by network, and then what the gate would make of them."""
    area = chance(panel.regions)
    measures = (relevance_mass, relevance_rank, pointing_game)
    heading = "| method | " + " | ".join(models) + " |\n" + "|---" * (len(models) + 1) + "|"
    print(f"{len(panel)} pictures; mass / rank / pointing; the region's share is {area.mean():.2f}\n\n{heading}")
    judged = []
    for method in METHODS:
        cells, verdicts, floors, before = [], [], {}, np.empty(0)
        for name, model in models.items():
            maps = maps_of(model, panel, method)
            mass, rank, hits = (each(maps, panel.regions, reduce="absolute_sum") for each in measures)
            before = mass if name == BASELINE else before
            size = model.count_params()  # networks of one architecture have the same untrained twins
            if size not in floors:
                twins = [maps_of(make_untrained_twin(model, seed=seed), panel, method) for seed in TWINS]
                floors[size] = np.mean(
                    [relevance_mass(each, panel.regions, reduce="absolute_sum") for each in twins], 0
                )
            values = (mass / area, mass - floors[size], mass - before, hits)
            verdicts.append(verdict(*(by_subject(each, panel.subjects) for each in values)))
            cells.append(" / ".join(mean(each) for each in (mass, rank, hits)))
        print(f"| {method} | " + " | ".join(cells) + " |", flush=True)
        judged.append(f"| {method} | " + " | ".join(verdicts) + " |")
    print(f"\nlift above untrained twins / change from {BASELINE}, and the verdict on this pose\n\n{heading}")
    print("\n".join(judged))


def by_subject(values: np.ndarray, subjects: np.ndarray) -> float:
    """Return the mean over people, each counting once; NaN where a picture has no value."""
    return float(np.mean([values[subjects == who].mean() for who in np.unique(subjects)]))


def verdict(over_area: float, lift: float, change: float, hits: float) -> str:
    """Say what the limits of suites/criteria.toml would make of one method's word on one network."""
    if not np.isfinite([over_area, lift, change, hits]).all():
        return "unmeasured"
    wrong = [
        name
        for name, value, limit in (
            ("area", over_area, 1.0), ("lift", lift, 0.0), ("change", change, -0.1), ("pointing", hits, 0.1)
        )
        if value < limit
    ]  # fmt: skip
    return f"{lift:+.2f} / {change:+.2f} " + (f"red ({', '.join(wrong)})" if wrong else "green")


def scorer(model: Any, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return what gives each variant's score of its picture's label, before softmax."""
    network = flatten(model)
    return lambda pictures: np.asarray(network.class_scores(pictures))[np.arange(len(labels)), labels]


def worth_table(model: Any, panel: Panel, reference: np.ndarray) -> None:
    """Print the randomisation check by an untrained twin, what flipping does, fidelity and sparseness, by method."""
    images, labels = panel.inputs((0, 1)), panel.labels
    twin = make_untrained_twin(model, seed=1)
    score, other = scorer(model, labels), scorer(model, 1 - labels)

    def margin(pictures: np.ndarray) -> np.ndarray:
        return score(pictures) - other(pictures)

    def fall(ranking: np.ndarray) -> float:
        curve = pixel_flipping(
            margin, images, ranking, steps=FLIPS, patch=PATCH, largest=FLIPPED, reference=reference
        ).scores
        return float(np.nan_to_num(curve[:, :1] - curve).mean() / scale)  # an empty map makes nothing fall

    scale = float(np.abs(margin(images)).mean())
    rows = range(len(images))
    draws = [np.random.Generator(np.random.Philox(key=[0, row])).random(reference.shape[:2]) for row in rows]
    by_chance = fall(np.stack(draws))
    print(f"\n{len(panel)} pictures; flipping random patches: {by_chance:.2f}\n")
    print("| method | randomisation | flipping | MuFidelity | sparseness |\n|---|---|---|---|---|")
    for method in METHODS:
        maps = maps_of(model, panel, method)
        cells = [
            mean(map_similarity(maps, maps_of(twin, panel, method))),
            f"{fall(maps * (images - reference) if METHODS[method][0] in SLOPES else maps):.2f}",
            mean(mu_fidelity(score, images, maps, samples=100, reference=reference)),
            mean(sparseness(maps)),
        ]
        print(f"| {method} | " + " | ".join(cells) + " |", flush=True)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.argument("networks", type=click.Path(path_type=Path, exists=True))
@click.option("--held-out", default="an2i,glickman,mitchell,saavik", show_default=True)
@click.option("--pose", default="left", show_default=True)
@click.option("--probes", default=48, show_default=True, help="Pictures of all poses, for the second table.")
def main(folder: Path, networks: Path, *, held_out: str, pose: str, probes: int) -> None:
    """Print where the networks look, and what each method is worth."""
    panel = cmu_panel(folder, resolution=2, subjects=held_out.split(","), task="left")
    models = {name: load_network(networks / f"{name}.keras")[0] for name in NETWORKS}
    regions_table(models, panel.subset(panel.groups == pose))
    worth_table(models[BASELINE], panel.subset(choose_probe_rows(panel, probes)), panel.inputs((0, 1)).mean(axis=0))


if __name__ == "__main__":
    main()
