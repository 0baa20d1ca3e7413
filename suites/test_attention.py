"""Does the candidate look at the region that holds the evidence? One test for each method, then for each group."""


def test_method_passes_its_checks(method, comparison, check):
    """Its maps depend on the weights, and flipping the pixels it ranks first hurts more than flipping random ones."""
    check(*comparison.about(method=method))


def test_attention(group, comparison, check):
    """The relevance lies in the region: more than chance, more than an untrained network's, no less than before."""
    check(*comparison.about(group=group))
