"""Does the candidate decide by the same parts of the picture? Cells exchanged between pictures, and mosaics."""


def test_same_places(comparison, check):
    """Exchanging a part matters where it mattered before, and of two mixed pictures it sees the same one."""
    check(comparison.find("place_distance"), comparison.find("content_distance"))
