"""One word for a convolutional channel and a dense neuron, the unit, and for the layers that have units."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["LayerKind", "Unit"]


class LayerKind(StrEnum):
    """The layers that have units. The last layer is the decision, whatever its type."""

    CONV = "conv"
    DENSE = "dense"
    DECISION = "decision"


@dataclass(frozen=True, order=True)
class Unit:
    """One channel of a convolutional layer or one neuron of a dense layer.

    Parameters
    ----------
    layer : str
        The layer's name; nested networks are written ``backbone/conv1``.
    index : int
        The position along the layer's last axis, from 0.

    Examples
    --------
    >>> str(Unit("conv2d_1", 7))
    'conv2d_1:7'
    >>> Unit.parse("conv2d_1:7")
    Unit(layer='conv2d_1', index=7)
    """

    layer: str
    index: int

    def __post_init__(self) -> None:
        if not self.layer or self.index < 0:
            raise ValueError(
                f"A unit needs a layer's name and an index from 0, not layer={self.layer!r}, "
                f"index={self.index!r}. Write it like 'conv2d_1:7'."
            )

    def __str__(self) -> str:
        return f"{self.layer}:{self.index}"

    @classmethod
    def parse(cls, text: str) -> Unit:
        """Read a unit as it is written, ``layer:index``.

        Raises
        ------
        ValueError
            When the text has no colon or the part after the last one is no whole number.
        """
        layer, colon, index = text.rpartition(":")
        if not colon or not (index.isascii() and index.isdecimal()):
            raise ValueError(f"A unit is written 'layer:index', like 'conv2d_1:7', not {text!r}.")
        return cls(layer, int(index))
