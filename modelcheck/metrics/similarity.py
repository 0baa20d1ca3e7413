"""How alike two stacks of pictures, or two sets of activations, are. Arrays in, numbers out."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from modelcheck.metrics.ssim_pairs import gaussian_window, mean_ssim, stabilisers

__all__ = [
    "correlation_matrix",
    "find_moved_pixels",
    "layer_cka",
    "linear_cka",
    "local_ssim",
    "low_pass",
    "shrink",
    "ssim",
    "ssim_matrix",
]

_MAX_PAIRS = 4096  # at once, so that their products stay in the processor's cache
_MIN_EXAMPLES = 4  # debiased alignment is undefined for fewer
_STILL = 1e-3  # of the value range: half floats store a grey no more exactly


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
        Between -1 and 1; NaN when a picture holds NaN. Equal to scikit-image's
        ``structural_similarity`` with
        ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``; pictures smaller than its
        window of 11 pixels are compared with the largest odd window that fits.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE TIP 13(4), 2004, equation 13.

    Examples
    --------
    >>> ramp = np.tile(np.linspace(0, 1, 12), (12, 1))
    >>> round(ssim(ramp, ramp, data_range=1.0), 3), round(ssim(ramp, 1 - ramp, data_range=1.0), 3)
    (1.0, -0.937)
    """
    if np.shape(a) != np.shape(b):
        raise ValueError(f"Pictures of one shape are needed, not {np.shape(a)} and {np.shape(b)}.")
    return float(ssim_matrix(np.asarray(a)[None], np.asarray(b)[None], data_range=data_range)[0, 0])


