"""Workers: the same bytes whatever the blocks and whoever measures them, and a killed one is started once more."""

import hashlib
import json
import os
import signal
import sys
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from killing import kill_a_worker_mid_way
from modelcheck.gate import child, cluster, worker, workers
from modelcheck.gate.child import ChildError, KilledError, RefusedError, measure_in_child, scan_in_child
from modelcheck.gate.entries import KEY
from modelcheck.gate.jobs import Job, measure_all, measure_once
from modelcheck.gate.progress import JoinedProgress, progress_line, read_progress
from modelcheck.gate.request import Request, RequestError
from modelcheck.gate.settings import Settings, SettingsError, read_settings
from modelcheck.gate.splitting import split
from modelcheck.gate.worker import pack_task, unpack_result, work
from modelcheck.gate.workers import open_workers
from modelcheck.measurement import ExchangePartner, measuring
from modelcheck.measurement.measuring import measure_block, measure_network
from modelcheck.modelfile import ScanReport, scan_model
from modelcheck.recipe import Recipe
from modelcheck.signature import SignatureError, read_signature
from modelcheck.signature.parts import PART, Block, Part, StagePart, join_parts, pack_part, take_stage, unpack_part
from modelcheck.signature.storage import flatten_arrays
from networks import plain
from signatures import make_panel, make_signature, show

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras saves so
ROOT = Path(__file__).parents[1]
LIGHT = Recipe(
    steps=2,
    copies=1,
    units_per_layer=2,
    probe_pictures=6,
    attribution_methods=("smoothgrad",),
    smoothgrad_samples=2,
    untrained_twins=1,
    sticker_faces=0,
)
RECORD = show(make_signature("a", twins=2), make_signature("b", twins=0))
SECRET = "0123456789abcdef" * 2


def bytes_of(folder):
    """Return what a record's folder holds, by name, without what is for information alone."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "timing.json"}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Return a folder with a network, its partner's file and signature, and what one process measures of it."""
    folder = tmp_path_factory.mktemp("workers")
    panel = make_panel(subjects=("ada", "ben"), size=(12, 10), per_subject=6)
    panel.save(folder / "panel.npz")
    for name, seed in (("release", 4), ("candidate", 5)):
        plain(seed=seed).save(folder / f"{name}.keras")
    measure_network(folder / "release.keras", panel, LIGHT, twins=False).write(folder / "baseline")
    like = read_signature(folder / "baseline")
    partner = ExchangePartner(signature=like, model=folder / "release.keras")
    measure_network(folder / "candidate.keras", panel, LIGHT, stimuli=partner).write(folder / "whole")
    return folder, panel, partner


def asked(folder, **change):
    """Return the request for the candidate that is measured whole."""
    values = {
        "network": folder / "candidate.keras",
        "panel": folder / "panel.npz",
        "like": folder / "baseline",
        "baseline_model": folder / "release.keras",
    }
    return Request(**{**values, **change})


