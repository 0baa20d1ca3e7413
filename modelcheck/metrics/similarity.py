"""How alike two stacks of pictures, or two sets of activations, are. Arrays in, numbers out."""

from __future__ import annotations

import itertools
import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import ndimage

__all__ = ["correlation_matrix", "linear_cka", "local_ssim", "low_pass", "ssim", "ssim_matrix"]

_SIGMA, _RADIUS = 1.5, 5  # the window of Wang et al. 2004, as scikit-image truncates it
_K1, _K2 = 0.01, 0.03
_CHUNK_PAIRS = 4096  # at once
_COLUMNS = 4  # of results at once: small products, which BLAS does not spread over threads of its own
_PIECES = 8


def ssim(a: np.ndarray, b: np.ndarray, *, data_range: float) -> float:
    """Return the mean structural similarity of two pictures.

    Parameters
    ----------
    a, b : np.ndarray
        ``(h, w)`` or ``(h, w, c)``, of one shape.
    data_range : float
        Largest minus smallest value that the pictures *can* take, never what they happen to span.

    Returns
    -------
    float
        Between -1 and 1; NaN when a picture holds NaN. Equal to scikit-image's ``structural_similarity`` with
        ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``; pictures smaller than its window of 11
        pixels are compared with the largest odd window that fits.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE TIP 13(4), 2004, equation 13.
    """
    if np.shape(a) != np.shape(b):
        raise ValueError(f"Pictures of one shape are needed, not {np.shape(a)} and {np.shape(b)}.")
    return float(ssim_matrix(np.asarray(a)[None], np.asarray(b)[None], data_range=data_range)[0, 0])


