"""A file that ships is opened and fitted to a panel: which runtime, which input and output, what its answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from modelcheck.interface import Interface
from modelcheck.modelfile.graph import Graph
from modelcheck.runtimes.classifier import NetworkError
from modelcheck.runtimes.ends import End, choose_end, choose_picture, match_values
from modelcheck.runtimes.engine import Engine, Feed, Loader
from modelcheck.runtimes.heads import LINKS, Head, read_outputs
from modelcheck.runtimes.litert import LiteRTLoader
from modelcheck.runtimes.onnx import OnnxLoader
from modelcheck.runtimes.pictures import find_entry, prepare_pictures
from modelcheck.runtimes.shipped import ShippedClassifier
from modelcheck.runtimes.storing import restore, store
from modelcheck.runtimes.wiring import Scores, Wiring, find_scores

__all__ = ["open_classifier"]

_GLANCED = 8  # pictures that show what an output is
_SUM = 1e-3  # by how much probabilities may miss a sum of 1, beside rounding
_ANSWER = 1e-4  # by how much a softmax of the scores may miss the file's own answer, beside rounding


def open_classifier(
    data: bytes,
    graph: Graph,
    *,
    name: str,
    class_names: Sequence[str],
    interface: Interface,
    input_range: tuple[float, float],
    images: np.ndarray,
) -> ShippedClassifier:
    """Open a file that ships and fit it to a panel.

    Parameters
    ----------
    data : bytes
        The whole file.
    graph : Graph
        What it holds, as `modelcheck.modelfile` read it.
    name : str
        What it is called in messages.
    class_names : sequence of str
        The panel's classes.
    interface : Interface
        How its inputs and outputs are to be understood.
    input_range : tuple of float
        The values of black and white in the pictures.
    images : np.ndarray
        ``(n, h, w, c)`` the panel's pictures, or some, in that range.

    Raises
    ------
    NetworkError
        When the runtime is missing or does not run the file, it takes other pictures, or the
        interface does not fit it.
    """
    wiring, glance = Wiring(graph), np.asarray(images[:_GLANCED], np.float32)
    height, width, channels = images.shape[1:]
    inputs = [_describe_end(graph, position) for position in graph.inputs]
    outputs = [_describe_end(graph, position) for position in graph.outputs]
    output = outputs.index(choose_end("output", interface.output, outputs, name))
    picture = choose_picture(interface.input, inputs, name)
    position = graph.inputs[inputs.index(picture)]
    own = graph.tensors[position]
    rounded = wiring.rounded(position) if own.dtype.startswith("float") else own
    entry = find_entry(picture, (height, width, channels), name=name, rounded=rounded)
    feed = Feed(
        picture=position,
        shape=entry.stored_shape,
        dtype=np.dtype(entry.tensor.dtype),
        batch=entry.tensor.shape[0],
        held=_hold(graph, inputs, picture, interface=interface, name=name),
    )
    loader: Loader = (
        LiteRTLoader(data, graph, feed, output=output, name=name)
        if graph.format == "litert"
        else OnnxLoader(data, graph, feed, name=name)
    )
    # One scale for all that is shown at once: a picture's answer would depend on its neighbours.
    together = all(operator.name != "DynamicQuantizeLinear" for operator in graph.operators)
    engine = Engine(loader, feed, name=name, together=together)
    prepare = partial(prepare_pictures, preprocessing=interface.front, input_range=input_range, name=name)
    stored = entry.store(prepare(glance))
    scores = find_scores(wiring, graph.outputs[output])
    answered = _read(wiring, engine, stored, scores.position, name=name)
    if scores.softening:
        softened = _read(wiring, engine, stored, graph.outputs[output], name=name)
        _check_scores(wiring, scores, answered, softened, output=graph.outputs[output], name=name)
    link = _find_link(wiring, scores, answered)
    gives = scores.softening or next((kind for kind, word in LINKS.items() if word == link), "")
    gives = {"log_softmax": "softmax", "": "linear"}.get(gives, gives)
    head = Head(name=name, n_outputs=answered.shape[1], gives=gives, link=link)
    return ShippedClassifier(
        name=name,
        wiring=wiring,
        engine=engine,
        entry=entry,
        scores=scores,
        n_outputs=head.n_outputs,
        readout=read_outputs(head, class_names, interface),
        prepare=prepare,
        glance=glance,
    )


def _describe_end(graph: Graph, position: int) -> End:
    """Return an input or output with its own name, and the name without what a converter puts around it."""
    tensor = graph.tensors[position]
    plain = tensor.name.removeprefix("serving_default_").removesuffix(":0")
    names = tuple(dict.fromkeys((plain, tensor.name)))
    return End(names, tuple(None if length < 0 else length for length in tensor.shape), tensor)


def _hold(
    graph: Graph, inputs: Sequence[End], picture: End, *, interface: Interface, name: str
) -> dict[int, np.ndarray]:
    """Return what each input beside the picture is given, as it is stored."""
    others = [end for end in inputs if end is not picture]
    values = match_values(interface.inputs, others, name)
    for end in others:
        if None in end.shape[1:]:
            raise NetworkError(f"The input {end} of {name!r} has no fixed size, so that it cannot be held.")
    return {
        position: store(end.tensor, np.asarray(values[end.names[0]]))
        for position, end in zip(graph.inputs, inputs, strict=True)
        if end is not picture
    }


def _read(wiring: Wiring, engine: Engine, stored: np.ndarray, position: int, *, name: str) -> np.ndarray:
    """Return ``(n, outputs)`` real numbers of a tensor, which has one row for each picture."""
    tensor, values = wiring.tensor(position), engine.run(stored, position)
    if values.dtype.kind != "f" and not tensor.scales:
        raise NetworkError(
            f"The network {name!r} answers with whole numbers that have no scale, as the number of a class is, and not "
            "with class scores. Name another output: output in [tool.modelcheck], or --output"
        )
    lengths = values.shape[1:]
    if len(values) != len(stored) or sum(length > 1 for length in lengths) > 1:
        raise NetworkError(
            f"The network {name!r} answers with arrays of shape {values.shape}, not with one row of class scores for "
            "each picture. Name another output: output in [tool.modelcheck], or --output"
        )
    return restore(tensor, values).reshape(len(stored), -1)


def _check_scores(
    wiring: Wiring, scores: Scores, answered: np.ndarray, own: np.ndarray, *, output: int, name: str
) -> None:
    """Refuse scores from which the file's own answer does not follow."""
    wanted = _soften(scores.softening, answered.astype(np.float64) * scores.factor)
    span, half = wiring.span(output), wiring.tensor(output).dtype in ("float16", "bfloat16")
    rounding = (0.0 if span is None else span.step) + (1e-2 if half else 0.0)
    with np.errstate(invalid="ignore"):
        near = np.abs(wanted - own) <= rounding + _ANSWER * np.maximum(np.abs(own), 1.0)
    if wanted.shape != own.shape or not (near | (np.isnan(wanted) & np.isnan(own))).all():
        raise NetworkError(
            f"The network {name!r} does not answer with the {scores.softening} of what stands before it in the file: "
            "its class scores are not known. Convert it again, without the last activation."
        )


def _soften(softening: str, scores: np.ndarray) -> np.ndarray:
    if softening == "sigmoid":
        return np.exp(-np.logaddexp(0.0, -scores))
    logarithms = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    return logarithms if softening == "log_softmax" else np.exp(logarithms)


def _find_link(wiring: Wiring, scores: Scores, answered: np.ndarray) -> str:
    """Return by what function scores follow from outputs that can be read as probabilities only."""
    if scores.softening or not ((answered >= -_SUM) & (answered <= 1 + _SUM)).all():
        return ""
    if scores.mixes:
        return LINKS[scores.mixes]
    span = wiring.span(scores.position)
    slack = _SUM + (0.0 if span is None else span.step * answered.shape[1])
    return "log" if answered.shape[1] > 1 and (np.abs(answered.sum(axis=1) - 1) <= slack).all() else ""
