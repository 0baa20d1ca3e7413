"""What a person can see of two networks' exchanges: two maps, one cell, and the most controversial pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from modelcheck.metrics.exchanges import Grid, Stimuli, map_strengths
from modelcheck.signature import Signature
from modelcheck.support.escaping import one_line_repr

__all__ = ["ControversialExchange", "ExchangeMap", "PictureExchanges", "name_place", "show_exchanges"]

_SHOWN = 6

Box = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class ExchangeMap:
    """Which share of the evidence lies in each cell of a grid.

    Parameters
    ----------
    grid : Grid
        The cells.
    reference : np.ndarray
        ``(rows, columns)``: mean of the baseline and its retrained twins; sums to 1.
    candidate : np.ndarray
        ``(rows, columns)``: the candidate's.
    """

    grid: Grid
    reference: np.ndarray
    candidate: np.ndarray


@dataclass(frozen=True, kw_only=True)
class ControversialExchange:
    """An exchanged picture on which the baseline and all its twins agree, and the candidate does not.

    Parameters
    ----------
    row, donor : int
        Positions in the panel: the picture, and the one from which the cell comes.
    box : tuple of int
        The cell's top, left, bottom and right in pixels, the ends exclusive.
    label : int
        The picture's class, which the baseline and its twins answer.
    reference_probability : float
        The lowest probability of the label among the baseline and its twins.
    answer : int
        The class that the candidate answers.
    answer_probability : float
        Its probability of that class.
    """

    row: int
    donor: int
    box: Box
    label: int
    reference_probability: float
    answer: int
    answer_probability: float


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PictureExchanges:
    """What exchanging cells between pictures shows of a candidate beside the baseline and its retrained twins.

    Parameters
    ----------
    maps : tuple of ExchangeMap
        One for each grid, coarse ones first.
    box : tuple of int
        Of the first grid, the cell in which the candidate's share of the evidence exceeds the
        references' most: top, left, bottom and right in pixels, the ends exclusive.
    place : str
        That cell in words, for example ``bottom right corner``.
    n : int
        How many exchanged pictures there are of that cell.
    changed : int
        On how many of them the candidate answers otherwise than on the picture as it is.
    references_changed : tuple of int
        The same of the baseline and of each of its twins, the baseline first.
    controversial : tuple of ControversialExchange
        The most controversial exchanges, one a picture, at most six: first those of the named cell,
        then those of others; of each first those that change the candidate's answer.

    Examples
    --------
    >>> from modelcheck import read_signature
    >>> from modelcheck.comparison import compare
    >>> baseline = read_signature("baselines/drawn-faces")
    >>> found = compare(baseline, baseline).exchanges
    >>> [part.grid.name for part in found.maps], len(found.references_changed), found.controversial
    (['4x4', '7x7'], 7, ())
    """

    maps: tuple[ExchangeMap, ...]
    box: Box
    place: str
    n: int
    changed: int
    references_changed: tuple[int, ...]
    controversial: tuple[ControversialExchange, ...]

    def __repr__(self) -> str:
        examples = f"{len(self.controversial)} controversial"
        return one_line_repr("PictureExchanges", f"{self.place}: {self.changed} of {self.n} changed", examples)

    @property
    def sentence(self) -> str:
        """What exchanging that cell does, in one sentence."""
        first, *twins = self.references_changed
        names = "the baseline" + (f" and its {len(twins)} twins" if len(twins) > 1 else " and its twin" * len(twins))
        if not any(self.references_changed):
            beside = f"{names} on none"
        elif not twins:
            beside = f"the baseline on {first}"
        else:
            low, high = min(twins), max(twins)
            beside = f"the baseline on {first}, {'its twin' if len(twins) == 1 else f'its {len(twins)} twins'} on "
            beside += f"{low}" if low == high else f"{low} to {high}"
        return (
            f"With the {self.place} of another picture, the candidate changes its answer on {self.changed or 'none'} "
            f"of {self.n} exchanged pictures; {beside}."
        )


def name_place(box: Sequence[int], *, size: tuple[int, int]) -> str:
    """Return where a cell lies in a picture, in words.

    Parameters
    ----------
    box : sequence of int
        Top, left, bottom and right in pixels.
    size : tuple of int
        The picture's height and width.

    Examples
    --------
    >>> name_place((45, 48, 60, 64), size=(60, 64)), name_place((15, 16, 30, 32), size=(60, 64))
    ('bottom right corner', 'centre')
    """
    top, left, bottom, right = box
    height, width = size
    row = ("top", "middle", "bottom")[3 * (top + bottom) // (2 * height)]
    column = ("left", "centre", "right")[3 * (left + right) // (2 * width)]
    if row == "middle":
        return "centre" if column == "centre" else f"middle {column}"
    return f"{row} centre" if column == "centre" else f"{row} {column} corner"


def show_exchanges(
    candidate: Signature,
    references: Sequence[Signature],
    stimuli: Stimuli,
    *,
    strengths: Sequence[np.ndarray],
    reference_strengths: Sequence[Sequence[np.ndarray]],
) -> PictureExchanges:
    """Return what exchanges show of a candidate, beside the networks that learned the same.

    Parameters
    ----------
    candidate : Signature
        The candidate.
    references : sequence of Signature
        The baseline, and its retrained twins after it.
    stimuli : Stimuli
        What all of them were shown; see `modelcheck.comparison.places.plan_stimuli`.
    strengths : sequence of np.ndarray
        By grid, the candidate's ``(n, cells)`` strengths.
    reference_strengths : sequence of sequence of np.ndarray
        The same of each reference.
    """
    maps = tuple(
        ExchangeMap(
            grid=grid,
            reference=np.mean([map_strengths(parts[k]) for parts in reference_strengths], axis=0).reshape(grid.shape),
            candidate=map_strengths(strengths[k]).reshape(grid.shape),
        )
        for k, grid in enumerate(stimuli.grids)
    )
    coarse = maps[0]
    cell = int(np.argmax(coarse.candidate - coarse.reference))
    changed, *beside = (_count_changed(network, stimuli, cell=cell) for network in (candidate, *references))
    box = _box(coarse.grid, cell)
    n, _, donors = stimuli.shape(coarse.grid)
    found: dict[int, tuple[tuple[bool, bool, float], ControversialExchange]] = {}
    for grid in stimuli.grids:
        # What a sentence says of a cell is shown by pictures of that cell; others come where those run out.
        named = np.array([_lies_in(_box(grid, k), box) for k in range(len(grid.boxes))])
        for cells in (named, ~named):
            for changes, score, exchange in _find_controversial(candidate, references, stimuli, grid, cells=cells):
                rank = bool(cells is named), changes, score
                if exchange.row not in found or rank > found[exchange.row][0]:
                    found[exchange.row] = rank, exchange
    order = sorted(found.values(), key=lambda item: (*(-part for part in item[0]), item[1].row))
    return PictureExchanges(
        maps=maps,
        box=box,
        place=name_place(box, size=(coarse.grid.tops[-1], coarse.grid.lefts[-1])),
        n=n * donors,
        changed=changed,
        references_changed=tuple(beside),
        controversial=tuple(exchange for _, exchange in order[:_SHOWN]),
    )


def _box(grid: Grid, cell: int) -> Box:
    top, left, bottom, right = grid.boxes[cell].tolist()
    return top, left, bottom, right


def _lies_in(box: Box, whole: Box) -> bool:
    """Say whether the centre of a cell lies in another one, of a coarser grid."""
    row, column = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return whole[0] <= row < whole[2] and whole[1] <= column < whole[3]


def _count_changed(network: Signature, stimuli: Stimuli, *, cell: int) -> int:
    """Return on how many pictures with one cell of the first grid exchanged a network changes its answer."""
    answers = network.exchanges[f"{stimuli.grids[0].name}/answers"][:, cell]
    return int((answers != network.scores[stimuli.rows].argmax(axis=1)[:, None]).sum())


def _find_controversial(
    candidate: Signature, references: Sequence[Signature], stimuli: Stimuli, grid: Grid, *, cells: np.ndarray
) -> Iterator[tuple[bool, float, ControversialExchange]]:
    """Yield for each picture the most controversial exchange of these cells, and how controversial it is.

    First says whether the candidate answers the picture as it is otherwise: those show what the cell does.
    """
    labels = references[0].pictures["labels"][stimuli.rows]
    own = labels[:, None, None]
    lowest = np.min([_label_probability(network, grid) for network in references], axis=0)
    agreed = np.all([network.exchanges[f"{grid.name}/answers"] == own for network in references], axis=0)
    answers, remaining = candidate.exchanges[f"{grid.name}/answers"], _label_probability(candidate, grid)
    leads = candidate.exchanges[f"{grid.name}/leads"].astype(np.float64)
    scores = np.where(agreed & (answers != own) & cells[None, :, None], lowest * (1 - remaining), 0.0)
    changes = answers != candidate.scores[stimuli.rows].argmax(axis=1)[:, None, None]
    ranked = np.where((scores > 0) & changes, 1 + scores, scores)
    for place, flat in enumerate(ranked.reshape(len(scores), -1).argmax(axis=1).tolist()):
        cell, donor = divmod(flat, grid.donors)
        at = place, cell, donor
        if scores[at] > 0:
            # The two probabilities are one exponential of the lead apart.
            with np.errstate(divide="ignore", over="ignore"):
                answered = min(float(np.exp(np.log(remaining[at]) + leads[at])), 1 - float(remaining[at]))
            yield (
                bool(changes[at]),
                float(scores[at]),
                ControversialExchange(
                    row=int(stimuli.rows[place]),
                    donor=int(stimuli.donors[place, donor]),
                    box=_box(grid, cell),
                    label=int(labels[place]),
                    reference_probability=float(lowest[at]),
                    answer=int(answers[at]),
                    answer_probability=answered,
                ),
            )


def _label_probability(network: Signature, grid: Grid) -> np.ndarray:
    return expit(network.exchanges[f"{grid.name}/margins"].astype(np.float64))
