"""Inserts synonyms of words of the text."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le

import coview
from coview_text.synonyms import ENGLISH, Thesaurus
from coview_text.words import join, split, without_punctuation


class RandomInsertion:
    """Inserts a synonym of a random word at a random place, again and again (EDA).

    Args:
        share: How often, as a share of the words, at least once where any has a synonym; EDA: 0.1.
        language: ISO 639-3, such as "spa" or "cmn"; all but English need the Open Multilingual WordNet.
    """

    def __init__(self, *, share: Annotated[float, Ge(0), Le(1)] = 0.1, language: str = ENGLISH) -> None:
        self.share = share
        self.thesaurus = Thesaurus(language, tagged=False)

    def __call__(self, value: str, rng: coview.Rng, /) -> str:
        """The text with more words, or the very one given where none has a synonym."""
        words = split(value)
        choices = [found for found in self.thesaurus.replaceable(words) if found] if self.share else []
        if not choices:
            return value
        draw = rng.python
        for _ in range(max(1, int(self.share * len(words)))):
            _, synonym, _ = without_punctuation(draw.choice(draw.choice(choices)))
            words.insert(draw.randrange(len(words) + 1), synonym)
        return join(words)
