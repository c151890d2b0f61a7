"""Masked language models: transformers' own loss and gradient, its tokenizers' words, and runs that go on with one."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys

import pytest
import torch
import transformers
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import coview
from coview.data.batch import Batch
from coview.model.topology import build_topology
from coview.train.accelerator import make_accelerator
from coview.train.gradient import GradientOfBatch
from coview_text.encoders.hf import hf_text_encoder
from coview_text.encoders.text_transformer import TextTransformer

TEXTS = [
    "The ships don't sail, unless the wind (from the north-west) blows: wait!",
    "A harbour.",
    "Bread, salt & soup; 3.14 ovens' knives were unbelievably sharpened...",
    "",
    "the tide of the sea and the storm of the harbour",
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def tokenizer(kind):
    model, trainer, before = {
        "wordpiece": (models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer, pre_tokenizers.BertPreTokenizer()),
        "bpe": (models.BPE(), trainers.BpeTrainer, pre_tokenizers.ByteLevel(add_prefix_space=False)),
        "unigram": (models.Unigram(), trainers.UnigramTrainer, pre_tokenizers.Metaspace()),
    }[kind]  # fmt: skip
    backend = Tokenizer(model)
    backend.pre_tokenizer = before
    backend.decoder = decoders.ByteLevel() if kind == "bpe" else decoders.WordPiece()
    options = {"unk_token": "[UNK]"} if kind == "unigram" else {}
    backend.train_from_iterator(
        TEXTS * 3, trainer(vocab_size=300 if kind == "bpe" else 90, special_tokens=SPECIAL, show_progress=False, **options)
    )  # fmt: skip
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]",
    )  # fmt: skip


SIZE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
DRY = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
CONFIGS = {
    "bert": ("wordpiece", lambda n: transformers.BertConfig(**SIZE, **DRY, vocab_size=n, pad_token_id=0)),
    "roberta": (
        "bpe",
        lambda n: transformers.RobertaConfig(**SIZE, **DRY, vocab_size=n, pad_token_id=0, max_position_embeddings=130),
    ),
    "distilbert": (
        "wordpiece",
        lambda n: transformers.DistilBertConfig(
            dim=16, n_layers=2, n_heads=2, hidden_dim=32, dropout=0.0, attention_dropout=0.0, vocab_size=n,
            pad_token_id=0, activation="relu",
        ),
    ),
    "modernbert": (
        "bpe",
        lambda n: transformers.ModernBertConfig(
            **SIZE, vocab_size=n, pad_token_id=0, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3,
            attn_implementation="eager", reference_compile=False,
        ),
    ),
    "untied": (
        "wordpiece",
        lambda n: transformers.BertConfig(**SIZE, **DRY, vocab_size=n, pad_token_id=0, tie_word_embeddings=False),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("masked")
    torch.manual_seed(0)
    for name, (kind, config) in CONFIGS.items():
        words = tokenizer(kind)
        words.save_pretrained(folder / name)
        model = transformers.AutoModelForMaskedLM.from_config(config(len(words)))
        with torch.no_grad():
            for parameter in model.parameters():  # so that biases and norms count
                parameter.add_(0.05 * torch.randn_like(parameter))
        model.save_pretrained(folder / name)
    words = tokenizer("wordpiece")
    for name, config in {
        "headless": CONFIGS["bert"][1](len(words)),
        "gpt": transformers.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=len(words), n_positions=200),
    }.items():
        words.save_pretrained(folder / name)
        transformers.AutoModel.from_config(config).save_pretrained(folder / name)
    return folder


RECIPE = """\
schema = 1
name = "texts"
seed = 2

[data]
use = "text_folder"
root = "{root}"
views = 1
workers = 0

[encoder]
use = "hf:{model}"
max_length = 40

[mask]
use = "random"
ratio = 0.4
swapped = 0.2
kept = 0.2

[decoder]
use = "own"

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


@pytest.fixture
def texts(tmp_path):
    for row in range(16):
        for split in ("train", "test"):
            path = tmp_path / "texts" / split / "ab"[row % 2] / f"{row}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(TEXTS[(0, 2, 4)[row % 3]])
    return tmp_path / "texts"


