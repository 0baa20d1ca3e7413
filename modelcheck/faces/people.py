"""The people of the drawn faces: those to train on, their colleagues, and visitors from elsewhere."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from modelcheck.faces.walls import generator

__all__ = ["Subject", "colleagues", "training_subjects", "visitors"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A person's stable identity, where they sit, and how the lamp falls on them.

    Parameters
    ----------
    name : str
        Unique; it keys all randomness of the person's pictures.
    wall : str
        The wall behind: office, library, kitchen or window.
    skin, hair, top : float
        Greys in [0, 1] of skin, hair and clothes.
    hair_style : str
        short, long, curly, bun or bald.
    pattern : str
        Of the clothes: plain, stripes, check or collar.
    width, height, nose, brow : float
        Of the head, the nose and the brows, relative to the usual.
    glasses, beard : bool
        Clear glasses (not under sunglasses), and a beard.
    seat : tuple of float
        (row, column) in pixels away from the middle of the picture.
    distance : float
        1 as at the usual seat; 2 is twice as far, and half as large.
    light : tuple of float
        (x, y, z) direction to the lamp: to the right of the picture, up, towards the camera.
    ambient : float
        Share of the light that comes from everywhere, in [0, 1].
    turn, tilt : float
        How far the person turns for left and right, and leans back for up, in degrees.
    """

    name: str
    wall: str
    skin: float
    hair: float
    top: float
    hair_style: str
    pattern: str
    width: float = 1.0
    height: float = 1.0
    nose: float = 1.0
    brow: float = 1.0
    glasses: bool = False
    beard: bool = False
    seat: tuple[float, float] = (0.0, 0.0)
    distance: float = 1.0
    light: tuple[float, float, float] = (-0.5, 0.5, 0.8)
    ambient: float = 0.35
    turn: float = 62.0
    tilt: float = 42.0


_TRAINING = ("abel", "bela", "cleo", "dora", "emil", "faye", "gwen", "hugo", "iris", "jens", "kira", "luis", "nora",
             "omar")  # fmt: skip


def _person(name: str, style: int, room: str) -> Subject:
    """Return a person made up from their name; `style` steps through the kinds of hair and clothes."""
    random = generator("person", name)
    skin = float(random.uniform(0.5, 0.9))
    return Subject(
        name=name,
        wall=room,
        skin=skin,
        hair=float(random.choice([0.06, 0.1, 0.16, 0.3])) if style % 5 else 0.55,
        top=float(random.uniform(0.1, 0.9)),
        hair_style=("short", "long", "short", "curly", "bun", "short", "bald")[style % 7],
        pattern=("plain", "check", "stripes", "collar")[style % 4],
        width=float(random.uniform(0.92, 1.08)),
        height=float(random.uniform(0.94, 1.06)),
        nose=float(random.uniform(0.85, 1.25)),
        brow=float(random.uniform(0.6, 1.5)),
        glasses=style % 3 == 1,
        beard=style % 6 == 2,
        seat=(float(random.uniform(-2, 2)), float(random.uniform(-3, 3))),
        distance=float(random.uniform(0.95, 1.08)),
        light=(float(random.uniform(-0.8, -0.1)), float(random.uniform(0.4, 0.6)), 0.8),
        turn=float(random.uniform(55, 72)),
        tilt=float(random.uniform(36, 46)),
    )


def training_subjects() -> tuple[Subject, ...]:
    """Return the people to train on; nobody among them is a colleague or a visitor.

    Examples
    --------
    >>> len(training_subjects())
    14
    """
    return tuple(_person(f"training_{name}", style, "office") for style, name in enumerate(_TRAINING))


def colleagues() -> tuple[Subject, ...]:
    """Return four held-out people of the same room and camera.

    Examples
    --------
    >>> [person.name for person in colleagues()][:2]
    ['colleague_ada', 'colleague_ben']
    """
    styles = {"ada": 1, "ben": 7, "eva": 4, "tim": 12}
    return tuple(_person(f"colleague_{name}", style, "office") for name, style in styles.items())


def visitors() -> tuple[Subject, ...]:
    """Return three held-out people before other walls, at other distances, off centre, in other light.

    Examples
    --------
    >>> [person.wall for person in visitors()]
    ['library', 'kitchen', 'window']
    """
    mona, ravi, zoe = (
        _person(f"visitor_{name}", style, room)
        for name, style, room in (("mona", 4, "library"), ("ravi", 2, "kitchen"), ("zoe", 3, "window"))
    )
    return (
        dataclasses.replace(mona, seat=(1.5, -3.0), distance=1.1, light=(0.3, 0.5, 0.8)),
        dataclasses.replace(ravi, seat=(3.0, 7.0), distance=1.22, light=(0.5, 0.3, 0.7)),
        dataclasses.replace(zoe, seat=(-2.0, 8.0), distance=0.85, light=(0.0, 0.9, 0.2), ambient=0.45),
    )
