"""`modelcheck init`: settings, suites and limits that fit panel and baseline, written once and extended later."""

import errno
import json
import os
import shlex
import stat
import tomllib
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from modelcheck.__main__ import main
from modelcheck.approval import carry_out, plan_replacement
from modelcheck.cli.baselines import _find_panel, _settings_here
from modelcheck.cli.limits import Questions, find_questions, fit_to_release, missing_rows, starter_criteria
from modelcheck.comparison import METRICS, PICTURES, compare
from modelcheck.gate.plan import make_plan
from modelcheck.gate.settings import read_settings
from modelcheck.judgement.criteria import criterion_for, find_never_failing, read_criteria
from modelcheck.judgement.findings import judge
from modelcheck.modelfile.pictures import read_picture_shape
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.signature import read_signature
from signatures import make_panel, make_signature

ROOT = Path(__file__).parents[1]
DRAWN = ROOT / "baselines" / "drawn-faces"
ALL = Questions(subjects=True, regions=True, triggers=True)
OWN = """# mine
[[criterion]]
metric = "mapped_units"
at_least = 0.9
why = "As agreed."
"""


def command(*arguments):
    """Run a command and return its exit code and what it printed."""
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def approved(panel, **options):
    carry_out(
        plan_replacement(
            Path("baselines/release"), make_signature(panel=panel, twins=0, **options), facts={"platform": "here"}
        ),
        reason="x",
    )


@pytest.mark.parametrize("regions", [True, False])
def test_init_writes_what_the_gate_can_plan_with(tmp_path, monkeypatch, regions):
    """After `init` and an approval, settings and criteria are read and every row of limits has something to judge."""
    monkeypatch.chdir(tmp_path)
    panel = make_panel(regions=regions)
    panel.save("heldout.npz")
    code, said = command("init", "--candidate", "new.keras")
    assert code == 0, said
    assert "Next:    modelcheck approve RELEASE.keras --panel heldout.npz --to baselines/release" in said
    assert Path("suites/test_attention.py").exists() == regions
    approved(panel)
    settings = read_settings(Path.cwd())
    plan = make_plan(settings)
    assert (settings.candidate, settings.require("panel")) == (Path("new.keras"), Path("heldout.npz"))
    assert {"transfer[decision]", "subject_accuracy[ada]"} <= plan.keys
    assert any(key.startswith("mass_over_area") for key in plan.keys) == regions
    code, said = command("init", "--candidate", "new.keras")
    assert "Next:    pytest suites/" in said


def test_init_writes_over_nothing(tmp_path, monkeypatch):
    """What is there stays, byte for byte; pyproject.toml gets a table at its end; a second time changes nothing."""
    monkeypatch.chdir(tmp_path)
    before = '# mine\n[project]\nname = "x"\n[tool.ruff]\nline-length = 99'
    Path("pyproject.toml").write_text(before)
    Path("suites").mkdir()
    Path("suites/criteria.toml").write_text(OWN)
    code, said = command("init", "--candidate", 'a "b".keras')
    assert code == 0, said
    text = Path("pyproject.toml").read_text()
    assert text.startswith(before + "\n")
    assert tomllib.loads(text)["tool"]["modelcheck"]["candidate"] == 'a "b".keras'
    assert tomllib.loads(text)["tool"]["ruff"] == {"line-length": 99}
    assert Path("suites/criteria.toml").read_text().startswith(OWN)
    assert "the others are kept" in said
    assert "modelcheck panel --help" in said
    after = contents(tmp_path)
    assert command("init")[0] == 0
    assert contents(tmp_path) == after


@pytest.mark.parametrize("text", ["[project\n", 'tool = {ruff = {}}\nname = "x"\n'])
def test_init_refuses_what_it_cannot_extend(tmp_path, monkeypatch, text):
    """A pyproject.toml that is broken, or cannot take a table at its end, is left as it is, and so is the rest."""
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text(text)
    code, said = command("init")
    assert code == 4
    assert "nothing was written" in said
    assert list(contents(tmp_path)) == [Path("pyproject.toml")]


