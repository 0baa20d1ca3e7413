"""A corpus of network files that must be refused, each made from an honest one by one change.

`python tests/hostile.py FOLDER` writes them. Payloads only ever write a canary file beside
themselves.
"""

from __future__ import annotations

import codecs
import copy
import io
import json
import marshal
import struct
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import hdf5_files
import onnx_files
import tflite_files

HONEST = Path(__file__).parents[1] / "networks" / "half_filters.keras"
Members = dict[str, bytes]
# What each file must at least be refused for.
Corpus = dict[str, tuple[str, bytes]]


def honest() -> Members:
    """Return the members of an honest network file."""
    with zipfile.ZipFile(HONEST) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: Mapping[str, bytes], *, method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip archive of the members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def lambda_code(canary: Path) -> dict[str, Any]:
    """Return a function that writes the canary, the way Keras writes a Python lambda into a configuration."""
    source = f"lambda x: (__import__('pathlib').Path({str(canary)!r}).write_text('ran'), x)[1]"
    code = codecs.encode(marshal.dumps(eval(source).__code__), "base64").decode("ascii")  # our own text
    return {"class_name": "__lambda__", "config": {"code": code, "defaults": None, "closure": None}}


def lambda_layer(canary: Path) -> dict[str, Any]:
    """Return a Lambda layer whose function writes the canary."""
    config = {"name": "evil", "trainable": True, "dtype": "float32", "function": lambda_code(canary), "arguments": {}}
    return {"module": "keras.layers", "class_name": "Lambda", "config": config, "registered_name": None}


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of a Sequential network of an input and these layers."""
    start = {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"batch_shape": [None, 4], "dtype": "float32", "sparse": False, "name": "start"},
        "registered_name": None,
    }
    config = {"name": "net", "trainable": True, "dtype": "float32", "layers": [start, *layers]}
    return {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}


def function(module: str, name: str) -> dict[str, Any]:
    """Return a function as Keras writes it."""
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def layer(module: str, name: str, /, **config: Any) -> dict[str, Any]:
    """Return a layer as Keras writes it."""
    return {"module": module, "class_name": name, "config": {"name": "evil", **config}, "registered_name": None}


def corpus(folder: Path, canary: Path) -> dict[str, tuple[str, Path]]:
    """Write the corpus; return, by name, the rule that must refuse it and its path."""
    made: dict[str, tuple[str, Path]] = {}
    files = {**configurations(canary), **archives(), **weights(folder), **formats()}
    for name, (rule, data) in {**files, **tflite_files.strange(), **onnx_files.strange()}.items():
        path = folder / f"{name}.keras"
        path.write_bytes(data)
        made[name] = (rule, path)
    saved = folder / "saved_model.keras"
    (saved / "variables").mkdir(parents=True)
    (saved / "saved_model.pb").write_bytes(b"\x08\x01")
    made["saved_model"] = ("format", saved)
    return made


def configurations(canary: Path) -> Corpus:
    """Return files whose ``config.json`` is at fault."""
    base = json.loads(honest()["config.json"])
    code, evil = lambda_code(canary), lambda_layer(canary)

    def changed(change: Callable[[Any, Any], Any]) -> dict[str, Any]:
        document = copy.deepcopy(base)
        change(document, document["config"]["layers"][1]["config"])
        return document

    def activation(value: Any) -> dict[str, Any]:
        return changed(lambda document, conv: conv.update(activation=value))

    def setting(**values: Any) -> dict[str, Any]:
        return changed(lambda document, conv: conv.update(values))

    def called(document: Any, conv: Any) -> None:
        document["config"]["layers"][1]["inbound_nodes"][0]["kwargs"] = {"mask": code}

    inner = {**sequential(layer("keras.layers", "Dense", units=2)), "compile_config": {"loss": code}}
    bare = {"class_name": "Lambda", "config": evil["config"]}
    numbers = {"class_name": "__numpy__", "config": {"value": [0], "dtype": "object"}}
    spec = {"class_name": "__typespec__", "spec_name": "Popen", "module": "subprocess", "config": ["id"]}
    registered = {**layer("keras.layers", "Dense", units=2), "registered_name": "evil>Layer"}
    documents: dict[str, tuple[str, Any]] = {
        "lambda": ("code", sequential(evil)),
        "lambda_nested": ("code", sequential({**sequential(evil), "module": "keras"})),
        "lambda_without_module": ("code", sequential(bare)),
        "lambda_by_its_source": ("code", sequential({**evil, "module": "keras.src.layers.core.lambda_layer"})),
        "lambda_in_time_distributed": ("code", sequential(layer("keras.layers", "TimeDistributed", layer=evil))),
        "lambda_in_pipeline": ("code", sequential(layer("keras.layers", "Pipeline", layers=[evil]))),
        "lambda_as_activation": ("code", activation(code)),
        "lambda_as_initializer": ("code", setting(kernel_initializer=code)),
        "lambda_as_regularizer": ("code", setting(kernel_regularizer=code)),
        "lambda_as_constraint": ("code", setting(kernel_constraint=code)),
        "lambda_as_dtype": ("code", setting(dtype=code)),
        "lambda_in_a_call": ("code", changed(called)),
        "lambda_as_loss": ("code", {**base, "compile_config": {"loss": code}}),
        "lambda_as_inner_loss": ("code", sequential(inner)),
        "lambda_in_build": ("code", {**base, "build_config": {"input_shape": code}}),
        "typespec": ("code", {**base, "build_config": {"input_shape": spec}}),
        "tfsm_layer": ("code", sequential(layer("keras.layers", "TFSMLayer", filepath="elsewhere"))),
        "tfsm_as_function": ("function", activation(function("keras.layers", "TFSMLayer"))),
        "torch_module": ("code", sequential(layer("keras.layers", "TorchModuleWrapper", module="gASVAAAA"))),
        "jax_layer": ("code", sequential(layer("keras.layers", "JaxLayer", call_fn=code))),
        "string_lookup": ("code", sequential(layer("keras.layers", "StringLookup", vocabulary="/etc/passwd"))),
        "lookup_near": ("code", sequential(layer("keras.layers", "IntegerLookup", vocabulary="words.txt"))),
        "text_vectorization": ("code", sequential(layer("keras.layers", "TextVectorization", vocabulary="words"))),
        "os_system": ("function", activation(function("os", "system"))),
        "builtins_eval": ("function", activation(function("builtins", "eval"))),
        "popen": ("class", sequential(layer("subprocess", "Popen", args=["touch", str(canary)]))),
        "get_file": ("function", activation(function("keras.utils", "get_file"))),
        "plot_model": ("function", activation(function("keras.utils", "plot_model"))),
        "plot_gallery": ("function", activation(function("keras.visualization", "plot_image_gallery"))),
        "set_floatx": ("function", activation(function("keras.config", "set_floatx"))),
        "unsafe": ("function", activation(function("keras.config", "enable_unsafe_deserialization"))),
        "load_model": ("function", activation(function("keras.models", "load_model"))),
        "tf_write_file": ("function", activation(function("tensorflow.io", "write_file"))),
        "function_without_name": ("function", activation({**function("os", "x"), "config": {"class_name": []}})),
        "metric_wrapper": ("class", {**base, "compile_config": {"m": layer("keras.metrics", "MeanMetricWrapper")}}),
        "undeclared_class": ("class", sequential(layer("mypackage.layers", "MyLayer"))),
        "keras_hub_class": ("class", sequential(layer("keras_hub.layers", "Anything"))),
        "internal_class": ("class", sequential(layer("keras.src.layers.core.wrapper", "Wrapper"))),
        "class_of_no_text": ("class", activation({"class_name": ["Lambda"], "config": {}})),
        "registered_elsewhere": ("registered", sequential(registered)),
        "objects_in_numpy": ("class", setting(bias_initializer=numbers)),
        "root_is_a_layer": ("root", layer("keras.layers", "Dense", units=2)),
        "remote_path": ("path", setting(weights="gs://bucket/weights.h5")),
        "absolute_path": ("path", setting(vocabulary="/etc/passwd")),
        "windows_path": ("path", setting(vocabulary="C:\\secrets.txt")),
        "layer_name_leads_out": ("path", setting(name="../../../elsewhere")),
        "layer_name_with_escapes": ("text", setting(name="conv\x1b]0;owned\x07")),
        "a_trillion_units": ("size", setting(filters=2**40)),
        "deep": ("json", {**base, "build_config": json.loads("[" * 400 + "]" * 400)}),
        "a_list": ("json", [base]),
    }
    files = {name: (rule, json.dumps(document).encode()) for name, (rule, document) in documents.items()}
    text = json.dumps(base)
    files |= {
        "too_deep_to_parse": ("json", b"[" * 200_000),
        "key_twice": ("json", text.replace('{"module"', '{"class_name": "Lambda", "module"', 1).encode()),
        "utf16": ("json", text.encode("utf-16")),
        "no_json": ("json", b"import os"),
        "empty_config": ("json", b""),
    }
    return {name: (rule, packed({**honest(), "config.json": data})) for name, (rule, data) in files.items()}


def archives() -> Corpus:
    """Return files whose zip listing is at fault."""
    members = honest()
    plain = packed(members)

    def extra(name: str, data: bytes = b"x", *, mode: int = 0o100644) -> bytes:
        stream = io.BytesIO(plain)
        with zipfile.ZipFile(stream, "a") as archive:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, data)
        return stream.getvalue()

    def renamed(old: bytes, new: bytes) -> bytes:
        """Change a name in both headers, where zipfile itself would not write it."""
        return extra(old.decode()).replace(old, new)

    bomb = {**members, "config.json": members["config.json"] + b" " * (2**27)}
    return {
        "pickle_inside": ("members", extra("data.pkl", b"\x80\x04.")),
        "assets": ("members", extra("assets/layers/words.bin")),
        "assets_lead_out": ("archive", extra("assets/../vocabulary.txt")),
        "vocabulary_of_dots": ("members", extra("assets/.../vocabulary.txt")),
        "vocabulary_no_text": ("text", extra("assets/layers/lookup/vocabulary.txt", b"a\0b\xff")),
        "weights_as_npz": ("members", extra("model.weights.npz")),
        "name_leads_out": ("archive", extra("../config.json")),
        "name_absolute": ("archive", extra("/etc/cron.d/x")),
        "name_backslash": ("archive", renamed(b"aa_evil.txt", b"..\\evil.txt")),
        "name_nul": ("archive", renamed(b"a_evil.txt", b"a\0evil.txt")),
        "name_no_utf8": ("archive", renamed(b"a_evil.txt", b"\x82_evil.txt")),
        "name_escape": ("archive", extra("a\x1b[2J.txt")),
        "name_long": ("archive", extra("a" * 5000)),
        "twice": ("archive", _twice(members)),
        "symlink": ("archive", extra("link", b"/etc/passwd", mode=0o120777)),
        "folder": ("archive", extra("assets/", b"")),
        "device": ("archive", extra("tty", mode=0o020666)),
        "encrypted": ("archive", _flagged(plain, 0x1)),
        "patched": ("archive", _flagged(plain, 0x20)),
        "bzip2": ("archive", packed(members, method=zipfile.ZIP_BZIP2)),
        "lzma": ("archive", packed(members, method=zipfile.ZIP_LZMA)),
        "bomb": ("archive", packed({**bomb, "model.weights.h5": b""}, method=zipfile.ZIP_DEFLATED)),
        "overlap": ("archive", _overlapping(members)),
        "prefix": ("archive", b"\x7fELF" + plain),
        "suffix": ("archive", plain + b"\x7fELF"),
        "hidden_before": ("archive", b"PK\x03\x04" + b"\0" * 60 + plain),
        "truncated": ("archive", plain[: len(plain) // 2]),
        "crc": ("archive", plain.replace(b"keras.layers", b"keras.lauers", 1)),
        "large_metadata": ("size", packed({**members, "metadata.json": b"{" + b" " * 70_000 + b"}"})),
        "no_weights": ("members", packed({k: v for k, v in members.items() if not k.endswith("h5")})),
        "no_config": ("members", packed({k: v for k, v in members.items() if k != "config.json"})),
    }


def weights(folder: Path) -> Corpus:
    """Return files whose HDF5 weights are at fault."""

    def made(write: Callable[[Any], None], **options: Any) -> bytes:
        path = folder / "weights.tmp"
        with h5py.File(path, "w", **options) as file:
            file.create_group("layers/conv/vars")["0"] = np.zeros((3, 3), np.float32)
            write(file)
        data = path.read_bytes()
        path.unlink()
        return data

    def virtual(file: Any) -> None:
        layout = h5py.VirtualLayout((4,), "f4")
        layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4,))
        file.create_virtual_dataset("v", layout)

    def unallocated(file: Any) -> None:
        file.create_dataset("v", (2**40,), "f4")

    def reference(file: Any) -> None:
        file.create_dataset("v", data=[file["layers"].ref], dtype=h5py.ref_dtype)

    def loop(file: Any) -> None:
        file["layers/conv/again"] = file["layers"]

    def external(file: Any) -> None:
        file.create_dataset("v", (4,), "f4", external=[("/etc/passwd", 0, 16)])

    files = {
        "external_link": made(lambda file: file.__setitem__("v", h5py.ExternalLink("/etc/passwd", "x"))),
        "soft_link": made(lambda file: file.__setitem__("v", h5py.SoftLink("/layers/conv"))),
        "external_storage": made(external),
        "virtual_set": made(virtual),
        "packed_bomb": made(lambda file: file.create_dataset("v", (2**14,) * 2, "f4", compression="gzip")),
        "in_pieces": made(lambda file: file.create_dataset("v", (64, 64), "f4", chunks=(8, 8))),
        "more_than_it_holds": made(unallocated),
        "reference": made(reference),
        "texts": made(lambda file: file.create_dataset("v", data=["x"], dtype=h5py.string_dtype())),
        "two_ways": made(loop),
        "new_superblock": made(lambda file: None, libver="latest"),
        "user_block": made(lambda file: None, userblock_size=512),
        "no_hdf5": b"weights",
        "cut_hdf5": honest()["model.weights.h5"][:-4096],
        "wild_address": _wild(honest()["model.weights.h5"]),
    }
    files |= {name: make() for name, make in hdf5_files.STRANGE.items()}
    return {f"h5_{name}": ("weights", packed({**honest(), "model.weights.h5": data})) for name, data in files.items()}


def formats() -> Corpus:
    """Return files that are something else."""
    pickled = b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."
    torch = packed({"archive/data.pkl": pickled, "archive/version": b"3"})
    return {
        "pickle": ("format", pickled),
        "hdf5": ("format", honest()["model.weights.h5"]),
        "nothing": ("format", b""),
        "torch": ("members", torch),
        "script": ("archive", b"#!/usr/bin/env python\nimport os\n"),
        "gzip": ("archive", b"\x1f\x8b\x08" + b"\0" * 40),
        "empty_zip": ("members", packed({})),
    }


def _twice(members: Members) -> bytes:
    """Name two members alike, which zipfile would warn about."""
    other = packed({**members, "konfig.json": members["config.json"]})
    return other.replace(b"konfig.json", b"config.json")


def _flagged(data: bytes, flag: int) -> bytes:
    """Set a flag in every header of an archive."""
    changed = bytearray(data)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark)
        while place >= 0:
            (flags,) = struct.unpack_from("<H", changed, place + offset)
            struct.pack_into("<H", changed, place + offset, flags | flag)
            place = data.find(mark, place + 4)
    return bytes(changed)


def _overlapping(members: Members) -> bytes:
    """Let two entries of the listing point at one member's bytes, as bombs without nesting do."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        again = copy.copy(archive.getinfo("config.json"))
        again.filename = again.orig_filename = "again.json"
        archive.filelist.append(again)
    return stream.getvalue()


def _wild(data: bytes) -> bytes:
    """Let the root group's header lie far outside the file."""
    changed = bytearray(data)
    struct.pack_into("<Q", changed, 64, 2**60)
    return bytes(changed)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for name, (rule, path) in corpus(target, target / "canary").items():
        sys.stdout.write(f"{name}: {rule}: {path}\n")
