"""The engine that carries relevance back through a network, and the composites of the literature.

What happens at each kind of step:

* convolutions (depthwise and separable ones too) and dense layers: the composite's rule;
* batch normalisation, `Normalization` and `Rescaling`: folded into the linear layer before it, else
  into the linear layers after it, else R = x (y - shift) R / ((x - mean) y), the epsilon rule of
  the affine step;
* activations of one value each (ReLU, ReLU6, LeakyReLU, ELU, GELU, swish, ...): relevance passes
  unchanged;
* average pooling and additions: in proportion to what each input adds;
* max-pooling: to the largest (the first of equals; global max-pooling shares among equals);
* flatten, reshape, padding, cropping, concatenation, dropout: routed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from modelcheck.attributions.backward import apply_jacobian, record_outputs, walk_back
from modelcheck.attributions.reading import AttributionError, Reading
from modelcheck.attributions.rules import Composite, LinearLayer, divide_stably, redistribute
from modelcheck.network import Network, Step, StepKind
from modelcheck.network.kinds import ADDING, COPYING, GLOBAL_POOLS, KEEPING_NONNEGATIVE, MIXING_ACTIVATIONS, WITH_KERNEL
from modelcheck.network.readout import read_tensors

__all__ = ["InputRange", "propagate"]

Tensor = Any
InputRange = tuple[Any, Any]

_NONNEGATIVE_ACTIVATIONS = ("relu", "relu6", "relu_capped", "sigmoid", "hard_sigmoid", "softplus", "softmax")
# Where Captum applies the epsilon rule although the step only copies; see `Composite.pooled`.
_POOLED_BY_CAPTUM = frozenset({StepKind.MAX_POOL, StepKind.GLOBAL_MAX_POOL, StepKind.FLATTEN})


@dataclass(frozen=True)
class _Plan:
    """What of a network is known before any picture is seen.

    `before` and `after` name the affine steps folded into a linear step: those it reads through
    (nearest first) and the one that follows it. `passed` are the steps through which relevance goes
    unchanged for that reason.
    """

    before: dict[int, tuple[int, ...]]
    after: dict[int, int]
    passed: frozenset[int]
    first: frozenset[int]
    positive: frozenset[int]


def propagate(
    reading: Reading,
    images: np.ndarray,
    targets: np.ndarray,
    composite: Composite,
    *,
    method: str,
    input_range: InputRange = (0.0, 1.0),
    batch_norm: str = "fold",
) -> np.ndarray:
    """Return the relevance of each pixel, starting from the target's score.

    Parameters
    ----------
    composite : Composite
        Which rule goes with which layer.
    method : str
        Name of the method, for error messages.
    input_range : tuple
        Lowest and highest possible input, numbers or one per channel, in the units the network is
        fed with.
    batch_norm : {'fold', 'fold_or_pass', 'epsilon'}
        Fold as in the module's description; fold into a preceding layer only and pass otherwise; or
        never fold.

    Raises
    ------
    AttributionError
        When a step has no relevance rule, or an argument is out of range.
    """
    network = reading.steps
    plan = _make_plan(network, batch_norm)
    _refuse_unsupported(network, method)
    bounds = _check_bounds(input_range, images)

    def call(pictures: Tensor, classes: Tensor, low: Tensor, high: Tensor) -> Tensor:
        values = record_outputs(network, pictures, network.logits)
        lows, highs = _input_bounds(network, plan, low, high)
        scores = values[network.logits]

        def local(  # noqa: PLR0911 - one return per kind of step
            position: int, step: Step, inputs: Sequence[Tensor], relevance: Tensor
        ) -> Sequence[Tensor]:
            if position in plan.passed or step.kind == StepKind.ACTIVATION:
                return [relevance]
            if step.kind in WITH_KERNEL:
                layer = _fold_linear_layer(network, plan, position, values, lows, highs)
                rule = composite.rule(step.name, step.kind, is_first=position in plan.first)
                return [redistribute(rule, layer, relevance)]
            if step.kind == StepKind.AFFINE:
                if batch_norm == "fold_or_pass":
                    return [relevance]
                shares = inputs[0] * step.weights(relevance.dtype)[0]  # type: ignore[misc]
                return [shares * divide_stably(relevance, step.run(inputs), composite.epsilon)]
            if step.kind in ADDING or (composite.pooled and step.kind in _POOLED_BY_CAPTUM):
                output = step.run(list(inputs))
                if composite.pooled and step.kind in GLOBAL_POOLS:  # Captum flattens after it, with the same rule
                    relevance = output * divide_stably(relevance, output, composite.epsilon)
                signal = divide_stably(relevance, output, composite.epsilon)
                if step.kind == StepKind.ADD:
                    return [value * signal for value in inputs]
                return [value * part for value, part in zip(inputs, apply_jacobian(step, inputs, signal), strict=True)]
            return apply_jacobian(step, inputs, relevance)

        if _has_two_sides(network):  # the first class of a single score is the second one's negative, weights and all
            scores = read_tensors(network.readout, scores)
            start = tf.concat([-scores, scores], axis=-1) * tf.one_hot(classes, 2, dtype=scores.dtype)
        else:
            start = scores * reading.start(scores, classes)
        return walk_back(network, values, network.logits, start, local)

    shape = (1, *images.shape[1:])
    graph = reading.compile_graph(("relevance", _make_key(composite), batch_norm), call, shape, shape)
    return reading.map(lambda pictures, classes: graph(pictures, classes, *bounds), images, targets)


def _has_two_sides(network: Network) -> bool:
    single = network.n_outputs == 1 or network.readout.unit is not None
    return single and not network.readout.link and network.steps[network.logits].kind == StepKind.DENSE


def _make_key(composite: Composite) -> tuple[Any, ...]:
    rules = (composite.conv, composite.dense, composite.first, composite.epsilon, composite.pooled)
    return (*rules, *sorted(composite.layers.items(), key=lambda item: item[0]))


def _check_bounds(input_range: InputRange, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = (np.asarray(bound, images.dtype) for bound in input_range)
    try:
        low, high = (np.broadcast_to(bound, (1, *images.shape[1:])) for bound in (low, high))
    except ValueError as error:
        raise AttributionError(
            f"input_range is (low, high), numbers or one per channel; shapes {low.shape} and {high.shape} do not "
            f"fit pictures of shape {images.shape[1:]}."
        ) from error
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
        raise AttributionError(f"input_range is (low, high) with low < high, not {input_range!r}.")
    return low, high


def _refuse_unsupported(network: Network, method: str) -> None:
    allowed = WITH_KERNEL | COPYING | ADDING | {StepKind.ACTIVATION, StepKind.AFFINE, StepKind.INPUT}
    for position in network.steps_needed([network.logits]):
        step = network.steps[position]
        mixing = step.kind == StepKind.ACTIVATION and step.activation in MIXING_ACTIVATIONS
        if step.kind not in allowed or mixing:
            family = type(step.layer).__name__
            what = f"activation {step.activation!r}" if mixing else f"type {family}"
            raise AttributionError(
                f"{method} has no relevance rule for layer {step.name!r} ({what}). Methods that support it: gradient, "
                "sensitivity, gradient_x_input, simple_taylor, integrated_gradients, smoothgrad, vargrad, grad_cam, "
                "grad_cam_plus_plus, layer_cam, score_cam, occlusion, rise."
            )


def _make_plan(network: Network, batch_norm: str) -> _Plan:
    if batch_norm not in ("fold", "fold_or_pass", "epsilon"):
        raise AttributionError(f"batch_norm is 'fold', 'fold_or_pass' or 'epsilon', not {batch_norm!r}.")
    used = network.steps_needed([network.logits])
    readers: dict[int, list[int]] = {}
    for position in used:
        for source in network.steps[position].inputs:
            readers.setdefault(source, []).append(position)
    after = {} if batch_norm == "epsilon" else _find_affine_after(network, used, readers)
    before = _find_affine_before(network, used, readers, set(after.values())) if batch_norm == "fold" else {}
    passed = frozenset(after.values()) | _affine_steps_folded(before)
    return _Plan(before, after, passed, _find_first(network, used), _find_nonnegative(network, used))


def _find_affine_after(network: Network, used: Sequence[int], readers: dict[int, list[int]]) -> dict[int, int]:
    """Return for each linear step the affine step that alone reads it."""
    found: dict[int, int] = {}
    for position in used:
        following = readers.get(position, [])
        alone = network.steps[position].kind in WITH_KERNEL and len(following) == 1
        if alone and network.steps[following[0]].kind == StepKind.AFFINE:
            found[position] = following[0]
    return found


def _find_affine_before(
    network: Network, used: Sequence[int], readers: dict[int, list[int]], done: set[int]
) -> dict[int, tuple[int, ...]]:
    """Return for each linear step the affine steps, nearest first, that only linear steps read."""
    before: dict[int, tuple[int, ...]] = {}
    for position in reversed(used):
        following = readers.get(position, [])
        if network.steps[position].kind != StepKind.AFFINE or position in done or not following:
            continue
        if all(
            network.steps[reader].kind in WITH_KERNEL or reader in _affine_steps_folded(before) for reader in following
        ):
            for reader in following:
                for linear in _readers_through(reader, before, network):
                    before[linear] = (*before.get(linear, ()), position)
    return before


def _affine_steps_folded(before: dict[int, tuple[int, ...]]) -> set[int]:
    return {affine for chain in before.values() for affine in chain}


def _readers_through(reader: int, before: dict[int, tuple[int, ...]], network: Network) -> list[int]:
    if network.steps[reader].kind in WITH_KERNEL:
        return [reader]
    return [linear for linear, chain in before.items() if reader in chain]


def _find_first(network: Network, used: Sequence[int]) -> frozenset[int]:
    behind: set[int] = set()
    first: set[int] = set()
    for position in used:
        step = network.steps[position]
        later = any(source in behind for source in step.inputs)
        if step.kind in WITH_KERNEL and not later:
            first.add(position)
        if later or step.kind in WITH_KERNEL:
            behind.add(position)
    return frozenset(first)


def _find_nonnegative(network: Network, used: Sequence[int]) -> frozenset[int]:
    found: set[int] = set()
    for position in used:
        step = network.steps[position]
        kept = step.kind in KEEPING_NONNEGATIVE and all(source in found for source in step.inputs)
        if kept or (step.kind == StepKind.ACTIVATION and step.activation in _NONNEGATIVE_ACTIVATIONS):
            found.add(position)
    return frozenset(found)


def _input_bounds(
    network: Network, plan: _Plan, low: Tensor, high: Tensor
) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
    """Carry the input's range to what the first linear layers read; the steps on the way are monotone."""
    lows, highs = {0: low}, {0: high}
    wanted = {_find_source(network, plan, position) for position in plan.first}
    for position in network.steps_needed(wanted):
        step = network.steps[position]
        if position == 0:
            continue
        one = step.run([lows[source] for source in step.inputs])
        other = step.run([highs[source] for source in step.inputs])
        lows[position], highs[position] = tf.minimum(one, other), tf.maximum(one, other)
    return lows, highs


