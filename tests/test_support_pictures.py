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
    with pytest.raises(PanelError, match=r"it is no picture in .*face.png'"):
        Panel.from_frame(frame, class_names=["a", "c"], root=tmp_path)


def png(width, height, *, bits=8, colour=0, rows=b""):
    """Return a PNG file; its size in pixels is what it says."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(bits):
    """Return a TIFF file of one pixel in colour, as it is written without compression."""
    tags = {256: 1, 257: 1, 258: 122, 259: 1, 262: 2, 273: 128, 277: 3, 278: 1, 279: 3 * bits // 8}
    rows = b"".join(struct.pack("<HHIHH", tag, 3, 3 if tag == 258 else 1, tags[tag], 0) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, 9) + rows + bytes(4) + struct.pack("<3H", bits, bits, bits) + b"\7" * 6


DEEP = {
    "PNG in colour": png(1, 1, bits=16, colour=2, rows=b"\0" + b"\7" * 6),
    "PNG in colour and transparent": png(1, 1, bits=16, colour=6, rows=b"\0" + b"\7" * 8),
    "PNG in grey and transparent": png(1, 1, bits=16, colour=4, rows=b"\0" + b"\7" * 4),
    "PPM": b"P6 1 1 65535\n" + b"\7" * 6,
    "PPM of 10 bits": b"P6 1 1 1023\n" + b"\1" * 6,
    "PPM in plain figures": b"P3 1 1 65535\n700 800 900\n",
    "TIFF": tiff(16),
}


@pytest.mark.parametrize("data", DEEP.values(), ids=DEEP)
def test_colours_of_more_than_8_bits_are_refused(data, tmp_path):
    """Pillow keeps 8 bits of them without a word, and so another picture than the file's would be judged."""
    (tmp_path / "x").write_bytes(data)
    with Image.open(tmp_path / "x") as picture:
        assert picture.mode in ("RGB", "RGBA")
    with pytest.raises(PictureError, match="more than 8 bits a channel"):
        read_picture(tmp_path / "x")


@pytest.mark.parametrize(
    "data",
    [tiff(8), png(1, 1, colour=2, rows=b"\0\7\7\7"), png(4, 1, bits=2, rows=b"\0\x1b"), b"P6 1 1 200\n\7\7\7"],
    ids=["TIFF", "PNG", "PNG of 2 bits", "PPM"],
)
def test_colours_of_8_bits_or_fewer_are_read(data, tmp_path):
    """The same formats, of a depth that bytes hold."""
    (tmp_path / "x").write_bytes(data)
    assert read_picture(tmp_path / "x").dtype == np.uint8


def saved(picture, **options):
    """Return a picture as PNG, or as what the options say."""
    stream = io.BytesIO()
    picture.save(stream, **{"format": "PNG", **options})
    return stream.getvalue()


def turned(orientation):
    """Return the EXIF data of a picture that is stored turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


CLEAR = Image.fromarray(np.full((2, 2, 4), 128, np.uint8))
BLANK = Image.fromarray(COLOUR)
CANNOT_SAY = {
    "transparent": (saved(CLEAR), "transparent in places.*alpha remove"),
    "transparent grey": (saved(CLEAR.convert("LA")), "transparent"),
    "transparent palette": (saved(BLANK.convert("P"), transparency=0), "transparent"),
    "CMYK": (saved(BLANK.convert("CMYK"), format="JPEG"), "colours are CMYK.*Save it as RGB"),
    "animation": (saved(BLANK, format="GIF", save_all=True, append_images=[CLEAR.convert("RGB")]), "several pictures"),
    "pages": (saved(BLANK, format="TIFF", save_all=True, append_images=[BLANK]), "several pictures"),
    "turned": (saved(BLANK, format="JPEG", exif=turned(6)), "stored turned or mirrored"),
    "mirrored PNG": (saved(BLANK, exif=turned(2)), "stored turned or mirrored"),
    "turned TIFF": (saved(BLANK, format="TIFF", exif=turned(6)), "stored turned or mirrored"),
}


@pytest.mark.parametrize(("data", "message"), CANNOT_SAY.values(), ids=CANNOT_SAY)
def test_what_bytes_in_grey_or_rgb_cannot_say_is_refused(data, message, tmp_path):
    """Nothing is flattened, converted, chosen or turned without a word: what to do is said instead."""
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(PictureError, match=message):
        read_picture(tmp_path / "x")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1"])
def test_what_loses_nothing_is_read(mode, tmp_path):
    """Full opacity, palettes and two tones are bytes in grey or in colour, exactly."""
    picture = BLANK.convert(mode)
    (tmp_path / "x").write_bytes(saved(picture))
    expected = picture.convert("L" if mode in ("LA", "1") else "RGB")
    np.testing.assert_array_equal(read_picture(tmp_path / "x"), np.asarray(expected))


ACROSS = COLOUR.transpose(1, 0, 2)
UPRIGHT = {  # what EXIF's eight orientations mean, of COLOUR as it is stored
    1: COLOUR,
    2: COLOUR[:, ::-1],
    3: COLOUR[::-1, ::-1],
    4: COLOUR[::-1],
    5: ACROSS,
    6: ACROSS[:, ::-1],
    7: ACROSS[::-1, ::-1],
    8: ACROSS[::-1],
}


@pytest.mark.parametrize(("orientation", "upright"), UPRIGHT.items(), ids=map(str, UPRIGHT))
def test_a_turned_picture_is_read_as_told(orientation, upright, tmp_path):
    """Upright as EXIF says, or as it is stored."""
    (tmp_path / "x").write_bytes(saved(BLANK, exif=turned(orientation)))
    np.testing.assert_array_equal(read_picture(tmp_path / "x", turn=True), upright)
    np.testing.assert_array_equal(read_picture(tmp_path / "x", turn=False), COLOUR)


def test_a_turned_tiff_cannot_be_read_as_stored(tmp_path):
    """Pillow turns a TIFF when it unpacks it, once."""
    (tmp_path / "x").write_bytes(saved(BLANK, format="TIFF", exif=turned(6)))
    np.testing.assert_array_equal(read_picture(tmp_path / "x", turn=True), np.rot90(COLOUR, 3))
    with pytest.raises(PictureError, match="cannot be read as it is stored"):
        read_picture(tmp_path / "x", turn=False)


@pytest.mark.parametrize("width", [10_000, 14_000, 60_000])
def test_too_many_pixels_are_refused_before_they_are_unpacked(width, tmp_path, monkeypatch):
    """A small file of many pixels is an error, where Pillow would only warn too, and nothing of it is decoded."""
    monkeypatch.setattr(Image.Image, "convert", lambda *_, **__: pytest.fail("decoded"))
    (tmp_path / "x.png").write_bytes(png(width, width))
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


@pytest.mark.slow
def test_pictures_are_opened_in_one_place():
    """No other module opens a picture."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and (ast.unparse(node.func) == "Image.open" or "imread" in ast.unparse(node.func))
    }
    assert found == {"support/pictures.py"}
