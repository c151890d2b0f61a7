"""Figures as SVG that belongs to the page: its colours, its font, the same bytes for the same numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Matplotlib cannot draw in CSS variables. These colours occur nowhere else, and are exchanged for variables
# that the page sets for light, dark and paper.
INK, MUTED, RULE = "#010101", "#010102", "#010103"
SERIES = {"given": "#010104", "pretrained": "#010104", "untrained": "#010105", "raw": "#010106"}
VARIANTS = [f"#0101{number:02x}" for number in range(0x11, 0x19)]  # eight, the page's --variant-1 and so on
SIGNS = (
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
    "M-4-4H4V4H-4z",
    "M0-5.2 5.2 0 0 5.2-5.2 0z",
    "M0-5 5 4.2H-5z",
    "M0 5 5-4.2H-5z",
    "M-1.7-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7z",
    "M0-5.5 1.4-1.8 5.3-1.7 2.2.8 3.3 4.6 0 2.4-3.3 4.6-2.2.8-5.3-1.7-1.4-1.8z",
    "M-2.5-5 0-2.5 2.5-5 5-2.5 2.5 0 5 2.5 2.5 5 0 2.5-2.5 5-5 2.5-2.5 0-5-2.5z",
)
"""The signs of the eight as SVG paths around 0, for legends."""
MARKERS = "osD^vP*X"
"""The same as Matplotlib names them."""
_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    RULE: "rule",
    **{colour: name for name, colour in SERIES.items() if name != "given"},  # drawn as what is pretrained
    **{colour: f"variant-{number}" for number, colour in enumerate(VARIANTS, 1)},
}

_STYLE = {
    "svg.hashsalt": "coview",  # otherwise random ids
    "text.parse_math": False,  # a name with two dollars is a name
    "svg.fonttype": "none",  # text stays text: small, selectable, in the page's font
    "font.size": 8.5,
    "text.color": MUTED,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}


_CHARACTER = 5.3
"""How wide a digit of a tick's label is, in points."""


@contextmanager
def page_style() -> Iterator[None]:
    """Matplotlib's defaults and the page's style, whatever the reader's matplotlibrc says."""
    import matplotlib.style  # of the extra "report"

    with matplotlib.style.context(["default", _STYLE]):
        yield


def new_axes(width: float, height: float, *, makes_room: bool = True) -> tuple[Figure, Axes]:
    """A figure of that many inches, with no window system behind it.

    Args:
        width, height: In inches.
        makes_room: Whether Matplotlib finds the margins that the labels need, which doubles the time to draw it.
    """
    from matplotlib.figure import Figure  # of the extra "report"

    figure = Figure(figsize=(width, height), layout="constrained" if makes_room else None)
    return figure, figure.subplots()


def room_of_ticks(axis: Axis) -> tuple[float, bool]:
    """How wide the longest label of an axis' ticks is, in points, and whether they have a factor, such as "1e−5".

    By the number of characters: how wide they are is the page's font's to say.
    """
    formatter = axis.get_major_formatter()
    labels = formatter.format_ticks(axis.get_majorticklocs().tolist())
    return _CHARACTER * max(map(len, labels), default=0), bool(formatter.get_offset())


def as_svg(figure: Figure, name: str, description: str) -> str:
    """The figure as an ``<svg>`` element that scales with its place on the page.

    Args:
        figure: What to draw.
        name: Unique on the page: ids in it are made from it.
        description: What a screen reader says.
    """
    buffer = StringIO()
    unnamed = dict.fromkeys(("Date", "Creator", "Format", "Type"))  # no time and no version in the file
    figure.savefig(buffer, format="svg", metadata=unnamed)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    text = re.sub(r"font-family: [^;\"]*; ", "", text)
    text = re.sub(r'(id="|url\(#|href="#)', rf"\1{name}-", text)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", text, flags=re.DOTALL)  # its style is for all the page
    box = re.search(r'viewBox="[^"]*"', text)
    assert box is not None, "matplotlib writes a viewBox"
    start = f'<svg {box.group()} role="img" aria-label="{_quoted(description)}" class="figure">'
    return start + text[text.index(">") + 1 :].rstrip()


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
