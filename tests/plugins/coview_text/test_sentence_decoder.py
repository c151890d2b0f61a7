"""TSDAE: loss and gradient are those of sentence-transformers, on a tiny model that is made here."""

from __future__ import annotations

import json

import pytest
import torch
import transformers
from test_masked_texts import DRY, SIZE, TEXTS, tokenizer

import coview
from coview.data.batch import Batch
from coview.model.topology import build_topology
from coview.train.accelerator import make_accelerator
from coview.train.gradient import GradientOfBatch
from coview_text.encoders.hf import hf_text_encoder

pytest.importorskip("sentence_transformers")
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import DenoisingAutoEncoderLoss
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

CONFIGS = {"bert": transformers.BertConfig, "roberta": transformers.RobertaConfig}
SENTENCES = [text for text in TEXTS if text]

RECIPE = """\
schema = 1
name = "denoised"
seed = 2

[data]
use = "text_folder"
root = "{root}"
views = 1
workers = 0

[encoder]
use = "hf:{model}"
pooling = "cls"
max_length = 40

[mask]
use = "deletion"
hide = "drop"

[decoder]
use = "sentence_decoder"

[loss]
use = "token_cross_entropy"

[optimizer]
use = "adamw"
lr = 3e-3

[train]
steps = {steps}
batch_size = 8
precision = "fp32"
device = "cpu"
checkpoint_every = 20
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("denoised")
    torch.manual_seed(0)
    for name, config in CONFIGS.items():
        words = tokenizer("wordpiece")
        words.save_pretrained(folder / name)
        made = config(**SIZE, **DRY, vocab_size=len(words), pad_token_id=0, max_position_embeddings=60)
        model = transformers.AutoModelForMaskedLM.from_config(made)
        with torch.no_grad():
            for parameter in model.parameters():  # so that biases and norms count
                parameter.add_(0.05 * torch.randn_like(parameter))
        model.save_pretrained(folder / name)
    return folder


@pytest.fixture
def texts(tmp_path):
    for row in range(16):
        for split in ("train", "test"):
            path = tmp_path / "texts" / split / "ab"[row % 2] / f"{row}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(SENTENCES[row % len(SENTENCES)])
    return tmp_path / "texts"


@pytest.mark.parametrize("parts", [None, 2])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_loss_and_its_gradient_are_those_of_sentence_transformers(
    folders, registry, texts, write_recipe, name, parts
):
    recipe = coview.load_recipe(
        write_recipe(RECIPE.format(root=texts, model=folders / name, steps=1)), registry=registry
    )
    built = build_topology(recipe, registry).double().eval()
    tower = built.student.towers["text"]
    inputs = tower.encoder.collate(SENTENCES)
    batch = built.masking.masked(Batch({"text": inputs}, torch.arange(4), None, None, None, epoch=0, number=0))
    mask = batch.masks["text"]
    step = GradientOfBatch(
        built, built.student, make_accelerator(torch.device("cpu"), "fp32"), rows=parts, batch_size=4, seed=0,
        channels_last=False,
    )  # fmt: skip
    found = step.add(batch, step=0, part=0, share=1.0, progress=0.0, synchronise=True)

    transformer = Transformer(str(folders / name))
    theirs = DenoisingAutoEncoderLoss(SentenceTransformer(modules=[transformer, Pooling(16, "cls")])).double().eval()
    base = theirs.decoder.base_model
    crossed = {key: value for key, value in base.state_dict().items() if "crossattention" in key}
    assert crossed, "the weights that no encoder has"
    with torch.no_grad():
        for key, parameter in base.named_parameters():
            if key in crossed:
                parameter.copy_(tower.decoder.model.get_parameter(key))
    kept = [ids[seen].tolist() for ids, seen in zip(inputs["input_ids"], mask.seen_NT, strict=True)]
    damaged = tower.encoder.tokenizer().pad({"input_ids": kept}, return_tensors="pt")
    original = {key: inputs[key] for key in ("input_ids", "attention_mask")}
    loss = theirs([dict(damaged), original], None)
    loss.backward()
    assert float(found.outputs["loss"]) == pytest.approx(loss.item(), rel=1e-10)
    own = dict(tower.encoder.model.named_parameters())
    for key, parameter in base.named_parameters():
        mine = own[key] if key in own else tower.decoder.model.get_parameter(key)
        torch.testing.assert_close(mine.grad, parameter.grad, atol=1e-10, rtol=1e-8, msg=key)


def test_the_decoder_has_the_weights_of_the_encoder_once(folders, registry, texts, write_recipe):
    for tied in (True, False):
        text = RECIPE.format(root=texts, model=folders / "bert", steps=1)
        path = write_recipe(text.replace('"sentence_decoder"', f'"sentence_decoder"\ntied = {str(tied).lower()}'))
        tower = build_topology(coview.load_recipe(path, registry=registry), registry).student.towers["text"]
        own, made = dict(tower.encoder.model.named_parameters()), dict(tower.decoder.model.named_parameters())
        assert {name for name in made if name not in own} == {name for name in made if "crossattention" in name}
        for name in own:
            assert (own[name] is made[name]) == tied
            assert torch.equal(own[name], made[name])


def test_what_is_dropped_might_never_have_been_there(folders):
    encoder = hf_text_encoder(str(folders / "bert"))(max_length=40).eval()
    batch = encoder.collate(SENTENCES)
    layout = encoder.token_layout(batch)
    hidden_NT = layout.maskable_NT & (torch.arange(layout.real_NT.shape[1]) % 3 == 1)
    mask = coview.TokenMask(layout, hidden_NT, hidden_NT, hidden_NT[:, None], "drop")
    made = encoder.encode_tokens(batch, mask, layers=1)
    for row, ids in enumerate(batch["input_ids"]):
        kept = mask.seen_NT[row]
        alone = encoder({"input_ids": ids[kept][None], "attention_mask": torch.ones(1, int(kept.sum()))})
        torch.testing.assert_close(made.pooled_ND[row], alone.pooled_ND[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(made.tokens_NTD[row, kept], alone.tokens_NTD[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(made.layers_LNTD[0][row, kept], alone.tokens_NTD[0], atol=1e-5, rtol=1e-4)


def test_a_run_learns_to_make_texts_anew(folders, registry, texts, write_recipe, tmp_path):
    recipe = coview.load_recipe(
        write_recipe(RECIPE.format(root=texts, model=folders / "bert", steps=60)), registry=registry
    )
    run = coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < 0.8 * losses[0]
    again = coview.load_run(run.path, registry=registry)
    assert all(torch.equal(v, again.encoder.state_dict()[k]) for k, v in run.encoder.state_dict().items())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('use = "deletion"', 'use = "random"\nratio = 0.5'),
        ("hf:{model}", 'text_transformer"\nvocabulary = 300\nwidth = 16\nlayers = 1\nheads = 2\n#'),
    ],
)
def test_another_mask_and_an_encoder_from_scratch(folders, registry, texts, write_recipe, tmp_path, before, after):
    text = RECIPE.replace(before, after).format(root=texts, model=folders / "bert", steps=2)
    recipe = coview.load_recipe(write_recipe(text), registry=registry)
    assert coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True).encoder.width == 16


def test_an_encoder_without_cross_attention_is_refused(registry, texts, write_recipe, tmp_path):
    words = tokenizer("wordpiece")
    words.save_pretrained(tmp_path / "model")
    config = transformers.DistilBertConfig(
        dim=16, n_layers=1, n_heads=2, hidden_dim=32, vocab_size=len(words), pad_token_id=0
    )
    transformers.AutoModelForMaskedLM.from_config(config).save_pretrained(tmp_path / "model")
    path = write_recipe(RECIPE.format(root=texts, model=tmp_path / "model", steps=1))
    with pytest.raises(coview.CoviewError, match="distilbert"):
        build_topology(coview.load_recipe(path, registry=registry), registry)
