"""What the process that plans tells the one that asked: estimates, and a recipe that fits, as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelcheck.recipe import Recipe
from modelcheck.support.tables import json_document

__all__ = ["Estimate", "Plan"]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a gate takes with one recipe.

    Parameters
    ----------
    hidden_layers, units : int
        How many hidden layers are looked at, and how many of their units are rendered, in all.
    passes : int
        Pictures and patches that pass through the network, or part of it, its twins' too.
    seconds, gib : float
        Time, and memory of the process that measures.
    parts : mapping of str to float
        The seconds by part.

    Examples
    --------
    >>> Estimate(hidden_layers=8, units=64, passes=9000, seconds=90.0, gib=1.5, parts={}).minutes
    1.5
    """

    hidden_layers: int
    units: int
    passes: int
    seconds: float
    gib: float
    parts: Mapping[str, float]

    @property
    def minutes(self) -> float:
        """The time in minutes."""
        return self.seconds / 60


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A network, what measuring it takes, and a recipe that fits.

    Parameters
    ----------
    hidden_layers, parameters, multiplications, pictures : int
        Of the network, of one pass, and of the panel.
    default, proposed : Estimate
        With the default recipe, and with the proposed one.
    recipe : Recipe
        The proposed one; the smallest where none fits.
    fits : bool
        Whether it fits into the minutes.
    """

    hidden_layers: int
    parameters: int
    multiplications: int
    pictures: int
    default: Estimate
    proposed: Estimate
    recipe: Recipe
    fits: bool

    def to_json(self) -> str:
        """Return the plan as JSON text, from which `from_json` makes an equal one."""
        return json.dumps({**dataclasses.asdict(self), "recipe": self.recipe.to_dict()})

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Build a plan from JSON text.

        Raises
        ------
        ValueError
            When it is no plan.
        """
        values: dict[str, Any] = json_document(text.encode())
        try:
            estimates = {name: Estimate(**values[name]) for name in ("default", "proposed")}
            return cls(**{**values, **estimates, "recipe": Recipe.from_dict(values["recipe"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"A plan cannot be read: {error}.") from error
