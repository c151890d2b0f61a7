"""What a word is: what stands between spaces; in scripts that set none, each character.

Chinese and Japanese are cut into their characters, so that deleting, swapping and cropping mean something there.
Other scripts without spaces, such as Thai, stay whole: their words are in dictionaries, not in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_UNSPACED = (
    "\u3000-\u303f"  # punctuation
    "\u3040-\u30ff"  # Hiragana, Katakana
    "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f"  # Han
    "\uff00-\uffef"  # full width
)
_ANY_UNSPACED = re.compile(f"[{_UNSPACED}]")
_WORD = re.compile(f"[{_UNSPACED}]|[^\\s{_UNSPACED}]+")
_NEEDLESS_SPACE = re.compile(f"(?<=[{_UNSPACED}]) | (?=[{_UNSPACED}])")
_CORE = re.compile(r"(\W*)(.*?)(\W*)", re.DOTALL)


def split(text: str) -> list[str]:
    """The words of a text, punctuation at the word that it touches."""
    if text.isascii() or not _ANY_UNSPACED.search(text):
        return text.split()
    return _WORD.findall(text)


def join(words: Iterable[str]) -> str:
    """A text of words: one space between two, none beside a character of a script without spaces."""
    text = " ".join(words)
    if text.isascii() or not _ANY_UNSPACED.search(text):
        return text
    return _NEEDLESS_SPACE.sub("", text)


def without_punctuation(word: str) -> tuple[str, str, str]:
    """What stands before the first letter or digit, what is between that and the last one, and what follows."""
    found = _CORE.fullmatch(word)
    assert found is not None, "every part may be empty"
    return found[1], found[2], found[3]