@pytest.mark.slow
@pytest.mark.parametrize("there", [False, True])
def test_init_on_a_full_disk_leaves_all_as_it_was(tmp_path, monkeypatch, there):
    """Whichever of its writes finds the disk full: exit code 4, the reason, and not a file or folder more or less."""
    if there:
        (tmp_path / "in" / "suites").mkdir(parents=True)
        (tmp_path / "in" / "suites" / "criteria.toml").write_text(OWN)
        (tmp_path / "in" / "pyproject.toml").write_text("[project]\n")
    before = {path: path.read_bytes() if path.is_file() else None for path in tmp_path.rglob("*")}
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def failing(real, left):
        def call(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                raise full
            return real(*arguments, **options)

        return call

    for step in range(100):
        left = [step]
        with monkeypatch.context() as patch:
            for name in ("mkdir", "open", "fdopen", "fsync", "chmod", "replace"):
                patch.setattr(os, name, failing(getattr(os, name), left))
            code, said = command("init", "--in", tmp_path / "in")
        if code == 0:  # what fails last only brings names to the disk
            break
        assert (code, "No space left on device" in said) == (4, True), said
        assert {path: path.read_bytes() if path.is_file() else None for path in tmp_path.rglob("*")} == before, step
    assert step > 15
    assert (tmp_path / "in" / "suites" / "test_same_features.py").exists()
    assert "tool.modelcheck" in (tmp_path / "in" / "pyproject.toml").read_text()


def test_the_starter_suites_are_those_of_the_gate():
    """What `init` writes is what this repository runs on itself."""
    for path in (ROOT / "suites").glob("test_*.py"):
        assert (ROOT / "modelcheck" / "cli" / "starter" / f"{path.name}.txt").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("subjects", [True, False])
@pytest.mark.parametrize("regions", [True, False])
@pytest.mark.parametrize("triggers", [True, False])
def test_every_metric_has_a_row_or_is_named(subjects, regions, triggers):
    """No metric that panel and baseline can be asked is left without a limit, or without a word that it has none."""
    questions = Questions(subjects=subjects, regions=regions, triggers=triggers)
    text = starter_criteria(questions)
    rows = {row["metric"] for row in tomllib.loads(text)["criterion"]}
    named = {name for name in METRICS if f"{name}," in text.split("[[")[0] or f"{name}." in text.split("[[")[0]}
    asked = {
        name
        for name, metric in METRICS.items()
        if PICTURES in metric.of
        and (subjects or metric.domain != "subject")
        and (regions or metric.area != "attention")
        and (triggers or metric.area != "triggers")
    }
    assert rows | named == asked | named
    assert not rows & named


@pytest.mark.parametrize("questions", [Questions(), ALL], ids=["nothing", "all"])
def test_the_limits_to_start_from_are_limits(tmp_path, questions):
    """They are read, each can fail, and a file that has them needs no more."""
    (tmp_path / "criteria.toml").write_text(starter_criteria(questions))
    rows, _ = read_criteria(tmp_path / "criteria.toml", metrics=METRICS)
    bounds = {name: (metric.lowest, metric.highest) for name, metric in METRICS.items()}
    assert find_never_failing(rows, bounds) == ()
    assert missing_rows(starter_criteria(questions), questions) == {}


def test_init_adds_what_came_later(tmp_path, monkeypatch):
    """Regions that came later: their limits and their suite are added, and what was there stays, byte for byte."""
    monkeypatch.chdir(tmp_path)
    make_panel(regions=False).save("heldout.npz")
    assert command("init")[0] == 0
    before = contents(tmp_path)
    make_panel(regions=True).save("heldout.npz")
    code, said = command("init")
    assert code == 0, said
    after = contents(tmp_path)
    criteria = Path("suites/criteria.toml")
    assert after[criteria].startswith(before[criteria])
    assert set(after) - set(before) == {Path("suites/test_attention.py")}
    assert {path for path in before if after[path] != before[path]} == {criteria, Path("heldout.npz")}
    assert "added   suites/criteria.toml: rows on randomisation, flipping_gain, mass_over_area" in said
    assert command("init")[0] == 0
    assert contents(tmp_path) == after


def test_twins_bring_the_search_for_triggers():
    """With clean twins enough, and not before, limits on triggers are among those that fit, and they gate."""
    baseline = read_signature(DRAWN)
    assert find_questions(None, baseline).triggers
    assert not find_questions(None, replace(baseline, retrained=baseline.retrained[:1])).triggers
    rows = tomllib.loads(starter_criteria(Questions(triggers=True)))["criterion"]
    assert [row.get("advisory", False) for row in rows if row["metric"] in ("trigger", "reach")] == [False, False]


@pytest.mark.slow
def test_limits_are_fitted_to_what_the_release_reaches(tmp_path):
    """The release itself clears every new limit on accuracy by a margin, or the limit informs and says why."""
    baseline = read_signature(DRAWN)
    start = starter_criteria(ALL)
    added, said = fit_to_release(start, baseline)
    (tmp_path / "criteria.toml").write_text("\n".join([start, *added]))
    rows, _ = read_criteria(tmp_path / "criteria.toml", metrics=METRICS)
    measures = [
        item for item in compare(baseline, baseline).measures.values() if METRICS[item.metric].area == "accuracy"
    ]
    found = [judge(item, row) for item in measures if (row := criterion_for(rows, item.metric, item.about))]
    assert not [finding.key for finding in found if finding.red and finding.gating]
    assert [line.split(":")[0] for line in said] == ["subject_accuracy[visitor_ravi]", "subject_accuracy[visitor_zoe]"]
    assert criterion_for(rows, "subject_accuracy", "visitor_zoe").advisory  # at chance, so nothing can be asked
    assert fit_to_release("\n".join([start, *added]), baseline) == ([], [])
    assert fit_to_release(start.replace("at_least = 0.75", "at_least = 0.8"), baseline) == ([], [])  # somebody's own


def test_init_before_the_approval_comes_to_the_same(tmp_path, monkeypatch):
    """Limits that were written before there was a baseline are fitted to it when `init` runs again, once."""
    monkeypatch.chdir(tmp_path)
    assert command("init", "--baseline", "baseline", "--panel", "heldout.npz")[0] == 0
    Path("baseline").symlink_to(DRAWN)
    Path("heldout.npz").symlink_to(DRAWN / "panel.npz")
    code, said = command("init")
    assert code == 0, said
    assert "subject_accuracy[visitor_zoe]: the release itself reaches 0.50" in said
    late = {row["metric"]: row for row in tomllib.loads(Path("suites/criteria.toml").read_text())["criterion"]}
    Path("early").mkdir()
    assert command("init", "--in", "early", "--baseline", "../baseline", "--panel", "../heldout.npz")[0] == 0
    early = {row["metric"]: row for row in tomllib.loads(Path("early/suites/criteria.toml").read_text())["criterion"]}
    assert late == early
    assert "every metric that can be asked has a row" in command("init")[1]


@pytest.mark.parametrize("name", ["a[b]*\x7f", "*", "?[!a]"])
def test_a_name_of_a_subject_is_no_pattern(tmp_path, name):
    """A limit of its own is for the one thing that it names, whatever stands in the name."""
    panel = make_panel(subjects=(name, "ab"))
    start = starter_criteria(ALL)
    added, _ = fit_to_release(start, make_signature(panel=panel, accuracy={name: 0.75}))
    (tmp_path / "criteria.toml").write_text("\n".join([start, *added]))
    rows, _ = read_criteria(tmp_path / "criteria.toml", metrics=METRICS)
    limits = [criterion_for(rows, "subject_accuracy", about).at_least for about in (name, "ab")]
    assert limits == [0.62, 0.75]


def test_many_below_the_limit_get_one_row():
    """Where most classes of a release are below the starting limit, one row holds for all."""
    names = [f"class{k}" for k in range(12)]
    signature = make_signature()
    rng = np.random.Generator(np.random.Philox(key=[0, 7]))
    pictures = {**signature.pictures, "labels": np.arange(len(signature.pictures["labels"])) % 12}
    many = replace(
        signature, class_names=tuple(names), pictures=pictures, scores=rng.normal(size=(len(pictures["labels"]), 12))
    )
    added, said = fit_to_release(starter_criteria(Questions()), many)
    assert [line.split(":")[0] for line in said if line.startswith("class_accuracy")] == ["class_accuracy[*]"]
    assert tomllib.loads("\n".join(added))


@pytest.mark.slow
def test_what_init_writes_passes_the_drawn_default(tmp_path):
    """The embedded default, half the filters, passes the limits and suites that `init` writes for its baseline."""
    import shutil
    import subprocess
    import sys

    shutil.copytree(DRAWN, tmp_path / "baselines" / "release")
    shutil.copy(ROOT / "networks" / "half_filters.keras", tmp_path / "candidate.keras")
    shutil.copy(DRAWN / "panel.npz", tmp_path / "heldout.npz")
    code, said = command("init", "--in", tmp_path)
    assert code == 0, said
    assert said.splitlines()[-1] == f"Next:    cd {tmp_path} && pytest suites/"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "suites/", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_calibrate_finds_the_panel_of_the_settings(tmp_path, monkeypatch):
    """Where the baseline keeps no panel, the settings' is taken; where there is none, it is asked for by its option."""
    monkeypatch.chdir(tmp_path)
    panel = make_panel()
    approved(panel)
    code, said = command("calibrate", "baselines/release", "--twin", "a.keras")
    assert code == 4
    assert "--panel heldout.npz" in said
    panel.save("heldout.npz")
    assert command("init")[0] == 0
    assert _find_panel(Path("baselines/release")) == Path("heldout.npz")
    panel.save("baselines/release/panel.npz")
    assert _find_panel(Path("baselines/release")) == Path("baselines/release/panel.npz")


def test_init_says_the_next_command_last(tmp_path, monkeypatch):
    """At every stage the last lines say what to do now."""
    monkeypatch.chdir(tmp_path)
    assert "Next:    make the panel" in command("init")[1]
    panel = make_panel()
    panel.save("heldout.npz")
    assert "Next:    modelcheck approve RELEASE.keras --panel heldout.npz" in command("init")[1]
    approved(panel)
    said = command("init")[1]
    assert "modelcheck calibrate baselines/release --twin" in said
    assert "Next:    pytest suites/ --candidate YOUR_CANDIDATE.keras" in said
    Path("candidate.keras").write_bytes(b"")
    assert command("init")[1].splitlines()[-1] == "Next:    pytest suites/"


def write_resized(shape, path):
    """Write the torch network of the tests' data to a file whose input says another shape of pictures."""
    with zipfile.ZipFile(ROOT / "tests" / "data" / "torch.keras") as whole, zipfile.ZipFile(path, "w") as written:
        for name in whole.namelist():
            text = whole.read(name)
            if name == "config.json":
                document = json.loads(text)
                document["config"]["layers"][0]["config"]["batch_shape"] = [None, *shape]
                text = json.dumps(document).encode()
            written.writestr(name, text)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((16, 12, 1), ""),
        ((None, None, 1), ""),
        ((16, 12), ""),
        ((7,), ""),
        ((16, 12, 3), "takes pictures of 16 x 12 x 3, and the panel holds 16 x 12 x 1"),
        ((None, 32, 1), "takes pictures of any x 32 x 1, and the panel holds 16 x 12 x 1"),
    ],
)
def test_init_says_that_a_candidate_takes_other_pictures(tmp_path, monkeypatch, shape, said):
    """Read from the file, nothing loaded: a size that is fixed and another is said at once, an open one is none."""
    monkeypatch.chdir(tmp_path)
    make_panel().save("heldout.npz")
    write_resized(shape, Path("candidate.keras"))
    code, lines = command("init")
    assert code == 0
    assert said in lines if said else "The candidate" not in lines


