"""Words that a masked language model expects, by a tiny model that is made here."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

import coview
from coview.testing import check_augmentation
from coview_text.augment.contextual_substitution import ContextualSubstitution

WORDS = ["[PAD]", "[UNK]", "[MASK]", "cat", "dog", "fox", "##s", "3", ",", "sat"]
TEXTS = ["cat dog fox sat cat dog fox", "(dog) sat, sat, sat cat fox dog"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("mlm")
    torch.manual_seed(0)
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=len(WORDS),
        pad_token_id=0,
    )  # fmt: skip
    model = transformers.BertForMaskedLM(config)
    with torch.no_grad():  # expects, everywhere, dogs three times as often as foxes
        model.cls.predictions.decoder.weight.zero_()
        model.cls.predictions.decoder.bias.copy_(torch.tensor([9, 9, 9, 0, 1.0986, 0, 8, 8, 8, 0.0]))
    model.save_pretrained(path)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", mask_token="[MASK]"
    ).save_pretrained(path)
    return path


def test_keeps_the_contract(folder):
    check_augmentation(ContextualSubstitution, TEXTS, parameters={"model": str(folder), "share": 0.5})


def test_whole_words_are_drawn_by_their_probability_and_never_the_one_that_was_there(folder):
    step, rng = ContextualSubstitution(model=str(folder), share=0.3), coview.Rng()
    found = Counter(step("(cat),", rng.seek(0, 0, sample, 0, 0)) for sample in range(1500))
    assert set(found) == {"(dog),", "(fox),", "(sat),"}
    assert abs(found["(dog),"] - 900) < 80, "three of five"
    assert {step("Cat", rng.seek(0, 0, sample, 0, 0)) for sample in range(50)} <= {"Dog", "Fox", "Sat"}


def test_only_the_most_likely_count(folder):
    step, rng = ContextualSubstitution(model=str(folder), top_k=1), coview.Rng()
    assert {step("cat", rng.seek(0, 0, sample, 0, 0)) for sample in range(20)} == {"dog"}


def test_a_share_of_the_words_is_replaced(folder):
    step = ContextualSubstitution(model=str(folder), share=0.5)
    before = ["cat", "3", "fox", "sat", "cat", "dog", "fox", "sat"]
    after = step(" ".join(before), coview.Rng()).split()
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 4
    assert after[1] == "3"


@pytest.mark.parametrize("text", ["", " ", "word", "!!!", "42", "😀", "我爱", "مرحبا بالعالم", "cat " * 400])
def test_every_kind_of_text_gives_a_text(folder, text):
    out = ContextualSubstitution(model=str(folder), share=0.2)(text, coview.Rng())
    assert bool(out.strip()) == bool(text.strip())
    if not any(map(str.isalpha, text)):
        assert out == text


def test_what_is_no_masked_language_model_is_said(folder, tmp_path):
    with pytest.raises(ValueError, match=r"model: .*no such folder"):
        ContextualSubstitution(model="./gone")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.mask_token = None
    transformers.BertForMaskedLM.from_pretrained(folder).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(coview.CoviewError, match="no mask token"):
        ContextualSubstitution(model=str(tmp_path))("a text", coview.Rng())
