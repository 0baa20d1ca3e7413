"""What is said of a file that ships: what runs it, in what numbers, what pictures make of it, what is released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelcheck.comparison import KERAS
from modelcheck.judgement.document import BlackBoxReason, InputUseReason, TimingsRow, VerdictDocument
from modelcheck.report.words import MINUS, NOTHING, clean, count, format_bytes, group_digits, head

__all__ = [
    "count_unasked",
    "describe_black_box",
    "describe_input_use",
    "describe_record",
    "describe_release",
    "describe_shipped",
    "format_decibels",
    "is_shipped",
    "list_facts",
    "name_file",
    "say_break",
    "summarise_shipped",
    "time_fact",
]

_RUNTIMES = {"litert": "LiteRT", "onnx": "ONNX Runtime"}
_FORMATS = {KERAS: "Keras", "litert": "LiteRT", "onnx": "ONNX"}
_FILES = {"litert": "a LiteRT file", "onnx": "an ONNX file"}
_WORDED = ("runtime", "precision", "saturation", "input_use", "fallback", "unreadable")
_REACHED = 0.25  # from which share of its range on an input was calibrated on pictures of another one


def describe_record(network: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network's row of a verdict document, what is particular to files that ship in words."""
    told = dict(describe_shipped(network))
    return {key: value for key, value in network.items() if key not in _WORDED} | told


def is_shipped(network: Mapping[str, Any] | None) -> bool:
    """Say whether a network is a file that ships, from which nothing can be rendered."""
    return _runtime(network) != KERAS


def name_file(runtime: str) -> str:
    """Return what a file that ships is, within a sentence; ``a file that ships`` for a runtime of another day.

    Examples
    --------
    >>> name_file("onnx")
    'an ONNX file'
    """
    return _FILES.get(runtime, "a file that ships")


def format_decibels(value: float) -> str:
    """Return a signal to noise, ``45 dB``."""
    return f"{value:.0f} dB".replace("-0 ", "0 ").replace("-", MINUS)


