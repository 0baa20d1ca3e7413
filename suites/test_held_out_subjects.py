"""Is the candidate right about pictures it never saw? Each subject, each class, all, then against the baseline."""


def test_subject_accuracy(subject, comparison, check):
    """Pictures of this subject are recognised well enough, and not worse than by the baseline."""
    check(*comparison.about(subject=subject))


def test_class_accuracy(class_name, comparison, check):
    """Pictures of this class are recognised well enough, and not worse than by the baseline."""
    check(*comparison.about(class_name=class_name))


def test_group_accuracy(comparison, check):
    """Held-out pictures as a whole are recognised well enough, and the candidate uses every class."""
    check(comparison.find("group_accuracy"), comparison.find("answers"))


def test_change_from_the_baseline(comparison, check):
    """On the same pictures, the candidate is not worse than the baseline."""
    check(comparison.find("accuracy_change"), comparison.find("kappa"))
