"""Augmentations that need no resource: what they do, on every kind of text, and how often."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import coview
from coview.testing import check_augmentation
from coview_text.augment.dropout_views import DropoutViews
from coview_text.augment.nlpaug import nlpaug_augmenter, usable_augmenters
from coview_text.augment.random_deletion import RandomDeletion
from coview_text.augment.random_swap import RandomSwap
from coview_text.augment.token_cropping import TokenCropping
from coview_text.words import split

TEXT = " ".join(f"word{i}" for i in range(20))
TEXTS = [TEXT, "The quick brown fox, which jumped over lazy dogs, does not stop there", "我爱北京天安门和很多别的地方"]
NEEDS = {"ReservedAug": {"reserved_tokens": (("quick", "fast", "swift"), ("word1", "word2"))}}
ODD = [
    "",
    " ",
    "\n",
    "word",
    "!!!",
    "42",
    "😀",
    "😀 👍🏽 x",
    "我",
    "我爱",
    "مرحبا بالعالم",
    "a\u0301 b",
    "don't 3.5% (now)",
]
STEPS = {
    "random_deletion": RandomDeletion(p=0.3),
    "random_swap": RandomSwap(share=0.3),
    "token_cropping": TokenCropping(),
    "dropout_views": DropoutViews(),
    **{name: nlpaug_augmenter(name)(**NEEDS.get(name, {})) for name in sorted(usable_augmenters())},
}


def many(step, text=TEXT, count=2000):
    rng = coview.Rng()
    return [step(text, rng.seek(0, 0, sample, 0, 0)) for sample in range(count)]


@pytest.mark.parametrize("factory", [RandomDeletion, RandomSwap, TokenCropping])
def test_keeps_the_contract(factory):
    check_augmentation(factory, TEXTS)


def test_dropout_views_keeps_the_contract_and_changes_nothing():
    check_augmentation(DropoutViews, TEXTS)
    assert many(DropoutViews(), count=3) == [TEXT] * 3


@pytest.mark.parametrize("name", sorted(usable_augmenters()))
def test_nlpaug_keeps_the_contract(name):
    texts = [f"{TEXTS[1]} {i} because they should have known quick answers" for i in range(2)]
    check_augmentation(nlpaug_augmenter(name), texts, parameters=NEEDS.get(name))


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("name", STEPS)
def test_every_kind_of_text_gives_a_text(name, text):
    for out in many(STEPS[name], text, 20):
        assert isinstance(out, str)
        assert bool(out.strip()) == bool(text.strip())
        out.encode()


@given(st.text(max_size=60), st.integers(0, 10**6))
def test_no_word_is_invented(text, sample):
    rng = coview.Rng()
    for name in ("random_deletion", "random_swap", "token_cropping"):
        out = STEPS[name](text, rng.seek(1, 0, sample, 0, 0))
        assert Counter(split(out)) <= Counter(split(text))
        assert (name != "random_swap") or Counter(split(out)) == Counter(split(text))


def test_each_word_is_deleted_as_often_as_asked():
    kept = Counter(word for out in many(RandomDeletion(p=0.2)) for word in out.split())
    assert all(1600 - 90 < kept[word] < 1600 + 90 for word in TEXT.split())


def test_one_word_stays_of_all_that_would_be_deleted():
    found = Counter(many(RandomDeletion(p=1.0), "a b c d", 2000))
    assert set(found) == {"a", "b", "c", "d"}
    assert min(found.values()) > 400
    assert set(many(RandomDeletion(p=0.0), "a b", 20)) == {"a b"}


def test_one_swap_exchanges_any_two_words_alike():
    found = Counter(many(RandomSwap(share=0.1), "a b c d", 6000))
    pairs = {"b a c d", "c b a d", "d b c a", "a c b d", "a d c b", "a b d c"}
    assert set(found) == pairs
    assert all(850 < count < 1150 for count in found.values())


def test_the_number_of_swaps_is_a_share_of_the_words():
    def moved(share):
        return max(
            sum(a != b for a, b in zip(out.split(), TEXT.split(), strict=True)) for out in many(RandomSwap(share=share))
        )

    assert moved(0.1) == 4, "two swaps move four words at most"
    assert moved(0.0) == 0


def test_a_crop_is_a_contiguous_part_of_any_place_and_length():
    words = TEXT.split()
    lengths, firsts = Counter(), Counter()
    for out in many(TokenCropping(share=(0.25, 0.5)), count=4000):
        part = out.split()
        first = words.index(part[0])
        assert part == words[first : first + len(part)]
        lengths[len(part)] += 1
        firsts[(len(part), first)] += 1
    assert set(lengths) == set(range(5, 11))
    assert {first for length, first in firsts if length == 5} == set(range(16))


def test_shares_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="smaller and then the larger"):
        TokenCropping(share=(0.9, 0.1))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("KeyboardAugg", 'did you mean "KeyboardAug"'),
        ("ContextualWordEmbsAug", "contextual_substitution"),
        ("BackTranslationAug", "back_translation"),
        ("CharAugmenter", "no augmenter"),
        ("Action", "no augmenter"),
    ],
)
def test_what_nlpaug_cannot_do_here_is_said(name, says):
    with pytest.raises(LookupError, match=says):
        nlpaug_augmenter(name)


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("RandomWordAug", {"action": "insert"}, "has to be"),
        ("RandomWordAug", {"aug_p": 1.5}, "less than or equal"),
        ("RandomWordAug", {"aug_p": "0.5"}, "number"),
        ("RandomWordAug", {"tokenizer": "x"}, "unknown key"),
        ("KeyboardAug", {"aug_p": 0.1}, "unknown key"),
        ("ReservedAug", {}, "missing"),
    ],
)
def test_what_nlpaug_lets_pass_is_refused(registry, name, given, says):
    problems = registry.parameters("augmentation", f"nlpaug:{name}", modality="text").check(given)
    assert says in "; ".join(f"{problem.path}: {problem.message}" for problem in problems)


def test_nlpaug_leaves_numbers_contractions_and_long_texts_whole():
    step = nlpaug_augmenter("RandomWordAug")(action="swap")
    text = " ".join(f"don't{i} 3.5% (now{i})" for i in range(50))
    out = step(text, coview.Rng())
    assert Counter(out.lower().split()) == Counter(text.lower().split())
    changed = sum(a != b for a, b in zip(out.lower().split(), text.lower().split(), strict=True))
    assert changed > 20, "nlpaug's own limit is ten"
