"""From a network's file to its signature, by what the file is; only a Keras network takes TensorFlow."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, overload

from modelcheck.modelfile import FORMATS, tell_format
from modelcheck.panel import Panel, TablePanel
from modelcheck.recipe import Recipe
from modelcheck.runtimes import NetworkError
from modelcheck.signature import Signature, TableSignature
from modelcheck.table_recipe import TableRecipe

if TYPE_CHECKING:
    import keras

    from modelcheck.interface import Interface
    from modelcheck.measurement.exchange import ExchangePartner

__all__ = ["measure", "take_on_table"]


@overload
def measure(
    model: str | os.PathLike[str] | keras.Model,
    panel: Panel,
    recipe: Recipe | None = None,
    *,
    stimuli: Signature | ExchangePartner | None = None,
    interface: Interface | None = None,
    twins: bool = True,
    stop_where_misread: bool = False,
    custom_objects: Sequence[str] = (),
    progress: Callable[[str, float], None] | None = None,
) -> Signature: ...


@overload
def measure(
    model: str | os.PathLike[str] | keras.Model,
    panel: TablePanel,
    recipe: TableRecipe | None = None,
    *,
    stimuli: TableSignature | None = None,
    interface: Interface | None = None,
    twins: bool = True,
    stop_where_misread: bool = False,
    custom_objects: Sequence[str] = (),
    progress: Callable[[str, float], None] | None = None,
) -> TableSignature: ...


def measure(
    model: str | os.PathLike[str] | keras.Model,
    panel: Panel | TablePanel,
    recipe: Recipe | TableRecipe | None = None,
    *,
    stimuli: Signature | ExchangePartner | TableSignature | None = None,
    interface: Interface | None = None,
    twins: bool = True,
    stop_where_misread: bool = False,
    custom_objects: Sequence[str] = (),
    progress: Callable[[str, float], None] | None = None,
) -> Signature | TableSignature:
    """Measure a network on a panel.

    Parameters
    ----------
    model : str, path-like or keras.Model
        A ``.keras``, ``.tflite`` or ``.onnx`` file; which of them, its first bytes say. A network in
        memory is saved to a file for this, which goes again: its sha256 is another each time.
    panel : Panel or TablePanel
        Held-out pictures, whose size and classes fit the network; or held-out rows of a table,
        whose features and target do. On a table Keras networks alone are measured.
    recipe : Recipe or TableRecipe, optional
        How to measure, a `TableRecipe` on a table. From a LiteRT or ONNX file nothing is rendered, and of the
        attribution methods it can be asked for occlusion and RISE.
    stimuli : Signature, ExchangePartner or TableSignature, optional
        Another network, usually the baseline, whose maps are shown to this one: those of the
        decision, and where it was measured with the same panel and recipe those of each hidden
        layer to the layer that corresponds to it. An `modelcheck.measurement.ExchangePartner` adds
        its file, for the way back, and given counterparts of its layers. A LiteRT or ONNX file is
        shown the maps of the decision. On a table the profiles of the decision are shown.
    interface : Interface, optional
        How the network's inputs and outputs are to be understood. Scores of outputs that mean one
        class are joined by logsumexp, as their probabilities add.
    twins : bool
        Whether to measure the recipe's untrained twins too; a baseline does without, and a LiteRT or
        ONNX file has none.
    stop_where_misread : bool
        Whether a network that surely answers better with its pictures preprocessed otherwise, or its
        outputs in another order, is an error, before anything is rendered; on a table it changes
        nothing.
    custom_objects : sequence of str
        Classes outside Keras that are knowingly allowed; see
        `modelcheck.network.loading.load_network`.
    progress : callable, optional
        ``progress(what, share_done)``, called as work proceeds.

    Returns
    -------
    Signature or TableSignature
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
    with _as_file(model) as model_path:
        format_ = tell_format(model_path)
        if isinstance(panel, TablePanel):
            how, like = take_on_table(model_path, recipe, stimuli)
            from modelcheck.measurement.tables import measure_table

            return measure_table(
                model_path,
                panel,
                how,
                stimuli=like,
                interface=interface,
                twins=twins,
                custom_objects=custom_objects,
                progress=progress,
            )
        if isinstance(recipe, TableRecipe) or isinstance(stimuli, TableSignature):
            raise NetworkError(
                "The panel holds pictures, and the recipe or the other network's signature is of a table. Give a panel "
                "of the table: TablePanel.load"
            )
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
                f"{os.fspath(model_path)!r} is a file of {FORMATS[format_]}, from which nothing is rendered. Leave "
                f"out: {', '.join(senseless)}."
            )
        return measure_shipped(model_path, panel, recipe, stimuli=shown, interface=interface, progress=progress)


@contextmanager
def _as_file(model: Any) -> Iterator[str | os.PathLike[str]]:
    """Yield a network's file: its path, or where a network in memory was saved as long as the block lasts."""
    if isinstance(model, str | os.PathLike):
        yield model
        return
    if not callable(getattr(model, "save", None)) or not isinstance(getattr(model, "name", None), str):
        raise NetworkError(f"A network's file or a keras.Model is needed, not {type(model).__name__}.")
    with TemporaryDirectory(prefix="modelcheck-") as folder:
        path = Path(folder) / f"{re.sub(r'[^A-Za-z0-9._-]', '_', model.name)}.keras"
        model.save(path)
        yield path


def take_on_table(
    model_path: str | os.PathLike[str], recipe: object, stimuli: object
) -> tuple[TableRecipe | None, TableSignature | None]:
    """Return recipe and the other network's signature, after refusing what cannot be measured on a table.

    Raises
    ------
    NetworkError
        When the file is not a Keras network, or either is of pictures.
    """
    format_ = tell_format(model_path)
    if format_ != "keras":
        raise NetworkError(
            f"{os.fspath(model_path)!r} is a file of {FORMATS[format_]}, and the panel is of a table, on which Keras "
            "networks alone are measured. Give the Keras network that it was made from."
        )
    if not isinstance(recipe, TableRecipe | None) or not isinstance(stimuli, TableSignature | None):
        raise NetworkError(
            "The panel is of a table, and the recipe or the other network's signature is of pictures. Give a "
            "TableRecipe, and a baseline that was approved on a table."
        )
    return recipe, stimuli
