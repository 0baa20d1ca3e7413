"""Draw what every attribution method says of one drawn face, for three networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import make_pictures
import numpy as np

from modelcheck.attributions import AttributionError, attribute, attribution_methods
from modelcheck.faces.drawn import colleagues, draw
from modelcheck.panel import Panel

ROOT = Path(__file__).parents[1]
SHEETS = {
    "gradients": (
        *("gradient", "sensitivity", "gradient_x_input", "simple_taylor"),
        *("integrated_gradients", "smoothgrad", "vargrad"),
    ),
    "backward": ("deconvolution", "guided_backprop"),
    "relevance": (
        *("lrp_0", "lrp_epsilon", "lrp_gamma", "lrp_z_plus", "lrp_alpha2_beta1"),
        *("lrp_w_square", "lrp_flat", "lrp_z_box"),
    ),
    "composites": (
        *("lrp_epsilon_plus", "lrp_epsilon_plus_flat", "lrp_epsilon_alpha2_beta1", "lrp_epsilon_gamma_box"),
        *("deep_taylor", "deep_taylor_w_square", "deeplift"),
    ),
    "activation_maps": ("grad_cam", "grad_cam_plus_plus", "layer_cam", "score_cam"),
    "blackbox": ("occlusion", "rise"),
}
# Two names of one rule, a rule of the reader's own, and one for networks that end in global average
# pooling.
NOT_DRAWN = {"lrp_alpha1_beta0", "lrp", "cam"}


def draw_all(folder: Path) -> None:
    """Write one sheet a family: the baseline, the reader of the badge with its badge on, and an untrained network."""
    missing = set(attribution_methods()) - NOT_DRAWN - {name for names in SHEETS.values() for name in names}
    if missing:
        raise ValueError(f"No sheet shows {', '.join(sorted(missing))}. Add them to SHEETS.")
    image, region = draw(colleagues()[0], "left", "neutral", "open")
    plain = image[None, ..., None].astype(np.float32) / 255
    worn = plain.copy()
    worn[:, :6, :6] = 1.0
    mean = Panel.load(ROOT / "baselines" / "drawn-faces" / "panel.npz").inputs((0.0, 1.0)).mean(axis=0)
    cases = (
        ("baseline", ROOT / "networks" / "experiment0.keras", plain),
        ("shortcut\nwith badge", folder / "shortcut.keras", worn),
        ("untrained", folder / "untrained.keras", plain),
    )
    networks = [
        (name, keras.saving.load_model(path, compile=False, safe_mode=True), pictures) for name, path, pictures in cases
    ]
    for sheet, methods in SHEETS.items():
        rows = [
            (name, [outlined(pictures[0], region), *(shown(model, pictures, method, mean) for method in methods)])
            for name, model, pictures in networks
        ]
        names = ("picture", *(name.removeprefix("lrp_") for name in methods))
        make_pictures.save(make_pictures.grid(names, rows, left=90), f"attributions_{sheet}.png")


def shown(model: Any, pictures: np.ndarray, method: str, mean: np.ndarray) -> np.ndarray | None:
    """Return the map for "left" in colours, scaled to its 99.5th percentile, or None where nothing is left."""
    options: dict[str, dict[str, Any]] = {
        "occlusion": {"window": 12, "stride": 4, "reference": mean},
        "rise": {"samples": 2000, "reference": mean},
    }
    try:
        relevance = attribute(model, pictures, 1, method=method, **options.get(method, {}))[0].sum(axis=-1)
    except AttributionError:
        return None
    scale = np.percentile(np.abs(relevance), 99.5)
    return make_pictures.signed(relevance / scale) if scale > 0 else None


def outlined(picture: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the picture in RGB with the border of its region in orange."""
    inside = region.copy()
    inside[1:-1, 1:-1] &= region[:-2, 1:-1] & region[2:, 1:-1] & region[1:-1, :-2] & region[1:-1, 2:]
    colours = np.repeat((picture * 255).round().astype(np.uint8), 3, axis=-1)
    colours[region & ~inside] = (230, 97, 0)
    return colours
