r"""Time `ssim_matrix` against a loop over scikit-image, for every pair of two stacks.

Run ``python benchmarks/similarity.py``. Both take turns in one run, and the fastest of the repeats
counts. ``--clock processor`` counts processor seconds of all threads, which other programs on the
machine disturb less than the time on the wall.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from skimage.metrics import structural_similarity

from modelcheck.metrics.similarity import ssim_matrix


def looped(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return scikit-image's score of every pair."""
    axis = -1 if left.ndim == 4 else None

    def score(a: np.ndarray, b: np.ndarray) -> float:
        return structural_similarity(
            a, b, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=axis
        )

    return np.array([[score(a, b) for b in right] for a in left])


def main() -> None:
    """Print both times, their ratio, and by how much the scores differ at most."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--count", type=int, default=64, help="pictures in each stack")
    options.add_argument("--shape", type=int, nargs="+", default=(60, 64), help="height, width, and channels if any")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--clock", default="wall", choices=("wall", "processor"))
    given = options.parse_args()
    clock = time.process_time if given.clock == "processor" else time.perf_counter
    left, right = np.random.default_rng(0).random((2, given.count, *given.shape))
    ours, theirs = [], []
    for _ in range(given.repeats):
        for _ in range(3):  # ours is short: what else the machine does may fall into all of one call
            start = clock()
            found = ssim_matrix(left, right, data_range=1.0)
            ours.append(clock() - start)
        start = clock()
        expected = looped(left, right)
        theirs.append(clock() - start)
    print(f"ours {min(ours):.4f} s, scikit-image {min(theirs):.2f} s, ratio {min(theirs) / min(ours):.1f}")
    print(f"the median of ours {np.median(ours):.4f} s; largest difference {np.abs(found - expected).max():.1e}")


if __name__ == "__main__":
    main()
