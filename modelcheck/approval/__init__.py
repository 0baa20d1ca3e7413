"""The life of a baseline: the only writer of baselines, what an approval changes, its history and its leftovers."""

from modelcheck.approval.changes import changes, compare_if_possible
from modelcheck.approval.proposal import (
    Proposal,
    carry_out,
    check_doubts,
    plan_replacement,
    propose,
    propose_from_report,
)
from modelcheck.approval.sheet import SHEET, contact_sheet
from modelcheck.approval.swap import faults, find_unfinished, leftovers, put_in_place, settle
from modelcheck.approval.twins import TwinError, propose_twins
from modelcheck.signature.history import HISTORY, Entry, HistoryError, parse_history

__all__ = [
    "HISTORY",
    "SHEET",
    "Entry",
    "HistoryError",
    "Proposal",
    "TwinError",
    "carry_out",
    "changes",
    "check_doubts",
    "compare_if_possible",
    "contact_sheet",
    "faults",
    "find_unfinished",
    "leftovers",
    "parse_history",
    "plan_replacement",
    "propose",
    "propose_from_report",
    "propose_twins",
    "put_in_place",
    "settle",
]
