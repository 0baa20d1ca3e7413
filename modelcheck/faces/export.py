"""Convert a network of the worked example to the file that ships to phones: LiteRT, by TensorFlow's own converter."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from modelcheck.faces.silence import silence
from modelcheck.panel import Panel
from modelcheck.support.files import MAX_NETWORK_BYTES, read_file
from modelcheck.support.folders import PathKind, kind_of, place

__all__ = [
    "MARK",
    "Difference",
    "Precision",
    "answer",
    "check_target",
    "choose_pictures",
    "convert",
    "export",
    "write",
]

Precision = Literal["float32", "float16", "dynamic", "int8"]

MARK = b"TFL3"
"""What bytes 4 to 8 of a LiteRT file are, by the schema's ``file_identifier``."""

_MOST_PICTURES = 100  # that int8 is calibrated on
_RANGE = (0.0, 1.0)  # what the worked example's networks take


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How far a converted network's answers are from those of its source.

    Parameters
    ----------
    pictures : int
        How many both were asked.
    largest : float
        The largest difference of one output on one picture.
    changed : int
        Pictures whose first class is another one.
    of_what : str
        "a probability" where the source's outputs are at least 0 and sum to 1, else "an output".
    """

    pictures: int
    largest: float
    changed: int
    of_what: str


def convert(model: Any, *, to: Precision, pictures: np.ndarray | None = None) -> bytes:
    """Return a network as the bytes of a LiteRT file that needs built-in operators only.

    Parameters
    ----------
    model : keras.Model
        With one input and one output.
    to : {'float32', 'float16', 'dynamic', 'int8'}
        Weights and arithmetic as they are; weights of 16 bits; weights of 8 bits; or weights,
        activations, input (``uint8``) and output (``uint8``) of 8 bits.
    pictures : np.ndarray, optional
        ``(n, h, w, c)`` floats as the network takes them, on which int8 is calibrated: the range of
        every activation is what they reach. The other precisions take none.

    Raises
    ------
    ValueError
        When int8 is asked for without pictures, or the converter refuses the network.
    """
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if to != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if to == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if to == "int8":
        if pictures is None or not len(pictures):
            raise ValueError("int8 is calibrated on pictures, and there are none. Give some of the panel.")
        # One at a time: the converter keeps what a batch reaches, whatever its size.
        converter.representative_dataset = lambda: ([row[None].astype(np.float32)] for row in pictures)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    with silence():
        try:
            return bytes(converter.convert())
        except Exception as error:  # the converter raises many types, all meaning that there is no file
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ValueError(f"TensorFlow's converter refused the network: {reason}") from error


def choose_pictures(panel: Panel, *, most: int = _MOST_PICTURES, seed: int = 0) -> np.ndarray:
    """Return the rows of pictures to calibrate on: as many of each class and subject as there is room for.

    Parameters
    ----------
    panel : Panel
        The pictures.
    most : int
        How many at most.
    seed : int
        Keys the choice.

    Returns
    -------
    np.ndarray
        ``(k,)`` distinct rows in ascending order, ``k = min(most, len(panel))``.

    Examples
    --------
    >>> panel = Panel.load("baselines/drawn-faces/panel.npz")
    >>> rows = choose_pictures(panel, most=28)
    >>> len(rows), np.bincount(panel.labels[rows]).tolist(), len(set(panel.subjects[rows].tolist()))
    (28, [14, 14], 7)
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, 0]))
    of_whom = panel.shared_subjects
    kinds = list(zip(panel.labels.tolist(), [""] * len(panel) if of_whom is None else of_whom.tolist(), strict=True))
    order = generator.permutation(len(panel))
    met: dict[tuple[int, str], int] = {}
    turns = np.zeros(len(panel), np.int64)
    for row in order.tolist():  # the first of every kind, then the second of every kind
        turns[row] = met[kinds[row]] = met.get(kinds[row], -1) + 1
    return np.sort(order[np.argsort(turns[order], kind="stable")][:most])


