"""Which names of layers a record can keep arrays under."""

from __future__ import annotations

from collections.abc import Iterable

from modelcheck.signature.record import SignatureError
from modelcheck.signature.storage import EXCHANGE, PER_LAYER
from modelcheck.support.archive import ArchiveError, check_member_name

__all__ = ["check_storable"]

# What stands around a layer's name in the name of a member, at the most.
_BEFORE, _BEHIND = f"retrained99999/{max((*PER_LAYER, *EXCHANGE), key=len)}/", ".npy"


def check_storable(names: Iterable[str]) -> None:
    """Refuse names of layers under which nothing could be kept, before anything is measured.

    Parameters
    ----------
    names : iterable of str
        The names of the layers that have units.

    Raises
    ------
    SignatureError
        When a name is too long, or has a character that cannot be printed or that means a path.

    Examples
    --------
    >>> check_storable(["conv1", "backbone/conv2"])
    """
    for name in names:
        try:
            check_member_name(_BEFORE + name + _BEHIND)
        except ArchiveError as error:
            shown = ascii(name if len(name) <= 80 else f"{name[:79]}...")
            raise SignatureError(
                f"Nothing can be kept under the layer's name {shown}: it is too long, or has a character that cannot "
                "be printed or that means a path. Give the layer another name, of at most 900 printable characters, "
                "and save the network again."
            ) from error
