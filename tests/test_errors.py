"""What may command a terminal is shown by its code."""

from __future__ import annotations

import json

import pytest

from coview.errors import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode 😀\tand\nlines", "plain, ünïcode 😀\tand\nlines"),
        ("\x1b]0;title\x07", r"\u001b]0;title\u0007"),
        ("a\rb\x7f\x9bm", r"a\u000db\u007f\u009bm"),
        ("gnp.\u202eexe", r"gnp.\u202eexe"),
        ("caf\udce9", r"caf\udce9"),
    ],
)
def test_names_from_anywhere(text, shown):
    assert printable(text) == shown
    assert printable(shown) == shown
    assert json.loads(f'"{printable(json.dumps(text, ensure_ascii=False)[1:-1])}"') == text, "JSON stays what it was"
