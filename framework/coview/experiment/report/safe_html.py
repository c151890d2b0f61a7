"""Markup from a file, of which only what shows a value is kept: the file may be somebody else's.

What modalities write is a few elements with text, a picture or a sound that they carry along. Whatever else there is in
the markup (a refresh, a link, a form, a frame, a script, an address elsewhere) is left out of the page.
"""

from __future__ import annotations

import re

from coview.errors import CoviewError

_TAGS = frozenset({
    "audio", "b", "br", "code", "del", "div", "em", "i", "img", "ins", "kbd", "li",
    "mark", "ol", "p", "pre", "q", "s", "small", "span", "strong", "sub", "sup", "table",
    "tbody", "td", "th", "thead", "tr", "u", "ul",
})  # fmt: skip
_SILENT = frozenset({
    "iframe", "math", "noembed", "noframes", "noscript", "object", "script",
    "style", "svg", "template", "textarea", "title",
})  # fmt: skip
"""What is in them is no text either."""

_ATTRIBUTES = {
    "*": frozenset({"class", "colspan", "height", "rowspan", "style", "title", "width"}),
    "img": frozenset({"alt", "src"}),
    "audio": frozenset({"controls", "preload", "src"}),
}
_STYLES = frozenset({
    "background-color", "color", "display", "font-family", "font-size", "font-style",
    "font-weight", "height", "image-rendering", "max-height", "max-width", "text-align",
    "text-decoration", "vertical-align", "white-space", "width",
})  # fmt: skip
_CARRIED = re.compile(r"data:(image/(png|jpeg|gif|webp)|audio/[a-z0-9.+-]+);base64,[A-Za-z0-9+/=\s]*")
_PLAIN_STYLE = re.compile(r"[A-Za-z0-9#%., :;-]*")


def safe_html(markup: str) -> str:
    """The markup with nothing in it but text, a few elements that show it, and pictures and sounds that it carries.

    Raises:
        CoviewError: If nh3 is missing.
    """
    try:
        import nh3  # of the extra "report"
    except ImportError as error:
        raise CoviewError(
            "the report needs nh3, which is not installed", hint="pip install 'coview[report]'"
        ) from error
    return nh3.clean(
        markup,
        tags=set(_TAGS),
        clean_content_tags=set(_SILENT),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=_filtered,
        filter_style_properties=set(_STYLES),
        url_schemes={"data"},
        link_rel=None,
    )


def _filtered(tag: str, attribute: str, value: str) -> str | None:
    """The attribute's value, or None where it would lead elsewhere."""
    allowed = {"src": _CARRIED, "style": _PLAIN_STYLE}.get(attribute)
    return value if allowed is None or allowed.fullmatch(value) else None
