"""What answers pictures: one file for each foreign runtime, and the one interface that all have."""

from modelcheck.runtimes.classifier import Classifier, NetworkError
from modelcheck.runtimes.heads import Head, read_outputs
from modelcheck.runtimes.readout import Readout, as_class_scores, read_arrays

__all__ = ["Classifier", "Head", "NetworkError", "Readout", "as_class_scores", "read_arrays", "read_outputs"]
