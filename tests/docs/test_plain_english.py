"""Messages and documents in plain English: phrases that readers had to read twice do not come back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PHRASES = {
    # a noun that is denied: "is not a file", "is not valid TOML"
    r"(?<![Tt]here )\b(is|are|was|were) no (?!(longer|more|less|change|evidence|proof|higher|finer)\b)\w": "is not a …",
    # a verb at the end: "which the data does not have"
    r"\b(has|have) not(?=[.,;:)\"]|$| (the|a|so|as)\b)": "does not have",
    r"\bsays not\b": "does not say",
    r"\bcan(not)? be had\b": "is (not) available",
    r"\bof no use\b": "has no effect",
    r"\bmay not be read\b": "cannot be read: permission denied",
    r"\bbelongs? into\b": "belongs in",
    r"\bin which lies\b": "which contains",
    r"\bnobody has\b": "a sentence without nobody",
    r"\bof which none\b|\bof which nothing\b": "none of which",
    r"\bhas (an)?other \w+ than\b|\b(another|others) than\b": "has a different …, differs from",
    r"\bstands? for itself\b": "a sentence that says it",
    r", for (it|they|the|its|a) \w+ (is|are|was|were|has|have)\b|, for (it|they) ": "because",
    r"\bmay do\b|\bdo not do\b": "may work, are not enough",
    r"\bpassed over\b": "skipped",
    r"\bgoes by (the|where|its)\b": "is relative to",
}
"""Patterns of phrases that are not plain, each with what to write."""


def strings_of(path: Path) -> Iterator[tuple[int, str]]:
    """Texts of at least three words in a Python file, without docstrings; what is computed in one is ``…``."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if id(node) in docstrings or id(node) in parts:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        else:
            continue
        if len(text.split()) > 2:
            yield node.lineno, text


def code() -> list[Path]:
    """What may speak to a user."""
    folders = (ROOT / "framework", ROOT / "plugins", ROOT / "examples")
    return sorted(path for folder in folders for path in folder.rglob("*.py") if "tests" not in path.parts)


@cache
def texts_of_code() -> list[tuple[str, str]]:
    """Each with its file and line."""
    return [(f"{path.relative_to(ROOT)}:{line}", text) for path in code() for line, text in strings_of(path)]


@cache
def lines_of_pages() -> list[tuple[str, str]]:
    """Each with its file and number."""
    return [
        (f"{path.relative_to(ROOT)}:{number}", line)
        for path in pages()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    ]


def pages() -> list[Path]:
    """Documents in English, of the repository and of the examples."""
    found = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*/README.md")]
    foreign = (ROOT / "docs" / "zh", ROOT / "docs" / "reference" / "python.md")
    return sorted(path for path in found if not any(path.is_relative_to(other) for other in foreign))


@pytest.mark.parametrize("phrase", PHRASES)
def test_phrases_that_are_not_plain_do_not_come_back(phrase):
    """In messages, hints, helps and descriptions, and in documents."""
    pattern = re.compile(phrase)
    found = [
        f"{where}: {text[max(0, hit.start() - 40) : hit.end() + 20]}"
        for where, text in texts_of_code()
        if (hit := pattern.search(text))
    ]
    found += [f"{where}: {line}" for where, line in lines_of_pages() if pattern.search(line)]
    assert not found, f"write instead: {PHRASES[phrase]}\n" + "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "is no valid TOML: x",
        "what it has not.",
        "says not where the weights are",
        "the split, for it has been changed",
        "is of no use beside shared",
        "row 3 has another id than before",
    ],
)
def test_the_patterns_find_what_they_are_for(text):
    assert any(re.search(phrase, text) for phrase in PHRASES)


@pytest.mark.parametrize("text", ["there is no such file", "the run has not been started", "0 is no change"])
def test_the_patterns_leave_plain_english_alone(text):
    assert not any(re.search(phrase, text) for phrase in PHRASES)
