"""A verdict in MLflow: numbers as metrics, what was judged as tags, the report as artefacts of one run."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcheck.gate.reading import read_verdict
from modelcheck.judgement.document import VerdictDocument
from modelcheck.support.escaping import clean

__all__ = ["Tracked", "TrackingError", "list_metrics", "list_tags", "log_to_mlflow"]

_ARTEFACTS = ("index.html", "verdict.json", "summary.md", "pictures")
_STRANGE = re.compile(r"[^\w .\-/]", re.ASCII)
_LONGEST = 200  # of the 250 characters that every store of MLflow takes


class TrackingError(ValueError):
    """A verdict that could not be logged; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """What was logged, and where.

    Parameters
    ----------
    run_id : str
        The run of MLflow.
    metrics : int
        How many numbers it got.
    left_out : int
        How many could not be measured, and are no numbers.
    """

    run_id: str
    metrics: int
    left_out: int


def list_metrics(document: VerdictDocument) -> dict[str, float]:
    """Return every number of a verdict under a name that MLflow takes; what was not measured is left out.

    A name that holds other characters than MLflow takes, or is too long, is written without them,
    and ends in eight digits of its own digest, so that no two become one.

    Parameters
    ----------
    document : VerdictDocument
        What a run came to.

    Examples
    --------
    >>> list_metrics({"metrics": {"kappa": {"": 0.9}, "subject_accuracy": {"ada": 0.5, "ben": None}}})
    {'kappa': 0.9, 'subject_accuracy/ada': 0.5}
    """
    made = {}
    for metric, values in document["metrics"].items():
        for about, value in values.items():
            if value is not None and math.isfinite(value):
                made[_name(metric, about)] = float(value)
    return made


def _name(metric: str, about: str) -> str:
    whole = f"{metric}/{about}" if about else metric
    # Parts of a path that only lead elsewhere are refused by MLflow's file store.
    plain = "/".join(part if part.strip(".") else "_" for part in _STRANGE.sub("_", whole)[:_LONGEST].split("/"))
    return plain if plain == whole else f"{plain}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def list_tags(document: VerdictDocument) -> dict[str, str]:
    """Return what a verdict was about: the answer, the scope, and the digests of what was judged.

    Parameters
    ----------
    document : VerdictDocument
        What a run came to.
    """
    parts: dict[str, Mapping[str, Any] | None] = {
        "candidate": document["candidate"],
        "baseline": document["baseline"],
    }
    told = {
        "verdict": document["verdict"],
        "scope": document["scope"],
        "enforced": str(document["enforced"]).lower(),
        "run_id": document["run_id"] or "",
        "digest": document["digest"],
        "panel": (document["panel"] or {"digest": ""})["digest"],
    }
    for role, part in parts.items():
        for key in ("file", "sha256", "signature"):
            if part and part.get(key):
                told[f"{role}.{key}"] = str(part[key])
    return {f"modelcheck.{key}": clean(value, longest=400) for key, value in told.items() if value}


def log_to_mlflow(folder: Path, *, experiment: str, uri: str | None = None, run_id: str | None = None) -> Tracked:
    """Log the report in a folder as one run of MLflow.

    The verdict is read strictly first: one that is damaged or was changed is not logged. The run
    ends as ``FINISHED`` where the verdict is a pass, and as ``FAILED`` otherwise; a run that was
    given keeps its state.

    Parameters
    ----------
    folder : Path
        The report's folder, with ``verdict.json``.
    experiment : str
        The experiment, made where it is missing.
    uri : str, optional
        The tracking server; by default what MLflow takes from the environment.
    run_id : str, optional
        A run that there is, for example that of the training: it receives the verdict.

    Raises
    ------
    DocumentError
        When there is no verdict that can be read.
    TrackingError
        When MLflow is not installed, or the server or the run cannot be had.
    """
    document = read_verdict(folder / "verdict.json")
    try:
        from mlflow.entities import Metric, RunTag
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise TrackingError("Logging takes MLflow's client: pip install 'modelcheck[mlflow]'") from error
    metrics = list_metrics(document)
    total = sum(len(values) for values in document["metrics"].values())
    try:
        client = MlflowClient(tracking_uri=uri)
        given = run_id is not None
        if run_id is None:
            known = client.get_experiment_by_name(experiment)
            at = known.experiment_id if known is not None else client.create_experiment(experiment)
            run_id = client.create_run(at, run_name=_run_name(document)).info.run_id
        now = client.get_run(run_id).info.start_time
        client.log_batch(
            run_id,
            metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
            tags=[RunTag(key, value) for key, value in list_tags(document).items()],
        )
        for name in _ARTEFACTS:
            path = folder / name
            if path.is_dir():
                client.log_artifacts(run_id, str(path), f"modelcheck/{name}")
            elif path.exists():
                client.log_artifact(run_id, str(path), "modelcheck")
        if not given:
            client.set_terminated(run_id, "FINISHED" if document["verdict"] == "pass" else "FAILED")
    except (MlflowException, OSError) as error:
        where = uri or "the tracking server of the environment (MLFLOW_TRACKING_URI)"
        raise TrackingError(
            f"The verdict could not be logged to {clean(where)}: {clean(error, longest=300)}"
        ) from error
    return Tracked(run_id=run_id, metrics=len(metrics), left_out=total - len(metrics))


def _run_name(document: VerdictDocument) -> str:
    candidate = document["candidate"]
    return clean(f"modelcheck {candidate['file'] if candidate else 'no candidate'}", longest=120)
