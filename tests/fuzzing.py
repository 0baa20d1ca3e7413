"""What the fuzzers share: how many inputs, and how a file or a document is damaged."""

import json
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("MODELCHECK_FUZZ", "60"))


# A function's own folder serves all its examples: each overwrites the file.
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


WORDS = [
    b"\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"-1",
    b"NaN",
    b"1e999",
    b"[",
    b"{",
    b'"',
    b"#",
    b"\n",
    b"\xef\xbb\xbf",
]


@st.composite
def damaged(draw, data):
    """Return the bytes with one to four changes: bytes set, cut out, put in, doubled, or everything cut off."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(changed) - 1, 0)))
        # Headers are short and decide everything; half of the changes go there.
        place = place % 300 if draw(st.booleans()) else place
        length = draw(st.integers(1, 16))
        kind = draw(st.sampled_from(["set", "cut", "put", "double", "end"]))
        if kind == "set":
            changed[place : place + length] = draw(st.binary(min_size=length, max_size=length))
        elif kind == "cut":
            del changed[place : place + length]
        elif kind == "put":
            changed[place:place] = draw(st.sampled_from(WORDS) | st.binary(max_size=length))
        elif kind == "double":
            changed[place:place] = changed[place : place + 64 * length]
        else:
            del changed[place:]
    return bytes(changed)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "..", "/x", "__lambda__", "Lambda", "function", 2**63, -1, 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def altered(draw, document):
    """Return a JSON document with one to three values anywhere replaced, taken away or added."""
    changed = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        node = changed
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(node[key], dict | list) and draw(st.integers(0, 3)):
                node = node[key]
                continue
            kind = draw(st.sampled_from(["replace", "remove", "add"]))
            if kind == "replace":
                node[key] = draw(JSON)
            elif kind == "remove":
                del node[key]
            elif isinstance(node, dict):
                node[draw(st.text(max_size=8))] = draw(JSON)
            else:
                node.append(draw(JSON))
            break
    return changed
