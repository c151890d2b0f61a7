"""The recipe for texts of the hub: valid as it is, and a batch goes through it on a local stand-in."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import torch
import transformers
from scipy import stats
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import coview
from coview.experiment.trial import try_out

datasets = pytest.importorskip("datasets")

RECIPES = Path(__file__).resolve().parents[3] / "recipes" / "text"
RECIPE = RECIPES / "simcse-wikipedia.toml"
WORDS = ["a", "man", "dog", "cat", "plays", "sings", "runs", "sleeps", "the", "in", "park"]


def sentences(count):
    generator = torch.Generator().manual_seed(0)
    draws = torch.randint(len(WORDS), (count, 5), generator=generator).tolist()
    return [" ".join(WORDS[word] for word in row) for row in draws]


@pytest.fixture
def stand_in(tmp_path):
    """The recipe on a tiny BERT, a few sentences in one split, and judged pairs in three."""
    datasets.DatasetDict({"train": datasets.Dataset.from_dict({"text": sentences(40)})}).save_to_disk(tmp_path / "wiki")
    texts, parts = sentences(120), {}
    for place, split in enumerate(("train", "validation", "test")):
        first, second = texts[place * 40 : place * 40 + 20], texts[place * 40 + 20 : place * 40 + 40]
        scores = [len(set(a.split()) & set(b.split())) / 5 for a, b in zip(first, second, strict=True)]
        parts[split] = datasets.Dataset.from_dict({"sentence1": first, "sentence2": second, "score": scores})
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "stsb")

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: place for place, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(tmp_path / "bert")
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=768, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=40,
    )  # fmt: skip
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path / "bert")

    text = RECIPE.read_text()
    for name, folder in (
        ("text/hub:sentence-transformers/wiki1m-for-simcse", f"text/hub:{tmp_path / 'wiki'}"),
        ("text/hub:sentence-transformers/stsb", f"text/hub:{tmp_path / 'stsb'}"),
    ):
        assert f'"{name}"' in text
        text = text.replace(f'"{name}"', f'"{folder}"')
    encoder = tomllib.loads((RECIPES.parent / "base" / "simcse.toml").read_text())["encoder"]
    assert encoder["use"] == "hf:google-bert/bert-base-uncased"
    encoder["use"] = f"hf:{tmp_path / 'bert'}"
    text += "\n[encoder]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in encoder.items())
    return text.replace('"../base/', f'"{RECIPES.parent}/base/')


def test_it_is_valid():
    recipe = coview.load_recipe(RECIPE)
    assert recipe.name == "simcse-wikipedia"
    assert not recipe.warnings


def test_a_batch_of_a_stand_in_goes_through(stand_in, registry, write_recipe):
    recipe = coview.load_recipe(write_recipe(stand_in), overrides={"train.batch_size": 8})
    said = try_out(recipe, registry)
    assert said.startswith("40 samples, 5 steps, "), "nothing of what it learns on is held out"
    assert said.endswith("projections 2 × 4 × 768")


@pytest.mark.slow
def test_the_judgements_are_of_the_test_split(stand_in, write_recipe, tmp_path):
    recipe = coview.load_recipe(write_recipe(stand_in), overrides={"train.batch_size": 8, "train.device": "cpu"})
    run = coview.run(recipe, tmp_path / "runs", quiet=True)
    found = {(r.metric, r.kind): r for r in run.results}
    pairs = datasets.load_from_disk(tmp_path / "stsb")["test"]
    encoder = run.encoder.eval()
    with torch.no_grad():
        first, second = (
            torch.nn.functional.normalize(encoder(encoder.collate(list(pairs[name]))).pooled_ND)
            for name in ("sentence1", "sentence2")
        )
    expected = stats.spearmanr((first * second).sum(1).numpy(), pairs["score"]).statistic
    result = found["spearman", "pretrained"]
    assert result.n == 20
    assert result.value == pytest.approx(expected, abs=1e-6)
    assert {features for _, features in found} == {"pretrained", "untrained", "raw"}
