"""Every way of importing a public name: as the first thing of a process, and after each room was imported.

A program of its own, because it takes modelcheck out of `sys.modules` again and again. It prints a
JSON object: for ``NAME after ROOM``, what is wrong with the name then; an empty list where nothing
is.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pickle
import sys

# What each public name is, and the room that defines it. Written out here, so that a mistake in the
# stub is seen.
FUNCTIONS = {
    "attribute": "attributions",
    "attribution_methods": "attributions",
    "compare": "comparison",
    "judge": "judgement",
    "measure": "measurement",
    "progress_bar": "support.progress",
    "read_record": "signature",
    "read_signature": "signature",
    "render_happy_maps": "happymaps",
    "ssim": "metrics.similarity",
    "ssim_matrix": "metrics.similarity",
    "write_comparison": "report",
    "write_gallery": "report",
}
CLASSES = {
    "Comparison": "comparison",
    "Criterion": "judgement",
    "Finding": "judgement",
    "Measured": "judgement",
    "Panel": "panel",
    "Interface": "interface",
    "Recipe": "recipe",
    "Signature": "signature",
    "TableComparison": "comparison",
    "TablePanel": "panel",
    "TableRecipe": "table_recipe",
    "TableSignature": "signature",
    "Unit": "units",
    "Verdict": "judgement",
}
GIVE_NOTHING = {"progress_bar"}
NAMES = {**FUNCTIONS, **CLASSES}
ROOMS = sorted(set(NAMES.values()))
WAYS = {
    "attribute of the package": "import modelcheck as mc\nfound = mc.{name}",
    "from the package": "from modelcheck import {name} as found",
    "from its room": "from modelcheck.{room} import {name} as found",
    "after importing its room": "import modelcheck.{room}\nfound = modelcheck.{name}",
    "after importing measurement": "import modelcheck.measurement\nfound = modelcheck.{name}",
    "importlib": "import importlib\nfound = getattr(importlib.import_module('modelcheck'), '{name}')",
    "star": "from modelcheck import *\nfound = {name}",
}
PRELUDES = {
    "nothing": "",
    "everything": "\n".join(f"import modelcheck.{room}" for room in ROOMS),
    **{room: f"import modelcheck.{room}" for room in ROOMS},
}


def forget() -> None:
    """Take modelcheck out of the imported modules, as in a new process."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "modelcheck"]:
        del sys.modules[name]


def problems(name: str, first: int) -> list[str]:
    """Return what is wrong with a name by any of the ways, tried in turn from the first."""
    ways = [*WAYS.items()]
    found = {}
    for way, code in ways[first:] + ways[:first]:
        space: dict[str, object] = {}
        exec(code.format(name=name, room=NAMES[name]), space)
        found[way] = space["found"]
    wrong = [f"{way}: {value!r}" for way, value in found.items() if not is_right(name, value)]
    if len({id(value) for value in found.values()}) != 1:
        wrong.append(f"the ways do not agree: {found!r}")
    return wrong


def is_right(name: str, value: object) -> bool:
    """Say whether a value is the function or class of that name, from its room, and survives pickling."""
    kind = inspect.isfunction if name in FUNCTIONS else inspect.isclass
    if not kind(value) or value.__name__ != name:
        return False
    home = importlib.import_module(f"modelcheck.{NAMES[name]}")
    defined = inspect.getmodule(value)
    return (
        vars(home)[name] is value
        and vars(defined)[name] is value
        and pickle.loads(pickle.dumps(value)) is value
        and bool(inspect.getdoc(value))
        and inspect.signature(value) is not None
    )


def main() -> None:
    """Try each name alone, first in its process, and all names after each room; the first way differs each time."""
    alone = [(name, "nothing") for name in NAMES]
    later = [(name, prelude) for prelude in PRELUDES if prelude != "nothing" for name in NAMES]
    wrong = {}
    for number, (name, prelude) in enumerate([*alone, *later]):
        if prelude == "nothing" or name == next(iter(NAMES)):
            forget()
            exec(PRELUDES[prelude], {})
        wrong[f"{name} after {prelude}"] = problems(name, number % len(WAYS))
    sys.stdout.write(json.dumps(wrong))


if __name__ == "__main__":
    main()
