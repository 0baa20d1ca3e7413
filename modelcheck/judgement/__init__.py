"""What is asked of a number, what it answered, and who answers for what is red."""

from modelcheck.judgement.criteria import Criterion, Finding, Measured, Verdict, judge

__all__ = ["Criterion", "Finding", "Measured", "Verdict", "judge"]
