"""The rows of the catalogue that are about tables alone: what drives a network, how, and for whom."""

from __future__ import annotations

from modelcheck.comparison.metric import CLASSES, NUMBERS, Metric

__all__ = ["TABLE_ROWS"]

_TABLE = (CLASSES, NUMBERS)
_ROWS, _SUBJECTS, _COLUMNS = ("row", "rows"), ("subject", "subjects"), ("variable", "variables")
_OUTPUTS, _GROUPS = ("output", "outputs"), ("sub-population", "sub-populations")

TABLE_ROWS = (
    Metric(
        name="profile_transfer",
        domain="decision",
        area="features",
        brief="how happy the baseline's profiles make it; 1 as its own do",
        of=_TABLE,
        explanation="How happy the baseline's profile of an output, the row that drives it highest, makes the "
        "candidate, where 0 is the typical row and 1 is the candidate's own profile; mean over the outputs.",
        unit=_OUTPUTS,
        spread=0.12,
        chance=0.0,
        shown={"column": 1, "headline": 1, "strip": 1, "twin": 1, "summary": 1},
    ),
    Metric(
        name="driver_distance",
        domain="network",
        area="drivers",
        of=_TABLE,
        explanation="How far the candidate's exchange map, which share of its evidence each variable holds, is from "
        "the mean of the baseline's and its retrained twins'; 1 is as far as those are from each other, by training "
        "again alone.",
        lowest=0.0,
        unit=_ROWS,
        span=(0.0, 3.0),
        shown={"headline": 1, "summary": 5},
    ),
    Metric(
        name="driver_rank_agreement",
        domain="network",
        area="drivers",
        of=_TABLE,
        explanation="Rank correlation of how strongly each variable drives the two networks; those that drive neither "
        "are left out.",
        lowest=-1.0,
        highest=1.0,
        unit=_COLUMNS,
        spread=0.12,
        shown={"headline": 2, "summary": 6, "decision": 3},
    ),
    Metric(
        name="driver_share",
        domain="column",
        area="drivers",
        brief="share of the evidence",
        of=_TABLE,
        explanation="Share of the candidate's evidence that is lost where this variable is exchanged for another "
        "row's; the shares of all variables add up to 1.",
        lowest=0.0,
        highest=1.0,
        unit=_ROWS,
        shown={"column": 1},
    ),
    Metric(
        name="driver_change",
        domain="column",
        area="drivers",
        brief="candidate minus baseline",
        of=_TABLE,
        explanation="Driver share, candidate minus baseline, on the same exchanged rows.",
        lowest=-1.0,
        highest=1.0,
        unit=_ROWS,
        span=(-0.5, 0.5),
        shown={"column": 2},
    ),
    Metric(
        name="effect_change",
        domain="column",
        area="effects",
        brief="how far its effect moved, in spreads of the answers",
        of=_TABLE,
        explanation="How far the two networks' effects of this variable are apart: root mean square distance between "
        "their curves, over the pooled standard deviation of their answers.",
        lowest=0.0,
        unit=_ROWS,
        shown={"column": 3, "headline": 1},
    ),
    Metric(
        name="effect_gap",
        domain="effect",
        area="effects",
        brief="how far apart the effect is between populations",
        of=_TABLE,
        explanation="How far the candidate's effect of a variable differs between sub-populations: root mean square "
        "distance of the two curves that differ most, on common support, over the pooled standard deviation of the "
        "answers, less what permuted groups give.",
        lowest=0.0,
        unit=_ROWS,
        room=0.1,
        shown={"column": 2, "headline": 2},
    ),
    Metric(
        name="error",
        domain="network",
        area="accuracy",
        of=(NUMBERS,),
        explanation="Root mean square error, in units of the target's standard deviation: 1 is as wrong as always "
        "answering the mean.",
        lowest=0.0,
        unit=_SUBJECTS,
        room=0.1,
        shown={"headline": 1, "summary": 2, "answered": 4},
    ),
    Metric(
        name="error_change",
        domain="network",
        area="accuracy",
        of=(NUMBERS,),
        explanation="Root mean square error in units of the target's standard deviation, candidate minus baseline, on "
        "the same rows.",
        unit=_SUBJECTS,
        span=(-0.5, 0.5),
        shown={"headline": 2, "summary": 3},
    ),
    Metric(
        name="subject_error",
        domain="subject",
        area="accuracy",
        beside="error",
        brief="in standard deviations of the target",
        of=(NUMBERS,),
        explanation="Root mean square error on the rows of one held-out subject, in units of the target's standard "
        "deviation over all rows.",
        lowest=0.0,
        unit=_ROWS,
        room=0.3,
        shown={"column": 1, "answered": 2},
    ),
    Metric(
        name="answer_correlation",
        domain="network",
        area="accuracy",
        of=(NUMBERS,),
        explanation="Correlation of the two networks' answers over the panel's rows.",
        lowest=-1.0,
        highest=1.0,
        unit=_ROWS,
    ),
    Metric(
        name="by_group_accuracy",
        domain="population",
        area="populations",
        beside="accuracy",
        brief="share answered right",
        of=(CLASSES,),
        explanation="Share of a sub-population's rows that are answered right.",
        lowest=0.0,
        highest=1.0,
        unit=_ROWS,
        room=0.15,
        shown={"column": 1},
    ),
    Metric(
        name="by_group_error",
        domain="population",
        area="populations",
        beside="error",
        brief="in standard deviations of the target",
        of=(NUMBERS,),
        explanation="Root mean square error on a sub-population's rows, in units of the target's standard deviation "
        "over all rows.",
        lowest=0.0,
        unit=_ROWS,
        room=0.2,
        shown={"column": 1},
    ),
    Metric(
        name="accuracy_difference",
        domain="division",
        area="populations",
        brief="best less worst population",
        of=(CLASSES,),
        explanation="Largest difference in accuracy between two sub-populations of a division.",
        lowest=0.0,
        highest=1.0,
        unit=_GROUPS,
        room=0.1,
        shown={"column": 2, "headline": 1},
    ),
    Metric(
        name="demographic_parity_difference",
        domain="division",
        area="populations",
        brief="of the shares that are answered yes",
        of=(CLASSES,),
        explanation="Largest difference between two sub-populations in the share of rows that are answered with the "
        "last class; asked where there are two classes.",
        lowest=0.0,
        highest=1.0,
        unit=_GROUPS,
        two_classes=True,
        shown={"column": 3},
    ),
    Metric(
        name="equalized_odds_difference",
        domain="division",
        area="populations",
        brief="of the shares answered right and wrong",
        of=(CLASSES,),
        explanation="Larger of the differences between two sub-populations in the true and in the false positive rate; "
        "the last of two classes is the positive one.",
        lowest=0.0,
        highest=1.0,
        unit=_GROUPS,
        two_classes=True,
        shown={"column": 4, "headline": 2},
    ),
    Metric(
        name="error_difference",
        domain="division",
        area="populations",
        brief="worst less best population",
        of=(NUMBERS,),
        explanation="Largest difference between two sub-populations in root mean square error, in units of the "
        "target's standard deviation.",
        lowest=0.0,
        unit=_GROUPS,
        room=0.1,
        shown={"column": 2, "headline": 1},
    ),
)
