"""The walk over a network's ``config.json``: every object that Keras would build must be on the list.

Keras builds an object wherever a JSON object says ``class_name``, however deep: layers of layers,
arguments of calls, initialisers, and the compile settings of inner networks. So the walk looks at
every value, not at the places known.

The compile settings of the whole network are the exception: with ``compile=False`` Keras drops them
unread. A loss, a metric or a learning-rate schedule of somebody's own is no reason to refuse them;
programs in them still are, for whoever uses the file may load it otherwise.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from modelcheck.modelfile.allowed import CLASSES, FUNCTIONS, KNOWN_BAD, LOOKUPS, PLAIN, ROOTS
from modelcheck.modelfile.refusal import MAX_REFUSALS, MAX_TEXT_CHARACTERS, Refusal, quote
from modelcheck.support.tables import json_document

__all__ = ["Contents", "read_json", "walk"]

_MAX_DEPTH = 128
_MAX_VALUES = 250_000
_MAX_NAME_CHARACTERS = 200
_MAX_NUMBER = 2**31 - 1
# Keys whose numbers are names (the address of a shared object, the start of a random stream), not
# sizes.
_NAMES = ("shared_object_id", "seed")
_PATH = re.compile(r"://|^[/\\~]|^[A-Za-z]:[/\\]|(?:^|[/\\])\.\.(?:[/\\]|$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NUMBERS = re.compile(r"bool|bfloat16|(?:u?int|float)(?:8|16|32|64)")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
_SAFE_KEY = re.compile(r"\w{1,40}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a configuration names.

    Parameters
    ----------
    layers : tuple of str
        The names of all objects that have inbound nodes or stand in a list of layers, in order.
    classes : mapping of str to int
        How often each ``module.class`` occurs.
    custom : mapping of str to str
        Classes and functions that were knowingly allowed, ``module>name`` to the name they are
        registered by.
    refusals : tuple of Refusal
        What is refused.
    """

    layers: tuple[str, ...]
    classes: dict[str, int]
    custom: dict[str, str]
    refusals: tuple[Refusal, ...]


def read_json(data: bytes | memoryview, member: str) -> tuple[Any, Refusal | None]:
    """Parse JSON as Keras will, and refuse what two readers could understand differently."""
    try:
        # Keras writes an unlimited bound as Infinity.
        document = json_document(bytes(data), max_depth=_MAX_DEPTH, max_values=_MAX_VALUES, finite=False)
    except ValueError as error:
        return None, Refusal(rule="json", where=member, reason=f"it is no JSON in UTF-8 that is read: {quote(error)}")
    if not isinstance(document, dict):
        return None, Refusal(rule="json", where=member, reason="it holds no JSON object")
    return document, None


def walk(document: dict[str, Any], *, custom_objects: Collection[str] = ()) -> Contents:
    """Look at every value of a network's configuration.

    Parameters
    ----------
    document : dict
        ``config.json``.
    custom_objects : collection of str
        ``module>name`` of classes and functions that are knowingly allowed.

    Returns
    -------
    Contents
    """
    refusals: list[Refusal] = []
    layers: list[str] = []
    classes: Counter[str] = Counter()
    custom: dict[str, str] = {}
    if document.get("class_name") not in ROOTS and not _find_setting(document, custom_objects):
        reason = f"a network is {' or '.join(ROOTS)}, not {quote(document.get('class_name'))}"
        refusals.append(Refusal(rule="root", where="config.json", reason=reason))
    for place, value in _values(document):
        if isinstance(value, dict):
            refusals += _strange_keys(value, place)
            if "class_name" in value:
                compiled = place.compiled
                if compiled != "whole":
                    refusals += _with_cure(_object(value, place, custom_objects), compiled)
                    if setting := _find_setting(value, custom_objects):
                        refusals += _second_name(value, place, custom.setdefault(setting, _registry_name(value)))
                elif not _is_own(value):
                    refusals += _with_cure(_object(value, place, ()), compiled)
                classes[_own_name(value)] += 1
                layers += _layer(value, place)
        else:
            refusals += _value(value, place)
        if len(refusals) >= MAX_REFUSALS:  # whoever reads them has stopped long before
            break
    return Contents(layers=tuple(layers), classes=dict(classes), custom=custom, refusals=tuple(refusals))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands: its own key or number, and the place around it; written out only for a refusal."""

    own: str | int
    around: _Place | None = None

    @property
    def key(self) -> str:
        """The nearest key around the value, itself among them."""
        place: _Place | None = self
        while place is not None:
            if isinstance(place.own, str):
                return place.own
            place = place.around
        return ""

    @property
    def compiled(self) -> str:
        """Whose compile settings the value stands in: those of the ``whole`` network, an ``inner`` one's, or none."""
        place: _Place | None = self
        found = ""
        while place is not None:
            if place.own == "compile_config" and place.around is not None:
                found = "inner" if place.around.around is not None else "whole"
            place = place.around
        return found

    def __str__(self) -> str:
        parts: list[str] = []
        place: _Place | None = self
        while place is not None:
            around = place.around
            parts.append(f"[{place.own}]" if isinstance(place.own, int) else f".{_key(place.own)}" if around else "")
            place = around
        return "config.json" + "".join(reversed(parts))


