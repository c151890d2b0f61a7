"""Synonyms from WordNet, and the part of speech that says which of a word's synonyms are meant."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import nltk
from nltk.corpus.reader import CorpusReader, WordNetCorpusReader
from nltk.tag.perceptron import PerceptronTagger
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

import coview
from coview_text.resources.tagger import NAME
from coview_text.words import without_punctuation

ENGLISH = "eng"
_PARTS = {"N": "n", "V": "v", "J": "a", "R": "r"}
_WORDS_KEPT = 100_000


class Thesaurus:
    """What stands for a word in WordNet.

    Args:
        language: ISO 639-3: ``eng``, or one of the Open Multilingual WordNet, which NLTK has to find.
        tagged: Whether a word's part of speech is looked at; English only.

    What it reads is looked for when it is first asked: a recipe is valid before anything is fetched.
    """

    def __init__(self, language: str = ENGLISH, *, tagged: bool | None = None) -> None:
        self.language = language
        self.tagged = language == ENGLISH if tagged is None else tagged
        if self.tagged and language != ENGLISH:
            raise ValueError(f'part_of_speech = true: the tagger knows English only, not "{language}"')

    @cached_property
    def _folder(self) -> Path:
        return _wordnet_folder()

    @cached_property
    def _multilingual(self) -> Path | None:
        return None if self.language == ENGLISH else _multilingual_folder(self.language)

    def replaceable(self, words: Sequence[str]) -> list[tuple[str, ...]]:
        """For each word of a text its synonyms, in the word's case and with its punctuation; none for stop words.

        Raises:
            CoviewError: If WordNet, the language or the tagger is not there.
        """
        cores = [without_punctuation(word) for word in words]
        parts = self._parts([core for _, core, _ in cores])
        return [
            tuple(before + _in_case_of(core, synonym) + after for synonym in self._synonyms(core, part))
            for (before, core, after), part in zip(cores, parts, strict=True)
        ]

    def _parts(self, cores: Sequence[str]) -> list[str | None]:
        if not self.tagged:
            return [None] * len(cores)
        # the tagger stumbles over empty words
        tagged = _tagger(coview.resource_folder("tagger")).tag([core or "," for core in cores])
        return [_PARTS.get(tag[:1], "") for _, tag in tagged]

    def _synonyms(self, word: str, part: str | None) -> tuple[str, ...]:
        lower = word.lower()
        if not any(map(str.isalpha, lower)) or part == "":
            return ()
        if self.language == ENGLISH and lower in ENGLISH_STOP_WORDS:
            return ()
        return _look_up(self._folder, self._multilingual, self.language, lower, part, os.getpid())


@lru_cache(maxsize=_WORDS_KEPT)
def _look_up(
    folder: Path, multilingual: Path | None, language: str, word: str, part: str | None, process: int
) -> tuple[str, ...]:
    found: dict[str, None] = {}  # in the order of WordNet's senses, the frequent ones first
    for synset in _reader(folder, multilingual, process).synsets(word, part, lang=language):
        for name in synset.lemma_names(language):
            synonym = name.replace("_", " ")
            if synonym.lower() != word:
                found[synonym] = None
    return tuple(found)


@lru_cache
def _reader(folder: Path, multilingual: Path | None, process: int) -> Any:
    """NLTK's reader, one for each process: forked ones would share the place in its open files."""
    others = None if multilingual is None else CorpusReader(str(multilingual), r".*/wn-data-.*\.tab")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that English alone is not multilingual
        return WordNetCorpusReader(str(folder), others)


@lru_cache
def _tagger(folder: Path) -> Any:
    tagger = PerceptronTagger(load=False)
    # NLTK's own loader reads below its data path only
    parts = (json.loads((folder / f"{NAME}.{part}.json").read_text()) for part in ("weights", "tagdict", "classes"))
    tagger.decode_json_params(parts)
    return tagger


def _wordnet_folder() -> Path:
    fetched = coview.data_folder("wordnet") / "corpora" / "wordnet"
    if fetched.is_dir():
        root = str(fetched.parents[1])
        if root not in nltk.data.path:  # NLTK reads nothing outside of it
            nltk.data.path.append(root)
        return fetched
    try:
        return Path(str(nltk.data.find("corpora/wordnet")))
    except LookupError:
        return coview.resource_folder("wordnet")


def _multilingual_folder(language: str) -> Path:
    try:
        folder = Path(str(nltk.data.find("corpora/omw-1.4")))
    except LookupError as error:
        raise coview.CoviewError(
            f'synonyms in "{language}" are in the Open Multilingual WordNet, which NLTK does not find',
            hint="python -m nltk.downloader omw-1.4",
        ) from error
    languages = sorted(path.stem.rpartition("-")[2] for path in folder.glob("*/wn-data-*.tab"))
    if language not in languages:
        near = coview.did_you_mean(language, languages)
        raise coview.CoviewError(f'the Open Multilingual WordNet has no language "{language}"{near}')
    return folder


def _in_case_of(word: str, synonym: str) -> str:
    if word.isupper() and len(word) > 1:
        return synonym.upper()
    return synonym[:1].upper() + synonym[1:] if word[:1].isupper() else synonym
