"""Views of which something is hidden, as they are shown to a person: in the report, and in TensorBoard."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coview.data.atomic import write_atomically
from coview.pages.picture import picture_html

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Panel:
    """One look at a view: a picture, or markup.

    Attributes:
        title: What it shows.
        pixels_HW3: The picture, uint8; absent where there is markup.
        markup: HTML.
        markdown: The same for TensorBoard, in one line.
    """

    title: str
    pixels_HW3: np.ndarray | None = None
    markup: str = ""
    markdown: str = ""

    def as_html(self) -> str:
        """Without the title."""
        return self.markup if self.pixels_HW3 is None else picture_html(self.pixels_HW3, self.title)


@dataclass(frozen=True)
class ShownView:
    """A view.

    Attributes:
        caption: Whose it is, and which.
        said: What is hidden of it and how well that is predicted, in words, a line each.
        panels: Looks at it.
    """

    caption: str
    said: Sequence[str]
    panels: Sequence[Panel]

    @property
    def markdown(self) -> str:
        """For TensorBoard, without pictures."""
        heading = html.escape(" · ".join([self.caption, *self.said]), quote=False)
        return "\n\n".join([f"**{heading}**", *(panel.markdown for panel in self.panels if panel.markdown)])


@dataclass(frozen=True)
class ShownViews:
    """Views of one moment of a run.

    Attributes:
        about: What they are of, in words, a sentence each.
        views: The views.
    """

    about: Sequence[str]
    views: Sequence[ShownView]

    def write(self, path: Path) -> None:
        """Writes them for the report, whole or not at all."""
        views = [
            {
                "caption": view.caption,
                "said": list(view.said),
                "panels": [{"title": panel.title, "html": panel.as_html()} for panel in view.panels],
            }
            for view in self.views
        ]
        content = {"about": list(self.about), "views": views}
        write_atomically(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
