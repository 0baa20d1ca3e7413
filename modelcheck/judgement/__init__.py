"""What is asked of a number, what it answered, and who answers for what is red."""

from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import Finding, Verdict, judge
from modelcheck.judgement.measured import Measured

__all__ = ["Criterion", "Finding", "Measured", "Verdict", "judge"]
