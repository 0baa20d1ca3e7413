"""Did the candidate learn the same features as the baseline? One test for each layer of the baseline."""


def test_same_features(layer, comparison, check):
    """What makes the baseline's units happy makes the candidate's happy too."""
    check(*comparison.about(layer=layer))