def shown(encoder, ids, mask):
    """What a model sees, token by token, as BERT's paper has it."""
    shown = ids.clone()
    for row, column in mask.hidden_NT.nonzero().tolist():
        if mask.replaced_NT[row, column]:
            shown[row, column] = encoder.tokenizer().mask_token_id
        elif mask.swap_NT is not None and mask.swap_NT[row, column] >= 0:
            shown[row, column] = int(float(mask.swap_NT[row, column]) * encoder.classes)
    return shown


@pytest.mark.parametrize("name", CONFIGS)
def test_the_loss_and_its_gradient_are_transformers_own(folders, registry, texts, write_recipe, name):
    text = RECIPE.format(root=texts, model=folders / name, steps=1)
    built = build_topology(coview.load_recipe(write_recipe(text), registry=registry), registry)
    built.eval()
    encoder = built.student.encoder("text")
    inputs = encoder.collate(TEXTS)
    batch = built.masking.masked(Batch({"text": inputs}, torch.arange(5), None, None, None, epoch=0, number=0))
    mask = batch.masks["text"]
    assert (mask.swap_NT >= 0).any()
    assert (mask.hidden_NT & ~mask.replaced_NT & (mask.swap_NT < 0)).any()
    step = GradientOfBatch(
        built, built.student, make_accelerator(torch.device("cpu"), "fp32"), rows=None, batch_size=5, seed=0,
        channels_last=False,
    )  # fmt: skip
    found = step.add(batch, step=0, part=0, share=1.0, progress=0.0, synchronise=True)
    reference = transformers.AutoModelForMaskedLM.from_pretrained(folders / name, attn_implementation="eager").eval()
    labels = inputs["input_ids"].masked_fill(~mask.hidden_NT, -100)
    seen = shown(encoder, inputs["input_ids"], mask)
    loss = reference(input_ids=seen, attention_mask=inputs["attention_mask"], labels=labels).loss
    loss.backward()
    assert float(found.outputs["loss"]) == pytest.approx(loss.item(), abs=1e-5)
    base = getattr(reference, reference.base_model_prefix)
    theirs = dict(base.named_parameters())
    for key, parameter in encoder.model.named_parameters():
        if key in theirs and theirs[key].grad is not None:
            torch.testing.assert_close(parameter.grad, theirs[key].grad, atol=1e-5, rtol=1e-4)
    matrix, output = encoder.model.get_input_embeddings().weight, reference.get_output_embeddings().weight
    shared = [p for p in built.student.parameters() if p.shape == matrix.shape]
    assert len(shared) == (2 if name == "untied" else 1), "one tensor, trained once"
    of_head = [p.grad for p in shared if torch.allclose(p, output)]
    torch.testing.assert_close(of_head[0], output.grad, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["bert", "roberta", "modernbert"])