def _find_source(network: Network, plan: _Plan, position: int) -> int:
    """Return the step whose output a linear step reads once its affine steps are folded into it."""
    chain = plan.before.get(position, ())
    return network.steps[chain[-1] if chain else position].inputs[0]


def _fold_linear_layer(
    network: Network, plan: _Plan, position: int, values: dict[int, Tensor], lows: dict[int, Tensor],
    highs: dict[int, Tensor],
) -> LinearLayer:  # fmt: skip
    step = network.steps[position]
    source = _find_source(network, plan, position)
    value = values[source]
    linear: Any = step.linear
    kernel, bias = step.weights(value.dtype)  # type: ignore[misc]
    for affine in plan.before.get(position, ()):
        factor, shift = network.steps[affine].weights(value.dtype)  # type: ignore[misc]
        shape = (1, *network.steps[affine].shape)
        # A map rather than a number per unit: padded borders see less of the shift.
        offset = linear(tf.broadcast_to(shift, shape), kernel)
        bias = offset if bias is None else bias + offset
        kernel = kernel * _shape_per_input(step, kernel, tf.broadcast_to(factor, [shape[-1]]))
    if position in plan.after:
        factor, shift = network.steps[plan.after[position]].weights(value.dtype)  # type: ignore[misc]
        factor = tf.broadcast_to(factor, [step.shape[-1]])
        kernel = kernel * (tf.reshape(factor, kernel.shape[2:]) if step.kind == StepKind.DEPTHWISE else factor)
        bias = shift if bias is None else bias * factor + shift
    if _has_two_sides(network) and position == network.logits:
        readout = network.readout
        kernel = readout.select(kernel)
        kernel = tf.concat([-kernel, kernel], axis=-1)
        if bias is not None or readout.border:
            own = tf.zeros((1,), kernel.dtype) if bias is None else readout.select(bias)
            own -= readout.sign * readout.border
            bias = tf.concat([-own, own], axis=-1)
    return LinearLayer(
        value, lows.get(source, value), highs.get(source, value), kernel, bias, linear,
        positive=source in plan.positive,
    )  # fmt: skip


def _shape_per_input(step: Step, kernel: Tensor, factor: Tensor) -> Tensor:
    """Shape a factor per input channel so that it multiplies the kernel."""
    if step.kind == StepKind.DENSE:
        return factor[:, None]
    if step.kind == StepKind.DEPTHWISE:
        return factor[:, None]
    n_groups = factor.shape[0] // kernel.shape[2]
    per_group = tf.transpose(tf.reshape(factor, (n_groups, kernel.shape[2])))
    return tf.repeat(per_group, kernel.shape[3] // n_groups, axis=1)
