"""Size and seconds per picture of one network as Keras, LiteRT and ONNX files, side by side on one thread.

Run ``python benchmarks/shipped_files.py networks/half_filters.keras``. Each file answers one picture
at a time, after a warm-up; the files take turns, and the median of the rounds counts. Seconds are of
the processor, so that a busy machine changes them little. Beside them stands how far the answers on
the panel are from those of Keras. It takes the test extra: ``pip install -e ".[test]"``.
"""

from __future__ import annotations

import os

# Before TensorFlow is imported, which counts its threads then.
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import onnxruntime
from ai_edge_litert.interpreter import Interpreter

import exported_onnx
from modelcheck.faces.export import choose_pictures, convert
from modelcheck.faces.silence import silence
from modelcheck.network.loading import load_network
from modelcheck.panel import Panel

Answers = Callable[[np.ndarray], np.ndarray]


def with_litert(data: bytes) -> Answers:
    """Return what answers one picture, bytes in and out as the file has them, scaled as it says."""
    with silence():
        interpreter = Interpreter(model_content=data, num_threads=1)
        interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    (scale, zero), (step, nought) = taken["quantization"], given["quantization"]

    def answer(picture: np.ndarray) -> np.ndarray:
        if scale:
            picture = np.clip(np.rint(picture / scale) + zero, 0, 255).astype(np.uint8)
        interpreter.set_tensor(taken["index"], picture)
        interpreter.invoke()
        out = interpreter.get_tensor(given["index"])
        return (out.astype(np.float32) - nought) * step if step else out

    return answer


def with_onnx(data: bytes) -> Answers:
    """Return what answers one picture."""
    session = onnxruntime.InferenceSession(data, exported_onnx.single_thread(), providers=["CPUExecutionProvider"])
    return lambda picture: session.run(None, {"input": exported_onnx.channels_first(picture)})[0]


def make_files(model: Any, panel: Panel, path: Path) -> dict[str, tuple[int, Answers]]:
    """Return of each file its bytes, and what answers for it."""
    pictures = panel.inputs((0.0, 1.0))
    chosen = pictures[choose_pictures(panel)]
    files: dict[str, tuple[int, Answers]] = {"Keras": (path.stat().st_size, model.predict_on_batch)}
    for to in ("float32", "float16", "dynamic", "int8"):
        data = convert(model, to=to, pictures=chosen)
        files[f"LiteRT {to}"] = len(data), with_litert(data)
    whole = exported_onnx.to_onnx(model)
    for name, data in (("float32", whole), ("int8 (QDQ)", exported_onnx.quantised(whole, chosen))):
        files[f"ONNX {name}"] = len(data), with_onnx(data)
    return files


def main() -> None:
    """Print a row for each file."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("network", type=Path)
    options.add_argument("--panel", type=Path, default=Path("baselines/drawn-faces/panel.npz"))
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--calls", type=int, default=50, help="pictures of a round")
    given = options.parse_args()
    panel = Panel.load(given.panel)
    pictures = panel.inputs((0.0, 1.0))
    model, _ = load_network(given.network)
    files = make_files(model, panel, given.network)
    took: dict[str, list[float]] = {name: [] for name in files}
    for each in range(given.rounds + 1):
        for name, (_, answer) in files.items():
            start = time.process_time()
            for row in range(given.calls):
                answer(pictures[[row % len(pictures)]])
            if each:  # the first round warms up
                took[name].append((time.process_time() - start) / given.calls)
    source = np.concatenate([files["Keras"][1](picture[None]) for picture in pictures])
    print("| file | bytes | milliseconds a picture | slowest round | largest difference | answers changed |")
    print("|---|---|---|---|---|---|")
    for name, (size, answer) in files.items():
        answers = np.concatenate([answer(picture[None]) for picture in pictures])
        middle, slowest = 1000 * statistics.median(took[name]), 1000 * max(took[name])
        changed = int((answers.argmax(axis=1) != source.argmax(axis=1)).sum())
        print(f"| {name} | {size} | {middle:.3f} | {slowest:.3f} | {np.abs(answers - source).max():.1g} | {changed} |")


if __name__ == "__main__":
    main()
