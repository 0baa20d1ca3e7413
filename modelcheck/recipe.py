"""The settings of a measurement: two signatures are comparable only when their recipes are equal."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from modelcheck.support.validation import check_keys, check_value, name_list, number, number_range, whole_number

__all__ = ["BLACK_BOX", "Recipe"]

BLACK_BOX = ("occlusion", "rise")
"""The attribution methods that take answers alone, so that a file that ships can be asked for them too."""

_COUNT, _COUNT_OR_NONE = whole_number(at_least=1), whole_number(at_least=0)
_STRENGTH = number("a finite number, 0 or more", at_least=0)
_CHECKS = {
    "input_range": number_range("the lowest and the highest value of the input, two finite numbers such as (0.0, 1.0)"),
    "seed": _COUNT_OR_NONE,
    "steps": _COUNT,
    "step_size": _STRENGTH,
    "pull": _STRENGTH,
    "blur": _STRENGTH,
    "total_variation": _STRENGTH,
    "start_noise": _STRENGTH,
    "starts": _COUNT,
    "copies": _COUNT,
    "shift": _STRENGTH,
    "jitter": _STRENGTH,
    "natural_components": _COUNT,
    "units_per_layer": _COUNT,
    "probe_pictures": _COUNT,
    "attribution_methods": name_list(),
    "smoothgrad_samples": _COUNT,
    "untrained_twins": _COUNT_OR_NONE,
    "sticker_faces": _COUNT_OR_NONE,
    "exchange_pictures": _COUNT_OR_NONE,
    "mosaics": _COUNT_OR_NONE,
    "hidden_layers": _COUNT_OR_NONE,
}
# Settings that came later are left out of a record while they have their defaults: equal measurements keep one digest.
_LATER = ("hidden_layers",)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what a measurement yields, apart from the network and the panel.

    The ascent is gradient ascent in a box: from mid grey and a little fixed noise, each step
    averages the gradient over shifted and noisy copies of the map, blurs it, divides it by its root
    mean square and adds it; the map is then pulled towards grey and clipped to the input range.

    Parameters
    ----------
    input_range : tuple of float
        Lowest and highest value of the pictures, black and white. Panels of bytes (``uint8``) are
        mapped onto it; panels of floats must lie inside it. Without a `Preprocessing` it is what
        the network's input takes.
    seed : int
        Seed of all noise. Noise is keyed by (seed, step) and the copy, never by order or batch.
    steps : int
        Number of steps of the ascent.
    step_size : float
        Length of the first step, as a share of the input range; it falls linearly to a tenth.
    pull : float
        Strength of the pull to mid grey: that many times the distance from grey, in units of the
        normalised gradient, is subtracted at each step.
    blur : float
        Standard deviation of the Gaussian that smooths each gradient, in pixels; 0 leaves it as it
        is.
    total_variation : float
        Weight of the slope of the total variation that is subtracted at each step; 0 leaves it out.
    start_noise : float
        Standard deviation of the noise on the grey start, as a share of the input range.
    starts : int
        How many ascents each unit gets, the first from grey and others from random pixels; the
        happiest map is kept.
    copies : int
        Number of copies of the map over which each gradient is averaged; 1 with no shift and no
        jitter is plain gradient ascent. It applies to maps of the whole picture; receptive-field
        patches always use one.
    shift : float
        Largest shift of a copy along either axis, as a share of the picture's height.
    jitter : float
        Standard deviation of the noise on a copy, as a share of the input range. A class that gets
        no map under it is rendered again with 0.1, 0.03 and none, and at last by plain ascent,
        without copies, from four starts.
    natural_components : int
        At most this many principal components of the panel span the natural pictures; see
        `modelcheck.happymaps.natural_pictures`.
    units_per_layer : int
        At most this many units of a layer are rendered, evenly spaced over its channels.
    probe_pictures : int
        At most this many pictures of the panel get attributions and activations, spread evenly over
        subjects, classes and groups.
    attribution_methods : tuple of str
        Names of the attribution methods whose maps are kept.
    smoothgrad_samples : int
        Number of noisy copies over which each SmoothGrad attribution is averaged.
    untrained_twins : int
        Untrained networks of the same architecture, measured beside the network as its floor.
    sticker_faces : int
        Pictures of the panel, shared out over its classes, on which every sticker of the dictionary
        is stamped in the search for planted triggers; of three classes or more each shows two at
        least, up to 32 pictures. 0 leaves the search out.
    exchange_pictures : int
        At most this many pictures of the panel, shared out over its classes, get cells of other
        pictures put in, one at a time, to see by which parts the network decides; 0 leaves that
        out.
    mosaics : int
        How many mixtures of two pictures are shown to see which of the two it takes them for; 0
        leaves that out.
    hidden_layers : int
        At most this many hidden layers are looked at: ends of stages and of blocks first, spread
        over depth. 0 looks at the decision alone.

    Examples
    --------
    >>> Recipe(steps=64).digest() == Recipe().digest()
    False
    >>> Recipe.from_dict({"setps": 64})
    Traceback (most recent call last):
    ValueError: The recipe has an unknown key 'setps'. Did you mean 'steps'?
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
    exchange_pictures: int = 100
    mosaics: int = 400
    hidden_layers: int = 1000

    def __post_init__(self) -> None:
        # Each number is brought to one type: equal recipes must have equal digests, and 1 == 1.0
        # but their JSON differs.
        for name, check in _CHECKS.items():
            object.__setattr__(self, name, check_value(name, getattr(self, name), check))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready builtins, without `hidden_layers` while it has its default."""
        defaults = {item.name: item.default for item in dataclasses.fields(self)}
        settings = json.loads(json.dumps(dataclasses.asdict(self)))
        return {name: value for name, value in settings.items() if name not in _LATER or value != defaults[name]}

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
        check_keys(settings, _CHECKS, where="the recipe")
        return cls(**settings)

    def digest(self) -> str:
        """Return the sha256 of the settings, in hex: equal recipes have equal digests."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()
