"""What the server of tests/gates.py has ready before it forks: plugins of pytest, compiled templates of the report."""

import gc
import importlib
from importlib.metadata import entry_points

from modelcheck.report import _TEMPLATES, _environment

for entry in entry_points(group="pytest11"):
    if entry.name != "hypothesispytest":  # the projects leave it out
        importlib.import_module(entry.module)
# Jinja keeps what it compiled, and a fork inherits it: a fifth of a run.
for template in sorted(_TEMPLATES.glob("*.jinja")):
    _environment().get_template(template.name)
# What is loaded is never garbage: each fork would look through all of it a dozen times.
gc.collect()
gc.freeze()
