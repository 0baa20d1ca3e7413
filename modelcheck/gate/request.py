"""What a process is asked to measure: one value that travels as JSON, so that no setting is joined and split."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelcheck.interface import Interface
from modelcheck.recipe import Recipe
from modelcheck.signature.parts import Block
from modelcheck.support.spelling import did_you_mean
from modelcheck.support.tables import json_document
from modelcheck.support.validation import check_value, number
from modelcheck.table_recipe import TableRecipe

__all__ = ["AnyRecipe", "Request", "RequestError", "recipe_for"]

AnyRecipe = Recipe | TableRecipe
"""How a network is measured, on pictures or on a table."""

_FLAGS = {"twins": True, "stop_where_misread": False, "known": False}
_TABLE = {"kind": "table"}  # beside the settings of a recipe for a table, as in a manifest
_PATHS = ("network", "panel", "like", "baseline_model")


class RequestError(ValueError):
    """A request that cannot be carried out; the message names the part and what was expected."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A network to measure, on what, and how.

    Parameters
    ----------
    network : Path
        The ``.keras`` file.
    panel : Path
        The panel file (``.npz``).
    like : Path, optional
        A signature that gives the recipe, and whose maps are shown to the network.
    recipe : AnyRecipe, optional
        How to measure, where `like` gives no recipe.
    baseline_model : Path, optional
        The ``.keras`` file behind `like`: the network's maps are then shown to that network, too.
    layers : mapping of str to str
        By the hidden layers of `like`, the layers of the network that are given as counterparts.
    interface : Interface
        How the network's inputs and outputs are to be understood.
    custom_objects : tuple of str
        Classes and functions outside Keras, ``module>name``, that the network may name.
    twins : bool
        Whether the recipe's untrained twins are measured as well.
    stop_where_misread : bool
        Whether a network that surely answers better with its pictures preprocessed otherwise, or its
        outputs in another order, is refused before anything is rendered.
    known : bool
        Whether `like` was measured of this very network, by this code on this machine: of a network
        on pictures what stands in it is then taken as it is.
    panel_size : float
        GiB that the panel may unpack to.
    block : Block, optional
        The part of the work that is asked for; by default all of it.
    minutes : float, optional
        How long a gate may take, where a plan is asked for instead of a measurement.

    Examples
    --------
    >>> asked = Request(network=Path("a.keras"), panel=Path("panel.npz"), interface=Interface(label=2))
    >>> Request.from_json(asked.to_json()).interface.label
    '2'
    """

    network: Path
    panel: Path
    like: Path | None = None
    recipe: AnyRecipe | None = None
    baseline_model: Path | None = None
    layers: Mapping[str, str] = field(default_factory=dict)
    interface: Interface = field(default_factory=Interface)
    custom_objects: tuple[str, ...] = ()
    twins: bool = True
    stop_where_misread: bool = False
    known: bool = False
    panel_size: float = 4.0
    block: Block | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if self.like is not None and self.recipe is not None:
            raise RequestError("A request takes its recipe from a signature (like) or as settings, not from both.")
        if self.like is None and (self.baseline_model is not None or self.layers or self.known):
            raise RequestError("baseline_model, layers and known are about a signature: give like, too.")

    def to_json(self) -> str:
        """Return the request as JSON text, from which `from_json` makes an equal one."""
        values: dict[str, Any] = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        values |= {name: None if values[name] is None else str(values[name]) for name in _PATHS}
        values |= {"layers": dict(self.layers), "custom_objects": list(self.custom_objects)}
        values |= {"interface": self.interface.to_dict(), "recipe": _tag(self.recipe)}
        values["block"] = None if self.block is None else self.block.to_dict()
        return json.dumps(values, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Build a request from JSON text.

        Raises
        ------
        RequestError
            When the text is not JSON, names an unknown part (with the nearest known one), or holds
            another type than the part's own.
        """
        try:
            values = json_document(text.encode())
        except ValueError as error:
            raise RequestError(f"The request is not valid JSON: {error}.") from error
        if not isinstance(values, dict):
            raise RequestError(f"A request is a JSON object, not {type(values).__name__}.")
        known = [item.name for item in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                raise RequestError(f"A request has no part {name!r}. {did_you_mean(name, known)}")
        for name in ("network", "panel"):
            if not isinstance(values.get(name), str):
                raise RequestError(f"{name} must be a path in a request, not {values.get(name)!r}.")
        paths = {name: _path(name, values.get(name)) for name in _PATHS}
        custom = _names("custom_objects", values.get("custom_objects", []))
        interface = _interface(values.get("interface", {}))
        layers, recipe = values.get("layers", {}), values.get("recipe")
        if not isinstance(layers, dict) or not all(isinstance(partner, str) for partner in layers.values()):
            raise RequestError(f"layers must be an object of layer names in a request, not {layers!r}.")
        flags = {name: values.get(name, default) for name, default in _FLAGS.items()}
        for name, flag in flags.items():
            if not isinstance(flag, bool):
                raise RequestError(f"{name} must be true or false in a request, not {flag!r}.")
        size = check_value("panel_size", values.get("panel_size", 4.0), number(above=0), error=RequestError)
        minutes = values.get("minutes")
        if minutes is not None:
            minutes = check_value("minutes", minutes, number(above=0), error=RequestError)
        parsed = None if recipe is None else _untag(recipe)
        block = None if values.get("block") is None else _block(values["block"])
        return cls(
            **paths,  # type: ignore[arg-type]
            **flags,
            interface=interface,
            custom_objects=custom,
            layers=layers,
            recipe=parsed,
            panel_size=size,
            block=block,
            minutes=minutes,
        )


def recipe_for(settings: dict[str, Any], *, table: bool) -> AnyRecipe:
    """Build a recipe from plain settings, for pictures or for a table.

    Raises
    ------
    ValueError
        When a setting is unknown (with the nearest known one) or out of range.

    Examples
    --------
    >>> recipe_for({"seed": 3}, table=True).seed
    3
    """
    return TableRecipe.from_dict(settings) if table else Recipe.from_dict(settings)


def _tag(recipe: AnyRecipe | None) -> dict[str, Any] | None:
    if recipe is None:
        return None
    return {**(_TABLE if isinstance(recipe, TableRecipe) else {}), **recipe.to_dict()}


def _untag(value: Any) -> AnyRecipe:
    if isinstance(value, dict) and value.items() >= _TABLE.items():
        return TableRecipe.from_dict({name: part for name, part in value.items() if name not in _TABLE})
    return Recipe.from_dict(value)


def _block(value: object) -> Block:
    if not isinstance(value, dict):
        raise RequestError(f"block must be an object or null in a request, not {value!r}.")
    try:
        return Block.from_dict(value)
    except ValueError as error:
        raise RequestError(f"{error} That is in the block of a request.") from error


def _path(name: str, value: object) -> Path | None:
    if value is not None and not isinstance(value, str):
        raise RequestError(f"{name} must be a path or null in a request, not {value!r}.")
    return None if value is None else Path(value)


def _names(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RequestError(f"{name} must be a list of names in a request, not {value!r}.")
    return tuple(value)


def _interface(value: object) -> Interface:
    if not isinstance(value, dict):
        raise RequestError(f"interface must be an object in a request, not {value!r}.")
    try:
        return Interface.from_dict(value)
    except ValueError as error:
        raise RequestError(f"{error} That is in the interface of a request.") from error