def answer(data: bytes, pictures: np.ndarray) -> np.ndarray:
    """Return what a LiteRT file answers, picture by picture, on the built-in kernels of ``ai-edge-litert``.

    Parameters
    ----------
    data : bytes
        A file with one input and one output.
    pictures : np.ndarray
        ``(n, h, w, c)`` floats as the source network takes them.

    Returns
    -------
    np.ndarray
        ``(n, classes)`` float64; integers are taken for ``(q - zero_point) * scale``.

    Raises
    ------
    ModuleNotFoundError
        When ``ai-edge-litert`` is not installed.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # Without the delegate that is taken by default: it cannot prepare every graph.
    kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with silence():
        interpreter = Interpreter(model_content=data, num_threads=1, experimental_op_resolver_type=kernels)
        interpreter.allocate_tensors()
        (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
        answers = []
        for picture in pictures:
            interpreter.set_tensor(taken["index"], _quantise(picture[None], taken))
            interpreter.invoke()
            answers.append(interpreter.get_tensor(given["index"])[0].astype(np.float64))
    scale, zero = given["quantization"]
    return (np.array(answers) - zero) * scale if np.issubdtype(given["dtype"], np.integer) else np.array(answers)


def export(model: Any, panel: Panel, *, to: Precision) -> tuple[bytes, Difference | None]:
    """Convert a network of the worked example, and measure what that changed.

    Parameters
    ----------
    model : keras.Model
        From ``(n, h, w, c)`` floats in [0, 1] to ``(n, classes)``.
    panel : Panel
        The pictures to calibrate int8 on, and to ask both files.
    to : {'float32', 'float16', 'dynamic', 'int8'}
        As of `convert`.

    Returns
    -------
    data : bytes
        The LiteRT file.
    difference : Difference or None
        On all pictures of the panel; None where ``ai-edge-litert`` is not installed.

    Raises
    ------
    ValueError
        When the panel is not for this network, the converter refuses it, or one of the two answers
        what is not finite.
    """
    shapes = tuple(model.input_shape[1:]), (*panel.images.shape[1:],)
    if shapes[0] != shapes[1] or model.output_shape[1:] != (len(panel.class_names),):
        words = ["x".join(map(str, shape)) for shape in shapes]
        raise ValueError(
            f"The network takes pictures of {words[0]} and gives {model.output_shape[-1]} outputs; the panel has "
            f"pictures of {words[1]} and {len(panel.class_names)} classes. Give the panel that the network is for: "
            "--panel heldout.npz"
        )
    pictures = panel.inputs(_RANGE)
    data = convert(model, to=to, pictures=pictures[choose_pictures(panel)] if to == "int8" else None)
    try:
        converted = answer(data, pictures)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("ai_edge_litert"):
            raise
        return data, None
    source = np.asarray(model.predict_on_batch(pictures), np.float64)
    for name, answers in (("network", source), ("converted network", converted)):
        wrong = int((~np.isfinite(answers)).any(axis=1).sum())
        if wrong:
            raise ValueError(
                f"The {name} answers NaN or infinity on {wrong} of {len(panel)} pictures, so nothing was written. "
                "Expected finite outputs: train it again, or choose another --to."
            )
    changed = int((source.argmax(axis=1) != converted.argmax(axis=1)).sum())
    probabilities = bool((source >= 0).all() and np.allclose(source.sum(axis=1), 1, atol=1e-3))
    return data, Difference(
        pictures=len(panel),
        largest=float(np.abs(source - converted).max()),
        changed=changed,
        of_what="a probability" if probabilities else "an output",
    )


def check_target(path: Path) -> None:
    """Refuse a place for a LiteRT file where something else lies: it would be gone.

    Raises
    ------
    ValueError
        When the path does not end in ``.tflite``, or something else is there.

    Examples
    --------
    >>> check_target(Path("phone.tflite"))
    >>> check_target(Path("phone.onnx"))
    Traceback (most recent call last):
    ValueError: A converted network is saved as .tflite, not 'phone.onnx'. Name it phone.tflite.
    """
    if path.suffix != ".tflite":
        raise ValueError(f"A converted network is saved as .tflite, not {path.name!r}. Name it {path.stem}.tflite.")
    kind = kind_of(path)
    if kind in (PathKind.FOLDER, PathKind.SPECIAL_FILE):
        raise ValueError(f"A network cannot be written to {str(path)!r}: that is a {kind}. Name a file.")
    if kind in (PathKind.FILE, PathKind.SHARED_FILE):
        old = read_file(path, max_bytes=MAX_NETWORK_BYTES)
        if old and old[4:8] != MARK:
            raise ValueError(
                f"{str(path)!r} is a file, and no converted network: it is not written over. Name another, or remove "
                "it first."
            )
    above = next(part for part in path.absolute().parents if os.path.lexists(part))
    if not above.is_dir():
        raise ValueError(f"A network cannot be written to {str(path)!r}: {str(above)!r} is no folder.")


def write(path: Path, data: bytes) -> None:
    """Write a LiteRT file, with the folders that it needs: whole, or not at all.

    Raises
    ------
    ValueError
        As `check_target` does.
    """
    check_target(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    place(path, data)


def _quantise(pictures: np.ndarray, taken: dict[str, Any]) -> np.ndarray:
    if not np.issubdtype(taken["dtype"], np.integer):
        return pictures.astype(taken["dtype"])
    (scale, zero), limits = taken["quantization"], np.iinfo(taken["dtype"])
    return np.clip(np.rint(pictures / scale) + zero, limits.min, limits.max).astype(taken["dtype"])
