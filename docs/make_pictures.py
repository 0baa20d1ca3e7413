"""Draw the pictures of the documents; ``docs/make_story.py`` brings the networks and calls `draw_all`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from modelcheck.comparison import Comparison
from modelcheck.faces.drawn import colleagues, draw, training_subjects, visitors
from modelcheck.metrics.similarity import low_pass, ssim

IMAGES = Path(__file__).parent / "images"
GAP, TOP, LINE = 8, 30, 20


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return an RGB picture: grey where two maps agree, orange where the second is brighter, blue where darker."""
    return signed((other - one)[..., 0])


def signed(values: np.ndarray) -> np.ndarray:
    """Return an RGB picture of ``(h, w)`` values in [-1, 1]: orange above 0, blue below."""
    change = np.clip(values, -1, 1)[..., None]
    warm, cool, plain = np.array([230, 97, 0]), np.array([26, 88, 176]), np.array([236, 236, 236])
    return np.where(change > 0, plain + change * (warm - plain), plain - change * (cool - plain)).astype(np.uint8)


def tile(picture: np.ndarray, zoom: int) -> Image.Image:
    """Return a map in [0, 1] or an RGB picture, enlarged without smoothing."""
    grey = picture.shape[-1] == 1
    values = (np.repeat(picture, 3, axis=-1) * 255).round().astype(np.uint8) if grey else picture
    size = (values.shape[1] * zoom, values.shape[0] * zoom)
    return Image.fromarray(values).resize(size, Image.Resampling.NEAREST)


