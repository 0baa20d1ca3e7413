"""What libraries of others say of a network on a table: a second opinion on its drivers, effects and gaps.

None of it is judged by the gate, whose numbers are its own. It takes ``pip install
"modelcheck[tables]"``, loaded only where it is asked.
"""

from __future__ import annotations

from modelcheck.answers.cross_checks.curves import effector_curve
from modelcheck.answers.cross_checks.extras import MissingExtraError
from modelcheck.answers.cross_checks.interactions import InteractionTest, regress_interaction
from modelcheck.answers.cross_checks.shapley import ShapDrivers, shap_drivers

__all__ = [
    "InteractionTest",
    "MissingExtraError",
    "ShapDrivers",
    "effector_curve",
    "regress_interaction",
    "shap_drivers",
]
