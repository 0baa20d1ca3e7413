"""Relevance rules as rows of small functions.

Every rule says how a linear layer's relevance is shared among its inputs. A rule is a row of
`Share`, each of which redistributes ``weight * R_k * gate(z_k) / stabilised(sum of terms)`` in
proportion to its terms; a `Term` is a function of the input times a function of the kernel, plus a
function of the bias. One engine (`redistribute`) runs all rows, and a user's own row is as good as
any of these.

References
----------
Bach et al. 2015 (epsilon, alpha-beta); Montavon et al. 2017 (z-plus, w-square, z-box); Montavon et
al. 2019 (gamma, composites); Andeol et al. 2021 (gamma for inputs of both signs); Lapuschkin et al.
2019 (flat).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import tensorflow as tf

from modelcheck.network import StepKind

__all__ = [
    "STABILISER",
    "Composite",
    "LinearLayer",
    "Rule",
    "Share",
    "Term",
    "alpha_beta",
    "divide_stably",
    "epsilon_rule",
    "flat",
    "gamma_rule",
    "redistribute",
    "w_square",
    "z_box",
    "z_plus",
]  # fmt: skip

Tensor = Any
STABILISER = 1e-6


@dataclass(frozen=True, eq=False)
class LinearLayer:
    """What a rule sees of one linear layer.

    Parameters
    ----------
    value : tf.Tensor
        Input of the layer.
    low, high : tf.Tensor
        Bounds of the input, ``(1, ...)``; known for first layers, where the input's range reaches
        them.
    kernel : tf.Tensor
        Kernel of the layer, with batch normalisation folded in where it can be.
    bias : tf.Tensor or None
        Bias of the layer, of a shape that broadcasts to the output.
    linear : callable
        ``linear(value, kernel)`` -> output without bias.
    positive : bool
        Whether the input is known never to be negative.
    """

    value: Tensor
    low: Tensor
    high: Tensor
    kernel: Tensor
    bias: Tensor | None
    linear: Callable[[Tensor, Tensor], Tensor]
    positive: bool

    def transpose(self, signal: Tensor, kernel: Tensor) -> Tensor:
        """Carry a signal from the output's shape back to the input's."""
        with tf.GradientTape() as tape:
            tape.watch(self.value)
            output = self.linear(self.value, kernel)
        return tape.gradient(output, self.value, signal)


def _identity(value: Tensor) -> Tensor:
    return value


def _plus(value: Tensor) -> Tensor:
    return tf.maximum(value, tf.zeros((), value.dtype))


def _minus(value: Tensor) -> Tensor:
    return tf.minimum(value, tf.zeros((), value.dtype))


def _input(layer: LinearLayer) -> Tensor:
    return layer.value


def _input_plus(layer: LinearLayer) -> Tensor:
    return layer.value if layer.positive else _plus(layer.value)


def _input_minus(layer: LinearLayer) -> Tensor | None:
    return None if layer.positive else _minus(layer.value)


def _ones(layer: LinearLayer) -> Tensor:
    return tf.ones_like(layer.value)


def _low(layer: LinearLayer) -> Tensor:
    return layer.low


def _high(layer: LinearLayer) -> Tensor:
    return layer.high


@dataclass(frozen=True)
class Term:
    """``sign * (linear(value(layer), kernel(w)) + bias(b))``, and the share of the inputs in it.

    Parameters
    ----------
    value : callable
        Function of the `LinearLayer` -> what stands for its input; None when the term is known to
        be zero.
    kernel : callable
        Function of the kernel.
    bias : callable, optional
        Function of the bias; None leaves the bias out.
    sign : float
        The term's factor.
    """

    value: Callable[[LinearLayer], Tensor | None]
    kernel: Callable[[Tensor], Tensor]
    bias: Callable[[Tensor], Tensor] | None = None
    sign: float = 1.0


@dataclass(frozen=True)
class Share:
    """A part of the relevance, shared in proportion to its terms.

    Parameters
    ----------
    terms : tuple of Term
        The terms whose sum is shared out.
    weight : float
        Factor of the relevance.
    gate : callable, optional
        Function of the layer's true output z -> booleans: the outputs whose relevance this share
        redistributes.
    """

    terms: tuple[Term, ...]
    weight: float = 1.0
    gate: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True)
class Rule:
    """A relevance rule for linear layers.

    Parameters
    ----------
    name : str
        Name of the rule in the literature.
    shares : tuple of Share
        The parts of the relevance; they are added up.
    epsilon : float
        Stabiliser: ``epsilon * sign(z)`` is added to each denominator, with sign(0) = +1; 0 gives
        0/0 = 0.
    """

    name: str
    shares: tuple[Share, ...]
    epsilon: float = STABILISER


@dataclass(frozen=True)
class Composite:
    """Which rule goes with which layer.

    Parameters
    ----------
    conv, dense : Rule
        Rules for convolutions of every sort, and for dense layers.
    first : Rule, optional
        Rule for the linear layers that no other linear layer precedes.
    layers : mapping of str to Rule
        Rules for layers by name; they go before the others.
    epsilon : float
        Stabiliser of additions, average poolings and unfolded batch normalisation.
    pooled : bool
        Whether max-pooling and flattening have the epsilon rule too, R x / (x + epsilon sign x), as
        in Captum, instead of passing all relevance on.
    """

    conv: Rule
    dense: Rule
    first: Rule | None = None
    layers: Mapping[str, Rule] = field(default_factory=dict)
    epsilon: float = STABILISER
    pooled: bool = False

    def rule(self, name: str, kind: StepKind, *, is_first: bool) -> Rule:
        """Return the rule of one layer."""
        if name in self.layers:
            return self.layers[name]
        if is_first and self.first is not None:
            return self.first
        return self.dense if kind == StepKind.DENSE else self.conv


def divide_stably(numerator: Tensor, denominator: Tensor, epsilon: float) -> Tensor:
    """Return numerator / (denominator + epsilon sign(denominator)), sign(0) = +1 and 0/0 = 0."""
    if epsilon == 0:
        return tf.math.divide_no_nan(numerator, denominator)
    shift = tf.constant(epsilon, denominator.dtype)
    return numerator / (denominator + tf.where(denominator < 0, -shift, shift))


def redistribute(rule: Rule, layer: LinearLayer, relevance: Tensor) -> Tensor:
    """Share a linear layer's relevance among its inputs."""
    signed = any(term.value is _input_minus for share in rule.shares for term in share.terms)
    if layer.positive or not signed:
        return _redistribute(rule, layer, relevance)
    # Pictures are seldom negative, and the first layer's terms for negative inputs are half of a
    # rule's cost.
    return tf.cond(
        tf.reduce_all(layer.value >= 0),
        lambda: _redistribute(rule, replace(layer, positive=True), relevance),
        lambda: _redistribute(rule, layer, relevance),
    )


