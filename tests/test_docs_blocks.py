"""What documents show works: Python blocks run, TOML is read, and each command and option of a shell block exists.

A block that is not run says why in a comment before it: ``<!-- not run: REASON -->``.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from PIL import Image
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from modelcheck.__main__ import main as modelcheck
from modelcheck.digits.__main__ import main as digits
from modelcheck.digits.networks import NETWORKS as DIGITS
from modelcheck.faces import NETWORKS, colleagues, draw
from modelcheck.faces.__main__ import main as faces
from modelcheck.gate.settings import Settings
from modelcheck.interface import Interface
from modelcheck.judgement.measured import Measured
from modelcheck.recipe import Recipe
from modelcheck.tables import KINDS, TABLES
from modelcheck.tables.__main__ import main as tables
from reports import make_case

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
NOT_RUN = re.compile(r"<!-- not run: (\S.*?) -->\s*\Z")
# What a reader of any page has: their own table of pictures.
ROWS = [
    {"path": f"{who.name}_{pose}.png", "label": pose, "subject": who.name}
    for who in colleagues()
    for pose in ("left", "right")
]
# Pages that say to run them in a clone: their blocks find the networks and baselines of the repository.
IN_A_CLONE = {"docs/how-to/quickstart_python.md"}
# Programs of others that pages call, and what of ours may follow `python -m`.
SHELLS = ("sh", "bash", "console")
OTHERS = {"docker", "dask", "cd", "git", "mkdir", "pip", "source", "xdg-open"}
ROOMS = {"modelcheck": modelcheck, "modelcheck.faces": faces, "modelcheck.digits": digits, "modelcheck.tables": tables}
TRAINED = {"modelcheck.faces": NETWORKS, "modelcheck.digits": DIGITS, "modelcheck.tables": {**TABLES, **KINDS}}


def blocks(page: Path, language: str) -> list[str]:
    """Return a page's blocks of one language, but for those that say why they are not run."""
    document = Sybil(parsers=[CodeBlockParser(language=language, evaluator=lambda _: None)]).parse(page)
    return [
        str(example.parsed) for example in document.examples() if not NOT_RUN.search(document.text[: example.start])
    ]


def with_blocks(*languages: str) -> list[Path]:
    return [page for page in PAGES if any(blocks(page, language) for language in languages)]


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def own_files(tmp_path_factory):
    """Pictures like a reader's own, drawn once."""
    import pandas as pd

    folder = tmp_path_factory.mktemp("own")
    for who in colleagues():
        for pose in ("left", "right"):
            Image.fromarray(draw(who, pose, "neutral", "open")[0]).save(folder / f"{who.name}_{pose}.png")
    return folder, pd.DataFrame(ROWS)


@pytest.mark.slow
@pytest.mark.parametrize("page", with_blocks("python"), ids=named)
def test_python_blocks_run(page, own_files, tmp_path, monkeypatch):
    """A page's Python blocks run in order, in a folder of the reader's own; a suite's tests find what they ask for."""
    folder, table = own_files
    for picture in folder.iterdir():
        (tmp_path / picture.name).write_bytes(picture.read_bytes())
    for name in ("networks", "baselines") if named(page) in IN_A_CLONE else ():
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    document = Sybil(parsers=[PythonCodeBlockParser()]).parse(page)
    document.namespace["table"] = table
    for example in document.examples():
        if not NOT_RUN.search(document.text[: example.start]):
            example.evaluate()
    for name, test in document.namespace.items():
        if name.startswith("test_"):
            given = suite_fixtures()
            test(**{word: given[word] for word in inspect.signature(test).parameters})
            assert "check" not in inspect.signature(test).parameters or given["check"].judged


def suite_fixtures():
    """What a suite's test may ask for: see docs/suites.md."""
    panel, comparison = make_case()

    def check(*measures):
        assert all(isinstance(item, Measured) for item in measures)
        check.judged += len(measures)

    check.judged = 0
    return {
        "baseline": comparison.baseline,
        "candidate": dataclasses.replace(comparison.candidate, model={**comparison.candidate.model, "parameters": 1}),
        "check": check,
        "comparison": comparison,
        "group": str(panel.groups[0]),
        "layer": comparison.layers[0].baseline.name,
        "panel": panel,
        "subject": comparison.subjects[0],
    }


