"""``use = "nlpaug:NAME"``: nlpaug's augmenters of characters and words, seeded and strictly checked.

nlpaug draws from Python's and NumPy's global generators: they draw from the Rng for the time, and are put back. A word
is what stands between spaces: nlpaug's own tokenizer tears numbers and contractions apart for good.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from nlpaug.augmenter import char, word

import coview

_SHARE = Annotated[float, Gt(0), Le(1)]  # nlpaug takes a zero for its own default
_COUNT = Annotated[int, Ge(0)]
_WORDS = tuple[str, ...] | None
_TYPES: Mapping[str, tuple[Any, str]] = {
    "aug_p": (_SHARE, "Share of the words that are changed; nlpaug: 0.3."),
    "aug_min": (_COUNT, "Fewest words that are changed."),
    "aug_max": (_COUNT | None, "Most words that are changed. Absent: no limit; nlpaug: 10."),
    "aug_word_p": (_SHARE, "Share of the words that are changed; nlpaug: 0.3."),
    "aug_word_min": (_COUNT, "Fewest words that are changed."),
    "aug_word_max": (_COUNT | None, "Most words that are changed. Absent: no limit; nlpaug: 10."),
    "aug_char_p": (_SHARE, "Share of the characters of a word that are changed; nlpaug: 0.3."),
    "aug_char_min": (_COUNT, "Fewest characters of a word that are changed."),
    "aug_char_max": (_COUNT | None, "Most characters of a word that are changed. Absent: no limit; nlpaug: 10."),
    "min_char": (_COUNT, "Shorter words are left as they are."),
    "stopwords": (_WORDS, "Words that are left as they are."),
    "stopwords_regex": (str | None, "Words that match it are left as they are."),
    "target_words": (_WORDS, "What a word is replaced by. Absent: an underscore."),
    "candidates": (_WORDS, "What a character is replaced by. Absent: any."),
    "include_special_char": (bool, "Whether special characters may come in."),
    "include_numeric": (bool, "Whether digits may come in."),
    "include_upper_case": (bool, "Whether upper case may come in."),
    "include_lower_case": (bool, "Whether lower case may come in."),
    "include_reverse": (bool, "Whether a misspelt word may be set right."),
    "spec_char": (str, "The special characters."),
    "swap_mode": (Literal["adjacent", "middle", "random"], "Which characters are swapped."),
    "lang": (str, "The language of nlpaug's table."),
    "reserved_tokens": (tuple[tuple[str, ...], ...], "Groups of words that stand for one another."),
    "case_sensitive": (bool, "Whether those words have to agree in case."),
}
_NOT_A_RECIPES = {"name", "tokenizer", "reverse_tokenizer", "verbose", "device", "dict_of_path", "model_path",
                  "dict_path", "generate_all_combinations"}  # fmt: skip
_LIMITS = ("aug_max", "aug_word_max", "aug_char_max")
"""nlpaug changes ten at the most, which a long text would notice: here there is no limit."""
_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "RandomWordAug": ("delete", "swap", "substitute", "crop"),
    "RandomCharAug": ("insert", "substitute", "swap", "delete"),
}
_UNUSABLE: Mapping[str, str] = {
    "ContextualWordEmbsAug": 'it fails with transformers 5; use = "contextual_substitution" does the same',
    "ContextualWordEmbsForSentenceAug": "it writes new sentences by a language model, which are not views of the text",
    "BackTranslationAug": 'a sentence takes it seconds; use = "back_translation" does it ahead and in batches',
    "SynonymAug": 'it looks for another release of NLTK\'s data; use = "synonym_replacement"',
    "AntonymAug": "a text that says the opposite is not a view of it",
    "TfIdfAug": "it needs a model file of nlpaug's own",
    "WordEmbsAug": "it needs a file of word vectors",
}


class NlpaugStep:
    """One step of a pipeline.

    Args:
        augmenter: nlpaug's.
    """

    def __init__(self, augmenter: Any) -> None:
        self.augmenter = augmenter

    def __call__(self, value: str, rng: coview.Rng, /) -> str:
        """The changed text, or the very one given where nlpaug has nothing to change."""
        if not value.strip():
            return value
        # NumPy's source is exchanged: keeping and setting its state takes longer than most augmenters
        numpy_random: Any = np.random
        python_state, numpy_source = random.getstate(), numpy_random.get_bit_generator()
        try:
            random.seed(rng.seed32())
            numpy_random.set_bit_generator(rng.numpy.bit_generator)
            found = self.augmenter.augment(value)
        except Exception as error:
            raise coview.library_refusal(
                "nlpaug", self.augmenter, error, f"a text of {len(value)} characters"
            ) from error
        finally:
            random.setstate(python_state)
            numpy_random.set_bit_generator(numpy_source)
        text = found[0] if isinstance(found, list) and found else found
        return text if isinstance(text, str) and text.strip() else value


def nlpaug_augmenter(name: str) -> Callable[..., NlpaugStep]:
    """The factory of ``nlpaug:NAME``.

    Args:
        name: A class of ``nlpaug.augmenter.char`` or ``.word``; the names are case-sensitive.

    Raises:
        LookupError: If there is none of that name, with the nearest names; or it cannot be used.
    """
    augmenter = coview.library_member(
        "nlpaug", name, usable_augmenters(), what="augmenter of texts", unusable=_UNUSABLE
    )
    parameters = inspect.signature(augmenter).parameters
    annotations = {key: None if key in _NOT_A_RECIPES else _annotation(name, parameters[key]) for key in parameters}
    return coview.library_factory(
        augmenter,
        NlpaugStep,
        annotations=annotations,
        defaults={key: None for key in parameters if key in _LIMITS},
        construct=partial(_construct, augmenter),
        doc=_docstring(augmenter, [key for key, annotation in annotations.items() if annotation is not None]),
    )


@cache
def usable_augmenters() -> dict[str, type]:
    """The names after the colon, and what they name."""
    base = word.WordAugmenter.__mro__[1]
    abstract = {"WordAugmenter", "CharAugmenter", "Augmenter"}
    found = {**vars(char), **vars(word)}
    return {
        name: value
        for name, value in found.items()
        if inspect.isclass(value) and issubclass(value, base) and name not in {*abstract, *_UNUSABLE}
    }


def _construct(augmenter: type, **given: Any) -> Any:
    """The augmenter, which takes lists, with a tokenizer that splits at spaces."""
    values = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}
    if augmenter is word.RandomWordAug and values.get("target_words") and values.get("action") != "substitute":
        raise ValueError('target_words are for action = "substitute"')
    splits = "tokenizer" in inspect.signature(augmenter).parameters
    return augmenter(**values, **({"tokenizer": str.split, "reverse_tokenizer": " ".join} if splits else {}))


def _annotation(name: str, parameter: inspect.Parameter) -> Any:
    if parameter.name == "action":
        actions = _ACTIONS.get(name, (parameter.default,))
        return Literal[actions]
    return _TYPES[parameter.name][0]


def _docstring(augmenter: type, names: list[str]) -> str:
    summary = " ".join((inspect.getdoc(augmenter) or augmenter.__name__).split("\n")[0].split()).rstrip(".")
    lines = [f"    {key}: {_TYPES[key][1] if key in _TYPES else 'What is done.'}" for key in names]
    return f"{summary}.\n\nArgs:\n" + "\n".join(lines)