@pytest.mark.slow
@pytest.mark.parametrize("stages", [[(0, 1)], [(0,), (1,)]], ids=["by layers", "by layers and networks"])
def test_blocks_measure_what_one_process_measures(stages, measured, tmp_path):
    """However a measurement is split, the stored files are those of one process, to the byte."""
    folder, panel, partner = measured
    parts = [
        measure_block(
            folder / "candidate.keras",
            panel,
            LIGHT,
            block=Block(stages=some, group=group, groups=2),
            stimuli=partner,
        )
        for some in reversed(stages)
        for group in (1, 0)
    ]
    assert {at for part in parts for stage in part.stages for at in stage.layers} == {0, 1, 2, 3}
    join_parts([unpack_part(pack_part(part)) for part in parts]).write(tmp_path)
    assert bytes_of(tmp_path) == bytes_of(folder / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("panel_of", ["its own", "another"])
def test_what_is_known_of_a_network_is_what_it_measures(panel_of, measured, tmp_path, monkeypatch):
    """A network that meets its own signature is not rendered again, and what is kept of it is the same to the bit."""
    folder, panel, _ = measured
    path = folder / "release.keras"
    like = read_signature(folder / "baseline")
    measure_network(path, panel, LIGHT, stimuli=ExchangePartner(signature=like)).write(tmp_path / "whole")
    measure_stage = measuring._measure_stage
    stages = []
    monkeypatch.setattr(
        measuring,
        "_measure_stage",
        lambda inputs, stage, **given: stages.append(stage) or measure_stage(inputs, stage, **given),
    )
    if panel_of == "another":
        like = replace(like, panel_digest="0" * 64)
    partner = ExchangePartner(signature=like, known=True)
    measure_network(path, panel, LIGHT, stimuli=partner).write(tmp_path / "known")
    if panel_of == "another":
        assert stages == [0, 1], "what was measured of other pictures is not taken"
        return
    assert stages == [1], "its untrained twin alone"
    assert read_signature(tmp_path / "known").digest() == read_signature(tmp_path / "whole").digest()


def as_part(signature):
    """Return a record as the part that one block with everything would have made."""
    stages = [
        replace(take_stage(one, range(len(one.layers))), stage=number, exchange=one.exchange)
        for number, one in enumerate((signature, *signature.twins))
    ]
    return Part(sha256=hashlib.sha256(b"network").hexdigest(), stages=tuple(stages), seconds_per_picture=0.25)


def cut(stage, positions):
    """Return what a block with only these layers would have made of one network."""
    layers = {at: record for at, record in stage.layers.items() if at in positions}
    names = {record.name for record in layers.values()}
    exchange = stage.exchange
    if exchange is not None:
        mine = {other for other, own in exchange.counterparts.items() if own in names}
        tables = {
            name: {layer: table for layer, table in getattr(exchange, name).items() if layer in mine}
            for name in ("unit_answers", "unit_answers_back")
        }
        exchange = replace(exchange, **tables)
    return StagePart(
        stage=stage.stage,
        layers=layers,
        arrays={name: {at: x for at, x in table.items() if at in names} for name, table in stage.arrays.items()},
        exchange=exchange,
        rest=stage.rest if max(stage.layers) in positions else None,
    )


@pytest.mark.slow
@settings(deadline=None)
@given(data=st.data())
def test_any_grouping_in_any_order_joins_to_the_same_record(data):
    """Layers and networks dealt out to blocks in any way, sent as bytes, ending in any order: one digest."""
    whole = as_part(RECORD)
    count = len(RECORD.layers)
    pieces = []
    for stage in whole.stages:
        dealt = data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
        groups = [{at for at, to in enumerate(dealt) if to == group} for group in range(3)]
        pieces += [replace(whole, stages=(cut(stage, group),)) for group in groups if group]
    joined = join_parts([unpack_part(pack_part(piece)) for piece in data.draw(st.permutations(pieces))])
    assert joined.digest() == RECORD.digest()
    assert flatten_arrays(joined).keys() == flatten_arrays(RECORD).keys()
    assert list(flatten_arrays(joined)) == list(flatten_arrays(RECORD)), "the order decides the bytes of the files"


def test_blocks_that_do_not_fit_are_refused():
    """A layer or a network that is missing or there twice, or of another file, makes no record."""
    whole = as_part(RECORD)
    last = len(RECORD.layers) - 1
    hidden, decision = (replace(whole, stages=(cut(whole.stages[0], at),)) for at in (set(range(last)), {last}))
    other = replace(decision, sha256="0" * 64)
    for parts in ([hidden], [decision], [hidden, hidden, decision], [hidden, other]):
        with pytest.raises(SignatureError, match="block"):
            join_parts(parts)
    twin = replace(whole, stages=whole.stages[1:])
    with pytest.raises(SignatureError, match="number 0 was not measured"):
        join_parts([twin])


@pytest.mark.parametrize("data", [b"", b"PK", pack_part(as_part(make_signature("a", twins=0)))[:-40]])
def test_a_damaged_part_is_refused(data):
    """Bytes that are no part are an error, and nothing is unpickled."""
    with pytest.raises(SignatureError, match="cannot be read"):
        unpack_part(data)


@pytest.mark.parametrize(
    "values", [{}, {"stages": [0], "group": 1, "groups": 1}, {"stages": [], "group": 0, "groups": 1}, {"stages": "ab"}]
)
def test_a_block_that_is_none_is_refused(values):
    """A request whose block is no block is refused by name."""
    text = json.dumps({"network": "n", "panel": "p", "block": values})
    with pytest.raises(RequestError, match="block"):
        Request.from_json(text)
    block = Block(stages=(0, 2), group=1, groups=3)
    assert Request.from_json(Request(network=Path("n"), panel=Path("p"), block=block).to_json()).block == block


NETWORK = Path(__file__).parents[1] / "networks" / "half_filters.keras"
SHA = hashlib.sha256(NETWORK.read_bytes()).hexdigest()
BLOCKS = tuple(Block(stages=(0, 1, 2), group=group, groups=3) for group in range(3))


@pytest.fixture
def faked(tmp_path, monkeypatch):
    """Return a function that measures a network in three invented blocks, and what was done: requests and limits.

    ``happen(group)`` is called in the place of each measuring process, before it writes its part.
    """
    record = replace(RECORD, model={**RECORD.model, "sha256": SHA})
    whole = replace(as_part(record), sha256=SHA)
    done = []

    def carry_out(request, target, *, settings, seconds=None, stopped=None, tell=None):
        group = request.block.group
        done.append(group)
        call.happen(group, stopped)
        if tell is not None:
            tell(progress_line(f"group {group}", 1.0))
        mine = {at for at in range(len(RECORD.layers)) if at % 3 == group}
        target.mkdir(parents=True)
        part = replace(whole, stages=tuple(cut(stage, mine) for stage in whole.stages))
        (target / PART).write_bytes(pack_part(part))

    for module in (workers, worker):
        monkeypatch.setattr(module, "carry_out", carry_out)
    monkeypatch.setattr(workers, "split", lambda request, report: BLOCKS)
    monkeypatch.setattr(child, "scan_in_child", lambda path, **_: scan_model(path))
    monkeypatch.delenv(KEY, raising=False)
    make_panel().save(tmp_path / "panel.npz")
    request = Request(network=NETWORK, panel=tmp_path / "panel.npz", recipe=Recipe())

    def call(*, executor=None, tell=None, copies=1, **values):
        chosen = Settings(**{"cache": tmp_path / ".modelcheck", "workers": None if executor else 2, **values})
        jobs = [Job(request=request, digests={"copy": str(number)}) for number in range(copies)]
        return measure_all(jobs, settings=chosen, tell=tell, executor=executor)

    call.happen = lambda group, stopped: None
    call.done = done
    call.cache = tmp_path / ".modelcheck" / "signatures"
    call.record = record
    return call


def once(error, group=1):
    """Return what raises an error at the first measurement of a group."""
    raised = []

    def happen(which, _stopped):
        if which == group and not raised:
            raised.append(which)
            raise error

    return happen


def test_blocks_are_joined_and_leave_nothing_behind(faked, tmp_path):
    """Three blocks in two workers give the record, under today's key, and their files go."""
    (found,) = faked()
    assert found.measured == "now"
    faked.record.write(tmp_path / "record")
    assert bytes_of(tmp_path / "record") == bytes_of(next(faked.cache.glob("*/manifest.json")).parent)
    assert sorted(faked.done) == [0, 1, 2]
    assert not list(faked.cache.glob("*.blocks"))
    assert found.seconds_per_picture == 0.25
    (again,) = faked()
    assert again.measured == "cached"
    assert len(faked.done) == 3


@pytest.mark.slow
@pytest.mark.parametrize("error", [KilledError("ended by signal 9"), BrokenProcessPool("a process died")])
def test_a_killed_worker_is_started_once_more(faked, error):
    """What was killed once is measured again, and nothing else is."""
    faked.happen = once(error)
    (found,) = faked()
    assert found.measured == "now"
    assert sorted(faked.done) == [0, 1, 1, 2]


def test_what_is_killed_twice_is_red(faked):
    """A block that is killed each time is an error that says so, and no signature is there."""

    def happen(group, _stopped):
        if group == 1:
            raise KilledError("Measuring 'a.keras' failed (ended by signal 11)")

    faked.happen = happen
    (found,) = faked()
    assert isinstance(found, ChildError)
    assert "signal 11" in str(found)
    assert "started twice" in str(found)
    assert faked.done.count(1) == 2


@pytest.mark.parametrize("error", [RefusedError("no such class"), ChildError("ran out of memory")])
def test_a_refusal_is_not_tried_again(faked, error):
    """What is refused, or takes too much memory, is an error at once, of the same type and words."""
    faked.happen = once(error, group=0)
    (found,) = faked()
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert faked.done.count(0) == 1


def test_one_network_that_fails_stops_no_other(faked):
    """Of several networks the others are measured, in the order in which they were given."""
    faked.happen = once(RefusedError("no"), group=2)
    found = faked(copies=3)
    assert sum(isinstance(one, RefusedError) for one in found) == 1
    assert len(found) == 3


@pytest.mark.parametrize("key", ["", SECRET])
def test_a_stopped_run_goes_on_where_it_was(faked, monkeypatch, key):
    """Blocks of a run that failed are not measured again; with a key, only if that key sealed them."""
    monkeypatch.setenv(KEY, key)
    faked.happen = once(ChildError("the disk is full"), group=2)
    (found,) = faked(workers=1)
    assert isinstance(found, ChildError)
    (kept,) = faked.cache.glob("*.blocks")
    assert len(list(kept.glob("*.npz"))) == 2
    if key:  # one is replaced by another run's, which has no key
        (path, *_) = sorted(kept.glob("*.txt"))
        path.write_text("0" * 64)
    faked.done.clear()
    (found,) = faked(workers=1)
    assert found.measured == "now"
    assert len(faked.done) == (2 if key else 1)


def test_a_damaged_block_is_measured_again(faked):
    """What is cut short in the cache is removed and measured anew."""
    faked.happen = once(ChildError("the disk is full"), group=2)
    faked(workers=1)
    (kept,) = faked.cache.glob("*.blocks")
    path = min(kept.glob("*.npz"))
    path.write_bytes(path.read_bytes()[:-100])
    faked.done.clear()
    (found,) = faked(workers=1)
    assert found.measured == "now"
    assert len(faked.done) == 2


@pytest.mark.slow
def test_the_limit_of_time_counts_for_the_network(faked):
    """When the blocks that are done took longer than the limit, the rest is not measured."""
    faked.happen = lambda group, stopped: time.sleep(0.3)
    (found,) = faked(workers=1, timeout=0.25)
    assert isinstance(found, ChildError)
    assert "all its blocks together" in str(found)
    assert len(faked.done) < 3


def test_an_interrupted_run_ends_every_process(faked):
    """When telling progress is interrupted, what is being measured is told to stop, and nothing new is started."""
    ended = []

    def happen(_group, stopped):
        end = time.monotonic() + 20
        while not stopped() and time.monotonic() < end:
            time.sleep(0.01)
        ended.append(stopped())
        raise ChildError("was stopped")

    faked.happen = happen
    told = threading.Event()

    def interrupt():
        while not faked.done:
            time.sleep(0.01)
        told.set()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        faked(copies=4)
    assert told.is_set()
    assert ended
    assert all(ended)
    assert len(faked.done) <= 2


@pytest.mark.slow
def test_any_executor_is_sent_bytes(faked):
    """Another executor gets one function and bytes, and the record is the same."""
    sent = []

    class Executor(ThreadPoolExecutor):
        def submit(self, function, /, *given, **named):
            sent.append((function, [type(value) for value in given], named))
            return super().submit(function, *given, **named)

    with Executor(2) as executor:
        (found,) = faked(executor=executor)
    assert found.measured == "now", found
    assert sent == [(work, [bytes], {})] * 3
    (other,) = faked(cache=faked.cache.parents[1] / "other")
    assert other.signature.digest() == found.signature.digest()


def test_a_worker_with_other_versions_refuses(faked, monkeypatch):
    """A worker whose TensorFlow, or whose source, is another measures nothing, and names the difference."""
    task = pack_task(
        Request(network=NETWORK, panel=faked.cache.parents[1] / "panel.npz", recipe=Recipe(), block=BLOCKS[0]),
        settings=Settings(),
        seconds=10,
    )
    known = worker.describe_code()
    other = {**known, "versions": {**known["versions"], "tensorflow": "1.0"}}
    monkeypatch.setattr(worker, "describe_code", lambda: other)
    with pytest.raises(ChildError, match=r"tensorflow is 1\.0 here and 2"):
        work(task)
    monkeypatch.setattr(worker, "describe_code", lambda: {**known, "code": "f" * 64})
    with pytest.raises(ChildError, match="code is ffffffffffff here"):
        work(task)
    assert not faked.done


def test_a_worker_with_other_threads_refuses(monkeypatch):
    """A worker whose TensorFlow sums in another order measures nothing, and names the difference."""
    task = pack_task(Request(network=NETWORK, panel=NETWORK, recipe=Recipe()), settings=Settings(), seconds=10)
    here = os.environ.get("TF_NUM_INTRAOP_THREADS", "4")
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "17")
    with pytest.raises(ChildError, match=f"threads is 17 here and {here} where it is asked for"):
        work(task)