def test_init_reads_the_shape_that_keras_wrote():
    """Files as Keras and its backends wrote them: the drawn release takes the drawn panel's pictures."""
    assert read_picture_shape(ROOT / "tests" / "data" / "jax.keras") == (16, 16, 3)
    assert (
        read_picture_shape(ROOT / "networks" / "experiment0.keras") == Panel.load(DRAWN / "panel.npz").images.shape[1:]
    )


def test_init_says_that_a_candidate_is_no_network(tmp_path, monkeypatch):
    """What is no .keras file is named, with the command that says what it is; init does its work all the same."""
    monkeypatch.chdir(tmp_path)
    make_panel().save("heldout.npz")
    Path("candidate.keras").write_bytes(b"no network")
    code, lines = command("init")
    assert code == 0
    assert "The candidate candidate.keras could not be looked at" in lines
    assert "modelcheck scan candidate.keras" in lines
    assert Path("suites/criteria.toml").exists()


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((1, 16, 12, 1), ""),
        ((1, 1, 16, 12), ""),
        ((-1, 16, 12), ""),
        ((1, 96, 96, 3), "takes pictures of 96 x 96 x 3, and the panel holds 16 x 12 x 1"),
        ((1, 3, 96, 64), "takes pictures of 96 x 64 x 3, and the panel holds 16 x 12 x 1"),
        ((1, 7), ""),
    ],
)
def test_init_looks_at_a_candidate_that_ships(tmp_path, monkeypatch, shape, said):
    """Its pictures are read from its graph, whichever axis comes first; what the gate of it takes is said."""
    onnx = pytest.importorskip("onnx", reason="ONNX files are made with onnx: pip install onnx")
    from shipped import make_onnx

    monkeypatch.chdir(tmp_path)
    make_panel().save("heldout.npz")
    lengths = [None if length < 0 else length for length in shape]
    ends = {"x": ("float32", lengths)}, {"y": ("float32", lengths)}
    Path("phone.onnx").write_bytes(make_onnx([("Relu", ["x"], ["y"], {})], {}, inputs=ends[0], outputs=ends[1]))
    assert onnx.load("phone.onnx").graph.node[0].op_type == "Relu"
    code, lines = command("init", "--candidate", "phone.onnx")
    assert code == 0
    assert "Wherever the gate runs: pip install 'modelcheck[onnx]'" in lines
    assert "--source PARENT.keras" in lines
    assert said in lines if said else "takes pictures of" not in lines