def _values(document: dict[str, Any]) -> Iterator[tuple[_Place, Any]]:
    """Yield every value with its place, in the order of the file."""
    stack: list[tuple[_Place, Any]] = [(_Place(""), document)]
    while stack:
        place, value = stack.pop()
        yield place, value
        if isinstance(value, dict):
            stack += [(_Place(name, place), item) for name, item in reversed(value.items())]
        elif isinstance(value, list):
            stack += [(_Place(k, place), value[k]) for k in range(len(value) - 1, -1, -1)]


def _key(name: str) -> str:
    return name if _SAFE_KEY.fullmatch(name) else quote(name, longest=40)


def _object(node: dict[str, Any], where: _Place, custom_objects: Collection[str]) -> list[Refusal]:
    """Judge one object by what it calls itself."""
    name, module, registered = node["class_name"], node.get("module"), node.get("registered_name")
    rule, reason = "class", ""
    if not isinstance(name, str) or not isinstance(registered, str | None):
        reason = "it names its class by something that is no text"
    elif name in PLAIN and "module" not in node:
        return _plain(name, node.get("config"), where)
    elif name in KNOWN_BAD:
        rule, reason = "code", f"{name}: {KNOWN_BAD[name]}"
    elif not isinstance(module, str) and not _is_own(node):
        reason = f"{quote(name)} names no module; save the network again with Keras 3"
    elif name == "function" and not isinstance(node.get("config"), str):
        rule, reason = "function", "a function without a name"
    else:
        return _judge_named_object(node, where, custom_objects)
    return [Refusal(rule=rule, where=str(where), reason=reason)]


def _judge_named_object(node: dict[str, Any], where: _Place, custom_objects: Collection[str]) -> list[Refusal]:
    """Judge an object that names a module: Keras' own, one that is knowingly allowed, or neither."""
    function = node["class_name"] == "function"
    module, own, registered = node["module"], node["config" if function else "class_name"], node.get("registered_name")
    if own in (FUNCTIONS if function else CLASSES).get(module, ()):
        known = registered in (None, own, node["class_name"])
    elif _find_setting(node, custom_objects):
        # Another object of the same package may be registered, too; only the declared one is meant.
        known = function or _last(registered or own) == _last(own)
    else:
        return [_refuse_stranger(node, where)]
    if known:
        return _refuse_vocabulary(node, where) if own in LOOKUPS else []
    reason = f"{quote(own)} claims to be registered as {quote(registered)}, which is another object"
    return [Refusal(rule="registered", where=str(where), reason=reason)]


def _refuse_vocabulary(node: dict[str, Any], where: _Place) -> list[Refusal]:
    """Refuse a layer that would read the words that it looks up from a file: it may hold them as a list alone."""
    config = node.get("config")
    words = config.get("vocabulary") if isinstance(config, dict) else ""
    if words is None or (isinstance(words, list) and all(isinstance(word, str | int) for word in words)):
        return []
    reason = f"{quote(node['class_name'])} reads its vocabulary from a file; it is to hold the words as a list"
    return [Refusal(rule="code", where=str(where), reason=reason)]


def _second_name(node: dict[str, Any], where: _Place, first: str) -> list[Refusal]:
    """Refuse a second object under one entry of the settings: one class or function is meant by it."""
    if _registry_name(node) == first:
        return []
    reason = f"{quote(_registry_name(node))} and {quote(first)} are two objects of one name, of which one is allowed"
    return [Refusal(rule="registered", where=str(where), reason=reason)]


def _refuse_stranger(node: dict[str, Any], where: _Place) -> Refusal:
    """Refuse what is not on the list, with the setting that would allow it where one can."""
    what = "function" if node["class_name"] == "function" else "class"
    name = _name_of(node)
    if not _is_own(node):
        reason = f"the {what} {quote(name)} of {quote(node['module'])} is not among those of Keras that only compute"
        return Refusal(rule=what, where=str(where), reason=reason)
    if node["module"] not in _NO_MODULE:
        reason = f"the {what} {quote(name)} of {quote(node['module'])} is not among those of Keras that only compute"
        return Refusal(rule=what, where=str(where), reason=reason, option=f"custom_objects = [{quote(_spell(node))}]")
    reason = (
        f"the {what} {quote(name)} is not Keras' own, and the file does not say where it is, as one of a notebook or a "
        "script: write it into a Python file beside the project, for example own_layers.py"
    )
    option = f"custom_objects = [{quote('own_layers>' + _last(name))}]"
    return Refusal(rule=what, where=str(where), reason=reason, option=option)