@pytest.mark.parametrize("data", [b"", b"no archive"])
def test_what_is_no_task_or_result_is_refused(data, tmp_path):
    """Bytes that are neither are an error that says so."""
    with pytest.raises(ChildError, match="task cannot be read"):
        work(data)
    with pytest.raises(ChildError, match="result of a worker cannot be read"):
        unpack_result(data, tmp_path / "result")


def test_the_share_of_several_is_one(faked):
    """The lines of all blocks of all networks give one share, which rises to the whole."""
    told = []
    faked.happen = once(KilledError("x"))
    faked(copies=2, tell=told.append)
    shares = [read_progress(line)[1] for line in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert all("half_filters.keras: " in line for line in told)


def test_a_share_that_starts_anew_does_not_fall():
    """Work that is done twice does not take the bar back."""
    told = []
    joined = JoinedProgress(told.append, ["", ""])
    for share in (0.4, 0.8, 0.1):
        joined.teller(0)(progress_line("x", share))
    joined.finish(1)
    assert [read_progress(line)[1] for line in told] == [0.2, 0.4, 0.4, 0.9]


def test_a_small_network_is_not_split_and_a_large_one_is():
    """Blocks follow from counts: none for seconds of work, each layer and network once for hours."""
    asked = Request(network=NETWORK, panel=Path("panel.npz"), recipe=Recipe(untrained_twins=1))
    assert split(asked, scan_model(NETWORK)) == ()
    large = ScanReport(file="a", sha256="", size=9_600_000, classes={"keras.layers>Conv2D": 53})
    light = replace(asked, recipe=Recipe(steps=16, units_per_layer=4, copies=4, untrained_twins=1))
    assert split(light, large) == (Block(stages=(0, 1), group=0, groups=2), Block(stages=(0, 1), group=1, groups=2))
    found = split(asked, large)
    assert {(block.stages, block.group) for block in found} == {((s,), g) for s in (0, 1) for g in range(8)}
    assert split(asked, replace(large, format="onnx")) == ()
    assert split(replace(asked, recipe=None), large) == ()


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        ("workers = 0", {}, "from 1 to 256"),
        ('workers = "2"', {}, "from 1 to 256"),
        ("", {"workers": "two"}, "from 1 to 256"),
        ('scheduler = "here"', {}, "tcp://"),
        ('scheduler = "tcp://h:1"\nworkers = 2', {}, "one of the two"),
    ],
)
def test_bad_settings_are_named(tmp_path, table, options, words):
    """Workers are a number, a scheduler is an address, and a run has one of the two."""
    (tmp_path / "pyproject.toml").write_text(f"[tool.modelcheck]\n{table}\n")
    if table == 'workers = "2"':
        assert read_settings(tmp_path).workers == 2
        return
    with pytest.raises(SettingsError, match=words):
        read_settings(tmp_path, options)