def ssim_matrix(a: np.ndarray, b: np.ndarray, *, data_range: float) -> np.ndarray:
    """Return the structural similarity of every picture of one stack with every picture of another.

    Parameters
    ----------
    a, b : np.ndarray
        ``(n, h, w[, c])`` and ``(m, h, w[, c])``.
    data_range : float
        See `ssim`.

    Returns
    -------
    np.ndarray
        ``(n, m)`` float64, exact to about 1e-5; NaN where a picture holds NaN.
    """
    left, right = _stack(a), _stack(b)
    if left.shape[1:] != right.shape[1:]:
        raise ValueError(f"Pictures of one shape are needed, not {left.shape[1:]} and {right.shape[1:]}.")
    if not data_range > 0:
        raise ValueError(f"data_range must be the positive width of the value range, not {data_range!r}.")
    rows = max(1, _CHUNK_PAIRS // len(right))
    parts = [_ssim_block(left[start : start + rows], right, data_range) for start in range(0, len(left), rows)]
    return np.concatenate(parts)


def local_ssim(a: np.ndarray, b: np.ndarray, *, data_range: float) -> np.ndarray:
    """Return where pictures are alike: the structural similarity around each pixel, pair by pair.

    Parameters
    ----------
    a, b : np.ndarray
        ``(n, h, w[, c])``, of one shape.
    data_range : float
        See `ssim`.

    Returns
    -------
    np.ndarray
        ``(n, h, w)`` float64 between -1 and 1, the mean over channels; NaN throughout a pair that holds NaN. Its mean
        over the places where the whole window fits is `ssim`; beyond the border pictures are mirrored, as
        scikit-image does with ``full=True``.
    """
    if np.shape(a) != np.shape(b):
        raise ValueError(f"Pictures of one shape are needed, not {np.shape(a)} and {np.shape(b)}.")
    if not data_range > 0:
        raise ValueError(f"data_range must be the positive width of the value range, not {data_range!r}.")
    left, right = _stack(a), _stack(b)
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2

    def smooth(pictures: np.ndarray) -> np.ndarray:
        for axis in (2, 3):
            pictures = ndimage.correlate1d(pictures, _window(pictures.shape[axis]), axis=axis, mode="reflect")
        return pictures

    one, other = smooth(left), smooth(right)
    shared = smooth(left * right) - one * other
    spread = smooth(left**2) - one**2 + smooth(right**2) - other**2
    local = (2 * one * other + c1) * (2 * shared + c2) / ((one**2 + other**2 + c1) * (spread + c2))
    whole = np.isfinite(left).all(axis=(1, 2, 3)) & np.isfinite(right).all(axis=(1, 2, 3))
    return np.asarray(np.where(whole[:, None, None], local.mean(axis=1), np.nan))


def _ssim_block(left: np.ndarray, right: np.ndarray, data_range: float) -> np.ndarray:
    """Return `ssim_matrix` of two stacks ``(n, c, h, w)`` whose products fit into the processor's cache.

    A pair's local covariance is smoothed row by row: down the window's rows by one matrix product for each column, and
    then across. What belongs to one picture alone enters as matrix products of rank 2 and 4. Sums are exact enough in
    single precision because each picture's mean is taken off first; the covariance does not depend on it. No product
    is so large that BLAS would spread it over threads of its own, which burn processor time while they wait.
    """
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    rows, columns = _filter(left.shape[2]), _filter(left.shape[3])
    high, wide = (matrix.shape[1] - matrix.shape[0] + 1 for matrix in (rows, columns))
    down, across = rows[0, :high, None].astype(np.float32), (2 * columns).astype(np.float32)
    middles = [pictures.mean(axis=(1, 2, 3)) for pictures in (left, right)]
    levels = [x.transpose(1, 3, 2, 0) - middle for x, middle in zip((left, right), middles, strict=True)]
    pairs = len(left), len(right)

    def sum_rows(channel: int, first: int, last: int) -> np.ndarray:
        """Sum over the rows from the first to before the last."""
        seen = slice(first, last + high - 1)
        (one, off_a, mean_a, spread_a), (other, off_b, mean_b, spread_b) = (
            _local(np.ascontiguousarray(level[channel, :, seen]), middle, rows[first:last, seen], columns)
            for level, middle in zip(levels, middles, strict=True)
        )
        light_a, light_b, spread_b = mean_a**2, mean_b**2 + c1, spread_b + c2
        # (row, column, k, n) and (row, column, k, m): a sum over k is one value per pair
        centre = _stack_parts(off_a, 1), _stack_parts(-2 * off_b, c2)
        light = _stack_parts(mean_a, 1), _stack_parts(2 * mean_b, c1)
        below = (
            _stack_parts(light_a * spread_a, light_a, spread_a, 1),
            _stack_parts(1, spread_b, light_b, light_b * spread_b),
        )
        total = np.zeros(pairs)
        shared = np.empty((columns.shape[1], *pairs), np.float32)
        values, factors, line = np.empty((3, _COLUMNS, *pairs), np.float32)
        for row in range(last - first):
            window = slice(row, row + high)
            np.matmul((one[:, window] * down).swapaxes(1, 2), other[:, window], out=shared)
            line.fill(0)
            for start in range(0, len(columns), _COLUMNS):
                part = slice(start, min(start + _COLUMNS, len(columns)))
                near = slice(start, part.stop + wide - 1)
                value, factor = values[: part.stop - start], factors[: part.stop - start]
                np.matmul(across[part, near], shared[near].reshape(-1, total.size), out=value.reshape(-1, total.size))
                for (a, b), apply in ((centre, np.add), (light, np.multiply), (below, np.divide)):
                    np.matmul(a[row, part].swapaxes(1, 2), b[row, part], out=factor)
                    apply(value, factor, out=value)
                line[: len(value)] += value
            total += line.sum(axis=0)
        return total

    # The pieces are the same on every machine, and so is the order of summation.
    ends = np.linspace(0, len(rows), min(_PIECES, len(rows)) + 1).round().astype(int)
    pieces = [(channel, *part) for channel in range(left.shape[1]) for part in itertools.pairwise(ends)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        total = sum(threads.map(sum_rows, *zip(*pieces, strict=True)))
    return np.asarray(total / (left.shape[1] * len(rows) * len(columns)))


def _local(level: np.ndarray, middle: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return pictures less their means, and at each place their mean without it and with it and their variance.

    In single precision; the first is ``(column, row, n)`` as it comes, the others ``(row, column, n)``.
    """
    mean, square = (_apply_filter(_apply_filter(x, rows).swapaxes(0, 1), columns) for x in (level, level**2))
    # A variance is a small difference of squares: it is taken before precision goes.
    found = level, mean, mean + middle, square - mean**2
    return tuple(x.astype(np.float32) for x in found)


def _apply_filter(lines: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return ``(..., length, n)`` behind a filter along its length, a few results at once."""
    outputs, length = matrix.shape
    found = np.empty((*lines.shape[:-2], outputs, lines.shape[-1]))
    for start in range(0, outputs, _COLUMNS):
        part = slice(start, min(start + _COLUMNS, outputs))
        seen = slice(start, part.stop + length - outputs)
        np.matmul(matrix[part, seen], lines[..., seen, :], out=found[..., part, :])
    return found


def _stack_parts(*parts: np.ndarray | float) -> np.ndarray:
    """Return arrays ``(row, column, n)`` and numbers, stacked along a new axis before n."""
    shape = next(part.shape for part in parts if isinstance(part, np.ndarray))
    found = np.empty((*shape[:-1], len(parts), shape[-1]), np.float32)
    for at, part in enumerate(parts):
        found[..., at, :] = part
    return found


def correlation_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the Pearson correlation of every row of one table with every row of another.

    Parameters
    ----------
    a, b : np.ndarray
        ``(n, ...)`` and ``(m, ...)``; the rest of each is flattened.

    Returns
    -------
    np.ndarray
        ``(n, m)`` float64; NaN where a row is constant or holds NaN.
    """
    left, right = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (a, b))
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"Rows of one length are needed, not {left.shape[1]} and {right.shape[1]}.")
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = (_directions(x) for x in (left, right))
        return np.asarray(np.clip(left @ right.T, -1, 1))


def low_pass(pictures: np.ndarray, *, sigma: float) -> np.ndarray:
    """Return pictures seen at a coarser scale: a Gaussian over rows and columns.

    Parameters
    ----------
    pictures : np.ndarray
        ``(n, h, w, c)``.
    sigma : float
        Standard deviation in pixels.
    """
    return ndimage.gaussian_filter(np.asarray(pictures, np.float64), sigma, axes=(1, 2), mode="nearest")


def linear_cka(a: np.ndarray, b: np.ndarray) -> float:
    """Return the debiased linear centred kernel alignment of two sets of activations.

    Parameters
    ----------
    a, b : np.ndarray
        ``(n, p)`` and ``(n, q)``: the same n examples seen by p and by q units; n is at least 4.

    Returns
    -------
    float
        1 for representations equal up to rotation and scale, about 0 for unrelated ones; it can be slightly
        negative. NaN when one of them is constant.

    References
    ----------
    Kornblith, Norouzi, Lee and Hinton, ICML 2019; the unbiased HSIC of Song et al., JMLR 13, 2012, equation 5, as
    used by Nguyen, Raghu and Kornblith, ICLR 2021.
    """
    if len(a) != len(b) or len(a) < 4:
        raise ValueError(f"The same examples, at least 4, are needed, not {len(a)} and {len(b)}.")
    grams = []
    for activations in (a, b):
        centred = np.asarray(activations, np.float64) - np.mean(activations, axis=0, dtype=np.float64)
        gram = centred @ centred.T
        np.fill_diagonal(gram, 0)
        grams.append(gram)
    left, right = grams
    own_left, own_right = _hsic(left, left), _hsic(right, right)
    if not (own_left > 0 and own_right > 0):  # constant, or NaN
        return math.nan
    return _hsic(left, right) / (math.sqrt(own_left) * math.sqrt(own_right))


def _hsic(k: np.ndarray, m: np.ndarray) -> float:
    """Return the unbiased HSIC of two Gram matrices ``(n, n)`` whose diagonals are zero."""
    n = len(k)
    total = (k * m).sum() + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k.sum(0) @ m.sum(0))
    return float(total / (n * (n - 3)))


def _directions(rows: np.ndarray) -> np.ndarray:
    """Return rows less their means, of length 1; NaN for one that does not vary beyond rounding."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    rounding = 1e-12 * np.maximum(np.abs(rows).max(axis=1, keepdims=True, initial=0), 1)
    steady = np.abs(centred).max(axis=1, keepdims=True, initial=0) <= rounding
    return np.where(steady, np.nan, centred / np.linalg.norm(centred, axis=1, keepdims=True))


def _stack(pictures: np.ndarray) -> np.ndarray:
    """Return ``(n, c, h, w)`` float64."""
    array = np.asarray(pictures, np.float64)
    if array.ndim not in (3, 4) or 0 in array.shape:
        raise ValueError(f"A stack of pictures (n, h, w[, c]) is needed, not one of shape {array.shape}.")
    return array[:, None] if array.ndim == 3 else np.ascontiguousarray(np.moveaxis(array, -1, 1))


def _filter(length: int) -> np.ndarray:
    """Return the matrix that applies the Gaussian window wherever it fits, ``(length - window + 1, length)``."""
    weights = _window(length)
    matrix = np.zeros((length - len(weights) + 1, length))
    for row in range(len(matrix)):
        matrix[row, row : row + len(weights)] = weights
    return matrix


def _window(length: int) -> np.ndarray:
    """Return the Gaussian window, or the largest odd part of it that fits into so many pixels."""
    radius = min(_RADIUS, (length - 1) // 2)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / _SIGMA) ** 2)
    return np.asarray(weights / weights.sum())
