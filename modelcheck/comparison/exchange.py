"""Whether an exchange of maps was made with this baseline: checked once, before comparing."""

from __future__ import annotations

from dataclasses import replace

from modelcheck.signature import MapExchange, Signature

__all__ = ["NOT_SHOWN", "NO_WAY_BACK", "accept_exchange"]

NOT_SHOWN = "The candidate was not shown the baseline's maps: measure it again."
NO_WAY_BACK = "The baseline's network was not shown the candidate's maps: set baseline_model in [tool.modelcheck]."
_OTHER_MAPS = "The candidate was shown another network's maps: measure it again."
_OTHER_CLASSES = "The candidate's answers to the baseline's maps are not of these classes: measure it again."


def accept_exchange(baseline: Signature, candidate: Signature) -> tuple[Signature, Signature, str]:
    """Return two networks with those exchanges of maps alone that were made with this baseline.

    Parameters
    ----------
    baseline, candidate : Signature
        Two networks that were measured alike.

    Returns
    -------
    baseline : Signature
        Without the exchange of a retrained twin that was shown other maps.
    candidate : Signature
        Without its own exchange, and without a twin's, where that is not about the baseline's maps.
    refusal : str
        Why the candidate's own exchange was left out, one sentence; empty where it was accepted or
        there is none.
    """
    networks = (candidate, *candidate.twins, *baseline.retrained)
    if all(network.exchange is None for network in networks):
        return baseline, candidate, ""
    shown = baseline.stimuli_sha256()
    classes = len(baseline.class_names)
    refusals = [_refuse(network.exchange, shown=shown, classes=classes) for network in networks]
    own, *beside = (
        replace(network, exchange=None) if refusal else network
        for network, refusal in zip(networks, refusals, strict=True)
    )
    untrained, retrained = beside[: len(candidate.twins)], beside[len(candidate.twins) :]
    return replace(baseline, retrained=tuple(retrained)), replace(own, twins=tuple(untrained)), refusals[0]


def _refuse(exchange: MapExchange | None, *, shown: str, classes: int) -> str:
    """Return why an exchange is not about the maps that were shown, or nothing."""
    if exchange is None:
        return ""
    if exchange.stimuli_sha256 != shown:
        return _OTHER_MAPS
    scores = (*exchange.class_scores.values(), *exchange.class_scores_back.values())
    return "" if all(values.shape == (classes, classes) for values in scores) else _OTHER_CLASSES
