"""Does the candidate look at the face, and not at the wall behind it? One test for each pose."""


def test_attributions_on_faces(group, comparison, check):
    """The relevance lies inside the face, more than chance and more than an untrained network puts there."""
    check(*comparison.about_group(group))
