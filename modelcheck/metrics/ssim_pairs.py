"""The structural similarity of all pairs of two stacks, mostly as matrix products.

For pictures x and y, the similarity at one place is (Wang et al. 2004, equation 13)

    (2 mean_x mean_y + c1) (2 covariance + c2)
    ------------------------------------------------------------------------
    (mean_x^2 + mean_y^2 + c1) (variance_x + variance_y + c2)

where means, variances and the covariance are taken under a Gaussian window around the place. Only
the covariance needs both pictures at once, in one term: with W the smoothing by the window and x',
y' the pictures less one number each (their overall means, so that single precision is exact
enough),

    2 covariance + c2  =  2 W(x' y')  -  2 W(x') W(y') + c2.

Everything else is a sum of products "number of x times number of y", which for all pairs at once is
a matrix product ``(n, k) @ (k, m)``:

* -2 W(x') W(y') + c2, with k = 2, of (W(x'), 1) and (-2 W(y'), c2);
* 2 mean_x mean_y + c1, with k = 2, of (mean_x, 1) and (2 mean_y, c1);
* the denominator, its two brackets multiplied out, with k = 4, of
  (mean_x^2 variance_x, mean_x^2, variance_x, 1) and
  (1, variance_y + c2, mean_y^2 + c1, (mean_y^2 + c1) (variance_y + c2)).

The window is a product of one over rows and one over columns. So W(x' y') is first summed down the
window's rows, which is one matrix product ``(n, rows) @ (rows, m)`` for each column of the picture,
and then across. No product is so large that BLAS would spread it over threads of its own, which
burn processor time while they wait; the threads here share out the rows of the pictures.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

__all__ = ["gaussian_window", "mean_ssim", "stabilisers"]

_SIGMA, _MAX_RADIUS = 1.5, 5  # pixels; the window of Wang et al. 2004, as scikit-image truncates it
_K1, _K2 = 0.01, 0.03
_MAX_COLUMNS = 4  # results at once along a row: small products stay in the cache, and on one thread
_MAX_PIECES = 8  # of the rows of each channel, for the threads


def stabilisers(data_range: float) -> tuple[float, float]:
    """Return c1 and c2 of Wang et al. 2004 for a width of the value range.

    Examples
    --------
    >>> [round(constant, 6) for constant in stabilisers(1.0)]
    [0.0001, 0.0009]
    """
    return (_K1 * data_range) ** 2, (_K2 * data_range) ** 2


def gaussian_window(length: int) -> np.ndarray:
    """Return the Gaussian window, or the largest odd part of it that fits into so many pixels.

    Examples
    --------
    >>> gaussian_window(60).shape, gaussian_window(4).round(3).tolist()
    ((11,), [0.308, 0.384, 0.308])
    """
    radius = min(_MAX_RADIUS, (length - 1) // 2)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / _SIGMA) ** 2)
    return np.asarray(weights / weights.sum())


def mean_ssim(left: np.ndarray, right: np.ndarray, *, data_range: float) -> np.ndarray:
    """Return the mean similarity of every pair, over the places where the whole window fits.

    Parameters
    ----------
    left, right : np.ndarray
        ``(n, c, h, w)`` and ``(m, c, h, w)`` float64, few enough that arrays ``(w, n, m)`` fit into
        the processor's cache.
    data_range : float
        Width of the value range.

    Returns
    -------
    np.ndarray
        ``(n, m)`` float64; NaN where a picture holds NaN.

    Examples
    --------
    >>> ramp = np.linspace(0, 1, 144).reshape(1, 1, 12, 12)
    >>> mean_ssim(ramp, np.concatenate([ramp, 1 - ramp]), data_range=1.0).shape
    (1, 2)
    """
    rows, columns = _filter_matrix(left.shape[2]), _filter_matrix(left.shape[3])
    stacks = _centre(left), _centre(right)
    # The pieces are the same on every machine, and so is the order of summation.
    ends = np.linspace(0, len(rows), min(_MAX_PIECES, len(rows)) + 1).round().astype(int)
    pieces = [(channel, *part) for channel in range(left.shape[1]) for part in itertools.pairwise(ends)]

    def sum_piece(channel: int, first: int, last: int) -> np.ndarray:
        """Sum the similarities over the output rows from the first to before the last."""
        height = rows.shape[1] - len(rows) + 1
        seen = slice(first, last + height - 1)
        one, other = (_smooth(stack, channel, rows[first:last, seen], columns, seen) for stack in stacks)
        return _sum_rows(one, other, rows[0, :height], columns, stabilisers(data_range))

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        total = sum(threads.map(sum_piece, *zip(*pieces, strict=True)))
    return np.asarray(total / (left.shape[1] * len(rows) * len(columns)))


class _Centred(NamedTuple):
    """A stack of pictures, each less its overall mean: ``(c, w, h, n)``, and those means, ``(n,)``."""

    pictures: np.ndarray
    means: np.ndarray


class _Smoothed(NamedTuple):
    """Some rows of one channel, in single precision.

    Parameters
    ----------
    pictures : np.ndarray
        ``(column, row, n)``: the pictures less their overall means, with the rows that the window
        reads.
    offset, mean, variance : np.ndarray
        ``(row, column, n)``: under the window, the mean of that, the mean of the pictures as they
        are, and their variance.
    """

    pictures: np.ndarray
    offset: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


class _Factor(NamedTuple):
    """A value for each place and pair, as a sum over k of products, and what it does to the similarity.

    Parameters
    ----------
    of_left, of_right : np.ndarray
        ``(row, column, k, n)`` and ``(row, column, k, m)``.
    apply : callable
        How the value goes into the similarity, for example ``np.multiply``.
    """

    of_left: np.ndarray
    of_right: np.ndarray
    apply: Callable[..., np.ndarray]


def _centre(pictures: np.ndarray) -> _Centred:
    means = pictures.mean(axis=(1, 2, 3))
    return _Centred(pictures.transpose(1, 3, 2, 0) - means, means)


def _smooth(stack: _Centred, channel: int, rows: np.ndarray, columns: np.ndarray, seen: slice) -> _Smoothed:
    pictures = np.ascontiguousarray(stack.pictures[channel, :, seen])
    offset, square = (
        _apply_filter(_apply_filter(values, rows).swapaxes(0, 1), columns) for values in (pictures, pictures**2)
    )
    # A variance is a small difference of squares: it is taken before precision goes.
    found = pictures, offset, offset + stack.means, square - offset**2
    return _Smoothed(*(values.astype(np.float32) for values in found))


def _sum_rows(
    one: _Smoothed, other: _Smoothed, weights: np.ndarray, columns: np.ndarray, constants: tuple[float, float]
) -> np.ndarray:
    """Sum the similarities of all pairs over the places of some rows, ``(n, m)``."""
    pairs = one.offset.shape[2], other.offset.shape[2]
    weights, height = weights[:, None].astype(np.float32), len(weights)
    twice_across = (2 * columns).astype(np.float32)
    factors = _factors(one, other, constants)
    total = np.zeros(pairs)
    products = np.empty((columns.shape[1], *pairs), np.float32)
    buffers = np.empty((3, _MAX_COLUMNS, *pairs), np.float32)
    for row in range(len(one.offset)):
        window = slice(row, row + height)
        # W(x' y') down the rows, for each column of the picture.
        np.matmul((one.pictures[:, window] * weights).swapaxes(1, 2), other.pictures[:, window], out=products)
        total += _sum_row(products, twice_across, row, factors, buffers)
    return total


def _factors(one: _Smoothed, other: _Smoothed, constants: tuple[float, float]) -> tuple[_Factor, ...]:
    """Return what becomes of 2 W(x' y') on its way to the similarity, in order; see the module's description."""
    c1, c2 = constants
    square_one, square_other, variance_other = one.mean**2, other.mean**2 + c1, other.variance + c2
    covariance = _Factor(_stack_parts(one.offset, 1), _stack_parts(-2 * other.offset, c2), np.add)
    luminance = _Factor(_stack_parts(one.mean, 1), _stack_parts(2 * other.mean, c1), np.multiply)
    denominator = _Factor(
        _stack_parts(square_one * one.variance, square_one, one.variance, 1),
        _stack_parts(1, variance_other, square_other, square_other * variance_other),
        np.divide,
    )
    return covariance, luminance, denominator