def test_what_is_typed_goes_before_the_file(tmp_path):
    """A scheduler on the command line takes the place of workers in the file."""
    (tmp_path / "pyproject.toml").write_text("[tool.modelcheck]\nworkers = 2\n")
    assert read_settings(tmp_path).workers == 2
    found = read_settings(tmp_path, {"scheduler": "tcp://h:8786"})
    assert (found.workers, found.scheduler) == (None, "tcp://h:8786")


def test_without_dask_the_extra_is_named(monkeypatch):
    """A scheduler without the library is an error with the command that installs it."""
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(SettingsError, match=r"modelcheck\[dask\]"), open_workers(Settings(scheduler="tcp://h:1")):
        pass


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    """An address where nobody listens is an error, soon, with what to do."""
    pytest.importorskip("distributed", reason="Dask is not installed")
    monkeypatch.setattr(cluster, "_WAIT", 0.5)
    address = "tcp://127.0.0.1:9"
    with pytest.raises(SettingsError, match="No Dask scheduler answers"), open_workers(Settings(scheduler=address)):
        pass


def test_no_secret_reaches_a_worker_s_process(tmp_path, monkeypatch):
    """Each process gets the same number of threads and harmless names; no token, no key of the cache."""
    given = {"HOME": "/home/ada", "AWS_SECRET_ACCESS_KEY": SECRET, "TF_TOKEN_app": SECRET, KEY: SECRET}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    seen = []

    def start(command, *, env, **_):
        seen.append((command, env))
        raise ChildError("not started")

    monkeypatch.setattr(child.subprocess, "Popen", start)
    request = Request(network=NETWORK, panel=tmp_path / "panel.npz", recipe=Recipe())
    with open_workers(Settings(workers=64, memory=3)) as found, pytest.raises(ChildError, match="not started"):
        found.measure(request, tmp_path / "s", report=scan_model(NETWORK), settings=Settings(memory=3))
    ((command, environment),) = seen
    assert command[3] == "3", "the limit of memory"
    assert environment["TF_NUM_INTRAOP_THREADS"] == "4"
    assert SECRET not in environment.values()
    assert environment["HOME"] != "/home/ada"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot keep a process to one core")