def grid(
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[np.ndarray | None]]],
    *,
    zoom: int = 2,
    left: int = 100,
    words: Sequence[Sequence[str]] = (),
) -> Image.Image:
    """Return labelled rows of pictures of one size, with a line of words under each where there are some."""
    first = next(part for _, parts in rows for part in parts if part is not None)
    height, width = first.shape[0] * zoom, first.shape[1] * zoom
    step = height + GAP + (LINE if words else 0)
    sheet = Image.new("RGB", (left + len(columns) * (width + GAP), TOP + len(rows) * step), "white")
    pen, font, small = ImageDraw.Draw(sheet), ImageFont.load_default(14), ImageFont.load_default(12)
    for column, name in enumerate(columns):
        pen.text((left + column * (width + GAP), 8), name, fill="#333333", font=small)
    for row, (name, parts) in enumerate(rows):
        top = TOP + row * step
        for number, line in enumerate(name.split("\n")):
            pen.text(
                (6, top + height // 2 - 16 + 20 * number), line, fill="#111111", font=font if not number else small
            )
        for column, part in enumerate(parts):
            place = (left + column * (width + GAP), top)
            if part is None:
                pen.text((place[0] + 6, top + height // 2 - 8), "empty", fill="#777777", font=small)
            else:
                sheet.paste(tile(part, zoom), place)
                pen.rectangle((place[0] - 1, top - 1, place[0] + width, top + height), outline="#999999")
            if words:
                pen.text((place[0], top + height + 2), words[row][column], fill="#333333", font=small)
    return sheet


def save(sheet: Image.Image, name: str) -> None:
    """Write a picture in greys, oranges and blues only: a third of the bytes, and no difference to the eye."""
    ramps = [np.linspace(0, 255, 64)[:, None].repeat(3, axis=1)]
    ramps += [signed(sign * np.linspace(0, 1, 25)[None, 1:])[0] for sign in (1, -1)]
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate(ramps).round().astype(np.uint8).tobytes())
    IMAGES.mkdir(exist_ok=True)
    sheet.quantize(palette=palette, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)


def draw_all(story: Mapping[str, Comparison], folder: Path) -> None:
    """Write every picture.

    Parameters
    ----------
    story : mapping of str to Comparison
        Each network of the tutorial beside the baseline.
    folder : Path
        Where the networks are.
    """
    import attribution_sheets

    people()
    decisions(story)
    summary(story)
    scales(story)
    units(story["half_filters"])
    attribution_sheets.draw_all(folder)


def people() -> None:
    """Draw four poses of people to train on and of people held out."""
    poses = ("left", "right", "straight", "up")
    held = (training_subjects()[1], colleagues()[0], visitors()[0], visitors()[2])
    rows = [
        (who.name.replace("_", "\n"), [draw(who, pose, "neutral", "open")[0][..., None] / 255 for pose in poses])
        for who in held
    ]
    save(grid(poses, rows, zoom=2, left=90), "people.png")


def decisions(story: Mapping[str, Comparison]) -> None:
    """Draw the decision maps of both classes: the experiments, and the networks that must not pass."""
    every = {"the baseline": next(iter(story.values())).baseline.maps["decision"]}
    every |= {name: it.candidate.maps["decision"] for name, it in story.items()}
    experiments = ("the baseline", "experiment0", "half_filters", "deeper_dense", "wider_dense")
    more = ("the baseline", "four_class", "one_dense", "linear_decision")
    strangers = ("the baseline", "shortcut", "face_shortcut", "right", "shuffled_labels", "untrained")
    planted = ("the baseline", "planted")
    sheets = {"same.png": experiments, "other.png": more, "strangers.png": strangers, "planted.png": planted}
    for file, names in sheets.items():
        rows = [(word, [_whole(every[name][at]) for name in names]) for word, at in (("left", 1), ("not left", 0))]
        save(grid(names, rows, left=70), file)


def summary(story: Mapping[str, Comparison]) -> None:
    """Draw the README's picture: baseline, candidate and difference for one that passes and one that must not."""
    rows = []
    for name in ("half_filters", "shortcut"):
        one, other = (side.maps["decision"][1] for side in (story[name].baseline, story[name].candidate))
        rows.append((name, [one, other, difference(one, other)]))
    save(grid(("baseline", "candidate", "difference"), rows, zoom=3), "left.png")


def scales(story: Mapping[str, Comparison]) -> None:
    """Draw two trainings of one network at full scale and at the scale of the features, with their similarity."""
    it = story["experiment0"]
    one, other = it.baseline.maps["decision"][1], it.candidate.maps["decision"][1]
    sigma = one.shape[0] / 15
    coarse = low_pass(np.stack([one, other]), sigma=sigma)
    rows, words = [], []
    for name, (a, b) in (("as they are", (one, other)), ("at feature\nscale", (coarse[0], coarse[1]))):
        correlation = float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
        rows.append((name, [a, b, difference(a, b)]))
        words.append(["", f"correlation {correlation:.2f}", f"SSIM {ssim(a, b, data_range=1.0):.2f}"])
    save(grid(("the baseline", "trained again", "difference"), rows, zoom=3, words=words), "scales.png")


def units(comparison: Comparison) -> None:
    """Draw matched units of the three convolutions, best, middle and worst pairs, baseline over candidate."""
    for layer in comparison.layers[:3]:
        name, pairs = layer.baseline.name, layer.matching.pairs[::-1]
        chosen = [pairs[at] for at in np.unique(np.linspace(0, len(pairs) - 1, 8).round().astype(int))]
        sides = ((comparison.baseline, "baseline"), (comparison.candidate, "candidate"))
        rows = [
            (side, [signature.maps[name][_at(signature.units[name], getattr(pair, side))] for pair in chosen])
            for signature, side in sides
        ]
        zoom = max(1, 72 // rows[0][1][0].shape[0])
        words = [[f"{name}:{pair.baseline}" for pair in chosen], [f"SSIM {pair.score:.2f}" for pair in chosen]]
        save(grid([""] * len(chosen), rows, zoom=zoom, left=90, words=words), f"units_{name}.png")


def _at(units: np.ndarray, unit: int) -> int:
    return int(np.flatnonzero(units == unit)[0])


def _whole(picture: np.ndarray) -> np.ndarray | None:
    """Return a map, or None for a class that has none."""
    return picture if np.isfinite(picture).all() else None
