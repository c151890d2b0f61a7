"""Reads the pages of ``docs/`` and ``README.md``: their fenced blocks, and what is in them.

How a block is meant is said by how a reader sees it:

- ``sh``: commands to type. Each has to end with exit status 0.
- ``console``: commands after ``$``, each with (some of) what it prints. Where that has a line that starts with
  ``error:`` or ``Error:``, the exit status has to be 2, else 0. The lines shown have to be printed, in this order;
  numbers may be others, and ``…`` stands for anything.
- ``toml`` or ``python`` with a title: a file of that name. Python without one is run.
- ``text`` is not looked at.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", *sorted(DOCS.glob("*.md"))]

_FENCE = re.compile(r'^( *)```(\w+)(?: title="([^"]*)")?\n(.*?)^\1```$', re.MULTILINE | re.DOTALL)
_MEANT = {
    "stamp": r"\d{8}-\d{6}-[0-9a-f]{6}",
    "hash": r"(?<=hash )[0-9a-f]{6}",
    "p_value": r"p [<=] [\d.]+",
    "number": r"[-+]?\d[\d.,]*(?:e-?\d+)?",
    "space": r"\s+",
}
_WILD = re.compile("|".join(f"(?P<{name}>{what})" for name, what in _MEANT.items()) + "|(?P<anything>…)")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    title: str
    text: str
    line: int


@dataclass
class Command:
    """A command with what the page shows of its output."""

    words: list[str]
    shown: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """What it has to exit with."""
        return 2 if any(line.lower().startswith("error:") for line in self.shown) else 0


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page."""
    found = []
    for match in _FENCE.finditer(text):
        indent, language, title, body = match.groups()
        body = re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
        found.append(Block(language, title or "", body, text.count("\n", 0, match.start()) + 1))
    return found


def commands(block: Block) -> list[Command]:
    """The commands of a ``sh`` or ``console`` block; a line that ends in a backslash goes on."""
    found: list[Command] = []
    for line in block.text.replace("\\\n", " ").splitlines():
        if block.language == "sh":
            if words := shlex.split(line, comments=True):
                found.append(Command(words))
        elif line.startswith("$ "):
            found.append(Command(shlex.split(line[2:], comments=True)))
        elif line.strip():
            found[-1].shown.append(line)
    return found


def first_not_printed(shown: list[str], printed: str) -> str:
    """The first line that the page shows and that is not printed after the ones before it; empty if all are."""
    rest = iter([line.rstrip() for line in printed.splitlines()])
    for line in shown:
        if line.strip() != "…" and not any(pattern(line).fullmatch(other) for other in rest):
            return line
    return ""


def pattern(line: str) -> re.Pattern[str]:
    """A line of the page as a pattern: any numbers, any amount of space, anything for ``…``."""
    parts, end = [], 0
    for match in _WILD.finditer(line.rstrip()):
        parts += [re.escape(line[end : match.start()]), _MEANT.get(match.lastgroup or "", ".*")]
        end = match.end()
    return re.compile("".join(parts) + re.escape(line.rstrip()[end:]))