def test_the_number_of_cores_changes_no_byte(tmp_path, monkeypatch):
    """A network whose dense layer sums thousands of numbers measures the same on one core as on all of them."""
    recipe = Recipe(
        steps=2,
        copies=1,
        units_per_layer=2,
        untrained_twins=0,
        sticker_faces=0,
        exchange_pictures=0,
        mosaics=0,
        attribution_methods=(),
    )
    request = Request(
        network=ROOT / "networks" / "experiment0.keras",
        panel=ROOT / "baselines" / "drawn-faces" / "panel.npz",
        recipe=recipe,
    )
    every = os.sched_getaffinity(0)
    if len(every) < 2:
        pytest.skip("it takes two cores to compare with one")
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.delenv(name, raising=False)
    digests = set()
    for number, cores in enumerate((every, {min(every)})):
        os.sched_setaffinity(0, cores)
        try:
            digests.add(measure_in_child(request, tmp_path / str(number)).digest())
        finally:
            os.sched_setaffinity(0, every)
    assert len(digests) == 1


@pytest.mark.slow
def test_any_number_of_workers_writes_the_same_bytes(measured, tmp_path, monkeypatch):
    """One process, and 1, 2 and 4 workers with real processes, write the same files."""
    folder, _, _ = measured
    monkeypatch.setattr(
        workers, "split", lambda *_: tuple(Block(stages=(0, 1), group=group, groups=2) for group in range(2))
    )
    request = asked(folder)
    for count in (1, 2, 4):
        measure_once(request, tmp_path / str(count), settings=Settings(workers=count))
        assert bytes_of(tmp_path / str(count)) == bytes_of(folder / "whole"), count
    with ThreadPoolExecutor(2) as executor, open_workers(Settings(), executor) as found:
        found.measure(request, tmp_path / "sent", report=scan_in_child(request.network), settings=Settings())
    assert bytes_of(tmp_path / "sent") == bytes_of(folder / "whole")