def _with_cure(refusals: list[Refusal], compiled: str) -> list[Refusal]:
    """Say of what is refused in compile settings how to save the network without them."""
    if not compiled:
        return refusals
    whose = "an inner network" if compiled == "inner" else "the network"
    cure = f"; {whose} was compiled with it: set its compiled = False, and save the network again"
    return [replace(refusal, reason=refusal.reason + cure, option="") for refusal in refusals]


# How Keras writes the module of a class, and of a function, that it cannot import again: of a
# notebook, a script, or registered by name alone.
_NO_MODULE = (None, "builtins")


def _is_own(node: dict[str, Any]) -> bool:
    """Say whether an object may be somebody's own: nothing of Python's own library, TensorFlow or Keras is."""
    module, name = node.get("module"), node.get("class_name")
    if not isinstance(name, str) or name in PLAIN or name in KNOWN_BAD or not _name_of(node):
        return False
    if module in _NO_MODULE:
        return "module" in node and (module is None) != (name == "function")
    package = module.partition(".")[0] if isinstance(module, str) else ""
    named = isinstance(module, str) and bool(_MODULE.fullmatch(module))
    return named and package not in {"keras", "tensorflow", *sys.stdlib_module_names}


def _find_setting(node: dict[str, Any], custom_objects: Collection[str]) -> str:
    """Return the entry of ``custom_objects`` that allows an object; empty where none does."""
    if not _is_own(node) or _name_of(node) in FUNCTIONS.get(str(node["module"]), ()):
        return ""
    if node["module"] not in _NO_MODULE:
        return _spell(node) if _spell(node) in custom_objects else ""
    return next((entry for entry in sorted(custom_objects) if _last(entry) == _last(_name_of(node))), "")


def _name_of(node: dict[str, Any]) -> str:
    """Return the name of a class or function, with the package it is registered in; empty where it is no text."""
    name = node.get("config") if node.get("class_name") == "function" else node.get("class_name")
    return name if isinstance(name, str) else ""


def _last(name: str) -> str:
    """Return a name without the module, or the package that it is registered in."""
    return name.rsplit(">", 1)[-1]


def _spell(node: dict[str, Any]) -> str:
    """Return how an object whose module is known is called in the setting ``custom_objects``."""
    return f"{node['module']}>{_last(_name_of(node))}"


def _registry_name(node: dict[str, Any]) -> str:
    """Return the name under which Keras will look for a custom object."""
    name = node.get("class_name")
    own = node.get("config") if name == "function" else node.get("registered_name")
    return _text(own or name)


def _own_name(node: dict[str, Any]) -> str:
    name = _text(node.get("config") if node["class_name"] == "function" else node["class_name"])
    module = node.get("module")
    return f"{_text(module)}.{name}"[:_MAX_NAME_CHARACTERS] if isinstance(module, str) else name


def _plain(name: str, config: Any, where: _Place) -> list[Refusal]:
    if not isinstance(config, dict):
        return [Refusal(rule="class", where=str(where), reason=f"{name} without its values")]
    dtype = config.get("dtype", "float32")
    if name == "__keras_tensor__" and dtype == "string":  # stands between layers, and holds no words
        return []
    if name != "__slice__" and not (isinstance(dtype, str) and _NUMBERS.fullmatch(dtype)):
        return [Refusal(rule="class", where=str(where), reason=f"{name} of the type {quote(dtype)}; expected numbers")]
    return []


def _layer(node: dict[str, Any], where: _Place) -> list[str]:
    config = node.get("config")
    if isinstance(where.own, int) and where.key == "layers" and isinstance(config, dict):
        return [_text(config.get("name"))]
    return []


def _text(value: Any) -> str:
    """Return a name from the file, cut; what is no text is not written out, for it may hold the whole file."""
    return value[:_MAX_NAME_CHARACTERS] if isinstance(value, str) else "?"


def _strange_keys(node: dict[str, Any], where: _Place) -> list[Refusal]:
    for key in node:
        if len(key) > MAX_TEXT_CHARACTERS or _CONTROL.search(key) or _PATH.search(key):
            reason = f"the key {quote(key)} is no key that Keras writes"
            return [Refusal(rule="path", where=str(where), reason=reason)]
    return []


def _value(value: Any, where: _Place) -> list[Refusal]:
    if isinstance(value, str):
        if _PATH.search(value):
            reason = f"{quote(value)} is a path or an address; a network names neither"
            return [Refusal(rule="path", where=str(where), reason=reason)]
        if len(value) > MAX_TEXT_CHARACTERS or _CONTROL.search(value):
            reason = f"{quote(value)} holds control characters, or is longer than {MAX_TEXT_CHARACTERS}"
            return [Refusal(rule="text", where=str(where), reason=reason)]
    if isinstance(value, int) and abs(value) > _MAX_NUMBER and where.key not in _NAMES:
        reason = f"a whole number of {len(str(abs(value)))} digits; no size of a network is above {_MAX_NUMBER}"
        return [Refusal(rule="size", where=str(where), reason=reason)]
    return []
