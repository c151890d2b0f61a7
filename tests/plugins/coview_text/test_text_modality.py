"""Texts as batches of bytes, as raw features, and as people see them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

import coview
from coview_text import difference
from coview_text.modality import TextModality


class Writer:
    def add_text(self, tag, text, step):
        self.written = tag, text, step


def test_a_batch_for_an_encoder_without_a_tokenizer_is_the_bytes():
    texts = ["ab", "", "é😀"]
    batch = TextModality().collate(texts)
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (3, 6)
    for text, ids, mask in zip(texts, batch["input_ids"], batch["attention_mask"], strict=True):
        assert bytes(ids[mask.bool()].tolist()) == (text.encode() or b"\0")
        assert mask.sum() == max(1, len(text.encode()))
    assert TextModality().collate([])["input_ids"].shape == (0, 0)


def test_a_long_text_is_cut_between_two_characters():
    ids = TextModality(max_bytes=4).collate(["abé😀"])["input_ids"]
    assert bytes(ids[0].tolist()).decode() == "abé"


def test_what_is_no_text_is_said():
    with pytest.raises(coview.CoviewError, match="has to be a str, and the data gives int"):
        TextModality().collate([3])


def test_describe():
    assert TextModality().describe("one  two\nthree") == "3 words: “one two three”"
    assert TextModality().describe("one") == "1 word: “one”"
    assert len(TextModality().describe("x" * 500)) < 90


def test_raw_features_of_few_words_are_tf_idf():
    texts = ["The cat sat.", "the dog sat", "a cat and a dog"]
    raw = TextModality().fit_raw(iter(texts))
    expected = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+").fit(texts).transform([*texts, "unknown"])
    assert np.allclose(raw([*texts, "unknown"]), expected.toarray(), atol=1e-6)
    assert raw(texts).dtype == np.float32


def test_raw_features_of_many_words_are_512_that_keep_the_cosines():
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(3000)]
    topics = [rng.choice(words, 40) for _ in range(20)]
    texts = [" ".join(rng.choice(topics[i % 20], 15)) for i in range(1200)]
    x = TextModality().fit_raw(texts)(texts)
    assert x.shape == (1200, 512)
    assert np.allclose(np.linalg.norm(x, axis=1), 1, atol=1e-5)
    same, other = x[0] @ x[20::20].T, x[0] @ x[1::20].T
    assert same.mean() > other.mean() + 0.2


def test_texts_without_a_word_are_refused():
    with pytest.raises(coview.CoviewError, match="no training text has a word"):
        TextModality().fit_raw(["!!!", ""])


def test_previews_show_the_text_and_mark_what_differs():
    writer = Writer()
    TextModality().preview(writer, "views", [["a *b* c | d", "a c | d e"], ["x", "x"]], 7)
    tag, text, step = writer.written
    assert (tag, step) == ("views", 7)
    assert text.split("\n") == [
        "| text | view 1 |",
        "| --- | --- |",
        r"| a \*b\* c \| d | a ~~\*b\*~~ c \| d **e** |",
        "| x | x |",
    ]


def test_html_is_escaped_and_marked():
    modality = TextModality()
    assert "&lt;b&gt;" in modality.to_html("<b>")
    marked = modality.to_html("a c <d>", "a b c")
    assert "a <del>b</del> c <ins>&lt;d&gt;</ins>" in marked


def test_changes_put_together_give_both_texts():
    before, after = "the quick brown fox", "quick the fox jumps"
    found = list(difference.changes(before, after))
    assert " ".join(run for kind, run in found if kind != "added") == before
    assert " ".join(run for kind, run in found if kind != "gone") == after


def test_bytes_are_a_batch_of_tensors_on_any_device():
    batch = TextModality().collate(["abc"])
    assert {value.dtype for value in batch.values()} == {torch.int64}
