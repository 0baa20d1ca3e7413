"""People before a cluttered wall, drawn by arithmetic: no download, and the truth is known.

A person is a handful of ellipsoids (skull, jaw, nose, ears, hair, neck, shoulders) seen from
straight ahead; eyes, brows, mouth and glasses are painted on them by position, and a pose is a
rotation of the head. So a profile shows what a profile shows: the nose leaves the outline, an ear
comes forward, the hair comes round. All randomness is keyed by (seed, subject, picture): what else
was drawn before changes nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from modelcheck.faces.paint import is_hair, paint
from modelcheck.faces.people import Subject, colleagues, training_subjects, visitors
from modelcheck.faces.pictures import EXPRESSIONS, EYES, POSES, TASKS, Pictures, task_classes
from modelcheck.faces.walls import COLUMNS, FINE, MARGIN, ROWS, generator, wall
from modelcheck.panel import Panel
from modelcheck.support.spelling import did_you_mean

__all__ = ["Subject", "colleagues", "draw", "draw_panel", "draw_pictures", "training_subjects", "visitors"]

_MAX_PICTURES = 100_000  # all are held in memory, at 4 kB each
_UNIT = 13.5  # pixels; the head is about 1.5 units wide and 2.2 high
_PIVOT = np.array([0.0, -0.75, -0.3])  # where the head turns on the neck, in units from the head's middle


_Scene = tuple[Subject, str, str, str, int]


@dataclass(frozen=True)
class _Part:
    """An ellipsoid: middle and radii in units, in the frame of the head or of the body.

    `far` shows the inside of its far half: hair behind a face that leans back.
    """

    kind: str
    middle: tuple[float, float, float]
    radii: tuple[float, float, float]
    far: bool = False


def draw(
    subject: Subject, pose: str, expression: str, eyes: str, *, seed: int = 0, repeat: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one picture.

    Parameters
    ----------
    subject : Subject
        Who.
    pose : str
        left, right, straight or up; left is the *subject's* left, so the nose points to the
        picture's right.
    expression : str
        neutral, happy, sad or angry.
    eyes : str
        open or sunglasses.
    seed, repeat : int
        Another seed is another day, another repeat another take of the same scene.

    Returns
    -------
    image : np.ndarray
        ``(60, 64)`` uint8.
    region : np.ndarray
        ``(60, 64)`` bool: the visible face with everything on it, without hair and neck.

    Raises
    ------
    ValueError
        When the pose, the expression or the eyes are unknown words.

    Examples
    --------
    >>> image, region = draw(colleagues()[0], "left", "happy", "open")
    >>> image.shape, image.dtype.name, region.dtype.name
    ((60, 64), 'uint8', 'bool')
    """
    for what, word, known in (("pose", pose, POSES), ("expression", expression, EXPRESSIONS), ("eyes", eyes, EYES)):
        if word not in known:
            raise ValueError(f"There is no {what} {word!r}. {did_you_mean(word, known)}")
    random = generator("picture", seed, subject.name, pose, expression, eyes, repeat)
    jitter = np.clip(random.standard_normal(8), -2, 2)
    yaw = {"left": subject.turn, "right": -subject.turn}.get(pose, 0.0) + 3.0 * jitter[0]
    pitch = (subject.tilt if pose == "up" else 0.0) + 2.0 * jitter[1]
    head = _rotation(yaw, pitch, 2.0 * jitter[2])
    body = _rotation(0.3 * yaw, 0.0, 0.0)

    shift = np.rint(FINE * 0.35 * jitter[3:5]).astype(int) + MARGIN * FINE  # the camera is never quite still
    canvas = wall(subject.wall)[shift[0] :, shift[1] :][: ROWS * FINE, : COLUMNS * FINE].copy()
    face = np.zeros(canvas.shape, dtype=bool)
    depth = np.full(canvas.shape, -np.inf, dtype=np.float32)
    unit = _UNIT * FINE / subject.distance
    origin = FINE * np.array([27.5 + subject.seat[0] + 0.5 * jitter[5], 32 + subject.seat[1] + 0.6 * jitter[6]])
    lamp = np.array(subject.light) / np.linalg.norm(subject.light)
    scale = np.array([subject.width, subject.height, 1.0])

    for part in _parts(subject):
        of_body = part.kind in ("neck", "top")
        frame = body if of_body else head
        # The head turns about the top of the neck, not about its own middle: leaning back moves the
        # chin up.
        pivot = _PIVOT if not of_body else np.zeros(3)
        middle, radii = np.array(part.middle) * (1 if of_body else scale), np.array(part.radii) * scale
        centre = pivot + frame @ (middle - pivot)
        reach = np.sqrt(((frame * radii) ** 2).sum(axis=1))[:2]
        window = _window(origin, unit, centre, reach, canvas.shape)
        rows, columns = np.ogrid[window]
        x = ((columns + 0.5 - origin[1]) / unit - centre[0]).astype(np.float32)
        y = ((origin[0] - rows - 0.5) / unit - centre[1]).astype(np.float32)
        hit, z, point, normal = _meet(x, y, frame.astype(np.float32), radii.astype(np.float32), far=part.far)
        point = (point + middle.astype(np.float32)[:, None, None]) / scale.astype(np.float32)[:, None, None]
        seen = hit & (z + centre[2] > depth[window])
        if part.kind == "hair":
            seen &= is_hair(point, subject.hair_style)
        grey = paint(part.kind, point, subject, expression, eyes)
        shade = subject.ambient + (1 - subject.ambient) * np.clip(np.tensordot(lamp, normal, 1), 0, 1)
        canvas[window][seen] = (grey * shade * 1.15)[seen]
        depth[window][seen] = (z + centre[2])[seen]
        face[window][seen] = part.kind in ("skin", "nose", "ear")

    image = canvas.reshape(ROWS, FINE, COLUMNS, FINE).mean(axis=(1, 3)) * (1 + 0.03 * jitter[7])
    image += 0.008 * random.standard_normal(image.shape)
    share = face.reshape(ROWS, FINE, COLUMNS, FINE).mean(axis=(1, 3))
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8), share >= 0.5


