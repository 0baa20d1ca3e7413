"""A number that was measured, before anything is asked of it."""

from __future__ import annotations

from dataclasses import dataclass

from modelcheck.support.escaping import one_line_repr

__all__ = ["Measured"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Measured:
    """A metric's value for one thing, with what is needed to judge and to explain it.

    Parameters
    ----------
    metric : str
        The metric's name, for example ``subject_accuracy``.
    about : str
        What was measured: a layer, a subject, a group; empty for the network as a whole.
    value : float
        The candidate's value; NaN means that it could not be measured.
    interval : tuple of float, optional
        Its confidence interval, or the spread that retraining alone brings.
    baseline : float, optional
        The baseline's value of the same metric.
    n : int, optional
        The number of observations behind it: pictures, units or subjects.
    evidence : str
        One plain sentence.
    floor, ceiling : tuple of float
        The same metric of the candidate's untrained twins and of the baseline's retrained ones,
        where there are any.
    silent : bool
        Whether nothing could be measured for a reason that is no fault, as where the candidate has
        no such layer. It is unmeasured then, and has a say only under a criterion that names what
        it is about.
    off_scale : str
        The candidate's kind of layers, where no network of the scale that it is measured on has it:
        the value is then inconclusive, whatever it is.
    asked : bool
        Whether the candidate can be asked for it at all. A file that ships cannot be asked for
        everything; what it is not asked for is not judged, and the verdict names it.

    Examples
    --------
    >>> Measured(metric="map_ssim", about="conv1", value=0.81, interval=(0.7, 0.9), n=16)
    Measured(map_ssim[conv1] = 0.81 [0.7, 0.9], n = 16)
    >>> Measured(metric="kappa", value=0.9).key
    'kappa'
    """

    metric: str
    value: float
    about: str = ""
    interval: tuple[float, float] | None = None
    baseline: float | None = None
    n: int | None = None
    evidence: str = ""
    floor: tuple[float, ...] = ()
    ceiling: tuple[float, ...] = ()
    silent: bool = False
    off_scale: str = ""
    asked: bool = True

    def __repr__(self) -> str:
        ends = "" if self.interval is None else f" [{self.interval[0]:.3g}, {self.interval[1]:.3g}]"
        return one_line_repr("Measured", f"{self.key} = {self.value:.3g}{ends}", f"n = {self.n}")

    @property
    def key(self) -> str:
        """The flat name, ``metric[about]``."""
        return f"{self.metric}[{self.about}]" if self.about else self.metric