def test_init_writes_the_source_of_a_candidate_that_ships(tmp_path, monkeypatch):
    """The network that it was converted from is a setting; where there are settings without it, that is said."""
    monkeypatch.chdir(tmp_path)
    Path("phone.tflite").write_bytes(bytes(4) + b"TFL3")
    code, lines = command("init", "--candidate", "phone.tflite", "--source", "parent.keras")
    assert code == 0
    assert "modelcheck[litert]" in lines
    assert "--source PARENT.keras" not in lines
    assert read_settings(tmp_path).source == Path("parent.keras")
    assert "Not used: --source other.keras" in command("init", "--source", "other.keras")[1]
    Path("pyproject.toml").write_text('[tool.modelcheck]\ncandidate = "phone.tflite"\n')
    lines = command("init", "--source", "other.keras")[1]
    assert 'source = "other.keras"' in lines
    make_panel().save("heldout.npz")
    assert "The candidate phone.tflite could not be looked at: it is refused" in command("init")[1]


@pytest.mark.parametrize("pictures", [0, 8])
def test_approve_asks_by_starting_limits_what_its_recipe_measures(tmp_path, monkeypatch, pictures):
    """As init does for the baseline that it makes: nothing about places where no pictures are exchanged."""
    monkeypatch.chdir(tmp_path)
    make_panel().save("heldout.npz")
    settings = _settings_here(tmp_path, panel=Path("heldout.npz"), recipe=Recipe(exchange_pictures=pictures))
    assert ("place_distance" in settings.criteria.read_text()) == bool(pictures)


