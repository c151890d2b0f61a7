"""Markup from a file, of which only what shows a value is kept: the file may be somebody else's.

What modalities write is a few elements with text, a picture or a sound that they carry along. Whatever else there is in
the markup (a refresh, a link, a form, a frame, a script, an address elsewhere) is left out of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from html.parser import HTMLParser

_TAGS = re.compile(
    "audio|b|br|code|del|div|em|i|img|ins|kbd|li|mark|ol|p|pre|q|s|small|span|strong|sub|sup"
    "|table|tbody|td|th|thead|tr|u|ul"
)
_VOID = frozenset({"br", "img"})
_SILENT = frozenset(
    [
        "iframe",
        "math",
        "noembed",
        "noframes",
        "noscript",
        "object",
        "script",
        "style",
        "svg",
        "template",
        "textarea",
        "title",
    ]
)
"""What is in them is no text either."""
_ATTRIBUTES = frozenset(
    ["alt", "class", "colspan", "controls", "height", "preload", "rowspan", "src", "style", "title", "width"]
)
_CARRIED = re.compile(r"data:(image/(png|jpeg|gif|webp)|audio/[a-z0-9.+-]+);base64,[A-Za-z0-9+/=\s]*")
_STYLES = frozenset(
    [
        "background",
        "background-color",
        "color",
        "display",
        "font-family",
        "font-size",
        "font-style",
        "font-weight",
        "height",
        "image-rendering",
        "max-height",
        "max-width",
        "text-align",
        "text-decoration",
        "vertical-align",
        "white-space",
        "width",
    ]
)
_STYLE_VALUE = re.compile(r"[A-Za-z0-9#%., -]*")


def safe_html(markup: str) -> str:
    """The markup with nothing in it but text, a few elements that show it, and pictures and sounds that it carries."""
    kept = _Kept()
    kept.feed(markup)
    kept.close()
    return "".join([*kept.parts, *(f"</{tag}>" for tag in reversed(kept.open))])


class _Kept(HTMLParser):
    """Writes anew what is allowed: nothing of the markup gets into the page as it stands."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.open: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent.append(tag)
        elif _TAGS.fullmatch(tag) and not self._silent:
            self.parts.append(f"<{' '.join([tag, *_attributes(attrs)])}>")
            if tag not in _VOID:
                self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag not in _SILENT:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._silent:
            del self._silent[self._silent.index(tag) :]
        elif tag in self.open and not self._silent:
            while self.open:  # what was not closed within it ends with it
                closed = self.open.pop()
                self.parts.append(f"</{closed}>")
                if closed == tag:
                    return

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(escape(data))


def _attributes(given: Sequence[tuple[str, str | None]]) -> Iterator[str]:
    first: dict[str, str] = {}
    for name, value in given:  # of several of one name the first counts
        first.setdefault(name, value or "")
    for name, text in first.items():
        if name not in _ATTRIBUTES or (name == "src" and not _CARRIED.fullmatch(text)):
            continue
        if name == "style":
            text = "; ".join(_styles(text))
        yield f'{name}="{escape(text)}"'


def _styles(text: str) -> Iterator[str]:
    for part in text.split(";"):
        name, colon, value = part.partition(":")
        if colon and name.strip().lower() in _STYLES and _STYLE_VALUE.fullmatch(value):
            yield f"{name.strip()}: {value.strip()}"