def _redistribute(rule: Rule, layer: LinearLayer, relevance: Tensor) -> Tensor:
    total = tf.zeros_like(layer.value)
    for share in rule.shares:
        terms = [(term, term.value(layer), term.kernel(layer.kernel)) for term in share.terms]
        whole = tf.zeros((), relevance.dtype)
        for term, value, kernel in terms:
            if value is not None:
                whole = whole + term.sign * layer.linear(value, kernel)
            if term.bias is not None and layer.bias is not None:
                whole = whole + term.sign * term.bias(layer.bias)
        speaking = relevance * tf.constant(share.weight, relevance.dtype)
        if share.gate is not None:
            output = layer.linear(layer.value, layer.kernel)
            output = output if layer.bias is None else output + layer.bias
            speaking = speaking * tf.cast(share.gate(output), relevance.dtype)
        signal = divide_stably(speaking, whole, rule.epsilon)
        for term, value, kernel in terms:
            if value is not None:
                total = total + term.sign * value * layer.transpose(signal, kernel)
    return total


@lru_cache(maxsize=64)
def epsilon_rule(epsilon: float = STABILISER) -> Rule:
    """R_j = sum_k a_j w_jk / (z_k + epsilon sign z_k) R_k; LRP-0 where epsilon is 0."""
    return Rule("epsilon", (Share((Term(_input, _identity, _identity),)),), epsilon)


def _split_signs(up: Callable[[Tensor], Tensor], down: Callable[[Tensor], Tensor]) -> tuple[Term, Term]:
    """Positive inputs with one function of the kernel, negative ones with the other; the bias counts once."""
    return Term(_input_plus, up, up), Term(_input_minus, down)


@lru_cache(maxsize=64)
def gamma_rule(gamma: float = 0.25) -> Rule:
    """Favour what has the output's sign: w + gamma w+ for inputs of that sign, w + gamma w- for the others."""

    def up(kernel: Tensor) -> Tensor:
        return kernel + tf.constant(gamma, kernel.dtype) * _plus(kernel)

    def down(kernel: Tensor) -> Tensor:
        return kernel + tf.constant(gamma, kernel.dtype) * _minus(kernel)

    rising = Share(_split_signs(up, down), gate=lambda output: output > 0)
    falling = Share(_split_signs(down, up), gate=lambda output: output < 0)
    return Rule("gamma", (rising, falling))


@lru_cache(maxsize=64)
def alpha_beta(alpha: float = 2.0, beta: float = 1.0) -> Rule:
    """Share alpha R among the positive contributions and -beta R among the negative ones.

    Where a unit has contributions of both signs the two parts add up to R. Where it has none of one
    sign that part is lost: with beta above 0 the unit then hands on alpha R or -beta R, not R.
    """
    shares = [Share(_split_signs(_plus, _minus), alpha)]
    if beta:
        shares.append(Share(_split_signs(_minus, _plus), -beta))
    return Rule("alpha_beta", tuple(shares))


def z_plus() -> Rule:
    """Share R among the positive contributions a+ w+ and a- w-; the same as alpha 1, beta 0."""
    return alpha_beta(1.0, 0.0)


@lru_cache(maxsize=1)
def w_square() -> Rule:
    """Share R in proportion to w^2, whatever the input."""
    return Rule("w_square", (Share((Term(_ones, tf.square, tf.square),)),))


@lru_cache(maxsize=1)
def flat() -> Rule:
    """Share R equally among all inputs."""
    return Rule("flat", (Share((Term(_ones, tf.ones_like),)),))


@lru_cache(maxsize=1)
def z_box() -> Rule:
    """R_j in proportion to x w - l w+ - h w-, for inputs between l and h; the bias cancels."""
    terms = (Term(_input, _identity), Term(_low, _plus, sign=-1.0), Term(_high, _minus, sign=-1.0))
    return Rule("z_box", (Share(terms),))
