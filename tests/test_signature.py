"""The record: what is written is what is read, and nothing damaged is ever read."""

import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelcheck.comparison import compare
from modelcheck.signature import SignatureError, read_manifest, read_signature
from signatures import make_signature


@pytest.fixture
def written(tmp_path):
    """Return a signature and the folder it was written to."""
    signature = make_signature(twins=1)
    signature.write(tmp_path / "record")
    return signature, tmp_path / "record"


def test_round_trip(written):
    """Everything comes back: arrays, layers, recipe, twins, and the digest."""
    signature, folder = written
    back = read_signature(folder)
    assert back.digest() == signature.digest()
    assert (back.layers, back.recipe, back.class_names) == (signature.layers, signature.recipe, signature.class_names)
    assert len(back.twins) == len(signature.twins) == 1
    for layer in signature.maps:
        np.testing.assert_allclose(back.maps[layer], signature.maps[layer], atol=1e-3, equal_nan=True)
    np.testing.assert_array_equal(back.regions, signature.regions)
    for method, maps in signature.attributions.items():
        np.testing.assert_allclose(back.attributions[method], maps, atol=1e-3 * np.abs(maps).max())


def test_writing_twice_gives_the_same_bytes(tmp_path):
    """The record does not know when or where it was written."""
    for name in ("a", "b"):
        make_signature().write(tmp_path / name)
    one, other = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("a", "b"))
    assert one == other


@pytest.mark.parametrize("part", ["augments", "own_scaling"])
@pytest.mark.parametrize("wrong", [3, ["a", 3], "a"])
def test_what_is_said_of_a_network_is_names(written, part, wrong):
    """A sound manifest with another value in a list of layers is an error when it is read, not where it is shown."""
    signature, folder = written
    replace(signature, model={**signature.model, part: wrong}).write(folder)
    with pytest.raises(SignatureError, match="model"):
        read_manifest(folder)


def test_other_files_are_left_alone_and_stale_members_go(written):
    """A new record replaces the old one's members; a panel or a history beside it stays."""
    _, folder = written
    (folder / "HISTORY.md").write_text("kept")
    make_signature("other", seed=5).write(folder)
    names = {path.name for path in folder.iterdir()}
    assert names == {"HISTORY.md", "manifest.json", *read_manifest(folder)["members"]}
    assert read_signature(folder).model["name"] == "other"


@pytest.mark.slow
def test_every_flipped_byte_is_noticed(written):
    """One changed byte, anywhere in any member or the manifest, is refused; the intact record is read."""
    _, folder = written
    generator = np.random.default_rng(0)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        places = generator.choice(len(whole), size=min(len(whole), 60), replace=False)
        for place in [0, len(whole) - 1, *places.tolist()]:
            damaged = bytearray(whole)
            damaged[place] ^= int(generator.integers(1, 256))
            path.write_bytes(bytes(damaged))
            with pytest.raises(SignatureError):
                read_signature(folder)
        path.write_bytes(whole)
    read_signature(folder)


def test_missing_and_truncated_members_are_named(written):
    """The message says which file, and what to do."""
    _, folder = written
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(SignatureError, match=r"damaged|Restore"):
            read_signature(folder)
        path.unlink()
        with pytest.raises(SignatureError, match=r"missing|no signature"):
            read_signature(folder)
        path.write_bytes(whole)


def test_a_newer_format_is_refused(written):
    """A record of a later version is named as such, not misread."""
    _, folder = written
    document = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**document, "format": 99}))
    with pytest.raises(SignatureError, match="has format 99"):
        read_signature(folder)


def test_pickles_are_never_read(written):
    """An array of objects, which only unpickling could read, is refused although it is listed."""
    signature, folder = written
    bad = replace(signature, scores=np.array([[object()]], dtype=object))
    with pytest.raises((SignatureError, TypeError, ValueError)):
        bad.write(folder)
    read_signature(folder)


def test_an_unknown_layer_is_an_error(written):
    """Asking for a layer that is not there lists those that are."""
    signature, _ = written
    with pytest.raises(SignatureError, match="has no layer 'nothing'"):
        signature.layer("nothing")


COMMITTED = Path(__file__).parents[1] / "baselines" / "drawn-faces"
DIGESTS = [
    "4832d5cc15081dcce40d1c28d82e50f934b55bef46ddaed5f9b66b5f10c25520",
    "425feb79c10941a43bd14446d0fa7f0dd14a13f784abfcb085590f8f8fbd72e5",
    "50897a2a26529f1542cd0b0ae227da5be6ea247e955c131894e6e96c34809eed",
    "04ba27672a8f8a637bc400590d4f5aa1244a5c212641dec66a6eec78255c6e90",
    "11d0d66097a968a77c6e0e5488b6f42be1e714b92fce227573ca4657903ed3a3",
    "8b22736558664915b313611cee1232c24ad27644932ef3b38f5a53c5a08ae13a",
    "5d91556462b52e23e1cb126af4c0d05293dc1fd82a04ed156f7ac92ff46be049",
]


def test_records_of_earlier_versions_keep_their_digests(tmp_path):
    """The committed baseline and its twins have the digests they had, also when written again."""
    baseline = read_signature(COMMITTED)
    assert [network.digest() for network in (baseline, *baseline.retrained)] == DIGESTS
    assert read_manifest(COMMITTED)["members"].keys() == {path.name for path in COMMITTED.glob("*-*.npz")}
    baseline.write(tmp_path)
    assert read_signature(tmp_path).digest() == DIGESTS[0]


@pytest.mark.slow
def test_an_exchange_of_an_earlier_version_gives_the_same_numbers():
    """What a kept twin answered to the committed baseline's maps is read as their exchange."""
    baseline = read_signature(COMMITTED)
    assert baseline.exchange is None
    shown = baseline.stimuli_sha256()
    assert {twin.exchange.stimuli_sha256 for twin in baseline.retrained} == {shown}
    answered = replace(baseline, exchange=baseline.retrained[0].exchange)
    metrics = compare(replace(baseline, retrained=()), answered).metrics
    assert metrics["transfer[decision]"] == pytest.approx(0.320537, abs=2e-6)
    assert math.isfinite(metrics["recognition[decision]"])


WRITER = """
import sys
from signatures import make_signature
folder = sys.argv[1]
pair = [make_signature("one", seed=1), make_signature("two", seed=2)]
print("ready", flush=True)
while True:
    for signature in pair:
        signature.write(folder)
"""


@pytest.mark.slow
def test_killed_at_any_moment_the_record_is_whole(tmp_path):
    """A writer that alternates between two records is killed at random moments; the old or the new one is there."""
    folder = tmp_path / "record"
    make_signature("one", seed=1).write(folder)
    digests = {make_signature(name, seed=seed).digest() for name, seed in (("one", 1), ("two", 2))}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    generator = np.random.default_rng(0)
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, env=environment
        ) as child:
            child.stdout.readline()
            time.sleep(float(generator.uniform(0.0, 0.1)))
            child.send_signal(signal.SIGKILL)
        assert read_signature(folder).digest() in digests
    shutil.rmtree(folder)


def test_the_command_for_a_missing_signature_is_quoted(tmp_path):
    """A folder with a space in its name is one word of the command."""
    with pytest.raises(SignatureError) as refused:
        read_manifest(tmp_path / "my release")
    words = shlex.split(str(refused.value).partition("Make one with: ")[2])
    assert words[words.index("--to") + 1] == str(tmp_path / "my release")