def ssim_matrix(a: np.ndarray, b: np.ndarray, *, data_range: float, counted: np.ndarray | None = None) -> np.ndarray:
    """Return the structural similarity of every picture of one stack with every picture of another.

    Parameters
    ----------
    a, b : np.ndarray
        ``(n, h, w[, c])`` and ``(m, h, w[, c])``.
    data_range : float
        See `ssim`.
    counted : np.ndarray, optional
        ``(h, w)`` booleans: the pixels that count. Means and variances are then those of the
        counted pixels under the window, and a place weighs as much as the window holds of them.

    Returns
    -------
    np.ndarray
        ``(n, m)`` float64, exact to about 1e-5; NaN where a picture holds NaN.

    Examples
    --------
    >>> ramp = np.tile(np.linspace(0, 1, 12), (12, 1))
    >>> ssim_matrix(np.stack([ramp, 1 - ramp]), ramp[None], data_range=1.0).shape
    (2, 1)
    """
    left, right = _check_stack(a), _check_stack(b)
    if left.shape[1:] != right.shape[1:]:
        raise ValueError(f"Pictures of one shape are needed, not {left.shape[1:]} and {right.shape[1:]}.")
    if not data_range > 0:
        raise ValueError(f"data_range must be the positive width of the value range, not {data_range!r}.")
    if counted is not None and not counted.all():
        return _count_ssim(left, right, counted, data_range=data_range)
    rows = max(1, _MAX_PAIRS // len(right))
    parts = [mean_ssim(left[start : start + rows], right, data_range=data_range) for start in range(0, len(left), rows)]
    return np.concatenate(parts)


def _count_ssim(left: np.ndarray, right: np.ndarray, counted: np.ndarray, *, data_range: float) -> np.ndarray:
    """Return the mean similarity of every pair over the counted pixels alone, ``(n, m)``."""
    c1, c2 = stabilisers(data_range)
    windows = [gaussian_window(length) for length in counted.shape]
    rows, columns = (
        slice(len(window) // 2, length - len(window) // 2)
        for window, length in zip(windows, counted.shape, strict=True)
    )

    def smooth(values: np.ndarray) -> np.ndarray:
        for axis, window in zip((-2, -1), windows, strict=True):
            values = ndimage.correlate1d(values, window, axis=axis, mode="constant")
        return values[..., rows, columns]

    held = smooth(counted.astype(np.float64))
    known = held > 0

    def average(values: np.ndarray) -> np.ndarray:
        """Return the mean of the counted pixels under the window, at the places that have some."""
        return smooth(np.where(counted, values, 0))[..., known] / held[known]

    other, other_spread = average(right), average(right**2) - average(right) ** 2
    found = np.empty((len(left), len(right)))
    for row, picture in enumerate(left):
        one, one_spread = average(picture), average(picture**2) - average(picture) ** 2
        shared = average(picture * right) - one * other
        local = (2 * one * other + c1) * (2 * shared + c2)
        local /= (one**2 + other**2 + c1) * (one_spread + other_spread + c2)
        found[row] = (local * held[known]).sum(axis=-1).mean(axis=-1) / held[known].sum()
    whole = (np.isfinite(left).all(axis=(1, 2, 3))[:, None], np.isfinite(right).all(axis=(1, 2, 3)))
    return np.where(whole[0] & whole[1], found, np.nan)


def find_moved_pixels(a: np.ndarray, b: np.ndarray, *, input_range: tuple[float, float]) -> np.ndarray:
    """Return which pixels some ascent moved: where two stacks of maps are not all alike.

    What no weight reaches, because the network crops it away, keeps the grey from which every
    ascent starts: to agree there is no likeness.

    Parameters
    ----------
    a, b : np.ndarray
        ``(n, h, w, c)`` and ``(m, h, w, c)`` maps; those with NaN are left out.
    input_range : tuple of float
        Lowest and highest value that a map can take. A pixel at one of them was moved there.

    Returns
    -------
    np.ndarray
        ``(h, w)`` booleans; all True where no pixel would be left.

    Examples
    --------
    >>> maps = np.array([[0.5, 0.1], [0.5, 0.9]]).reshape(2, 1, 2, 1)
    >>> find_moved_pixels(maps, maps, input_range=(0.0, 1.0))
    array([[False,  True]])
    """
    maps = np.concatenate([np.asarray(side, np.float64) for side in (a, b)])
    maps = maps[np.isfinite(maps).all(axis=(1, 2, 3))]
    if not len(maps):
        return np.ones(np.shape(a)[1:3], dtype=bool)
    low, high = input_range
    margin = _STILL * (high - low)
    least, most = maps.min(axis=0), maps.max(axis=0)
    moved = ((most - least > margin) | (least <= low + margin) | (most >= high - margin)).any(axis=-1)
    return moved if moved.any() else np.ones_like(moved)


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
        ``(n, h, w)`` float64 between -1 and 1, the mean over channels; NaN throughout a pair that
        holds NaN. Its mean over the places where the whole window fits is `ssim`; beyond the border
        pictures are mirrored, as scikit-image does with ``full=True``.

    Examples
    --------
    >>> ramp = np.tile(np.linspace(0, 1, 12), (1, 12, 1))
    >>> local_ssim(ramp, ramp, data_range=1.0).shape
    (1, 12, 12)
    """
    if np.shape(a) != np.shape(b):
        raise ValueError(f"Pictures of one shape are needed, not {np.shape(a)} and {np.shape(b)}.")
    if not data_range > 0:
        raise ValueError(f"data_range must be the positive width of the value range, not {data_range!r}.")
    left, right = _check_stack(a), _check_stack(b)
    c1, c2 = stabilisers(data_range)

    def smooth(pictures: np.ndarray) -> np.ndarray:
        for axis in (2, 3):
            pictures = ndimage.correlate1d(pictures, gaussian_window(pictures.shape[axis]), axis=axis, mode="reflect")
        return pictures

    one, other = smooth(left), smooth(right)
    shared = smooth(left * right) - one * other
    spread = smooth(left**2) - one**2 + smooth(right**2) - other**2
    local = (2 * one * other + c1) * (2 * shared + c2) / ((one**2 + other**2 + c1) * (spread + c2))
    whole = np.isfinite(left).all(axis=(1, 2, 3)) & np.isfinite(right).all(axis=(1, 2, 3))
    return np.asarray(np.where(whole[:, None, None], local.mean(axis=1), np.nan))


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

    Examples
    --------
    >>> correlation_matrix(np.array([[1.0, 2.0, 3.0]]), np.array([[2.0, 4.0, 6.0], [1.0, 1.0, 1.0]]))
    array([[ 1., nan]])
    """
    left, right = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (a, b))
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"Rows of one length are needed, not {left.shape[1]} and {right.shape[1]}.")
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = (_normalise_rows(x) for x in (left, right))
        return np.asarray(np.clip(left @ right.T, -1, 1))


def low_pass(pictures: np.ndarray, *, sigma: float) -> np.ndarray:
    """Return pictures seen at a coarser scale: a Gaussian over rows and columns.

    Parameters
    ----------
    pictures : np.ndarray
        ``(n, h, w, c)``.
    sigma : float
        Standard deviation in pixels.

    Examples
    --------
    >>> low_pass(np.eye(5)[None, :, :, None], sigma=1.0).shape
    (1, 5, 5, 1)
    """
    return ndimage.gaussian_filter(np.asarray(pictures, np.float64), sigma, axes=(1, 2), mode="nearest")


