"""The settings of a measurement: two signatures are comparable only when their recipes are equal."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modelcheck.support.spelling import did_you_mean

__all__ = ["Recipe"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what a measurement yields, apart from the network and the panel.

    The ascent is gradient ascent in a box: from mid grey and a little fixed noise, each step averages the
    gradient over shifted and noisy copies of the map, blurs it, divides it by its root mean square and adds
    it; the map is then pulled towards grey and clipped to the input range.

    Parameters
    ----------
    input_range : tuple of float
        Lowest and highest value that the network's input takes. Panels of bytes (``uint8``) are mapped
        onto it; panels of floats must lie inside it.
    seed : int
        Of all noise. Noise is keyed by (seed, step) and the copy, never by order or batch.
    steps : int
        Steps of ascent.
    step_size : float
        Length of the first step, as a share of the input range; it falls linearly to a tenth.
    pull : float
        Strength of the pull to mid grey: that many times the distance from grey, in units of the
        normalised gradient, is subtracted at each step.
    blur : float
        Standard deviation of the Gaussian that smooths each gradient, in pixels; 0 leaves it as it is.
    total_variation : float
        Weight of the slope of the total variation that is subtracted at each step; 0 leaves it out.
    start_noise : float
        Standard deviation of the noise on the grey start, as a share of the input range.
    starts : int
        How many ascents each unit gets, the first from grey and others from random pixels; the happiest map is
        kept.
    copies : int
        Copies of the map over which each gradient is averaged; 1 with no shift and no jitter is plain
        gradient ascent. It applies to maps of the whole picture; receptive-field patches always use one.
    shift : float
        Largest shift of a copy along either axis, as a share of the picture's height.
    jitter : float
        Standard deviation of the noise on a copy, as a share of the input range.
    natural_components : int
        At most this many principal components of the panel span the natural pictures; see
        `modelcheck.happymaps.natural_pictures`.
    units_per_layer : int
        At most this many units of a layer are rendered, evenly spaced over its channels.
    probe_pictures : int
        At most this many pictures of the panel get attributions and activations, spread evenly over
        subjects, classes and groups.
    attribution_methods : tuple of str
        Which attributions are kept.
    smoothgrad_samples : int
        Noisy copies behind each SmoothGrad attribution.
    untrained_twins : int
        Untrained networks of the same architecture, measured beside the network as its floor.
    sticker_faces : int
        Pictures of the panel, shared out over its classes, on which every sticker of the dictionary is stamped in the
        search for planted triggers; 0 leaves the search out.
    """

    input_range: tuple[float, float] = (0.0, 1.0)
    seed: int = 0
    steps: int = 32
    step_size: float = 0.2
    pull: float = 2.0
    blur: float = 1.0
    total_variation: float = 0.0
    start_noise: float = 0.02
    starts: int = 1
    copies: int = 16
    shift: float = 1 / 15
    jitter: float = 0.3
    natural_components: int = 60
    units_per_layer: int = 64
    probe_pictures: int = 96
    attribution_methods: tuple[str, ...] = ("smoothgrad", "occlusion")
    smoothgrad_samples: int = 25
    untrained_twins: int = 3
    sticker_faces: int = 8

    def __post_init__(self) -> None:
        # Numbers are brought to one type each: equal recipes must have equal digests, and 1 == 1.0 but
        # their JSON differs.
        zeros = ("seed", "untrained_twins", "sticker_faces")
        ones = (
            "steps",
            "starts",
            "copies",
            "natural_components",
            "units_per_layer",
            "probe_pictures",
            "smoothgrad_samples",
        )
        for name in (*zeros, *ones):
            lowest = 0 if name in zeros else 1
            object.__setattr__(self, name, _whole(name, getattr(self, name), lowest))
        for name in ("step_size", "pull", "blur", "total_variation", "start_noise", "shift", "jitter"):
            value = _number(name, getattr(self, name))
            if value < 0:
                raise ValueError(f"{name} must be 0 or more, not {value!r}.")
            object.__setattr__(self, name, value)
        ends = self.input_range
        if isinstance(ends, str) or not isinstance(ends, Sequence) or len(ends) != 2:
            raise ValueError(f"input_range={ends!r} is no range: give two values, for example (0.0, 1.0).")
        low, high = (_number("input_range", end) for end in ends)
        if not low < high:
            raise ValueError(
                f"input_range={ends!r} is no range: give the lowest and the highest input value, "
                "for example (0.0, 1.0)."
            )
        object.__setattr__(self, "input_range", (low, high))
        methods = self.attribution_methods
        listed = isinstance(methods, Sequence) and not isinstance(methods, str)
        if not listed or not all(isinstance(method, str) for method in methods) or len(set(methods)) != len(methods):
            raise ValueError(f"attribution_methods must be a list of distinct names, not {methods!r}.")
        object.__setattr__(self, "attribution_methods", tuple(methods))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready builtins."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Recipe:
        """Build a recipe from plain settings, as they stand in TOML or in a manifest.

        Raises
        ------
        ValueError
            When a setting is unknown (with the nearest known one) or out of range.
        """
        if not isinstance(settings, dict):
            raise ValueError(f"Recipe settings are a table of names and values, not {settings!r}.")
        known = [field.name for field in dataclasses.fields(cls)]
        for key in settings:
            if key not in known:
                raise ValueError(f"The recipe has no setting {key!r}. {did_you_mean(key, known)}")
        return cls(**settings)

    def digest(self) -> str:
        """Return the sha256 of the settings, in hex: equal recipes have equal digests."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


def _whole(name: str, value: Any, lowest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < lowest:
        raise ValueError(f"{name} must be a whole number, at least {lowest}, not {value!r}.")
    return int(value)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value!r}.")
    return float(value) + 0.0  # so that -0.0, which equals 0.0, is written like it
