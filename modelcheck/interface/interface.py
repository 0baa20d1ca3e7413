"""How a network's inputs and outputs are to be understood: what its file does not say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelcheck.interface.preprocessing import Preprocessing, parse_preprocessing, write_preprocessing
from modelcheck.support.validation import Check, check_keys, check_value, name_list, number

__all__ = ["Interface"]


def _is_name_or_number(value: Any) -> bool:
    return (isinstance(value, str) and value != "") or (type(value) is int and value >= 0)


def _are_numbers(value: Any) -> bool:
    finite = number()
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and name and finite.accepts(item) for name, item in value.items()
    )


_NAME = Check("a name in quotes, or a number counted from 0", _is_name_or_number, str)
_CHECKS = {
    "outputs": name_list("a list of class names", distinct=False),
    "output": _NAME,
    "input": _NAME,
    "inputs": Check("a table of names and finite numbers, such as { age = 0.5 }", _are_numbers, dict),
    "label": _NAME,
    "threshold": number("a finite number, such as 0.5"),
    "preprocessing": Check(
        "the name of a preprocessing, such as 'torch', or a table", lambda value: isinstance(value, str | Mapping)
    ),
}


@dataclass(frozen=True, kw_only=True)
class Interface:
    """How a network's inputs and outputs are to be understood.

    Parameters
    ----------
    outputs : tuple of str
        The panel's class of each output, for a network with more outputs than classes; with
        `label`, the name of each unit instead.
    output : str, optional
        The output that is judged, by its name or counted from 0, where a network has several.
    input : str, optional
        The input that takes the picture, by its name or counted from 0, where it has several.
    inputs : mapping of str to float
        By name, the value at which each other input is held.
    label : str, optional
        The unit that is judged, by its name in `outputs` or counted from 0, where each unit answers
        a question of its own (several sigmoids). The panel then has two classes.
    threshold : float, optional
        Where the answers of a single unit part, in the units of the network's own output. By
        default 0.5 behind a sigmoid and else 0.
    preprocessing : str or dict, optional
        What is done to the pictures before the network sees them: the name of a preset, or the
        parts of a `Preprocessing`.

    Examples
    --------
    >>> Interface(output="smile", threshold=0.5).to_dict()
    {'output': 'smile', 'threshold': 0.5}
    >>> Interface(label=2).label
    '2'
    """

    outputs: tuple[str, ...] = ()
    output: str | None = None
    input: str | None = None
    inputs: Mapping[str, float] = field(default_factory=dict)
    label: str | None = None
    threshold: float | None = None
    preprocessing: str | Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, check_value(name, value, check))
        if self.preprocessing is not None:  # written in one way only, however it was said
            written = write_preprocessing(parse_preprocessing(self.preprocessing))
            object.__setattr__(self, "preprocessing", written)

    def __bool__(self) -> bool:
        """Whether anything is said at all."""
        return self != Interface()

    @property
    def front(self) -> Preprocessing | None:
        """What is done to the pictures first; None for nothing, said or not."""
        return None if self.preprocessing is None else parse_preprocessing(self.preprocessing)

    def to_dict(self) -> dict[str, Any]:
        """Return what is said, as JSON-ready builtins; what is left open is left out."""
        said = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        said |= {"outputs": list(self.outputs), "inputs": dict(self.inputs)}
        return {name: value for name, value in said.items() if value not in (None, [], {})}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Interface:
        """Build the value from what `to_dict` gave, or from settings.

        Raises
        ------
        ValueError
            When a key is unknown (with the nearest known one), or a value is not what it must be.
        """
        check_keys(values, _CHECKS, where="the interface")
        return cls(**{name: check_value(name, value, _CHECKS[name]) for name, value in values.items()})
