"""Draw the most controversial exchanges of a few networks: picture, donor, and the picture with one cell exchanged.

    python benchmarks/blind/show.py digits --out blind --kinds glyph75,badge100,texture100,left --to docs/images

It reads the signatures that ``gate.py`` left behind.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from answers import make_panel
from kinds import KINDS
from pictures import SETS, load_set
from PIL import Image, ImageDraw

from modelcheck.comparison import compare
from modelcheck.signature import read_signature

SCALE, GAP, WORDS, EACH = 4, 10, 190, 2


def draw(picture: np.ndarray, box: tuple[int, int, int, int] | None = None) -> Image.Image:
    """Return a picture enlarged, with a cell outlined."""
    pixels = (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
    pixels = np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels
    image = Image.fromarray(pixels).resize((pixels.shape[1] * SCALE, pixels.shape[0] * SCALE), Image.Resampling.NEAREST)
    if box is not None:
        top, left, bottom, right = (int(edge) * SCALE for edge in box)
        ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), outline=(220, 60, 40), width=2)
    return image


@click.command()
@click.argument("set_name", type=click.Choice(list(SETS)))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--faces", type=click.Path(path_type=Path), help="The folder of CMU Faces.")
@click.option("--kinds", required=True, help="Comma-separated; the first network of each is shown.")
@click.option("--to", type=click.Path(path_type=Path), required=True, help="The folder of the picture.")
def main(set_name: str, *, out: Path, faces: Path | None, kinds: str, to: Path) -> None:
    """Draw one row an exchange, and print each kind's sentence."""
    pictures, folder = load_set(set_name, faces), out / set_name
    lines: list[Image.Image] = []
    for kind in kinds.split(","):
        where = folder / "gate" / KINDS[kind].panel
        found = compare(read_signature(where / "baseline"), read_signature(where / f"{kind}_plain_0")).exchanges
        if found is None:
            raise SystemExit(f"{kind}: the two networks' exchanges could not be compared.")
        print(f"{kind}: {found.sentence}")
        images = make_panel(folder, pictures, kind).images
        for exchange in found.controversial[:EACH]:
            top, left, bottom, right = exchange.box
            mixed = images[exchange.row].copy()
            mixed[top:bottom, left:right] = images[exchange.donor][top:bottom, left:right]
            tiles = [draw(images[exchange.row]), draw(images[exchange.donor], exchange.box), draw(mixed, exchange.box)]
            wide, tall = tiles[0].size
            line = Image.new("RGB", (3 * (wide + GAP) + WORDS, tall + GAP), "white")
            for k, tile in enumerate(tiles):
                line.paste(tile, (k * (wide + GAP), 0))
            names = pictures.class_names
            told = f"{names[exchange.label]} ({exchange.reference_probability:.2f} or more)"
            found_instead = f"{names[exchange.answer]} ({exchange.answer_probability:.2f})"
            words = f"{kind}\nbaseline and twins:\n  {told}\ncandidate:\n  {found_instead}"
            ImageDraw.Draw(line).text((3 * (wide + GAP), 8), words, fill="black")
            lines.append(line)
    sheet = Image.new("RGB", (2 * lines[0].width, sum(line.height for line in lines[::2])), "white")
    for k, line in enumerate(lines):
        sheet.paste(line, (k % 2 * line.width, k // 2 * line.height))
    sheet.save(to / f"controversial_{set_name}.png", optimize=True)


if __name__ == "__main__":
    main()
