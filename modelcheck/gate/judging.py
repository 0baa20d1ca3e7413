"""What a full run of the gate judges, judged without pytest. Nothing here imports TensorFlow."""

from __future__ import annotations

import math

from modelcheck.comparison import AnyComparison
from modelcheck.gate.plan import Plan
from modelcheck.judgement.criteria import criterion_for
from modelcheck.judgement.findings import Finding, judge
from modelcheck.judgement.measured import Measured

__all__ = ["judge_all"]


def judge_all(plan: Plan, comparison: AnyComparison) -> list[Finding]:
    """Return a finding for every pair of a criterion and a thing that a full run has to judge, before waivers.

    Parameters
    ----------
    plan : Plan
        What has to be judged.
    comparison : AnyComparison
        What was measured; a value that it does not have is unmeasured.
    """
    found = []
    for metric, about in sorted(plan.pairs):
        limit = criterion_for(plan.criteria, metric, about)
        if limit is not None:
            missing = Measured(metric=metric, about=about, value=math.nan)
            found.append(judge(comparison.measures.get((metric, about), missing), limit))
    return found
