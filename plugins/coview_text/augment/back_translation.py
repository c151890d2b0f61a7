"""A text in another language and back, translated before training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

import coview
from coview_text.translation_cache import TranslationCache
from coview_text.translators import ApertiumTranslator, ModelTranslator, Translator


class BackTranslation:
    """A translation of a translation, read from a cache that ``coview data augment RECIPE`` fills before training.

    It has to be the first step: what is translated is the text as the data have it. A text without letters, or one that
    is lost on the way, stays as it is.

    Args:
        there: A model that translates into another language, by hub id such as "Helsinki-NLP/opus-mt-en-de" or local
            folder; for Apertium a pair of languages, such as "eng-spa".
        back: The same for the way back.
        engine: "transformers" for Marian, FSMT and similar models, "apertium" for the rule-based program.
        p: Probability of the translation; else the text as it is.
        max_length: Tokens after which a model cuts.
        batch_size: Texts that are translated at once, before training.
    """

    def __init__(
        self,
        *,
        there: str,
        back: str,
        engine: Literal["transformers", "apertium"] = "transformers",
        p: Annotated[float, Ge(0), Le(1)] = 1.0,
        max_length: Annotated[int, Gt(0)] = 256,
        batch_size: Annotated[int, Gt(0)] = 32,
    ) -> None:
        self.p, self.batch_size = p, batch_size
        path = coview.data_folder("translations") / "translations.sqlite"
        self._ways: list[tuple[Translator, TranslationCache]] = []
        for name in (there, back):
            one: Translator = ApertiumTranslator(name) if engine == "apertium" else ModelTranslator(name, max_length)
            self._ways.append((one, TranslationCache(path, one.direction)))

    def __call__(self, value: str, rng: coview.Rng, /) -> str:
        """The text, there and back.

        Raises:
            CoviewError: If it has not been translated.
        """
        if not any(map(str.isalpha, value)) or (self.p < 1 and rng.numpy.random() >= self.p):
            return value
        text: str | None = value
        for _, cache in self._ways:
            text = cache.get(text) if text else text
        if text is None:
            begins = value if len(value) <= 40 else value[:39] + "…"
            raise coview.CoviewError(
                f"back_translation: a text has not been translated: {begins!r}",
                hint="coview data augment RECIPE, with back_translation as the first step",
            )
        return text or value

    def prepare(self, values: Iterable[str], /) -> Iterator[int]:
        """Translates what the cache lacks, batch by batch, and keeps each batch: a second call goes on."""
        remaining = iter(values)
        while group := list(islice(remaining, self.batch_size)):
            texts = list(dict.fromkeys(text for text in group if any(map(str.isalpha, text))))
            for translator, cache in self._ways:
                missing = [text for text in texts if text and cache.get(text) is None]
                if missing:
                    cache.add(dict(zip(missing, translator(missing), strict=True)))
                texts = list(dict.fromkeys(text for text in map(cache.get, filter(None, texts)) if text))
            yield len(group)
