"""Translations made ahead: batched, kept, gone on with; by a tiny model, and by Apertium where it is installed."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

import coview
from coview.testing import check_augmentation
from coview_text.augment.back_translation import BackTranslation
from coview_text.translation_cache import TranslationCache
from coview_text.translators import ApertiumTranslator, ModelTranslator

TEXTS = ["the first text", "another one", "", "42!", "the first text", "a third one"]


def has_apertium() -> bool:
    if shutil.which("apertium") is None:
        return False
    return "eng-spa" in subprocess.run(["apertium", "-l"], capture_output=True, text=True, check=False).stdout


class Backwards:
    """Stands in for a translator: turns words round, and remembers what it was asked."""

    def __init__(self, direction):
        self.direction = direction
        self.asked = []

    def __call__(self, texts):
        self.asked.append(list(texts))
        return ["" if text == "lost" else self.direction + text[::-1] for text in texts]


@pytest.fixture
def step(monkeypatch, tmp_path):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path))

    def step(**parameters):
        made = BackTranslation(there="eng-spa", back="spa-eng", engine="apertium", **parameters)
        made._ways = [(Backwards(name), TranslationCache(tmp_path / "t.sqlite", name)) for name in (">", "<")]
        return made

    return step


def test_what_was_prepared_is_read(step):
    made = step(batch_size=2)
    assert list(made.prepare(iter(TEXTS))) == [2, 2, 2]
    assert [made(text, coview.Rng()) for text in TEXTS] == [
        "<the first text>"[:1] + "the first text>", "<another one>", "", "42!", "<the first text>", "<a third one>",
    ]  # fmt: skip


def test_what_is_there_is_not_translated_again(step):
    made = step(batch_size=2)
    next(made.prepare(iter(TEXTS)))  # stopped after a batch
    again = step(batch_size=2)
    list(again.prepare(iter(TEXTS)))
    assert made._ways[0][0].asked == [["the first text", "another one"]]
    assert again._ways[0][0].asked == [["a third one"]]
    assert again._ways[1][0].asked == [[">eno driht a"]]


def test_a_text_that_gets_lost_stays_as_it_is(step):
    made = step()
    list(made.prepare(["lost", "found"]))
    assert made("lost", coview.Rng()) == "lost"
    assert made("found", coview.Rng()) == "<found>"


def test_what_was_not_prepared_names_the_command(step):
    made = step()
    with pytest.raises(coview.CoviewError, match="has not been translated: 'unknown'") as caught:
        made("unknown", coview.Rng())
    assert caught.value.hint.startswith("coview data augment RECIPE")


def test_p_is_how_often_it_is_the_translation(step):
    made, rng = step(p=0.25), coview.Rng()
    list(made.prepare(["text"]))
    found = [made("text", rng.seek(0, 0, sample, 0, 0)) for sample in range(2000)]
    assert 420 < found.count("<text>") < 580
    assert set(found) == {"text", "<text>"}


def test_keeps_the_contract(step):
    texts = [f"text {'abcdefgh'[i]}" for i in range(8)]
    made = step(p=0.5)
    list(made.prepare(texts))
    check_augmentation(lambda: made, texts)


def test_directions_do_not_share_translations(tmp_path):
    one, other = (TranslationCache(tmp_path / "t.sqlite", name) for name in ("a", "b"))
    assert one.get("x") is None
    one.add({"x": "y", "é": "😀"})
    assert (one.get("x"), one.get("é"), one.get("z")) == ("y", "😀", None)
    assert other.get("x") is None
    one.add({"x": "w"})
    assert one.get("x") == "w"


@pytest.fixture(scope="module")
def marian(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marian")
    torch.manual_seed(0)
    words = ["<pad>", "</s>", "<unk>", *(f"w{i}" for i in range(20))]
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    config = transformers.MarianConfig(
        vocab_size=len(words), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, pad_token_id=0, eos_token_id=1,
        decoder_start_token_id=0, max_position_embeddings=64,
    )  # fmt: skip
    transformers.MarianMTModel(config).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    return folder


def test_a_model_translates_in_batches_as_it_does_alone(marian):
    translator = ModelTranslator(str(marian), 12)
    texts = ["w1 w2 w3", "w4", "w5 w6 w7 w8 w9"]
    together = translator(texts)
    assert together == [translator([text])[0] for text in texts]
    tokenizer = transformers.AutoTokenizer.from_pretrained(marian)
    model = transformers.MarianMTModel.from_pretrained(marian).eval()
    tokens = model.generate(
        **tokenizer(texts[:1], return_tensors="pt"), num_beams=1, do_sample=False, max_new_tokens=12
    )
    assert together[0] == tokenizer.decode(tokens[0], skip_special_tokens=True).strip()


RECIPE = """\
schema = 1
name = "there-and-back"

