"""The life of a baseline: the only writer of baselines, what an approval changes, its history and its leftovers."""

from modelcheck.approval.changes import changes, compared
from modelcheck.approval.history import HISTORY, Entry, HistoryError, parse_history
from modelcheck.approval.proposal import Proposal, carry_out, offered, propose, propose_from_report
from modelcheck.approval.sheet import SHEET, contact_sheet
from modelcheck.approval.swap import faults, leftovers, put_in_place, settle, unsettled
from modelcheck.approval.twins import TwinError, propose_twins

__all__ = [
    "HISTORY",
    "SHEET",
    "Entry",
    "HistoryError",
    "Proposal",
    "TwinError",
    "carry_out",
    "changes",
    "compared",
    "contact_sheet",
    "faults",
    "leftovers",
    "offered",
    "parse_history",
    "propose",
    "propose_from_report",
    "propose_twins",
    "put_in_place",
    "settle",
    "unsettled",
]