@pytest.mark.slow
def test_a_cluster_whose_worker_is_killed_writes_the_same_bytes(measured, tmp_path, monkeypatch):
    """Of two Dask workers one is killed in the middle, and what is measured is what one process measures."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    folder, _, _ = measured
    monkeypatch.setattr(
        workers, "split", lambda *_: tuple(Block(stages=(0, 1), group=group, groups=2) for group in range(2))
    )
    pid, mark = str(tmp_path / "pid"), str(tmp_path / "mark")
    monkeypatch.setattr(workers, "work", partial(kill_a_worker_mid_way, pid, mark))
    request = asked(folder)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(tmp_path)
        ) as local,
        open_workers(Settings(scheduler=local.scheduler_address)) as found,
    ):
        report = scan_in_child(request.network)
        found.measure(request, tmp_path / "cluster", report=report, settings=Settings())
    assert int(Path(pid).read_text()) != os.getpid()
    assert bytes_of(tmp_path / "cluster") == bytes_of(folder / "whole")


@pytest.mark.slow
def test_a_cluster_that_loses_its_workers_is_red(measured, tmp_path, monkeypatch):
    """Workers that cannot import what they are sent end; the run says so, and does not wait for ever."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    folder, _, _ = measured

    def elsewhere(task):
        return work(task)

    module = types.ModuleType("installed_nowhere_else")
    elsewhere.__module__, elsewhere.__qualname__ = module.__name__, "elsewhere"
    module.elsewhere = elsewhere
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(workers, "work", elsewhere)
    monkeypatch.setattr(cluster, "_PATIENCE", 2.0)
    report = scan_in_child(folder / "candidate.keras")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(tmp_path)
        ) as local,
        open_workers(Settings(scheduler=local.scheduler_address)) as found,
        pytest.raises(ChildError, match="No worker is left"),
    ):
        found.measure(asked(folder), tmp_path / "never", report=report, settings=Settings())
    assert not (tmp_path / "never").exists()
