"""Draw the pictures of the documents again from the baseline and the networks of this repository."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from modelcheck.child import measure_in_child
from modelcheck.signature import Signature, read_signature

ROOT = Path(__file__).parents[1]
ZOOM, GAP, LEFT, TOP = 3, 14, 150, 34


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return an RGB picture: grey where two maps agree, orange where the candidate is brighter, blue where darker."""
    change = np.clip((other - one)[..., 0], -1, 1)[..., None]
    warm, cool, plain = np.array([230, 97, 0]), np.array([26, 88, 176]), np.array([236, 236, 236])
    return np.where(change > 0, plain + change * (warm - plain), plain - change * (cool - plain)).astype(np.uint8)


def tile(picture: np.ndarray) -> Image.Image:
    """Return a map or an RGB picture, enlarged without smoothing."""
    grey = picture.shape[-1] == 1
    values = (np.repeat(picture, 3, axis=-1) * 255).round().astype(np.uint8) if grey else picture
    return Image.fromarray(values).resize((values.shape[1] * ZOOM, values.shape[0] * ZOOM), Image.Resampling.NEAREST)


def sheet(baseline: Signature, candidates: list[tuple[str, str, Signature]], unit: int) -> Image.Image:
    """Return one row a candidate: the baseline's map of a class, the candidate's, and their difference."""
    height, width = (side * ZOOM for side in baseline.maps["decision"].shape[1:3])
    picture = Image.new("RGB", (LEFT + 3 * (width + GAP), TOP + len(candidates) * (height + GAP)), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(16)
    for column, words in enumerate(("baseline", "candidate", "difference")):
        draw.text((LEFT + column * (width + GAP), 8), words, fill="#333333", font=font)
    for row, (name, verdict, candidate) in enumerate(candidates):
        top = TOP + row * (height + GAP)
        one, other = baseline.maps["decision"][unit], candidate.maps["decision"][unit]
        for column, part in enumerate((one, other, difference(one, other))):
            picture.paste(tile(part), (LEFT + column * (width + GAP), top))
        draw.text((8, top + 60), name, fill="#111111", font=font)
        draw.text((8, top + 84), verdict, fill="#333333", font=font)
    return picture


def main() -> None:
    """Write ``docs/images/left.png``."""
    baseline = read_signature(ROOT / "baselines" / "drawn-faces")
    panel = ROOT / "baselines" / "drawn-faces" / "panel.npz"
    rows = []
    with tempfile.TemporaryDirectory() as aside:
        for name, verdict in (("half_filters", "pass"), ("shortcut", "fail")):
            network = ROOT / "networks" / f"{name}.keras"
            signature = measure_in_child(
                network, panel, Path(aside) / name, like=ROOT / "baselines" / "drawn-faces", twins=False
            )
            rows.append((name, f"verdict: {verdict}", signature))
    sheet(baseline, rows, baseline.class_names.index("left")).save(ROOT / "docs" / "images" / "left.png")


if __name__ == "__main__":
    main()
