"""A verdict in MLflow: names that it takes, what is left out, and a run on a real server where MLflow is installed."""

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from modelcheck.__main__ import main
from modelcheck.gate.tracking import list_metrics, list_tags
from reports import make_case, make_document


@given(
    st.lists(st.tuples(st.sampled_from(["kappa", "subject_accuracy"]), st.text(max_size=300)), unique=True, max_size=20)
)
def test_names_are_taken_and_stay_distinct(keys):
    """Whatever a layer or a person is called, MLflow takes the name, and no two things share one."""
    values = {metric: {about: 0.5 for name, about in keys if name == metric} for metric, _ in keys}
    names = list_metrics({"metrics": values})
    assert len(names) == len(keys)
    for name in names:
        assert len(name) <= 250
        assert all(letter.isascii() and (letter.isalnum() or letter in "_-. /") for letter in name)
        assert all(part.strip(".") for part in name.split("/")[:-1])


def test_what_was_not_measured_is_left_out():
    """None, NaN and infinity are no numbers, and never become 0."""
    values = {"kappa": {"": None}, "likeness": {"decision": math.nan}, "reach": {"": math.inf}, "answers": {"": 2.0}}
    assert list_metrics({"metrics": values}) == {"answers": 2.0}


def test_tags_name_what_was_judged():
    """The answer, the scope and the digests of candidate, baseline and panel are tags of one line."""
    document = make_document(make_case()[1])
    tags = list_tags(document)
    assert tags["modelcheck.verdict"] == document["verdict"]
    assert tags["modelcheck.candidate.sha256"] == document["candidate"]["sha256"]
    assert tags["modelcheck.panel"] == document["panel"]["digest"]
    assert all("\n" not in value for value in tags.values())


def test_without_mlflow_the_command_says_what_to_install(tmp_path, monkeypatch):
    """An extra that is missing is one line and exit code 4."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setitem(sys.modules, "mlflow.entities", None)
    (tmp_path / "verdict.json").write_text(json.dumps(make_document(make_case()[1])))
    done = CliRunner().invoke(main, ["mlflow", str(tmp_path)])
    assert done.exit_code == 4
    assert "pip install 'modelcheck[mlflow]'" in done.output


def test_a_changed_verdict_is_not_logged(tmp_path):
    """The document is read strictly before MLflow is asked for anything."""
    document = make_document(make_case()[1])
    (tmp_path / "verdict.json").write_text(json.dumps({**document, "digest": "0" * 64}))
    done = CliRunner().invoke(main, ["mlflow", str(tmp_path)])
    assert done.exit_code == 4
    assert "was changed after it was written" in done.output


@pytest.fixture
def server(tmp_path):
    """Start a tracking server on the loopback and return its address."""
    program = shutil.which("mlflow")
    if program is None:
        pytest.skip("MLflow's server is not installed: pip install mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = [f"--backend-store-uri=sqlite:///{tmp_path}/mlflow.db", f"--artifacts-destination={tmp_path}/artifacts"]
    process = subprocess.Popen(
        [program, "server", "--host=127.0.0.1", f"--port={port}", "--workers=1", *store],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


@pytest.mark.slow
def test_a_server_holds_what_the_verdict_holds(server, tmp_path):
    """On a real server the run has every number, the tags and the very bytes of the verdict; a red one is FAILED."""
    tracking = pytest.importorskip("mlflow.tracking", reason="MLflow's client is not installed: modelcheck[mlflow]")
    folder = tmp_path / "report"
    folder.mkdir()
    document = make_document(make_case()[1])
    (folder / "verdict.json").write_text(json.dumps(document))
    (folder / "index.html").write_text("<p>page</p>")
    done = CliRunner().invoke(main, ["mlflow", str(folder), "--experiment", "gate", "--tracking-uri", server])
    assert done.exit_code == 0, done.output
    client = tracking.MlflowClient(tracking_uri=server)
    [run] = client.search_runs([client.get_experiment_by_name("gate").experiment_id])
    assert run.data.metrics == list_metrics(document)
    assert {key: run.data.tags[key] for key in list_tags(document)} == list_tags(document)
    assert run.info.status == ("FINISHED" if document["verdict"] == "pass" else "FAILED")
    kept = client.download_artifacts(run.info.run_id, "modelcheck/verdict.json", str(tmp_path))
    assert Path(kept).read_bytes() == (folder / "verdict.json").read_bytes()
    again = CliRunner().invoke(main, ["mlflow", str(folder), "--run-id", run.info.run_id, "--tracking-uri", server])
    assert again.exit_code == 0, again.output
    assert len(client.search_runs([run.info.experiment_id])) == 1
