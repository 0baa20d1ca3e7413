"""Pictures: known formats alone, from bytes that were read before, and their size is known before they are unpacked."""

import ast
import io
import os
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import EpsImagePlugin, Image

from fuzzing import FUZZ, damaged
from modelcheck.panel import Panel, PanelError
from modelcheck.support.pictures import FORMATS, PictureError, read_picture

PACKAGE = Path(__file__).parents[1] / "modelcheck"
COLOUR = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n%%EOF\n"


def encoded(name, pixels=COLOUR):
    """Return a picture in a format."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, name)
    return stream.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_known_formats_are_read(name, tmp_path):
    """Each format of the list is read, in colour, whatever the file is called."""
    (tmp_path / "x.png").write_bytes(encoded(name))
    found = read_picture(tmp_path / "x.png")
    assert (found.shape, found.dtype) == ((4, 5, 3), np.uint8)


def test_grey_stays_grey(tmp_path):
    """A grey picture has no axis of colours, and its values are those of the file."""
    (tmp_path / "x").write_bytes(encoded("PPM", COLOUR[..., 0]))
    assert np.array_equal(read_picture(tmp_path / "x"), COLOUR[..., 0])


def test_no_other_program_is_started(tmp_path, monkeypatch):
    """A PostScript file that is called face.png is no picture, and Ghostscript is not asked."""

    def refuse(*_, **__):
        raise AssertionError("started")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", refuse)
    for name in ("call", "check_call", "check_output", "run", "Popen"):
        monkeypatch.setattr(subprocess, name, refuse)
    path = tmp_path / "face.png"
    path.write_bytes(EPS)
    with Image.open(path) as picture, pytest.raises(AssertionError, match="started"):
        picture.load()  # the attack is real
    with pytest.raises(PictureError, match="it is no picture in PNG, JPEG"):
        read_picture(path)
    frame = pd.DataFrame({"path": ["face.png"], "label": ["a"], "subject": ["b"]})
    with pytest.raises(PanelError, match=r"face.png' cannot be read: it is no picture"):
        Panel.from_frame(frame, class_names=["a", "c"], root=tmp_path)


def large_png(width, height):
    """Return a small PNG file that says it has so many pixels."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("width", [10_000, 14_000, 60_000])
def test_too_many_pixels_are_refused_before_they_are_unpacked(width, tmp_path, monkeypatch):
    """A small file of many pixels is an error, where Pillow would only warn too, and nothing of it is decoded."""
    monkeypatch.setattr(Image.Image, "convert", lambda *_, **__: pytest.fail("decoded"))
    (tmp_path / "x.png").write_bytes(large_png(width, width))
    with pytest.raises(PictureError, match=r"pixels"):
        read_picture(tmp_path / "x.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system knows no pipes in folders")
def test_no_pipe_is_waited_for(tmp_path):
    """A pipe, a device and a folder are no pictures."""
    os.mkfifo(tmp_path / "x.png")
    for path, words in ((tmp_path / "x.png", "a pipe"), (tmp_path, "a folder"), (Path("/dev/zero"), "a device")):
        with pytest.raises(PictureError, match=words):
            read_picture(path)


def test_pictures_of_a_panel_are_bounded_together(tmp_path):
    """So many pictures that they take more than a panel may are refused at the first."""
    (tmp_path / "x.png").write_bytes(encoded("PNG", np.zeros((4000, 4000), np.uint8)))
    frame = pd.DataFrame({"path": ["x.png"] * 300, "label": ["a", "b"] * 150, "subject": ["c"] * 300})
    with pytest.raises(PanelError, match="take more than 4 GiB"):
        Panel.from_frame(frame, root=tmp_path)


@FUZZ
@given(st.binary(max_size=80) | st.sampled_from([encoded(name) for name in FORMATS]).flatmap(damaged))
def test_any_bytes(tmp_path, data):
    """Any bytes as a picture: an error of its own, or bytes."""
    path = tmp_path / "x"
    path.write_bytes(data)
    try:
        found = read_picture(path, max_pixels=2**16)
    except PictureError:
        return
    assert found.dtype == np.uint8
    assert found.ndim in (2, 3)


def test_pictures_are_opened_in_one_place():
    """No other module opens a picture."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and (ast.unparse(node.func) == "Image.open" or "imread" in ast.unparse(node.func))
    }
    assert found == {"support/pictures.py"}
