r"""Time attributions against Xplique and tf-keras-vis: the same network, pictures and settings, in one process.

Run it in an environment that has the peers beside this package, installed without their pins::

    pip install --no-deps xplique==2.0.2 tf-keras-vis==0.8.7 deprecated einops
    opencv-python-headless \
        scikit-learn joblib threadpoolctl cloudpickle
    python benchmarks/attributions.py

A peer that cannot be imported is left out. Xplique imports TensorFlow Probability for a method that
is not timed here; where it is missing an empty module takes its place. Each call is timed alone
after one call to warm up, in turns, and the fastest counts: ours and theirs see the same machine.
Ratios are theirs to ours.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
import types
from collections.abc import Callable
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from modelcheck.attributions import attribute

SAMPLES, STEPS, MASKS, WINDOW, STRIDE = 50, 50, 500, 8, 4
Calls = dict[str, Callable[[], object]]


def network(side: int, classes: int) -> keras.Model:
    """Build a network of the size that faces need, with linear outputs so that nobody has to strip a softmax."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    stack = [keras.Input((side, side, 1))]
    for filters in (16, 32, 64):
        stack += [layers.Conv2D(filters, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)]
    return keras.Sequential([*stack, layers.Flatten(), layers.Dense(32, activation="relu"), layers.Dense(classes)])


def ours(model: keras.Model, images: np.ndarray, targets: np.ndarray) -> Calls:
    """Return our call for each method."""
    options = {
        "gradient": {},
        "smoothgrad": {"samples": SAMPLES, "noise_scale": 0.2},
        "integrated_gradients": {"steps": STEPS},
        "grad_cam": {},
        "occlusion": {"window": WINDOW, "stride": STRIDE},
        "rise": {"samples": MASKS},
        "lrp_epsilon_plus": {},
        "lrp_alpha2_beta1": {},
        "lrp_epsilon_gamma_box": {},
    }
    return {
        name: lambda name=name, own=own: attribute(model, images, targets, method=name, **own)
        for name, own in options.items()
    }


def xplique(model: keras.Model, images: np.ndarray, targets: np.ndarray) -> Calls:
    """Return Xplique's calls, or none where it cannot be imported."""
    if importlib.util.find_spec("tensorflow_probability") is None:
        for name in ("tensorflow_probability",):
            sys.modules.setdefault(name, mock.MagicMock(spec=types.ModuleType(name)))
    try:
        from xplique import attributions as peer
    except ImportError as error:
        print(f"Xplique is left out: {error}")
        return {}
    scores = tf.one_hot(targets, model.output_shape[-1])
    made = {
        "gradient": peer.Saliency(model),
        "smoothgrad": peer.SmoothGrad(model, nb_samples=SAMPLES, noise=0.2),
        "integrated_gradients": peer.IntegratedGradients(model, steps=STEPS, baseline_value=0.0),
        "grad_cam": peer.GradCAM(model),
        "occlusion": peer.Occlusion(model, patch_size=WINDOW, patch_stride=STRIDE, occlusion_value=0.0),
        "rise": peer.Rise(model, nb_samples=MASKS),
    }
    return {name: lambda explainer=explainer: explainer(images, scores) for name, explainer in made.items()}


def tf_keras_vis(model: keras.Model, images: np.ndarray, targets: np.ndarray) -> Calls:
    """Return tf-keras-vis' calls, or none where it cannot be imported."""
    try:
        from tf_keras_vis.gradcam import Gradcam
        from tf_keras_vis.saliency import Saliency
        from tf_keras_vis.utils.scores import CategoricalScore
    except ImportError as error:
        print(f"tf-keras-vis is left out: {error}")
        return {}
    score = CategoricalScore([int(target) for target in targets])
    saliency, cam = Saliency(model), Gradcam(model)
    return {
        "gradient": lambda: saliency(score, images),
        "smoothgrad": lambda: saliency(score, images, smooth_samples=SAMPLES, smooth_noise=0.2),
        "grad_cam": lambda: cam(score, images, penultimate_layer=-1),
    }


def seconds(calls: list[Callable[[], object]], repeats: int) -> list[float]:
    """Return each call's fastest time, the calls taking turns."""
    times: list[list[float]] = [[] for _ in calls]
    for repeat in range(repeats + 1):
        for call, own in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            if repeat:
                own.append(time.perf_counter() - start)
    return [min(own) for own in times]


def main() -> None:
    """Print one line per method: our time, and the peers' in units of it."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--pictures", type=int, default=16)
    options.add_argument("--side", type=int, default=64)
    options.add_argument("--repeats", type=int, default=3)
    given = options.parse_args()
    model = network(given.side, 4)
    images = np.random.default_rng(0).random((given.pictures, given.side, given.side, 1), np.float32)
    targets = np.arange(given.pictures) % 4
    mine = ours(model, images, targets)
    peers = {"Xplique": xplique(model, images, targets), "tf-keras-vis": tf_keras_vis(model, images, targets)}
    print(f"{'method':24s}{'ours, ms':>10s}" + "".join(f"{name:>14s}" for name in peers) + f"{'x gradient':>12s}")
    plain = seconds([mine["gradient"]], given.repeats)[0]
    for name, call in mine.items():
        present = [peer for peer, calls in peers.items() if name in calls]
        own, *others = seconds([call, *(peers[peer][name] for peer in present)], given.repeats)
        ratios = dict(zip(present, others, strict=True))
        cells = "".join(f"{ratios[peer] / own:13.1f}x" if peer in ratios else f"{'':14s}" for peer in peers)
        print(f"{name:24s}{own * 1e3:10.1f}{cells}{own / plain:11.1f}x", flush=True)


if __name__ == "__main__":
    main()
