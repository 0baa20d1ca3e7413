"""The notebook of the quickstart: it is the page, it holds no outputs, and each cell runs and shows something."""

import json
import os
import subprocess
import sys
from pathlib import Path

import make_notebook
import pytest

ROOT = Path(__file__).parents[1]
RUNNER = Path(__file__).parent / "run_notebook.py"


def execute(notebook, folder):
    """Run a notebook in a folder; return the finished process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(RUNNER), str(notebook)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_notebook_is_the_page():
    """The notebook is the one that docs/make_notebook.py makes of the page, without outputs."""
    kept = make_notebook.NOTEBOOK.read_text(encoding="utf-8")
    assert kept == make_notebook.make(make_notebook.PAGE.read_text(encoding="utf-8")), (
        "run: python docs/make_notebook.py"
    )
    cells = json.loads(kept)["cells"]
    assert all(cell["outputs"] == [] for cell in cells if cell["cell_type"] == "code")
    assert len({cell["id"] for cell in cells}) == len(cells)


def test_a_changed_page_is_seen():
    """The rule above can fail: another block, or another word, makes another notebook; a page without blocks none."""
    page = make_notebook.PAGE.read_text(encoding="utf-8")
    assert (
        len({make_notebook.make(text) for text in (page, page.replace("steps=24", "steps=25"), page + "More.\n")}) == 3
    )
    with pytest.raises(ValueError, match="has no Python block"):
        make_notebook.make("# A page\n")


@pytest.mark.slow
def test_every_cell_runs(tmp_path):
    """In the repository's folders every cell runs; values show themselves; maps and pages are written."""
    for name in ("networks", "baselines"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "docs").mkdir()
    done = execute(make_notebook.NOTEBOOK, tmp_path / "docs")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])
    cells = json.loads(make_notebook.NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert len(shown) == sum(cell["cell_type"] == "code" for cell in cells)
    values = {row["kind"]: row["html"] for row in shown if row["html"]}
    assert {"Panel", "Signature", "Comparison", "HappyMaps", "DataFrame"} == set(values)
    for kind, page in values.items():
        assert ("data:image/png;base64," in page) == (kind != "DataFrame")
        assert len(page) <= 300_000
    for name in ("page/index.html", "gallery/index.html", "conv2.png", "candidate/manifest.json"):
        assert (tmp_path / "report-python" / name).stat().st_size > 0, name


def test_a_cell_that_raises_is_seen(tmp_path):
    """The run can fail: a cell that raises ends it, and says why."""
    made = make_notebook.make("```python\nnumber = 1\n```\n\n```python\nnumber / 0\n```\n")
    (tmp_path / "broken.ipynb").write_text(made)
    done = execute(tmp_path / "broken.ipynb", ROOT)
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr
