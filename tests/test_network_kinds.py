"""Kinds of steps are named in one place, and each named set is what its sentence says."""

from __future__ import annotations

import ast
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from modelcheck.interface import Preprocessing
from modelcheck.network import StepKind, flatten, kinds, preprocess_first

PACKAGE = Path(__file__).parents[1] / "modelcheck"
WING = PACKAGE / "faces"  # the parts of a drawing have kinds, too


def literals_compared_with_kinds(source):
    """Yield the strings that a source compares with something called `kind`, dtypes' kinds apart."""

    def is_kind(node):
        if isinstance(node, ast.Attribute) and node.attr == "kind":
            return not (isinstance(node.value, ast.Attribute) and node.value.attr == "dtype") and not (
                isinstance(node.value, ast.Name) and node.value.id == "dtype"
            )
        return isinstance(node, ast.Name) and node.id == "kind"

    for node in ast.walk(ast.parse(source)):
        sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_kind(node.func.value):
            sides = [node.func.value, *node.args]  # kind.startswith("global")
        if any(is_kind(side) for side in sides):
            inner = (part for side in sides for part in ast.walk(side))
            yield from (part.value for part in inner if isinstance(part, ast.Constant) and isinstance(part.value, str))


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(PACKAGE.rglob("*.py")) if WING not in path.parents],
    ids=lambda path: path.relative_to(PACKAGE).as_posix(),
)
def test_no_kind_is_a_bare_string(path):
    """A kind is compared with a member of its enum or a named set, never with a string."""
    assert list(literals_compared_with_kinds(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("step.kind == 'conv'", ["conv"]),
        ("'conv' != step.kind", ["conv"]),
        ("network.steps[0].kind in (*_WINDOWED, 'pad')", ["pad"]),
        ("kind not in ('pad', 'crop')", ["pad", "crop"]),
        ("step.kind.startswith('global')", ["global"]),
        ("step.kind == StepKind.CONV", []),
        ("array.dtype.kind in 'iu' or dtype.kind == 'U'", []),
    ],
)
def test_a_bare_string_is_seen(source, found):
    """The reader of sources sees a string beside a kind, so the rule above is no formality."""
    assert list(literals_compared_with_kinds(source)) == found


@pytest.fixture(scope="module")
def steps():
    """The first step of every kind, with the shapes of its inputs."""
    keras.utils.set_random_seed(1)
    entry = keras.Input((6, 6, 3))
    conv = layers.Conv2D(2, 3, padding="same", bias_initializer="ones")(entry)
    norm = layers.BatchNormalization(beta_initializer="ones")(layers.DepthwiseConv2D(3, bias_initializer="ones")(conv))
    pooled = layers.AveragePooling2D(2)(layers.MaxPooling2D(2, strides=1)(layers.Cropping2D(1)(
        layers.ZeroPadding2D(2)(layers.Dropout(0.1)(layers.ELU()(norm))))))  # fmt: skip
    both = layers.Concatenate()([layers.Add()([pooled, pooled]), layers.Multiply()([pooled, pooled])])
    other = layers.LayerNormalization()(both)
    sides = [layers.Flatten()(other), layers.GlobalMaxPooling2D()(other), layers.GlobalAveragePooling2D()(other)]
    network = flatten(keras.Model(entry, layers.Dense(3, bias_initializer="ones")(layers.Concatenate()(sides))))
    network = preprocess_first(network, Preprocessing(mean=(1.0,), order="bgr"), input_range=(0.0, 1.0))
    found = {}
    for step in network.steps:
        found.setdefault(step.kind, (step, [network.steps[source].shape for source in step.inputs]))
    return found


def answer(step, values):
    """Return what a step makes of arrays, in float64."""
    return step.run([tf.constant(value, tf.float64) for value in values]).numpy()


def draw(shapes, seed):
    """Return standard normal inputs of two pictures."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((2, *shape)) for shape in shapes]


def test_there_is_a_step_of_every_kind(steps):
    """The network of these tests leaves no kind out."""
    assert set(steps) == set(StepKind)


def is_linear(step, shapes):
    """Whether differences of outputs are additive in the inputs."""
    one, other, zero = draw(shapes, 1), draw(shapes, 2), [0 * value for value in draw(shapes, 0)]
    together = answer(step, [a + b for a, b in zip(one, other, strict=True)])
    return np.allclose(together + answer(step, zero), answer(step, one) + answer(step, other), atol=1e-9)


def keeps_nonnegative(step, shapes):
    """Whether inputs that are never negative give an output that never is."""
    return answer(step, [np.abs(value) for value in draw(shapes, 3)]).min() >= 0


def copies(step, shapes):
    """Whether each output is one of the inputs' values, or zero."""
    values = draw(shapes, 4)
    return bool(np.isin(answer(step, values), np.concatenate([[0.0], *(value.ravel() for value in values)])).all())


def reads_one_place(step, shapes):
    """Whether a change at one row and column changes the output there only."""
    values = draw(shapes, 5)
    moved = [value.copy() for value in values]
    for value in moved:
        value[:, 1, 1] += 1.0
    changed = (answer(step, values) != answer(step, moved)).any(axis=(0, -1))
    return changed.ndim == 2 and changed.shape == values[0].shape[1:3] and np.argwhere(changed).tolist() == [[1, 1]]


ONE_INPUT = set(StepKind) - {StepKind.INPUT, StepKind.ADD, StepKind.MULTIPLY, StepKind.CONCATENATE}
# Layer normalisation, the `other` of this network, works at each place alone; other ones need not.
MAPS = set(StepKind) - {StepKind.INPUT, StepKind.OTHER, StepKind.DENSE, StepKind.GLOBAL_MAX_POOL,
                        StepKind.GLOBAL_AVERAGE_POOL, StepKind.FLATTEN}  # fmt: skip


@pytest.mark.parametrize(
    ("named", "among", "holds"),
    [
        (kinds.LINEAR_IN_ONE_INPUT, ONE_INPUT, is_linear),
        (kinds.LINEAR, set(StepKind) - {StepKind.INPUT}, is_linear),
        (kinds.COPYING, set(StepKind) - {StepKind.INPUT}, copies),
        (kinds.POINTWISE, MAPS, reads_one_place),
    ],
    ids=["linear in one input", "linear", "copying", "pointwise"],
)
def test_a_set_holds_the_kinds_with_its_property_and_no_others(steps, named, among, holds):
    """Computed on random inputs, the property named by a set holds for its members and for nothing else."""
    assert {kind for kind in among if holds(*steps[kind])} == named & among


def test_nonnegative_inputs_stay_so(steps):
    """The steps that are said to keep inputs from turning negative do; a normal convolution does not."""
    assert all(keeps_nonnegative(*steps[kind]) for kind in kinds.KEEPING_NONNEGATIVE)
    assert not keeps_nonnegative(*steps[StepKind.CONV])


def test_windows_and_kernels_belong_to_the_sets(steps):
    """Exactly the windowed kinds, paddings and croppings have a window; kernels have weights of rank 2 or 4."""
    windowed = {kind for kind, (step, _) in steps.items() if step.window is not None}
    assert windowed == kinds.WINDOWED | kinds.RESIZING
    kernels = {kind for kind, (step, _) in steps.items() if step.weights is not None}
    assert kernels == kinds.WITH_KERNEL | {StepKind.AFFINE}
