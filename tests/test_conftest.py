"""The `conftest.py` at the top: a run in this checkout never tests another one's modelcheck."""

import importlib.util
import shutil
from pathlib import Path

from gates import run

CONFTEST = Path(__file__).parents[1] / "conftest.py"


def test_another_checkouts_modelcheck_is_refused(tmp_path):
    """Where Python imports modelcheck from elsewhere, the run ends before a test, and says which is which."""
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_any.py").write_text("def test_any():\n    pass\n")
    done = run(tmp_path, "-q", environment={"COLUMNS": "1000"})
    assert done.returncode == 4
    assert f"This is the checkout {str(tmp_path)!r}" in done.stdout
    assert f"imports modelcheck from {str(CONFTEST.parent)!r}. Install this one: pip install" in done.stdout
    assert "passed" not in done.stdout


def test_this_checkouts_modelcheck_is_taken():
    """Where it is the one that lies beside the file, nothing is said."""
    spec = importlib.util.spec_from_file_location("conftest_at_the_top", CONFTEST)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.pytest_configure()
