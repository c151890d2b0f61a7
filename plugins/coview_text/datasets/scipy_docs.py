"""Paragraphs of SciPy's documentation by topic: real text that is there with coview."""

from __future__ import annotations

import ast
from collections import defaultdict, deque
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import scipy

import coview
from coview_text.datasets.rows import Row, TextRows, own_split

TOPICS = (
    "cluster", "integrate", "interpolate", "linalg", "ndimage", "optimize", "signal", "sparse", "spatial", "special",
    "stats",
)  # fmt: skip
_WORDS = range(8, 81)
_LETTERS = 0.88


class SciPyDocs(TextRows):
    """Paragraphs of the docstrings of SciPy, which coview needs anyway, in 11 topics: its subpackages.

    Plain prose of 8 to 80 words; a paragraph that stands in several topics is in none. A fifth of the docstrings is
    held out, whole. For a first run and for tests: the data differ with the version of SciPy, which every result
    names.

    Args:
        split: "train" or "test".
    """

    licence = "BSD-3-Clause"
    version = f"scipy {scipy.__version__}"
    citation = "Virtanen et al., SciPy 1.0: fundamental algorithms for scientific computing in Python, 2020"

    def __init__(self, *, split: str = "train") -> None:
        coview.check_split(split, self.splits)
        rows = own_split(_rows(), fraction=0.2, seed=0)[0][split]
        super().__init__(rows, TOPICS)


@cache
def _rows() -> list[Row]:
    found = [(text, topic, place) for topic in TOPICS for text, place in _paragraphs(topic)]
    topics = defaultdict(set)
    for text, topic, _ in found:
        topics[text].add(topic)
    first = {text: (topic, place) for text, topic, place in reversed(found) if len(topics[text]) == 1}
    return [
        Row(text, f"{place}#{number}", topic, group=place)
        for number, (text, (topic, place)) in enumerate(first.items())
    ]


def _paragraphs(topic: str) -> Iterator[tuple[str, str]]:
    """Paragraphs, and the docstring that each is of. The files are read and not imported."""
    root = Path(scipy.__file__).parent
    for path in sorted((root / topic).rglob("*.py")):
        if "tests" in path.parts:
            continue
        name = path.relative_to(root).as_posix()
        for node in _documented(ast.parse(path.read_text(encoding="utf-8"))):
            for paragraph in (ast.get_docstring(node) or "").split("\n\n"):
                words = paragraph.split()
                if len(words) in _WORDS and _letters(text := " ".join(words)) > _LETTERS * len(text):
                    yield text, f"{name}:{getattr(node, 'name', '')}"


def _documented(module: ast.Module) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef]:
    """What may have a docstring, in the order of ``ast.walk``, which takes far longer, as it looks into expressions."""
    waiting: deque[ast.AST] = deque([module])
    while waiting:
        node = waiting.popleft()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield node
        for field in ("body", "handlers", "orelse", "finalbody", "cases"):
            waiting.extend(getattr(node, field, ()))


def _letters(text: str) -> int:
    """And blanks."""
    return sum(map(str.isalpha, text)) + text.count(" ")
