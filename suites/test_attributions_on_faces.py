"""Does the candidate look at the face, and not at the wall behind it? One test for each method, then for each pose."""


def test_method_passes_its_checks(method, comparison, check):
    """Its maps depend on the weights, and flipping the pixels it ranks first hurts more than flipping random ones."""
    check(*comparison.about_method(method))


def test_attributions_on_faces(group, comparison, check):
    """The relevance lies inside the face: more than chance, more than an untrained network's, no less than before."""
    check(*comparison.about_group(group))
