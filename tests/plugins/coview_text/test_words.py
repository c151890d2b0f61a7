"""Words, and texts of words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coview_text.words import join, split, without_punctuation


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("don't stop 3.5% (now)", ["don't", "stop", "3.5%", "(now)"]),
        (" a\t b\n", ["a", "b"]),
        ("", []),
        ("我爱 Python 3。", ["我", "爱", "Python", "3", "。"]),
        ("東京tower", ["東", "京", "tower"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        ("“quoted” 😀", ["“quoted”", "😀"]),
    ],
)
def test_split(text, words):
    assert split(text) == words


@given(st.text())
def test_joining_what_was_split_loses_spaces_alone(text):
    assert "".join(join(split(text)).split()) == "".join(text.split())
    assert split(join(split(text))) == split(text)


def test_no_space_comes_between_characters_of_a_script_without():
    assert join(["我", "爱", "Python", "3", "。"]) == "我爱Python 3。"
    assert join(["a", "b"]) == "a b"


@pytest.mark.parametrize(
    ("word", "parts"),
    [("(now)!", ("(", "now", ")!")), ("don't", ("", "don't", "")), ("...", ("...", "", "")), ("", ("", "", ""))],
)
def test_without_punctuation(word, parts):
    assert without_punctuation(word) == parts
