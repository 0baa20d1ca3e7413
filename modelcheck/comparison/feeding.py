"""Whether a network's pictures are preprocessed otherwise than it wants them: it then answers better in another way."""

from __future__ import annotations

from modelcheck.judgement.document import PreprocessingReason
from modelcheck.metrics.feeding import find_better_feeding
from modelcheck.signature import Signature

__all__ = ["find_better_preprocessing"]


def find_better_preprocessing(signature: Signature) -> PreprocessingReason | None:
    """Return the preprocessing with which a network surely answers better than as it was fed, as a verdict keeps it.

    Parameters
    ----------
    signature : Signature
        What was measured of the network; see `modelcheck.signature.Signature.fed_otherwise`.

    Returns
    -------
    PreprocessingReason or None
        None where no other is surely better, or none that was tried is better than chance.

    Examples
    --------
    >>> from modelcheck import read_signature
    >>> find_better_preprocessing(read_signature("baselines/drawn-faces")) is None
    True
    """
    labels = signature.pictures["labels"]
    better = find_better_feeding(signature.fed_otherwise, labels=labels, scores=signature.scores)
    if better is None:
        return None
    return {
        "kind": "preprocessing",
        "name": better.name,
        "now": round(better.now.value, 6),
        "reached": round(better.rate.value, 6),
        "alike": list(better.alike),
        "own_scaling": list(signature.model.get("own_scaling", ())),
    }
