"""Fonts and lines of text for images that Pillow draws."""

import importlib.util
from pathlib import Path

from PIL import ImageFont

from passband.jobs.common.wording import plain

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def sheet_font(size: int) -> Font:
    """Return DejaVu Sans, which knows more scripts, from where matplotlib keeps it; else Pillow's own font."""
    found = importlib.util.find_spec("matplotlib")  # located, not imported: that would take a quarter of a second
    if found is not None and found.origin is not None:
        path = Path(found.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"
        if path.exists():
            return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)


def shorten(text: str, width: int, font: Font) -> str:
    """Return `text` on one line, its middle left out where it is wider than `width` pixels."""
    text = plain(text)
    if font.getlength(text) <= width:
        return text
    for kept in range(min(len(text), width) - 1, 0, -1):
        shortened = f"{text[: -(-kept // 2)]}\u2026{text[len(text) - kept // 2 :]}"
        if font.getlength(shortened) <= width:
            return shortened
    return "\u2026"
