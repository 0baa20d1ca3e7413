"""Whether an attribution says what the network does: arrays and a predictor in, numbers out.

``predict(pictures)`` takes as many pictures as were given, the i-th a variant of the i-th,
``(n, h, w, c)``, and returns the score of each one's explained class, ``(n,)``;
``explain(pictures)`` returns their maps. Every measure gives one number per picture. Empty (all
zero) maps and constant predictions, of which nothing can be said, give NaN, so that whoever
averages must count them. Where pixels are changed, all channels of a pixel change together. Noise
is keyed by the seed and the sample, never by the batch.
"""

from __future__ import annotations

from modelcheck.metrics.faithfulness.checks import FaithfulnessError
from modelcheck.metrics.faithfulness.flipping import (
    FlippingCurve,
    aopc,
    deletion,
    insertion,
    pixel_flipping,
    selectivity,
)
from modelcheck.metrics.faithfulness.maps import completeness_error, complexity, map_similarity, sparseness
from modelcheck.metrics.faithfulness.perturbation import continuity, infidelity, max_sensitivity, mu_fidelity

__all__ = [
    "FaithfulnessError",
    "FlippingCurve",
    "aopc",
    "completeness_error",
    "complexity",
    "continuity",
    "deletion",
    "infidelity",
    "insertion",
    "map_similarity",
    "max_sensitivity",
    "mu_fidelity",
    "pixel_flipping",
    "selectivity",
    "sparseness",
]
