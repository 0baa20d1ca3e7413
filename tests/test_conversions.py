"""The converted networks that tests use are what they are called: right ones answer alike, wrong ones do not."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("ai_edge_litert", reason="converted files are asked with ai-edge-litert")

import conversions  # noqa: E402 - after the skips above
from conversions import CASES, SOURCES  # noqa: E402
from modelcheck.faces import build  # noqa: E402
from modelcheck.faces.export import MARK, answer  # noqa: E402
from modelcheck.faces.silence import silence  # noqa: E402

ALIKE = 0.05  # how far a probability of a right conversion may move; int8 was measured at 0.03
# What accuracy on the panel does not show: within one picture in a hundred of the source's.
HIDDEN = {"without_rescaling", "clipped", "clipped_first", "takes_half", "sees_half"}


def answers(name, data):
    """Return what the source and a file answer to the source's panel, and the panel's labels."""
    model, panel = (part() for part in SOURCES[CASES[name].source])
    pictures = panel.inputs((0.0, 255.0 if CASES[name].source == "bytes" else 1.0))
    source = model.predict_on_batch(pictures)
    if name == "takes_half":
        pictures = keras.ops.image.resize(pictures, (30, 32)).numpy()
    return source, answer(data, pictures), panel.labels


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_case_is_what_it_is_called(name, converted):
    """Right conversions move no probability far and change no answer; wrong ones do, by accuracy or hidden from it."""
    data = converted(name)
    assert data[4:8] == MARK
    source, ours, labels = answers(name, data)
    moved = float(np.abs(source - ours).max())
    lost = float((source.argmax(axis=1) == labels).mean() - (ours.argmax(axis=1) == labels).mean())
    if CASES[name].passes:
        assert moved <= ALIKE
        assert lost == 0
        np.testing.assert_array_equal(source.argmax(axis=1), ours.argmax(axis=1))
    else:
        assert moved > 2 * ALIKE
        assert (abs(lost) <= 0.01) == (name in HIDDEN)


@pytest.mark.slow
def test_a_case_is_made_once(tmp_path, monkeypatch):
    """What lies in the folder is taken: a second process converts nothing."""
    first = conversions.make("float32", tmp_path)
    monkeypatch.setitem(CASES, "float32", None)
    assert conversions.make("float32", tmp_path) == first


@pytest.mark.slow
def test_broken_files_are_broken(converted):
    """LiteRT itself takes none of them, but the one whose weights alone were hit, and the one it is packed from."""
    from ai_edge_litert.interpreter import Interpreter

    data = converted("float32")
    broken = {
        "truncated": conversions.truncated(data),
        "one byte short": conversions.truncated(data, 1),
        "custom": conversions.with_operator(data),
        "flex": conversions.with_operator(data, "FlexErf"),
        "oversized": conversions.oversized(data),
        "same": conversions._pack(conversions._unpack(data)),
        "weights": conversions.flipped(data, weights=True),
    }
    taken = set()
    for name, wrong in broken.items():
        with silence():
            try:
                Interpreter(model_content=wrong).allocate_tensors()
                taken.add(name)
            except (ValueError, RuntimeError):
                pass
    assert taken == {"same", "weights"}
    assert conversions.operators(broken["custom"])[0] == "Surprise"
    assert conversions.operators(broken["flex"])[0] == "FlexErf"


@pytest.mark.parametrize("weights", [True, False])
def test_flipped_bits_are_where_they_should_be(weights, converted):
    """Sixteen bytes differ by a bit each, the mark of the format stays, and another seed hits others."""
    data = converted("float32")
    one, other = (np.frombuffer(conversions.flipped(data, seed=seed, weights=weights), np.uint8) for seed in (0, 1))
    whole = np.frombuffer(data, np.uint8)
    assert np.bitwise_count(one ^ whole).sum() == np.count_nonzero(one != whole) == 16
    assert (one[:8] == whole[:8]).all()
    assert not np.array_equal(one, other)
    kept = [bytes(buffer.data) for buffer in conversions._unpack(data).buffers if buffer.data is not None]
    intact = [part in one.tobytes() for part in kept if len(part) >= 32]
    assert all(intact) != weights


# ONNX


@pytest.fixture(scope="module")
def exported_onnx():
    pytest.importorskip("onnx", reason="ONNX files are written with onnx")
    pytest.importorskip("onnxruntime", reason="ONNX files are asked with onnxruntime")
    import exported_onnx

    return exported_onnx


def shaken(model):
    """Give every batch normalisation other statistics than those it starts with."""
    generator = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


def uneven():
    """Strides and kernels that do not fit the sides, a multiplier, and maps that stay 2-dimensional to the end."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            layers.Input((60, 64, 1)),
            layers.Conv2D(6, (4, 5), strides=(3, 2), padding="same", bias_initializer="normal", name="conv"),
            layers.DepthwiseConv2D(3, depth_multiplier=2, activation="tanh", name="depthwise"),
            layers.MaxPooling2D(3, strides=2, name="pool"),
            layers.Conv2D(4, 3, groups=2, dilation_rate=2, padding="same", activation="sigmoid", name="grouped"),
            layers.Flatten(name="flatten"),
            layers.Dense(5, bias_initializer="normal", name="decision"),
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["half_filters", "shortcut", "mobile", "uneven"])
def test_an_onnx_file_answers_as_keras(name, exported_onnx):
    """ONNX Runtime gives the answers of Keras on the panel, to 1e-4: kernels and flattened maps are in order."""
    model = {"mobile": lambda: shaken(build("mobile")), "uneven": uneven}.get(name, lambda: conversions.network(name))()
    pictures = conversions.faces().inputs((0.0, 1.0))[::4]
    ours = exported_onnx.answer(exported_onnx.to_onnx(model), pictures)
    np.testing.assert_allclose(ours, model.predict_on_batch(pictures), atol=1e-4)


