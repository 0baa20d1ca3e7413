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

__all__ = ["NONE", "PRESETS", "WORDS", "Interface", "Preprocessing", "parse_preprocessing", "write_preprocessing"]
