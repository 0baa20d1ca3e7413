"""The kinds of network that the blind benchmark trains: what each learned from, and whether it is honest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from marks import add_marks, add_mixed_marks
from pictures import Part

__all__ = ["FAMILIES", "KINDS", "Kind", "panel_of", "training_pictures"]

FAMILIES = ("plain", "normed", "strided")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of network.

    Parameters
    ----------
    honest : bool
        Whether it was trained to read what is shown, as the baseline was.
    kept : bool
        Whether it is of the half that was kept for one final run.
    mark, share : str, float
        A mark that tells the label, in this share of its training pictures and of its panel.
    wrong_labels : float
        Share of training labels replaced by any class's.
    noise : float
        Standard deviation of the noise in training, of 255.
    merged : tuple of int
        Two classes whose labels are exchanged at random; its panel holds the other classes.
    hidden : str
        The part of the training pictures that another picture's part replaces.
    mixed : bool
        Whether honest training pictures carry marks that tell nothing; a network without them meets
        the panel's marks for the first time.
    change : str
        How an honest network differs: see `networks.CHANGES`.
    families : tuple of str
        The architectures it is trained in.
    """

    honest: bool = False
    kept: bool = False
    mark: str = ""
    share: float = 0.0
    wrong_labels: float = 0.0
    noise: float = 0.0
    merged: tuple[int, ...] = ()
    hidden: str = ""
    mixed: bool = True
    change: str = ""
    families: tuple[str, ...] = field(default=FAMILIES)

    @property
    def panel(self) -> str:
        """The name of the panel on which it is judged; kinds of one name share one."""
        if self.mark:
            return f"{self.mark}{round(100 * self.share)}"
        return f"without{''.join(map(str, self.merged))}" if self.merged else "unmarked"


_MARKED = {
    f"{mark}{share}": Kind(mark=mark, share=share / 100, kept=mark in ("place", "frame", "object", "light"))
    for mark, shares in {
        "glyph": (100, 75, 50),
        "corner": (100, 75, 50),
        "badge": (100,),
        "tone": (100, 50),
        "texture": (100, 75),
        "place": (100, 50),
        "frame": (100, 75),
        "object": (100, 75),
        "light": (100, 50),
    }.items()
    for share in shares
}
# Changes that make sense in other families too; the rest alter the plain baseline or need its layers.
_IN_FAMILIES = {"half": FAMILIES, "wider": FAMILIES, "deeper": ("plain", "normed")}
_HONEST = {
    name: Kind(honest=True, change=name, families=_IN_FAMILIES.get(name, ("plain",)), kept=kept)
    for name, kept in {
        **dict.fromkeys(("half", "deeper", "wider", "decay", "pruned", "int8"), False),
        **dict.fromkeys(("quarter", "separable", "residual", "augmented", "tuned"), True),
    }.items()
}

KINDS: dict[str, Kind] = {
    "clean": Kind(honest=True),
    **_MARKED,
    "merged": Kind(merged=(3, 5)),
    "left": Kind(hidden="left"),
    "merged_too": Kind(merged=(4, 9), kept=True),
    "bottom": Kind(hidden="bottom", kept=True),
    **_HONEST,
    "labels50": Kind(wrong_labels=0.5),
    "labels75": Kind(wrong_labels=0.75),
    "noise1000": Kind(noise=1000**0.5),
    "noise2000": Kind(noise=2000**0.5),
    "noise4000": Kind(noise=4000**0.5),
    # Later kinds stand at the end, for a kind's place is part of its seeds.
    "naive": Kind(honest=True, mixed=False),
}

Alter = Callable[[Part, Kind, int, int], Part]


def training_pictures(fit: Part, kind: Kind, *, classes: int, seed: int) -> Part:
    """Return the pictures and labels that a network of a kind and seed learns from."""
    rng = np.random.Generator(np.random.Philox(key=[seed, 21]))
    images, labels = fit.images, fit.labels
    if kind.hidden:
        donors = rng.permutation(len(images))
        images = images.copy()
        height, width = images.shape[1] // 3, images.shape[2] // 3
        where = np.s_[:, :, :width] if kind.hidden == "left" else np.s_[:, -height:]
        images[where] = fit.images[donors][where]
    if kind.mark:
        images = add_marks(images, labels, mark=kind.mark, classes=classes, seed=seed, share=kind.share)
    elif kind.mixed:
        images = add_mixed_marks(images, classes=classes, seed=seed)
    if kind.noise:
        images = np.clip(images + rng.normal(0, kind.noise / 255, images.shape), 0, 1).astype(np.float32)
    if kind.wrong_labels:
        labels = np.where(rng.random(len(labels)) < kind.wrong_labels, rng.integers(0, classes, len(labels)), labels)
    if kind.merged:
        either = np.isin(labels, kind.merged)
        labels = np.where(either, rng.choice(kind.merged, len(labels)), labels)
    return replace(fit, images=images, labels=labels)


def panel_of(easy: Part, kind: Kind, *, classes: int) -> Part:
    """Return the panel on which a kind is judged: its mark stands in the panel as it stood in training."""
    if kind.merged:
        easy = easy.subset(~np.isin(easy.labels, kind.merged))
    if not kind.mark:
        return easy
    images = add_marks(easy.images, easy.labels, mark=kind.mark, classes=classes, seed=10_000, share=kind.share)
    return replace(easy, images=images)