def test_specials_and_padding_are_never_hidden_and_layers_are_those_of_the_model(folders, name):
    encoder = hf_text_encoder(str(folders / name))().eval()
    batch = encoder.collate([*TEXTS, "zzz ☃ qqq"])
    layout = encoder.token_layout(batch)
    for row, ids in enumerate(batch["input_ids"].tolist()):
        for column, number in enumerate(ids):
            special = number in encoder.tokenizer().all_special_ids
            assert layout.real_NT[row, column] == batch["attention_mask"][row, column]
            assert layout.maskable_NT[row, column] == (batch["attention_mask"][row, column] == 1 and not special)
    hidden = layout.maskable_NT
    mask = coview.TokenMask(layout, hidden, hidden, hidden[:, None], "replace")
    found = encoder.encode_tokens(batch, mask, layers=2)
    expected = []
    hooks = [
        layer.register_forward_hook(lambda _, __, y: expected.append(y[0] if isinstance(y, tuple) else y))
        for layer in (encoder.model.layers if name == "modernbert" else encoder.model.encoder.layer)
    ]
    last = encoder.model(shown(encoder, batch["input_ids"], mask), batch["attention_mask"]).last_hidden_state
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close(found.tokens_NTD, last)
    for mine, theirs in zip(found.layers_LNTD, expected, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert torch.equal(found.layers_LNTD[-1], found.tokens_NTD) == (name != "modernbert"), "before its last norm"
    assert encoder.encode_tokens(batch, None).tokens_NTD.equal(encoder(batch).tokens_NTD)


@pytest.mark.parametrize("name", ["bert", "roberta", "unigram", "scratch"])
def test_words_are_what_the_tokenizer_splits_a_text_into(folders, name, tmp_path):
    if name == "scratch":
        encoder = TextTransformer(vocabulary=300, width=16, layers=1, heads=2)
        encoder.fit(TEXTS)
    elif name == "unigram":
        words = tokenizer("unigram")
        words.save_pretrained(tmp_path)
        transformers.AutoModel.from_config(CONFIGS["bert"][1](len(words))).save_pretrained(tmp_path)
        encoder = hf_text_encoder(str(tmp_path))()
    else:
        encoder = hf_text_encoder(str(folders / name))()
    layout = encoder.token_layout(encoder.collate(TEXTS))
    backend = encoder.tokenizer().backend_tokenizer
    for row, text in enumerate(TEXTS):
        normal = backend.normalizer.normalize_str(text) if backend.normalizer else text
        pieces = backend.pre_tokenizer.pre_tokenize_str(normal)
        expected = [-1]
        for number, (piece, _) in enumerate(pieces):
            expected += [number] * len(backend.model.tokenize(piece))
        found = layout.words_NT[row].tolist()
        unknown = encoder.tokenizer().unk_token_id
        ids = encoder.collate(TEXTS)["input_ids"][row].tolist()
        for column, number in enumerate(expected):
            assert found[column] == (-1 if ids[column] == unknown else number)
        assert set(found[len(expected) :]) <= {-1}


@pytest.mark.parametrize("name", ["bert", "roberta", "distilbert"])
def test_tokens_are_named_without_the_signs_of_their_tokenizer(folders, name):
    encoder = hf_text_encoder(str(folders / name))()
    assert isinstance(encoder, coview.NamesTokens)
    batch = encoder.collate(TEXTS[:1])
    names = encoder.token_names(batch["input_ids"][0])
    assert len(names) == batch["input_ids"].shape[1]
    assert "".join(names[1:-1]).replace("␣", "") == TEXTS[0].replace(" ", "")
    assert (names[0], names[-1]) == ("[CLS]", "[SEP]")
    assert encoder.token_names(torch.tensor([10**6])) == ["token 1000000"]


def test_swapped_tokens_are_those_that_the_model_sees(folders):
    encoder = hf_text_encoder(str(folders / "bert"))()
    batch = encoder.collate(TEXTS)
    layout = encoder.token_layout(batch)
    hidden = layout.maskable_NT & (torch.rand(layout.real_NT.shape, generator=torch.Generator().manual_seed(0)) < 0.5)
    swap = torch.rand(hidden.shape, generator=torch.Generator().manual_seed(1)).masked_fill(~hidden, -1)
    nothing = torch.zeros_like(hidden)
    mask = coview.TokenMask(layout, hidden, nothing, hidden[:, None], "replace", swap)
    seen: list[torch.Tensor] = []
    encoder.model.embeddings.word_embeddings.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    encoder.encode_tokens(batch, mask)
    assert torch.equal(seen[0], encoder.swapped_tokens(batch["input_ids"], mask))
    for row, token in hidden.nonzero().tolist():
        assert seen[0][row, token] == int(float(swap[row, token]) * encoder.classes)
    assert torch.equal(seen[0][~hidden], batch["input_ids"][~hidden])


def test_from_scratch_the_learnt_token_stands_at_hidden_places():
    torch.manual_seed(0)
    encoder = TextTransformer(vocabulary=300, width=16, layers=2, heads=2, max_length=40)
    encoder.fit(TEXTS)
    encoder.eval()
    batch = encoder.collate(TEXTS)
    assert encoder.mask_width == 16
    token = torch.randn(16)
    layout = encoder.token_layout(batch)
    drawn = torch.rand(layout.real_NT.shape)
    hidden = layout.maskable_NT & (drawn < 0.5)
    swap = torch.where(hidden & (drawn < 0.1), 5 * drawn, torch.full_like(drawn, -1.0))
    replaced = hidden & (drawn > 0.2)
    mask = coview.TokenMask(layout, hidden, replaced, hidden[:, None], "replace", swap)
    found = encoder.encode_tokens(batch, mask, mask_token_D=token, layers=1)
    assert replaced.any()
    assert (swap >= 0).any()
    for row, ids in enumerate(batch["input_ids"]):
        vectors = []
        for column, number in enumerate(ids.tolist()):
            other = int(float(swap[row, column]) * encoder.classes) if swap[row, column] >= 0 else number
            vectors.append(token if replaced[row, column] else encoder.model.embeddings.word_embeddings.weight[other])
        real = int(layout.real_NT[row].sum())
        alone = encoder.model(inputs_embeds=torch.stack(vectors)[None, :real]).last_hidden_state[0]
        torch.testing.assert_close(found.tokens_NTD[row, :real], alone, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found.pooled_ND[row], alone.mean(0), atol=1e-5, rtol=1e-4)
    assert encoder.encode_tokens(batch, None).tokens_NTD.equal(encoder(batch).tokens_NTD)
    assert found.layers_LNTD[0].equal(found.tokens_NTD)


def test_two_encoders_alike_in_memory_keep_their_own_words(folders):
    """What is known of a tokenizer goes with it: another one may lie where a freed one lay."""
    for name in ("bert", "roberta") * 3:
        encoder = copy.deepcopy(hf_text_encoder(str(folders / name))())
        words = encoder.token_layout(encoder.collate(TEXTS[:1])).words_NT
        assert int(words.max()) == max(w for w in encoder.tokenizer()(TEXTS[0]).word_ids() if w is not None)
        del encoder


@pytest.mark.parametrize(("name", "said"), [("gpt", "takes no mask"), ("headless", "no head for masked tokens")])
def test_what_has_no_mask_or_no_head_is_refused_in_one_line(folders, call, texts, write_recipe, tmp_path, name, said):
    path = write_recipe(RECIPE.format(root=texts, model=folders / name, steps=1))
    done = call("run", path, "--out", tmp_path / "runs")
    assert done.status == 2
    assert said in done.err
    assert f"{path.name}:" in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").rglob("recipe.toml"))


@pytest.mark.slow
def test_a_model_goes_on_with_its_own_pretraining(folders, texts, write_recipe, tmp_path):
    path = write_recipe(RECIPE.format(root=texts, model=folders / "bert", steps=60))
    command = [sys.executable, "-m", "coview"]

    def called(*arguments):
        done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done

    called("run", path, "--out", tmp_path / "runs")
    (run,) = (tmp_path / "runs" / "texts").iterdir()
    losses = [line["loss"] for line in map(json.loads, (run / "metrics.jsonl").open()) if "loss" in line]
    assert losses[-1] < losses[0] - 0.5
    weights = run / "checkpoints" / "step-60" / "weights.safetensors"
    end = load_file(weights)
    shutil.rmtree(weights.parent)
    environment = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps({**environment, "finished": None}))
    assert "from step 40 " in called("run", path, "--out", tmp_path / "runs", "--resume").stderr
    again = load_file(weights)
    assert end.keys() == again.keys()
    assert all(end[key].equal(again[key]) for key in end), "the tied matrix is one tensor after a resume too"
    called("export", run, "--to", "hf", "--out", tmp_path / "out")
    (folder,) = {file.parent for file in (tmp_path / "out").rglob("config.json")}
    model = transformers.AutoModel.from_pretrained(folder)
    masked = transformers.AutoModelForMaskedLM.from_pretrained(folder)
    before = transformers.AutoModel.from_pretrained(folders / "bert")
    trained = model.get_input_embeddings().weight
    assert not torch.allclose(trained, before.get_input_embeddings().weight, atol=1e-3)
    assert masked.get_output_embeddings().weight.equal(trained), "the tied matrix is there"
    words = transformers.AutoTokenizer.from_pretrained(folder)
    assert words.mask_token == "[MASK]"
    loaded = coview.load_run(run)
    assert loaded.encoder.model.get_input_embeddings().weight.cpu().equal(trained)
