"""What answers pictures: one file for each foreign runtime, and the one interface that all have."""

from modelcheck.runtimes.classifier import Classifier, NetworkError

__all__ = ["Classifier", "NetworkError"]
