"""Reading a page in the tests: strictly as HTML, and with a real browser."""

import html
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

VOID = {"meta", "img", "source", "br", "hr", "link", "input", "wbr"}


class Page(HTMLParser):
    """Elements and text of a page; fails on a tag that is left open or closed out of turn."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == [], f"left open: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"<{tag}> repeats an attribute"
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert tag not in VOID
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" not in self._open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def scroll_width(page: str, width: int, folder: Path) -> int:
    """Return how wide a real browser finds `page` in a frame of `width` pixels; skip the test without a browser."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no chromium: the width of the page was not measured")
    wrapper = folder / "wrapper.html"
    wrapper.write_text(
        f'<!DOCTYPE html><iframe id="f" style="width:{width}px;height:900px;border:0" srcdoc="{html.escape(page)}">'
        "</iframe><p id=r></p><script>addEventListener('load', () => { document.getElementById('r').textContent ="
        "'measured ' + document.getElementById('f').contentDocument.scrollingElement.scrollWidth })</script>"
    )
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --hide-scrollbars --window-size=1400,1000 --dump-dom"
    )
    command = [browser, *flags.split(), f"--user-data-dir={folder / 'profile'}", wrapper.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    measured = re.search(r"measured (\d+)", shown)
    assert measured is not None, "the browser did not report a width"
    return int(measured.group(1))
