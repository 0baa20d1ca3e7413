"""The settings of a measurement on a table: two signatures are comparable only when their recipes are equal."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from modelcheck.support.validation import check_keys, check_value, name_list, whole_number

__all__ = ["TableRecipe"]

_COUNT, _COUNT_OR_NONE = whole_number(at_least=1), whole_number(at_least=0)
_CHECKS = {
    "seed": _COUNT_OR_NONE,
    "units_per_layer": _COUNT,
    "profile_values": whole_number(at_least=2),
    "profile_starts": _COUNT,
    "probe_rows": whole_number(at_least=4),
    "exchange_rows": _COUNT_OR_NONE,
    "effect_bins": whole_number(at_least=2),
    "shuffles": _COUNT_OR_NONE,
    "attribution_methods": name_list(),
    "untrained_twins": _COUNT_OR_NONE,
}


@dataclass(frozen=True, kw_only=True)
class TableRecipe:
    """Everything that decides what a measurement on a table yields, apart from the network and the panel.

    Parameters
    ----------
    seed : int
        Seed of all that is drawn; keyed by what it is drawn for, never by order or batch.
    units_per_layer : int
        At most this many units of a layer get a profile, evenly spaced.
    profile_values : int
        How many values of a column of numbers are tried for a profile: quantiles of what was seen,
        the smallest and the largest among them. Of categories all that were seen are tried.
    profile_starts : int
        From how many rows a profile is sought: the typical row, and those of the panel that make
        the unit happiest.
    probe_rows : int
        At most this many rows of the panel give activations and attributions.
    exchange_rows : int
        At most this many rows get columns of other rows put in, one at a time; 0 leaves that out.
    effect_bins : int
        Into how many parts, by quantiles, the range of a column of numbers is cut for its effect.
    shuffles : int
        How many times each column is shuffled for its permutation importance; 0 leaves that out.
    attribution_methods : tuple of str
        Names of the attribution methods whose relevance is kept, where the network takes one vector
        of numbers.
    untrained_twins : int
        Untrained networks of the same architecture, measured beside the network as its floor.

    Examples
    --------
    >>> TableRecipe(seed=3).digest() == TableRecipe().digest()
    False
    >>> TableRecipe.from_dict({"efect_bins": 8})
    Traceback (most recent call last):
    ValueError: The recipe has an unknown key 'efect_bins'. Did you mean 'effect_bins'?
    """

    seed: int = 0
    units_per_layer: int = 32
    profile_values: int = 16
    profile_starts: int = 4
    probe_rows: int = 200
    exchange_rows: int = 200
    effect_bins: int = 12
    shuffles: int = 8
    attribution_methods: tuple[str, ...] = ("integrated_gradients", "deeplift")
    untrained_twins: int = 3

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            object.__setattr__(self, name, check_value(name, getattr(self, name), check))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready builtins."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> TableRecipe:
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
