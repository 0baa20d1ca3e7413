"""What a network's file does not say: what its outputs mean, and what is done to a picture before it sees it."""

from modelcheck.interface.interface import Interface
from modelcheck.interface.preprocessing import (
    NONE,
    PRESETS,
    REVERSED,
    WORDS,
    Preprocessing,
    list_alternatives,
    parse_preprocessing,
    reverse_channels,
    spell_preprocessing,
    write_preprocessing,
)
from modelcheck.interface.sentences import (
    describe_own_scaling,
    say_better_preprocessing,
    say_class_order,
    say_preprocessing_cure,
)

__all__ = [
    "NONE",
    "PRESETS",
    "REVERSED",
    "WORDS",
    "Interface",
    "Preprocessing",
    "describe_own_scaling",
    "list_alternatives",
    "parse_preprocessing",
    "reverse_channels",
    "say_better_preprocessing",
    "say_class_order",
    "say_preprocessing_cure",
    "spell_preprocessing",
    "write_preprocessing",
]