def draw_pictures(subjects: Sequence[Subject], *, repeats: int = 1, seed: int = 0) -> Pictures:
    """Draw every subject in every pose, expression and eyes, for training.

    Parameters
    ----------
    subjects : sequence of Subject
        Who.
    repeats : int
        Takes of each scene.
    seed : int
        Of the small variations between takes.
    """
    scenes = _scenes(subjects, repeats)
    images = np.stack([draw(*scene[:4], seed=seed, repeat=scene[4])[0] for scene in scenes])
    words = [np.array(column) for column in zip(*((s.name, *rest) for s, *rest, _ in scenes), strict=True)]
    return Pictures(images, *words)


def draw_panel(subjects: Sequence[Subject], *, task: str = "left", repeats: int = 1, seed: int = 0) -> Panel:
    """Draw a panel of held-out people, with the true face regions; its groups are the poses.

    Tasks that ask for one pose against the rest get two takes of each scene in that pose and two of
    three of the other scenes, so that both answers weigh the same.

    Parameters
    ----------
    subjects : sequence of Subject
        Who, usually ``colleagues() + visitors()``.
    task : str
        left, right, four or sunglasses.
    repeats : int
        How often to repeat all that, with new takes.
    seed : int
        Of the small variations between takes.

    Raises
    ------
    ValueError
        When there is no such task, no subject, or `repeats` is not positive.
    """
    class_names = task_classes(task)
    answer = TASKS[task][1]
    scenes = _scenes(subjects, repeats)
    if task in POSES:
        others = [scene for scene in scenes if scene[1] != task]
        again = [(*scene[:4], scene[4] + repeats) for scene in scenes if scene[1] == task]
        dropped = set(others[2::3])
        order = {name: at for at, name in enumerate(subject.name for subject in subjects)}
        scenes = [*(scene for scene in scenes if scene not in dropped), *again]
        scenes.sort(key=lambda scene: (order[scene[0].name], POSES.index(scene[1])))
    pictures = [draw(*scene[:4], seed=seed, repeat=scene[4]) for scene in scenes]
    return Panel(
        np.stack([image for image, _ in pictures]),
        np.array([class_names.index(answer(pose, eyes)) for _, pose, _, eyes, _ in scenes]),
        subjects=np.array([scene[0].name for scene in scenes]),
        class_names=class_names,
        regions=np.stack([region for _, region in pictures]),
        names=np.array([f"{s.name}_{pose}_{expression}_{eyes}_{r}" for s, pose, expression, eyes, r in scenes]),
        groups=np.array([scene[1] for scene in scenes]),
    )