def _sum_row(
    products: np.ndarray, twice_across: np.ndarray, row: int, factors: tuple[_Factor, ...], buffers: np.ndarray
) -> np.ndarray:
    """Sum the similarities of all pairs over the places of one row, ``(n, m)``, a few places at once."""
    outputs, length = twice_across.shape
    pairs = products.shape[1] * products.shape[2]
    all_values, all_parts, line = buffers
    line.fill(0)
    for start in range(0, outputs, _MAX_COLUMNS):
        places = slice(start, min(start + _MAX_COLUMNS, outputs))
        seen = slice(start, places.stop + length - outputs)
        values, part = all_values[: places.stop - start], all_parts[: places.stop - start]
        # 2 W(x' y'): across the columns what was summed down the rows.
        np.matmul(twice_across[places, seen], products[seen].reshape(-1, pairs), out=values.reshape(-1, pairs))
        for of_left, of_right, apply in factors:
            np.matmul(of_left[row, places].swapaxes(1, 2), of_right[row, places], out=part)
            apply(values, part, out=values)
        line[: len(values)] += values
    return line.sum(axis=0)


def _filter_matrix(length: int) -> np.ndarray:
    """Return the matrix that applies the Gaussian window wherever it fits, ``(length - window + 1, length)``."""
    weights = gaussian_window(length)
    matrix = np.zeros((length - len(weights) + 1, length))
    for row in range(len(matrix)):
        matrix[row, row : row + len(weights)] = weights
    return matrix


def _apply_filter(lines: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return ``(..., length, n)`` filtered along its length, a few results at once."""
    outputs, length = matrix.shape
    found = np.empty((*lines.shape[:-2], outputs, lines.shape[-1]))
    for start in range(0, outputs, _MAX_COLUMNS):
        places = slice(start, min(start + _MAX_COLUMNS, outputs))
        seen = slice(start, places.stop + length - outputs)
        np.matmul(matrix[places, seen], lines[..., seen, :], out=found[..., places, :])
    return found


def _stack_parts(*parts: np.ndarray | float) -> np.ndarray:
    """Return arrays ``(row, column, n)`` and numbers, stacked along a new axis before n."""
    shape = next(part.shape for part in parts if isinstance(part, np.ndarray))
    found = np.empty((*shape[:-1], len(parts), shape[-1]), np.float32)
    for at, part in enumerate(parts):
        found[..., at, :] = part
    return found
