"""From a network's file to its signature, by what the file is; only a Keras network takes TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from modelcheck.modelfile import FORMATS, tell_format
from modelcheck.runtimes import NetworkError
from modelcheck.signature import Signature

if TYPE_CHECKING:
    from modelcheck.interface import Interface
    from modelcheck.measurement.exchange import ExchangePartner
    from modelcheck.panel import Panel
    from modelcheck.recipe import Recipe

__all__ = ["measure"]


def measure(
    model_path: str | os.PathLike[str],
    panel: Panel,
    recipe: Recipe | None = None,
    *,
    stimuli: Signature | ExchangePartner | None = None,
    interface: Interface | None = None,
    twins: bool = True,
    stop_where_misread: bool = False,
    custom_objects: Sequence[str] = (),
    progress: Callable[[str, float], None] | None = None,
) -> Signature:
    """Measure a network on a panel.

    Parameters
    ----------
    model_path : str or path-like
        A ``.keras``, ``.tflite`` or ``.onnx`` file; which of them, its first bytes say.
    panel : Panel
        Held-out pictures, whose size and classes fit the network.
    recipe : Recipe, optional
        How to measure. From a LiteRT or ONNX file nothing is rendered, and of the attribution
        methods it can be asked for occlusion and RISE.
    stimuli : Signature or ExchangePartner, optional
        Another network, usually the baseline, whose maps are shown to this one: those of the
        decision, and where it was measured with the same panel and recipe those of each hidden
        layer to the layer that corresponds to it. An `modelcheck.measurement.ExchangePartner` adds
        its file, for the way back, and given counterparts of its layers. A LiteRT or ONNX file is
        shown the maps of the decision.
    interface : Interface, optional
        How the network's inputs and outputs are to be understood. Scores of outputs that mean one
        class are joined by logsumexp, as their probabilities add.
    twins : bool
        Whether to measure the recipe's untrained twins too; a baseline does without, and a LiteRT or
        ONNX file has none.
    stop_where_misread : bool
        Whether a network that surely answers better with its pictures preprocessed otherwise, or its
        outputs in another order, is an error, before anything is rendered.
    custom_objects : sequence of str
        Classes outside Keras that are knowingly allowed; see
        `modelcheck.network.loading.load_network`.
    progress : callable, optional
        ``progress(what, share_done)``, called as work proceeds.

    Returns
    -------
    Signature
        Everything that is kept of the network.

    Raises
    ------
    ScanError
        When a LiteRT or ONNX file is refused before anything runs it, or there is no such file.
    ModelError, NetworkError, PanelError
        When the file, the network or the panel cannot be measured together, the network does not
        answer as its layers do, or the partner's file is another network than the one behind its
        signature; or a LiteRT or ONNX file is measured with what only Keras networks have.
    SignatureError
        When a layer has a name under which nothing can be kept.
    CompareError
        When given counterparts name a layer that is not there.

    Examples
    --------
    >>> from modelcheck import Panel, Recipe
    >>> panel = Panel.load("baselines/drawn-faces/panel.npz")
    >>> light = Recipe(steps=1, copies=1, starts=1, units_per_layer=1, untrained_twins=0,
    ...                sticker_faces=0, probe_pictures=8, attribution_methods=())
    >>> measure("networks/half_filters.keras", panel, light).scores.shape
    (224, 2)
    """
    format_ = tell_format(model_path)
    if format_ == "keras":
        from modelcheck.measurement.measuring import measure_network

        return measure_network(
            model_path,
            panel,
            recipe,
            stimuli=stimuli,
            interface=interface,
            twins=twins,
            stop_where_misread=stop_where_misread,
            custom_objects=custom_objects,
            progress=progress,
        )
    from modelcheck.answers.measuring import measure_shipped

    if stimuli is None or isinstance(stimuli, Signature):
        shown, partner = stimuli, None
    else:
        shown, partner = stimuli.signature, stimuli
    said = {
        "stop_where_misread": stop_where_misread,
        "custom_objects": bool(custom_objects),
        "the partner's model": partner is not None and partner.model is not None,
        "the partner's layers": partner is not None and bool(partner.layers),
    }
    senseless = [name for name, given in said.items() if given]
    if senseless:
        raise NetworkError(
            f"{os.fspath(model_path)!r} is a file of {FORMATS[format_]}, from which nothing is rendered. Leave out: "
            f"{', '.join(senseless)}."
        )
    return measure_shipped(model_path, panel, recipe, stimuli=shown, interface=interface, progress=progress)