def test_the_next_command_is_quoted(tmp_path, monkeypatch):
    """Paths with a space stay one word of the commands that init prints."""
    monkeypatch.chdir(tmp_path)
    panel = make_panel()
    panel.save("held out.npz")
    said = command("init", "--panel", "held out.npz", "--baseline", "my base")[1]
    (line,) = (line for line in said.splitlines() if line.startswith("Next:"))
    assert shlex.split(line)[4:8] == ["--panel", "held out.npz", "--to", "my base"]
    make_signature(panel=panel, twins=0).write(Path("my base"))
    assert "modelcheck calibrate 'my base' --twin" in command("init")[1]


def test_init_finds_the_file_that_the_baseline_was_approved_from(tmp_path, monkeypatch):
    """Where it lies in the project, unchanged, new settings name it; a file of that name alone is not it."""
    monkeypatch.chdir(tmp_path)
    Path("baselines").mkdir()
    Path("baselines/release").symlink_to(DRAWN)
    Path("experiment0.keras").write_bytes((ROOT / "networks" / "experiment0.keras").read_bytes())
    assert command("init", "--panel", "baselines/release/panel.npz")[0] == 0
    assert read_settings(tmp_path).baseline_model == Path("experiment0.keras")
    Path("pyproject.toml").unlink()
    Path("experiment0.keras").write_bytes(b"another")
    assert command("init", "--panel", "baselines/release/panel.npz")[0] == 0
    assert read_settings(tmp_path).baseline_model is None


