"""Which units' HappyMaps are "all on", "all off" or "static", and what the network loses without such a unit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from modelcheck.panel import Panel

ROOT = Path(__file__).parents[1]
KINDS = ("mostly white", "mostly black", "static", "other")


def table(story: Mapping[str, Any], folder: Path) -> str:
    """Return counts and usefulness of each kind of unit, for the baseline and half the filters."""
    panel = Panel.load(ROOT / "baselines" / "drawn-faces" / "panel.npz")
    images = panel.inputs((0.0, 1.0))
    sides = (
        ("experiment0", ROOT / "networks" / "experiment0.keras", story["half_filters"].comparison.baseline),
        ("half_filters", folder / "half_filters.keras", story["half_filters"].comparison.candidate),
    )
    lines = ["| network | layer | " + " | ".join(KINDS) + " | dead on the panel |", "|---" * (len(KINDS) + 3) + "|"]
    for name, path, signature in sides:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        for layer in ("conv1", "conv2", "conv3"):
            kinds = [kind(patch) for patch in signature.maps[layer]]
            effect, silent = usefulness(model, layer, images)
            effect = effect[signature.units[layer]]
            cells = [told(effect[[at for at, word in enumerate(kinds) if word == wanted]]) for wanted in KINDS]
            lines.append(f"| `{name}` | {layer} | " + " | ".join(cells) + f" | {int(silent.sum())} |")
    return "\n".join(lines)


def kind(patch: np.ndarray) -> str:
    """Return what the eye would call a HappyMap in [0, 1]."""
    if not np.isfinite(patch).all():
        return "other"
    picture = patch.mean(axis=-1)
    if (picture > 0.95).mean() > 0.5:
        return "mostly white"
    if (picture < 0.05).mean() > 0.5:
        return "mostly black"
    steps = (picture[:, 1:], picture[:, :-1]), (picture[1:], picture[:-1])
    if min(picture.shape) > 3 and picture.std() > 0.1:
        alike = np.mean([np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in steps])
        return "static" if alike < 0.3 else "other"
    return "other"


def usefulness(model: Any, layer: str, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far the margin moves when a unit is held at its mean, and which units never speak.

    Both ``(units,)``: the mean absolute change of the margin over its standard deviation, and
    booleans.
    """
    names = [item.name for item in model.layers]
    at = names.index(layer)
    head = keras.Model(model.input, model.layers[at].output)
    activations = head(images).numpy()

    def margin(values: np.ndarray) -> np.ndarray:
        for item in model.layers[at + 1 : -1]:
            values = item(values)
        scores = np.asarray(values) @ model.layers[-1].kernel.numpy() + model.layers[-1].bias.numpy()
        return scores[:, 1] - scores[:, 0]

    whole = margin(activations)
    effects = []
    for unit in range(activations.shape[-1]):
        held = activations.copy()
        held[..., unit] = activations[..., unit].mean()
        effects.append(np.abs(margin(held) - whole).mean() / whole.std())
    return np.array(effects), activations.max(axis=(0, 1, 2)) <= 1e-6


def told(effects: np.ndarray) -> str:
    """Return how many there are and what losing one does."""
    return f"{len(effects)} ({np.mean(effects):.3f})" if len(effects) else "0"
