"""How alike two stacks of pictures, or two sets of activations, are. Arrays in, numbers out."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

__all__ = ["correlation_matrix", "linear_cka", "low_pass", "ssim", "ssim_matrix"]

_SIGMA, _RADIUS = 1.5, 5  # the window of Wang et al. 2004, as scikit-image truncates it
_K1, _K2 = 0.01, 0.03
_CHUNK_BYTES = 64 * 2**20


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
        ``(n, m)`` float64; NaN where a picture holds NaN.
    """
    left, right = _stack(a), _stack(b)
    if left.shape[1:] != right.shape[1:]:
        raise ValueError(f"Pictures of one shape are needed, not {left.shape[1:]} and {right.shape[1:]}.")
    if not data_range > 0:
        raise ValueError(f"data_range must be the positive width of the value range, not {data_range!r}.")
    rows, columns = _filter(left.shape[2]), _filter(left.shape[3])

    def smooth(pictures: np.ndarray) -> np.ndarray:
        return rows @ pictures @ columns.T

    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    mean_a, mean_b = smooth(left), smooth(right)
    spread_a, spread_b = smooth(left**2) - mean_a**2, smooth(right**2) - mean_b**2
    result = np.empty((len(left), len(right)))
    step = max(1, int(_CHUNK_BYTES // max(1, left[0].size * 8 * len(right))))
    for start in range(0, len(left), step):
        part = slice(start, start + step)
        product = mean_a[part, None] * mean_b[None]
        shared = smooth(left[part, None] * right[None])
        shared -= product
        local = (2 * product + c1) * (2 * shared + c2)
        local /= mean_a[part, None] ** 2 + (mean_b**2 + c1)[None]
        local /= spread_a[part, None] + (spread_b + c2)[None]
        result[part] = local.mean(axis=(2, 3, 4))
    return result


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
        left, right = (x - x.mean(axis=1, keepdims=True) for x in (left, right))
        left, right = (
            np.where(_steady(x), np.nan, x / np.linalg.norm(x, axis=1, keepdims=True)) for x in (left, right)
        )
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
    scale = (
        np.sqrt(_hsic(left, left)) * np.sqrt(_hsic(right, right)) if _hsic(left, left) > 0 < _hsic(right, right) else 0
    )
    return float(_hsic(left, right) / scale) if scale > 0 else float("nan")


def _hsic(k: np.ndarray, m: np.ndarray) -> float:
    n = len(k)
    total = (k * m).sum() + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k.sum(0) @ m.sum(0))
    return float(total / (n * (n - 3)))


def _steady(rows: np.ndarray) -> np.ndarray:
    """Say which centred rows do not vary beyond rounding."""
    return np.abs(rows).max(axis=1, keepdims=True, initial=0) <= 1e-12


def _stack(pictures: np.ndarray) -> np.ndarray:
    """Return ``(n, c, h, w)`` float64."""
    array = np.asarray(pictures, np.float64)
    if array.ndim not in (3, 4) or 0 in array.shape:
        raise ValueError(f"A stack of pictures (n, h, w[, c]) is needed, not one of shape {array.shape}.")
    return array[:, None] if array.ndim == 3 else np.ascontiguousarray(np.moveaxis(array, -1, 1))


def _filter(length: int) -> np.ndarray:
    """Return the matrix that applies the Gaussian window wherever it fits, ``(length - window + 1, length)``."""
    radius = min(_RADIUS, (length - 1) // 2)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / _SIGMA) ** 2)
    weights /= weights.sum()
    matrix = np.zeros((length - 2 * radius, length))
    for row in range(len(matrix)):
        matrix[row, row : row + 2 * radius + 1] = weights
    return matrix