[data]
use = "text_lines"
path = "lines.txt"
test_fraction = 0.3

[[augment]]
use = "{use}"
{more}

[encoder]
use = "text_transformer"
vocabulary = 300
width = 16
layers = 1
heads = 2
max_length = 16

[projector]
hidden = 8
width = 8

[loss]
use = "nt_xent"

[optimizer]
use = "sgd"
lr = 0.1

[train]
steps = 2
batch_size = 4
"""


def test_a_recipe_is_prepared_by_the_command(marian, call, write_recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "data"))
    (tmp_path / "lines.txt").write_text("\n".join(f"w{i} w{i + 1} w{i + 2}" for i in range(18)))
    path = write_recipe(RECIPE.format(use="back_translation", more=f'there = "{marian}"\nback = "{marian}"'))
    before = call("run", path, "--dry-run")
    assert before.status == 2
    assert "coview data augment RECIPE" in before.err
    done = call("data", "augment", path)
    assert (done.status, done.out.strip()) == (0, "ready: back_translation")
    assert call("run", path, "--dry-run").status == 0
    (tmp_path / "data" / "translations" / "translations.sqlite").chmod(0o444)
    assert call("data", "augment", path).status == 0, "nothing is left to write"


def test_a_recipe_with_nothing_to_prepare(call, write_recipe, tmp_path):
    (tmp_path / "lines.txt").write_text("\n".join(f"text {i}" for i in range(18)))
    path = write_recipe(RECIPE.format(use="random_swap", more=""))
    assert "no augmentation" in call("data", "augment", path).out
    second = 'there = "x"\nback = "y"\n\n[[augment]]\nuse = "back_translation"\nthere = "x"\nback = "y"'
    path = write_recipe(RECIPE.format(use="random_swap", more=second.partition("\n\n")[2]))
    done = call("data", "augment", path)
    assert done.status == 2
    assert "it has to be the first step" in done.err


@pytest.mark.skipif(not has_apertium(), reason="needs apt-get install apertium-eng-spa")
def test_apertium_there_and_back(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path))
    texts = [
        "The cat is eating fish in the kitchen.",
        "I do not know [what] this <b> is?",
        "two\nlines  here",
        "\\ ^ $ / { }x",
    ]
    there = ApertiumTranslator("eng-spa")(texts)
    assert len(there) == 4
    assert "gato" in there[0]
    step = BackTranslation(there="eng-spa", back="spa-eng", engine="apertium", batch_size=2)
    assert sum(step.prepare(texts)) == 4
    out = [step(text, coview.Rng()) for text in texts]
    assert out[0].lower().startswith("the cat")
    assert "eating fish" in out[0]
    assert all(out)


@pytest.mark.skipif(not has_apertium(), reason="needs apt-get install apertium-eng-spa")
def test_a_pair_that_apertium_has_not():
    with pytest.raises(coview.CoviewError, match="cannot translate eng-xyz") as caught:
        ApertiumTranslator("eng-xyz")(["text"])
    assert caught.value.hint == "apt-get install apertium-eng-xyz"


def test_without_apertium_it_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(coview.CoviewError, match="not installed") as caught:
        ApertiumTranslator("eng-spa")(["text"])
    assert caught.value.hint == "apt-get install apertium-eng-spa"


@pytest.mark.parametrize("damage", ["no database", "half", "nothing"])
def test_a_damaged_cache_is_made_anew(tmp_path, damage):
    path = tmp_path / "t.sqlite"
    cache = TranslationCache(path, "a")
    cache.add({f"text {number}": "translation " * 99 for number in range(99)})
    assert cache.get("text 3") is not None
    content = {"no database": b"junk " * 999, "half": path.read_bytes()[: path.stat().st_size // 2], "nothing": b""}
    path.write_bytes(content[damage])
    for found in (cache, TranslationCache(path, "a")):
        assert found.get("text 98") in (None, "translation " * 99)
    cache.add({"text 3": "again"})
    assert cache.get("text 3") == "again" == TranslationCache(path, "a").get("text 3")
