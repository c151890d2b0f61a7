"""Draws a run's numbers beside their controls: ``python docs/pictures/forest.py RUN OUT.svg``.

The figure is the one of the run's report, set into a picture that stands by itself: with a legend, a caption and its
own colours, for light and dark. ``quickstart.svg`` is of ``coview run recipes/quickstart.toml``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import coview
from coview.experiment.report.forest import draw_forests
from coview.track.result_rows import result_rows

STYLE = """\
svg { --paper: #fff; --ink: #16181d; --muted: #5b6270; --rule: #d9dde4;
  --pretrained: #1f5fd0; --untrained: #b4570a; --raw: #6b7280;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
@media (prefers-color-scheme: dark) { svg { --paper: #14161a; --ink: #e8eaee; --muted: #a0a7b4; --rule: #343944;
  --pretrained: #7fabff; --untrained: #f0a35e; --raw: #a3abb8; } }"""

LEGEND = """\
<g fill="var(--muted)" font-size="9">
<circle cx="10" cy="14" r="3" fill="var(--pretrained)"/><text x="17" y="17">pretrained</text>
<path d="M82 10l4 4-4 4-4-4z" fill="var(--untrained)"/><text x="89" y="17">untrained</text>
<path d="M147 11h6v6h-6z" fill="var(--raw)"/><text x="157" y="17">raw pixels</text>
<text x="8" y="{below}">{caption}</text>
</g>"""


def draw(run: coview.Run) -> str:
    """The picture of the first metric."""
    forest = draw_forests(result_rows(run.results))[0]
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', forest.svg)
    assert box is not None
    width, height = float(box[1]), float(box[2])
    said = re.search(r'aria-label="([^"]*)"', forest.svg)
    assert said is not None
    figure = forest.svg.replace("<svg ", f'<svg x="8" y="26" width="{width:g}" height="{height:g}" ', 1)
    caption = f"{forest.title}, with 95 % intervals"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'viewBox="0 0 {width + 16:g} {height + 46:g}" aria-label="{said[1]}">\n<style>{STYLE}</style>\n'
        f'<rect width="100%" height="100%" rx="6" fill="var(--paper)"/>\n'
        f"{LEGEND.format(below=f'{height + 38:g}', caption=caption)}\n{figure}\n</svg>\n"
    )


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(draw(coview.load_run(sys.argv[1])), encoding="utf-8")
