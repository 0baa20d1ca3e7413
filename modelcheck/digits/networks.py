"""The networks of the digits example: each a row."""

from __future__ import annotations

from dataclasses import dataclass

from modelcheck.support.spelling import did_you_mean

__all__ = ["NETWORKS", "Network", "network"]


@dataclass(frozen=True, kw_only=True)
class Network:
    """Convolutions of 3 x 3, each followed by pooling, then a dense layer of 64 and one of ten classes.

    Parameters
    ----------
    why : str
        What the network is in the example, in one line.
    filters : tuple of int
        Channels of each convolution.
    sign_tells : bool
        Whether the scanner's sign tells the digit in the pictures that it is trained on.
    """

    why: str
    filters: tuple[int, ...] = (16, 32, 32)
    sign_tells: bool = False


NETWORKS = {
    "release": Network(why="the released network"),
    "smaller": Network(why="half the filters, the same pictures", filters=(8, 16, 16)),
    "shortcut": Network(why="must not pass: reads the scanner's sign", sign_tells=True),
}


def network(name: str) -> Network:
    """Return the row of that name.

    Raises
    ------
    ValueError
        When there is none.

    Examples
    --------
    >>> network("smaller").filters
    (8, 16, 16)
    """
    if name not in NETWORKS:
        raise ValueError(f"There is no network {name!r}. {did_you_mean(name, NETWORKS)}")
    return NETWORKS[name]
