"""Show a network pictures of which one cell comes from another picture, and mosaics of two pictures.

Forward passes only. What is kept are answers; the pictures themselves follow from the panel and the
recipe, `modelcheck.metrics.exchanges.choose_stimuli`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from modelcheck.metrics.exchanges import Stimuli, compute_falls, exchange_cells, mix_pictures
from modelcheck.metrics.margins import margins
from modelcheck.runtimes import Classifier
from modelcheck.signature.storage import narrow

__all__ = ["check_shown_exchanges", "measure_exchanges"]

_BATCH_BYTES = 32 * 2**20  # of pictures that are made at once: a network reads its weights for each call


def measure_exchanges(
    classifier: Classifier, images: np.ndarray, labels: np.ndarray, *, scores: np.ndarray, stimuli: Stimuli
) -> dict[str, np.ndarray]:
    """Return what a network answers to exchanged and mixed pictures, in the precision in which it is kept.

    Parameters
    ----------
    classifier : Classifier
        What answers.
    images : np.ndarray
        ``(n, h, w, c)`` float32 pictures of the whole panel, in the input range.
    labels : np.ndarray
        ``(n,)`` their classes.
    scores : np.ndarray
        ``(n, classes)`` the network's class scores on them.
    stimuli : Stimuli
        Which cells are exchanged, and which pictures are mixed.

    Returns
    -------
    dict of str to np.ndarray
        By grid, for example ``4x4``, ``(pictures, cells, donors)`` each: ``4x4/falls``, by how much
        the label's lead over the donor's class falls; ``4x4/margins``, the label's margin (see
        `modelcheck.metrics.margins.margins`); ``4x4/answers``, the class answered, and
        ``4x4/leads``, by how much its score leads the label's, 0 where it is the label. And
        ``mosaics``, ``(m,)``: the score of the second picture's class minus that of the first's.
        Only what the stimuli ask for.
    """
    at_once = max(1, _BATCH_BYTES // images[0].nbytes)

    def show(make: Callable[[np.ndarray], np.ndarray], count: int) -> np.ndarray:
        parts = (make(np.arange(start, min(start + at_once, count))) for start in range(0, count, at_once))
        return np.concatenate([classifier.class_scores(part) for part in parts])

    kept: dict[str, np.ndarray] = {}
    for grid in stimuli.grids if len(stimuli.rows) else ():
        shape = stimuli.shape(grid)
        after = show(partial(exchange_cells, images, stimuli, grid), math.prod(shape))
        found = _read_answers(after.reshape(*shape, -1), scores, labels, stimuli)
        kept |= {f"{grid.name}/{name}": values for name, values in found}
    if len(stimuli.first):
        after = show(partial(mix_pictures, images, stimuli), len(stimuli.first))
        first, second = (after[np.arange(len(after)), labels[rows]] for rows in (stimuli.first, stimuli.second))
        kept["mosaics"] = narrow(second - first, np.float16)
    return kept


def _read_answers(
    after: np.ndarray, scores: np.ndarray, labels: np.ndarray, stimuli: Stimuli
) -> Iterator[tuple[str, np.ndarray]]:
    own, donors = labels[stimuli.rows], labels[stimuli.donors[:, : after.shape[2]]]
    label = own[:, None, None, None]
    answers = after.argmax(axis=-1)
    of_answer, of_label = (np.take_along_axis(after, at, axis=-1)[..., 0] for at in (answers[..., None], label))
    yield "falls", narrow(compute_falls(scores[stimuli.rows], after, own, donors), np.float16)
    yield "margins", narrow(np.take_along_axis(margins(after), label, axis=-1)[..., 0], np.float16)
    yield "leads", narrow(of_answer - of_label, np.float16)
    yield "answers", answers.astype(np.min_scalar_type(after.shape[-1] - 1))


def check_shown_exchanges(classifier: Classifier, images: np.ndarray, stimuli: Stimuli) -> None:
    """Refuse a network that answers otherwise on exchanged pictures when it is used as it will be released.

    Every cell is shown in one picture, and as many mosaics as there are cells in the first grid.

    Raises
    ------
    NetworkError
        See `modelcheck.runtimes.Classifier.class_scores`.
    """
    shown = []
    for grid in stimuli.grids if len(stimuli.rows) else ():
        n, cells, donors = stimuli.shape(grid)
        positions = np.ravel_multi_index((np.arange(cells) % n, np.arange(cells), 0), (n, cells, donors))
        shown.append(exchange_cells(images, stimuli, grid, positions))
    if len(stimuli.first):
        some = np.arange(min(len(stimuli.first), len(stimuli.grids[0].boxes)))
        shown.append(mix_pictures(images, stimuli, some))
    if shown:
        pictures = np.concatenate(shown)
        classifier.class_scores(pictures, checked=np.arange(len(pictures)))