def test_the_oracle_sees_a_wrong_order(exported_onnx, monkeypatch):
    """Were the flattened maps not put in PyTorch's order, the answers would differ."""
    real = exported_onnx._dense
    monkeypatch.setattr(exported_onnx, "_dense", lambda graph, layer, _: real(graph, layer, None))
    pictures = conversions.faces().inputs((0.0, 1.0))[::4]
    ours = exported_onnx.answer(exported_onnx.to_onnx(conversions.network("half_filters")), pictures)
    assert np.abs(ours - conversions.network("half_filters").predict_on_batch(pictures)).max() > 0.1


def test_logits_are_those_of_the_softmax(exported_onnx):
    """Without its last step the file gives scores whose softmax Keras answers."""
    pictures = conversions.faces().inputs((0.0, 1.0))[::4]
    model = conversions.network("half_filters")
    scores = exported_onnx.answer(exported_onnx.to_onnx(model, logits=True), pictures)
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    np.testing.assert_allclose(raised / raised.sum(axis=1, keepdims=True), model.predict_on_batch(pictures), atol=1e-4)
    assert np.abs(scores).max() > 1


def test_a_quantised_onnx_file_answers_alike(exported_onnx):
    """Eight bits with QDQ nodes change no answer of the panel, and a third of the size is left."""
    import onnx

    model, panel = conversions.network("half_filters"), conversions.faces()
    whole = exported_onnx.to_onnx(model)
    small = exported_onnx.quantised(whole, conversions.pictures(panel))
    kinds = {node.op_type for node in onnx.load_from_string(small).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear", "Conv"} <= kinds
    assert len(small) < len(whole) / 3
    pictures = panel.inputs((0.0, 1.0))
    ours, source = exported_onnx.answer(small, pictures), model.predict_on_batch(pictures)
    np.testing.assert_array_equal(ours.argmax(axis=1), source.argmax(axis=1))
    assert 1e-3 < np.abs(ours - source).max() <= ALIKE


@pytest.mark.parametrize("layer", [keras.layers.AveragePooling2D(2), keras.layers.MaxPooling2D(2, padding="same")])
def test_what_is_not_written_is_refused(layer, exported_onnx):
    """A layer that the writer does not know is an error, never left out."""
    model = keras.Sequential([keras.layers.Input((8, 8, 1)), layer, keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="not written as ONNX here"):
        exported_onnx.to_onnx(model)
