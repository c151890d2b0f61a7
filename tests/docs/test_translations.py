"""The Chinese pages keep step with the English ones: the same headings, commands, tables and numbers."""

from __future__ import annotations

import re

import pytest
from docs_pages import DOCS, REPOSITORY, blocks

PAGES = {
    DOCS / "zh" / "index.md": REPOSITORY / "README.md",
    DOCS / "zh" / "first-recipe.md": DOCS / "first-recipe.md",
    DOCS / "zh" / "plugins.md": DOCS / "plugins.md",
}
"""Each translation with what it is of."""

_FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)


def without_fences(page):
    return _FENCED.sub("", page.read_text())


def headings(page):
    return [len(marks) for marks in re.findall(r"(?m)^(#+) ", without_fences(page))]


def rows(page):
    """How many cells each row of a table has."""
    return [line.count("|") for line in without_fences(page).splitlines() if line.startswith("|")]


def numbers(page):
    """Those of tables that are results."""
    lines = [line for line in without_fences(page).splitlines() if line.startswith("|")]
    return re.findall(r"\d+\.\d+|\d+,\d{3}", "\n".join(lines))


def test_every_page_is_held_against_its_original():
    assert set(PAGES) == set((DOCS / "zh").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_translation_keeps_step(page):
    original = PAGES[page]
    assert headings(page) == headings(original)
    assert [(b.language, b.title, b.text) for b in blocks(page.read_text())] == [
        (b.language, b.title, b.text) for b in blocks(original.read_text())
    ]
    assert rows(page) == rows(original)
    assert numbers(page) == numbers(original)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", without_fences(page)):
        assert target.startswith("http") or (page.parent / target).is_file(), target