def test_init_reads_the_settings_that_are_there(tmp_path, monkeypatch):
    """Run again, it looks at the panel and extends the limits that the settings name."""
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text('[tool.modelcheck]\npanel = "data/p.npz"\ncriteria = "limits.toml"\n')
    Path("limits.toml").write_text(OWN)
    make_panel(regions=True).save("data/p.npz")
    code, said = command("init")
    assert code == 0, said
    assert "mass_over_area" in Path("limits.toml").read_text()
    assert not Path("suites/criteria.toml").exists()
    assert "--panel data/p.npz" in said


@pytest.mark.parametrize("text", ["mine", "criterion = []\n", "[a]\nb = 1\n[a.c]\n[criterion]\nx = 1\n"])
def test_init_refuses_limits_that_it_cannot_extend(tmp_path, monkeypatch, text):
    """Limits that are no TOML, or that take no rows at their end: exit code 4, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    Path("suites").mkdir()
    Path("suites/criteria.toml").write_text(text)
    code, said = command("init")
    assert code == 4, said
    assert "nothing was written" in said
    assert contents(tmp_path) == {Path("suites/criteria.toml"): text.encode()}


@pytest.mark.parametrize("folder", [".", "sub dir", "-x"])
def test_the_next_command_runs_where_it_is_read(tmp_path, monkeypatch, folder):
    """Spaces in a path are quoted, and a project in another folder is gone to first."""
    monkeypatch.chdir(tmp_path)
    make_panel().save(f"{folder}/my data/h.npz")
    code, said = command("init", "--in", folder, "--panel", "my data/h.npz", "--baseline", "base lines/r")
    assert code == 0, said
    words = shlex.split(next(line for line in said.splitlines() if line.startswith("Next:")))[1:]
    if folder != ".":
        assert words[:3] == ["cd", "./-x" if folder == "-x" else folder, "&&"]
        monkeypatch.chdir(words[1])
    assert Path(words[words.index("--panel") + 1]).is_file()
    assert words[words.index("--to") + 1] == "base lines/r"


def test_init_says_which_of_its_options_do_not_count(tmp_path, monkeypatch):
    """Settings that are there stay: an option that they contradict is named, one that they agree with is not."""
    monkeypatch.chdir(tmp_path)
    command("init", "--panel", "old.npz")
    said = command("init", "--panel", "new.npz", "--baseline", "./baselines/release")[1]
    assert "Not used: --panel new.npz. pyproject.toml names old.npz, and that counts: change panel there." in said
    assert said.count("Not used") == 1


def test_init_says_what_settings_lack(tmp_path, monkeypatch):
    """A table of settings that was there is not extended; what must be added to it makes the gate know all it needs."""
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text("[tool.modelcheck]\n")
    said = command("init", "--candidate", "new.keras")[1]
    assert "does not name all that the gate needs" in said
    added = [line.strip() for line in said.splitlines() if line.startswith(" " * 8) and " = " in line]
    Path("pyproject.toml").write_text("\n".join(["[tool.modelcheck]", *added]))
    settings = read_settings(tmp_path)
    assert (settings.candidate, settings.baseline) == (Path("new.keras"), Path("baselines/release"))
    assert "does not name" not in command("init")[1]


@pytest.mark.parametrize("there", ["a file", "a dead link", "the criteria", "a folder"])
def test_init_names_what_stands_in_its_way(tmp_path, monkeypatch, there):
    """What is no folder where one is due, or no file: exit code 4, in words, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    if there == "a file":
        Path("suites").write_text("mine")
    elif there == "a dead link":
        Path("suites").symlink_to("gone")
    elif there == "a folder":
        Path("suites/criteria.toml").mkdir(parents=True)
    else:
        Path("pyproject.toml").write_text("[tool.modelcheck]\ncriteria = 'suites'\n")
    before = sorted(tmp_path.rglob("*"))
    code, said = command("init")
    assert code == 4
    assert "nothing was" in said
    assert "Errno" not in said
    assert sorted(tmp_path.rglob("*")) == before


