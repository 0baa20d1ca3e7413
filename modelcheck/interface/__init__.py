"""What a network's file does not say: what its outputs mean, and what is done to a picture before it sees it."""

from modelcheck.interface.interface import Interface
from modelcheck.interface.preprocessing import (
    NONE,
    PRESETS,
    WORDS,
    Preprocessing,
    parse_preprocessing,
    write_preprocessing,
)
from modelcheck.interface.sentences import describe_own_scaling, say_better_preprocessing

__all__ = [
    "NONE",
    "PRESETS",
    "WORDS",
    "Interface",
    "Preprocessing",
    "describe_own_scaling",
    "parse_preprocessing",
    "say_better_preprocessing",
    "write_preprocessing",
]
