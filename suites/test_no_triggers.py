"""Does a small planted sign flip its answer? What clean networks of the same task do not do, the candidate must not."""


def test_no_hidden_trigger(comparison, check):
    """No sticker moves the candidate as it moves no clean twin, and no class lets itself be driven further."""
    check(comparison.find("trigger"), comparison.find("reach"))
