"""Replaces words by synonyms."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le

import coview
from coview_text.synonyms import ENGLISH, Thesaurus
from coview_text.words import join, split


class SynonymReplacement:
    """Replaces some words by one of their synonyms in WordNet, the first form of it and in the word's case.

    Args:
        share: How many, as a share of all words, at least one where any has a synonym; EDA: 0.1.
        language: ISO 639-3, such as "spa" or "cmn"; all but English need the Open Multilingual WordNet.
        part_of_speech: Whether only synonyms of the word's part of speech count, as a tagger sees it. Absent: in
            English.
    """

    def __init__(
        self,
        *,
        share: Annotated[float, Ge(0), Le(1)] = 0.1,
        language: str = ENGLISH,
        part_of_speech: bool | None = None,
    ) -> None:
        self.share = share
        self.thesaurus = Thesaurus(language, tagged=part_of_speech)

    def __call__(self, value: str, rng: coview.Rng, /) -> str:
        """The text with other words, or the very one given where none has a synonym."""
        words = split(value)
        synonyms = self.thesaurus.replaceable(words) if self.share else []
        places = [place for place, choices in enumerate(synonyms) if choices]
        if not places:
            return value
        count = min(len(places), max(1, int(self.share * len(words))))
        for place in rng.python.sample(places, count):
            words[place] = rng.python.choice(synonyms[place])
        return join(words)