def shrink(pictures: np.ndarray, *, side: int) -> np.ndarray:
    """Average blocks of pixels until neither side is longer than `side`.

    Parameters
    ----------
    pictures : np.ndarray
        ``(n, h, w, ...)``; smaller ones come back as they are.
    side : int
        The length in pixels.

    Examples
    --------
    >>> import numpy as np
    >>> shrink(np.ones((1, 10, 6)), side=5).shape
    (1, 5, 3)
    """
    height, width = pictures.shape[1:3]
    block = math.ceil(max(height, width) / side)
    if block <= 1:
        return pictures
    rows, columns = height // block, width // block
    cut = pictures[:, : rows * block, : columns * block]
    blocks = cut.reshape(len(cut), rows, block, columns, block, *pictures.shape[3:])
    return np.asarray(blocks.mean(axis=(2, 4)))


def linear_cka(a: np.ndarray, b: np.ndarray) -> float:
    """Return the debiased linear centred kernel alignment of two sets of activations.

    Parameters
    ----------
    a, b : np.ndarray
        ``(n, p)`` and ``(n, q)``: the same n examples seen by p and by q units; n is at least 4.

    Returns
    -------
    float
        1 for representations equal up to rotation and scale, about 0 for unrelated ones; it can be
        slightly negative. NaN when one of them is constant.

    References
    ----------
    Kornblith, Norouzi, Lee and Hinton, ICML 2019; the unbiased HSIC of Song et al., JMLR 13, 2012,
    equation 5, as used by Nguyen, Raghu and Kornblith, ICLR 2021.

    Examples
    --------
    >>> activations = np.random.default_rng(0).normal(size=(8, 3))
    >>> round(linear_cka(activations, 2 * activations[:, ::-1]), 6)
    1.0
    """
    if len(a) != len(b) or len(a) < _MIN_EXAMPLES:
        raise ValueError(f"The same examples, at least {_MIN_EXAMPLES}, are needed, not {len(a)} and {len(b)}.")
    grams = []
    for activations in (a, b):
        centred = np.asarray(activations, np.float64) - np.mean(activations, axis=0, dtype=np.float64)
        gram = centred @ centred.T
        np.fill_diagonal(gram, 0)
        grams.append(gram)
    left, right = grams
    own_left, own_right = _unbiased_hsic(left, left), _unbiased_hsic(right, right)
    if not (own_left > 0 and own_right > 0):  # constant, or NaN
        return math.nan
    return _unbiased_hsic(left, right) / (math.sqrt(own_left) * math.sqrt(own_right))


def layer_cka(left: np.ndarray, right: np.ndarray) -> float:
    """Return `linear_cka` of two layers' features on the same pictures.

    Parameters
    ----------
    left, right : np.ndarray
        ``(pictures, ...)`` features; all further axes are joined.

    Returns
    -------
    float
        See `linear_cka`; NaN for fewer than four pictures, of which nothing can be said.

    Examples
    --------
    >>> import numpy as np
    >>> features = np.random.default_rng(0).normal(size=(8, 4, 5))
    >>> round(layer_cka(features, 3 * features), 6)
    1.0
    """
    if len(left) < _MIN_EXAMPLES:
        return math.nan
    return linear_cka(left.reshape(len(left), -1), right.reshape(len(right), -1))


def _unbiased_hsic(k: np.ndarray, m: np.ndarray) -> float:
    """Return the unbiased HSIC of two Gram matrices ``(n, n)`` whose diagonals are zero."""
    n = len(k)
    total = (k * m).sum() + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k.sum(0) @ m.sum(0))
    return float(total / (n * (n - 3)))


def _normalise_rows(rows: np.ndarray) -> np.ndarray:
    """Return rows less their means, of length 1; NaN for one that does not vary beyond rounding."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    rounding = 1e-12 * np.maximum(np.abs(rows).max(axis=1, keepdims=True, initial=0), 1)
    steady = np.abs(centred).max(axis=1, keepdims=True, initial=0) <= rounding
    return np.where(steady, np.nan, centred / np.linalg.norm(centred, axis=1, keepdims=True))


def _check_stack(pictures: np.ndarray) -> np.ndarray:
    """Return ``(n, c, h, w)`` float64."""
    array = np.asarray(pictures, np.float64)
    if array.ndim not in (3, 4) or 0 in array.shape:
        raise ValueError(f"A stack of pictures (n, h, w[, c]) is needed, not one of shape {array.shape}.")
    return array[:, None] if array.ndim == 3 else np.ascontiguousarray(np.moveaxis(array, -1, 1))
