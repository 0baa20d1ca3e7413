"""What the rows of a table tell of a network that only answers them: exchanges, effects, profiles, shuffles.

Everything is asked through one function from encoded rows to answers, whatever answers.
"""

from modelcheck.answers.tables.asking import Ask, ask_with, make_asker
from modelcheck.answers.tables.choosing import choose_donors, choose_rows
from modelcheck.answers.tables.effects import measure_effects
from modelcheck.answers.tables.exchanges import exchange_columns
from modelcheck.answers.tables.measuring import describe_rows, measure_answers, read_decision
from modelcheck.answers.tables.profiles import Profiles, find_profiles
from modelcheck.answers.tables.shuffles import shuffle_columns

__all__ = [
    "Ask",
    "Profiles",
    "ask_with",
    "choose_donors",
    "choose_rows",
    "describe_rows",
    "exchange_columns",
    "find_profiles",
    "make_asker",
    "measure_answers",
    "measure_effects",
    "read_decision",
    "shuffle_columns",
]