def test_a_wrong_python_block_is_found(tmp_path):
    """The runner can fail: a block that raises is an error."""
    page = tmp_path / "page.md"
    page.write_text("```python\nnumber = 1\n```\n\n```python\nassert number == 2\n```\n")
    first, second = Sybil(parsers=[PythonCodeBlockParser()]).parse(page).examples()
    first.evaluate()
    with pytest.raises(AssertionError):
        second.evaluate()


@pytest.mark.parametrize("page", with_blocks("toml"), ids=named)
def test_toml_blocks_hold_known_keys(page):
    """Every key of a TOML block is one of the settings, of a recipe or of a criterion."""
    for block in blocks(page, "toml"):
        document = tomllib.loads(block)
        table = document.get("tool", {}).get("modelcheck", {})
        assert set(table) <= {*Settings.__dataclass_fields__, *Interface.__dataclass_fields__}, block
        if not {"tool", "criterion", "waiver"} & set(document):
            Recipe.from_dict(document)


@pytest.fixture(scope="session")
def pytest_options():
    """Every option that pytest knows here, ours among them."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    return set(re.findall(r"(?<![\w-])(--?[A-Za-z][\w-]*)", told.stdout))


@pytest.mark.parametrize("page", with_blocks(*SHELLS), ids=named)
def test_shell_blocks_name_what_exists(page, pytest_options):
    """Every command of a shell block is known with its arguments and options, and every file of ours is there."""
    for block in (block for shell in SHELLS for block in blocks(page, shell)):
        for line in re.sub(r"\\\n", " ", block).splitlines():
            for command in re.split(r"&&|;", line.partition(" #")[0] if not line.startswith("#") else ""):
                words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=\S*", word)]
                if words:
                    look_at(words, pytest_options)


@pytest.mark.parametrize(
    "line",
    [
        "modelcheck aprove release.keras",
        "modelcheck approve release.keras --panl x.npz --to y --reason z",
        "modelcheck compare baselines/mine",
        "python -m modelcheck.faces train half_filters",
        "python -m modelcheck.faces train no_such_network --out x.keras",
        "python -m modelcheck.digits train experiment0 --out x.keras",
        "python -m modelcheck.tables train iris --to x.keras",
        "pytest suites/ --kandidate x.keras",
        "pytest suits/",
        "python benchmarks/no_such_file.py",
        "pip install -e '.[tests]'",
        "modelchekc report a b",
    ],
)
def test_a_wrong_command_is_found(line, pytest_options):
    """The check can fail: a command, an option, a name or a file that does not exist is an error."""
    with pytest.raises((AssertionError, click.ClickException)):
        look_at(shlex.split(line), pytest_options)


def look_at(words: list[str], pytest_options: set[str]) -> None:
    """Raise where a command of a page cannot be meant: nothing is executed."""
    program, *rest = words
    program = program.rpartition("/")[2] if "bin/" in program else program
    if program in ("python", "python3") and rest[:1] == ["-m"]:
        program, rest = rest[1], rest[2:]
    if program in ("python", "python3"):
        assert (ROOT / rest[0]).is_file(), f"There is no {rest[0]}."
        source = (ROOT / rest[0]).read_text(encoding="utf-8")
        assert all(word in source for word in rest if word.startswith("--")), words
    elif program in ROOMS:
        parse(ROOMS[program], program, rest)
        if rest[:1] == ["train"]:
            assert rest[1] in TRAINED[program], rest[1]
    elif program == "pytest":
        unknown = [word for word in rest if word.startswith("-") and word.partition("=")[0] not in pytest_options]
        assert not unknown, f"pytest knows no {', '.join(unknown)}."
        paths = [word for word in rest if word.endswith("/") or word.startswith(("tests", "suites"))]
        assert all((ROOT / path).exists() for path in paths), words
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        asked = {name for word in rest for group in re.findall(r"\.\[(.*)\]", word) for name in group.split(",")}
        assert asked <= set(extras), words
    elif program not in ("venv", "mkdocs"):
        assert program in OTHERS or (ROOT / program).is_file(), f"Nobody knows the command {program!r}."


def parse(command: click.Command, name: str, words: list[str]) -> None:
    """Parse arguments as click would before it calls the function."""
    if "--help" in words:
        words = [word for word in words if word != "--help"]
        assert not words or isinstance(command, click.Group), words
    if isinstance(command, click.Group) and words:
        found = command.commands.get(words[0])
        assert found is not None, f"{name} has no command {words[0]!r}."
        parse(found, words[0], words[1:])
    elif words:
        command.make_context(name, list(words))