def test_init_follows_a_link_to_the_settings(tmp_path, monkeypatch):
    """A pyproject.toml that is a link stays one: the file behind it is extended."""
    monkeypatch.chdir(tmp_path)
    Path("real.toml").write_text("[project]\n")
    Path("pyproject.toml").symlink_to("real.toml")
    assert command("init")[0] == 0
    assert Path("pyproject.toml").is_symlink()
    assert "[tool.modelcheck]" in Path("real.toml").read_text()


def test_init_runs_after_one_that_was_killed(tmp_path, monkeypatch):
    """What a killed run left beside a file does not stop the next one."""
    monkeypatch.chdir(tmp_path)
    Path("suites").mkdir()
    Path("suites/criteria.toml").write_text(OWN)
    Path("suites/.criteria.toml.before-init").write_text(OWN)
    code, said = command("init")
    assert code == 0, said
    assert not Path("suites/.criteria.toml.before-init").exists()


@pytest.mark.parametrize(
    "text",
    [
        "[[criterion]]\nmetric = 'transfer'\nat_least = nan\nwhy = 'x'\n",
        OWN.replace("units", "unit"),
        "[extra]\nx = 1\n",
    ],
    ids=["NaN", "metric", "key"],
)
def test_init_adds_nothing_to_limits_that_the_gate_refuses(tmp_path, monkeypatch, text):
    """One sentence, the gate's, and nothing is written: not a screen of rows to add to what is broken."""
    monkeypatch.chdir(tmp_path)
    Path("suites").mkdir()
    Path("suites/criteria.toml").write_text(text)
    code, said = command("init")
    assert (code, "nothing was written" in said, len(said.splitlines())) == (4, True, 1), said
    assert contents(tmp_path) == {Path("suites/criteria.toml"): text.encode()}


def test_init_says_that_a_panel_is_not_the_baselines(tmp_path, monkeypatch):
    """The gate would refuse it, so that to run the gate is not what comes next."""
    monkeypatch.chdir(tmp_path)
    make_panel(regions=False).save("heldout.npz")
    approved(make_panel(regions=True))
    said = command("init")[1]
    assert "is not the one of the baseline" in said
    assert "pytest suites/" not in said


def test_init_leaves_the_permissions_of_a_file(tmp_path, monkeypatch):
    """A file that only its owner and a group may read is not opened to everybody by a table at its end."""
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text("[project]\n")
    Path("pyproject.toml").chmod(0o660)
    assert command("init")[0] == 0
    assert stat.S_IMODE(Path("pyproject.toml").stat().st_mode) == 0o660


def test_init_asks_before_it_writes_to_a_file_that_is_kept_from_it(tmp_path, monkeypatch):
    """A file that may be read only is not replaced by a new one of its name."""
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    code, said = command("init")
    assert (code, "chmod u+w pyproject.toml" in said) == (4, True), said
    assert list(contents(tmp_path)) == [Path("pyproject.toml")]


def test_names_of_subjects_do_not_act_where_they_are_listed(tmp_path, monkeypatch):
    """In what `init` and `criteria` print a name is one piece of one line: no line of its own, no command of a log."""
    monkeypatch.chdir(tmp_path)
    panel = make_panel(subjects=("ada\n::error::x", "b\x1b[31men", "\u202eeve"))
    panel.save("heldout.npz")
    approved(panel, accuracy=0.6)
    for words in ("init", "criteria"):
        code, said = command(words)
        assert code == 0, said
        assert "subject_accuracy" in said
        assert not any(line.startswith("::") for line in said.splitlines())
        assert not {"\x1b", "\u202e"} & set(said)