def describe_shipped(network: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return what is to be known of a file that ships, each fact with its name; nothing of a Keras network.

    Parameters
    ----------
    network : mapping or None
        See `modelcheck.judgement.document.NetworkRow`.

    Examples
    --------
    >>> describe_shipped({"runtime": "litert", "precision": "int8"})
    [('runs on', 'LiteRT'), ('precision', 'int8')]
    """
    if network is None or not is_shipped(network):
        return []
    saturation, use = float(network.get("saturation") or 0.0), network.get("input_use")
    ends = f"scores of {_say_percent(saturation)} of the pictures lie at the end of what its outputs can say"
    told = [
        ("runs on", clean(_RUNTIMES.get(_runtime(network), _runtime(network)))),
        ("precision", clean(network.get("precision") or "")),
        ("input", _describe_input(use) if use else ""),
        ("answers", ends if saturation > 0 else ""),
        ("kernels", clean(network.get("fallback") or "")),
        ("layers", clean(network.get("unreadable") or "")),
    ]
    return [(name, words) for name, words in told if words]


def _describe_input(use: Mapping[str, Any]) -> str:
    """Return what an input of whole numbers holds, and what the pictures use of it; they may reach far beyond."""
    stored = count(use["levels"], "stored value")
    holds = f"holds {use['low']:.4g} to {use['high']:.4g}".replace("-", MINUS)
    if use["clipped"] > 0:
        cut = f"{_say_percent(use['clipped'])} of the pictures' values lie beyond and are cut"
        return f"{holds}; {cut} ({stored} used)"
    return f"{holds}, pictures use {_say_percent(use['reached'])} of it ({stored})"


def summarise_shipped(candidate: Mapping[str, Any] | None, source: Mapping[str, Any] | None) -> str:
    """Return format, numbers and size of a file that ships in one line; empty for a Keras network.

    Examples
    --------
    >>> summarise_shipped({"runtime": "litert", "precision": "int8", "bytes": 70128}, {"bytes": 283171})
    'LiteRT, int8, 70 kB of the 283 kB of its source'
    """
    if candidate is None or not is_shipped(candidate):
        return ""
    own, whole = candidate.get("bytes"), (source or {}).get("bytes")
    size = format_bytes(int(own)) if own else ""
    if own and whole:
        size += f" of the {format_bytes(int(whole))} of its source"
    parts = (_name_format(candidate), clean(candidate.get("precision") or "", longest=60), size)
    return ", ".join(part for part in parts if part)


def list_facts(candidate: Mapping[str, Any], source: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what is known of a file and of its source, side by side: ``name``, ``source`` and ``file``."""
    sides = {"source": _list_facts(source), "file": _list_facts(candidate)}
    return [
        {"name": name, **{side: facts[name] or NOTHING for side, facts in sides.items()}}
        for name in sides["source"]
        if any(facts[name] for facts in sides.values())
    ]


def time_fact(seconds: TimingsRow | None) -> list[dict[str, str]]:
    """Return how long each answers one picture, as a row of `list_facts`; none where nothing was timed.

    Parameters
    ----------
    seconds : TimingsRow or None
        Of the ``candidate`` and its ``source``, as a verdict's volatile part has them.
    """
    if not seconds:
        return []
    sides = {"source": seconds["source"], "file": seconds["candidate"]}
    words = {side: NOTHING if value is None else f"{1000 * value:.2g} ms" for side, value in sides.items()}
    return [{"name": "One picture", **words}]


def _list_facts(network: Mapping[str, Any]) -> dict[str, str]:
    size, parameters = network.get("bytes"), network.get("parameters")
    return {
        "File": clean(network.get("file") or ""),
        "Format": _name_format(network),
        "Precision": clean(network.get("precision") or ""),
        "Size": format_bytes(int(size)) if size else "",
        "Parameters": group_digits(int(parameters)) if parameters else "",
    }


def describe_input_use(reason: InputUseReason) -> str:
    """Return that a file's input was calibrated on other pictures than those it is given, and what to do."""
    holds = f"from {reason['low']:.4g} to {reason['high']:.4g}".replace("-", MINUS)
    cure = "Convert it again with representative pictures that are prepared as the network takes them."
    if reason["reached"] < _REACHED:
        return (
            f"The file's input holds values {holds}, and the pictures use {reason['reached']:.1%} of that, "
            f"{count(reason['levels'], 'stored value')}: it was calibrated on pictures of another range, or takes "
            f"others than it is given. {cure}"
        ).replace("%", " %")
    return (
        f"The file's input holds values {holds}, and {_say_percent(reason['clipped'])} of the pictures' values lie "
        f"beyond and are cut: it was calibrated on other pictures. {cure}"
    )


def say_break(layer: str, snr: float, *, changed: int, pictures: int) -> str:
    """Return where a conversion breaks first, how many answers that changed, and what to do.

    Examples
    --------
    >>> say_break("dense1", 8.1, changed=0, pictures=224).split(". ")[0]
    "The conversion breaks first at 'dense1', which keeps 8 dB of signal to noise of its source (no answer changed)"
    """
    answers = f"{changed} of {pictures} answers changed" if changed else "no answer changed"
    return (
        f"The conversion breaks first at {clean(layer, longest=80)!r}, which keeps {format_decibels(snr)} of signal to "
        f"noise of its source ({answers}). Look at how that layer was quantised, clipped or left out, and convert the "
        "source again."
    )


def describe_black_box(reason: BlackBoxReason) -> str:
    """Return what a file that ships cannot be asked, as sentences: how many criteria, which, and why."""
    named, many = [head(metric) for metric in reason["metrics"]], len(reason["metrics"])
    more = "" if reason["source"] else " With --source PARENT.keras, the network that it was converted from, more is."
    return (
        f"{many} {'criterion is' if many == 1 else 'criteria are'} not asked: {_join(named)}. The candidate is "
        f"{name_file(reason['runtime'])}, which answers pictures and from which nothing can be rendered.{more}"
    )


def count_unasked(document: VerdictDocument) -> str:
    """Return how many criteria a file that ships cannot be asked, as the end of a sentence; empty for none."""
    for reason in document["reasons"]:
        if reason["kind"] == "black_box":
            many = len(reason["metrics"])
            return f"; {many} {'criterion' if many == 1 else 'criteria'} not asked of {name_file(reason['runtime'])}"
    return ""


def describe_release(document: VerdictDocument) -> str:
    """Return what a pass of a file that ships is good for, where nothing can be approved; empty for any other run."""
    candidate, baseline = document["candidate"], document["baseline"]
    whole = document["verdict"] == "pass" and document["scope"] == "full" and document["enforced"]
    if candidate is None or not whole or not is_shipped(candidate):
        return ""
    stays = clean(baseline["name"], longest=60) if baseline else "it"
    return (
        f"Release {clean(candidate['file'], longest=120)}. The baseline stays {stays}: a baseline is rendered, which "
        "takes a Keras network."
    )


def _name_format(network: Mapping[str, Any]) -> str:
    return clean(_FORMATS.get(_runtime(network), _runtime(network)), longest=40)


def _runtime(network: Mapping[str, Any] | None) -> str:
    return str((network or {}).get("runtime") or KERAS)


def _say_percent(share: float) -> str:
    """Return a share in per cent that is never rounded to none or to all."""
    if 0 < share < 0.01:
        return "under 1 %"
    return "over 99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"


def _join(words: Sequence[str]) -> str:
    """Return words as they stand in a sentence, ``a, b and c``."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