def _scenes(subjects: Sequence[Subject], repeats: int) -> list[_Scene]:
    if not subjects or repeats < 1:
        raise ValueError(
            f"There is nothing to draw: {len(subjects)} subjects, {repeats} repeats. Both must be at least 1, "
            "for example colleagues() and 1."
        )
    pictures = len(subjects) * len(POSES) * len(EXPRESSIONS) * len(EYES) * repeats
    if pictures > _MAX_PICTURES:
        raise ValueError(f"{pictures} pictures are more than the {_MAX_PICTURES} that are drawn at most. Repeat less.")
    return list(itertools.product(subjects, POSES, EXPRESSIONS, EYES, range(repeats)))


def _rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Return the rotation that turns the face by degrees: to the picture's right, up, and askew."""
    (a, b, c), (s, t, u) = np.cos(np.radians([yaw, pitch, roll])), np.sin(np.radians([yaw, pitch, roll]))
    turn = np.array([[a, 0, s], [0, 1, 0], [-s, 0, a]])
    lean = np.array([[1, 0, 0], [0, b, t], [0, -t, b]])
    askew = np.array([[c, -u, 0], [u, c, 0], [0, 0, 1]])
    rotation: np.ndarray = turn @ lean @ askew
    return rotation


def _parts(subject: Subject) -> Iterator[_Part]:
    yield _Part("top", (0.0, -2.6, -0.35), (1.75, 1.15, 0.8))
    yield _Part("neck", (0.0, -1.35, -0.3), (0.47, 0.95, 0.45))
    yield _Part("skin", (0.0, 0.15, -0.1), (0.72, 0.92, 0.88))
    yield _Part("skin", (0.0, -0.42, 0.16), (0.56, 0.62, 0.6))
    size = subject.nose
    yield _Part("nose", (0.0, -0.14, 0.74), (0.12, 0.24 * size, 0.25 * size))
    for side in (-1, 1):
        yield _Part("ear", (side * 0.72, -0.02, -0.12), (0.09, 0.22, 0.15))
    shell = {"curly": 1.2, "bald": 1.015}.get(subject.hair_style, 1.07)
    for far in (False, True):
        yield _Part("hair", (0.0, 0.17, -0.12), (0.72 * shell, 0.92 * shell, 0.88 * shell), far)
    if subject.hair_style == "long":
        yield _Part("mane", (0.0, -0.35, -0.5), (0.82, 1.0, 0.52))
    if subject.hair_style == "bun":
        yield _Part("mane", (0.0, 0.45, -1.1), (0.3, 0.3, 0.3))


def _window(
    origin: np.ndarray, unit: float, centre: np.ndarray, reach: np.ndarray, shape: tuple[int, ...]
) -> tuple[slice, slice]:
    middle = origin + unit * np.array([-centre[1], centre[0]])
    half = unit * reach[::-1] + 1
    start = np.clip(np.floor(middle - half), 0, shape).astype(int)
    stop = np.clip(np.ceil(middle + half), 0, shape).astype(int)
    return slice(int(start[0]), int(stop[0])), slice(int(start[1]), int(stop[1]))


def _meet(
    x: np.ndarray, y: np.ndarray, frame: np.ndarray, radii: np.ndarray, *, far: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return where parallel rays meet an ellipsoid about the origin first, or last if `far`.

    A ray is (x, y, z) for all z; with M = frame.T / radii the surface is |M p| = 1, a quadratic in
    z. Returns hit ``(h, w)``, z ``(h, w)``, the point in the ellipsoid's own frame and the outward
    normal in the camera's, both ``(3, h, w)``.
    """
    shrink = frame.T / radii[:, None]
    along = shrink[:, 2]
    across = shrink[:, 0, None, None] * x + shrink[:, 1, None, None] * y
    a = float(along @ along)
    b = np.tensordot(along, across, 1)
    under_root = b**2 - a * ((across**2).sum(axis=0) - 1)
    hit = under_root >= 0
    z = ((-1 if far else 1) * np.sqrt(np.maximum(under_root, 0)) - b) / a
    ball = across + along[:, None, None] * z
    normal = np.tensordot(shrink.T, ball, 1)
    normal /= np.sqrt((normal**2).sum(axis=0)) + 1e-6
    return hit, z, ball * radii[:, None, None], normal
