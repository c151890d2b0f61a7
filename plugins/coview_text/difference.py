"""What a text has that another has not, word by word."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from typing import Literal

from coview_text.words import join, split

Change = Literal["same", "added", "gone"]

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~])")


def changes(before: str, after: str) -> Iterator[tuple[Change, str]]:
    """The words that stayed, were added and are gone, in runs, in the order of the text."""
    old, new = split(before), split(after)
    for kind, i, j, k, m in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if kind == "equal":
            yield "same", join(old[i:j])
            continue
        if j > i:
            yield "gone", join(old[i:j])
        if m > k:
            yield "added", join(new[k:m])


def as_html(before: str, after: str) -> str:
    """The text ``after`` with ``<ins>`` around what it adds and ``<del>`` around what it lacks."""
    return _marked(
        before, after, html.escape, {"same": ("", ""), "added": ("<ins>", "</ins>"), "gone": ("<del>", "</del>")}
    )


def as_markdown(before: str, after: str) -> str:
    """The same in Markdown, in one line: added words bold, missing ones struck through."""
    return _marked(before, after, markdown, {"same": ("", ""), "added": ("**", "**"), "gone": ("~~", "~~")})


def markdown(text: str) -> str:
    """The text as Markdown that shows it, in one line."""
    return _MARKDOWN.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _marked(before: str, after: str, escape: Callable[[str], str], marks: dict[Change, tuple[str, str]]) -> str:
    return " ".join(f"{marks[kind][0]}{escape(run)}{marks[kind][1]}" for kind, run in changes(before, after))
